"""TCP for the protocols of `collect.protocols`: one port each, any number of devices behind a connection.

A device is found by the number it says it has (phone, station address, MN, source address), which must be the client id
of an enabled device registered with this protocol. The proposed answer goes out when the message's readings and dead
letters are durable. Every frame is kept raw for a while with what became of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from abc import abstractmethod
from collections import deque

from ...base.clock import now_ms
from ...base.errors import EngineAway
from ..codec import Broken, Codec, Message, codec
from ..contract import Front
from ..directory import Device
from ..faults import Fault
from ..framer import Receipt
from ..intake import sift_samples
from ._listener import Listener, Peer

MOST_OUTSTANDING = 64  # messages of a connection whose answers are owed; more are not read
MOST_DEVICES = 1000  # devices behind one connection
MOST_JUNK = 256 * 1024  # bytes of a connection that were no message since the last good one
KEEP_ALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 20), (socket.TCP_KEEPCNT, 3))  # a dead peer is noticed in two minutes


class ProtocolTcp(Listener["Talk"]):
    """One protocol's port. Subclasses say which, and how a device shows who it is."""

    protocol: str

    async def start(self, front: Front, listener: socket.socket) -> None:
        """Serve on `listener`."""
        self.codec: Codec = codec(self.protocol)
        await super().start(front, listener)

    def peer(self, front: Front) -> Talk:
        """See `Listener`."""
        return Talk(front, self)

    def lines(self, device: Device) -> list[Talk]:
        """See `Listener`."""
        return [talk for talk in self.open if device in talk.known.values()]

    def numbers(self, said: str) -> tuple[str, ...]:
        """The client ids under which a device that calls itself `said` may be registered."""
        return (said,)

    @abstractmethod
    async def meet(self, talk: Talk, message: Message) -> Device | None:
        """Find out who speaks, when `talk` does not know yet. None: the message is not taken (`refuse` was called or answered)."""

    async def find(self, talk: Talk, said: str) -> Device | None:
        """The enabled device of this protocol that is registered under a number; EngineAway when the register is away."""
        for number in self.numbers(said):
            device = await talk.front.directory.find(number)
            if device is not None and device.enabled and device.protocol == self.protocol:
                return device
        return None


class SaidTcp(ProtocolTcp):
    """Devices that say their number, and perhaps a password, with every message."""

    password = ""  # the field that holds it; empty: the protocol has none

    async def meet(self, talk: Talk, message: Message) -> Device | None:
        """Registered with this protocol; the password, where there is one, is the device's secret."""
        device = await self.find(talk, message.device)
        if device is None:
            talk.refuse(message, Fault("collect.unknown_device", repr(message.device)[:80]))
            return None
        if self.password:
            secret = str(message.fields.get(self.password, "")).encode()
            login = await talk.front.logins.check(device.client_id, None, secret, talk.address.rpartition(":")[0])
            if login.device is None:
                word = "collect.too_many_logins" if login.limited else "collect.wrong_credential"
                talk.refuse(message, Fault(word, login.reason), device.client_id)
                return None
        talk.welcome(message.device, device)
        return device


class Talk(Peer):
    """One connection."""

    def __init__(self, front: Front, house: ProtocolTcp):
        super().__init__(front, house)
        self.house = house
        self.known: dict[str, Device] = {}  # by the number the device says
        self.stream = house.codec.stream()
        self._queue: deque[Message | Broken] = deque()
        self._outstanding = self._junk = 0
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has come."""
        super().connection_made(transport)
        plug = transport.get_extra_info("socket")
        if plug is not None:
            with contextlib.suppress(OSError):
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for option, value in KEEP_ALIVE:
                    plug.setsockopt(socket.IPPROTO_TCP, option, value)

    def data_received(self, data: bytes) -> None:
        """Bytes, in any pieces."""
        if self.closed:
            return
        self.stream.received_ms = now_ms()
        self._queue.extend(self.stream.feed(data))
        self._go()

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is gone; what was taken stays taken, what waited was not answered."""
        super().connection_lost(exc)
        self._queue.clear()
        for device in set(self.known.values()):
            if not self.house.lines(device):
                self.front.states.disconnected(device.client_id)

    def check(self, now: float) -> None:
        """End who does not say who it is, and who does not read."""
        if (not self.known and self._late(now) and "meet" not in self._paused) or self._unread(now):
            self._transport.abort()

    # Messages -----------------------------------------------------------------------------------

    def _go(self) -> None:
        while self._queue and not self._paused and not self.closed:
            one = self._queue.popleft()
            if isinstance(one, Broken):
                self._broken(one)
                continue
            self._junk = 0
            device = self.known.get(one.device)
            if device is not None and device.enabled:
                self.take(device, one)
            else:
                self.pause("meet")
                self._task = self._loop.create_task(self._meet(one))

    async def _meet(self, message: Message) -> None:
        try:
            device = await self.house.meet(self, message)
        except EngineAway:
            self.leave()  # cannot be known now: it comes again
            return
        except BaseException:
            self.leave()
            raise
        if device is not None:
            self.take(device, message)
        self.resume("meet")

    def welcome(self, said: str, device: Device) -> None:
        """The device may talk on this connection."""
        if len(self.known) >= MOST_DEVICES:
            self.leave()
            return
        self._admit()
        self.known[said] = device
        self.front.states.connected(device.client_id, self.address)

    def take(self, device: Device, message: Message) -> None:
        """Its readings into the log; the answer when they are there."""
        front = self.front
        receipt = self._receipt(message.answer)
        window = front.window()
        faults = sift_samples(message.samples, device.feeds, window[0], window[1], front.framer.lanes)
        if faults:
            front.refuse(faults, device, message.raw, receipt, self.house.name, message.name)
        self._keep(device.client_id, faults[0].code if faults else "ok", message.raw)
        self._joined(receipt)

    def _broken(self, broken: Broken) -> None:
        """Bytes that are no message: a dead letter; the standard's denial, if it has one, when the letter is kept."""
        fault = Fault("collect.bad_message", f"{broken.code}: {broken.detail}"[:200])
        device = next(iter(self.known.values()), None)
        self._keep(device.client_id if device else "", broken.code, broken.raw)
        self._junk += len(broken.raw)
        if device is None:
            self.front.stranger(fault, self.house.name, self.address)
        else:
            receipt = self._receipt(broken.answer)
            self.front.refuse([fault], device, broken.raw, receipt, self.house.name, broken.code)
            self._joined(receipt)
        if self._junk > MOST_JUNK:
            self.leave()

    def refuse(self, message: Message, fault: Fault, client_id: str = "") -> None:
        """A stranger's message is not taken; the operator sees who tried."""
        self._keep(message.device, fault.code, message.raw)
        self.front.stranger(fault, self.house.name, self.address, client_id)

    def _keep(self, device: str, outcome: str, raw: bytes) -> None:
        self.front.count(f"{self.house.name}_frames_total")
        if self.front.raw is not None:
            self.front.raw.add(self.house.protocol, device, outcome, raw)

    def _receipt(self, answer: bytes) -> Receipt:
        self._outstanding += 1
        return Receipt(self, answer)

    def _joined(self, receipt: Receipt) -> None:
        self.front.framer.join(receipt)
        receipt.release()
        if self._outstanding >= MOST_OUTSTANDING:
            self.pause("owed")
        if self.front.framer.full:
            self.pause("full")
            self.front.framer.when_room(lambda: self.resume("full"))

    def settled(self, receipt: Receipt) -> None:
        """All of a message is durable: answer it."""
        self._outstanding -= 1
        self.write(bytes(receipt.answer))
        if "owed" in self._paused and self._outstanding <= MOST_OUTSTANDING // 2:
            self.resume("owed")

    def write(self, data: bytes) -> None:
        """Bytes to the device, unless the line is gone."""
        if data and not self._transport.is_closing():
            with contextlib.suppress(RuntimeError):
                self._transport.write(data)
