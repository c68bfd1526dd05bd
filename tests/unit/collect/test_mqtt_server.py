"""The MQTT listener on the real engines: log-in, own topics only, sessions, hostile clients."""

from __future__ import annotations

import time

import pytest

from anlan.collect.transports.mqtt import codec

from .gateway_kit import Raw, connect, letters, message, register, stored, subscribe, until

pytestmark = pytest.mark.stack


def letter(house, code: str, device: str) -> int:
    """How often this fault was kept for this device (waits for it)."""
    return until(lambda: {(c, d): n for c, d, n in letters(house.database)}.get((f"collect.{code}", device)))


def test_puback_means_the_reading_is_in_the_log(house):
    device = house.device()
    with house.client() as client:
        assert client.connect(device) == (0, 0)
        reading = message({"displacement": 12.5, "rainfall": 1})
        client.publish(f"up/{device['client_id']}", reading, pid=17)
        assert client.receive() == (0x40, b"\x00\x11")
    mine = [row for row in stored(house.log) if row[0] == device["station"]]
    assert sorted(mine) == [(device["station"], 1, reading["t"], 0.0125), (device["station"], 4, reading["t"], 0.001)]


def test_answers_come_in_order_and_repeats_are_answered_again(house):
    device = house.device()
    with house.client() as client:
        client.connect(device)
        for pid in (5, 3, 9):
            client.publish(f"up/{device['client_id']}", message({"tilt": pid}), pid=pid)
        client.publish(f"up/{device['client_id']}", message({"tilt": 9}), pid=9, flags=8)
        assert [int.from_bytes(client.receive()[1], "big") for _ in range(4)] == [5, 3, 9, 9]


def test_qos0_is_taken_without_answer(house):
    device = house.device()
    with house.client() as client:
        client.connect(device)
        client.publish(f"up/{device['client_id']}", message({"tilt": 1}), qos=0)
        client.send(b"\xc0\x00")
        assert client.receive() == (0xD0, b"")  # 3.12.4-1
    assert until(lambda: any(row[0] == device["station"] for row in stored(house.log)))


@pytest.mark.parametrize(
    ("change", "code"),
    [({"secret": "wrong"}, 4), ({"username": "somebody"}, 4), ({"client_id": "nobody"}, 4), ({"client_id": ""}, 2)],
)
def test_wrong_credentials(house, change, code):
    device = {**house.sensors[0], **change}
    with house.client() as client:
        assert client.connect(device) == (0, code)
        assert client.receive() is None  # 3.2.2-5


def test_guessing_is_slowed_and_seen(house):
    device = house.device()
    codes = []
    for _ in range(12):
        with house.client() as client:
            codes.append(client.connect({**device, "secret": "guess"})[1])
    assert codes == [4] * 10 + [5] * 2
    assert letter(house, "wrong_credential", device["client_id"])
    error = until(lambda: house.rows("select error from collect_devicestate where device_id = %s and error <> ''", device["id"]))
    assert "登录" in error[0][0]


def test_a_device_registered_a_moment_ago_may_log_in(house):
    [device] = register(1, prefix="new")
    with house.client() as client:
        assert client.connect(device) == (0, 0)
        client.publish("up/new-0", message({"tilt": 1}))
        assert client.receive() == (0x40, b"\0\1")


def test_a_disabled_device_is_cut_off(house):
    device = house.device()
    with house.client() as client:
        client.connect(device)
        import psycopg

        with psycopg.connect(house.database, options="-c anlan.actor=system:test") as c:
            c.execute("update register_device set enabled = false where id = %s", (device["id"],))
        assert client.receive() is None
    with house.client() as client:
        assert client.connect(device) == (0, 5)


@pytest.mark.parametrize(
    ("first", "answer"),
    [
        (b"\xc0\x00", None),  # 3.1.0-1
        (b"\xff" * 20, None),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", None),
        (b"\x10" + b"\xff" * 5, None),
        (codec.packet(0x10, codec.field(b"MQTT") + b"\x05\x02\x00\x3c\x00\x00\x01a"), 1),  # 3.1.2-2
        (codec.packet(0x10, codec.field(b"MQIsdp") + b"\x03\x02\x00\x3c\x00\x01a"), 1),
    ],
)
def test_strangers(house, first, answer):
    with house.client() as client:
        client.send(first)
        got = client.receive()
        assert got == (None if answer is None else (0x20, bytes((0, answer))))
        assert answer is None or client.receive() is None


FOREIGN = [
    ("up/somebody", 1, 0, "foreign_topic"),
    ("$SYS/x", 0, 0, "foreign_topic"),
    ("up/{me}/x", 1, 0, "foreign_topic"),
    ("up/{me}", 2, 0, "qos2"),
    ("up/{me}", 1, 1, "retained"),
    ("up/+", 1, 0, "bad_packet"),
]


@pytest.mark.parametrize(("topic", "qos", "flags", "code"), FOREIGN)
def test_what_is_not_offered_ends_the_line_and_is_kept(house, topic, qos, flags, code):
    device = house.device()
    with house.client() as client:
        client.connect(device)
        client.publish(topic.format(me=device["client_id"]), message({"tilt": 1}), qos=qos, flags=flags)
        assert client.receive() is None  # 3.3.5-2, 4.8.0-1
    assert letter(house, code, device["client_id"]) == 1


def test_a_will_is_refused(house):
    device = house.device()
    with house.client() as client:
        assert client.connect(device, flags=4, will=codec.field(b"will/x") + codec.field(b"gone")) == (0, 5)
        assert client.receive() is None
    assert letter(house, "will", device["client_id"])


@pytest.mark.parametrize("breach", [b"\x10\x00", b"\x62\x02\x00\x01", b"\x50\x02\x00\x01", b"\x20\x02\x00\x00", b"\xf0\x00", b"\x00\x00"])
def test_packets_out_of_place_end_the_line(house, breach):
    device = house.sensors[0]
    with house.client() as client:
        client.connect(device)
        client.send(breach)  # 3.1.0-2 and others
        assert client.receive() is None


def test_a_ten_megabyte_payload_ends_the_line_and_nothing_else(house):
    device, other = house.device(), house.device()
    with house.client() as client, house.client() as bystander:
        client.connect(device)
        bystander.connect(other)
        try:
            client.publish(f"up/{device['client_id']}", b"x" * 10_000_000)
            assert client.receive() is None
        except (BrokenPipeError, ConnectionResetError):
            pass
        bystander.publish(f"up/{other['client_id']}", message({"tilt": 1}))
        assert bystander.receive() == (0x40, b"\0\1")
    assert letter(house, "too_large", device["client_id"]) == 1


def test_a_message_in_single_bytes(house):
    device = house.device()
    with house.client() as client:
        for byte in connect(device):
            client.send(bytes((byte,)))
        assert client.receive() == (0x20, b"\0\0")


def test_bad_readings_are_kept_with_reason_and_the_message_is_answered(house):
    device = house.device()
    with house.client() as client:
        client.connect(device)
        for pid in range(1, 4):
            client.publish(f"up/{device['client_id']}", {**message({"tilt": 1, "nonsense": 2, "rainfall": "x"})}, pid=pid)
            assert client.receive() == (0x40, bytes((0, pid)))
    mine = {(c, n) for c, d, n in letters(house.database) if d == device["client_id"]}
    assert mine == {("collect.unknown_key", 3), ("collect.wrong_type", 3)}
    assert sum(row[0] == device["station"] for row in stored(house.log)) == 3
    [(zh, en, payload, division)] = house.rows(
        "select zh, en, payload, division_code from collect_deadletter where device = %s and code = 'collect.wrong_type' limit 1",
        device["client_id"],
    )
    assert "rainfall" in zh and "rainfall" in en and b"nonsense" in bytes(payload) and division == "440303001"
    assert house.rows("select 1 from engines_outbox where type = 'collect.letter.added' and payload ->> 'device' = %s", device["client_id"])


def test_the_newer_connection_of_a_client_id_stays(house):
    device = house.device()
    with house.client() as old, house.client() as new:
        old.connect(device)
        assert new.connect(device) == (0, 0)
        assert old.receive() is None  # 3.1.4-2
        new.send(b"\xc0\x00")
        assert new.receive() == (0xD0, b"")


def test_keep_alive_ends_a_silent_line_and_not_a_lively_one(house):
    quiet, lively = house.device(), house.device()
    with house.client() as a, house.client() as b:
        a.connect(quiet, keep_alive=1)
        b.connect(lively, keep_alive=1)
        start = time.monotonic()
        while time.monotonic() - start < 3.2:
            b.send(b"\xc0\x00")
            assert b.receive() == (0xD0, b"")
            time.sleep(0.4)
        assert a.receive(0.5) is None  # 3.1.2-24
        b.send(b"\xc0\x00")
        assert b.receive() == (0xD0, b"")


def test_states_and_events_of_lines(house):
    device = house.device()
    state = "select online, address, gateway from collect_devicestate where device_id = %s"
    with house.client() as client:
        client.connect(device)
        online = until(lambda: house.rows(state, device["id"]))
        assert online[0][0] and online[0][1].startswith("127.0.0.1:") and online[0][2]
    assert until(lambda: not house.rows(state, device["id"])[0][0])
    types = [r[0] for r in house.rows("select type from engines_outbox where subject = %s order by id", device["id"])]
    assert types == ["collect.device.connected", "collect.device.disconnected"]


def test_foreign_filters_are_refused_one_by_one(house):
    device = house.device("siren")
    own = f"down/{device['client_id']}"
    with house.client() as client:
        client.connect(device)
        pairs = [("#", 1), (own, 2), ("down/+", 0), ("$SYS/#", 0), (own, 0), ("down/other", 1)]
        client.send(codec.packet(0x82, b"\0\x09" + b"".join(codec.field(t.encode()) + bytes((q,)) for t, q in pairs)))
        assert client.receive() == (0x90, b"\0\x09" + bytes((0x80, 1, 0x80, 0x80, 0, 0x80)))
    assert letter(house, "foreign_filter", device["client_id"]) == 4


def test_sessions_are_present_as_the_standard_says(house):
    device = house.device("siren")
    story = [(True, 0), (False, 0), (False, 1), (True, 0), (False, 0)]  # 3.2.2-1..3, 3.1.2-6
    for clean, present in story:
        with house.client() as client:
            assert client.connect(device, clean=clean) == (present, 0), (clean, present)
            client.send(subscribe(f"down/{device['client_id']}"))
            assert client.receive() == (0x90, b"\0\7\1")
            client.send(b"\xe0\x00")
            assert client.receive() is None


def test_many_strangers_do_not_keep_devices_out(house):
    device = house.device()
    idle = [Raw(house.gateway.at("mqtt")) for _ in range(200)]
    with house.client() as client:
        assert client.connect(device) == (0, 0)
    for raw in idle:
        raw.close()
