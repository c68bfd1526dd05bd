"""Forecasts beside the lanes: look-backs in, predictions stored by a thread and connection of their own.

Fits are costly, so they do not hold up a lane. A partition takes no snapshot while its forecasts are pending; a crash
before they are stored therefore replays the tick that asked for them. Ids are derived, so a repeat is the same row.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import structlog

from ..base.clock import from_ms, now_ms
from ..base.failure import Lookback
from . import records
from .commit import ACTOR, KEEPALIVE
from .contract import SeriesTable

log = structlog.get_logger("anlan.foresight")


class Foresight:
    """Runs `predict` for look-backs, in order, and stores what is not silent."""

    def __init__(self, url: str, predict: records.Predict):
        self.url, self.predict = url, predict
        self._waiting: Counter[tuple[int, int]] = Counter()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="foresight")
        self._connection: psycopg.Connection[Any] | None = None
        self._closing = False

    def ask(self, lane: int, table: SeriesTable, lookbacks: list[Lookback]) -> None:
        """Queue look-backs of one tick."""
        partitions = [(lane, int(table.partition[b.slot])) for b in lookbacks]
        self._waiting.update(partitions)
        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(self._thread, self._work, table, lookbacks)
        done.add_done_callback(lambda _: self._waiting.subtract(partitions))

    def pending(self, lane: int, partition: int) -> bool:
        """Whether forecasts of the partition are not yet stored."""
        return self._waiting[lane, partition] > 0

    async def drained(self, lane: int) -> None:
        """Return when no forecast of the lane is pending."""
        if any(n > 0 for (of, _), n in self._waiting.items() if of == lane):
            await asyncio.get_running_loop().run_in_executor(self._thread, int)  # behind all that is queued
            await asyncio.sleep(0)

    def close(self) -> None:
        """End the thread after what it has in hand."""
        self._closing = True
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._connection:
            self._connection.close()

    def _work(self, table: SeriesTable, lookbacks: list[Lookback]) -> None:
        made: list[Any] = []
        series: list[tuple[int, int]] = []
        for lookback in lookbacks:
            try:
                found = [p for p in self.predict(lookback) if not p.silent]
            except Exception:
                log.exception("forecaster failed", slot=lookback.slot)
                continue
            made += found
            series += [(int(table.station[lookback.slot]), int(table.quantity[lookback.slot]))] * len(found)
        while made and not self._closing:
            try:
                return self._store(made, series)
            except psycopg.OperationalError as error:
                log.warning("forecast waits for the database", error=str(error).strip().splitlines()[0])
                self._connection = None
                time.sleep(0.3)
        return None

    def _store(self, made: list[Any], series: list[tuple[int, int]]) -> None:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self.url, autocommit=True, connect_timeout=3, **KEEPALIVE)
        with self._connection.transaction():
            self._connection.execute("select set_config('anlan.actor', %s, true)", (ACTOR,))
            records.write_forecasts(self._connection, made, series, from_ms(now_ms()))
