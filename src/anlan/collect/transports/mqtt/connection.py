"""One device's MQTT connection: an asyncio protocol around the codec.

Input is handled a chunk at a time: all messages of a chunk share one `Receipt`, whose answer is their
PUBACKs in order; receipts are answered in the order they came in.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, cast

from ....base.clock import now_ms
from ....base.errors import EngineAway
from ... import foreign
from ...contract import MAX_MESSAGE, Front
from ...directory import Device
from ...downlink import Down
from ...faults import Fault
from ...framer import Receipt
from ...logins import Login
from .._listener import Peer
from . import codec

if TYPE_CHECKING:
    from . import Mqtt

STRANGER_BYTES = 4096  # a CONNECT fits easily
MOST_UNANSWERED = 4 * 4000  # bytes of PUBACKs owed (4000 messages) before reading stops
MOST_UNREAD = 1024 * 1024  # bytes written and not read by the device
_RETAIN = 1
_QOS1 = (0x32, 0x3A)  # first byte of a QoS 1 PUBLISH, and with DUP


class Connection(Peer):
    """State of one connection; `device` is None until the log-in is accepted."""

    granted: int | None = None

    def __init__(self, front: Front, house: Mqtt):
        super().__init__(front, house)
        self.house = house
        self.device: Device = cast(Device, None)
        self._split = codec.Splitter(MAX_MESSAGE)
        self._order: deque[Receipt] = deque()
        self._owed = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._inflight: dict[int, str] = {}
        self._backlog: list[tuple[int, bytes]] = []
        self._stage = "new"  # new, login, up, closed
        self._up = b""
        self._clean = True
        self._keep_s = 0.0
        self._stalled = 0.0
        self._done = self._done_then = 0

    # asyncio ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A stranger has come."""
        super().connection_made(transport)
        self.front.count("mqtt_connections_total")
        if self.closed:
            self._stage = "closed"

    def data_received(self, data: bytes) -> None:
        """Bytes have come, in any pieces."""
        self._seen = self._loop.time()
        packets = self._split.feed(data)
        if self._stage == "up":
            self._handle(packets)
        elif self._stage == "login":
            self._backlog += packets
        elif self._stage == "new" and packets:
            self._first(packets)
        elif self._stage == "new" and (self._split.waiting > STRANGER_BYTES or self._split.first not in (-1, codec.CONNECT << 4)):
            self._broken(codec.BadPacket("first packet is no CONNECT, or too large"))  # [MQTT-3.1.0-1]
        if self._split.error is not None and self._stage not in ("closed", "login"):
            self._broken(self._split.error)

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is gone; what was taken stays taken."""
        super().connection_lost(exc)
        if self.device is not None:
            self.front.downlink.detach(self)
            if self.house.by_client.get(self.device.client_id) is self:
                del self.house.by_client[self.device.client_id]
                self.front.states.disconnected(self.device.client_id)
        self._stage = "closed"
        self._order.clear()
        self._inflight.clear()

    def check(self, now: float) -> None:
        """End this connection if it is too slow or silent."""
        if self._stage == "new" and self._late(now):
            self.front.count("mqtt_connect_timeouts_total")
            self._transport.abort()
        if self._unread(now):
            self.front.count("mqtt_slow_readers_total")
            self._transport.abort()
        if self._stage != "up" or self._paused:
            self._stalled = 0.0
            return
        if self._keep_s and now - self._seen > 1.5 * self._keep_s:  # [MQTT-3.1.2-24]
            self.front.count("mqtt_keep_alive_timeouts_total")
            self._transport.abort()
        if not self._split.waiting or self._done != self._done_then:
            self._stalled, self._done_then = 0.0, self._done
        elif not self._stalled:
            self._stalled = now
        elif self._overdue(self._stalled, now):
            self._end(Fault("collect.bad_packet", f"packet not complete within {now - self._stalled:.0f} s"))

    def leave(self) -> None:
        """See `Peer`."""
        self._stage = "closed"
        super().leave()

    # Log-in -------------------------------------------------------------------------------------

    def _first(self, packets: list[tuple[int, bytes]]) -> None:
        head, body = packets[0]
        try:
            if head >> 4 != codec.CONNECT:
                raise codec.BadPacket("first packet is no CONNECT")  # [MQTT-3.1.0-1]
            asked = codec.read_connect(head, body)
        except codec.BadVersion as error:
            self._turn_away(codec.BAD_VERSION, Fault("collect.bad_packet", str(error)))
            return
        except codec.BadPacket as error:
            self._broken(error)
            return
        if not asked.client_id and foreign.token(asked.username, asked.password) is None:
            self._turn_away(codec.BAD_CLIENT_ID, Fault("collect.wrong_credential", "empty client id"))  # [MQTT-3.1.3-8]
            return
        self._stage, self._backlog = "login", packets[1:]
        self.pause("login")
        self._spawn(self._log_in(asked))

    async def _log_in(self, asked: codec.Connect) -> None:
        given = foreign.token(asked.username, asked.password)  # an access token names the device, whatever the client id is
        client_id, username, secret = (
            (given[0], None, given[1]) if given else (asked.client_id, asked.username or "", asked.password or b"")
        )
        try:
            host = self.address.rpartition(":")[0]
            login = await self.front.logins.check(client_id, username, secret, host)
            if login.device is None:
                self._refuse_login(client_id, login)
                return
            if asked.will_topic is not None:
                self._turn_away(codec.NOT_AUTHORISED, Fault("collect.will", asked.will_topic[:80]), client_id)
                return
            present, granted = await self._session(login.device, asked.clean)
        except EngineAway:
            self._turn_away(codec.UNAVAILABLE, None)
            return
        if self._transport.is_closing():
            return
        self._welcome(asked, login.device, present, granted)

    async def _session(self, device: Device, clean: bool) -> tuple[bool, int | None]:
        """Session present, and the QoS of its subscription ([MQTT-3.1.2-4], [MQTT-3.1.2-6])."""
        downlink = self.front.downlink
        if clean:
            await downlink.keep_session(device, None)
            return False, None
        stored = await downlink.session(device)
        if stored is None:
            await downlink.keep_session(device, -1)
            return False, None
        return True, stored if stored >= 0 else None

    def _welcome(self, asked: codec.Connect, device: Device, present: bool, granted: int | None) -> None:
        self._admit()
        self.device, self.granted, self._clean = device, granted, asked.clean
        self._keep_s = float(asked.keep_alive_s)
        self._up = codec.field(f"up/{device.client_id}".encode())
        older = self.house.by_client.get(device.client_id)
        self.house.by_client[device.client_id] = self
        if older is not None:  # [MQTT-3.1.4-2]
            self.front.count("mqtt_taken_over_total")
            self.front.downlink.detach(older)
            older.leave()
        self._stage = "up"
        self._transport.write(codec.connack(codec.ACCEPTED, present))
        self.front.states.connected(device.client_id, self.address)
        self.front.downlink.attach(self)
        if not asked.clean:
            self._spawn(self.front.downlink.resume(self, fresh=not present))
        backlog, self._backlog = self._backlog, []
        self._handle(backlog)
        if self._split.error is not None and self._stage == "up":
            self._broken(self._split.error)
        self.resume("login")

    def _refuse_login(self, client_id: str, login: Login) -> None:
        self.front.count("mqtt_logins_refused_total")
        code = codec.NOT_AUTHORISED if login.limited or login.reason == "device disabled" else codec.BAD_LOGIN
        fault = Fault("collect.too_many_logins" if login.limited else "collect.wrong_credential", f"{login.reason}: {client_id[:80]!r}")
        self._turn_away(code, fault, client_id)

    def _turn_away(self, code: int, fault: Fault | None, client_id: str = "") -> None:
        """CONNACK with a reason, and close ([MQTT-3.2.2-5])."""
        if fault is not None:
            self.front.stranger(fault, "mqtt", self.address, client_id)
        if not self._transport.is_closing():
            self._transport.write(codec.connack(code))
            self._transport.close()

    # Packets ------------------------------------------------------------------------------------

    def _handle(self, packets: list[tuple[int, bytes]]) -> None:
        """All packets of a chunk; the fast lane is a QoS 1 PUBLISH to the own topic."""
        front, device, up = self.front, self.device, self._up
        n, before = len(up), front.framer.rows_total
        receipt, window = Receipt(self), front.window()
        answer = receipt.answer = bytearray()
        self._done += len(packets)
        try:
            for head, body in packets:
                if head in _QOS1 and body.startswith(up):
                    pid = body[n : n + 2]
                    if len(pid) != 2 or pid == b"\0\0":
                        raise codec.BadPacket("packet identifier 0")  # [MQTT-2.3.1-1]
                    front.take(device, body[n + 2 :], receipt, "mqtt", "up", window)
                    answer += b"\x40\x02" + pid
                else:
                    self._other(head, body, receipt, window)
                    if self._stage != "up":
                        break
        except codec.BadPacket as error:
            self._broken(error)
        finally:
            front.framer.join(receipt)
            if answer:
                self._owed += len(answer)
                self._order.append(receipt)
            receipt.release()
        if front.framer.full and front.framer.rows_total != before and self._stage == "up":  # a siren's answers still come in
            self.pause("full")
            front.framer.when_room(lambda: self.resume("full"))
        if self._owed > MOST_UNANSWERED:
            self.pause("owed")

    def settled(self, receipt: Receipt) -> None:
        """A chunk is durable: answer it, and those behind it that are, in order."""
        order, out = self._order, b""
        while order and not order[0].left:
            first = order.popleft()
            out += first.answer
            self.front.answers.add(self._loop.time() - first.since)
        if out:
            self._owed -= len(out)
            if not self._transport.is_closing():
                self._transport.write(out)
            if self._owed <= MOST_UNANSWERED // 2 and "owed" in self._paused:
                self.resume("owed")

    def _other(self, head: int, body: bytes, receipt: Receipt, window: tuple[int, int]) -> None:
        kind = head >> 4
        if kind == codec.PUBLISH:
            self._publish(head, body, receipt, window)
        elif kind == codec.PUBACK:
            command = self._inflight.pop(codec.read_ack(head, body), None)
            if command is not None:
                self.front.downlink.acknowledged(command)
        elif kind == codec.SUBSCRIBE:
            self._subscribe(*codec.read_subscribe(head, body))
        elif kind == codec.UNSUBSCRIBE:
            self._unsubscribe(*codec.read_unsubscribe(head, body))
        elif kind == codec.PINGREQ:
            codec.read_empty(head, body)
            self._transport.write(codec.PINGRESP_PACKET)
        elif kind == codec.DISCONNECT:
            codec.read_empty(head, body)
            self.leave()
        else:
            raise codec.BadPacket(f"packet type {kind} here")  # [MQTT-3.1.0-2] a second CONNECT, QoS 2 packets, server's packets

    def _publish(self, head: int, body: bytes, receipt: Receipt, window: tuple[int, int]) -> None:
        topic, qos, pid, payload = codec.read_publish(head, body)
        own = self.device.client_id
        if head & _RETAIN:
            self._end(Fault("collect.retained", topic[:200]), payload, topic)
        elif qos == 2:
            self._end(Fault("collect.qos2", topic[:200]), payload, topic)
        elif topic == f"up/{own}":
            self.front.take(self.device, payload, receipt, "mqtt", "up", window)
        elif topic == f"reply/{own}":
            self.front.downlink.replied(self.device, payload, receipt if qos else None)
        elif topic == foreign.TELEMETRY:
            self.front.take(self.device, foreign.telemetry(payload, now_ms()), receipt, "mqtt", topic, window)
        elif topic == foreign.ATTRIBUTES:
            self.front.count("mqtt_attributes_total")  # facts about the device, no readings
        else:
            self._end(Fault("collect.foreign_topic", repr(topic)[:200]), payload, topic)  # [MQTT-3.3.5-2]
        if qos == 1 and self._stage == "up":
            receipt.answer += codec.puback(pid)  # type: ignore[operator]

    def _subscribe(self, pid: int, pairs: list[tuple[str, int]]) -> None:
        """Only the own command topic; others are refused in the SUBACK ([MQTT-3.8.4-5], [MQTT-3.8.3-2])."""
        own, codes, got = f"down/{self.device.client_id}", [], None
        for topic, qos in pairs:
            if topic == own:
                got = min(qos, 1)
                codes.append(got)
            elif topic.startswith("v1/devices/me/"):
                codes.append(0)  # granted, so that devices made for that platform go on; commands come on the own topic only
            else:
                codes.append(codec.REFUSED)
                self.front.refuse([Fault("collect.foreign_filter", repr(topic)[:200])], self.device, b"", None, "mqtt", topic)
        self._spawn(self._subscribed(pid, codes, got))

    async def _subscribed(self, pid: int, codes: list[int], got: int | None) -> None:
        fresh = got is not None and self.granted is None and self._clean
        if got is not None and not self._clean:
            await self.front.downlink.keep_session(self.device, got)
        if self._stage != "up":
            return
        if got is not None:
            self.granted = got
        self._transport.write(codec.suback(pid, codes))
        if fresh:
            await self.front.downlink.resume(self, fresh=True)
        elif got is not None:
            self.front.downlink.call(self.device.id)

    def _unsubscribe(self, pid: int, filters: list[str]) -> None:
        if f"down/{self.device.client_id}" in filters:
            self.granted = None
            if not self._clean:
                self._spawn(self.front.downlink.keep_session(self.device, -1))
        self._transport.write(codec.unsuback(pid))

    def deliver(self, commands: list[Down], dup: bool) -> None:
        """Commands down; a device that does not read is cut off (its commands stay in the database)."""
        topic = f"down/{self.device.client_id}"
        for command in commands:
            if command.packet_id:
                self._inflight[command.packet_id] = command.id
            self._transport.write(codec.publish(topic, command.message, 1 if command.packet_id else 0, command.packet_id, dup))
        if self._transport.get_write_buffer_size() > MOST_UNREAD:
            self._transport.abort()

    # Ends ---------------------------------------------------------------------------------------

    def _broken(self, error: codec.BadPacket) -> None:
        """Bytes that are no MQTT, or too many of them: close ([MQTT-4.8.0-1])."""
        if isinstance(error, codec.TooLarge) and self.device is not None:
            self._end(Fault("collect.too_large", str(error.size)))
        else:
            self._end(Fault("collect.bad_packet", str(error)))

    def _end(self, fault: Fault, payload: bytes = b"", topic: str = "") -> None:
        """Keep the reason, close."""
        if self._stage == "closed":
            return
        if self.device is not None:
            self.front.refuse([fault], self.device, payload, None, "mqtt", topic)
        else:
            self.front.stranger(fault, "mqtt", self.address)
        self.leave()

    def _spawn(self, work: object) -> None:
        task = self._loop.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: object) -> None:
        with contextlib.suppress(EngineAway):
            await work  # type: ignore[misc]
