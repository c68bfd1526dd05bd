"""Devices made for other platforms: ThingsBoard telemetry over MQTT and HTTP, any JSON by paths of the register."""

from __future__ import annotations

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anlan.base.clock import now_ms
from anlan.collect.foreign import by_paths, steps, telemetry, token
from anlan.collect.transports.mqtt import codec

from .gateway_kit import stored, subscribe

NOW = 1_790_000_000_000


def test_tokens():
    assert token("dev-1:s:3", None) == ("dev-1", b"s:3")
    assert token("dev-1:s", b"") == ("dev-1", b"s")
    assert token("dev-1", None) is None and token("a:b", b"x") is None and token(":b", None) is None and token(None, None) is None


def test_telemetry_in_all_its_forms():
    def read(said):
        return json.loads(telemetry(json.dumps(said).encode(), NOW))

    assert read({"temp": 21.5, "open": True, "level": "3.25", "name": "x"}) == [
        {"t": NOW, "v": {"temp": 21.5, "open": 1, "level": 3.25, "name": "x"}}
    ]
    assert read({"ts": 1_780_000_000_000, "values": {"temp": 1}}) == [{"t": 1_780_000_000_000, "v": {"temp": 1}}]
    assert read([{"a": 1}, {"ts": 5, "values": {"a": 2}}]) == [{"t": NOW, "v": {"a": 1}}, {"t": 5, "v": {"a": 2}}]
    assert telemetry(b"{", NOW) == b"{"
    assert telemetry(b"[1]", NOW) == b"[1]"


def test_paths():
    assert steps("$.data[0].temp") == ("data", 0, "temp")
    assert steps("$['Water level'][-1]") == ("Water level", -1)
    assert steps("$..x") is None
    said = {"ts": 1_780_000_000, "data": [{"temp": "21.5", "time": "2026-07-01T04:00:00Z"}, {"temp": 22}], "Water level": {"v": 1.5}}
    read = json.loads(
        by_paths(json.dumps(said).encode(), ["$.data[0].temp", "$.data[1].temp", "$['Water level'].v", "$.no", "other"], NOW) or b""
    )
    assert {item["t"]: item["v"] for item in read} == {
        1_782_878_400_000: {"$.data[0].temp": 21.5},
        1_780_000_000_000: {"$.data[1].temp": 22, "$['Water level'].v": 1.5},
    }
    assert by_paths(b'{"a": 1}', ["a"], NOW) is None
    assert by_paths(b'{"a": 1}', ["$.b"], NOW) is None
    assert json.loads(by_paths(b'{"a": 1}', ["$.a"], NOW) or b"") == [{"t": NOW, "v": {"$.a": 1}}]


@given(st.binary(max_size=60), st.text(max_size=20))
def test_no_payload_or_path_raises(payload, path):
    telemetry(payload, NOW)
    by_paths(payload, ["$" + path], NOW)
    by_paths(b'{"a": [1, {"b": 2}], "t": "x"}', ["$" + path, "$.a[1].b"], NOW)


@pytest.mark.stack
def test_a_thingsboard_device_over_mqtt(house):
    device = house.device()
    pair = f"{device['client_id']}:{device['secret']}".encode()
    body = codec.field(b"MQTT") + b"\x04\x82" + (60).to_bytes(2, "big") + codec.field(b"") + codec.field(pair)
    at = now_ms()
    with house.client() as client:
        client.send(codec.packet(0x10, body))
        assert client.receive() == (0x20, b"\0\0")
        client.send(subscribe("v1/devices/me/rpc/request/+"))
        assert client.receive() == (0x90, b"\0\7\0")
        client.publish("v1/devices/me/attributes", {"firmware": "1.2"}, pid=3)
        assert client.receive() == (0x40, b"\0\3")
        client.publish("v1/devices/me/telemetry", {"ts": at, "values": {"displacement": 12.5}}, pid=4)
        assert client.receive() == (0x40, b"\0\4")
        client.publish("v1/devices/me/telemetry", {"rainfall": "2"}, pid=5)
        assert client.receive() == (0x40, b"\0\5")
    mine = {row[1]: row for row in stored(house.log) if row[0] == device["station"]}
    assert mine[1] == (device["station"], 1, at, 0.0125)
    assert mine[4][3] == 0.002 and abs(mine[4][2] - at) < 60_000
    with house.client() as client:
        client.send(codec.packet(0x10, body[:-3] + b"xyz"))
        assert client.receive() == (0x20, b"\0\4")


@pytest.mark.stack
def test_a_thingsboard_device_over_http(house):
    device = house.device()
    host, port = house.gateway.at("http")
    base = f"http://{host}:{port}/api/v1/{device['client_id']}:{device['secret']}"
    answer = httpx.post(f"{base}/telemetry", json={"displacement": 3}, timeout=10)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    assert httpx.post(f"{base}/attributes", json={"firmware": 1}, timeout=10).status_code == 200
    assert httpx.post(f"{base}x/telemetry", json={"displacement": 3}, timeout=10).status_code == 401
    assert httpx.post(f"http://{host}:{port}/api/v1/nonsense/telemetry", json={}, timeout=10).status_code == 404
    assert [row[3] for row in stored(house.log) if row[0] == device["station"]] == [0.003]
