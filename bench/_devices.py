"""Load generator: MQTT 3.1.1 devices, QoS 1, one reading a message, a window of unanswered messages each.

``python -m bench._devices HOST:PORT SECRET DEVICES KEYS WINDOW RATE SECONDS``; rate 0: as fast as they are answered.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import numpy as np


def field(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


def packet(head: int, body: bytes) -> bytes:
    n, length = len(body), b""
    while True:
        n, digit = divmod(n, 128)
        length += bytes([digit | (128 if n else 0)])
        if not n:
            return bytes([head]) + length + body


class Device(asyncio.Protocol):
    """One connection; PUBACKs are four bytes each."""

    def __init__(self, number: int, secret: str, load: Load):
        self.name, self.secret, self.load = f"b{number}".encode(), secret.encode(), load
        self.held, self.up = b"", False
        self.next, self.out, self.times = 0, 0, {}
        self.key = self.time_ms = 0

    def connection_made(self, transport):
        self.transport = transport
        transport.write(packet(0x10, field(b"MQTT") + b"\x04\xc2\x00\x00" + field(self.name) + field(self.name) + field(self.secret)))

    def data_received(self, data):
        data = self.held + data
        if not self.up:
            if len(data) < 4:
                self.held = data
                return
            if data[3]:
                raise SystemExit(f"CONNACK {data[:4]!r}")
            self.up, data = True, data[4:]
            self.load.connected += 1
        whole = len(data) // 4 * 4
        self.held = data[whole:]
        now = time.perf_counter()
        for at in range(0, whole, 4):
            self.load.took.append(now - self.times.pop(data[at + 2] << 8 | data[at + 3]))
        self.out -= whole // 4
        self.load.answered(whole // 4, now)
        if not self.load.rate:
            self.fill()

    def connection_lost(self, error):
        if not self.load.over:
            raise SystemExit(f"connection lost: {error}")

    def fill(self):
        """Send up to the window."""
        if self.load.over or self.load.began == 0:
            return
        self.send(self.load.window - self.out)

    def send(self, n: int):
        ms, now, parts = int(time.time() * 1000), time.perf_counter(), []
        for _ in range(n):
            self.next = self.next % 65535 + 1
            self.key = (self.key + 1) % self.load.keys
            self.times[self.next] = now
            self.time_ms = max(ms, self.time_ms + 1)  # never twice in one millisecond
            body = b'{"t":%d,"v":{"k%d":%.3f}}' % (self.time_ms, self.key, 5 + self.next % 7 / 100)
            parts.append(packet(0x32, field(b"up/" + self.name) + self.next.to_bytes(2, "big") + body))
        self.out += n
        self.load.sent += n
        self.transport.write(b"".join(parts))


class Load:
    def __init__(self, keys: int, window: int, rate: float):
        self.keys, self.window, self.rate = keys, window, rate
        self.connected = self.sent = self.done = 0
        self.took: list[float] = []
        self.per_second: dict[int, int] = {}
        self.began, self.over = 0.0, False

    def answered(self, n: int, now: float):
        self.done += n
        if n:
            second = int(now - self.began)
            self.per_second[second] = self.per_second.get(second, 0) + n


async def main(address: str, secret: str, devices: int, keys: int, window: int, rate: float, seconds: float) -> None:
    host, _, port = address.rpartition(":")
    loop, load = asyncio.get_running_loop(), Load(keys, window, rate)
    fleet = []
    for i in range(devices):
        fleet.append((await loop.create_connection(lambda i=i: Device(i, secret, load), host, int(port)))[1])
        if i % 50 == 49:
            await asyncio.sleep(0.05)
    while load.connected < devices:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    load.began = time.perf_counter()
    if not rate:
        for device in fleet:
            device.fill()
    turn = 0
    while time.perf_counter() - load.began < seconds:
        if rate:
            due = int((time.perf_counter() - load.began) * rate) - load.sent
            for _ in range(max(due, 0)):
                fleet[turn % devices].send(1)
                turn += 1
            await asyncio.sleep(0.001)
        else:
            await asyncio.sleep(0.05)
    load.over, ended = True, time.perf_counter()
    while load.done < load.sent and time.perf_counter() - ended < 60:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    full = [v for k, v in sorted(load.per_second.items())][1:-2] or list(load.per_second.values())
    print(json.dumps({"sent": load.sent, "answered": load.done, "seconds": time.perf_counter() - load.began, "per_second": full,
                      "answer_ms": [round(float(np.percentile(load.took, p)) * 1000, 2) for p in (50, 99)]}))  # fmt: skip


if __name__ == "__main__":
    a = sys.argv
    asyncio.run(main(a[1], a[2], int(a[3]), int(a[4]), int(a[5]), float(a[6]), float(a[7])))
