"""What the judges see in a displacement series, drawn beside it: velocity, tangent angle, inverse velocity. Pure.

For charts only; alarms come from the detectors. Formulas: velocity by least squares over a trailing window;
improved tangent angle arctan(v / V) of Xu Qiang's four-level criterion (V: velocity of steady creep; floored at
the noise velocity, because a V near zero makes every point steep); inverse velocity 1 / v after Fukuzono
(1985), only where v exceeds its own noise by `CLEAR` times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HOUR_MS = 3_600_000.0
WINDOW_RHYTHMS = 8  # as the long window of the slope detector: eight readings
LEAST = 4  # readings in a window below which no velocity is given
CLEAR = 3.0  # a velocity counts when it is three times its standard error


@dataclass(slots=True)
class Judged:
    """Velocity (SI per hour), tangent angle (degrees), inverse velocity (hours per SI) at `time_ms`; NaN where unknown.

    `steady` is V (SI per hour), `window_ms` what a velocity rests on.
    """

    time_ms: NDArray[np.int64]
    velocity: NDArray[np.float64]
    tangent_angle: NDArray[np.float64]
    inverse_velocity: NDArray[np.float64]
    steady: float
    window_ms: float


def trailing_velocity(
    time_ms: NDArray[np.int64], value: NDArray[np.float64], window_ms: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slope (SI per hour) of the least-squares line over (t - window, t] and its standard error; NaN below `LEAST` readings."""
    n = len(time_ms)
    if n == 0:
        return np.zeros(0), np.zeros(0)
    hours = (time_ms - time_ms[0]) / HOUR_MS
    level = value - value[0]
    first = np.searchsorted(time_ms, time_ms - window_ms, "right")
    last = np.arange(1, n + 1)

    def sums(column: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.r_[0.0, np.cumsum(column)]
        return np.asarray(total[last] - total[first])

    count = (last - first).astype(float)
    st, sy, stt, sty, syy = sums(hours), sums(level), sums(hours**2), sums(hours * level), sums(level**2)
    vt = stt - st**2 / count
    vty, vyy = sty - st * sy / count, syy - sy**2 / count
    enough = (count >= LEAST) & (vt > 1e-12)
    slope = np.divide(vty, vt, out=np.full(n, np.nan), where=enough)
    left = np.maximum(vyy - np.where(enough, slope, 0) * vty, 0) / np.maximum(count - 2, 1)
    error = np.sqrt(np.divide(left, vt, out=np.full(n, np.nan), where=enough))
    return slope, error


def judge(
    time_ms: NDArray[np.int64], value: NDArray[np.float64], quality: NDArray[np.uint8], interval_ms: float, steady: float | None = None
) -> Judged:
    """The judged series of good and suspect readings; `steady` from the detector when it is known, else the median of the first half."""
    use = np.isfinite(value) & (quality < 2)
    t, v = time_ms[use], value[use]
    rhythm = max(float(np.median(np.diff(t))) if len(t) > 1 else 0.0, interval_ms, 1000.0)
    window = WINDOW_RHYTHMS * rhythm
    velocity, error = trailing_velocity(t, v, window)
    noise = float(np.nanmedian(error)) if np.isfinite(error).any() else 0.0
    if steady is None:
        half = velocity[: max(len(velocity) // 2, 1)]
        steady = float(np.nanmedian(np.abs(half))) if np.isfinite(half).any() else 0.0
    steady = max(steady, noise, 1e-12)
    angle = np.degrees(np.arctan(np.maximum(velocity, 0) / steady))
    clear = velocity > CLEAR * np.maximum(error, 1e-15)
    inverse = np.divide(1.0, velocity, out=np.full(len(t), np.nan), where=clear)
    return Judged(t, velocity, angle, inverse, steady, window)
