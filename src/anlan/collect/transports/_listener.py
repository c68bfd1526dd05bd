"""What every listener on raw TCP does alike: who is connected, how many are strangers, when to stop reading, whom to cut off."""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar, cast

from ..contract import CONNECT_S, MOST_STRANGERS, STALL_S, Front, Transport, peer_address
from ..directory import Device


class Peer(asyncio.Protocol, ABC):
    """One connection. It is a stranger until `_admit`; `_paused` holds the reasons why it is not read."""

    def __init__(self, front: Front, listener: Listener[Any]):
        self.front = front
        self._listener = listener
        self.address = ""
        self.closed = False
        self._stranger = False
        self._paused: set[str] = set()
        self._since = self._seen = self._slow_since = 0.0  # connected, last heard, its answers unread since; the loop's time

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has come; is cut off when too many have not said who they are."""
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        self._since = self._seen = self._loop.time()
        self.address = peer_address(transport)
        self._listener.open.add(self)
        if self._listener.strangers >= MOST_STRANGERS or self.front.stopping:
            self.closed = True
            self._transport.abort()
            return
        self._stranger = True
        self._listener.strangers += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is gone; what was taken stays taken."""
        self.closed = True
        self._listener.open.discard(self)
        self._admit()

    def _admit(self) -> None:
        """It is no stranger any more."""
        self._listener.strangers -= self._stranger
        self._stranger = False

    def pause_writing(self) -> None:
        """Its answers are not read: take no more from it."""
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
        """The reason is gone; read on, and take what waits, when it was the last."""
        self._paused.discard(why)
        if not self._paused and not self._transport.is_closing():
            self._seen = self._loop.time()
            self._transport.resume_reading()
            self._go()

    def _go(self) -> None:
        """Take what waits, as long as nothing pauses it."""
        return

    @abstractmethod
    def check(self, now: float) -> None:
        """Once a second (`now` is the loop's time): end this connection if it is too slow or silent."""

    def _late(self, now: float) -> bool:
        """Whether the time to say who it is has passed."""
        return now - self._since > CONNECT_S

    def _unread(self, now: float) -> bool:
        """Whether its answers have not been read for too long."""
        return bool(self._slow_since) and self._overdue(self._slow_since, now)

    def _overdue(self, since: float, now: float) -> bool:
        """Whether something begun then should be over."""
        return now - since > STALL_S

    def leave(self) -> None:
        """Close politely: what was written still goes out."""
        self.closed = True
        self._transport.close()


P = TypeVar("P", bound=Peer)


class Listener(Transport, Generic[P]):
    """One port and its connections."""

    def __init__(self) -> None:
        self.open: set[P] = set()
        self.strangers = 0
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    @abstractmethod
    def peer(self, front: Front) -> P:
        """A new connection."""

    @abstractmethod
    def lines(self, device: Device) -> list[P]:
        """The connections on which the device talks."""

    async def start(self, front: Front, listener: socket.socket) -> None:
        """Serve on `listener`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: self.peer(front), sock=listener, ssl=front.tls)
        self._sweeper = loop.create_task(self._sweep())

    async def stop_accepting(self) -> None:
        """No new connections, no more input."""
        if self._server is not None:
            self._server.close()
        for peer in self.open:
            peer.pause("stop")

    async def close(self) -> None:
        """Close every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for peer in list(self.open):
            peer.leave()
        await asyncio.sleep(0)

    def connections(self) -> int:
        """Open connections now."""
        return len(self.open)

    def dismiss(self, device: Device) -> None:
        """Close the lines of a device that may no longer talk."""
        for peer in self.lines(device):
            peer.leave()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1)
            now = loop.time()
            for peer in list(self.open):
                peer.check(now)
