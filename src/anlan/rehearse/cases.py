"""Cases with a known end, made from published laws: to tune and to test slope judgement without anybody's records.

A case is a displacement series (mm over hours) with its truth. Failing ones follow the failure law of Voight (1989)
dv/dt = A v^alpha, that is v ~ (1 - tau)^(-1/(alpha - 1)) with tau the share of the acceleration phase, half of them with a
log-periodic modulation (Lei and Sornette 2025). Regressive ones follow it to tau 0.45-0.85 and then die out exponentially.
Quiet ones creep in steps and seasons as reservoir slopes do; drift, jumps and spikes are instrument faults. Backgrounds are
drawn here (random steps, season, linear creep), so a score on these cases says little about another physics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KINDS = ("fail", "regress", "quiet", "sensor_drift", "sensor_jump", "sensor_spikes")
SHARES = (0.45, 0.28, 0.14, 0.06, 0.05, 0.02)
Floats = NDArray[np.float64]


@dataclass(slots=True)
class Case:
    """One series with its truth: hours, millimetres, kind, failure time and phase length in hours (NaN: none)."""

    name: str
    kind: str
    step_h: float
    time_h: Floats
    disp_mm: Floats
    t_fail_h: float = np.nan
    phase_h: float = np.nan
    noise_mm: float = 0.0


def background(rng: np.random.Generator, days: Floats) -> Floats:
    """Creep in mm over `days`: a season, smooth steps (reservoir, rain), and a velocity that wanders between seldom surveys."""
    span = days[-1] - days[0]
    x = rng.uniform(0, 0.3) * days + rng.uniform(0, 8) * np.sin(2 * np.pi * (days / 365 + rng.random()))
    for _ in range(rng.poisson(2.5 * span / 365)):
        x = x + rng.exponential(25) / (1 + np.exp(-(days - rng.uniform(days[0], days[-1])) / rng.uniform(3, 25)))
    knots = np.arange(days[0] - 40, days[-1] + 40, rng.uniform(4, 30))  # surveyed seldom, interpolated in between
    speed = rng.uniform(0.1, 1.2) * np.exp(rng.uniform(0.3, 1.0) * rng.normal(size=len(knots)))
    v = np.interp(days, knots, speed)
    x = x + np.r_[0, np.cumsum((v[1:] + v[:-1]) / 2 * np.diff(days))]
    return x - x[0]


def shape(tau: Floats, alpha: float, amplitude: float, omega: float, phase: float) -> Floats:
    """Displacement over tau in [0, 1) by the failure law with log-periodic velocity; trapezoids on a fine grid."""
    fine = 1 - np.geomspace(1, 1e-4, 4000)
    v = (1 - fine) ** (-1 / (alpha - 1)) * (1 + amplitude * np.cos(omega * np.log(1 - fine) + phase))
    x = np.r_[0, np.cumsum((v[1:] + v[:-1]) / 2 * np.diff(fine))]
    return np.interp(tau, fine, x)


def _motion(rng: np.random.Generator, kind: str, t: Floats, daily: bool) -> tuple[Floats, float, float]:
    """Displacement of the acceleration, failure time and phase length in hours (NaN when it does not fail)."""
    alpha, modulated = rng.uniform(1.6, 2.2), rng.random() < 0.5
    amp, omega, phase = (rng.uniform(0.1, 0.5) if modulated else 0.0), rng.uniform(4, 12), rng.uniform(0, 2 * np.pi)
    duration = rng.uniform(20, 150) * 24 if daily else rng.uniform(24, 480)
    total = np.exp(rng.uniform(np.log(40), np.log(1500))) if daily else np.exp(rng.uniform(np.log(10), np.log(500)))
    scale = total / shape(np.array([0.95]), alpha, amp, omega, phase)[0]
    if kind == "fail":
        end = max(rng.uniform(0.6, 0.98) * t[-1], duration + 15 * (t[1] - t[0]))
        tau = np.clip((t - (end - duration)) / duration, 0, 0.9999)
        return scale * shape(tau, alpha, amp, omega, phase), end, duration
    onset, turn = rng.uniform(0.2, 0.75) * t[-1], rng.uniform(0.45, 0.85)
    tau = np.clip((t - onset) / duration, 0, turn)
    x = scale * shape(tau, alpha, amp, omega, phase)
    v = scale * (1 - turn) ** (-1 / (alpha - 1)) / duration
    decay = rng.uniform(0.1, 0.5) * duration
    after = np.clip(t - onset - turn * duration, 0, None)
    return x + v * decay * (1 - np.exp(-after / decay)), np.nan, np.nan


def make(seed: int, *, hard: bool = False) -> Case:
    """Case number `seed`: even ones daily (300 samples), odd ones hourly (1,440); `hard` adds coloured noise and gap runs."""
    rng = np.random.default_rng([20261123, seed])
    daily = seed % 2 == 0
    step, n = (24.0, 300) if daily else (1.0, 1440)
    kind = str(rng.choice(KINDS, p=SHARES))
    t: Floats = step * np.arange(n, dtype=np.float64)
    x = background(rng, np.arange(n) * step / 24) * (rng.uniform(0.1, 1) if daily else rng.uniform(0.1, 0.3))
    sd = rng.uniform(1, 4) if daily else rng.uniform(0.05, 0.3)
    end = phase = np.nan
    if kind in ("fail", "regress"):
        motion, end, phase = _motion(rng, kind, t, daily)
        x = x + motion
    noise = sd * rng.normal(size=n)
    if hard and rng.random() < 0.5:  # AR(1) 0.5 of the same standard deviation
        for i in range(1, n):
            noise[i] = 0.5 * noise[i - 1] + 0.866 * noise[i]
    x = x + noise + _faults(rng, kind, n, sd)
    keep = rng.random(n) > 0.03
    if hard:
        for _ in range(rng.poisson(2)):
            a, length = rng.integers(0, n), int(rng.integers(1, 6) * 24 / step)
            keep[a : a + length] = False
    if kind == "fail":
        keep &= t < end
    keep[:5] = True
    return Case(f"{'D' if daily else 'H'}{seed:04d}", kind, step, t[keep], np.round(x[keep], 3).astype(np.float64), end, phase, sd)


def _faults(rng: np.random.Generator, kind: str, n: int, sd: float) -> Floats:
    """What the instrument adds: spikes in every case, drift or jumps in some (mm)."""
    share, size = (0.01, 400) if kind == "sensor_spikes" else (0.002, 20)
    x = np.where(rng.random(n) < share, rng.normal(size=n) * size * sd, 0.0)
    if kind == "sensor_drift":
        start = rng.uniform(0.3, 0.9) * n
        x += rng.uniform(20, 500) * sd * np.clip((np.arange(n) - start) / (n - start), 0, None)
    if kind == "sensor_jump":
        for _ in range(rng.integers(1, 3)):
            x[rng.integers(20, n) :] += rng.choice([-1, 1]) * rng.uniform(8, 300) * sd
    return x
