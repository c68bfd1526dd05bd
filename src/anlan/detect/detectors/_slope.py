"""Compiled loops of the slope detector, and its limits (not a plug-in: the scan skips names with ``_``).

`step` is the cost of every reading: one pass over the last eight readings gives the short and the long slope; the angle and
the two windows before are worked out only where a gate is open or the grade changes. `fit` runs on ticks.
"""

# mypy: allow-untyped-defs
from __future__ import annotations

import math

import numpy as np
from numba import njit

from ...base.failure import fit_windows
from . import _tiers
from ._kernel import position
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
def _slopes(seconds, values, at):
    """The slopes per hour over SHORT and LONG readings that end at `at`, in one pass; the long one's spread; the position before."""
    st, sx, stt, stx, vs = 0.0, 0.0, 0.0, 0.0, 0.0
    base, x0 = seconds[at], values[at]
    for k in range(LONG):
        t, y = float(seconds[at] - base), float(values[at] - x0)
        st += t
        sx += y
        stt += t * t
        stx += t * y
        at = at - 1 if at > 0 else _tiers.RING - 1
        if k == SHORT - 1:
            det = SHORT * stt - st * st
            vs = (SHORT * stx - st * sx) / det * 3600.0 if det > 0 else 0.0
    det = LONG * stt - st * st
    v = (LONG * stx - st * sx) / det * 3600.0 if det > 0 else 0.0
    return v, vs, det / LONG / 12_960_000.0, at


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
    """Velocities, steady velocity and gain into the evidence row e; the sign of the motion, the ring position before the long window."""
    seconds, values, newest = tier_s[r, 0], tier[r, 0], _newest(count[r])
    v1, vs, spread, older = _slopes(seconds, values, newest)
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
    e[V], e[VS], e[VE], e[V0], e[VN] = v, sign * vs, sign * ewma[r], v0, vn
    e[GAIN], e[NOISE], e[LEAST], e[QUANTITY] = abs(now - before), noise[r], LEAST_GAIN[quantity - 1], quantity
    return v, v0, sign, older


@njit(cache=True)
def _complete(r, tier_s, tier, v, v0, sign, older, e):
    """The rest of the evidence, where somebody will look at it: the angle, and the two windows before the long one."""
    seconds, values = tier_s[r, 0], tier[r, 0]
    v2, _, older = _slope(seconds, values, older, LONG)
    v3, _, older = _slope(seconds, values, older, LONG)
    e[V2], e[V3], e[ANGLE] = sign * v2, sign * v3, math.degrees(math.atan2(v, v0))


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
def step(
    slot, time_ms, value, quality, late, quantity, declared, watched_, count, origin_ms, origin, tier_s, tier, sum_s, sum_x, noise,
    steady, steady_n, ewma, grade, pending, peak, dirty, ask, facts, o_slot, o_time, o_grade, o_score, o_kind, o_evidence,
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
        v, v0, sign, older = _measure(r, q, count, tier_s, tier, noise, steady, steady_n, ewma, e)
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
        if dirty[r] or ask[r] or new != old:
            _complete(r, tier_s, tier, v, v0, sign, older, e)
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
def fit_one(
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
