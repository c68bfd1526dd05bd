"""The reading store on the real database: hot, closed and packed read as one; late, repeated and odd times."""

from __future__ import annotations

import threading
import time

import numpy as np
import psycopg
import pytest

from anlan.base.block import ReadingBlock
from anlan.collect import hours, store
from anlan.collect.packing import DAY_MS, HOUR_MS
from anlan.collect.seal import forget, seal

pytestmark = pytest.mark.stack
NOW = 1_790_000_000_000 // DAY_MS * DAY_MS + 10 * HOUR_MS + 1234  # 10 o'clock of some day, UTC


def put(url: str, station, time_ms, value, quality=None, quantity=1) -> None:
    block = ReadingBlock.of(station, np.full(len(station), quantity), time_ms, value, quality)
    with psycopg.connect(url) as connection:
        store.copy_block(connection.cursor(), block)


def get(url: str, station: int, a: int = 0, b: int = 1 << 60, quantity: int = 1):
    with psycopg.connect(url) as connection:
        return store.readings(connection, station, quantity, a, b)


def count(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        return connection.execute(f"select count(*) from {table}").fetchone()[0]


def ensure(url: str, now: int, **how) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        return hours.ensure_hours(connection, now, **how)


def test_any_time_is_kept_and_read_back(real_db):
    assert ensure(real_db, NOW) == 5 and ensure(real_db, NOW) == 0
    times = [NOW, NOW - HOUR_MS, -5, 0, NOW + 40 * DAY_MS, NOW - 3000 * DAY_MS]
    put(real_db, [7] * 6, times, [1.0, 2.0, 3.0, float("nan"), float("inf"), 6.0], [0, 1, 2, 3, 4, 0])
    rows = get(real_db, 7, -100)
    assert rows.time_ms.tolist() == sorted(times) and rows.quality.tolist() == [2, 3, 0, 1, 0, 4]
    assert np.isnan(rows.value[1]) and np.isinf(rows.value[-1])
    assert len(get(real_db, 8)) == 0 and get(real_db, 7, NOW, NOW).value.tolist() == [1.0]
    assert count(real_db, "reading_default") == 4


def test_sealing_loses_and_doubles_nothing(real_db):
    rng = np.random.default_rng(5)
    ensure(real_db, NOW, back=10)
    truth: dict[tuple[int, int], float] = {}
    now = NOW
    for step in range(34):  # a day and ten hours, by the hour; sealed in between
        n = 400
        station = rng.integers(1, 6, n)
        time_ms = now - rng.integers(0, 5_400_000, n) // 60_000 * 60_000
        late = rng.random(n) < 0.1
        time_ms[late] -= rng.integers(1, 20, late.sum()) * HOUR_MS
        value = rng.random(n)
        put(real_db, station, time_ms, value)
        for s, t, v in zip(station.tolist(), time_ms.tolist(), value.tolist(), strict=True):
            truth.setdefault((s, t), v)
        now += HOUR_MS
        ensure(real_db, now)
        if step % 3 == 0:
            seal(real_db, now)
    check(real_db, truth)
    seal(real_db, now)
    seal(real_db, now)
    check(real_db, truth)
    assert count(real_db, "reading") < 1500 and count(real_db, "reading_packed") > 10
    with psycopg.connect(real_db) as connection:
        spans = dict(connection.execute("select end_ms - start_ms, count(*) from reading_packed group by 1").fetchall())
        assert set(spans) == {HOUR_MS, DAY_MS}
        assert forget(connection, NOW // DAY_MS * DAY_MS) >= 1


def check(url: str, truth: dict[tuple[int, int], float]) -> None:
    for station in range(1, 6):
        rows = get(url, station)
        expected = sorted((t, v) for (s, t), v in truth.items() if s == station)
        assert list(zip(rows.time_ms.tolist(), rows.value.tolist(), strict=True)) == expected


def test_readers_see_everything_while_an_hour_is_sealed(real_db):
    ensure(real_db, NOW)
    stations = np.repeat(np.arange(1, 201), 60)
    put(real_db, stations, NOW - HOUR_MS + np.tile(np.arange(60) * 10_000, 200), np.ones(len(stations)))
    put(real_db, stations, NOW - 40 * DAY_MS + np.tile(np.arange(60) * 10_000, 200), np.ones(len(stations)))
    seen, stop = [], threading.Event()

    def read():
        with psycopg.connect(real_db, autocommit=True) as connection:
            while not stop.is_set():
                seen.append(len(store.readings(connection, 100, 1, 0, 1 << 60)))

    reader = threading.Thread(target=read)
    reader.start()
    end = time.monotonic() + 10
    while count(real_db, "reading") and time.monotonic() < end:
        seal(real_db, NOW + 3 * HOUR_MS)
    stop.set()
    reader.join()
    assert count(real_db, "reading") == 0 and len(seen) > 5 and set(seen) == {120}


def test_a_long_reader_does_not_hold_up_writers(real_db):
    ensure(real_db, NOW)
    put(real_db, [1], [NOW - HOUR_MS], [1.0])
    with psycopg.connect(real_db) as reader:
        reader.execute("select * from reading").fetchall()  # its transaction stays open
        started = time.monotonic()
        seal(real_db, NOW + 3 * HOUR_MS)
        put(real_db, [1], [NOW], [2.0])
        assert time.monotonic() - started < 4
    seal(real_db, NOW + 3 * HOUR_MS)
    seal(real_db, NOW + 3 * HOUR_MS)
    assert get(real_db, 1).value.tolist() == [1.0, 2.0] and count(real_db, "reading") == 0


def test_flood_drops_the_index_and_reading_still_works(real_db):
    ensure(real_db, NOW)
    put(real_db, [1, 2], [NOW, NOW], [1.0, 2.0])
    with psycopg.connect(real_db, autocommit=True) as connection:
        assert hours.drop_hot_indexes(connection) == 5 and hours.drop_hot_indexes(connection) == 0
    assert get(real_db, 2).value.tolist() == [2.0]


def test_everything_streams_each_series_once(real_db):
    from anlan.collect.everything import all_readings

    ensure(real_db, NOW)
    put(real_db, [1, 1, 2], [NOW - HOUR_MS, NOW - HOUR_MS, NOW - 50 * DAY_MS], [1.0, 9.0, 2.0])
    seal(real_db, NOW + 3 * HOUR_MS)
    put(real_db, [3, 2, 1, 1], [NOW + 1, NOW, NOW, NOW - HOUR_MS], [3.0, 4.0, 5.0, 8.0])
    got = [(key, rows.time_ms.tolist(), rows.value.tolist()) for key, rows in all_readings(real_db, 0, 1 << 60)]
    assert got == [
        ((1, 1), [NOW - HOUR_MS, NOW], [1.0, 5.0]),
        ((2, 1), [NOW - 50 * DAY_MS, NOW], [2.0, 4.0]),
        ((3, 1), [NOW + 1], [3.0]),
    ]
    assert [key for key, _ in all_readings(real_db, NOW, NOW)] == [(1, 1), (2, 1)]
