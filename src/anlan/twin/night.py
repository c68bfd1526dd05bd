"""The storm night: what every live device of the demo measures, by published laws and one seed.

Times are hours of the story: 0 is its start; history lies before it. With real records at hand
(`records`), the key slope, the flood point and some neighbours follow them instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .ground import seed_of
from .laws import chicago_storm, creep_to_failure, dying_acceleration, road_depth, steady_creep, with_faults

NIGHT_H = 8.0  # length of the story
HISTORY_H = 240.0  # hourly memory that a slope's logger sends at the start
FAIL_H = 7.4  # the key slope fails
ACCEL_H = 30.0  # after accelerating for so long
FINE_FROM_H = -48.0  # since then it is sampled every ten minutes
STORM_PEAK_H, STORM_MM, STORM_H = 3.2, 45.0, 8.0
Floats = NDArray[np.float64]


@dataclass(slots=True)
class Track:
    """What one series will measure: hours of the story and SI values."""

    t_h: Floats
    value: Floats


def slope_times(fine_from_h: float = 0.0, step_h: float = 1 / 6) -> Floats:
    """Hourly memory, then `step_h` sampling from `fine_from_h` through the night."""
    return np.concatenate([np.arange(-HISTORY_H, fine_from_h, 1.0), np.arange(fine_from_h, NIGHT_H + 1e-9, step_h)])


def rain_rate(t_h: Floats, share: float = 1.0) -> Floats:
    """Rain intensity (m/h) of the night at `t_h`."""
    grid = np.arange(0, NIGHT_H + 0.01, 1 / 60)
    storm = chicago_storm(grid, STORM_PEAK_H, STORM_MM / 1000 * share, STORM_H, b_h=0.9)
    return np.interp(t_h, grid, storm, left=0, right=0)


def track(quantity: str, station: str, role: str, seed: int) -> Track:
    """The night of one station. `role`: fails, floods, dies (regressive), faulty kinds, else quiet."""
    rng = seed_of("night", seed, station)
    if quantity in ("crack_width", "displacement"):
        return _slope(role, rng, 1e-4 if quantity == "crack_width" else 1.5e-3)
    if quantity == "rainfall":
        t = np.arange(0, NIGHT_H + 1e-9, 1 / 12)
        share = rng.uniform(0.75, 1.2)
        tips = np.round(rain_rate(t, share) / 12 / 2e-4) * 2e-4  # 0.2 mm tips in 5 minutes
        return Track(t, tips)
    if quantity == "water_depth":
        t = np.arange(0, NIGHT_H + 1e-9, 1 / 60)
        gain = 200.0 if role == "floods" else rng.uniform(2.0, 20.0)
        depth = road_depth(t, rain_rate(t), 0.018, gain, 0.6)
        return Track(t[::2], np.maximum(depth + rng.normal(0, 0.002, len(t)), 0)[::2])
    t = np.arange(0, NIGHT_H + 1e-9, 1 / 12)
    base, noise = {
        "tilt": (0.02, 3e-5),
        "water_level": (27.3, 0.004),
        "pore_pressure": (3.2e4, 60),
        "gas_concentration": (4e-6, 4e-7),
        "residual_current": (0.012, 0.001),
        "smoke_obscuration": (0.01, 0.002),
        "pressure": (4.5e5, 3e3),
    }[quantity]
    values = base + rng.normal(0, noise, len(t))
    if quantity == "water_level":
        values = values + 0.9 * np.cumsum(rain_rate(t)) / 12
    if quantity == "tilt" and role == "fails":
        values = values + 0.05 * (creep_to_failure(t, FAIL_H, ACCEL_H, 0, 1.0, 2.0, rng, 0.0))
    return Track(t, values)


def _slope(role: str, rng: np.random.Generator, noise: float) -> Track:
    t = slope_times(FINE_FROM_H if role == "fails" else 0.0)
    creep = rng.uniform(0.2, 1.0) * 2e-5  # metres an hour: 0.5 to 0.02 mm/d
    if role == "fails":
        return _until(Track(t, creep_to_failure(t + HISTORY_H, FAIL_H + HISTORY_H, ACCEL_H, 4e-5, 0.16, 2.0, rng, noise)), FAIL_H)
    if role == "dies":
        return Track(t, dying_acceleration(t + HISTORY_H, HISTORY_H + 2.5, 0.006, 1.2, creep, rng, noise))
    values = steady_creep(t + HISTORY_H, creep, rng, noise)
    return Track(t, with_faults(values, rng, role) if role in ("spikes", "stuck", "jump", "drift") else values)


def _until(track: Track, end_h: float) -> Track:
    """The slope takes its sensors along: nothing after `end_h`."""
    keep = track.t_h < end_h
    return Track(track.t_h[keep], track.value[keep])
