"""Query: 30 days of one station, now included, out of 100 million stored readings; latest values of 85,000 stations.

A PostgreSQL of its own holds 11,574 series of 5-minute values: 29 sealed days, today's sealed hours, and the open hour
as rows, written by the same code that seals. Random stations, a new one each time.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import psycopg

from anlan.base.block import ReadingBlock
from anlan.base.clock import now_ms
from anlan.collect import hours, store
from anlan.collect.packing import DAY_MS, HOUR_MS, Pack, SeriesRows
from anlan.collect.seal import store_packs
from anlan.engines.folders import Folders
from anlan.engines.postgres import EmbeddedPostgres

STEP_MS = 300_000


def arguments(parser):
    parser.add_argument("--million", type=float, default=100)
    parser.add_argument("--queries", type=int, default=300)


def run(args):
    folder = Path(tempfile.mkdtemp(prefix="anlan-query-"))
    server = EmbeddedPostgres(Folders(folder))
    server.start()
    try:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            tables(connection)
            return measure(connection, args)
    finally:
        server.stop()
        shutil.rmtree(Folders(folder).sockets, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def tables(connection) -> None:
    """The store's tables without the rest of the house."""
    from importlib import import_module

    connection.execute("create table collect_latestblock (partition int2 primary key, data bytea not null, written_ms int8 not null)")
    connection.execute(import_module("anlan.collect.migrations.0002_readings").UP)


def measure(connection, args):
    now = now_ms() // STEP_MS * STEP_MS
    series = int(args.million * 1e6 / (30 * DAY_MS / STEP_MS))
    began = time.perf_counter()
    fill(connection, series, now)
    print(f"filled {series} series in {time.perf_counter() - began:.0f} s", flush=True)
    connection.execute("analyze")
    rng, took, day = np.random.default_rng(2), [], []
    for i in range(args.queries + 20):
        station = int(rng.integers(1, series + 1))
        start = time.perf_counter()
        rows = store.readings(connection, station, 5, now - 30 * DAY_MS, now)
        middle = time.perf_counter()
        store.readings(connection, station, 5, now - DAY_MS, now)
        if i >= 20:
            took.append((middle - start) * 1000)
            day.append((time.perf_counter() - middle) * 1000)
        assert len(rows) == 30 * 288 + 1 and rows.time_ms[-1] == now
    size = connection.execute("select pg_total_relation_size('reading_packed')").fetchone()[0]
    figures = {
        "station_30d_ms_p95": {"median": float(np.percentile(took, 95)), "min": min(took), "max": max(took), "unit": "ms"},
        "station_30d_ms_p50": [float(np.percentile(took, 50))],
        "station_1d_ms_p50": [float(np.percentile(day, 50))],
        "packed_bytes_per_reading": [size / (series * 30 * 288)],
    }
    figures["latest_85k_ms"] = latest(connection)
    return figures


def fill(connection, series: int, now: int) -> None:
    """29 days as day packs, the closed hours of today and yesterday as hour packs, the rest as rows."""
    rng = np.random.default_rng(1)
    hour, day = now // HOUR_MS * HOUR_MS, now // DAY_MS * DAY_MS
    hours.ensure_hours(connection, now)
    drift = np.round(np.cumsum(rng.normal(0, 0.01, 31 * 288 + 300)), 3)
    times = np.arange(now - 30 * DAY_MS, now + 1, STEP_MS)
    sealed_days = np.searchsorted(times, day)
    for first in range(1, series + 1, 500):
        stations = range(first, min(first + 500, series + 1))
        with connection.transaction():
            store_packs(connection, packs(stations, drift, times, sealed_days, hour))
    open_rows = times[times >= hour]
    for at in open_rows.tolist():
        station = np.arange(1, series + 1)
        value = drift[(at - times[0]) // STEP_MS] + station % 17
        store.copy_block(connection.cursor(), ReadingBlock.of(station, np.full(series, 5), np.full(series, at), value))


def packs(stations, drift, times, sealed_days, hour):
    sealed = np.searchsorted(times, hour)
    quality = np.zeros(len(times), np.uint8)
    for station in stations:
        value = drift[: len(times)] + station % 17
        for span, a, b in ((DAY_MS, 0, sealed_days), (HOUR_MS, sealed_days, sealed)):
            cuts = np.flatnonzero(np.diff(times[a:b] // span)) + a + 1
            for i, j in zip([a, *cuts], [*cuts, b], strict=True):
                if j > i:
                    start = int(times[i] // span * span)
                    yield Pack(station, 5, start, start + span, SeriesRows(times[i:j], value[i:j], quality[i:j]))


def latest(connection) -> list[float]:
    n = 85_000 // 16
    for partition in range(16):
        one = store.Latest(
            np.arange(partition * n, (partition + 1) * n, dtype=np.int32), np.full(n, 5, np.int16), np.full(n, now_ms()),
            np.random.default_rng(partition).random(n), np.zeros(n, np.uint8), np.zeros(n, np.int8), np.zeros(n, np.uint8),
        )  # fmt: skip
        store.write_latest(connection.cursor(), [(partition, one.to_bytes())], now_ms())
    took = []
    for _ in range(50):
        start = time.perf_counter()
        assert len(store.latest(connection)) == n * 16
        took.append((time.perf_counter() - start) * 1000)
    return took
