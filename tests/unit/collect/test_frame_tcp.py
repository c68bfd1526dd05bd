"""Framed TCP on the real engines."""

from __future__ import annotations

import json
import socket
import struct

import numpy as np
import psycopg
import pytest

from anlan.base.block import ReadingBlock
from anlan.base.clock import now_ms

from .gateway_kit import letters, stored, until

pytestmark = pytest.mark.stack


class Hub:
    """A collector's side of the line."""

    def __init__(self, house, device, hello: bytes | None = None):
        self.socket = socket.create_connection(house.gateway.at("frame"), timeout=5)
        text = json.dumps({"client_id": device["client_id"], "password": device["secret"]}).encode()
        self.socket.sendall(b"ANLANFH1" + struct.pack("<I", len(text)) + text if hello is None else hello)

    def send(self, seq: int, data: bytes) -> None:
        self.socket.sendall(struct.pack("<II", len(data), seq) + data)

    def answer(self) -> tuple[int, dict]:
        seq, n = struct.unpack("<II", self.exactly(8))
        return seq, json.loads(self.exactly(n)) if n else {}

    def exactly(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            part = self.socket.recv(n - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def closed(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def block(stations, quantity=3, ago_ms=0):
    n = len(stations)
    return ReadingBlock.of(stations, [quantity] * n, now_ms() - ago_ms - np.arange(n), np.linspace(0, 1, n))


def test_blocks_of_many_stations_are_answered_when_durable(house):
    hub = Hub(house, house.others["collector"][0])
    assert hub.answer() == (0, {})
    stations = [d["station"] for d in house.sensors]
    before = len(stored(house.log))
    for seq in range(1, 101):
        hub.send(seq, block(stations, ago_ms=seq * 1000).to_bytes())
    assert sorted(hub.answer()[0] for _ in range(100)) == list(range(1, 101))
    assert len(stored(house.log)) - before == 100 * len(stations)


def test_bad_rows_are_kept_aside_and_the_good_ones_go_in(house):
    device = house.others["collector"][0]
    hub = Hub(house, device)
    hub.answer()
    mine = house.device()["station"]
    before = sum(row[0] == mine for row in stored(house.log))
    hub.send(7, block([mine, 999_999, -3]).to_bytes())
    seq, said = hub.answer()
    assert seq == 7 and not said["fatal"]
    assert [(f["code"], f["count"]) for f in said["faults"]] == [("collect.unknown_series", 2)]
    assert sum(row[0] == mine for row in stored(house.log)) == before + 1
    assert ("collect.unknown_series", device["client_id"], 2) in letters(house.database)


def test_a_collector_speaks_for_its_division_only(house):
    device, mine = house.others["collector"][1], house.device()
    with psycopg.connect(house.database, options="-c anlan.actor=system:test") as c:
        c.execute("update register_device set division_code = '440304' where id = %s", (device["id"],))

    def refused() -> bool:
        hub = Hub(house, device)
        hub.answer()
        hub.send(1, block([mine["station"]]).to_bytes())
        return [f["code"] for f in hub.answer()[1].get("faults", [])] == ["collect.out_of_scope"]

    assert until(refused)


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"rubbish" * 10, "collect.bad_frame"), (b"", "collect.bad_frame"), (b"ANLANRB1" + bytes(16) + b"x", "collect.bad_frame")],
)
def test_rubbish_ends_the_line(house, data, code):
    hub = Hub(house, house.others["collector"][0])
    hub.answer()
    hub.send(3, data)
    seq, said = hub.answer()
    assert seq == 3 and said["fatal"] and said["faults"][0]["code"] == code and hub.closed()


def test_a_block_above_the_limit_ends_the_line(house):
    hub = Hub(house, house.others["collector"][0])
    hub.answer()
    hub.socket.sendall(struct.pack("<II", 10_000_000, 4))
    assert hub.answer()[1]["faults"][0]["code"] == "collect.too_large" and hub.closed()


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        (b"GET / HTTP/1.1\r\n", "collect.bad_frame"),
        (b"ANLANFH1" + struct.pack("<I", 9_999_999), "collect.bad_frame"),
        (b"ANLANFH1" + struct.pack("<I", 2) + b"{}", "collect.bad_frame"),
    ],
)
def test_strangers(house, hello, code):
    hub = Hub(house, house.sensors[0], hello)
    _, said = hub.answer()
    assert said["fatal"] and said["faults"][0]["code"] == code and hub.closed()


def test_wrong_secret_and_wrong_kind(house):
    hub = Hub(house, {**house.others["collector"][0], "secret": "no"})
    assert hub.answer()[1]["faults"][0]["code"] == "collect.wrong_credential" and hub.closed()
    hub = Hub(house, house.sensors[0])
    assert hub.answer()[1]["faults"][0]["code"] == "collect.not_a_collector" and hub.closed()
