"""Protocol ports on the real engines: who may talk, answers after durability, a killed gateway, hostile bytes."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from anlan.base.clock import now_ms
from anlan.base.quantity import BY_NAME
from anlan.collect.codec import Broken, Message, codec

from .gateway_kit import GatewayProcess, letters, register, stored, until

pytestmark = pytest.mark.stack
OPEN = {"ANLAN_JT808_PORT": "0", "ANLAN_GB26875_PORT": "0"}
PHONE = "013900000001"
SOURCE = "000000001021"


class Unit:
    """A device's side of the line."""

    def __init__(self, gateway: GatewayProcess, protocol: str):
        self.codec = codec(protocol)
        self.stream = self.codec.stream()
        self.socket = socket.create_connection(gateway.at(protocol), timeout=5)
        self.got: list[Message | Broken] = []
        self.serial = 0

    def send(self, name: str, **fields: Any) -> int:
        self.serial += 1
        who = {"phone": PHONE} if self.codec.name == "jt808" else {"source": SOURCE, "target": "1", "time": shown(now_ms())}
        self.socket.sendall(self.codec.encode({"name": name, "serial": self.serial, **who, **fields}))
        return self.serial

    def answer(self, seconds: float = 5) -> Message:
        self.socket.settimeout(seconds)
        while not self.got:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.got += self.stream.feed(data)
        said = self.got.pop(0)
        assert isinstance(said, Message), said
        return said

    def log_in(self) -> None:
        """Register and authenticate with the code that was given."""
        self.send("register", province=44, city=300, manufacturer="A", model="B", terminal_id="T1", plate_color=2, plate="粤B12345")
        code = self.answer().fields["auth_code"]
        self.send("authenticate", auth_code=code)
        assert self.answer().fields["result"] == 0

    def closed(self) -> bool:
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            return False
        return True


def shown(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).isoformat()


def place(ms: int, latitude: float = 22.5) -> dict[str, Any]:
    return {"alarm": 0, "status": 3, "latitude": latitude, "longitude": 114.0, "mileage_km": 12.3, "speed_kmh": 36.0, "time": shown(ms)}


def named(device: dict[str, Any], number: str, protocol: str, keys: dict[str, str]) -> dict[str, Any]:
    """A registered device under its protocol's number, with series for its keys."""
    from anlan.engines.outbox import acting
    from anlan.register.models import Device, DeviceSeries, Series, Station

    with acting("system:test"):
        Device.objects.filter(pk=device["id"]).update(client_id=number, username=number, protocol=protocol)
        for key, quantity in keys.items():
            series, _ = Series.objects.get_or_create(
                station=Station.objects.get(number=device["station"]), quantity=BY_NAME[quantity].number
            )
            DeviceSeries.objects.create(device_id=device["id"], key=key, series=series)
    return {**device, "client_id": number}


@pytest.fixture
def devices(real_db: str) -> list[dict[str, Any]]:
    coach, panel = register(2, prefix="unit", keys={})
    return [
        named(coach, PHONE.lstrip("0"), "jt808", {"latitude": "latitude", "speed": "vehicle_speed", "mileage": "mileage"}),
        named(panel, SOURCE, "gb26875", {"1.1.42.00010005.fire": "alarm_state"}),
    ]


def test_a_terminal_registers_authenticates_and_is_answered_when_durable(real_db, nats, tmp_path, devices):
    with GatewayProcess(tmp_path, real_db, nats, **OPEN) as gateway:
        unit = Unit(gateway, "jt808")
        unit.send("heartbeat")
        assert unit.answer().fields["result"] == 1  # not before it authenticated
        unit.log_in()
        ms = now_ms() // 1000 * 1000
        serial = unit.send("position", **place(ms))
        answer = unit.answer()
        assert (answer.name, answer.fields["ack_serial"], answer.fields["result"]) == ("answer", serial, 0)
        rows = stored(nats)
        station = devices[0]["station"]
        assert {(s, q, t) for s, q, t, _ in rows} == {(station, BY_NAME[n].number, ms) for n in ("latitude", "vehicle_speed", "mileage")}
        assert {round(v, 6) for *_, v in rows} == {22.5, 10.0, 12300.0}
        unit.send("positions", kind=1, items=[place(ms - 10_000), place(ms - 20_000)])
        assert unit.answer().fields["result"] == 0
        assert len(stored(nats)) == 9
        again = Unit(gateway, "jt808")
        again.send("authenticate", auth_code="guess")
        assert again.answer().fields["result"] == 1
        assert until(lambda: ("collect.wrong_credential", devices[0]["client_id"], 1) in letters(real_db))
        assert until(lambda: any((tmp_path / "raw").glob("*.tsv")))
        kept = next((tmp_path / "raw").glob("*.tsv")).read_text().splitlines()
        assert any(line.split("\t")[1:4] == ["jt808", devices[0]["client_id"], "ok"] for line in kept)


def test_unknown_terminals_and_wrong_protocols_get_nothing_in(real_db, nats, tmp_path, devices):
    with GatewayProcess(tmp_path, real_db, nats, **OPEN) as gateway:
        unit = Unit(gateway, "jt808")
        unit.send("register", phone="019999999999", province=1, city=1, manufacturer="", model="", terminal_id="", plate_color=1, plate="")
        assert unit.answer().fields["result"] == 4
        unit.send("position", phone="019999999999", **place(now_ms()))
        assert unit.answer().fields["result"] == 1
        panel = Unit(gateway, "gb26875")
        panel.send("part_state", source=devices[0]["client_id"].rjust(12, "0"), objects=[fire(now_ms())])
        with pytest.raises(TimeoutError):
            panel.answer(0.5)
        assert stored(nats) == []
        assert until(lambda: [c for c, _, _ in letters(real_db)].count("collect.unknown_device") >= 1)


def fire(ms: int) -> dict[str, Any]:
    part = {"system_type": 1, "system_address": 1, "part_type": 42, "part_address": "00010005"}
    return {**part, "states": ["fire"], "text": "三楼", "time": shown(ms)}


def test_a_fire_panel_is_confirmed_and_denied(real_db, nats, tmp_path, devices):
    with GatewayProcess(tmp_path, real_db, nats, **OPEN) as gateway:
        panel = Unit(gateway, "gb26875")
        serial = panel.send("part_state", objects=[fire(now_ms())])
        answer = panel.answer()
        assert (answer.name, answer.fields["serial"], answer.fields["target"]) == ("confirm", serial, SOURCE)
        assert [(s, v) for s, _, _, v in stored(nats)] == [(devices[1]["station"], 1.0)]
        wrong = {"name": "part_state", "serial": 9, "source": SOURCE, "objects": [fire(now_ms())]}
        frame = bytearray(panel.codec.encode(wrong))
        frame[-3] ^= 1
        panel.socket.sendall(frame)
        assert panel.answer().name == "deny"
        assert until(lambda: ("collect.bad_message", SOURCE, 1) in letters(real_db))


def test_junk_is_cut_off_and_disturbs_nobody(real_db, nats, tmp_path, devices):
    with GatewayProcess(tmp_path, real_db, nats, **OPEN) as gateway:
        good = Unit(gateway, "jt808")
        good.log_in()
        for protocol in ("jt808", "gb26875"):
            with socket.create_connection(gateway.at(protocol), timeout=10) as stranger:
                try:
                    for _ in range(40):
                        stranger.sendall(b"\x7e" + bytes(range(256)) * 64 + b"@@")
                    assert stranger.recv(10) == b""
                except (ConnectionResetError, BrokenPipeError):
                    pass
        good.send("position", **place(now_ms()))
        assert good.answer().fields["result"] == 0
        assert "Traceback" not in gateway.log()


def test_killed_between_store_and_answer_nothing_acknowledged_is_lost(real_db, nats, tmp_path, devices):
    gateway = GatewayProcess(tmp_path, real_db, nats, **OPEN).start()
    base, acknowledged, sent, code = now_ms() // 1000 * 1000 - 3_600_000, set(), 0, ""
    try:
        for round_ in range(3):
            unit = Unit(gateway, "jt808")
            if not code:
                unit.send("register", province=1, city=1, manufacturer="", model="", terminal_id="", plate_color=1, plate="")
                code = unit.answer().fields["auth_code"]
            unit.send("authenticate", auth_code=code)
            assert unit.answer().fields["result"] == 0
            waiting: dict[int, int] = {}
            deadline = time.monotonic() + 3
            try:
                while time.monotonic() < deadline:
                    if len(waiting) < 20 and sent < 3000:
                        waiting[unit.send("position", **place(base + sent * 1000))] = sent
                        sent += 1
                    else:
                        acknowledged.add(waiting.pop(unit.answer(1).fields["ack_serial"]))
                    if len(acknowledged) > 60 * (round_ + 1):
                        gateway.kill()
            except (OSError, EOFError):
                pass
            gateway.start()
        times = {t for _, _, t, _ in stored(nats)}
        assert len(acknowledged) > 180
        assert {base + n * 1000 for n in acknowledged} <= times
    finally:
        gateway.stop()
