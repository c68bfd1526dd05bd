"""Silence: a device that no longer reports, judged by its own rhythm.

A series is silent when nothing has come for ``factor * rhythm + GRACE``, where rhythm is the larger of the configured
interval and the learned one (median of the last nine intervals, so that a burst does not shorten it), and factor grows
with recent flapping. A series that has never reported is not silent, only not yet live. If ticks stood still (the platform
itself was down, or its clock jumped ahead), everybody's wait begins anew; if ticks go back, waits go on as they stood. The wait
counts from the tick before which a reading came, not from the reading's own time: a device whose clock is slow is not
silent. Times are UTC ms. The finding is of hazard ``device``, grade blue.
"""

# mypy: allow-untyped-defs
from __future__ import annotations

import numpy as np
from numba import njit

from ..contract import MUTE, Detector, Findings, Rows, SeriesTable, State
from ._kernel import columns, position

FACTOR = 3.0  # missed reports in a row before a device counts as silent (ours; as LoRaWAN fleets commonly do)
GRACE_MS = 60_000  # transport delay allowed on top
FLAP_MOST = 4.0  # factor grows up to FACTOR * (1 + FLAP_MOST)
FLAP_HALVES_MS = 86_400_000.0  # the memory of flapping halves in a day
STOOD_MS = 30_000  # ticks further apart than this mean that the platform stood still
INTERVALS = 9
MOST_A_TICK = 2_000  # findings in one tick; the rest follow on the next ones
DEFAULT_INTERVAL_MS = 300_000


class Silence(Detector):
    """No reading for longer than the series' own rhythm allows."""

    name = "silence"
    hazard = "device"
    evidence = ("silent_ms", "allowed_ms", "rhythm_ms", "flaps")
    zh, en = "设备失联", "Silence"

    def allocate(self, table: SeriesTable) -> State:
        """One row per series."""
        n = len(table)
        return {
            "slot": np.arange(n, dtype=np.int32),
            "last_ms": np.zeros(n, np.int64),
            "heard": np.zeros(n, np.int8),  # a reading has come since the last tick
            "heard_ms": np.zeros(n, np.int64),  # the tick after which the wait counts
            "intervals": np.zeros((n, INTERVALS), np.int64),
            "filled": np.zeros(n, np.int32),
            "flaps": np.zeros(n),
            "flap_ms": np.zeros(n, np.int64),
            "silent": np.zeros(n, np.int8),
            "from_ms": np.zeros(n, np.int64),  # the wait counts from here at the earliest
            "tick_ms": np.zeros(n, np.int64),
        }

    def step(self, state: State, rows: Rows, table: SeriesTable) -> Findings:
        """Learn the rhythm; end a silence."""
        if not len(rows) or not len(state["slot"]):
            return Findings()
        out = columns(len(rows), 4)
        count = _step(
            rows.slot, rows.time_ms, rows.late, table.interval_ms, state["slot"], state["last_ms"], state["intervals"],
            state["filled"], state["flaps"], state["flap_ms"], state["silent"], state["heard"], *out,
        )  # fmt: skip
        return Findings.of(count, *out)

    def tick(self, state: State, now_ms: int, table: SeriesTable) -> Findings:
        """Raise what has been silent too long."""
        if not len(state["slot"]):
            return Findings()
        out = columns(min(MOST_A_TICK, len(state["slot"])), 4)
        count = _tick(
            now_ms, table.interval_ms, state["slot"], state["last_ms"], state["intervals"], state["filled"], state["flaps"],
            state["flap_ms"], state["silent"], state["heard"], state["heard_ms"], state["from_ms"], state["tick_ms"], *out,
        )  # fmt: skip
        return Findings.of(count, *out)

    def overruled(self, state: State, slot: int, verdict: int, span: tuple[int, int], now_ms: int, fresh: State) -> None:
        """A muted series waits from the end of its mute."""
        if verdict == MUTE:
            state["silent"][slot], state["from_ms"][slot] = 0, max(state["from_ms"][slot], span[1])

    def unmuted(self, state: State, slot: int, now_ms: int) -> None:
        """The wait counts from now."""
        state["from_ms"][slot] = min(state["from_ms"][slot], now_ms)

    def describe(self, grade: int, evidence: tuple[float, ...]) -> tuple[str, str]:
        """``已 42 分钟无数据（允许 16 分钟）``."""
        silent, allowed, rhythm, _ = (e / 60_000 for e in evidence)
        if grade == 0:
            return f"恢复报送，中断 {silent:.0f} 分钟", f"reports again after {silent:.0f} min"
        return (
            f"已 {silent:.0f} 分钟无数据，按其报送节奏 {rhythm:.1f} 分钟允许 {allowed:.0f} 分钟",
            f"no data for {silent:.0f} min; its rhythm of {rhythm:.1f} min allows {allowed:.0f} min",
        )


@njit(cache=True)
def _rhythm(configured, intervals, filled):
    """Milliseconds between reports: the larger of the configured interval and the learned median (from five on)."""
    expected = float(configured) if configured > 0 else 0.0
    n = min(filled, len(intervals))
    if n >= 5:
        expected = max(expected, np.median(intervals[:n].astype(np.float64)))
    return expected if expected > 0 else float(DEFAULT_INTERVAL_MS)


@njit(cache=True)
def _flaps(flaps, since_ms, t):
    """The flap memory, halved each day since it last grew."""
    return flaps * 0.5 ** (max(t - since_ms, 0) / FLAP_HALVES_MS) if flaps > 0 else 0.0


@njit(cache=True)
def _step(
    slot, time_ms, late, interval_ms, watched, last_ms, intervals, filled, flaps, flap_ms, silent, heard,
    o_slot, o_time, o_grade, o_score, o_kind, o_evidence,
):  # fmt: skip
    n = 0
    for i in range(len(slot)):
        r = position(watched, slot[i])
        if r < 0 or late[i] or time_ms[i] <= last_ms[r]:
            continue
        t, gap = time_ms[i], time_ms[i] - last_ms[r]
        if silent[r]:
            silent[r] = 0
            flaps[r] = min(_flaps(flaps[r], flap_ms[r], t) + 1.0, FLAP_MOST)
            flap_ms[r] = t
            o_slot[n], o_time[n], o_grade[n], o_score[n], o_kind[n] = slot[i], t, 0, 0.0, 0
            rhythm = _rhythm(interval_ms[slot[i]], intervals[r], filled[r])
            e = o_evidence[n]
            e[0], e[1], e[2], e[3] = gap, FACTOR * rhythm + GRACE_MS, rhythm, flaps[r]
            n += 1
        if last_ms[r] > 0:  # silences too: a device slower than configured is learned, the median forgets outages
            intervals[r, filled[r] % INTERVALS] = gap
            filled[r] += 1
            if filled[r] >= 1_000_000 * INTERVALS:
                filled[r] = INTERVALS
        last_ms[r], heard[r] = t, 1
    return n


@njit(cache=True)
def _tick(
    now, interval_ms, watched, last_ms, intervals, filled, flaps, flap_ms, silent, heard, heard_ms, from_ms, tick_ms,
    o_slot, o_time, o_grade, o_score, o_kind, o_evidence,
):  # fmt: skip
    n, most = 0, len(o_slot)
    for r in range(len(watched)):
        if tick_ms[r] > 0 and now - tick_ms[r] > STOOD_MS:
            from_ms[r] = max(from_ms[r], now)  # a mute that lasts longer stands
        elif now < tick_ms[r]:
            if from_ms[r] <= tick_ms[r]:
                from_ms[r] += now - tick_ms[r]
            heard_ms[r] += now - tick_ms[r]
        tick_ms[r] = now
        if heard[r]:
            heard[r], heard_ms[r] = 0, now
        if silent[r] or last_ms[r] == 0:
            continue
        waited = now - max(heard_ms[r], from_ms[r])
        configured = interval_ms[watched[r]]
        if waited <= FACTOR * max(configured, 0) + GRACE_MS or n >= most:  # cheap test first
            continue
        rhythm = _rhythm(configured, intervals[r], filled[r])
        f = _flaps(flaps[r], flap_ms[r], now)
        allowed = FACTOR * (1.0 + f) * rhythm + GRACE_MS
        if waited > allowed:
            silent[r] = 1
            o_slot[n], o_time[n], o_grade[n], o_score[n], o_kind[n] = watched[r], now, 1, min(waited / allowed / 10.0, 1.0), 0
            e = o_evidence[n]
            e[0], e[1], e[2], e[3] = now - heard_ms[r], allowed, rhythm, f
            n += 1
    return n
