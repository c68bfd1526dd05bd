"""The station table of this process as columns (number, place, area), and the latest values beside it.

Kept small (some 60 bytes a station) and refreshed when the register changed; names and codes are
fetched only for the stations that an answer lists.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from ..collect.store import Latest

CHECK_S = 3.0  # how often the register is asked whether it changed
TABLE_SQL = """with k as (select kind, (row_number() over (order by kind))::int4 as n from (select distinct kind from register_station) x),
  t as (select id, (row_number() over (order by id))::int4 as n from register_site)
select (select coalesce(array_agg(kind::text order by n), '{}') from k), (select coalesce(array_agg(id order by n), '{}') from t),
  (select coalesce(string_agg(int4send(s.number) || float8send(s.lon) || float8send(s.lat)
     || rpad(left(s.division_code, 12), 12, ' ')::bytea || int4send(k.n) || int4send(t.n) || int4send(s.enabled::int),
     ''::bytea order by s.number), ''::bytea) from register_station s join k using (kind) join t on t.id = s.site_id)"""
_ROW = np.dtype(
    [("number", ">i4"), ("lon", ">f8"), ("lat", ">f8"), ("division", "S12"), ("kind", ">i4"), ("site", ">i4"), ("enabled", ">i4")]
)


@dataclass(slots=True)
class StationTable:
    """Stations sorted by number: number int32, lon/lat degrees, division S12, kind and site (indices into `kinds`, `sites`), enabled."""

    version: str
    number: NDArray[np.int32]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    division: NDArray[np.bytes_]
    kind: NDArray[np.int32]
    site: NDArray[np.int32]
    enabled: NDArray[np.bool_]
    kinds: list[str]
    sites: list[str]

    def positions(self, numbers: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Where each station number is in the table, and whether it is there at all."""
        if not len(self.number):
            return np.zeros(len(numbers), np.intp), np.zeros(len(numbers), bool)
        at = np.minimum(np.searchsorted(self.number, numbers), len(self.number) - 1)
        return at, self.number[at] == numbers


def table_of(row: Any, version: str) -> StationTable:
    """The table of the one row that `TABLE_SQL` gives."""
    kinds, sites, raw = row
    rows = np.frombuffer(bytes(raw), _ROW)
    division = np.char.rstrip(rows["division"]).astype("S12") if len(rows) else np.zeros(0, "S12")
    return StationTable(
        version,
        rows["number"].astype(np.int32),
        rows["lon"].astype(np.float64),
        rows["lat"].astype(np.float64),
        division,
        rows["kind"].astype(np.int32) - 1,
        rows["site"].astype(np.int32) - 1,
        rows["enabled"] != 0,
        list(kinds),
        list(sites),
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
                    cursor.execute(TABLE_SQL)
                    self._table = table_of(cursor.fetchone(), version)
            self._checked = time.monotonic()
            return self._table


stations = Stations()


def read_latest() -> Latest:
    """The latest values of all partitions, straight from the blobs."""
    with connection.cursor() as cursor:
        cursor.execute("select data from collect_latestblock order by partition")
        return Latest.from_bytes([bytes(row[0]) for row in cursor.fetchall()])
