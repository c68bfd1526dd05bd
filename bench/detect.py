"""Detectors: 100,000 stations x one reading, thresholds and the slope set, beside one object per stream (river).

Median of repeated sweeps in one process, kernels compiled before. ``ratio_to_river`` is the time of river's
EWMean updates (one object a station, the cheapest detector of that kind: 0.2 us in the shared measurements) plus the
comparison, in the same run, over the time of the threshold sweep a reading.
"""

from __future__ import annotations

import time

import numpy as np

from anlan.base.plugin import scan
from anlan.detect.contract import Detector, Rows, SeriesTable

HOUR = 3_600_000
T0 = 1_790_000_000_000


def arguments(parser):
    parser.add_argument("--stations", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=15)


def sweep(detectors, table, n, repeats, rng, quantity_scale):
    states = [d.allocate(table) for d in detectors]
    slot = np.arange(n, dtype=np.int32)
    took = []
    for k in range(repeats + 12):  # the first twelve fill the windows and compile
        now = T0 + k * HOUR
        for d, s in zip(detectors, states, strict=True):
            d.tick(s, now, table)
        rows = Rows.of(slot, np.full(n, now), quantity_scale * rng.normal(size=n))
        start = time.perf_counter()
        for d, s in zip(detectors, states, strict=True):
            d.step(s, rows, table)
        if k >= 12:
            took.append((time.perf_counter() - start) * 1e3)
    return took


def river(n, repeats, rng):
    """One EWMean and one limit a station, as a plain stream program has it."""
    from river import stats

    objects = {i: stats.EWMean(0.3) for i in range(n)}
    limits = dict.fromkeys(range(n), 5.0)
    took = []
    for _ in range(repeats):
        readings = [{"station": i, "value": v} for i, v in enumerate(rng.normal(size=n).tolist())]
        start = time.perf_counter()
        over = 0
        for reading in readings:
            mean = objects[reading["station"]]
            mean.update(reading["value"])
            over += mean.get() > limits[reading["station"]]
        took.append((time.perf_counter() - start) * 1e3)
    return took


def run(args):
    n, rng = args.stations, np.random.default_rng(1)
    found = scan("anlan.detect.detectors", Detector)
    limits = [{"slot": i, "level": (1.0, 2.0, 3.0, 4.0), "id": f"t{i}"} for i in range(n)]
    table = SeriesTable.of(["water_level"] * n, interval_ms=HOUR, noise=0.01, thresholds=limits)
    threshold = sweep([found["threshold"]], table, n, args.repeats, rng, 0.5)
    slopes = SeriesTable.of(["displacement"] * n, interval_ms=HOUR, noise=0.001)
    figures = {"threshold_sweep_100k_ms": threshold}
    if "slope" in found:
        figures["slope_sweep_100k_ms"] = sweep([found["quality"], found["slope"]], slopes, n, args.repeats, rng, 0.001)
    theirs = river(n, 3, rng)
    figures["river_sweep_100k_ms"] = theirs
    figures["ratio_to_river"] = [a / b for a in theirs for b in threshold]
    return figures
