"""All stored readings of a span, series by series, streamed: hot rows and packs merged, first of equals.

Two connections share one snapshot, so the answer is consistent while writers and the seal go on. Memory stays bounded
by the readings of one station.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np
import psycopg

from .packing import DAY_MS, SeriesRows, unpack
from .seal import _stream, whole_series
from .store import COPY_OUT_COLUMNS

Series = tuple[tuple[int, int], SeriesRows]  # (station number, quantity number), rows


def all_readings(url: str, from_ms: int, to_ms: int) -> Iterator[Series]:
    """Each series with readings in from_ms <= time <= to_ms (UTC ms), by station and quantity number."""
    with psycopg.connect(url) as rows, psycopg.connect(url) as packs:
        rows.execute("begin isolation level repeatable read read only")
        rows.execute("lock table only reading, only reading_closed in access share mode")
        snapshot = rows.execute("select pg_export_snapshot()").fetchone()
        packs.execute("begin isolation level repeatable read read only")
        packs.execute(f"set transaction snapshot '{snapshot[0] if snapshot else ''}'")
        yield from _joined(_hot(rows, from_ms, to_ms), _packed(packs, from_ms, to_ms), from_ms, to_ms)


def _hot(connection: psycopg.Connection[Any], from_ms: int, to_ms: int) -> Iterator[Series]:
    span = f"where time_ms between {int(from_ms)} and {int(to_ms)}"
    sql = (
        f"copy (select {COPY_OUT_COLUMNS} from (select *, 0 as age, tableoid as part, ctid as place from reading_closed {span} "
        f"union all select *, 1, tableoid, ctid from reading {span}) r order by station, quantity, time_ms, age, part, place) "
        "to stdout (format binary)"
    )
    for chunk in whole_series(_stream(connection, sql)):
        station, quantity = chunk["station"].astype(np.int32), chunk["quantity"].astype(np.int16)
        time_ms, value, quality = chunk["time_ms"].astype(np.int64), chunk["value"].astype(np.float64), chunk["quality"].astype(np.uint8)
        new = np.flatnonzero(np.r_[True, (station[1:] != station[:-1]) | (quantity[1:] != quantity[:-1])])
        for a, b in zip(new.tolist(), [*new[1:].tolist(), len(chunk)], strict=True):
            yield (int(station[a]), int(quantity[a])), SeriesRows(time_ms[a:b], value[a:b], quality[a:b])


def _packed(connection: psycopg.Connection[Any], from_ms: int, to_ms: int) -> Iterator[Series]:
    with connection.cursor("packs") as cursor:
        cursor.itersize = 2000
        cursor.execute(
            "select station, quantity, data from reading_packed where end_ms > %s and start_ms <= %s and start_ms > %s "
            "order by station, quantity, start_ms",
            (from_ms, to_ms, from_ms - DAY_MS),
        )
        for key, group in groupby(cursor, key=lambda row: (row[0], row[1])):
            yield key, SeriesRows.merged([unpack(bytes(row[2])) for row in group])


def _joined(hot: Iterator[Series], packed: Iterator[Series], from_ms: int, to_ms: int) -> Iterator[Series]:
    """Merge two streams ordered by series; packs were stored before hot rows."""
    a, b = next(packed, None), next(hot, None)
    while a is not None or b is not None:
        key = min(s[0] for s in (a, b) if s is not None)
        parts = []
        if a is not None and a[0] == key:
            parts.append(a[1])
            a = next(packed, None)
        if b is not None and b[0] == key:
            parts.append(b[1])
            b = next(hot, None)
        rows = SeriesRows.merged(parts).between(from_ms, to_ms)
        if len(rows):
            yield key, rows
