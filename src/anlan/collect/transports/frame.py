"""Framed TCP for collectors and edge gateways: blocks of readings, answered one by one when durable.

All numbers little endian. Hello: ``ANLANFH1``, uint32 length, JSON ``{"client_id", "password"}``. Then blocks:
uint32 length, uint32 sequence (the sender's own number), an ``ANLANRB1`` block (any mix of stations). Each
hello and block is answered by uint32 sequence (0 for the hello), uint32 n, and n bytes of JSON: n = 0 means
taken whole and durable; else ``{"fatal", "faults": [{code, zh, en, count}]}``. Answers may come out of order.
A block with faults is durable too: its good rows are in the log, the others are dead letters. After a
fatal answer the connection is closed. At most 64 blocks may be unanswered; more are not read.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Any, cast

import numpy as np
import orjson

from ...base.block import ReadingBlock
from ...base.errors import AnlanError, EngineAway
from ..contract import CONNECT_S, MAX_MESSAGE, MOST_STRANGERS, STALL_S, Front, Transport, peer_address
from ..directory import Device
from ..faults import Fault
from ..framer import Receipt
from ..intake import sift_block

HELLO = b"ANLANFH1"
MOST_OUTSTANDING = 64
MOST_HELLO = 4096
_NUMBERS = struct.Struct("<II")


class FramedTcp(Transport):
    """Collectors that speak for many stations."""

    name = "frame"
    setting = "FRAME_PORT"
    default_port = 8602

    def __init__(self) -> None:
        self.open: set[Collector] = set()
        self.strangers = 0
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self, front: Front, listener: socket.socket) -> None:
        """Serve on `listener`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Collector(front, self), sock=listener, ssl=front.tls)
        self._sweeper = loop.create_task(self._sweep())

    async def stop_accepting(self) -> None:
        """No new connections, no more input."""
        if self._server is not None:
            self._server.close()
        for connection in self.open:
            connection.pause("stop")

    async def close(self) -> None:
        """Close every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self.open):
            connection.leave()
        await asyncio.sleep(0)

    def connections(self) -> int:
        """Open connections now."""
        return len(self.open)

    def dismiss(self, device: Device) -> None:
        """Close the lines of a collector that may no longer talk."""
        for connection in list(self.open):
            if connection.device is device:
                connection.leave()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(1)
            now = asyncio.get_running_loop().time()
            for connection in list(self.open):
                connection.check(now)


class Collector(asyncio.Protocol):
    """One collector's connection."""

    def __init__(self, front: Front, house: FramedTcp):
        self.front, self.house = front, house
        self.device: Device | None = None
        self._held = bytearray()
        self._paused: set[str] = set()
        self._stage = "hello"  # hello, login, up, closed
        self._outstanding = 0
        self._scope: np.ndarray | None = None
        self._scope_version = -1
        self._task: asyncio.Task[None] | None = None
        self._since = self._seen = self._slow_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has come."""
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        self._since = self._seen = self._loop.time()
        self.address = peer_address(transport)
        self._stranger = self.house.strangers < MOST_STRANGERS and not self.front.stopping
        self.house.open.add(self)
        self.house.strangers += self._stranger
        if not self._stranger:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes, in any pieces."""
        self._seen = self._loop.time()
        if self._stage == "closed":
            return
        self._held += data
        if self._stage == "hello":
            self._hello()
        elif self._stage == "up":
            self._blocks()

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is gone; what was taken stays taken."""
        self.house.open.discard(self)
        self.house.strangers -= self._stranger
        if self.device is not None and not any(c.device is self.device for c in self.house.open):
            self.front.states.disconnected(self.device.client_id)
        self._stage = "closed"

    def pause_writing(self) -> None:
        """Answers are not read."""
        self._slow_since = self._loop.time()
        self.pause("unread")

    def resume_writing(self) -> None:
        """They are read again."""
        self._slow_since = 0.0
        self.resume("unread")

    def pause(self, why: str) -> None:
        """Stop reading for this reason."""
        if not self._paused and not self._transport.is_closing():
            self._transport.pause_reading()
        self._paused.add(why)

    def resume(self, why: str) -> None:
        """The reason is gone: take what is held, read on when it was the last."""
        self._paused.discard(why)
        if not self._paused and self._stage == "up":
            self._blocks()
        if not self._paused and not self._transport.is_closing():
            self._seen = self._loop.time()
            self._transport.resume_reading()

    def check(self, now: float) -> None:
        """End what is too slow."""
        if self._stage == "hello" and now - self._since > CONNECT_S:
            self._transport.abort()
        if (self._slow_since and now - self._slow_since > STALL_S) or (self._held and not self._paused and now - self._seen > STALL_S):
            self._transport.abort()

    def leave(self) -> None:
        """Close politely."""
        self._stage = "closed"
        self._transport.close()

    # Hello --------------------------------------------------------------------------------------

    def _hello(self) -> None:
        held = self._held
        if held[:8] != HELLO[: len(held[:8])]:
            self._fatal(0, Fault("collect.bad_frame", "hello must begin with ANLANFH1"))
            return
        if len(held) < 12:
            return
        length = int.from_bytes(held[8:12], "little")
        if length > MOST_HELLO:
            self._fatal(0, Fault("collect.bad_frame", f"hello of {length} bytes"))
        elif len(held) >= 12 + length:
            text = bytes(held[12 : 12 + length])
            del held[: 12 + length]
            self._stage = "login"
            self.pause("login")
            self._task = self._loop.create_task(self._log_in(text))

    async def _log_in(self, text: bytes) -> None:
        try:
            said = orjson.loads(text)
            client_id, secret = str(said["client_id"]), str(said["password"])
        except (ValueError, KeyError, TypeError):
            self._fatal(0, Fault("collect.bad_frame", "hello is not {client_id, password}"))
            return
        try:
            login = await self.front.logins.check(client_id, None, secret.encode(), self.address.rpartition(":")[0])
        except EngineAway as away:
            self._answer(0, {"fatal": True, "faults": [away.as_dict()]})
            self.leave()
            return
        device = login.device
        if device is None:
            fault = Fault("collect.too_many_logins" if login.limited else "collect.wrong_credential", f"{login.reason}: {client_id[:80]!r}")
            self.front.stranger(fault, "frame", self.address, client_id)
            self._fatal(0, fault, keep=False)
            return
        if device.kind != "collector":
            self.front.stranger(Fault("collect.not_a_collector", client_id[:80]), "frame", self.address, client_id)
            self._fatal(0, Fault("collect.not_a_collector", client_id[:80]), keep=False)
            return
        self.device, self._stage = device, "up"
        self.house.strangers -= self._stranger
        self._stranger = False
        self.front.states.connected(device.client_id, self.address)
        self._answer(0, None)
        self.resume("login")

    # Blocks -------------------------------------------------------------------------------------

    def _blocks(self) -> None:
        held, at = self._held, 0
        while not self._paused and len(held) - at >= 8 and self._stage == "up":
            length, seq = _NUMBERS.unpack_from(held, at)
            if length > MAX_MESSAGE:
                self._fatal(seq, Fault("collect.too_large", str(length)))
                break
            if len(held) - at < 8 + length:
                break
            self._block(seq, bytes(memoryview(held)[at + 8 : at + 8 + length]))
            at += 8 + length
        del held[:at]

    def _block(self, seq: int, data: bytes) -> None:
        front = self.front
        device = cast(Device, self.device)
        try:
            block = ReadingBlock.from_bytes(data)
        except AnlanError as error:
            self._fatal(seq, Fault("collect.bad_frame", error.en[:120]), data)
            return
        stations, window = front.directory.stations, front.window()
        if self._scope_version != front.directory.version:
            self._scope, self._scope_version = stations.scope(device.division_code), front.directory.version
        waiting = _Block(self, seq)
        receipt = Receipt(waiting)
        faults = sift_block(block, stations.lane, stations.quantities, self._scope, *window, front.framer.lanes)
        if faults:
            waiting.faults = faults
            front.refuse(faults, device, data, receipt, "frame", "block")
        self._outstanding += 1
        front.framer.join(receipt)
        receipt.release()
        if self._outstanding >= MOST_OUTSTANDING:
            self.pause("owed")
        if front.framer.full:
            self.pause("full")
            front.framer.when_room(lambda: self.resume("full"))

    def answered(self, seq: int, faults: list[Fault]) -> None:
        """The block is durable."""
        self._outstanding -= 1
        self._answer(seq, {"fatal": False, "faults": [f.as_dict() for f in faults]} if faults else None)
        if "owed" in self._paused and self._outstanding <= MOST_OUTSTANDING // 2:
            self.resume("owed")

    def _answer(self, seq: int, said: dict[str, Any] | None) -> None:
        body = orjson.dumps(said) if said is not None else b""
        if not self._transport.is_closing():
            self._transport.write(_NUMBERS.pack(seq, len(body)) + body)

    def _fatal(self, seq: int, fault: Fault, payload: bytes = b"", keep: bool = True) -> None:
        if keep and self.device is not None:
            self.front.refuse([fault], self.device, payload, None, "frame", "block")
        elif keep:
            self.front.stranger(fault, "frame", self.address)
        self._answer(seq, {"fatal": True, "faults": [fault.as_dict()]})
        self.leave()


class _Block:
    """Owner of one block's receipt."""

    __slots__ = ("collector", "faults", "seq")

    def __init__(self, collector: Collector, seq: int):
        self.collector, self.seq = collector, seq
        self.faults: list[Fault] = []

    def settled(self, receipt: Receipt) -> None:
        """All rows and letters of the block are durable."""
        with contextlib.suppress(RuntimeError):
            self.collector.answered(self.seq, self.faults)
