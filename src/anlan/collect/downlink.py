"""Commands down: rows of ``collect_devicecommand`` reach devices, and their answers reach the rows.

A command is claimed (state ``sent``, with its packet identifier) by the gateway that holds the
device's line, so nothing is lost with a gateway, the log or the device: what was not acknowledged
is sent again. ``NOTIFY anlan_command`` (payload: device id) makes it quick, a look every few seconds makes it sure.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import orjson
import psycopg
from psycopg.types.json import Jsonb

from ..base.clock import from_ms, now_ms
from ..base.errors import EngineAway
from .database import Line
from .directory import Device
from .faults import Fault
from .framer import Receipt
from .letters import Letters

LOOK_S = 5.0  # a look for missed announcements, and for what has expired
BATCH = 500
FINAL = ("done", "failed")

_RETURNING = "c.id, c.device_id, c.action, c.payload, (extract(epoch from c.expires_at) * 1000)::bigint, c.qos, c.packet_id, c.created_at"
_CLAIM = f"""
with next as (
    select id from collect_devicecommand where device_id = any(%(ids)s) and state = 'waiting' and expires_at > %(now)s
    order by created_at, id limit {BATCH} for update skip locked
)
update collect_devicecommand c set state = 'sent', sent_at = %(now)s, updated_at = %(now)s,
    packet_id = case when c.qos > 0 and c.device_id = any(%(acknowledging)s) then nextval('collect_packet_id') end
from next where c.id = next.id returning {_RETURNING}"""
_UNACKED = f"""
select {_RETURNING} from collect_devicecommand c
where device_id = %(device)s and state = 'sent' and packet_id is not null and expires_at > %(now)s order by sent_at, created_at, id"""
_AGAIN = (
    "update collect_devicecommand set state = 'waiting', packet_id = null where device_id = %s and state = 'sent' and packet_id is not null"
)
_ACKED = """
with hit as (
    update collect_devicecommand set acked_at = coalesce(acked_at, %(now)s), updated_at = %(now)s,
        state = case when state in ('waiting', 'sent') then 'acknowledged' else state end
    where id = any(%(ids)s) returning id, device_id, division_code, state
)
insert into engines_outbox (key, type, subject, division_code, payload, cause, created_at)
select 'collect.command.acknowledged:' || id, 'collect.command.acknowledged', id, division_code,
    jsonb_build_object('device', device_id, 'state', state, 'reply', '{}'::jsonb), '{}', %(now)s
from hit on conflict (key) do nothing"""
_REPLIED = """
with hit as (
    update collect_devicecommand set reply = %(reply)s, replied_at = %(now)s, updated_at = %(now)s, acked_at = coalesce(acked_at, %(now)s),
        state = case when %(state)s::text in ('done', 'failed') then %(state)s::text
                     when state in ('waiting', 'sent') then 'acknowledged' else state end
    where id = %(id)s and device_id = %(device)s returning id, device_id, division_code
)
insert into engines_outbox (key, type, subject, division_code, payload, cause, created_at)
select 'collect.command.replied:' || id || ':' || %(state)s::text, 'collect.command.replied', id, division_code,
    jsonb_build_object('device', device_id, 'state', %(state)s::text, 'reply', %(reply)s::jsonb), '{}', %(now)s
from hit on conflict (key) do update set key = excluded.key returning id"""
_EXPIRED = """
with hit as (
    update collect_devicecommand set state = 'expired', updated_at = %(now)s
    where state in ('waiting', 'sent') and expires_at <= %(now)s returning id, device_id, division_code
)
insert into engines_outbox (key, type, subject, division_code, payload, cause, created_at)
select 'collect.command.expired:' || id, 'collect.command.expired', id, division_code,
    jsonb_build_object('device', device_id, 'state', 'expired', 'reply', '{}'::jsonb), '{}', %(now)s
from hit on conflict (key) do nothing"""
_SESSION = "select s.session from collect_devicestate s where s.device_id = %s"
_SESSIONS = "select device_id, session from collect_devicestate where session is not null"
_KEEP = """
insert into collect_devicestate (device_id, online, seen_at, address, error, gateway, session)
select id, false, %(now)s, '', '', '', %(session)s from register_device where id = %(device)s
on conflict (device_id) do update set session = excluded.session"""


@dataclass(frozen=True, slots=True)
class Down:
    """One command on its way: its message, QoS wanted, packet identifier (0: none)."""

    id: str
    message: bytes
    qos: int
    packet_id: int


class Peer(Protocol):
    """A device's line, as the downlink sees it. `granted`: QoS of its subscription, None without one."""

    device: Device
    granted: int | None

    def deliver(self, commands: list[Down], dup: bool) -> None:
        """Send these now."""
        ...


@dataclass(slots=True)
class _Reply:
    peer: Device
    id: str
    state: str
    document: dict[str, Any]
    payload: bytes
    receipt: Receipt | None


class Downlink:
    """Claims, sends, notes acknowledgements and replies. `quick`: a line without sync; `sure`: with."""

    def __init__(self, quick: Line, sure: Line, letters: Letters):
        self._quick, self._sure, self._letters = quick, sure, letters
        self._peers: dict[str, Peer] = {}
        self._called: set[str] = set()
        self._wake, self._answered = asyncio.Event(), asyncio.Event()
        self._acked: list[str] = []
        self._replies: list[_Reply] = []
        self._sessions: dict[str, int | None] = {}
        self._unsaved: dict[str, int | None] = {}
        self.sent = self.acked_total = self.replied_total = 0

    # Sessions (MQTT: kept over reconnects) -------------------------------------------------------

    async def session(self, device: Device) -> int | None:
        """The stored session: None without one, -1 without subscription, else the QoS granted."""
        if device.id not in self._unsaved:
            with contextlib.suppress(EngineAway):
                rows = await self._quick.rows(_SESSION, (device.id,))
                self._sessions[device.id] = rows[0][0] if rows else None
        return self._sessions.get(device.id)

    async def keep_session(self, device: Device, session: int | None) -> None:
        """Store the session's state (None: discard it); kept in memory until the database takes it."""
        if self._sessions.get(device.id) == session:
            return
        self._sessions[device.id] = self._unsaved[device.id] = session
        with contextlib.suppress(EngineAway):
            await self._save_sessions()

    async def load_sessions(self) -> None:
        """Know which devices have a stored session; EngineAway when the database is away."""
        stored = dict(await self._quick.rows(_SESSIONS))
        self._sessions = {**stored, **self._unsaved}

    async def _save_sessions(self) -> None:
        for device_id, session in list(self._unsaved.items()):
            await self._sure.rows(_KEEP, {"session": session, "device": device_id, "now": _now()})
            if self._unsaved.get(device_id) == session:
                self._unsaved.pop(device_id, None)

    # Lines ---------------------------------------------------------------------------------------

    def attach(self, peer: Peer) -> None:
        """The device's line stands here from now on."""
        self._peers[peer.device.id] = peer

    def detach(self, peer: Peer) -> None:
        """The line is gone (a newer one of the same device stays)."""
        if self._peers.get(peer.device.id) is peer:
            del self._peers[peer.device.id]

    async def resume(self, peer: Peer, fresh: bool) -> None:
        """Send what was not acknowledged: as repeats in a kept session, as new ones in a `fresh` one."""
        try:
            if fresh:
                await self._quick.rows(_AGAIN, (peer.device.id,))
            else:
                self._send(peer, await self._quick.rows(_UNACKED, {"device": peer.device.id, "now": _now()}), dup=True)
        except EngineAway:
            pass  # the look every few seconds finds what waits
        self.call(peer.device.id)

    # Announcements -------------------------------------------------------------------------------

    def call(self, device_id: str) -> None:
        """Something may wait for this device."""
        if device_id in self._peers:
            self._called.add(device_id)
            self._wake.set()

    def call_all(self) -> None:
        """Something may wait for any of the devices here."""
        self._called.update(self._peers)
        self._wake.set()

    async def run(self) -> None:
        """Send commands for ever."""
        loop = asyncio.get_running_loop()
        look = loop.time() + LOOK_S
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(0.0, look - loop.time()))
            if loop.time() >= look:
                self.call_all()
                look = loop.time() + LOOK_S
            self._wake.clear()
            called, self._called = self._called, set()
            try:
                await self._claim([i for i in called if (p := self._peers.get(i)) is not None and p.granted is not None])
            except EngineAway:
                self._called |= called
                self._wake.set()
                await asyncio.sleep(0.2)

    async def _claim(self, ids: list[str]) -> None:
        while ids:
            acknowledging = [i for i in ids if (p := self._peers.get(i)) is not None and p.granted]
            rows = await self._quick.rows(_CLAIM, {"ids": ids, "acknowledging": acknowledging, "now": _now()})
            for row in sorted(rows, key=lambda r: (r[7], r[0])):
                peer = self._peers.get(row[1])
                if peer is not None:
                    self._send(peer, [row], dup=False)
            if len(rows) < BATCH:
                return

    def _send(self, peer: Peer, rows: list[tuple[Any, ...]], dup: bool) -> None:
        commands = []
        for id_, _, action, payload, expires_ms, qos, packet_id, _ in rows:
            extra = payload if isinstance(payload, dict) else {}
            message = orjson.dumps({**extra, "id": id_, "action": action, "expires_ms": expires_ms})
            commands.append(Down(id_, message, qos, packet_id or 0))
        self.sent += len(commands)
        peer.deliver(commands, dup)

    # Answers -------------------------------------------------------------------------------------

    def acknowledged(self, command_id: str) -> None:
        """The device has the command (PUBACK)."""
        self._acked.append(command_id)
        self._answered.set()

    def replied(self, device: Device, payload: bytes, receipt: Receipt | None) -> None:
        """The device's own reply; `receipt` is settled when it is stored (or kept as a dead letter)."""
        try:
            document = orjson.loads(payload)
            command_id, state = document["id"], document["state"]
            if not isinstance(command_id, str) or not isinstance(state, str) or not 0 < len(state) <= 20 or b"\\u0000" in payload:
                raise ValueError("id, state or U+0000")
        except (ValueError, KeyError, TypeError) as error:
            fault = Fault("collect.bad_reply", f"{type(error).__name__} {error}"[:120])
            self._letter(fault, device, payload, receipt)
            return
        if receipt is not None:
            receipt.left += 1
        self._replies.append(_Reply(device, command_id, state, document, payload, receipt))
        self._answered.set()

    def _letter(self, fault: Fault, device: Device, payload: bytes, receipt: Receipt | None) -> None:
        self._letters.add(
            fault,
            source="mqtt",
            device=device.client_id,
            division=device.division_code,
            topic=f"reply/{device.client_id}",
            payload=payload,
            receipt=receipt,
        )

    async def run_answers(self) -> None:
        """Store acknowledgements, replies and expiries for ever."""
        loop = asyncio.get_running_loop()
        look = loop.time() + LOOK_S
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._answered.wait(), max(0.0, look - loop.time()))
            self._answered.clear()
            try:
                await self.flush()
                if loop.time() >= look:
                    look = loop.time() + LOOK_S
                    await self._save_sessions()
                    await self.load_sessions()
                    await self._sure.rows(_EXPIRED, {"now": _now()})
            except EngineAway:
                self._answered.set()
                await asyncio.sleep(0.5)

    async def flush(self) -> None:
        """Store all answers held; EngineAway keeps them."""
        acked, self._acked = self._acked, []
        replies, self._replies = self._replies, []
        if not acked and not replies:
            return
        try:
            unknown = await self._store(acked, replies)
        except EngineAway:
            self._acked[:0], self._replies[:0] = acked, replies
            raise
        except psycopg.Error:
            unknown = await self._store_each(acked, replies)
        self.acked_total += len(acked)
        self.replied_total += len(replies) - len(unknown)
        for r in unknown:
            self._letter(Fault("collect.unknown_command", r.id[:80]), r.peer, r.payload, r.receipt)
        for r in replies:
            if r.receipt is not None:
                r.receipt.release()

    async def _store(self, acked: list[str], replies: list[_Reply]) -> list[_Reply]:
        """One transaction; returns the replies that fit no command."""
        unknown = []
        async with self._sure.transaction() as connection:
            if acked:
                await connection.execute(_ACKED, {"ids": acked, "now": _now()})
            for r in replies:
                values = {"id": r.id, "device": r.peer.id, "state": r.state, "reply": Jsonb(r.document), "now": _now()}
                cursor = await connection.execute(_REPLIED, values)
                if not cursor.rowcount:
                    unknown.append(r)
        return unknown

    async def _store_each(self, acked: list[str], replies: list[_Reply]) -> list[_Reply]:
        """The database refused something: each reply alone, so that one cannot stop the others for ever."""
        unknown = await self._store(acked, []) if acked else []
        for r in replies:
            try:
                unknown += await self._store([], [r])
            except psycopg.Error as error:
                self._letter(Fault("collect.bad_reply", str(error).splitlines()[0][:120]), r.peer, r.payload, r.receipt)
        return unknown


def _now() -> datetime:
    """The house's clock (never the database's): a story may run it in the past."""
    return from_ms(now_ms())
