"""What the gateway knows of each device's line: online, address, last error; written in batches.

Only changes are written (every `EVERY_S`), never one row per reading: when a device last *reported* is
in the latest values. ``seen_at`` is when its state last changed. Each change from or to online makes the
event ``collect.device.connected`` or ``.disconnected``.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from ..base.clock import now_ms
from ..base.errors import EngineAway
from .database import Line
from .faults import Fault

EVERY_S = 2.0
ERROR_KEPT_MS = 600_000  # an error without a repeat is taken off the screen after ten minutes
GRACE_S = 45.0  # after a start, devices of this gateway that have not come back by then are offline

_WRITE = """
with given as (
    select * from unnest(%s::text[], %s::bool[], %s::bigint[], %s::text[], %s::text[], %s::bigint[])
      as g(client_id, online, seen_ms, address, error, error_ms)
), wanted as (
    select d.id as device_id, d.division_code, g.* from given g join register_device d on d.client_id = g.client_id
), before as (
    select s.device_id, s.online from collect_devicestate s join wanted using (device_id)
), stored as (
    insert into collect_devicestate (device_id, online, seen_at, address, error, error_at, gateway, session)
    select device_id, online, to_timestamp(seen_ms / 1000.0), address, error, to_timestamp(nullif(error_ms, 0) / 1000.0), %s, null
    from wanted
    on conflict (device_id) do update set online = excluded.online, seen_at = excluded.seen_at, address = excluded.address,
        error = excluded.error, error_at = excluded.error_at, gateway = excluded.gateway
    returning 1
)
insert into engines_outbox (key, type, subject, division_code, payload, cause, created_at)
select t || ':' || w.device_id || ':' || w.seen_ms, t, w.device_id, w.division_code, jsonb_build_object('address', w.address), '{}',
    to_timestamp(w.seen_ms / 1000.0)
from wanted w left join before b using (device_id)
cross join lateral (select case when w.online then 'collect.device.connected' else 'collect.device.disconnected' end) k(t)
where w.online is distinct from coalesce(b.online, false)
on conflict (key) do nothing"""
_LEFT = """
select d.client_id from collect_devicestate s join register_device d on d.id = s.device_id
where s.online and s.gateway = %s"""


@dataclass(slots=True)
class _State:
    online: bool = False
    seen_ms: int = 0
    address: str = ""
    error: str = ""
    error_ms: int = 0


class States:
    """Line states of the devices this gateway has met."""

    def __init__(self, line: Line, gateway: str):
        self._line, self._gateway = line, gateway
        self._states: dict[str, _State] = {}
        self._dirty: set[str] = set()
        self.online = 0

    def connected(self, client_id: str, address: str) -> None:
        """The device has logged in."""
        state = self._state(client_id)
        self.online += not state.online
        state.online, state.seen_ms, state.address = True, now_ms(), address
        self._dirty.add(client_id)

    def disconnected(self, client_id: str) -> None:
        """The device's line is gone."""
        state = self._state(client_id)
        self.online -= state.online
        state.online, state.seen_ms = False, now_ms()
        self._dirty.add(client_id)

    def noticed(self, client_id: str, fault: Fault) -> None:
        """Something of this device could not be taken."""
        state = self._state(client_id)
        at = now_ms()
        sentence = f"{fault.zh}|{fault.en}"
        if state.error != sentence or at - state.error_ms > 60_000:
            state.error, state.error_ms = sentence[:1000], at
            self._dirty.add(client_id)

    def _state(self, client_id: str) -> _State:
        state = self._states.get(client_id)
        if state is None:
            state = self._states[client_id] = _State(seen_ms=now_ms())
        return state

    async def run(self) -> None:
        """Write changes for ever."""
        start, tidied = asyncio.get_running_loop().time(), False
        while True:
            await asyncio.sleep(EVERY_S)
            self._forget_old_errors()
            with contextlib.suppress(EngineAway):
                await self.flush()
                if not tidied and asyncio.get_running_loop().time() - start > GRACE_S:
                    await self._mark_lost()
                    tidied = True

    async def flush(self) -> None:
        """Write what has changed; EngineAway keeps it for later."""
        names = [n.replace("\0", "") for n in self._dirty]
        if not names:
            return
        self._dirty = set()
        states = [self._states.get(n) or _State() for n in names]
        try:
            await self._line.rows(
                _WRITE,
                (
                    names,
                    [s.online for s in states],
                    [s.seen_ms for s in states],
                    [s.address for s in states],
                    [s.error.replace("\0", "") for s in states],
                    [s.error_ms for s in states],
                    self._gateway,
                ),
            )
        except EngineAway:
            self._dirty.update(names)
            raise
        if len(self._states) > 200_000:
            self._states = {n: s for n, s in self._states.items() if s.online or s.error}

    async def _mark_lost(self) -> None:
        """Devices that were online here before a crash and have not come back."""
        for (client_id,) in await self._line.rows(_LEFT, (self._gateway,)):
            if client_id not in self._states:
                self.disconnected(client_id)
        await self.flush()

    def _forget_old_errors(self) -> None:
        limit = now_ms() - ERROR_KEPT_MS
        for name, state in self._states.items():
            if state.error and state.error_ms < limit:
                state.error, state.error_ms = "", 0
                self._dirty.add(name)
