"""Compile (or load from the cache) every kernel before the first real reading needs it."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import numpy as np
from numba.core.event import install_recorder

from ..base.block import ReadingBlock
from ..base.quantity import QUANTITIES
from ..engines.memory import give_back
from .arrays import empty_table, no_thresholds
from .contract import SeriesTable
from .stage import Stage, detectors

COMPILED = "ANLAN_KERNELS_COMPILED"  # in the environment of a process that has begun anew


def ready() -> None:
    """`warm`; where kernels had to be compiled the process begins anew, once, and loads them from the cache.

    The compiler's memory (180 MB, measured) would else stay with a worker for as long as it lives after its first start.
    """
    with install_recorder("numba:compile") as compiled:
        warm()
    if compiled.buffer and COMPILED not in os.environ:
        os.environ[COMPILED] = "1"
        os.execv(sys.executable, sys.orig_argv)
    give_back()


def warm() -> None:
    """Run every detector over a small made-up table; nothing of it is kept."""
    n = len(QUANTITIES)
    table = replace(
        empty_table(),
        version=1,
        station=np.arange(1, n + 1, dtype=np.int32),
        quantity=np.array([q.number for q in QUANTITIES], np.int16),
        partition=np.zeros(n, np.int16),
        site=np.zeros(n, np.int32),
        interval_ms=np.full(n, 60_000, np.int64),
        low=np.array([q.low for q in QUANTITIES]),
        high=np.array([q.high for q in QUANTITIES]),
        noise=np.full(n, np.nan),
        kind=np.zeros(n, np.int16),
        kinds=["station"],
        sites=["site"],
        thresholds=replace(
            no_thresholds(),
            slot=np.zeros(1, np.int32),
            mode=np.zeros(1, np.int8),
            window_ms=np.zeros(1, np.int64),
            level=np.full((1, 4), 1e9),
            hysteresis=np.full(1, 0.05),
            persistence_ms=np.zeros(1, np.int64),
            persistence_n=np.ones(1, np.int32),
            id=["warm"],
        ),
    )
    for detector in detectors():
        detector.warm()
    _drive(Stage(table, detectors()), table)


def _drive(stage: Stage, table: SeriesTable) -> None:
    start = 1_700_000_000_000
    middle = np.array([(q.low + q.high) / 2 for q in QUANTITIES])
    for step in range(3):
        times = np.full(len(table), start + step * 60_000, np.int64)
        frame = ReadingBlock.of(table.station, table.quantity, times, middle).to_bytes()
        stage.step(ReadingBlock.from_bytes(frame))
        stage.step(ReadingBlock.of(table.station, table.quantity, times - 30_000, middle))
        stage.tick(start + step * 60_000)
    stage.latest(0)
