"""A gateway in a process of its own, devices in the register, and a plain MQTT client for hostile tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from anlan.base.clock import now_ms
from anlan.collect.transports.mqtt import codec

KEYS = {"displacement": "mm", "rainfall": "mm", "water_depth": "", "tilt": "deg"}


def register(n: int = 3, kind: str = "sensor", prefix: str = "dev", keys: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """`n` devices, each with its own site, station and keys; their facts (client_id, username, secret, station, site)."""
    from anlan.base.quantity import BY_NAME
    from anlan.engines.outbox import acting
    from anlan.register.credentials import hash_secret, make_secret
    from anlan.register.models import Device, DeviceSeries, Series, Site, Station

    made = []
    with acting("system:test"):
        first = (Station.objects.order_by("-number").values_list("number", flat=True).first() or 0) + 1
        for i in range(n):
            secret = make_secret()
            code = f"{prefix}-{i}"
            site = Site(code=f"S-{code}", name=f"site {code}", kind="slope", lon=114, lat=22.5, division_code="440303001")
            site.save()
            station = Station(
                code=f"T-{code}", number=first + i, name=code, kind="gnss", site=site, lon=114, lat=22.5, division_code="440303001"
            )
            station.save()
            device = Device(client_id=code, username=f"u-{code}", secret_hash=hash_secret(secret, n=16), kind=kind, site=site)
            device.division_code = "440303001"
            device.save()
            for key, unit in (KEYS if keys is None else keys).items():
                series = Series.objects.create(station=station, quantity=BY_NAME[key].number)
                DeviceSeries.objects.create(device=device, key=key, series=series, unit=unit)
            made.append(
                {
                    "client_id": code,
                    "username": f"u-{code}",
                    "secret": secret,
                    "station": station.number,
                    "id": device.id,
                    "partition": site.partition,
                }
            )
    return made


class GatewayProcess:
    """``anlan gateway`` on free ports; `addresses` once ready."""

    def __init__(self, folder: Path, database: str, log: str, **settings: str):
        self.folder, self.ready = folder, folder / "gateway.ready"
        self.environment = {
            **os.environ,
            "ANLAN_DATA": str(folder),
            "ANLAN_DATABASE_URL": database,
            "ANLAN_NATS_URL": log,
            "ANLAN_READY_FILE": str(self.ready),
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.command = [sys.executable, "-m", "anlan", "gateway"]
        self.addresses: dict[str, Any] = {}

    def start(self, wait: bool = True) -> GatewayProcess:
        self.ready.unlink(missing_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "gateway.log").open("ab") as log:
            self.process = subprocess.Popen(self.command, env=self.environment, stderr=log, stdout=log)
        if wait:
            deadline = time.monotonic() + 20
            while not self.ready.exists():
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise AssertionError(f"gateway is not ready:\n{self.log()}")
                time.sleep(0.02)
            self.addresses = json.loads(self.ready.read_text())
        return self

    def log(self) -> str:
        return (self.folder / "gateway.log").read_text()

    def at(self, transport: str) -> tuple[str, int]:
        host, port = self.addresses[transport].rsplit(":", 1)
        return host, int(port)

    def stop(self) -> int:
        if self.process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return -9

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> GatewayProcess:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Raw:
    """A blocking MQTT client that does exactly what it is told."""

    def __init__(self, address: tuple[str, int], timeout: float = 5):
        self.socket = socket.create_connection(address, timeout=timeout)
        self.split = codec.Splitter(1 << 28)
        self.got: list[tuple[int, bytes]] = []

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, timeout: float = 5) -> tuple[int, bytes] | None:
        """The next packet; None when the other side has closed."""
        self.socket.settimeout(timeout)
        while not self.got:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.got += self.split.feed(data)
        return self.got.pop(0)

    def silent(self, seconds: float = 0.3) -> bool:
        """Whether nothing comes for so long."""
        try:
            return self.receive(seconds) is None and False
        except TimeoutError:
            return True

    def connect(self, device: dict[str, Any], clean: bool = True, keep_alive: int = 60, **other: Any) -> tuple[int, int]:
        """CONNECT; session present and return code."""
        self.send(connect(device, clean, keep_alive, **other))
        answer = self.receive()
        assert answer is not None and answer[0] == 0x20, answer
        return answer[1][0], answer[1][1]

    def publish(self, topic: str, body: bytes | dict[str, Any] | list[Any], pid: int = 1, qos: int = 1, flags: int = 0) -> None:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send(codec.packet(0x30 | qos << 1 | flags, codec.field(topic.encode()) + (pid.to_bytes(2, "big") if qos else b"") + payload))

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(
    device: dict[str, Any],
    clean: bool = True,
    keep_alive: int = 60,
    level: int = 4,
    flags: int = 0,
    will: bytes = b"",
    name: bytes = b"MQTT",
) -> bytes:
    """A CONNECT packet."""
    body = codec.field(name) + bytes((level, 0xC0 | (2 if clean else 0) | flags)) + keep_alive.to_bytes(2, "big")
    body += codec.field(device["client_id"].encode()) + will
    return codec.packet(0x10, body + codec.field(device["username"].encode()) + codec.field(device["secret"].encode()))


def subscribe(topic: str, qos: int = 1, pid: int = 7) -> bytes:
    return codec.packet(0x82, pid.to_bytes(2, "big") + codec.field(topic.encode()) + bytes((qos,)))


def letters(database: str) -> list[tuple[str, str, int]]:
    """(code, device, count) of all dead letters."""
    with psycopg.connect(database) as c:
        return c.execute("select code, device, sum(count)::int from collect_deadletter group by 1, 2 order by 1, 2").fetchall()


def until(what: Any, seconds: float = 5) -> Any:
    """The first true value of ``what()`` within so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        value = what()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.02)


def stored(log: str) -> list[tuple[int, int, int, float]]:
    """(station, quantity, time_ms, value) of everything in the lanes."""
    import asyncio

    from anlan.base.block import ReadingBlock
    from anlan.base.settings import get
    from anlan.engines.nats import connected

    async def read() -> list[tuple[int, int, int, float]]:
        rows: list[tuple[int, int, int, float]] = []
        async with connected(log) as client:
            stream = client.jetstream()
            for lane in range(get("LANES")):
                info = await stream.stream_info(f"LANE_{lane}")
                for seq in range(max(1, info.state.first_seq), info.state.last_seq + 1):
                    message = await stream.get_msg(f"LANE_{lane}", seq)
                    b = ReadingBlock.from_bytes(message.data)
                    rows += zip(b.station.tolist(), b.quantity.tolist(), b.time_ms.tolist(), b.value.tolist(), strict=True)
        return rows

    return asyncio.run(read())


def message(values: dict[str, float], ago_ms: int = 0) -> dict[str, Any]:
    """A reading of now."""
    return {"t": now_ms() - ago_ms, "v": values}


HOUR = timedelta(hours=1)
