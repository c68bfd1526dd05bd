"""Detectors: 100,000 stations x one reading, thresholds and the slope set, beside one object per stream (river).

Median of repeated sweeps in one process, kernels compiled before. `slope_sweep_100k_ms` is quality control and the
slope detector's step; the fits that follow on the tick where the cheap gate is open are `slope_fit_ms` (one series, full
memory). `ratio_to_river` is the time per reading of a river program with *one object per stream that does the slope
set's work* (spike test on a rolling median, least-squares slopes over 4 and 8 readings, those before, noise,
steady velocity, gain, the gates), over ours. `ratio_to_river_cheapest` sets a single EWMean and a comparison, the
cheapest thing river can do, against our threshold sweep. Both sides run in the same process, one after the other, river
on fewer stations (cost per reading does not depend on their number).
"""

from __future__ import annotations

import math
import time

import numpy as np

from anlan.base.plugin import scan
from anlan.detect.contract import Detector, Rows, SeriesTable

HOUR = 3_600_000
T0 = 1_790_000_000_000
WARM = 40  # sweeps before the clock counts: kernels compiled, memories filled beyond what detectors need
RIVER_STATIONS = 2_000


def arguments(parser):
    parser.add_argument("--stations", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=15)


def sweep(detectors, table, n, repeats, scale, noise):
    rng = np.random.default_rng(1)
    states = [d.allocate(table) for d in detectors]
    slot, took = np.arange(n, dtype=np.int32), []
    for k in range(repeats + WARM):
        now = T0 + k * HOUR
        for d, s in zip(detectors, states, strict=True):
            d.tick(s, now, table)
        rows = Rows.of(slot, np.full(n, now), scale * k + noise * rng.normal(size=n))
        start = time.perf_counter()
        for d, s in zip(detectors, states, strict=True):
            d.step(s, rows, table)
        if k >= WARM:
            took.append((time.perf_counter() - start) * 1e3)
    return took


def fit(slope):
    """Milliseconds of one fit of a failing series with a full memory."""
    table = SeriesTable.of(["displacement"], interval_ms=HOUR, noise=1e-4)
    slope.warm()
    state, took = slope.allocate(table), []
    n = 1000
    x = np.where(np.arange(n) > 700, -0.02 * np.log((1010 - np.arange(n)) / 310), 0) + 1e-4 * np.random.default_rng(0).normal(size=n)
    for i in range(n):
        slope.step(state, Rows.of([0], [T0 + i * HOUR], [x[i]]), table)
        if i % 10 == 9 and i > 760:
            start = time.perf_counter()
            slope.tick(state, T0 + i * HOUR, table)
            took.append((time.perf_counter() - start) * 1e3)
    return took


class Stream:
    """What one slope stream needs, out of river's own statistics: least-squares slopes are Cov(t, x) / Var(t)."""

    def __init__(self):
        from collections import deque

        from river import stats, utils

        self.median = stats.RollingQuantile(0.5, window_size=5)
        self.slopes = [(utils.Rolling(stats.Cov(), window_size=w), utils.Rolling(stats.Var(), window_size=w)) for w in (4, 8)]
        self.smooth, self.noise, self.steady = stats.EWMean(0.5), stats.EWMean(0.02), stats.EWMean(1 / 128)
        self.before = deque([0.0] * 17, maxlen=17)  # the long slope 8 and 16 readings ago
        self.values = deque(maxlen=44)

    def take(self, hours, value):
        """Update everything and ask the cheap gates; the grade."""
        values = self.values
        sigma = self.noise.get() or 1e-12
        spike = len(values) > 8 and abs(value - self.median.get()) > 6 * sigma
        self.median.update(value)
        if len(values) < 2:
            values.append(value)
            return 0
        self.noise.update(abs(value - 2 * values[-1] + values[-2]) * 0.5117)
        self.smooth.update(value - values[-1])
        values.append(value)
        if spike:
            return 0
        v = []
        for cov, var in self.slopes:
            cov.update(hours, value)
            var.update(hours)
            spread = var.get()
            v.append(cov.get() / spread if spread else 0.0)
        short, long = abs(v[0]), abs(v[1])
        self.before.append(long)
        floor = sigma * 0.154
        steady = max(self.steady.get() or 0.0, floor)
        if long < 3 * steady:
            self.steady.update(long)
        angle, gain = math.degrees(math.atan2(long, steady)), abs(value - values[0])
        rising = long > self.before[8] > self.before[0]
        if angle >= 80 and short >= 5.671 * steady and rising and gain > max(5 * sigma, 0.01):
            return 3
        if long > 5 * steady and gain > max(5 * sigma, 0.01):
            return 2
        return 1 if angle > 45 and long > 3 * floor and gain > 3 * sigma else 0


def river_slopes(repeats):
    """Milliseconds a sweep, as if for 100,000 stations."""
    streams = [Stream() for _ in range(RIVER_STATIONS)]
    rng, took = np.random.default_rng(1), []
    for k in range(repeats + WARM):
        values = (1e-5 * k + 1e-4 * rng.normal(size=RIVER_STATIONS)).tolist()
        start = time.perf_counter()
        for stream, value in zip(streams, values, strict=True):
            stream.take(float(k), value)
        if k >= WARM:
            took.append((time.perf_counter() - start) * 1e3)
    return took


def river_cheapest(repeats):
    """One EWMean and one limit a station."""
    from river import stats

    objects = [stats.EWMean(0.3) for _ in range(RIVER_STATIONS)]
    rng, took = np.random.default_rng(1), []
    for _ in range(repeats + 5):
        values, over = rng.normal(size=RIVER_STATIONS).tolist(), 0
        start = time.perf_counter()
        for mean, value in zip(objects, values, strict=True):
            mean.update(value)
            over += mean.get() > 5.0
        took.append((time.perf_counter() - start) * 1e3)
    return took[5:]


def run(args):
    n = args.stations
    found = scan("anlan.detect.detectors", Detector)
    limits = [{"slot": i, "level": (1.0, 2.0, 3.0, 4.0), "id": f"t{i}"} for i in range(n)]
    table = SeriesTable.of(["water_level"] * n, interval_ms=HOUR, noise=0.01, thresholds=limits)
    slopes = SeriesTable.of(["displacement"] * n, interval_ms=HOUR, noise=1e-4)
    threshold = sweep([found["threshold"]], table, n, args.repeats, 0.0, 0.3)
    slope = sweep([found["quality"], found["slope"]], slopes, n, args.repeats, 1e-5, 1e-4)
    theirs, cheapest = river_slopes(args.repeats), river_cheapest(args.repeats)
    scale = n / RIVER_STATIONS
    return {
        "threshold_sweep_100k_ms": threshold,
        "slope_sweep_100k_ms": slope,
        "slope_fit_ms": fit(found["slope"]),
        "river_slope_sweep_100k_ms": [scale * t for t in theirs],
        "river_cheapest_sweep_100k_ms": [scale * t for t in cheapest],
        "ratio_to_river": [scale * t / s for t, s in zip(theirs, slope, strict=True)],
        "ratio_to_river_cheapest": [scale * t / s for t, s in zip(cheapest, threshold, strict=True)],
    }
