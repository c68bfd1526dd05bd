"""Time of failure: an ensemble of inverse velocity and displacement-domain fits, with an interval that was calibrated.

Members, each a remaining time in hours:

- the failure law in displacement (`base.failure.fit_windows`): per look-back window the posterior's 10, 50 and 90 %
  over remaining time, onset and exponent, no differentiation;
- inverse velocity (Fukuzono 1985): 1/v = a t + b over the acceleration, tf = -b/a, its variance by the delta
  method g' Cov(a, b) g with g = (b/a^2, -1/a); velocities over 3 and over 7 steps (SMA and LMA of Carla et al. 2017).

The blend of the members is `blend.npz`: small regression trees for the three quantiles of ln(remaining), trained on cases
generated from published laws only (`tools/train_failure_time.py`; no record of anybody). Where the file is absent the blend is the mean of
the last three windows, widened. Gates that make it silent are listed as `reasons`. Times: UTC ms out, hours inside.
"""

from __future__ import annotations

import math
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.failure import WINDOWS, Lookback
from ..contract import Forecaster, Prediction, Reason

Floats = NDArray[np.float64]
LEAST_SAMPLES = 12
LEAST_OVER_LINE = 4.0  # log units by which the law must beat a straight line before a number is given
WIDEN_TREES = 1.15  # intervals of trained trees are a little narrow on backgrounds they have not met (docs/skill.md)
WIDEN = 1.3  # without trained trees: plain intervals are too narrow (docs/skill.md)
ABSENT = -9.0
HORIZON_H = 24 * 365.0


class FailureTime(Forecaster):
    """Blend of inverse velocity and displacement-domain fits."""

    name = "failure_time"
    zh, en = "失稳时间预报", "Time of failure"

    def predict(self, lookback: Lookback) -> Prediction:
        """p10, p50, p90 of the failure time, or silence with the gates that stopped it."""
        p = Prediction(self.name, lookback.slot, int(lookback.time_ms[-1]) if len(lookback) else 0)
        fits = lookback.fits() if len(lookback) >= LEAST_SAMPLES else np.full((len(WINDOWS), 10), np.nan)
        good = fits[~np.isnan(fits[:, 1])]
        over = float(good[:, 5].max()) if len(good) else 0.0
        p.reasons = [
            Reason("samples", "样本数", "samples", len(lookback), LEAST_SAMPLES, len(lookback) >= LEAST_SAMPLES),
            Reason("accelerating", "存在加速解", "an accelerating fit", len(good), 1, len(good) > 0),
            Reason("over_line", "优于匀速", "better than steady creep", over, LEAST_OVER_LINE, over >= LEAST_OVER_LINE),
        ]
        if all(r.ok for r in p.reasons):
            inverse = inverse_velocity(lookback, float(good[-1, 3]))
            hours = blend(lookback, fits, inverse)
            ok = bool(np.isfinite(hours).all()) and hours[1] <= HORIZON_H
            p.reasons.append(Reason("horizon", "预报时效/小时", "horizon, hours", float(hours[1]), HORIZON_H, ok))
            if ok:
                self._fill(p, hours, fits, inverse)
        if p.silent:
            stopped = next(r for r in p.reasons if not r.ok)
            p.zh = f"不作预报：{stopped.zh} {stopped.value:.3g}，需 {stopped.limit:.3g}"
            p.en = f"no forecast: {stopped.en} {stopped.value:.3g}, needs {stopped.limit:.3g}"
        return p

    def _fill(self, p: Prediction, hours: Floats, fits: Floats, inverse: Floats) -> None:
        p.p10_ms, p.p50_ms, p.p90_ms = (p.made_ms + round(h * 3.6e6) for h in hours.tolist())
        for window, row in zip(WINDOWS, fits, strict=True):
            if not math.isnan(row[1]):
                p.evidence |= {f"window_{window}_{q}": float(v) for q, v in zip(("p10_h", "p50_h", "p90_h"), row[:3], strict=True)}
        names = ("inverse_sma_h", "inverse_sma_sd_h", "inverse_lma_h", "inverse_lma_sd_h")
        p.evidence |= {n: float(v) for n, v in zip(names, inverse, strict=True) if not math.isnan(v)}
        p.zh = f"预计 {hours[1]:.1f} 小时后失稳（80% 区间 {hours[0]:.1f}–{hours[2]:.1f} 小时）"
        p.en = f"failure in {hours[1]:.1f} h (80 % interval {hours[0]:.1f}-{hours[2]:.1f} h)"


def inverse_line(t: Floats, inverse_v: Floats) -> tuple[float, float]:
    """Failure time and its standard deviation from 1/v = a t + b (delta method); NaN where 1/v does not fall.

    >>> t = np.arange(5.0)
    >>> [round(v, 6) for v in inverse_line(t, 2.0 * (10 - t))]
    [10.0, 0.0]
    """
    n = len(t)
    if n < 4:
        return math.nan, math.nan
    mean_t = t.mean()
    spread = ((t - mean_t) ** 2).sum()
    a = ((t - mean_t) * inverse_v).sum() / spread
    b = inverse_v.mean() - a * mean_t
    if not a < 0:
        return math.nan, math.nan
    s2 = ((inverse_v - a * t - b) ** 2).sum() / (n - 2)
    var_a, cov = s2 / spread, -s2 * mean_t / spread
    var_b = s2 * (1 / n + mean_t**2 / spread)
    g = (b / a**2, -1 / a)
    variance = g[0] ** 2 * var_a + 2 * g[0] * g[1] * cov + g[1] ** 2 * var_b
    return -b / a, math.sqrt(max(variance, 0.0))


def inverse_velocity(lookback: Lookback, elapsed_h: float) -> Floats:
    """Remaining hours and standard deviation over 3-step and over 7-step velocities since the onset (NaN: none)."""
    t = (lookback.time_ms - lookback.time_ms[-1]) / 3.6e6
    x = np.abs(lookback.value - lookback.value[-1])
    out = []
    for steps in (3, 7):
        out += list(_inverse(t, x, steps, elapsed_h))
    return np.array(out)


def _inverse(t: Floats, x: Floats, steps: int, elapsed_h: float) -> tuple[float, float]:
    if len(t) <= steps + 4:
        return math.nan, math.nan
    dt = t[steps:] - t[:-steps]
    v = (x[:-steps] - x[steps:]) / dt
    middle = (t[steps:] + t[:-steps]) / 2
    use = (middle >= -elapsed_h) & (v > 0)
    if use.sum() < 5:
        return math.nan, math.nan
    tf, sd = inverse_line(middle[use], 1 / v[use])
    return (tf, sd) if tf > 0 else (math.nan, math.nan)


def features(lookback: Lookback, fits: Floats, inverse: Floats) -> tuple[float, Floats]:
    """ln of the mean remaining hours of the last three windows, and scale-free features about it for the trees."""
    good = fits[~np.isnan(fits[:, 1])]
    centre = float(np.log(good[-3:, 1]).mean())
    step = lookback.interval_ms / 3.6e6
    row: list[float] = [centre - math.log(step), float(len(good))]
    for f in fits:
        if math.isnan(f[1]):
            row += [ABSENT] * 9
            continue
        row += [
            math.log(f[1]) - centre,
            math.log(f[2] / f[0]),
            math.log(f[3] + 1e-6) - centre,
            float(f[4]),
            *(math.log1p(max(float(v), 0.0)) for v in f[5:8]),
            math.log(max(float(f[8]), 1e-3)),
            float(f[9]),
        ]
    for k in (0, 2):
        known = not math.isnan(inverse[k])
        row += [math.log(inverse[k]) - centre, math.log1p(inverse[k + 1] / inverse[k])] if known else [ABSENT, ABSENT]
    fact = lookback.facts
    v, noise = fact.get("velocity_m_per_h", 0.0), max(lookback.noise, 1e-12)
    row += [_ratio(v, fact.get("velocity_before_m_per_h")), _ratio(fact.get("velocity_before_m_per_h"), fact.get("velocity_first_m_per_h"))]
    row += [_ratio(fact.get("velocity_short_m_per_h"), v), _ratio(v, fact.get("steady_m_per_h"))]
    row += [
        _ratio(v, fact.get("noise_velocity_m_per_h")),
        _ratio(fact.get("gain_m"), noise),
        _ratio(fact.get("gain_m"), v * math.exp(centre)),
    ]
    return centre, np.array(row)


def _ratio(a: float | None, b: float | None) -> float:
    """ln(a / b) within +-9; the sentinel when either is missing or not positive."""
    return float(np.clip(math.log(a / b), -9, 9)) if a and b and a > 0 and b > 0 else ABSENT


@cache
def _trees() -> dict[str, Any] | None:
    """The trained trees: per quantile arrays feature, threshold, left, right, value, root, and the base value."""
    file = resources.files(__package__ or "") / "blend.npz"
    if not file.is_file():
        return None
    with resources.as_file(file) as path, np.load(path) as stored:
        return {k: stored[k] for k in stored.files}


def climb(trees: dict[str, Any], quantile: str, row: Floats) -> float:
    """Sum of the leaves that `row` reaches (left when feature <= threshold)."""
    feature, threshold, value = trees[f"{quantile}_feature"], trees[f"{quantile}_threshold"], trees[f"{quantile}_value"]
    left, right = trees[f"{quantile}_left"], trees[f"{quantile}_right"]
    at = trees[f"{quantile}_root"].copy()
    while True:
        inner = left[at] >= 0
        if not inner.any():
            return float(trees[f"{quantile}_base"]) + float(value[at].sum())
        down = np.where(row[feature[at]] <= threshold[at], left[at], right[at])
        at = np.where(inner, down, at)


def blend(lookback: Lookback, fits: Floats, inverse: Floats) -> Floats:
    """Remaining hours at 10, 50, 90 %, rising."""
    centre, row = features(lookback, fits, inverse)
    trees = _trees()
    if trees is None or int(trees["features"]) != len(row):  # no trees, or of another version
        good = fits[~np.isnan(fits[:, 1])][-3:]
        low, middle, high = np.log(good[:, :3]).mean(axis=0)
        logs = np.array([middle - WIDEN * (middle - low), middle, middle + WIDEN * (high - middle)])
    else:
        low, middle, high = np.sort([climb(trees, q, row) for q in ("p10", "p50", "p90")])
        logs = centre + np.array([middle - WIDEN_TREES * (middle - low), middle, middle + WIDEN_TREES * (high - middle)])
    return np.exp(logs)
