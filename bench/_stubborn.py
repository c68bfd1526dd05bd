"""Load generator that survives everything: framed readings at a rate, sent again on a new connection until answered.

``python -m bench._stubborn HOST:PORT SECRET STATIONS RATE SECONDS PROBES``. Every second the first row of a frame is a reading
over the red limit at a fresh station (of the last PROBES stations). Prints ``{"sent", "frames", "probes", "longest_silence_s"}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import sys
import time

import numpy as np

from anlan.base.block import ReadingBlock

from ._platform import FIRST

ROWS, OUTSTANDING = 500, 50


class Sender:
    def __init__(self, address: str, secret: str):
        self.host, _, port = address.rpartition(":")
        self.port, self.secret = int(port), secret
        self.waiting: dict[int, bytes] = {}
        self.writer: asyncio.StreamWriter | None = None
        self.last_answer, self.longest = time.monotonic(), 0.0

    async def run(self) -> None:
        """Connect, send again what waits, take answers; for ever."""
        while True:
            try:
                await self.session()
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                self.writer = None
                await asyncio.sleep(0.2)

    async def session(self) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        hello = json.dumps({"client_id": "collector", "password": self.secret}).encode()
        try:
            writer.write(b"ANLANFH1" + struct.pack("<I", len(hello)) + hello)
            _, n = struct.unpack("<II", await asyncio.wait_for(reader.readexactly(8), 10))
            if n:
                await reader.readexactly(n)
                raise OSError("not now")
            for number, block in sorted(self.waiting.items()):
                writer.write(struct.pack("<II", len(block), number) + block)
            self.writer = writer
            while True:
                number, n = struct.unpack("<II", await asyncio.wait_for(reader.readexactly(8), 15))
                if n:
                    raise OSError(await reader.readexactly(n))
                self.waiting.pop(number, None)
                now = time.monotonic()
                self.longest = max(self.longest, now - self.last_answer)
                self.last_answer = now
        finally:
            self.writer = None
            writer.close()

    def send(self, number: int, block: bytes) -> None:
        self.waiting[number] = block
        if self.writer is not None:
            with contextlib.suppress(OSError):
                self.writer.write(struct.pack("<II", len(block), number) + block)


async def main(address: str, secret: str, stations: int, rate: float, seconds: float, probes: int) -> None:
    sender, rng = Sender(address, secret), np.random.default_rng(3)
    running = asyncio.create_task(sender.run())
    plain = stations - probes
    began, count, probed, last = time.monotonic(), 0, 0, 0
    while time.monotonic() - began < seconds:
        at = count * ROWS % (plain - plain % ROWS)
        if not at:  # another round of the stations: never twice in one millisecond
            last = max(int(time.time() * 1000), last + 1)
        station = np.arange(at, at + ROWS) + FIRST
        value = rng.normal(5, 0.01, ROWS)
        if probed < min(probes, int(time.monotonic() - began)):
            station[0], value[0] = FIRST + plain + probed, 4500
            probed += 1
        count += 1
        sender.send(count, ReadingBlock.of(station, np.full(ROWS, 5), np.full(ROWS, last), value, received_ms=last).to_bytes())
        await asyncio.sleep(max(0.0, began + count * ROWS / rate - time.monotonic()))
        while len(sender.waiting) >= OUTSTANDING:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    while sender.waiting:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    running.cancel()
    print(json.dumps({"sent": count * ROWS, "frames": count, "probes": probed, "longest_silence_s": round(sender.longest, 2)}))


if __name__ == "__main__":
    a = sys.argv
    asyncio.run(main(a[1], a[2], int(a[3]), float(a[4]), float(a[5]), int(a[6])))
