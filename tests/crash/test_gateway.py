"""kill -9 of the log and of the gateway under load: whatever was answered is in the log."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "unit"))
from collect.gateway_kit import GatewayProcess, connect, register, stored

from anlan.collect.transports.mqtt import codec

pytestmark = [pytest.mark.stack, pytest.mark.crash]
WINDOW, DEVICES, SECONDS = 20, 10, 8.0


class Device:
    """Publishes single readings, keeps a window open, sends again what was not answered."""

    def __init__(self, facts, gateway: GatewayProcess):
        self.facts, self.gateway = facts, gateway
        self.waiting: dict[int, int] = {}
        self.answered: list[int] = []
        self.n = 0

    async def run(self, until: float, base: int) -> None:
        while (time.monotonic() < until or self.waiting) and time.monotonic() < until + 20:
            try:
                await asyncio.wait_for(self.session(until, base), 30)
            except (TimeoutError, OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.1)

    async def session(self, until: float, base: int) -> None:
        reader, writer = await asyncio.open_connection(*self.gateway.at("mqtt"))
        try:
            writer.write(connect(self.facts))
            assert (await reader.readexactly(4)) == b"\x20\x02\0\0"
            for pid, t in sorted(self.waiting.items()):
                writer.write(self.message(pid, t, 8))
            while time.monotonic() < until or self.waiting:
                while len(self.waiting) < WINDOW and time.monotonic() < until:
                    self.n += 1
                    pid, t = self.n % 65535 + 1, base + self.n
                    self.waiting[pid] = t
                    writer.write(self.message(pid, t))
                await writer.drain()
                head, _, high, low = await asyncio.wait_for(reader.readexactly(4), 10)
                assert head == 0x40
                self.answered.append(self.waiting.pop(high << 8 | low))
        finally:
            writer.close()

    def message(self, pid: int, t: int, dup: int = 0) -> bytes:
        topic = codec.field(f"up/{self.facts['client_id']}".encode())
        return codec.packet(0x32 | dup, topic + pid.to_bytes(2, "big") + json.dumps({"t": t, "v": {"tilt": 1}}).encode())


def test_nothing_answered_is_lost(real_db, tmp_path):
    from anlan.engines.folders import Folders
    from anlan.engines.nats import EmbeddedNats

    log = EmbeddedNats(Folders(tmp_path / "log"))
    log.start()
    gateway = GatewayProcess(tmp_path / "gateway", real_db, log.url).start()
    devices = [Device(facts, gateway) for facts in register(DEVICES, prefix="crash")]

    starter = ThreadPoolExecutor(1)  # the server ends with the thread that started it

    async def killer() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(2):
            await asyncio.sleep(SECONDS / 5)
            log.process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(log.process.wait)
            await loop.run_in_executor(starter, log.start)
            await asyncio.sleep(SECONDS / 5)
            gateway.kill()
            await loop.run_in_executor(starter, gateway.start)

    async def story() -> None:
        until, base = time.monotonic() + SECONDS, int(time.time() * 1000) - 3_600_000
        await asyncio.gather(killer(), *(device.run(until, base) for device in devices))

    try:
        asyncio.run(story())
        rows = {(station, t) for station, _, t, _ in stored(log.url)}
        answered = [(d.facts["station"], t) for d in devices for t in d.answered]
        assert len(answered) > 1000 and not any(d.waiting for d in devices)
        assert set(answered) - rows == set()
    finally:
        gateway.stop()
        log.stop()
        starter.shutdown()
