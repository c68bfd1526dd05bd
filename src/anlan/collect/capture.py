"""A device's raw traffic, recorded for diagnosis and replayed: a listener between device and platform, or in place of it.

A file is text, a line for each piece as it came: ``<UTC ms> TAB <protocol or -> TAB <peer> TAB <up|down> TAB <hex>`` (the columns of
the gateway's own raw files), so ``cut -f5 FILE | anlan decode PROTOCOL`` reads what came in whole frames. A line is written before
the bytes go on, so that a crash loses nothing that was passed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ..base.clock import now_ms
from ..base.errors import FieldError
from .codec import Codec, Message, Stream

PIECE = 64 * 1024  # bytes read at once
CONNECT_S = 10.0


@dataclass(slots=True)
class Piece:
    """One line of a capture."""

    time_ms: int
    protocol: str
    peer: str
    up: bool
    data: bytes

    def line(self) -> str:
        """The line of the file."""
        way = "up" if self.up else "down"
        return f"{self.time_ms}\t{self.protocol or '-'}\t{self.peer}\t{way}\t{self.data.hex()}\n"


def pieces(path: Path) -> Iterator[Piece]:
    """The pieces of a capture (or of a gateway's raw file, where an outcome stands for ``up``). FieldError names a bad line."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _piece(line.rstrip("\n"), number)
    except (OSError, UnicodeDecodeError) as error:
        raise FieldError("file", str(path), f"无法读取（{error}）", f"cannot be read ({error})", code="collect.bad_capture") from None


def _piece(line: str, number: int) -> Piece:
    try:
        time_ms, protocol, peer, way, data = line.split("\t")
        return Piece(int(time_ms), protocol.strip("-"), peer, way != "down", bytes.fromhex(data))
    except ValueError:
        raise FieldError(
            f"line {number}",
            line[:60],
            "应为 时间、协议、对端、方向、十六进制",
            "must be time, protocol, peer, way, hex",
            code="collect.bad_capture",
        ) from None


class Recorder:
    """Listens, writes every piece down, and passes it on to `target`, or answers by `codec`, or only listens."""

    def __init__(self, file: TextIO, target: tuple[str, int] | None = None, codec: Codec | None = None):
        self.file, self.target, self.codec = file, target, codec
        self.connections = self.bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """A listening server; its sockets tell the port."""
        return await asyncio.start_server(self._device, host, port, limit=PIECE)

    def note(self, peer: str, up: bool, data: bytes) -> None:
        """Write a piece down, at once."""
        self.bytes += len(data)
        self.file.write(Piece(now_ms(), self.codec.name if self.codec else "", peer, up, data).line())
        self.file.flush()

    async def _device(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        name = writer.get_extra_info("peername")
        peer = f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "-"
        with contextlib.suppress(ConnectionError, TimeoutError, OSError):
            if self.target is not None:
                await self._between(reader, writer, peer)
            else:
                await self._instead(reader, writer, peer)
        writer.close()

    async def _between(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        """Pass both ways until one side ends."""
        assert self.target is not None
        there, out = await asyncio.wait_for(asyncio.open_connection(*self.target, limit=PIECE), CONNECT_S)
        ways = [asyncio.ensure_future(self._pass(reader, out, peer, True)), asyncio.ensure_future(self._pass(there, writer, peer, False))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait(ways, timeout=1)
        finally:
            for way in ways:
                way.cancel()
            out.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str, up: bool) -> None:
        with contextlib.suppress(ConnectionError, OSError):
            while data := await reader.read(PIECE):
                self.note(peer, up, data)
                writer.write(data)
                await writer.drain()
            writer.write_eof()

    async def _instead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        """In place of the platform: answer as the protocol demands, so that the device goes on talking."""
        stream: Stream | None = self.codec.stream() if self.codec else None
        while data := await reader.read(PIECE):
            self.note(peer, True, data)
            if stream is None:
                continue
            stream.received_ms = now_ms()
            for said in stream.feed(data):
                if said.answer and isinstance(said, Message):
                    self.note(peer, False, said.answer)
                    writer.write(said.answer)
            await writer.drain()


async def replay(path: Path, target: tuple[str, int], speed: float, file: TextIO | None = None) -> tuple[int, int]:
    """Send the ``up`` pieces again, one connection for each peer, `speed` times as fast (0: at once); pieces sent, bytes answered.

    What comes back is written to `file` as a capture of its own.
    """
    writers: dict[str, asyncio.StreamWriter] = {}
    tasks: list[asyncio.Task[int]] = []
    sent, last = 0, 0
    try:
        for piece in pieces(path):
            if not piece.up:
                continue
            if speed and last and piece.time_ms > last:
                await asyncio.sleep((piece.time_ms - last) / 1000 / speed)
            last = piece.time_ms
            if piece.peer not in writers:
                reader, writers[piece.peer] = await asyncio.wait_for(asyncio.open_connection(*target), CONNECT_S)
                tasks.append(asyncio.ensure_future(_answers(reader, piece.peer, file)))
            writers[piece.peer].write(piece.data)
            await writers[piece.peer].drain()
            sent += 1
        for writer in writers.values():
            writer.write_eof()
        if tasks:
            await asyncio.wait(tasks, timeout=5)
    finally:
        for writer in writers.values():
            writer.close()
        for task in tasks:
            task.cancel()
    return sent, sum(t.result() for t in tasks if t.done() and not t.cancelled() and t.exception() is None)


async def _answers(reader: asyncio.StreamReader, peer: str, file: TextIO | None) -> int:
    size = 0
    while data := await reader.read(PIECE):
        size += len(data)
        if file is not None:
            file.write(Piece(now_ms(), "", peer, False, data).line())
    return size
