"""Load generator: framed readings over TCP, 64 frames outstanding, at a rate or as fast as they are answered.

``python -m bench._frames HOST:PORT SECRET STATIONS RATE SECONDS``: prints ``{"sent", "seconds", "per_second", "answer_ms"}``.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time

import numpy as np

from anlan.base.block import ReadingBlock

from ._platform import FIRST

ROWS, OUTSTANDING = 500, 60


async def main(address: str, secret: str, stations: int, rate: float, seconds: float) -> None:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    hello = json.dumps({"client_id": "collector", "password": secret}).encode()
    writer.write(b"ANLANFH1" + struct.pack("<I", len(hello)) + hello)
    _, n = struct.unpack("<II", await reader.readexactly(8))
    if n:
        raise SystemExit(f"refused: {await reader.readexactly(n)!r}")
    rng = np.random.default_rng(1)
    order = rng.permutation(stations).astype(np.int32) + FIRST
    noise = rng.normal(5, 0.01, 1 << 20)
    quantity = np.full(ROWS, 5, np.int16)
    sent_at: dict[int, float] = {}
    took: list[float] = []
    per_second: dict[int, int] = {}
    room = asyncio.Semaphore(OUTSTANDING)
    began = time.perf_counter()

    async def answers() -> None:
        while True:
            number, length = struct.unpack("<II", await reader.readexactly(8))
            if length:
                raise SystemExit(f"fault: {await reader.readexactly(length)!r}")
            now = time.perf_counter()
            took.append(now - sent_at.pop(number))
            per_second[int(now - began)] = per_second.get(int(now - began), 0) + ROWS
            room.release()

    listening = asyncio.create_task(answers())
    count = last = 0
    while time.perf_counter() - began < seconds:
        await room.acquire()
        at = count * ROWS % (stations - stations % ROWS or ROWS)
        station = np.resize(order[at : at + ROWS], ROWS)
        if not at:  # another round of the stations: never twice in one millisecond
            last = max(int(time.time() * 1000), last + 1)
        now = last
        first = count * ROWS % (len(noise) - ROWS)
        block = ReadingBlock.of(station, quantity, np.full(ROWS, now), noise[first : first + ROWS], received_ms=now).to_bytes()
        count += 1
        sent_at[count] = time.perf_counter()
        writer.write(struct.pack("<II", len(block), count) + block)
        await writer.drain()
        if rate:
            await asyncio.sleep(max(0.0, began + count * ROWS / rate - time.perf_counter()))
    while sent_at:
        if listening.done():
            listening.result()
        await asyncio.sleep(0.01)
    listening.cancel()
    full = [v for k, v in sorted(per_second.items())][1:-1] or list(per_second.values())
    print(json.dumps({"sent": count * ROWS, "seconds": time.perf_counter() - began, "per_second": full,
                      "answer_ms": [round(float(np.percentile(took, p)) * 1000, 2) for p in (50, 99)]}))  # fmt: skip


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])))
