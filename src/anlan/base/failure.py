"""The failure law fitted to a look-back window; and the window that detect hands to forecast.

Shared because the two rooms do not import one another. Values are SI (any unit will do), times UTC ms outside, hours
inside, with now = 0.

Law (Fukuzono 1985; Voight 1989): dv/dt = A v^alpha, so v = c (R - t)^(-q) with q = 1/(alpha - 1) and R the remaining time.
Integrated, the displacement is linear in c: x = a + b t + c [g(t) - g(t0)] after an onset t0 and a + b t
before it, with g = (R - t)^(1 - q)/(q - 1), or -ln(R - t) for q = 1. The grid over R, q and t0 is exhaustive: for each (R, q) all
onsets come from suffix sums, so that a window costs a millisecond. Rivals that do not fail: a line, a line
with one free knot, the same with a constant acceleration after it. The posterior over R uses the residual variance of the best fit
(at least the sensor's), a flat prior over the share tau of the phase that has passed, and a flat prior over ln(now - t0).
"""

# mypy: allow-untyped-defs
from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

WINDOWS = (24, 48, 96, 192, 448)  # readings looked back
COARSE = (0.84, 1.0001, 1.25, 1.6)  # q for alpha about 2.2, 2.0, 1.8, 1.6 (alpha is mostly 1.5-2.2)
FINE = (0.83, 0.96, 1.11, 1.3, 1.6)
STEPS = 24  # grid points of ln R, first from a third of a step to the length of the window, then where it is likely
LIKELY = 0.003  # cells with a smaller share of the posterior are left out of the second grid
NARROW = 6  # a posterior over more cells than this is coarse enough already
PER_WINDOW = 10
# what `fit_window` gives, in order; evidence in log units, times in hours
NAMES = ("p10_h", "p50_h", "p90_h", "elapsed_h", "share", "over_line", "over_broken", "over_ramp", "misfit", "exponent")
INFLATION = 6.0  # residuals of a real slope are not white: the likelihood is tempered (calibrated on generated cases)


@dataclass(slots=True)
class Lookback:
    """Samples of one series up to now (never later), thinned with age: each is the mean of `weight` readings.

    ``slot`` row of the series table; ``time_ms`` int64, ``value`` float64 (SI, rebased), ``weight`` float64;
    ``noise`` standard deviation of one reading (SI); ``interval_ms`` the series' rhythm; ``facts`` what the gate
    that opened it knows (e.g. ``velocity_m_per_h``, ``steady_m_per_h``); ``fit`` the windows already fitted, or None.
    """

    slot: int
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    weight: NDArray[np.float64]
    noise: float
    interval_ms: float
    facts: dict[str, float] = field(default_factory=dict)
    fit: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.time_ms)

    def fits(self) -> NDArray[np.float64]:
        """The law fitted on every window: float64[len(WINDOWS), PER_WINDOW], NaN where there is too little."""
        if self.fit is None:
            hours = (self.time_ms - self.time_ms[-1]) / 3.6e6
            self.fit = fit_windows(hours, self.value - self.value[-1], self.weight, self.noise, self.interval_ms / 3.6e6)
        return self.fit


@njit(cache=True)
def fit_windows(t, x, w, noise, step):
    """Fit the law on the last 24, 48 ... readings; `t` hours (<= 0, rising), `x` any unit, `w` readings per sample."""
    out = np.full((len(WINDOWS), PER_WINDOW), np.nan)
    n, before = len(t), -1
    for k in range(len(WINDOWS)):
        readings, first = 0.0, n
        while first > 0 and readings < WINDOWS[k]:
            first -= 1
            readings += w[first]
        if n - first < 12 or first == before or (k > 0 and readings < 0.6 * WINDOWS[k]):
            break
        before = first
        fit_window(t[first:], x[first:], w[first:], noise, step, out[k])
    return out


@njit(cache=True)
def _line(t, x, w):
    """Weighted line: its residuals, their sum of squares, and the sums that project on (1, t)."""
    s0, s1, s2, sx, stx = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(len(t)):
        s0 += w[i]
        s1 += w[i] * t[i]
        s2 += w[i] * t[i] * t[i]
        sx += w[i] * x[i]
        stx += w[i] * t[i] * x[i]
    det = s0 * s2 - s1 * s1
    b = (s0 * stx - s1 * sx) / det
    a = (sx - b * s1) / s0
    rest = x - a - b * t
    return rest, (w * rest * rest).sum(), s0, s1, s2, det


@njit(cache=True)
def _rivals(t, rest, w, line, s0, s1, s2, det):
    """Least residual sums of a broken line, and of a broken line with a constant acceleration after the knot."""
    n = len(t)
    broken, ramp = line, line
    m0, m1, m2, m3, m4, mx0, mx1, mx2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0  # moments about 0 of the suffix
    for i in range(n - 1, 0, -1):
        wi, ti = w[i], t[i]
        m0 += wi
        m1 += wi * ti
        m2 += wi * ti**2
        m3 += wi * ti**3
        m4 += wi * ti**4
        mx0 += wi * rest[i]
        mx1 += wi * rest[i] * ti
        mx2 += wi * rest[i] * ti**2
        if i > n - 3:
            continue
        k = ti  # basis d = t - k and d^2 over the suffix
        d0, d1 = m1 - k * m0, m2 - k * m1
        e0, e1 = m2 - 2 * k * m1 + k * k * m0, m3 - 2 * k * m2 + k * k * m1
        dd = e0
        de = m3 - 3 * k * m2 + 3 * k * k * m1 - k**3 * m0
        ee = m4 - 4 * k * m3 + 6 * k * k * m2 - 4 * k**3 * m1 + k**4 * m0
        dx, ex = mx1 - k * mx0, mx2 - 2 * k * mx1 + k * k * mx0
        u, v = (s2 * d0 - s1 * d1) / det, (s0 * d1 - s1 * d0) / det
        dd -= u * d0 + v * d1
        de -= u * e0 + v * e1
        u, v = (s2 * e0 - s1 * e1) / det, (s0 * e1 - s1 * e0) / det
        ee -= u * e0 + v * e1
        if dd > 1e-12 * abs(m2):
            broken = min(broken, line - dx * dx / dd)
        both = dd * ee - de * de
        if i <= n - 5 and both > 1e-9 * abs(dd * ee):
            c, e = (dx * ee - ex * de) / both, (ex * dd - dx * de) / both
            if c * e >= 0.0:
                ramp = min(ramp, line - c * dx - e * ex)
    return broken, min(broken, ramp)


@njit(cache=True)
def fit_window(t, x, w, noise, step, out):
    """Fill `out` (see `NAMES`) for one window; leaves NaN where no accelerating fit exists. Works for either sign of x.

    The residual sum can come out slightly negative by rounding where a fit is perfect; it is floored by the noise.
    """
    n = len(t)
    rest, line, s0, s1, s2, det = _line(t, x, w)
    broken, ramp = _rivals(t, rest, w, line, s0, s1, s2, det)
    low, high = math.log(0.35 * step), math.log(-t[0])
    sign = 1.0 if x[n - 1] >= x[0] else -1.0
    knot, first_after = _knots(t, w)
    rss = np.full((STEPS, len(COARSE), len(knot)), np.inf)
    best = _scan(t, w, rest, line, s0, s1, s2, det, sign, low, high, COARSE, knot, first_after, rss)
    if best == np.inf:
        return
    marginal = np.zeros(STEPS)
    _posterior(knot, rss, best, s0, noise, low, high, COARSE, marginal, out)
    first, last, total = STEPS, 0, marginal.sum()
    for j in range(STEPS):
        if marginal[j] > LIKELY * total:
            first, last = min(first, j), j
    if total > 0.0 and last - first < NARROW:
        width = (high - low) / (STEPS - 1)
        high = low + min(last + 1.0, STEPS + 1.0) * width
        low += (first - 1.0) * width
        rss = np.full((STEPS, len(FINE), len(knot)), np.inf)
        best = _scan(t, w, rest, line, s0, s1, s2, det, sign, low, high, FINE, knot, first_after, rss)
        _posterior(knot, rss, best, s0, noise, low, high, FINE, marginal, out)
    variance = max(noise * noise, best / s0)
    out[5], out[6], out[7] = (line - best) / (2 * variance), (broken - best) / (2 * variance), (ramp - best) / (2 * variance)
    out[8] = math.sqrt(best / s0) / noise if noise > 0 else 1.0


@njit(cache=True)
def _knots(t, w):
    """Onsets to try: at each sample, and twice between thinned ones. Their times, and the first sample after each."""
    n = len(t)
    time, first, m = np.empty(3 * n), np.empty(3 * n, np.int64), 0
    for i in range(n - 4):
        if i > 0 and (w[i] > 1.0 or w[i - 1] > 1.0):
            for k in (1, 2):
                time[m], first[m] = t[i - 1] + (t[i] - t[i - 1]) * k / 3.0, i
                m += 1
        time[m], first[m] = t[i], i
        m += 1
    return time[:m].copy(), first[:m].copy()


@njit(cache=True)
def _half_width(t, w, i):
    """Standard deviation of the times of the readings behind sample i, so that two points average a curve over it."""
    if w[i] <= 1.0:
        return 0.0
    gap = (t[i + 1] - t[i]) if i + 1 < len(t) else (t[i] - t[i - 1])
    size = w[i] if i + 1 >= len(t) or w[i + 1] == w[i] else 0.5 * (w[i] + w[i + 1])
    return gap / size * math.sqrt((w[i] * w[i] - 1.0) / 12.0)


@njit(cache=True)
def _scan(t, w, rest, line, s0, s1, s2, det, sign, low, high, exponents, knot, first, rss):
    """Residual sums over (R, q, onset); inf where the law does not accelerate along the motion. The least is returned."""
    n, m, best, inverse = len(t), len(knot), np.inf, 1.0 / det
    logs, logs_b, logs_k = np.empty(n), np.empty(n), np.empty(m)
    g = np.empty(n)
    half = np.array([_half_width(t, w, i) for i in range(n)])
    for j in range(STEPS):
        log_r = low + (high - low) * j / (STEPS - 1)
        r = math.exp(log_r)
        for i in range(n):  # of (R - t)/R, so that g is of order one at the end
            if half[i] > 0.0:
                logs[i], logs_b[i] = math.log(r - t[i] + half[i]) - log_r, math.log(r - t[i] - half[i]) - log_r
            else:
                logs[i] = math.log(r - t[i]) - log_r
        for i in range(m):
            logs_k[i] = math.log(r - knot[i]) - log_r
        for k in range(len(exponents)):
            p = 1.0 - exponents[k]
            for i in range(n):
                if half[i] > 0.0:
                    g[i] = -0.5 * (math.expm1(p * logs[i]) + math.expm1(p * logs_b[i])) / p
                else:
                    g[i] = -math.expm1(p * logs[i]) / p
            g0, g1, g2, gx, m0, m1, mx = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            i = n
            for q in range(m - 1, -1, -1):
                while i > first[q]:
                    i -= 1
                    wi, gi, ti = w[i], g[i], t[i]
                    g0 += wi * gi
                    g1 += wi * gi * ti
                    g2 += wi * gi * gi
                    gx += wi * gi * rest[i]
                    m0 += wi
                    m1 += wi * ti
                    mx += wi * rest[i]
                f = -math.expm1(p * logs_k[q]) / p  # basis h = g - g(t0) over the suffix (g rises to 0 now)
                h0, h1, hx, h2 = g0 - f * m0, g1 - f * m1, gx - f * mx, g2 - 2 * f * g0 + f * f * m0
                hh = h2 - ((s2 * h0 - s1 * h1) * h0 + (s0 * h1 - s1 * h0) * h1) * inverse
                if hh > 1e-10 * h2 and hx * sign > 0.0:
                    rss[j, k, q] = line - hx * hx / hh
                    best = min(best, rss[j, k, q])
    return best


@njit(cache=True)
def _posterior(t, rss, best, readings, noise, low, high, exponents, marginal, out):
    """Quantiles of the remaining time (into `out`) and its marginal, from the residual sums over the grid; t: onsets."""
    steps, nq, n = rss.shape
    s2 = max(noise * noise, best / readings)
    marginal[:] = 0.0
    total, elapsed, share, exponent = 0.0, 0.0, 0.0, 0.0
    for j in range(steps):
        r = math.exp(low + (high - low) * j / (steps - 1))
        for i in range(n):
            e = max(-t[i], 1e-9)
            spread = math.log(e / -t[i + 1]) if i + 1 < n else math.log(-t[i - 1] / e)
            tau = e / (e + r)
            prior = tau * (1.0 - tau) * spread
            for k in range(nq):
                if rss[j, k, i] < np.inf:
                    p = prior * math.exp(-(rss[j, k, i] - best) / (2.0 * s2 * INFLATION))
                    marginal[j] += p
                    elapsed += p * e
                    share += p * tau
                    exponent += p * exponents[k]
        total += marginal[j]
    if total <= 0.0:
        return
    below = 0.0
    wanted = (0.1, 0.5, 0.9)
    q, previous = 0, 0.0
    for j in range(steps):
        middle = below + 0.5 * marginal[j] / total
        while q < 3 and middle >= wanted[q]:
            at = 0.0 if j == 0 else j - 1 + (wanted[q] - previous) / (middle - previous)
            out[q] = math.exp(low + (high - low) * at / (steps - 1))
            q += 1
        below += marginal[j] / total
        previous = middle
    while q < 3:
        out[q] = math.exp(high)
        q += 1
    out[3], out[4], out[9] = elapsed / total, share / total, exponent / total
