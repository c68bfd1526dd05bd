"""Load generator of the crash bench: framed readings that are sent again until they are answered, over reconnects.

``python -m bench._kept HOST:PORT SECRET STATIONS RATE FILE``: runs until its standard input ends, then until all is answered (at
most 60 s); FILE gets (station int32, ms UTC int64) of every row that was answered. Prints ``{"sent", "answered", "reconnects"}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import sys
import time
from pathlib import Path
from typing import IO

import numpy as np

from anlan.base.block import ReadingBlock

from ._platform import FIRST

ROWS, OUTSTANDING = 500, 40
ROW = np.dtype([("station", "<i4"), ("ms", "<i8")])


class Kept:
    """Frames not answered yet, by number, in their order."""

    def __init__(self, secret: str, stations: int, rate: float, file: IO[bytes]):
        self.secret, self.stations, self.rate, self.file = secret, stations, rate, file
        self.waiting: dict[int, tuple[bytes, bytes]] = {}
        self.count = self.answered = self.reconnects = self.last = 0
        self.began = time.monotonic()
        self.over = False

    def make(self) -> int:
        """The next frame; every station once a round, each round a later millisecond."""
        at = self.count * ROWS % self.stations
        if not at:
            self.last = max(int(time.time() * 1000), self.last + 1)
        self.count += 1
        rows = np.empty(ROWS, ROW)
        rows["station"], rows["ms"] = FIRST + np.arange(at, at + ROWS), self.last
        block = ReadingBlock.of(rows["station"], np.full(ROWS, 5, np.int16), rows["ms"], np.full(ROWS, 5.0), received_ms=self.last)
        self.waiting[self.count] = (block.to_bytes(), rows.tobytes())
        return self.count

    async def session(self, host: str, port: int) -> None:
        """One connection: repeat what waits, then go on."""
        reader, writer = await asyncio.open_connection(host, port)
        try:
            hello = json.dumps({"client_id": "collector", "password": self.secret}).encode()
            writer.write(b"ANLANFH1" + struct.pack("<I", len(hello)) + hello)
            _, n = struct.unpack("<II", await asyncio.wait_for(reader.readexactly(8), 10))
            if n:
                raise ConnectionError(await reader.readexactly(n))
            listening = asyncio.create_task(self.listen(reader))
            try:
                for number in list(self.waiting):
                    self.send(writer, number)
                while not listening.done() and (self.waiting or not self.over):
                    due = (time.monotonic() - self.began) * self.rate / ROWS
                    if not self.over and self.count < due and len(self.waiting) < OUTSTANDING:
                        self.send(writer, self.make())
                        await writer.drain()
                    else:
                        if self.count < due - OUTSTANDING:  # do not make up for an outage
                            self.began = time.monotonic() - self.count * ROWS / self.rate
                        await asyncio.sleep(0.004)
            finally:
                listening.cancel()
                with contextlib.suppress(asyncio.CancelledError, OSError, asyncio.IncompleteReadError):
                    await listening
        finally:
            writer.close()

    def send(self, writer: asyncio.StreamWriter, number: int) -> None:
        block = self.waiting[number][0]
        writer.write(struct.pack("<II", len(block), number) + block)

    async def listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            number, length = struct.unpack("<II", await reader.readexactly(8))
            if length:
                said = await reader.readexactly(length)
                raise ConnectionError(said) if json.loads(said).get("fatal") else SystemExit(f"fault: {said!r}")
            self.file.write(self.waiting.pop(number)[1])
            self.answered += ROWS


async def main(address: str, secret: str, stations: int, rate: float, path: str) -> None:
    host, _, port = address.rpartition(":")
    with Path(path).open("wb") as file:  # noqa: ASYNC230 - a generator of its own process, small writes
        kept = Kept(secret, stations - stations % ROWS, rate, file)
        ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        stop_at = float("inf")
        while time.monotonic() < stop_at and (kept.waiting or not kept.over):
            if ended.done():
                kept.over, stop_at = True, min(stop_at, time.monotonic() + 60)
            session = asyncio.create_task(kept.session(host, int(port)))
            await asyncio.wait({session, *([] if ended.done() else [ended])}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done() and not kept.over:
                kept.over, stop_at = True, time.monotonic() + 60
                await asyncio.wait({session}, timeout=60)
            if not session.done():
                session.cancel()
            error = (await asyncio.gather(session, return_exceptions=True))[0]
            if isinstance(error, SystemExit):
                raise error
            kept.reconnects += 1
            await asyncio.sleep(0.1)
    print(json.dumps({"sent": kept.count * ROWS, "answered": kept.answered, "reconnects": kept.reconnects}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5]))
