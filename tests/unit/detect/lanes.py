"""Made-up series tables and streams for tests of the lane core."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anlan.base.block import ReadingBlock
from anlan.base.quantity import BY_NUMBER
from anlan.detect.arrays import empty_table, no_thresholds
from anlan.detect.contract import SeriesTable

T0 = 1_790_000_000_000


def table(stations, quantities=(1, 4, 5), version=1, partitions=4, level=0.5) -> SeriesTable:
    """Each station has all quantities; partition is station % partitions; displacement and water level have thresholds."""
    keys = sorted((s % partitions, s, q) for s in stations for q in quantities)
    partition, station, quantity = (np.array(c) for c in zip(*keys, strict=True))
    n = len(keys)
    limited = np.flatnonzero(np.isin(quantity, (1, 5))).astype(np.int32)
    m = len(limited)
    return replace(
        empty_table(),
        version=version,
        station=station.astype(np.int32),
        quantity=quantity.astype(np.int16),
        partition=partition.astype(np.int16),
        site=station.astype(np.int32),
        interval_ms=np.full(n, 10_000, np.int64),
        low=np.array([BY_NUMBER[q].low for q in quantity.tolist()]),
        high=np.array([BY_NUMBER[q].high for q in quantity.tolist()]),
        noise=np.full(n, np.nan),
        kind=np.zeros(n, np.int16),
        kinds=["gauge"],
        sites=[f"s{i}" for i in range(int(station.max()) + 1)],
        thresholds=replace(
            no_thresholds(),
            slot=limited,
            mode=np.zeros(m, np.int8),
            window_ms=np.zeros(m, np.int64),
            level=np.tile([level, level * 2, level * 3, level * 4], (m, 1)),
            hysteresis=np.full(m, 0.05),
            persistence_ms=np.zeros(m, np.int64),
            persistence_n=np.ones(m, np.int32),
            id=[f"threshold-{station[s]}-{quantity[s]}" for s in limited],
        ),
    )


def stream(seed: int, stations, n: int, quantities=(1, 4, 5), seconds: float = 10.0) -> ReadingBlock:
    """n readings with repeats, late ones, unknown stations, missing values, jumps."""
    rng = np.random.default_rng(seed)
    station = rng.choice(np.array([*list(stations), 9999], np.int32), n)
    quantity = rng.choice(np.array(quantities, np.int16), n)
    time = T0 + (np.arange(n) * seconds * 1000 / 4).astype(np.int64)
    time -= np.where(rng.random(n) < 0.2, rng.integers(0, 400_000, n), 0)
    value = np.where(quantity == 4, rng.exponential(0.001, n), rng.normal(0, 0.4, n) + np.where(rng.random(n) < 0.05, 1.5, 0))
    value[rng.random(n) < 0.01] = np.nan
    again = rng.random(n) < 0.1
    again[0] = False
    source = np.maximum(np.arange(n) - rng.integers(1, 30, n), 0)
    for column in (station, quantity, time, value):
        column[again] = column[source[again]]
    return ReadingBlock.of(station, quantity, time, value, (rng.random(n) < 0.02).astype(np.uint8))
