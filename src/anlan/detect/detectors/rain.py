"""Rain: rolling accumulations over 1, 3, 6, 12 and 24 h from increments, graded by limits that are data.

Increments go into 10-minute buckets by their own time, so that late tips count where they fell; an accumulation
over W is the sum of the buckets that begin within the last W, measured from the newest reading or tick. Signed threshold rows of
mode ``sum`` (windows up to 72 h) replace the defaults for their series. Defaults are the rainstorm signals of the
China Meteorological Administration (Order 16 of 2007, "Measures for issuing meteorological disaster warning signals",
annex, rainstorm): blue 50 mm in 12 h, yellow 50 mm in 6 h, orange 50 mm in 3 h, red 100 mm in 3 h. A grade is kept while any total
stays at 75 % of its limit (the "extend" practice of the Philippine DYNASLOPE rain rule). Values are metres of water.
"""

# mypy: allow-untyped-defs
from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...base.grade import Grade
from ..contract import Detector, Findings, Gate, Rows, SeriesTable, State
from ._kernel import columns, position
from .threshold import SUM, row_key

BUCKET_MS = 600_000
BUCKETS = 433  # 72 h and the running one
WINDOWS_H = (1, 3, 6, 12, 24)
EXTEND = 0.75
HOUR_MS = 3_600_000
EPSILON = 1e-9  # metres: sums of tips in binary may miss a round limit by rounding
RULES = 8  # most (window, levels) rows of one gauge
# window h, then blue, yellow, orange, red in metres (nan: not raised by this window)
DEFAULTS = (
    (12.0, 0.050, np.nan, np.nan, np.nan),
    (6.0, np.nan, 0.050, np.nan, np.nan),
    (3.0, np.nan, np.nan, 0.050, 0.100),
)


class Rain(Detector):
    """Rolling rain totals of a gauge against limits per window."""

    name = "rain"
    hazard = "rain"
    quantities = ("rainfall",)
    evidence = ("sum_1h_m", "sum_3h_m", "sum_6h_m", "sum_12h_m", "sum_24h_m", "window_h", "sum_m", "limit_m", "rule_key")
    zh, en = "雨量累计", "Rain totals"

    def allocate(self, table: SeriesTable) -> State:
        """One row per rain series: buckets numbered by time, their totals, the newest time, the grade."""
        slot = np.flatnonzero(table.quantity == 4).astype(np.int32)
        n = len(slot)
        return {
            "slot": slot,
            "bucket": np.full((n, BUCKETS), -1, np.int64),
            "total": np.zeros((n, BUCKETS)),
            "newest_ms": np.zeros(n, np.int64),
            "grade": np.zeros(n, np.int8),
            "wet_ms": np.zeros(n, np.int64),
        }

    def step(self, state: State, rows: Rows, table: SeriesTable) -> Findings:
        """Put increments into buckets and judge after each."""
        if not len(rows) or not len(state["slot"]):
            return Findings()
        out = columns(len(rows), len(self.evidence))
        count = _step(
            rows.slot, rows.time_ms, rows.value, rows.quality, _rules(state, table), state["slot"], state["bucket"], state["total"],
            state["newest_ms"], state["wet_ms"], state["grade"], *out,
        )  # fmt: skip
        return Findings.of(count, *out)

    def tick(self, state: State, now_ms: int, table: SeriesTable) -> Findings:
        """Totals fall as time passes: only gauges that hold a grade are asked."""
        due = np.flatnonzero(state["grade"] > 0)
        if not len(due):
            return Findings()
        out = columns(len(due), len(self.evidence))
        rules = _rules(state, table)
        count = _fall(due, now_ms, rules, state["slot"], state["bucket"], state["total"], state["newest_ms"], state["grade"], *out)
        return Findings.of(count, *out)

    def warm(self) -> None:
        """A downpour and the dry hours after it."""
        table = SeriesTable.of(["rainfall"])
        state = self.allocate(table)
        self.step(state, Rows.of([0], [1_700_000_000_000], [0.2]), table)
        self.tick(state, 1_700_090_000_000, table)

    def totals(self, state: State, position_: int, now_ms: int) -> dict[int, float]:
        """Metres of rain in the last 1, 3, 6, 12 and 24 h up to `now_ms` (window hours to total)."""
        sums = np.empty(len(WINDOWS_H))
        _totals(state["bucket"][position_], state["total"][position_], now_ms, sums)
        return dict(zip(WINDOWS_H, sums.tolist(), strict=True))

    def causes(self, kind: int, evidence: tuple[float, ...], table: SeriesTable) -> list[str]:
        """The threshold row, when it was not a default."""
        return [i for i in table.thresholds.id if evidence[8] > 0 and row_key(i) == int(evidence[8])][:1]

    def describe(self, grade: int, evidence: tuple[float, ...]) -> tuple[str, str]:
        """``3 小时雨量 62.5 mm，达到橙色 50 mm``."""
        window, total, limit = evidence[5], evidence[6] * 1e3, evidence[7] * 1e3
        if grade == 0:
            return f"{window:g} 小时雨量 {total:.1f} mm，已回落", f"{total:.1f} mm in {window:g} h: back below its limit"
        g = Grade(grade)
        return (
            f"{window:g} 小时雨量 {total:.1f} mm，{g.zh}色阈值 {limit:.0f} mm",
            f"{total:.1f} mm in {window:g} h, {g.word} limit {limit:.0f} mm",
        )

    def gates(self, grade: int, evidence: tuple[float, ...]) -> list[Gate]:
        """The window that decided."""
        w, total, limit = evidence[5], evidence[6] * 1e3, evidence[7] * 1e3
        return [Gate("sum", f"{w:g} 小时雨量", f"Rain in {w:g} h", total, limit, total >= limit, "mm")]


def _rules(state: State, table: SeriesTable) -> NDArray[np.float64]:
    """Per gauge up to `RULES` rows of (window h, four levels, key); NaN window ends the list. Kept while both stay."""
    t, slots = table.thresholds, state["slot"]
    cached = _RULES.get(id(slots))
    if cached is not None and cached[0] is t and cached[1] is slots:
        return cached[2]
    rules = np.full((len(slots), RULES, 6), np.nan)
    for k, row in enumerate(DEFAULTS):
        rules[:, k, :5] = row
        rules[:, k, 5] = 0
    filled = np.zeros(len(slots), int)
    at = {int(s): i for i, s in enumerate(slots)}
    for r in np.flatnonzero(t.mode == SUM):
        i = at.get(int(t.slot[r]), -1)
        window = t.window_ms[r] / HOUR_MS
        if i < 0 or filled[i] >= RULES or not 0 < window <= 72:
            continue
        if not filled[i]:
            rules[i] = np.nan
        rules[i, filled[i]] = (window, *t.level[r], row_key(t.id[r]))
        filled[i] += 1
    if len(_RULES) > 64:
        _RULES.clear()
    _RULES[id(slots)] = (t, slots, rules)
    return rules


_RULES: dict[int, tuple[Any, Any, NDArray[np.float64]]] = {}


@njit(cache=True)
def _sum(bucket, total, now, window_ms):
    """Sum of the buckets that begin after `now - window` (whole buckets, the running one included)."""
    last = now // BUCKET_MS
    first = last - window_ms // BUCKET_MS + 1
    s = 0.0
    for k in range(first, last + 1):
        j = k % BUCKETS
        if bucket[j] == k:
            s += total[j]
    return s


@njit(cache=True)
def _totals(bucket, total, now, out):
    for k in range(len(WINDOWS_H)):
        out[k] = _sum(bucket, total, now, WINDOWS_H[k] * HOUR_MS)


@njit(cache=True)
def _worst(rules, bucket, total, now, kept):
    """Worst grade over all rules, levels multiplied by EXTEND up to grade `kept`; and the deciding rule."""
    best, which, sum_m, limit = 0, 0, 0.0, np.nan
    closest = -1.0
    for k in range(len(rules)):
        if np.isnan(rules[k, 0]):
            break
        s = _sum(bucket, total, now, int(rules[k, 0] * HOUR_MS))
        for g in range(1, 5):
            level = rules[k, g]
            if np.isnan(level):
                continue
            need = level * EXTEND if g <= kept else level
            if s + EPSILON >= need and g > best:
                best, which, sum_m, limit, closest = g, k, s, level, 2.0
            elif best == 0 and level > 0 and s / level > closest:
                closest, which, sum_m, limit = s / level, k, s, level
    return best, which, sum_m, limit


@njit(cache=True)
def _say(n, slot, t, grade, which, s, limit, rules, bucket, total, o_slot, o_time, o_grade, o_score, o_kind, o_evidence):
    o_slot[n], o_time[n], o_grade[n], o_score[n], o_kind[n] = slot, t, grade, grade / 4.0, 0
    e = o_evidence[n]
    _totals(bucket, total, t, e)
    e[5], e[6], e[7], e[8] = rules[which, 0], s, limit, rules[which, 5]


@njit(cache=True)
def _step(
    slot, time_ms, value, quality, rules, watched, bucket, total, newest, wet_ms, grade,
    o_slot, o_time, o_grade, o_score, o_kind, o_evidence,
):  # fmt: skip
    n = 0
    for i in range(len(slot)):
        r = position(watched, slot[i])
        x = value[i]
        if r < 0 or quality[i] == 2 or quality[i] == 3 or not (x >= 0.0) or x == np.inf:
            continue
        t = time_ms[i]
        k = t // BUCKET_MS
        newest[r] = max(newest[r], t)
        if k <= newest[r] // BUCKET_MS - BUCKETS:
            continue  # older than the ring
        j = k % BUCKETS
        if x > 0.0:
            if bucket[r, j] != k:
                bucket[r, j], total[r, j] = k, 0.0
            total[r, j] += x
            wet_ms[r] = max(wet_ms[r], t)
        elif grade[r] == 0:
            continue  # a dry report can only lower
        now = newest[r]
        g, which, s, limit = _worst(rules[r], bucket[r], total[r], now, grade[r])
        if quality[i] == 1 and g == 4 and grade[r] < 4:
            g = 3  # a suspect sample alone never raises red
        if g != grade[r]:
            grade[r] = g
            _say(
                n, slot[i], now, g, which, s, limit, rules[r], bucket[r], total[r], o_slot, o_time, o_grade, o_score, o_kind,
                o_evidence,
            )  # fmt: skip
            n += 1
    return n


@njit(cache=True)
def _fall(due, now, rules, watched, bucket, total, newest, grade, o_slot, o_time, o_grade, o_score, o_kind, o_evidence):
    n = 0
    for r in due:
        if now < newest[r]:
            continue
        g, which, s, limit = _worst(rules[r], bucket[r], total[r], now, grade[r])
        if g < grade[r]:
            grade[r] = g
            _say(
                n, watched[r], now, g, which, s, limit, rules[r], bucket[r], total[r], o_slot, o_time, o_grade, o_score, o_kind,
                o_evidence,
            )  # fmt: skip
            n += 1
    return n
