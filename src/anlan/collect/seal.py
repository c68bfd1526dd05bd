"""Sealing: closed hours become packs (one row per series and hour), past days become one pack per series.

Run by the desk. Each step commits by itself and may be killed at any point: an hour is first moved, whole, from
``reading`` to ``reading_closed`` (readers see both), then packed and dropped in one transaction. Late readings of a
closed hour land in ``reading_default`` and are merged into the pack in their turn; the reading stored first stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from ..base.settings import get
from .hours import _BUSY, children, hour_of
from .packing import DAY_MS, HOUR_MS, Pack, SeriesRows, grouped, pack, unpack
from .store import COPY_OUT_COLUMNS, COPY_ROW, parse_copy

_CHUNK_BYTES = 32 * 1024 * 1024
_DEFAULT_ROWS = 200_000
_COPY_HEAD_BYTES = 19
DAY_AFTER_MS = 2 * HOUR_MS  # a day is joined this long after it ended
Key = tuple[int, int, int]


def seal(url: str, now_ms: int) -> int:
    """Seal what is due at `now_ms`: hours that ended ``SEAL_AFTER_S`` ago, stray rows, past days; returns rows packed."""
    closed_before = (now_ms - int(get("SEAL_AFTER_S") * 1000)) // HOUR_MS * HOUR_MS
    packed = 0
    with psycopg.connect(url, autocommit=True) as reader, psycopg.connect(url, autocommit=True) as writer:
        if writer.execute("select pg_try_advisory_lock(%s)", (0x414E4C53,)).fetchone() != (True,):
            return 0  # another desk is at it
        for name in children(writer, "reading"):
            if hour_of(name) < closed_before:
                _close(writer, name)
        for name in children(writer, "reading_closed"):
            packed += _pack_hour(reader, writer, name)
        days_before = (now_ms - DAY_AFTER_MS) // DAY_MS * DAY_MS
        _merge_days(writer, days_before)  # first, so that stray rows of past days meet what was stored before them
        packed += _pack_default(writer, closed_before, days_before)
        days = get("RETAIN_DAYS")
        if days > 0:
            forget(writer, now_ms - int(days * DAY_MS))
    return packed


def forget(connection: psycopg.Connection[Any], before_ms: int) -> int:
    """Delete packs that end before `before_ms` (retention); returns how many. Archive them first if they are to be kept."""
    return connection.execute("delete from reading_packed where end_ms <= %s", (before_ms,)).rowcount


def _close(connection: psycopg.Connection[Any], name: str) -> None:
    start = hour_of(name)
    try:
        with connection.transaction():
            connection.execute("set local lock_timeout = '300ms'")
            connection.execute(f"alter table reading detach partition {name}")
            connection.execute(f"alter table reading_closed attach partition {name} for values from ({start}) to ({start + HOUR_MS})")
    except _BUSY:
        return


def _stream(connection: psycopg.Connection[Any], sql: str) -> Iterator[NDArray[Any]]:
    """Rows of a binary COPY as structured arrays of about 32 MB."""
    buffer, head = bytearray(), _COPY_HEAD_BYTES
    with connection.cursor().copy(sql) as copy:
        for data in copy:
            buffer += data
            if head and len(buffer) >= head:
                del buffer[:head]
                head = 0
            if len(buffer) >= _CHUNK_BYTES:
                rows, used = parse_copy(bytes(buffer))
                del buffer[:used]
                yield rows
    rows, _ = parse_copy(bytes(buffer))
    yield rows


def whole_series(chunks: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """Re-cut chunks sorted by station so that no station is split between two."""
    rest = np.empty(0, COPY_ROW)
    for chunk in chunks:
        rows = np.concatenate([rest, chunk])
        cut = int(np.searchsorted(rows["station"].astype(np.int32), int(rows["station"][-1]))) if len(rows) else 0
        if cut:
            yield rows[:cut]
        rest = rows[cut:]
    if len(rest):
        yield rest


def packs_of(rows: NDArray[Any], span_ms: NDArray[np.int64]) -> Iterator[Pack]:
    """The packs of COPY rows in order of arrival."""
    columns = SeriesRows(rows["time_ms"].astype(np.int64), rows["value"].astype(np.float64), rows["quality"].astype(np.uint8))
    return grouped(rows["station"].astype(np.int32), rows["quantity"].astype(np.int16), columns, span_ms)


def _pack_hour(reader: psycopg.Connection[Any], writer: psycopg.Connection[Any], name: str) -> int:
    """Pack one closed hour and drop it; 0 when a reader holds it too long (next time)."""
    packed = 0
    sql = f"copy (select {COPY_OUT_COLUMNS} from {name} order by station, quantity, time_ms, ctid) to stdout (format binary)"
    try:
        with writer.transaction():
            for rows in whole_series(_stream(reader, sql)):
                packed += len(rows)
                store_packs(writer, packs_of(rows, np.full(len(rows), HOUR_MS)))
            writer.execute("set local lock_timeout = '300ms'")
            writer.execute(f"drop table {name}")
    except _BUSY:
        return 0
    return packed


def _pack_default(writer: psycopg.Connection[Any], closed_before: int, days_before: int) -> int:
    """Move rows of closed hours out of the default partition, 200,000 a transaction."""
    packed = 0
    take = f"select ctid from reading_default where time_ms < {closed_before} limit {_DEFAULT_ROWS}"
    sql = f"copy (delete from reading_default where ctid = any(array({take})) returning {COPY_OUT_COLUMNS}) to stdout (format binary)"
    while True:
        with writer.transaction():
            parts = list(_stream(writer, sql))
            rows = np.concatenate(parts)
            store_packs(writer, packs_of(rows, np.where(rows["time_ms"].astype(np.int64) < days_before, DAY_MS, HOUR_MS)))
        packed += len(rows)
        if len(rows) < _DEFAULT_ROWS:
            return packed


def store_packs(connection: psycopg.Connection[Any], packs: Iterator[Pack]) -> None:
    """Write packs, merged into those already there (theirs stand first); one transaction of the caller."""
    while batch := list(islice(packs, 5_000)):
        old = _existing(connection, batch)
        merged: dict[Key, Pack] = {}
        for new in batch:
            day = new.start_ms // DAY_MS * DAY_MS
            key = (new.station, new.quantity, new.start_ms)
            for start in (day, new.start_ms):
                there = merged.get((new.station, new.quantity, start)) or old.get((new.station, new.quantity, start))
                if there and there.end_ms > new.start_ms:
                    key = (new.station, new.quantity, start)
                    end = max(there.end_ms, new.end_ms)
                    new = Pack(new.station, new.quantity, start, end, SeriesRows.merged([there.rows, new.rows]))
                    break
            merged[key] = new
        _write(connection, list(merged.values()))


def _existing(connection: psycopg.Connection[Any], batch: list[Pack]) -> dict[Key, Pack]:
    starts = {(p.station, p.quantity, s) for p in batch for s in (p.start_ms, p.start_ms // DAY_MS * DAY_MS)}
    columns = list(zip(*starts, strict=True))
    rows = connection.execute(
        "select p.station, p.quantity, p.start_ms, p.end_ms, p.data from "
        "unnest(%s::int4[], %s::int2[], %s::int8[]) as k(s, q, t) join reading_packed p "
        "on p.station = k.s and p.quantity = k.q and p.start_ms = k.t",
        [list(c) for c in columns],
        binary=True,
    ).fetchall()
    return {(r[0], r[1], r[2]): Pack(r[0], r[1], r[2], r[3], unpack(bytes(r[4]))) for r in rows}


def _write(connection: psycopg.Connection[Any], packs: list[Pack]) -> None:
    connection.execute(
        "insert into reading_packed (station, quantity, start_ms, end_ms, rows, data) "
        "select * from unnest(%s::int4[], %s::int2[], %s::int8[], %s::int8[], %s::int4[], %s::bytea[]) "
        "on conflict (station, quantity, start_ms) do update set end_ms = excluded.end_ms, rows = excluded.rows, data = excluded.data",
        (
            [p.station for p in packs],
            [p.quantity for p in packs],
            [p.start_ms for p in packs],
            [p.end_ms for p in packs],
            [len(p.rows) for p in packs],
            [pack(p.rows) for p in packs],
        ),
        binary=True,
    )


def _merge_days(connection: psycopg.Connection[Any], days_before: int) -> None:
    """Join the hour packs of days before `days_before`, 2,000 stations a transaction."""
    hourly = "end_ms - start_ms <= 3600000"
    while True:
        row = connection.execute(
            f"select start_ms from reading_packed where {hourly} and start_ms < %s order by start_ms limit 1", (days_before,)
        ).fetchone()
        if row is None:
            return
        day, above = int(row[0]) // DAY_MS * DAY_MS, -(2**31)
        while True:
            starts = list(range(day, day + DAY_MS, HOUR_MS))
            found = connection.execute(
                f"select max(station) from (select distinct station from reading_packed where {hourly} "
                "and start_ms = any(%s) and station > %s order by station limit 2000) s",
                (starts, above),
            ).fetchone()
            if found is None or found[0] is None:
                break
            with connection.transaction():
                _merge_day(connection, day, starts, above, int(found[0]))
            above = int(found[0])


def _merge_day(connection: psycopg.Connection[Any], day: int, starts: list[int], above: int, upto: int) -> None:
    rows = connection.execute(
        "delete from reading_packed where end_ms - start_ms <= 3600000 and start_ms = any(%s) and station > %s and station <= %s "
        "returning station, quantity, start_ms, data",
        (starts, above, upto),
        binary=True,
    ).fetchall()
    series: dict[tuple[int, int], list[tuple[int, bytes]]] = {}
    for station, quantity, start, data in rows:
        series.setdefault((station, quantity), []).append((start, bytes(data)))
    store_packs(
        connection,
        (
            Pack(s, q, day, day + DAY_MS, SeriesRows.merged([unpack(data) for _, data in sorted(parts)]))
            for (s, q), parts in sorted(series.items())
        ),
    )
