"""Probes of the chain: sites of their own with a signed threshold, a device that reports for them, sirens, an open event stream.

Probe site ``p<i>`` has one station (number ``PROBE + i``, water level, limits 1, 2, 3, 4 m); the first `sirens` of them have a siren
too, which a signed standing order starts at red. One device ``probe`` reports all of them with the keys ``p0`` ….
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import tempfile
import threading
import time
from pathlib import Path

import psycopg

from anlan.register.credentials import hash_secret

from ._devices import field, packet
from ._platform import SECRET, Platform

PROBE = 3_000_000
ORANGE, RED = 3.5, 4.5  # metres over the third and the fourth limit
SQL = """
select set_config('anlan.actor', 'system:bench', false);
insert into register_site (id, division_code, created_at, updated_at, cause, code, name, name_en, kind, lon, lat, partition, key_target,
  attributes) select 'site-p' || i, '440303', now(), now(), '{{}}', 'p' || i, 'p' || i, '', 'flood_point', 114, 22, i % 16, false, '{{}}'
  from generate_series(0, {probes} - 1) i;
insert into register_station (id, division_code, created_at, updated_at, cause, code, number, name, name_en, kind, site_id, lon, lat,
  interval_s, enabled, live) select 'station-p' || i, '440303', now(), now(), '{{}}', 'p' || i, {first} + i, 'p', '', 'probe',
  'site-p' || i, 114, 22, 3600, true, true from generate_series(0, {probes} - 1) i;
insert into register_series (station_id, quantity) select id, 5 from register_station where kind = 'probe';
insert into register_person (id, division_code, created_at, updated_at, cause, name, phone, email, on_leave)
  values ('person-probe', '', now(), now(), '{{}}', 'p', '', '', false);
insert into register_threshold (id, division_code, created_at, updated_at, cause, quantity, station_kind, mode, window_s, blue, yellow,
  orange, red, hysteresis, persistence_s, persistence_n, source, version, valid_from, signed_by_id) values ('threshold-probe', '', now(),
  now(), '{{}}', 'water_level', 'probe', 'above', 0, 1, 2, 3, 4, 0.05, 0, 1, 'bench', 1, '2020-01-01', 'person-probe');
insert into register_device (id, division_code, created_at, updated_at, cause, client_id, username, secret_hash, kind, protocol, name,
  enabled) values ('device-probe', '440303', now(), now(), '{{}}', 'probe', 'probe', '{secret}', 'sensor', 'mqtt', '', true);
insert into register_deviceseries (device_id, key, series_id, unit) select 'device-probe', 'p' || (st.number - {first}), se.id, ''
  from register_series se join register_station st on st.id = se.station_id where st.kind = 'probe';
insert into register_device (id, division_code, created_at, updated_at, cause, client_id, username, secret_hash, kind, protocol, name,
  enabled, site_id) select 'device-siren' || i, '440303', now(), now(), '{{}}', 'siren' || i, 'siren' || i, '{secret}', 'siren', 'mqtt',
  '', true, 'site-p' || i from generate_series(0, {sirens} - 1) i;
insert into issue_standingorder (id, division_code, created_at, updated_at, cause, title, hazard, grade, area, actions, version,
  signed_by_id, signed_at, valid_from) values ('order-probe', '440303', now(), now(), '{{}}', 'bench', '', 4, '440303',
  '[{{"action": "siren_on", "device_kind": "siren"}}]', 1, 'person-probe', now(), '2020-01-01');
"""


def register(platform: Platform, probes: int, sirens: int = 0) -> None:
    """Add the probes to the register and wait until the lanes judge them."""
    text = SQL.format(probes=probes, sirens=sirens, first=PROBE, secret=hash_secret(SECRET))
    have = sum(platform.series().values())
    with psycopg.connect(platform.url, autocommit=True) as connection:
        for statement in text.split(";\n"):
            if statement.strip():
                connection.execute(statement)
    platform.until(lambda: sum(platform.series().values()) >= have + probes, 90)
    time.sleep(3)  # the gateway's directory follows the register


def mqtt(address: str, client: str, subscribe: bool = False, timeout: float = 10.0) -> socket.socket:
    """A connected MQTT 3.1.1 line, subscribed to its commands at QoS 1 when wanted; OSError when it is refused."""
    host, _, port = address.rpartition(":")
    line = socket.create_connection((host, int(port)), timeout=timeout)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    name = client.encode()
    line.sendall(packet(0x10, field(b"MQTT") + b"\x04\xc2\x00\x00" + field(name) + field(name) + field(SECRET.encode())))
    answer = line.recv(4)
    if len(answer) < 4 or answer[3]:
        raise OSError(f"CONNACK {answer!r}")
    if subscribe:
        line.sendall(packet(0x82, b"\x00\x01" + field(b"down/" + name) + b"\x01"))
        if line.recv(5)[-1:] not in (b"\x00", b"\x01"):
            raise OSError("SUBACK refused")
    return line


def publish(line: socket.socket, number: int, key: int, value: float, ms: int) -> None:
    """One reading of a probe, QoS 1, packet id `number`."""
    body = b'{"t":%d,"v":{"p%d":%.3f}}' % (ms, key, value)
    line.sendall(packet(0x32, field(b"up/probe") + number.to_bytes(2, "big") + body))


class EventStream(threading.Thread):
    """An open ``/api/stream`` as a browser holds it: `seen[(type, site)]` is when the event's bytes arrived (monotonic s)."""

    def __init__(self, http: str, token: str):
        super().__init__(daemon=True)
        host, _, port = http.removeprefix("http://").rpartition(":")
        self.line = socket.create_connection((host, int(port)), timeout=30)
        head = f"GET /api/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n"
        self.line.sendall(head.encode())
        self.seen: dict[tuple[str, str], float] = {}
        self.bad: str = ""
        self.start()

    def run(self) -> None:
        held = b""
        while True:
            try:
                data = self.line.recv(1 << 20)
            except OSError:
                return
            now = time.monotonic()
            if not data:
                return
            if not held and not self.seen and data[:12] not in (b"HTTP/1.1 200", b"") and data.startswith(b"HTTP"):
                self.bad = data[:200].decode(errors="replace")
            *events, held = (held + data).split(b"\n\n")
            for event in events:
                self._note(event, now)

    def _note(self, event: bytes, now: float) -> None:
        kind, _, rest = event.partition(b"\ndata: ")
        name = kind.rpartition(b"event: ")[2].decode(errors="replace").strip()
        if name.startswith(("issue.", "detect.finding")):
            site = json.loads(rest.partition(b"\n")[0])["payload"].get("site", "")
            self.seen.setdefault((name, site), now)

    def close(self) -> None:
        with_shutdown(self.line)


class Sirens(threading.Thread):
    """Sirens on their lines: `heard[i]` is when the first bytes of a command arrived at siren i (monotonic s)."""

    def __init__(self, address: str, numbers: range):
        super().__init__(daemon=True)
        self.heard: dict[int, float] = {}
        self.selector = selectors.DefaultSelector()
        self.lines = []
        for i in numbers:
            line = mqtt(address, f"siren{i}", subscribe=True)
            line.setblocking(False)
            self.selector.register(line, selectors.EVENT_READ, i)
            self.lines.append(line)
        self.over = False
        self.start()

    def run(self) -> None:
        while not self.over:
            for key, _ in self.selector.select(0.5):
                try:
                    data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                except OSError:
                    data = b""
                if data[:1] and data[0] >> 4 == 3:
                    self.heard.setdefault(key.data, time.monotonic())
                elif not data:
                    self.selector.unregister(key.fileobj)

    def close(self) -> None:
        self.over = True
        for line in self.lines:
            with_shutdown(line)


class Syncs(threading.Thread):
    """What the disk costs in the same minutes: append 200 bytes and fdatasync, ten times a second; `took` in ms."""

    def __init__(self, folder: Path):
        super().__init__(daemon=True)
        self.took: list[float] = []
        self.over = False
        self.file = tempfile.NamedTemporaryFile(dir=folder)  # noqa: SIM115 - closed by close()
        self.start()

    def run(self) -> None:
        sync = getattr(os, "fdatasync", os.fsync)
        while not self.over:
            began = time.perf_counter()
            os.write(self.file.fileno(), bytes(200))
            sync(self.file.fileno())
            self.took.append((time.perf_counter() - began) * 1000)
            time.sleep(0.1)

    def close(self) -> None:
        self.over = True
        self.join()
        self.file.close()


def with_shutdown(line: socket.socket) -> None:
    """Close a line that another thread may be reading."""
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    line.close()
