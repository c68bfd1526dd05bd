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
import struct
from typing import Any, cast

import numpy as np
import orjson

from ...base.block import ReadingBlock
from ...base.errors import AnlanError, EngineAway
from ..contract import MAX_MESSAGE, Front
from ..directory import Device
from ..faults import Fault
from ..framer import Receipt
from ..intake import sift_block
from ._listener import Listener, Peer

HELLO = b"ANLANFH1"
MOST_OUTSTANDING = 64
MOST_HELLO = 4096
_NUMBERS = struct.Struct("<II")


class FramedTcp(Listener["Collector"]):
    """Collectors that speak for many stations."""

    name = "frame"
    setting = "FRAME_PORT"
    default_port = 8602

    def peer(self, front: Front) -> Collector:
        """See `Listener`."""
        return Collector(front, self)

    def lines(self, device: Device) -> list[Collector]:
        """See `Listener`."""
        return [c for c in self.open if c.device is device]


class Collector(Peer):
    """One collector's connection."""

    def __init__(self, front: Front, house: FramedTcp):
        super().__init__(front, house)
        self.house = house
        self.device: Device | None = None
        self._held = bytearray()
        self._stage = "hello"  # hello, login, up
        self._outstanding = 0
        self._scope: np.ndarray | None = None
        self._scope_version = -1
        self._task: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes, in any pieces."""
        self._seen = self._loop.time()
        if self.closed:
            return
        self._held += data
        if self._stage == "hello":
            self._hello()
        elif self._stage == "up":
            self._blocks()

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is gone; what was taken stays taken."""
        super().connection_lost(exc)
        if self.device is not None and not self.house.lines(self.device):
            self.front.states.disconnected(self.device.client_id)

    def check(self, now: float) -> None:
        """End what is too slow."""
        cut_short = bool(self._held) and not self._paused and self._overdue(self._seen, now)
        if (self._stage == "hello" and self._late(now)) or self._unread(now) or cut_short:
            self._transport.abort()

    def _go(self) -> None:
        if self._stage == "up":
            self._blocks()

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
        if self.closed:
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
        self._admit()
        self.front.states.connected(device.client_id, self.address)
        self._answer(0, None)
        self.resume("login")

    # Blocks -------------------------------------------------------------------------------------

    def _blocks(self) -> None:
        held, at = self._held, 0
        while not self._paused and len(held) - at >= 8 and not self.closed:
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
