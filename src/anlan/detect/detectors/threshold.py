"""Thresholds: above, below, rate of change; with hysteresis and persistence by time and count.

Grades follow signed `Threshold` rows, which are data (versioned, with a source clause); none is built in. ``sum``
rows belong to `rain`. A rise is reported when the worse grade has held for `persistence_ms` and `persistence_n` readings
(the grade reported is the least that held throughout); a fall when the value has come back behind the level by
``hysteresis`` times the smaller of the level and the distance to the next one. The rate of rise of water is mode ``rate``: no
detector of its own.
"""

# mypy: allow-untyped-defs
from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...base.grade import Grade
from ...base.ids import derived_id
from ...base.quantity import BY_NUMBER
from ..contract import Detector, Findings, Gate, Rows, SeriesTable, State
from ._kernel import columns, position

ABOVE, BELOW, RATE, SUM = 0, 1, 2, 3
RING = 16  # samples kept for a rate: the oldest inside the window is its start
SUSPECT = 1
SPEED_UP_TO = 3  # quantities 1-3 (displacement, crack, tilt) have no upward direction: their rate is a speed
HAZARDS = {
    "displacement": "slope",
    "crack_width": "slope",
    "tilt": "slope",
    "acceleration": "slope",
    "soil_moisture": "slope",
    "pore_pressure": "slope",
    "rainfall": "rain",
    "water_level": "flood",
    "water_depth": "flood",
    "flow_rate": "flood",
    "gas_concentration": "gas",
    "temperature": "fire",
    "smoke_obscuration": "fire",
    "residual_current": "fire",
    "alarm_state": "fire",
    "wind_speed": "wind",
    "battery_voltage": "device",
}


def row_key(threshold_id: str) -> int:
    """A stable positive 53-bit number of a threshold's id: the `key` of its state row and the `kind` of its findings."""
    return int.from_bytes(derived_id("key", threshold_id).encode()[-13:], "big") % (1 << 53)


class Threshold(Detector):
    """Readings against signed levels, per threshold row."""

    name = "threshold"
    hazard = "other"
    evidence = ("value", "level", "mode", "window_ms", "threshold_row", "quantity")
    zh, en = "阈值", "Threshold"

    def allocate(self, table: SeriesTable) -> State:
        """One row per threshold of mode above, below or rate; the rate's ring only where there is a rate row."""
        t = table.thresholds
        rows = np.flatnonzero(t.mode != SUM)
        ring = RING if (t.mode[rows] == RATE).any() else 0
        n = len(rows)
        return {
            "slot": t.slot[rows].astype(np.int32),
            "key": np.array([row_key(t.id[r]) for r in rows], np.int64),
            "grade": np.zeros(n, np.int8),
            "since_ms": np.zeros((n, 4), np.int64),  # when the value first stood at or over each level, without a break
            "count": np.zeros((n, 4), np.int32),
            "ring_ms": np.zeros((n, ring), np.int64),
            "ring": np.zeros((n, ring)),
            "filled": np.zeros(n, np.int32),
            "last": np.full(n, np.nan),
            "last_quality": np.zeros(n, np.uint8),
        }

    def step(self, state: State, rows: Rows, table: SeriesTable) -> Findings:
        """Compare each row in order with all thresholds of its series."""
        if not len(state["slot"]) or not len(rows):
            return Findings()
        t = table.thresholds
        which = _which(state, table)
        out = columns(len(rows) * _most(state["slot"]), 6)
        # a rule row may be absent from the table for a moment (expired): which = -1 leaves it alone
        count = _step(
            rows.slot, rows.time_ms, rows.value, rows.quality, rows.late, table.quantity, which, t.mode, t.window_ms, t.level,
            t.hysteresis, t.persistence_ms, t.persistence_n, state["slot"], state["key"], state["grade"], state["since_ms"],
            state["count"], state["ring_ms"], state["ring"], state["filled"], state["last"],
            state["last_quality"], *out,
        )  # fmt: skip
        return Findings.of(count, *out)

    def tick(self, state: State, now_ms: int, table: SeriesTable) -> Findings:
        """Persistence by time: a value that has stood over a level long enough raises it without a further reading."""
        t = table.thresholds
        if not len(state["slot"]) or not t.persistence_ms.any():
            return Findings()
        due = np.flatnonzero((state["count"] > 0).any(axis=1))
        if not len(due):
            return Findings()
        out = columns(len(due), 6)
        count = _hold(
            due, now_ms, table.quantity, _which(state, table), t.mode, t.window_ms, t.level, t.persistence_ms, t.persistence_n,
            state["slot"], state["key"], state["grade"], state["since_ms"], state["count"], state["last"], state["last_quality"], *out,
        )  # fmt: skip
        return Findings.of(count, *out)

    def warm(self) -> None:
        """A rate row and one that must hold, through step and tick."""
        row = {"slot": 0, "level": (1.0, 2.0, 3.0, 4.0), "persistence_ms": 1, "id": "warm"}
        table = SeriesTable.of(["water_level"], thresholds=[row, row | {"mode": "rate", "window_ms": 3_600_000, "id": "warm-rate"}])
        state = self.allocate(table)
        self.step(state, Rows.of([0], [1_700_000_000_000], [2.0]), table)
        self.tick(state, 1_700_000_000_002, table)

    def hazard_of(self, quantity_number: int) -> str:
        """By quantity: displacement is slope, depth is flood, gas is gas."""
        return HAZARDS.get(BY_NUMBER[quantity_number].name, "other")

    def causes(self, kind: int, evidence: tuple[float, ...], table: SeriesTable) -> list[str]:
        """The threshold's id."""
        row = int(evidence[4])
        ids = table.thresholds.id
        return [ids[row]] if row < len(ids) and row_key(ids[row]) == kind else [i for i in ids if row_key(i) == kind][:1]

    def describe(self, grade: int, evidence: tuple[float, ...]) -> tuple[str, str]:
        """``水位 3.20 m，已超 橙色 3.00 m``."""
        value, level, mode, _, _, number = evidence
        q = BY_NUMBER[int(number)]
        unit, factor = q.shown_unit or q.unit, q.shown_factor
        per = f" {unit}/h" if mode == RATE else f" {unit}"
        shown, limit = f"{value * factor:.4g}{per}", f"{level * factor:.4g}{per}"
        what = (f"{q.zh}变化率", f"rate of {q.en}") if mode == RATE else (q.zh, q.en)
        if grade == 0:
            return f"{what[0]} {shown}，已回到阈值以内", f"{what[1]} {shown}: back within limits"
        over = ("低于", "below") if mode == BELOW else ("达到", "at or over")
        g = Grade(grade)
        return f"{what[0]} {shown}，{over[0]}{g.zh}色阈值 {limit}", f"{what[1]} {shown}, {over[1]} the {g.word} limit {limit}"

    def gates(self, grade: int, evidence: tuple[float, ...]) -> list[Gate]:
        """The one comparison behind the grade."""
        value, level, mode, _, _, number = evidence
        q = BY_NUMBER[int(number)]
        ok = value <= level if mode == BELOW else abs(value) >= level if mode == RATE else value >= level
        f = q.shown_factor
        return [Gate("level", f"{q.zh}与阈值", f"{q.en} against limit", value * f, level * f, bool(ok), q.shown_unit or q.unit)]


def _which(state: State, table: SeriesTable) -> NDArray[np.int64]:
    """Row of `table.thresholds` for each state row (kept while both stay; -1: no longer there)."""
    t, key = table.thresholds, state["key"]
    cached = _WHICH.get(id(key))
    if cached is not None and cached[0] is t and cached[1] is key:
        return cached[2]
    at = {(int(s), row_key(i)): r for r, (s, i) in enumerate(zip(t.slot, t.id, strict=True))}
    which = np.array([at.get((int(s), int(k)), -1) for s, k in zip(state["slot"], key, strict=True)], np.int64)
    if len(_WHICH) > 64:
        _WHICH.clear()
    _WHICH[id(key)] = (t, key, which)
    return which


_WHICH: dict[int, tuple[Any, Any, NDArray[np.int64]]] = {}


def _most(slots: NDArray[np.int32]) -> int:
    """The largest number of rows that one series has (kept while the array stays)."""
    cached = _MOST.get(id(slots))
    if cached is not None and cached[0] is slots:
        return cached[1]
    most = int(np.unique(slots, return_counts=True)[1].max())
    if len(_MOST) > 64:
        _MOST.clear()
    _MOST[id(slots)] = (slots, most)
    return most


_MOST: dict[int, tuple[Any, int]] = {}


@njit(cache=True)
def _rate(ring_ms, ring, filled, r, t, x, window):
    """Rate per hour over the window ending now (least: two samples, half the window), NaN before that; then push."""
    size = ring_ms.shape[1]
    result = np.nan
    n = filled[r]
    kept = min(n, size)
    for k in range(kept):  # oldest first
        j = (n - kept + k) % size
        if ring_ms[r, j] >= t - window:
            if t - ring_ms[r, j] >= window // 2:
                result = (x - ring[r, j]) / ((t - ring_ms[r, j]) / 3.6e6)
            break
    last = (n - 1) % size
    if n == 0 or t - ring_ms[r, last] >= window // (size - 1):  # thinned so that the ring spans the window
        ring_ms[r, n % size], ring[r, n % size] = t, x
        filled[r] = n + 1
    return result


@njit(cache=True)
def _back(level, g, hysteresis, below):
    """The value at which grade g (1-4) is left."""
    here = level[g - 1]
    gap = np.inf
    for k in range(4):
        if k != g - 1 and not np.isnan(level[k]):
            gap = min(gap, abs(level[k] - here))
    margin = hysteresis * min(abs(here), gap) if gap < np.inf and here != 0.0 else hysteresis * (gap if gap < np.inf else abs(here))
    return here + margin if below else here - margin


@njit(cache=True)
def _judge(x, quality, t, level, hysteresis, hold_ms, hold_n, below, grade, since_ms, count):
    """New grade of one threshold row after value x; updates since and count."""
    worst = 0
    for k in range(4):
        limit = level[k]
        if np.isnan(limit):
            count[k] = 0
            continue
        if (x <= limit) if below else (x >= limit):
            if count[k] == 0:
                since_ms[k] = t
            count[k] += 1
            if count[k] >= hold_n and t - since_ms[k] >= hold_ms and not (k == 3 and quality == SUSPECT):
                worst = max(worst, k + 1)
        else:
            count[k] = 0
    new = grade
    if worst > grade:
        new = worst
    elif worst < grade:
        while new > worst:  # step down while the value is behind the level by the hysteresis
            out = np.isnan(level[new - 1])
            if not out:
                edge = _back(level, new, hysteresis, below)
                out = x > edge if below else x < edge
            if not out:
                break
            new -= 1
            while new > worst and np.isnan(level[new - 1]):
                new -= 1
    return new


@njit(cache=True)
def _step(
    slot, time_ms, value, quality, late, quantity, which, mode, window_ms, level, hysteresis, persistence_ms, persistence_n,
    watched, key, grade, since_ms, count, ring_ms, ring, filled, last, last_quality, o_slot, o_time, o_grade, o_score, o_kind, o_evidence,
):  # fmt: skip
    n = 0
    for i in range(len(slot)):
        x = value[i]
        if late[i] or quality[i] == 2 or quality[i] == 3 or not np.isfinite(x):
            continue
        r = position(watched, slot[i])
        while 0 <= r < len(watched) and watched[r] == slot[i]:
            w = which[r]
            if w >= 0:
                y = x
                if mode[w] == RATE:
                    y = _rate(ring_ms, ring, filled, r, time_ms[i], x, window_ms[w])
                    if quantity[slot[i]] <= SPEED_UP_TO:
                        y = abs(y)
                if not np.isnan(y):
                    below = mode[w] == BELOW
                    old = grade[r]
                    last[r], last_quality[r] = y, quality[i]
                    new = _judge(
                        y, quality[i], time_ms[i], level[w], hysteresis[w], persistence_ms[w], persistence_n[w], below, old,
                        since_ms[r], count[r],
                    )  # fmt: skip
                    if new != old:
                        grade[r] = new
                        shown = level[w, max(new, 1) - 1] if new > 0 else level[w, old - 1]
                        o_slot[n], o_time[n], o_grade[n], o_score[n], o_kind[n] = slot[i], time_ms[i], new, new / 4.0, key[r]
                        e = o_evidence[n]
                        e[0], e[1], e[2], e[3], e[4], e[5] = y, shown, mode[w], window_ms[w], w, quantity[slot[i]]
                        n += 1
            r += 1
    return n


@njit(cache=True)
def _hold(
    due, now, quantity, which, mode, window_ms, level, hold_ms, hold_n, slot, key, grade, since_ms, count, last, last_quality,
    o_slot, o_time, o_grade, o_score, o_kind, o_evidence,
):  # fmt: skip
    n = 0
    for r in due:
        w = which[r]
        if w < 0 or hold_ms[w] <= 0:
            continue
        worst = 0
        for k in range(4):
            held = count[r, k] >= hold_n[w] and now - since_ms[r, k] >= hold_ms[w]
            if count[r, k] > 0 and held and not (k == 3 and last_quality[r] == SUSPECT):
                worst = k + 1
        if worst > grade[r]:
            grade[r] = worst
            o_slot[n], o_time[n], o_grade[n], o_score[n], o_kind[n] = slot[r], now, worst, worst / 4.0, key[r]
            e = o_evidence[n]
            e[0], e[1], e[2], e[3], e[4], e[5] = last[r], level[w, worst - 1], mode[w], window_ms[w], w, quantity[slot[r]]
            n += 1
    return n
