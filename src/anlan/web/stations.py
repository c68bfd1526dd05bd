"""The station table of this process as columns (number, place, area), and the latest values beside it.

Kept small (some 60 bytes a station) and refreshed when the register changed; names and codes are
fetched only for the stations that an answer lists.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from ..collect.store import Latest

CHECK_S = 3.0  # how often the register is asked whether it changed
TABLE_SQL = """select coalesce(string_agg(int4send(s.number) || float8send(s.lon) || float8send(s.lat)
  || rpad(left(s.division_code, 12), 12, ' ')::bytea || int4send(coalesce(array_position(%s::text[], s.kind::text), 0))
  || int4send(s.enabled::int), ''::bytea order by s.number), ''::bytea) from register_station s"""
_ROW = np.dtype([("number", ">i4"), ("lon", ">f8"), ("lat", ">f8"), ("division", "S12"), ("kind", ">i4"), ("enabled", ">i4")])


@dataclass(slots=True)
class StationTable:
    """Stations sorted by number: number int32, lon/lat degrees, division S12, kind (index into `kinds`, 1-based), enabled."""

    version: str
    number: NDArray[np.int32]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    division: NDArray[np.bytes_]
    kind: NDArray[np.int32]
    enabled: NDArray[np.bool_]
    kinds: list[str]

    def positions(self, numbers: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Where each station number is in the table, and whether it is there at all."""
        if not len(self.number):
            return np.zeros(len(numbers), np.intp), np.zeros(len(numbers), bool)
        at = np.minimum(np.searchsorted(self.number, numbers), len(self.number) - 1)
        return at, self.number[at] == numbers


def table_of(raw: bytes, kinds: list[str], version: str) -> StationTable:
    """The table of the bytes that `TABLE_SQL` gives."""
    rows = np.frombuffer(raw, _ROW)
    division = np.char.rstrip(rows["division"]).astype("S12") if len(rows) else np.zeros(0, "S12")
    return StationTable(
        version,
        rows["number"].astype(np.int32),
        rows["lon"].astype(np.float64),
        rows["lat"].astype(np.float64),
        division,
        rows["kind"].astype(np.int32),
        rows["enabled"] != 0,
        kinds,
    )


class Stations:
    """The cached table; `get` refreshes it when the register has changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._table: StationTable | None = None
        self._checked = 0.0

    def get(self) -> StationTable:
        """The table, at most `CHECK_S` old."""
        with self._lock:
            if self._table is not None and time.monotonic() - self._checked < CHECK_S:
                return self._table
            with connection.cursor() as cursor:
                cursor.execute("select count(*), max(updated_at)::text from register_station")
                version = "{}@{}".format(*cursor.fetchone())
                if self._table is None or self._table.version != version:
                    cursor.execute("select distinct kind from register_station order by 1")
                    kinds = [row[0] for row in cursor.fetchall()]
                    cursor.execute(TABLE_SQL, [kinds])
                    self._table = table_of(bytes(cursor.fetchone()[0]), kinds, version)
            self._checked = time.monotonic()
            return self._table


stations = Stations()


def read_latest() -> Latest:
    """The latest values of all partitions, straight from the blobs."""
    with connection.cursor() as cursor:
        cursor.execute("select data from collect_latestblock order by partition")
        return Latest.from_bytes([bytes(row[0]) for row in cursor.fetchall()])
