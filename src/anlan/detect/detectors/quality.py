"""Quality control: the first detector; lowers ``rows.quality`` and rebases ``rows.value`` in place.

Order of tests, each with a reason bit: not a number, range, clock ahead, stuck, spike, jump. What a reason does:

- range and not-a-number: BAD (never judged);
- clock (ahead of the lane's tick by more than `CLOCK_MS`) and stuck: SUSPECT;
- spike (for quantities that move smoothly): the sample is held as SUSPECT while up to `HOLD` samples in a row
  decide. They agree with one another: a jump. Displacement, crack and tilt are then *rebased* (a re-installed instrument: the
  offset is kept in state, later detectors see a continuous series) and a device finding asks people to look, because a
  sudden real movement looks the same. Otherwise, or for other quantities, the motion is accepted.

A spike is a residual over `SPIKE` scales from the line through the last five accepted samples (a Hampel test on the
residuals of a robust local line: 3-5 scaled MAD is customary; 6 here, because an extrapolated line is noisier). The scale is the
declared sensor noise or the running mean absolute second difference (whichever is larger). A device finding (grade
blue) is raised when half of the recent samples are bad, and cleared below a fifth.
"""

# mypy: allow-untyped-defs
from __future__ import annotations

import numpy as np
from numba import njit

from ..contract import GOOD, MUTE, Detector, Findings, Rows, SeriesTable, State
from ._kernel import columns, position

SPIKE = 6.0
KEEP = 5  # accepted samples of the local line
HOLD = 3  # off-line samples in a row that decide
STUCK_N = 48  # equal values in a row, of a series that was not constant before
CLOCK_MS = 300_000
SMOOTH = (1, 2, 3, 5, 7, 8)  # spike test: displacement, crack, tilt, water level, soil moisture, pore pressure
REBASE = (1, 2, 3)
JUMP_FLAT = 4.0  # held samples agree when their second differences stay within this many scales
SHARE_UP, SHARE_DOWN, SHARE_WEIGHT = 0.5, 0.2, 0.05
RANGE, NAN, CLOCK, STUCK, OFF_LINE, JUMP = 1, 2, 4, 8, 16, 32
WORDS = {
    RANGE: ("超出量程", "out of range"),
    NAN: ("非数", "not a number"),
    CLOCK: ("时钟超前", "clock ahead"),
    STUCK: ("数值卡滞", "stuck"),
    OFF_LINE: ("尖峰", "spike"),
    JUMP: ("阶跃", "jump"),
}
KIND_SHARE, KIND_JUMP = 0, 1


class Quality(Detector):
    """Range, stuck, spike, jump and clock tests of every series."""

    name = "quality"
    hazard = "device"
    rank = 0
    evidence = ("reason_bits", "bad_share", "shift", "offset", "value", "quantity")
    zh, en = "数据质量", "Data quality"

    def allocate(self, table: SeriesTable) -> State:
        """One row per series."""
        n = len(table)
        return {
            "slot": np.arange(n, dtype=np.int32),
            "line": np.zeros((n, KEEP)),  # accepted values, newest at (filled - 1) % KEEP
            "line_ms": np.zeros((n, KEEP), np.int64),
            "filled": np.zeros(n, np.int32),
            "held": np.zeros((n, HOLD)),
            "held_ms": np.zeros((n, HOLD), np.int64),
            "holding": np.zeros(n, np.int8),
            "scale": np.zeros(n),
            "offset": np.zeros(n),
            "same": np.zeros(n, np.int32),
            "share": np.zeros(n),
            "reasons": np.zeros(n, np.uint8),
            "raised": np.zeros(n, np.int8),
            "now_ms": np.zeros(n, np.int64),
            "jump_ms": np.zeros(n, np.int64),  # when the last jump was joined, and its size
            "jump_by": np.zeros(n),
        }

    def step(self, state: State, rows: Rows, table: SeriesTable) -> Findings:
        """Judge each row in order; changes rows.quality and rows.value."""
        if not len(rows) or not len(state["slot"]):
            return Findings()
        out = columns(2 * len(rows), len(self.evidence))
        s, ruled = state, np.zeros(len(rows), np.uint8) if rows.ruled is None else rows.ruled
        count = _step(
            rows.slot, rows.time_ms, rows.value, rows.quality, rows.late, ruled, table.quantity, table.low, table.high, table.noise,
            s["slot"], s["line"], s["line_ms"], s["filled"], s["held"], s["held_ms"], s["holding"], s["scale"], s["offset"],
            s["same"], s["share"], s["reasons"], s["raised"], s["now_ms"], s["jump_ms"], s["jump_by"], *out,
        )  # fmt: skip
        return Findings.of(count, *out)

    def overruled(self, state: State, slot: int, verdict: int, span: tuple[int, int], now_ms: int, fresh: State) -> None:
        """GOOD: the doubts go, a jump joined in the span becomes a movement. MUTE: the doubts go. BAD changes nothing here."""
        r = slot  # one row per series
        if verdict in (GOOD, MUTE):
            state["share"][r] = state["raised"][r] = state["reasons"][r] = state["holding"][r] = state["same"][r] = 0
        if verdict == GOOD and span[0] <= state["jump_ms"][r] < span[1] and state["jump_by"][r]:
            state["offset"][r] += state["jump_by"][r]
            state["line"][r] += state["jump_by"][r]
            state["jump_ms"][r] = state["jump_by"][r] = 0

    def tick(self, state: State, now_ms: int, table: SeriesTable) -> Findings:
        """Only keeps the lane's time for the clock test."""
        state["now_ms"].fill(now_ms)
        return Findings()

    def describe(self, grade: int, evidence: tuple[float, ...]) -> tuple[str, str]:
        """Reasons in words, and for a jump its size."""
        from ...base.quantity import BY_NUMBER

        bits, share, shift = int(evidence[0]), evidence[1], evidence[2]
        q = BY_NUMBER[int(evidence[5])]
        if bits & JUMP and shift:
            size = f"{shift * q.shown_factor:+.4g} {q.shown_unit or q.unit}"
            return (
                f"{q.zh}阶跃 {size}：疑似重新安装或突发位移，已按重新安装续接，请现场核实",
                f"{q.en} jumped {size}: re-installed, or a sudden movement; joined as re-installed, please look on site",
            )
        if grade == 0:
            return f"数据质量恢复，近期异常占比 {share:.0%}", f"quality is back, {share:.0%} of recent samples off"
        zh = "、".join(w[0] for b, w in WORDS.items() if bits & b)
        en = ", ".join(w[1] for b, w in WORDS.items() if bits & b)
        return f"近期异常占比 {share:.0%}：{zh}", f"{share:.0%} of recent samples off: {en}"


@njit(cache=True)
def _line(line, line_ms, n, t):
    """Value at `t` of the line through the means of the older and the newer pair of the last five accepted samples."""
    if n < KEEP:
        return line[(n - 1) % KEEP]
    a, b, d, e = (n - 5) % KEEP, (n - 4) % KEEP, (n - 2) % KEEP, (n - 1) % KEEP
    x0, x1 = 0.5 * (line[a] + line[b]), 0.5 * (line[d] + line[e])
    t0, t1 = 0.5 * (line_ms[a] + line_ms[b]), 0.5 * (line_ms[d] + line_ms[e])
    slope = (x1 - x0) / (t1 - t0) if t1 > t0 else 0.0
    return x1 + slope * (t - t1)


@njit(cache=True)
def _accept(x, t, r, line, line_ms, filled, scale, noise):
    """Push an accepted sample; the scale follows the absolute second difference (sd = 1.2533 / sqrt(6) of its mean)."""
    n = filled[r]
    if n >= 2:
        p, q = (n - 1) % KEEP, (n - 2) % KEEP
        before, after = line_ms[r, p] - line_ms[r, q], t - line_ms[r, p]
        if before > 0 and after > 0:
            expected = line[r, p] + (line[r, p] - line[r, q]) * min(after / before, 3.0)
            s = abs(x - expected) * 0.5117
            if n < KEEP + 3:
                scale[r] += (s - scale[r]) / (n - 1)  # plain mean while it begins
            else:
                scale[r] += 0.1 * (min(s, 4.0 * scale[r]) - scale[r])
    line[r, n % KEEP], line_ms[r, n % KEEP] = x, t
    filled[r] = n + 1 if n < 1_000_000_000 else KEEP + (n + 1) % KEEP
    if noise > 0.0 and scale[r] < noise:
        scale[r] = noise


@njit(cache=True)
def _agree(held, held_ms, line, line_ms, filled, r, limit):
    """Shift of the held samples if they continue the old line at another level within `limit`, else 0."""
    lo, hi, s = np.inf, -np.inf, 0.0
    for k in range(HOLD):
        d = held[r, k] - _line(line[r], line_ms[r], filled[r], held_ms[r, k])
        lo, hi, s = min(lo, d), max(hi, d), s + d
    return s / HOLD if hi - lo <= limit else 0.0


@njit(cache=True)
def _resolve(r, rebase, line, line_ms, filled, held, held_ms, holding, scale, offset, noise):
    """Three samples in a row off the line: a jump (returns its size; series rebased when it may) or motion (0)."""
    shift = 0.0
    if filled[r] >= KEEP:
        shift = _agree(held, held_ms, line, line_ms, filled, r, JUMP_FLAT * scale[r])
    moved = shift if rebase else 0.0
    offset[r] -= moved
    for k in range(HOLD):
        if rebase and shift != 0.0:
            held[r, k] -= shift
        _accept(held[r, k], held_ms[r, k], r, line, line_ms, filled, scale, noise)
    holding[r] = 0
    return shift


@njit(cache=True)
def _stuck(x, r, line, filled, same, scale):
    """Whether the value has not changed for STUCK_N samples though the series was alive before."""
    if filled[r] > 0 and x == line[r, (filled[r] - 1) % KEEP]:
        same[r] += 1
    else:
        same[r] = 0
    return same[r] >= STUCK_N and x != 0.0


@njit(cache=True)
def _step(
    slot, time_ms, value, quality, late, ruled, quantity, low, high, declared, watched, line, line_ms, filled, held, held_ms, holding,
    scale, offset, same, share, reasons, raised, now_ms, jump_ms, jump_by, o_slot, o_time, o_grade, o_score, o_kind, o_evidence,
):  # fmt: skip
    n = 0
    for i in range(len(slot)):
        r = position(watched, slot[i])
        if r < 0 or ruled[i] > 1:  # a person's "bad" and "mute" are no fault of the instrument's
            continue
        s, t, x, bits, shift = slot[i], time_ms[i], value[i], 0, 0.0
        q, noise = quantity[s], declared[s]
        if not np.isfinite(x):
            bits = NAN
            quality[i] = max(quality[i], 2)
        elif ruled[i] == 1:  # a person says that it is good: taken as it is
            x += offset[r]
            quality[i] = 0
            if not late[i]:
                holding[r] = same[r] = 0
                _accept(x, t, r, line, line_ms, filled, scale, noise)
            value[i] = x
        elif x < low[s] or x > high[s]:
            bits = RANGE
            quality[i] = max(quality[i], 2)
        elif quality[i] < 2:
            if now_ms[r] > 0 and t > now_ms[r] + CLOCK_MS:
                bits |= CLOCK
            x += offset[r]
            if not late[i]:
                if _stuck(x, r, line, filled, same, scale) and q != 4 and q != 17 and scale[r] > 0:
                    bits |= STUCK
                smooth = q == 1 or q == 2 or q == 3 or q == 5 or q == 7 or q == 8
                off = False
                if smooth and filled[r] >= KEEP + 3 and scale[r] > 0.0:
                    n_back = (filled[r] - 1) % KEEP
                    wait = t - line_ms[r, n_back]
                    before = max(line_ms[r, n_back] - line_ms[r, (filled[r] - KEEP) % KEEP], 1) / (KEEP - 1)
                    reach = SPIKE * scale[r] * max(1.0, min(wait / before, 10.0) ** 0.5)
                    at = _line(line[r], line_ms[r], filled[r], t)
                    moving = abs(at - line[r, n_back])  # a moving series may double its step and is no spike
                    off = abs(x - at) > reach + moving
                if off:
                    held[r, holding[r]], held_ms[r, holding[r]] = x, t
                    holding[r] += 1
                    bits |= OFF_LINE
                    if holding[r] == HOLD:
                        rebase = q <= 3
                        shift = _resolve(r, rebase, line, line_ms, filled, held, held_ms, holding, scale, offset, noise)
                        bits &= ~OFF_LINE
                        if shift != 0.0 and rebase:
                            bits |= JUMP
                            x -= shift
                            jump_ms[r], jump_by[r] = t, shift
                else:
                    holding[r] = 0
                    _accept(x, t, r, line, line_ms, filled, scale, noise)
            value[i] = x
            if bits & (CLOCK | STUCK | OFF_LINE):
                quality[i] = max(quality[i], 1)
        bad = 1.0 if bits & ~JUMP else 0.0
        share[r] += SHARE_WEIGHT * (bad - share[r])
        reasons[r] = bits if bad else reasons[r]
        say, grade, kind = False, 0, KIND_SHARE
        if bits & JUMP:
            n = _say(n, s, t, 1, KIND_JUMP, bits, share[r], shift, offset[r], x, q, o_slot, o_time, o_grade, o_score, o_kind, o_evidence)
        if raised[r] == 0 and share[r] > SHARE_UP:
            raised[r], say, grade = 1, True, 1
        elif raised[r] == 1 and share[r] < SHARE_DOWN:
            raised[r], say, grade = 0, True, 0
        if say:
            n = _say(n, s, t, grade, kind, reasons[r], share[r], 0.0, offset[r], x, q, o_slot, o_time, o_grade, o_score, o_kind, o_evidence)
    return n


@njit(cache=True)
def _say(n, slot, t, grade, kind, bits, share, shift, offset, x, q, o_slot, o_time, o_grade, o_score, o_kind, o_evidence):
    o_slot[n], o_time[n], o_grade[n], o_score[n], o_kind[n] = slot, t, grade, share, kind
    e = o_evidence[n]
    e[0], e[1], e[2], e[3], e[4], e[5] = bits, share, shift, offset, x, q
    return n + 1
