"""HTTP push on the real engines."""

from __future__ import annotations

import base64
import json
import time

import httpx
import pytest

from .gateway_kit import letters, message, stored, until

pytestmark = pytest.mark.stack


def post(house, device, body, bearer=False, **headers):
    host, port = house.gateway.at("http")
    pair = f"{device['client_id']}:{device['secret']}"
    given = f"Bearer {pair}" if bearer else "Basic " + base64.b64encode(pair.encode()).decode()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"http://{host}:{port}/v1/readings", content=content, headers={"authorization": given, **headers}, timeout=10)


@pytest.mark.parametrize("bearer", [False, True])
def test_200_means_the_readings_are_in_the_log(house, bearer):
    device = house.device()
    answer = post(house, device, [message({"tilt": 1}), message({"tilt": 2}, 10)], bearer)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 2, "rejected": 0, "faults": []})
    assert sum(row[0] == device["station"] for row in stored(house.log)) == 2


def test_good_readings_go_in_beside_bad_ones(house):
    device = house.device()
    answer = post(house, device, message({"tilt": 1, "zz": 1}))
    assert answer.status_code == 200 and answer.json()["accepted"] == 1 and answer.json()["rejected"] == 1
    [fault] = answer.json()["faults"]
    assert fault["code"] == "collect.unknown_key" and "zz" in fault["zh"] and "zz" in fault["en"]
    assert ("collect.unknown_key", device["client_id"], 1) in letters(house.database)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "collect.bad_json"),
        (b'[{"t": 1}]' + b" " * (1 << 20), 413, "collect.too_large"),
        ({"t": 0, "v": {"tilt": 1}}, 422, "collect.past_time"),
    ],
)
def test_bad_bodies(house, body, status, code):
    device = house.device()
    answer = post(house, device, body)
    said = answer.json()
    assert answer.status_code == status
    assert (said if "code" in said else said["faults"][0])["code"] == code
    assert until(lambda: (code, device["client_id"]) in {(c, d) for c, d, _ in letters(house.database)})


def test_who_is_nobody_is_told_so_and_a_guesser_is_slowed(house):
    device = {**house.device(), "secret": "guess"}
    codes = [post(house, device, b"{}").status_code for _ in range(11)]
    assert codes == [401] * 10 + [429]
    host, port = house.gateway.at("http")
    answer = httpx.post(f"http://{host}:{port}/v1/readings", content=b"{}")
    assert answer.status_code == 401 and set(answer.json()) == {"code", "zh", "en"} and "www-authenticate" in answer.headers


def test_other_addresses(house):
    host, port = house.gateway.at("http")
    base = f"http://{host}:{port}"
    assert httpx.get(f"{base}/v1/readings").status_code == 405
    assert httpx.get(f"{base}/").json()["code"] == "collect.no_such_path"
    assert httpx.get(f"{base}/healthz").json()["ok"] is True
    device = house.device()
    post(house, device, message({"tilt": 1}))
    text = httpx.get(f"{base}/metrics").text
    values = {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if line and line[0] != "#"}
    assert values["anlan_gateway_readings_total"] >= 1 and values["anlan_gateway_log_connected"] == 1
    assert values["anlan_gateway_frame_seconds_count"] == values['anlan_gateway_frame_seconds_bucket{le="+Inf"}']


def test_a_login_is_cheap_the_second_time(house):
    device = house.device()
    post(house, device, message({"tilt": 1}))
    start = time.monotonic()
    host, port = house.gateway.at("http")
    with httpx.Client(auth=(device["client_id"], device["secret"])) as client:
        for i in range(20):
            assert client.post(f"http://{host}:{port}/v1/readings", json=message({"tilt": i}, i)).status_code == 200
    assert time.monotonic() - start < 3
