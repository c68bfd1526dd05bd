"""The gateway's own view of the register: who may log in, and what each key of a device feeds.

Loaded whole from PostgreSQL as compact records (about 0.4 kB a device), kept when the database is
away, renewed on ``NOTIFY anlan_register`` (payload ``table|client ids``, or ``table|*`` for bulk changes).
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import psycopg

from ..base.errors import EngineAway, FieldError
from ..base.quantity import BY_NUMBER, scale
from ..engines.memory import give_back
from .database import AWAY
from .intake import Feed

_DEVICES = """
select d.client_id, convert_to(json_build_array(d.id, d.username, d.secret_hash, d.kind, d.division_code, d.enabled, d.protocol, coalesce(
    (select json_agg(json_build_array(f.key, f.unit, t.number, s.quantity, i.partition) order by f.key)
     from register_deviceseries f join register_series s on s.id = f.series_id
     join register_station t on t.id = s.station_id and t.enabled join register_site i on i.id = t.site_id
     where f.device_id = d.id), '[]'::json))::text, 'UTF8')
from register_device d"""
_STATIONS = """
select t.number, i.partition, t.division_code, coalesce(bit_or(1::bigint << s.quantity), 0)
from register_station t join register_site i on i.id = t.site_id left join register_series s on s.station_id = t.id
where t.enabled group by 1, 2, 3"""
UNKNOWN_KEPT_S = 3.0  # an unknown client id is not looked up again before
LOOKUPS_PER_S = 50  # single look-ups; above this unknown ids are refused without asking the database
QUIET_S = 0.2  # changes of the register are gathered this long before they are read


class Device:
    """A device as the gateway needs it; the object stays, its facts are renewed in place."""

    __slots__ = (
        "__weakref__",
        "client_id",
        "division_code",
        "enabled",
        "feeds",
        "id",
        "kind",
        "protocol",
        "record",
        "secret_hash",
        "username",
        "wrong_units",
    )

    def __init__(self, client_id: str, record: bytes, lanes: int):
        self.client_id = client_id
        self.renew(record, lanes)

    def renew(self, record: bytes, lanes: int) -> None:
        """Take over what the register says now."""
        self.record = record
        facts = orjson.loads(record)
        self.id, self.username, self.secret_hash, self.kind, self.division_code, self.enabled, self.protocol, feeds = facts
        self.feeds: dict[str, Feed] = {}
        wrong = set()
        for key, unit, station, quantity, partition in feeds:
            try:
                of = BY_NUMBER[quantity]
                factor, offset = scale(unit, of) if unit else (1.0, 0.0)
                self.feeds[key] = (partition % lanes, station, quantity, factor, offset)
            except (KeyError, FieldError):
                wrong.add(key)
        self.wrong_units = frozenset(wrong)


class Stations:
    """All stations by their number, as arrays: lane (-1 unknown), bit mask of quantities, division code."""

    def __init__(self, rows: list[tuple[int, int, str, int]], lanes: int):
        size = max((r[0] for r in rows), default=0) + 1
        self.lane = np.full(size, -1, np.int8)
        self.quantities = np.zeros(size, np.int64)
        self.division = np.zeros(size, "S12")
        for number, partition, division, mask in rows:
            self.lane[number] = partition % lanes
            self.quantities[number] = mask
            self.division[number] = division.encode()

    def scope(self, prefix: str) -> np.ndarray | None:
        """Which stations lie in the division `prefix`; None for all."""
        return np.char.startswith(self.division, prefix.encode()) if prefix else None


class Directory:
    """Devices by client id, stations by number; `changed(device)` is called when a living one was changed."""

    def __init__(self, url: str, lanes: int):
        self.url, self.lanes = url, lanes
        self.records: dict[str, bytes] = {}
        self.stations = Stations([], lanes)
        self.loaded = False
        self.version = 0
        self.changed: Callable[[Device], None] = lambda device: None
        self._living: weakref.WeakValueDictionary[str, Device] = weakref.WeakValueDictionary()
        self._unknown: dict[str, float] = {}
        self._stale: set[str] = set()
        self._stale_all = self._stale_stations = False
        self._wake = asyncio.Event()
        self._tokens, self._token_time = float(LOOKUPS_PER_S), time.monotonic()

    def get(self, client_id: str) -> Device | None:
        """The device, from memory."""
        device = self._living.get(client_id)
        if device is None:
            record = self.records.get(client_id)
            if record is None:
                return None
            device = self._living[client_id] = Device(client_id, record, self.lanes)
        return device

    async def find(self, client_id: str) -> Device | None:
        """The device, from memory or (rate-limited) from the database; EngineAway when it cannot be asked."""
        device = self.get(client_id)
        if device is not None or len(client_id) > 200:
            return device
        now = time.monotonic()
        if self._unknown.get(client_id, 0.0) > now - UNKNOWN_KEPT_S or not self._token(now):
            return None
        await self._read_some({client_id})
        device = self.get(client_id)
        if device is None:
            if len(self._unknown) > 10_000:
                self._unknown.clear()
            self._unknown[client_id] = now
        return device

    async def renew(self, client_id: str) -> None:
        """Read a device again now (its secret was just changed); EngineAway when the database cannot be asked."""
        await self._read_some({client_id})

    def _token(self, now: float) -> bool:
        self._tokens = min(float(LOOKUPS_PER_S), self._tokens + (now - self._token_time) * LOOKUPS_PER_S)
        self._token_time = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def heard(self, payload: str) -> None:
        """A change of the register was announced."""
        table, _, ids = payload.partition("|")
        if ids in ("", "*"):
            self._stale_all = True
        else:
            self._stale.update(i for i in ids.split("\x1f") if i != "-")
            self._stale_stations |= table in ("register_station", "register_series", "register_site")
        self._wake.set()

    def suspect_all(self) -> None:
        """Something may have been missed: read everything again."""
        self._stale_all = True
        self._wake.set()

    async def load(self) -> None:
        """Read everything; EngineAway when the database is away."""
        self.records = dict(await self._ask(_DEVICES))
        await self._read_stations()
        self.loaded = True
        self._unknown.clear()
        for client_id, device in list(self._living.items()):
            self._renew(client_id, device)

    async def _ask(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return await asyncio.to_thread(_read, self.url, sql, values)
        except AWAY as error:
            raise EngineAway("PostgreSQL", str(error).strip()[:200]) from None

    async def _read_stations(self) -> None:
        rows = await self._ask(_STATIONS)
        self.stations = await asyncio.to_thread(Stations, rows, self.lanes)
        del rows
        self.version += 1
        give_back()

    async def _read_some(self, client_ids: set[str]) -> None:
        asked = list(client_ids)
        records = dict(await self._ask(_DEVICES + " where d.client_id = any(%s)", (asked,)))
        for client_id in asked:
            if client_id in records:
                self.records[client_id] = records[client_id]
                self._unknown.pop(client_id, None)
            else:
                self.records.pop(client_id, None)
            device = self._living.get(client_id)
            if device is not None:
                self._renew(client_id, device)

    def _renew(self, client_id: str, device: Device) -> None:
        record = self.records.get(client_id)
        if record is None:
            device.enabled = False
        elif record != device.record:
            device.renew(record, self.lanes)
        else:
            return
        self.changed(device)

    async def keep_fresh(self) -> None:
        """Follow the register for ever."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(QUIET_S if self.loaded else 0)
            self._wake.clear()
            everything, some, stations = self._stale_all, self._stale, self._stale_stations
            self._stale_all, self._stale, self._stale_stations = False, set(), False
            try:
                if everything or not self.loaded or len(some) > 2000:
                    await self.load()
                else:
                    if stations:
                        await self._read_stations()
                    if some:
                        await self._read_some(some)
            except EngineAway:
                self._stale_all, self._stale = self._stale_all or everything, self._stale | some
                self._stale_stations |= stations
                self._wake.set()
                await asyncio.sleep(1)


def _read(url: str, sql: str, values: tuple[Any, ...]) -> list[Any]:
    with psycopg.connect(url, connect_timeout=5) as connection:
        return connection.cursor(binary=True).execute(sql, values).fetchall()  # type: ignore[arg-type]
