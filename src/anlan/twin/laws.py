"""Published laws that the twin's nature follows; pure functions of arrays and a seeded generator.

- Slope: steady creep, then the material failure law dv/dt = A v^alpha (Fukuzono 1985, Voight 1989).
- Rain: Chicago design storm (Keifer & Chu 1957) with the intensity form i = a / (t + b)^c.
- Water on a road: a linear reservoir (Nash 1957, n = 1) fed by rain above a drain capacity.
- Sensor faults: spikes, a stuck value, a jump from re-installation, drift.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def creep_to_failure(
    t_h: Floats, fail_h: float, accel_h: float, v0_m_h: float, final_m: float, alpha: float, rng: np.random.Generator, noise_m: float
) -> Floats:
    """Cumulative displacement (m) at hours `t_h`: creep at `v0_m_h`, failing at `fail_h`.

    The acceleration starts `accel_h` before failure; its share of displacement follows the integral of
    v ~ (1 - tau)^(-1/(alpha-1)) scaled to `final_m` at tau = 0.99. White noise of `noise_m` (1 sigma).
    """
    creep = v0_m_h * t_h
    tau = np.clip((t_h - (fail_h - accel_h)) / accel_h, 0, 0.9995)
    power = 1 - 1 / (alpha - 1)
    if abs(power) < 1e-9:
        shape, scale = -np.log1p(-tau), -np.log(0.01)
    else:
        shape, scale = (1 - (1 - tau) ** power) / power, (1 - 0.01**power) / power
    return creep + final_m * shape / scale + rng.normal(0, noise_m, len(t_h))


def steady_creep(t_h: Floats, v0_m_h: float, rng: np.random.Generator, noise_m: float, season_m: float = 0.0) -> Floats:
    """Cumulative displacement (m) of a slope that does not fail: creep, a daily wave, white noise."""
    return v0_m_h * t_h + season_m * np.sin(2 * np.pi * t_h / 24) + rng.normal(0, noise_m, len(t_h))


def dying_acceleration(
    t_h: Floats, start_h: float, gain_m: float, decay_h: float, v0_m_h: float, rng: np.random.Generator, noise_m: float
) -> Floats:
    """Cumulative displacement (m) of a slope that starts to move and settles again (regressive)."""
    moved = np.where(t_h > start_h, gain_m * (1 - np.exp(-(t_h - start_h).clip(0) / decay_h)), 0.0)
    return v0_m_h * t_h + moved + rng.normal(0, noise_m, len(t_h))


def chicago_storm(
    t_h: Floats, peak_h: float, total_m: float, duration_h: float, b_h: float = 0.25, c: float = 0.75, ratio: float = 0.4
) -> Floats:
    """Rain intensity (m/h) of a Chicago storm with its peak at `peak_h` and `total_m` in all."""
    before, after = (peak_h - t_h) / ratio, (t_h - peak_h) / (1 - ratio)
    lag = np.where(t_h < peak_h, before, after)
    shape = ((1 - c) * lag + b_h) / (lag + b_h) ** (1 + c)
    start = peak_h - ratio * duration_h
    shape = np.where((t_h >= start) & (t_h <= start + duration_h), np.maximum(shape, 0), 0.0)
    area = np.trapezoid(shape, t_h)
    return shape * (total_m / area) if area > 0 else shape


def road_depth(t_h: Floats, rain_m_h: Floats, drain_m_h: float, gain: float, recession_h: float) -> Floats:
    """Water depth (m) at a low point: a linear reservoir fed by `gain` x (rain above the drains' capacity)."""
    depth = np.zeros(len(t_h))
    for i in range(1, len(t_h)):
        dt = t_h[i] - t_h[i - 1]
        inflow = gain * max(rain_m_h[i] - drain_m_h, 0.0)
        depth[i] = depth[i - 1] * np.exp(-dt / recession_h) + inflow * dt
    return depth


def with_faults(values: Floats, rng: np.random.Generator, kind: str) -> Floats:
    """A copy with one sensor fault: ``spikes``, ``stuck``, ``jump``, ``drift`` (sized by the series' spread)."""
    out, n = values.copy(), len(values)
    size = max(float(np.std(np.diff(values))) * 40, 1e-4)
    if kind == "spikes":
        at = rng.choice(n, max(1, n // 60), replace=False)
        out[at] += rng.choice([-1, 1], len(at)) * size
    elif kind == "stuck":
        out[n // 2 :] = out[n // 2]
    elif kind == "jump":
        out[n // 2 :] += size
    elif kind == "drift":
        out += np.linspace(0, size * 2, n)
    else:
        raise ValueError(f"unknown fault {kind!r}: spikes, stuck, jump or drift")
    return out
