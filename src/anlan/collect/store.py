"""The reading store: hot hours (rows) and packed hours and days (columns), written and read without Django.

All functions take a psycopg connection or cursor. Times are UTC milliseconds, values SI, stations and quantities their
numbers. Of readings with equal (station, quantity, time) the first stored is the one that is read. Each read is one
SQL statement, so it is consistent while the desk seals. Errors are psycopg's own (the caller knows what to retry).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from ..base.block import ReadingBlock
from .packing import DAY_MS, SeriesRows, unpack

_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_COPY_TAIL = b"\xff\xff"
COPY_ROW = np.dtype(
    [
        ("n", ">i2"),
        ("l1", ">i4"),
        ("time_ms", ">i8"),
        ("l2", ">i4"),
        ("value", ">f8"),
        ("l3", ">i4"),
        ("station", ">i4"),
        ("l4", ">i4"),
        ("quantity", ">i2"),
        ("l5", ">i4"),
        ("quality", ">i2"),
    ]
)
_TEMPLATE = np.zeros(1, COPY_ROW)
for _name, _length in (("n", 5), ("l1", 8), ("l2", 8), ("l3", 4), ("l4", 2), ("l5", 2)):
    _TEMPLATE[_name] = _length
_SENT_ROW = np.dtype([("time_ms", ">i8"), ("value", ">f8"), ("quality", ">i2")])
COPY_IN = "copy reading (time_ms, value, station, quantity, quality) from stdin (format binary)"
COPY_OUT_COLUMNS = "time_ms, value, station, quantity, quality"


def copy_bytes(block: ReadingBlock) -> bytes:
    """The block in PostgreSQL's binary COPY form, packed by NumPy in the column order of ``reading``."""
    rows = np.empty(len(block), COPY_ROW)
    rows[:] = _TEMPLATE
    for name in ("time_ms", "value", "station", "quantity", "quality"):
        rows[name] = getattr(block, name)
    return b"".join((_COPY_HEAD, rows.tobytes(), _COPY_TAIL))


def copy_block(cursor: psycopg.Cursor[Any], block: ReadingBlock) -> None:
    """Append the block to ``reading`` in the caller's transaction."""
    if len(block):
        with cursor.copy(COPY_IN) as copy:
            copy.write(copy_bytes(block))


def parse_copy(buffer: bytes) -> tuple[NDArray[Any], int]:
    """Whole rows of a binary COPY stream (head already cut) as a structured array, and how many bytes they took."""
    n = len(buffer) // COPY_ROW.itemsize
    return np.frombuffer(buffer, COPY_ROW, n), n * COPY_ROW.itemsize


_SERIES_SQL = """
select (select string_agg(int8send(time_ms) || float8send(value) || int2send(quality), ''::bytea order by time_ms, place)
        from (select time_ms, value, quality, ctid as place from reading_closed
              where station = %(s)s and quantity = %(q)s and time_ms between %(a)s and %(b)s
              union all
              select time_ms, value, quality, ctid from reading
              where station = %(s)s and quantity = %(q)s and time_ms between %(a)s and %(b)s) hot),
       array(select data from reading_packed where station = %(s)s and quantity = %(q)s
             and start_ms <= %(b)s and start_ms > %(a)s - %(day)s and end_ms > %(a)s order by start_ms)
"""


def readings(connection: psycopg.Connection[Any], station: int, quantity: int, from_ms: int, to_ms: int) -> SeriesRows:
    """The readings of one series with from_ms <= time <= to_ms, in time order, first of equals; one round trip."""
    values = {"s": int(station), "q": int(quantity), "a": int(from_ms), "b": int(to_ms), "day": DAY_MS}
    row = connection.cursor(binary=True, row_factory=psycopg.rows.tuple_row).execute(_SERIES_SQL, values).fetchone()
    hot, packed = row if row else (None, [])
    parts = [unpack(bytes(data)) for data in packed]
    if hot:
        rows = np.frombuffer(hot, _SENT_ROW)
        parts.append(SeriesRows(rows["time_ms"].astype(np.int64), rows["value"].astype(np.float64), rows["quality"].astype(np.uint8)))
    return SeriesRows.merged(parts).between(from_ms, to_ms)


# -- latest values -------------------------------------------------------------------------------------------------

_LATEST = (
    ("station", np.int32),
    ("quantity", np.int16),
    ("time_ms", np.int64),
    ("value", np.float64),
    ("quality", np.uint8),
    ("grade", np.int8),
    ("silent", np.uint8),
)


@dataclass(slots=True)
class Latest:
    """Latest values as columns: station int32, quantity int16, time_ms int64 (UTC), value float64 (SI), quality uint8,
    grade int8 (worst now judged for the series), silent uint8 (1: its device is silent)."""

    station: NDArray[np.int32]
    quantity: NDArray[np.int16]
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    grade: NDArray[np.int8]
    silent: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.station)

    def to_bytes(self) -> bytes:
        """The form kept in `LatestBlock.data`."""
        columns = [np.ascontiguousarray(getattr(self, name), dtype).tobytes() for name, dtype in _LATEST]
        return b"".join([struct.pack("<I", len(self)), *columns])

    @classmethod
    def from_bytes(cls, blocks: Sequence[bytes]) -> Latest:
        """All blocks (one per partition) joined."""
        parts: list[list[NDArray[Any]]] = [[] for _ in _LATEST]
        for data in blocks:
            n, at = struct.unpack_from("<I", data)[0], 4
            for column, (_, dtype) in zip(parts, _LATEST, strict=True):
                column.append(np.frombuffer(data, dtype, n, at))
                at += n * np.dtype(dtype).itemsize
        return cls(*(np.concatenate(c) if c else np.empty(0, d) for c, (_, d) in zip(parts, _LATEST, strict=True)))


def write_latest(cursor: psycopg.Cursor[Any], blocks: Sequence[tuple[int, bytes]], now_ms: int) -> None:
    """Write the latest block of each (partition, bytes) in the caller's transaction."""
    for partition, data in blocks:
        cursor.execute(
            "insert into collect_latestblock (partition, data, written_ms) values (%s, %s, %s) "
            "on conflict (partition) do update set data = excluded.data, written_ms = excluded.written_ms",
            (partition, data, now_ms),
            binary=True,
        )


def latest(connection: psycopg.Connection[Any], partitions: Sequence[int] | None = None) -> Latest:
    """Latest values of all (or these) partitions."""
    sql, values = "select data from collect_latestblock order by partition", ()
    if partitions is not None:
        sql = "select data from collect_latestblock where partition = any(%s) order by partition"
        values = (list(partitions),)  # type: ignore[assignment]
    cursor = connection.cursor(binary=True, row_factory=psycopg.rows.tuple_row)
    return Latest.from_bytes([bytes(row[0]) for row in cursor.execute(sql, values).fetchall()])
