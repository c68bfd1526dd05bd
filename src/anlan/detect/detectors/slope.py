"""Slopes: improved tangent angle with joint gates; red only with evidence of the failure law.

Improved tangent angle (Xu Qiang; levels as in table 1 of doi 10.1186/s13638-021-02033-y): alpha = arctan(v / V0), V0 the
velocity of steady creep, *floored at the noise velocity* of the sensor (V0 near zero is the main cause of false reds).
Velocities are least-squares slopes over windows of the series' own readings, so hourly, daily and burst sampling
are judged alike: short (last 3 steps), long (7 steps; Carla et al. 2017, doi 10.1007/s10346-016-0731-5), an exponential mean of steps
(beta 0.5) and the two long windows before. Grades rise when all their gates hold on two readings in a row:

- blue: alpha > 45 deg, velocity over 3 noise velocities, gain over 3 sigma;
- yellow: v > 5 V0 (78.7 deg), gain over max(5 sigma, least gain);
- orange: alpha >= 80 deg in the short and the long window, velocity rising over two successive windows and still
  rising now, and the failure law before a broken line (else the step of a reservoir slope is orange each summer);
- red: the failure law explains the look-back better than every rival that does not fail (`base.failure`), most of its
  phase has passed, the velocity is 1.5 times that of the window before and the short window ahead of the long one (veto for
  steps that decelerate), v > 3 V0, gain over 12 sigma. Red stays until velocity falls under half of its peak since red.

Orange and red are judged on ticks, only where the cheap gate is open, and need two fits in a row.

Suspect readings are not used at all. A second sensor at the site is the matter of `issue`: `evidence` carries what it needs.
Units: SI; velocities per hour; angles in degrees.
"""

# mypy: allow-untyped-defs
from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...base.failure import PER_WINDOW, WINDOWS, Lookback, fit_windows
from ...base.quantity import BY_NUMBER
from ..contract import Detector, Findings, Gate, Rows, SeriesTable, State, watched
from . import _tiers
from ._kernel import columns, position
from ._tiers import assemble, last, push

BLUE_RATIO = 1.0  # tan 45 deg
YELLOW_RATIO = 5.0  # Outang practice: 5 V0
ORANGE_RATIO = 5.671  # tan 80 deg
RED_ANGLE = 71.57  # arctan 3
RED_RATIO = 3.0  # with law evidence an angle gate above 3 V0 adds nothing (docs/skill.md)
KEEP_RATIO = 0.7  # a grade is kept while v / V0 stays over this share of its limit
FELL = 0.5  # red ends under this share of the peak velocity
LEAST_GAIN = (0.010, 0.010, 0.0175)  # displacement and crack 10 mm, tilt 1 deg (five times a MEMS' 0.2 deg)
LEAST_NOISE = (1e-5, 1e-5, 1e-5)  # resolution floor where no accuracy is declared (0.01 mm; 0.6 milli-degree)
NEEDED = 24  # readings before anything is said
SHORT, LONG = 4, 8  # readings of the short and long slope
STEADY_N = 128.0  # memory of V0 in readings
MOST_FITS = 300  # fits in one tick (about 3 ms each); the rest follow on the next
OVER_BROKEN, OVER_RAMP = 25.0, 8.0  # log units over a broken line and over a constant acceleration
ORANGE_BROKEN = 6.0
DOUBLING = 1.5  # red: velocity over that of the window before
AHEAD_ORANGE, AHEAD_RED = 1.1, 1.05  # short over long velocity
AHEAD_MOST = 1.5
PASSED = 1.0  # red: share of the phase passed + (short over long velocity - 1)
RED_SIGMAS = 12.0
RED_LEAST = 0.3  # of the least gain
# the limits above were chosen on 840 generated cases (rehearse.cases, seeds 0-839): 95 % detected at the fewest false reds
COLUMNS = (
    "velocity_m_per_h", "velocity_short_m_per_h", "velocity_ewma_m_per_h", "velocity_before_m_per_h", "velocity_first_m_per_h",
    "steady_m_per_h", "noise_velocity_m_per_h", "tangent_angle_deg", "gain_m", "noise_m", "least_gain_m",
    "over_broken", "over_ramp", "phase_share", "remaining_p10_h", "remaining_p50_h", "remaining_p90_h", "quantity",
)  # fmt: skip
V, VS, VE, V2, V3, V0, VN, ANGLE, GAIN, NOISE, LEAST = range(11)
BROKEN, RAMP, PHASE, P10, P50, P90, QUANTITY = range(11, 18)


class Slope(Detector):
    """Tangent angle, velocity increment and displacement gates; failure-law evidence for red."""

    name = "slope"
    hazard = "slope"
    quantities = ("displacement", "crack_width", "tilt")
    evidence = COLUMNS
    zh, en = "边坡切线角", "Slope tangent angle"

    def allocate(self, table: SeriesTable) -> State:
        """Memory, noise, steady velocity, last judgement of each series."""
        slot = watched(table, self.quantities)
        n = len(slot)
        return {
            "slot": slot,
            **_tiers.allocate(n),
            "noise": np.zeros(n),
            "steady": np.zeros(n),
            "steady_n": np.zeros(n, np.int32),
            "ewma": np.zeros(n),
            "grade": np.zeros(n, np.int8),
            "pending": np.zeros(n, np.int8),
            "law": np.zeros((n, 2), np.int8),  # fits in a row that were orange, red
            "peak": np.zeros(n),
            "dirty": np.zeros(n, np.int8),
            "ask": np.zeros(n, np.int8),
            "fit_ms": np.zeros(n, np.int64),
            "facts": np.zeros((n, len(COLUMNS)), np.float32),
            "fit": np.full((n, len(WINDOWS), PER_WINDOW), np.nan, np.float32),
        }

    def step(self, state: State, rows: Rows, table: SeriesTable) -> Findings:
        """Velocities and cheap gates after each reading; grades up to orange, and red's end."""
        if not len(rows) or not len(state["slot"]):
            return Findings()
        s = state
        out = columns(len(rows), len(COLUMNS))
        count = _step(
            rows.slot, rows.time_ms, rows.value, rows.quality, rows.late, table.quantity, table.noise, s["slot"], s["count"],
            s["origin_ms"], s["origin"], s["tier_s"], s["tier"], s["sum_s"], s["sum"], s["noise"], s["steady"], s["steady_n"],
            s["ewma"], s["grade"], s["pending"], s["peak"], s["dirty"], s["facts"], *out,
        )  # fmt: skip
        return Findings.of(count, *out)

    def tick(self, state: State, now_ms: int, table: SeriesTable) -> Findings:
        """Fit the law where the cheap gate is open and a reading has come since; red rises here."""
        due = np.flatnonzero(state["dirty"])
        if not len(due):
            return Findings()
        if len(due) > MOST_FITS:
            due = due[np.argsort(state["fit_ms"][due], kind="stable")[:MOST_FITS]]
        out = columns(len(due), len(COLUMNS))
        count = 0
        for r in due.tolist():
            count = self._fit(state, r, now_ms, table, count, out)
        return Findings.of(count, *out)

    def _fit(self, state: State, r: int, now_ms: int, table: SeriesTable, count: int, out: tuple[NDArray, ...]) -> int:
        state["dirty"][r], state["fit_ms"][r], state["ask"][r] = 0, now_ms, 1
        s = state
        slot = int(s["slot"][r])
        return _fit(
            r, slot, _interval_h(s, r), s["count"], s["origin_ms"], s["tier_s"], s["tier"], s["noise"], s["grade"], s["law"], s["peak"],
            s["facts"], s["fit"], count, *out,
        )  # fmt: skip

    def warm(self) -> None:
        """One made-up accelerating series, so that the fit is compiled before a slope needs it."""
        table = SeriesTable.of([self.quantities[0]], interval_ms=3_600_000, noise=1e-4)
        state = self.allocate(table)
        for i in range(60):
            rows = Rows.of([0], [1_700_000_000_000 + i * 3_600_000], [0.02 * math.log(70.0 / (70.0 - i))])
            self.step(state, rows, table)
        state["dirty"][:] = 1
        self.tick(state, 1_700_000_000_000, table)
        self.lookback(state, 0, table)

    def open_slots(self, state: State) -> NDArray[np.int64]:
        """Series fitted since they were last served."""
        return np.flatnonzero(state["ask"])

    def lookback(self, state: State, position: int, table: SeriesTable) -> Lookback | None:
        """The thinned memory with the fits already made."""
        s, r = state, position
        s["ask"][r] = 0
        t, x, w = assemble(r, s["count"], s["tier_s"], s["tier"])
        at, _ = last(r, 1, s["count"], s["tier_s"], s["tier"])
        now = int(s["origin_ms"][r]) + int(at) * 1000
        facts = {name: float(v) for name, v in zip(COLUMNS, s["facts"][r], strict=True)}
        times = now + np.round(t * 3.6e6).astype(np.int64)
        interval = _interval_h(s, r) * 3.6e6
        return Lookback(int(s["slot"][r]), times, x, w, float(s["noise"][r]), interval, facts, s["fit"][r].astype(np.float64))

    def describe(self, grade: int, evidence: tuple[float, ...]) -> tuple[str, str]:
        """Angle, velocity, gain, and for red the failure window."""
        e = evidence
        q = BY_NUMBER[int(e[QUANTITY])]
        unit = q.shown_unit or q.unit
        v, gain = e[V] * q.shown_factor * 24, e[GAIN] * q.shown_factor
        zh = f"{q.zh}切线角 {e[ANGLE]:.1f}°，速度 {v:.2f} {unit}/d，近期累计 {gain:.1f} {unit}"
        en = f"{q.en}: tangent angle {e[ANGLE]:.1f} deg, velocity {v:.2f} {_plain(unit)}/d, recent gain {gain:.1f} {_plain(unit)}"
        if grade == 4:
            zh += f"；失稳规律明显优于非失稳模型（证据 {e[BROKEN]:.0f}），剩余 {e[P10]:.0f}–{e[P90]:.0f} 小时"
            en += f"; the failure law beats every rival (evidence {e[BROKEN]:.0f}), remaining {e[P10]:.0f}-{e[P90]:.0f} h"
        if grade == 0:
            zh, en = f"{zh}，已回落", f"{en}: fallen back"
        return zh, en

    def gates(self, grade: int, evidence: tuple[float, ...]) -> list[Gate]:
        """All gates up to red, in the order asked: "why not red"."""
        e = evidence
        q = BY_NUMBER[int(e[QUANTITY])]
        f, unit = q.shown_factor, q.shown_unit or q.unit
        ratio = e[V] / e[V0] if e[V0] > 0 else 0.0
        need = max(RED_SIGMAS * e[NOISE], RED_LEAST * e[LEAST])
        doubling = e[V] / e[V2] if e[V2] > 0 else 99.0
        ahead = min(e[VS] / e[V], AHEAD_MOST) if e[V] > 0 else 0.0
        passed = e[PHASE] + ahead - 1.0
        return [
            Gate("ratio", "速度 / 匀速速度", "Velocity over steady creep", ratio, RED_RATIO, ratio >= RED_RATIO, ""),
            Gate("angle", "切线角", "Tangent angle", e[ANGLE], RED_ANGLE, e[ANGLE] >= RED_ANGLE, "°"),
            Gate("noise", "速度 / 噪声速度", "Velocity over noise", e[V] / max(e[VN], 1e-30), 3.0, e[V] >= 3 * e[VN], ""),
            Gate("gain", "近期累计位移", "Recent gain", e[GAIN] * f, need * f, e[GAIN] >= need, unit),
            Gate("doubling", "速度 / 前一窗口速度", "Velocity over the window before", doubling, DOUBLING, doubling >= DOUBLING, ""),
            Gate("ahead", "短窗 / 长窗速度", "Short over long velocity", ahead, AHEAD_RED, ahead >= AHEAD_RED, ""),
            Gate("broken", "失稳规律优于折线", "Law over a broken line", e[BROKEN], OVER_BROKEN, e[BROKEN] >= OVER_BROKEN, ""),
            Gate("ramp", "失稳规律优于匀加速", "Law over constant acceleration", e[RAMP], OVER_RAMP, e[RAMP] >= OVER_RAMP, ""),
            Gate("passed", "加速阶段已过份额＋增速", "Share of the phase passed, plus speeding up", passed, PASSED, passed >= PASSED, ""),
        ]


def _plain(unit: str) -> str:
    return "deg" if unit == "°" else unit


def _interval_h(state: State, r: int) -> float:
    """Median step of the last readings, hours."""
    n = min(int(state["count"][r]), _tiers.RING)
    at = (int(state["count"][r]) - np.arange(n, 0, -1)) % _tiers.RING
    return float(np.median(np.diff(state["tier_s"][r, 0, at]))) / 3600.0 if n > 1 else 1.0


@njit(cache=True)
def _newest(count):
    """Ring position of the newest reading (unsigned: a signed remainder costs more than the slope itself)."""
    return np.int64(np.uint64(count - 1) % np.uint64(_tiers.RING))


@njit(cache=True)
def _slope(seconds, values, at, size):
    """Least-squares slope per hour over `size` readings that end at ring position `at`; its spread; the position before."""
    st, sx, stt, stx = 0.0, 0.0, 0.0, 0.0
    base, x0 = seconds[at], values[at]
    for _ in range(size):
        t, y = float(seconds[at] - base), float(values[at] - x0)
        st += t
        sx += y
        stt += t * t
        stx += t * y
        at = at - 1 if at > 0 else _tiers.RING - 1
    det = size * stt - st * st
    v = (size * stx - st * sx) / det * 3600.0 if det > 0 else 0.0
    return v, det / size / 12_960_000.0, at


@njit(cache=True)
def _sense(r, quantity, declared, count, tier_s, tier, noise, ewma):
    """Noise from the latest second difference (clamped, slow) and the exponential mean of steps."""
    n, at = count[r], _newest(count[r])
    s1, x1 = tier_s[r, 0, at], tier[r, 0, at]
    at = at - 1 if at > 0 else _tiers.RING - 1
    s2, x2 = tier_s[r, 0, at], tier[r, 0, at]
    v = float(x1 - x2) / ((s1 - s2) / 3600.0)
    ewma[r] = v if n == 2 else 0.5 * v + 0.5 * ewma[r]
    if n < 3:
        return
    at = at - 1 if at > 0 else _tiers.RING - 1
    s3, x3 = tier_s[r, 0, at], tier[r, 0, at]
    ratio = (s1 - s2) / (s2 - s3)
    if 0.3 < ratio < 3.0:
        d = abs(float(x1 - x2) - float(x2 - x3) * ratio) / math.sqrt(1.0 + (1.0 + ratio) ** 2 + ratio**2) * 1.2533
        if n <= 32:
            noise[r] += (d - noise[r]) / (n - 2)
        else:
            noise[r] += 0.02 * (min(d, 3.0 * noise[r]) - noise[r])
    floor = declared if declared > 0.0 else LEAST_NOISE[quantity - 1]
    noise[r] = max(noise[r], floor)


@njit(cache=True)
def _measure(r, quantity, count, tier_s, tier, noise, steady, steady_n, ewma, e):
    """Velocities, steady velocity, angle and gain into the evidence row e."""
    seconds, values, newest = tier_s[r, 0], tier[r, 0], _newest(count[r])
    v1, spread, at = _slope(seconds, values, newest, LONG)
    vs, _, _ = _slope(seconds, values, newest, SHORT)
    v2, _, at = _slope(seconds, values, at, LONG)
    v3, _, at = _slope(seconds, values, at, LONG)
    sign = 1.0 if v1 >= 0 else -1.0
    vn = noise[r] / math.sqrt(spread) if spread > 0 else np.inf
    v = abs(v1)
    v0 = max(steady[r], vn)
    if steady_n[r] < 16 or v < 3.0 * v0:  # the steady velocity is learned while the slope creeps
        weight = 1.0 / min(steady_n[r] + 1.0, STEADY_N)
        steady[r] += weight * (v - steady[r])
        steady_n[r] = min(steady_n[r] + 1, 1_000_000)
        v0 = max(steady[r], vn)
    now, before = values[newest], 0.0
    at = newest + 5 if count[r] >= _tiers.RING else 0  # the oldest four of the ring (or of what there is), a little inside
    for k in range(4):
        before += values[at + k if at + k < _tiers.RING else at + k - _tiers.RING] / 4.0
    e[V], e[VS], e[VE], e[V2], e[V3] = v, sign * vs, sign * ewma[r], sign * v2, sign * v3
    e[V0], e[VN], e[ANGLE] = v0, vn, math.degrees(math.atan2(v, v0))
    e[GAIN], e[NOISE], e[LEAST], e[QUANTITY] = abs(now - before), noise[r], LEAST_GAIN[quantity - 1], quantity


@njit(cache=True)
def _cheap(e, relax):
    """Grade by angle and gain: up to yellow, or up to orange when `relax` (which multiplies the limits) asks what is kept."""
    ratio = e[V] / e[V0]
    firm = e[GAIN] >= max(5.0 * e[NOISE], e[LEAST])
    if relax < 1.0 and ratio >= ORANGE_RATIO * relax and firm:
        return 3  # kept, never raised here
    if ratio >= YELLOW_RATIO * relax and firm:
        return 2
    if ratio > BLUE_RATIO * relax and e[V] > 3.0 * relax * e[VN] and e[GAIN] > 3.0 * e[NOISE]:
        return 1
    return 0


@njit(cache=True)
def _step(
    slot, time_ms, value, quality, late, quantity, declared, watched_, count, origin_ms, origin, tier_s, tier, sum_s, sum_x, noise,
    steady, steady_n, ewma, grade, pending, peak, dirty, facts, o_slot, o_time, o_grade, o_score, o_kind, o_evidence,
):  # fmt: skip
    n = 0
    for i in range(len(slot)):
        if late[i] or (quality[i] != 0 and quality[i] != 4) or not np.isfinite(value[i]):
            continue
        r = position(watched_, slot[i])
        if r < 0 or not push(r, time_ms[i], value[i], count, origin_ms, origin, tier_s, tier, sum_s, sum_x):
            continue
        q = quantity[slot[i]]
        if count[r] >= 2:
            _sense(r, q, declared[slot[i]], count, tier_s, tier, noise, ewma)
        if count[r] < NEEDED:
            continue
        e = facts[r]
        _measure(r, q, count, tier_s, tier, noise, steady, steady_n, ewma, e)
        opened = e[V] > 1.5 * e[VN] and e[V] > e[V0] and e[GAIN] > max(4.0 * e[NOISE], 0.2 * e[LEAST])
        dirty[r] = 1 if opened or grade[r] == 4 else 0
        if not opened:
            for k in range(BROKEN, QUANTITY):
                e[k] = 0.0
        old, up = grade[r], _cheap(e, 1.0)
        new = old
        if old == 4:
            peak[r] = max(peak[r], e[V])
            if e[V] < FELL * peak[r]:
                new = _cheap(e, KEEP_RATIO)
        elif up > old:
            pending[r] += 1
            if pending[r] >= 2:
                new = up
        else:
            pending[r] = 0
            new = max(up, min(old, _cheap(e, KEEP_RATIO)))
        if new != old:
            grade[r], pending[r] = new, 0
            o_slot[n], o_time[n], o_grade[n], o_score[n], o_kind[n] = slot[i], time_ms[i], new, min(e[ANGLE] / 90.0, 1.0), 0
            o_evidence[n] = e
            n += 1
    return n


@njit(cache=True)
def _weigh(e, fits):
    """Fill the law's evidence: rivals and remaining time of the window that speaks loudest, share as mean of the last three."""
    best, loudest, share, n = -1, -np.inf, 0.0, 0
    for k in range(len(fits) - 1, -1, -1):
        if np.isnan(fits[k, 1]):
            continue
        if n < 3:
            share, n = share + fits[k, 4], n + 1
        loud = min(fits[k, 6], 4.0 * fits[k, 7])
        if loud > loudest:
            best, loudest = k, loud
    for k in range(BROKEN, QUANTITY):
        e[k] = 0.0
    if best >= 0:
        f = fits[best]
        e[BROKEN], e[RAMP], e[PHASE], e[P10], e[P50], e[P90] = f[6], f[7], share / n, f[0], f[1], f[2]


@njit(cache=True)
def _orange(e):
    firm = e[GAIN] >= max(5.0 * e[NOISE], e[LEAST])
    steep = e[V] >= ORANGE_RATIO * e[V0] and e[VS] >= ORANGE_RATIO * e[V0]
    return firm and steep and e[V] > e[V2] > e[V3] and e[VS] >= AHEAD_ORANGE * e[V] and e[BROKEN] >= ORANGE_BROKEN


@njit(cache=True)
def _red(e):
    firm = e[GAIN] >= max(RED_SIGMAS * e[NOISE], RED_LEAST * e[LEAST])
    fast = e[V] >= RED_RATIO * e[V0] and e[V] >= 3.0 * e[VN] and e[V] >= DOUBLING * e[V2]
    ahead = min(e[VS] / e[V], AHEAD_MOST) if e[V] > 0.0 else 0.0
    law = e[BROKEN] >= OVER_BROKEN and e[RAMP] >= OVER_RAMP
    return firm and fast and law and ahead >= AHEAD_RED and e[PHASE] + ahead - 1.0 >= PASSED


@njit(cache=True)
def _fit(
    r, slot, step, count, origin_ms, tier_s, tier, noise, grade, law, peak, facts, fit, n, o_slot, o_time, o_grade, o_score, o_kind,
    o_evidence,
):  # fmt: skip
    t, x, w = assemble(r, count, tier_s, tier)
    fits = fit_windows(t, x, w, noise[r], step)
    fit[r] = fits
    e = facts[r]
    _weigh(e, fits)
    red, new = _red(e), grade[r]
    law[r, 0] = min(law[r, 0] + 1, 2) if red or _orange(e) else 0
    law[r, 1] = min(law[r, 1] + 1, 2) if red else 0
    if law[r, 1] >= 2:
        new = 4
    elif law[r, 0] >= 2:
        new = max(new, 3)
    if new > grade[r]:
        grade[r], peak[r] = new, e[V]
        o_slot[n], o_time[n], o_grade[n] = slot, origin_ms[r] + np.int64(last(r, 1, count, tier_s, tier)[0]) * 1000, new
        o_score[n], o_kind[n] = min(e[ANGLE] / 90.0, 1.0), 0
        o_evidence[n] = e
        n += 1
    return n


assert len(COLUMNS) == QUANTITY + 1
