"""JT/T 808 and GB/T 26875.3: golden samples, the shared frames, round trips, any split, garbage, answers."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anlan.base.errors import FieldError
from anlan.base.quantity import quantity
from anlan.collect.codec import Broken, Columns, Message, codec

FOLDER = Path(__file__).parents[3] / "src/anlan/collect/protocols"
NAMES = ("jt808", "gb26875")
SAMPLES = [(n, s) for n in NAMES for s in json.loads((FOLDER / n / "samples.json").read_text("utf-8"))]


def all_of(name: str, data: bytes, options: dict[str, Any] | None = None) -> list[Message | Broken]:
    stream = codec(name).stream(options)
    return stream.feed(data) + stream.end()


def one(name: str, frame: str, options: dict[str, Any] | None = None) -> Message:
    (said,) = all_of(name, bytes.fromhex(frame), options)
    assert isinstance(said, Message), said
    return said


def holds(wanted: Any, got: Any) -> bool:
    """`got` says at least what is wanted."""
    if isinstance(wanted, dict):
        return isinstance(got, dict) and all(k in got and holds(v, got[k]) for k, v in wanted.items())
    return wanted == got


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=[f"{n}: {s['note']}" for n, s in SAMPLES])
def test_golden(name: str, sample: dict[str, Any]) -> None:
    said = one(name, sample["frame"])
    assert said.name == sample["message"]
    assert holds(sample["fields"], said.fields), said.fields
    json.dumps(said.fields)
    assert codec(name).encode({"name": said.name, **said.fields}).hex() == sample["frame"].lower()
    for reading in said.samples:
        if reading.quantity not in ("", "duration"):
            assert quantity(reading.quantity).unit == reading.unit


@pytest.mark.parametrize("name", NAMES)
def test_shared_frames(name: str, shared: Path) -> None:
    for row in json.loads((shared / "data" / "frames" / f"{name}.json").read_text("utf-8")):
        frames = row["frame"] if isinstance(row["frame"], list) else [row["frame"]]
        stream = codec(name).stream()
        said: list[Message | Broken] = []
        for frame in frames:
            said = stream.feed(bytes.fromhex(frame)) + stream.flush()
        good = bool(said) and all(isinstance(m, Message) for m in said)
        assert good == (row["expected"] != "reject"), (row["source"], said)
        if good and "serial" in row["expected"]:
            assert said[-1].fields["serial"] == row["expected"]["serial"]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 1 << 32), cuts=st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_any_split_says_the_same(name: str, seed: int, cuts: int) -> None:
    dice = random.Random(seed)
    frames = [bytes.fromhex(s["frame"]) for n, s in SAMPLES if n == name]
    chosen = dice.choices(frames, k=6)
    data = b"".join(chosen)
    stream, said, at = codec(name).stream(), [], 0
    while at < len(data):
        n = dice.randint(1, cuts)
        said += stream.feed(data[at : at + n])
        at += n
    said += stream.end()
    assert [m.raw for m in said] == chosen
    assert all(isinstance(m, Message) for m in said)


@pytest.mark.parametrize("name", NAMES)
@given(junk=st.binary(max_size=300), seed=st.integers(0, 1 << 32))
@settings(max_examples=150, deadline=None)
def test_frames_behind_garbage_are_found(name: str, junk: bytes, seed: int) -> None:
    """Whatever came before: of the next frames all but the first are read (garbage may look like the begin of a frame)."""
    frame = bytes.fromhex(random.Random(seed).choice([s["frame"] for n, s in SAMPLES if n == name]))
    said = all_of(name, junk + frame * 8)
    assert sum(isinstance(m, Message) and m.raw == frame for m in said) >= 7
    if name == "gb26875":  # without escapes every byte is accounted for
        assert b"".join(m.raw for m in said) == junk + frame * 8


@pytest.mark.parametrize("name", NAMES)
@given(data=st.binary(max_size=2000), step=st.integers(1, 200))
@settings(max_examples=150, deadline=None)
def test_no_bytes_raise_or_grow(name: str, data: bytes, step: int) -> None:
    mark = b"\x7e" if name == "jt808" else b"@@"
    stream = codec(name).stream()
    for i in range(0, len(data), step):
        stream.feed(data[i : i + step] + (mark if i % 3 == 0 else b""))
        assert len(stream._held) <= 3000
    stream.end()


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_changed_byte_is_noticed(name: str, data: st.DataObject) -> None:
    frame = bytearray.fromhex(data.draw(st.sampled_from([s["frame"] for n, s in SAMPLES if n == name])))
    at = data.draw(st.integers(2, len(frame) - 3))
    frame[at] ^= data.draw(st.integers(1, 255))
    whole = bytes(frame)
    assert not any(isinstance(m, Message) and m.raw == whole for m in all_of(name, whole))


@given(
    body=st.binary(max_size=3000),
    phone=st.text("0123456789", min_size=12, max_size=12),
    serial=st.integers(0, 65535),
    version=st.sampled_from([None, 1]),
)
@settings(max_examples=100, deadline=None)
def test_jt808_any_body_comes_back(body: bytes, phone: str, serial: int, version: int | None) -> None:
    extra = {} if version is None else {"protocol_version": version}
    data = codec("jt808").encode({"name": 0x0FFF, "phone": phone, "serial": serial, "body": body.hex(), **extra})
    said = all_of("jt808", data)
    assert isinstance(said[-1], Message)
    assert said[-1].fields["body"] == body.hex()
    assert said[-1].fields["phone"].endswith(phone)


def place(**more: Any) -> dict[str, Any]:
    base = {"status": 3, "alarm": 0, "latitude": 30.5, "longitude": 114.25, "speed_kmh": 36.0, "heading_deg": 90, "altitude_m": 12}
    return {**base, "time": "2026-10-01T08:00:00+08:00", **more}


@given(
    latitude=st.integers(-90_000_000, 90_000_000),
    longitude=st.integers(-180_000_000, 180_000_000),
    alarm=st.integers(0, (1 << 32) - 1),
    status=st.integers(0, (1 << 32) - 1).map(lambda s: s & ~12),
    mileage=st.integers(0, (1 << 32) - 1),
    extra=st.dictionaries(st.integers(0xE0, 0xFF).map(lambda i: f"{i:02x}"), st.binary(max_size=30).map(bytes.hex), max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_jt808_positions_round_trip(latitude: int, longitude: int, alarm: int, status: int, mileage: int, extra: dict[str, str]) -> None:
    said = place(latitude=latitude / 1e6, longitude=longitude / 1e6, alarm=alarm, status=status, mileage_km=mileage / 10)
    if extra:
        said["extra"] = extra
    data = codec("jt808").encode({"name": "position", "phone": "13900000001", **said})
    (got,) = all_of("jt808", data)
    assert isinstance(got, Message)
    fields = got.fields
    assert (round(fields["latitude"] * 1e6), round(fields["longitude"] * 1e6)) == (latitude, longitude)
    assert (fields["alarm"], fields["status"] & ~12, fields["mileage_km"]) == (alarm, status, mileage / 10)
    assert fields.get("extra", {}) == extra


def test_jt808_readings_are_si_and_utc() -> None:
    frame = codec("jt808").encode({"name": "position", "phone": "13900000001", **place(alarm=1, mileage_km=12.3, fuel_l=40)})
    (said,) = all_of("jt808", frame)
    got = {s.key: s for s in said.samples}  # type: ignore[union-attr]
    assert got["speed"].value == pytest.approx(10.0)
    assert got["mileage"].value == pytest.approx(12300)
    assert got["fuel"].value == pytest.approx(0.04)
    assert (got["alarm"].value, got["alarm.sos"].value) == (1, 1)
    assert got["latitude"].time_ms == 1790812800000  # 2026-10-01T00:00:00Z
    assert got["latitude"].station == "013900000001"


def test_jt808_a_position_without_fix_is_no_measurement() -> None:
    frame = codec("jt808").encode({"name": "position", "phone": "1", **place(status=1)})
    (said,) = all_of("jt808", frame)
    bad = {s.key for s in said.samples if s.quality == 2}  # type: ignore[union-attr]
    assert bad == {"latitude", "longitude", "altitude", "speed", "heading"}


def test_jt808_blind_area_positions_come_in_order_of_time() -> None:
    items = [place(time=f"2026-10-01T08:{m:02}:00+08:00") for m in (30, 10, 20)]
    (said,) = all_of("jt808", codec("jt808").encode({"name": "positions", "phone": "1", "kind": 1, "items": items}))
    times = [s.time_ms for s in said.samples if s.key == "speed"]  # type: ignore[union-attr]
    assert len(times) == 3
    assert times == sorted(times)


def test_jt808_answers() -> None:
    asked = codec("jt808")
    (said,) = all_of("jt808", asked.encode({"name": "heartbeat", "phone": "13900000001", "serial": 9}))
    (answer,) = all_of("jt808", said.answer)  # type: ignore[union-attr]
    assert holds({"message_id": "0x8001", "ack_serial": 9, "ack_message": "0x0002", "result": 0}, answer.fields)  # type: ignore[union-attr]
    register = next(s["frame"] for n, s in SAMPLES if n == "jt808" and "of 2019: 76" in s["note"])
    (answer,) = all_of("jt808", one("jt808", register, {"auth_code": "secret"}).answer)
    assert holds({"message_id": "0x8100", "edition": 2019, "auth_code": "secret"}, answer.fields)  # type: ignore[union-attr]
    acked = asked.encode({"name": "terminal_answer", "phone": "1", "ack_serial": 1, "ack_message": "0x8103", "result": 0})
    assert all_of("jt808", acked)[0].answer == b""
    unknown = asked.encode({"name": 0x0FFF, "phone": "1", "body": ""})
    (answer,) = all_of("jt808", all_of("jt808", unknown)[0].answer)
    assert answer.fields["result"] == 3  # type: ignore[union-attr]


def packets(n: int = 4000) -> list[bytes]:
    body = bytes(i % 251 for i in range(n)).hex()
    data = codec("jt808").encode({"name": "pass_up", "phone": "13900000001", "serial": 100, "body": body})
    return [b"\x7e" + piece + b"\x7e" for piece in data.split(b"\x7e") if piece]


def test_jt808_missing_packets_are_asked_for_again() -> None:
    first, second, third, last = packets()
    stream = codec("jt808").stream()
    lone = stream.feed(first)[0]
    assert isinstance(lone, Message)
    assert lone.part == (1, 4)
    (asked,) = all_of("jt808", stream.feed(last)[0].answer)
    assert holds({"message_id": "0x8003", "first_serial": 100, "missing": [2, 3]}, asked.fields)  # type: ignore[union-attr]
    stream.feed(third)
    whole = stream.feed(second)[0]
    assert isinstance(whole, Message)
    assert whole.part is None
    assert whole.fields["kind"] == 0
    assert len(whole.fields["data"]) == 2 * 3999


def test_jt808_unfinished_sets_are_bounded() -> None:
    stream = codec("jt808").stream()
    dropped = 0
    for serial in range(0, 40_000, 1000):
        data = codec("jt808").encode({"name": "pass_up", "phone": "1", "serial": serial, "body": "00" * 2000})
        dropped += sum(isinstance(m, Broken) and m.code == "parts_dropped" for m in stream.feed(data[: data.index(b"\x7e", 1) + 1]))
    assert len(stream._sets) <= 8
    assert dropped == 32
    small = codec("jt808").stream({"most_bytes": 1500})
    said = [m for p in packets() for m in small.feed(p)]
    assert sum(p.size for p in small._sets.values()) <= 1500
    assert any(isinstance(m, Broken) for m in said)


def test_jt808_junk_behind_the_items_only_with_the_devices_setting() -> None:
    whole = codec("jt808").encode({"name": "position", "phone": "1", **place(), "items_rest": "e1ff00"})
    assert isinstance(all_of("jt808", whole)[0], Broken)
    (said,) = all_of("jt808", whole, {"lenient_items": True})
    assert said.fields["items_rest"] == "e1ff00"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"name": "nonsense", "phone": "1"}, "name"),
        ({"name": "heartbeat"}, "phone"),
        ({"name": "heartbeat", "phone": "1234567890123"}, "phone"),
        ({"name": "position", "phone": "1", **place(speed_kmh=1e9)}, "speed_kmh"),
        ({"name": "position", "phone": "1", **place(time="yesterday")}, "time"),
        ({"name": "set_parameters", "phone": "1", "parameters": {"top_speed": "fast"}}, "top_speed"),
        ({"name": "track", "phone": "1", "interval_s": -1}, "interval_s"),
    ],
)
def test_jt808_encode_names_what_is_wrong(message: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldError) as error:
        codec("jt808").encode(message)
    assert error.value.facts["field"] == field


def rows_of(columns: Columns) -> list[tuple[Any, ...]]:
    return sorted(
        (columns.devices[d], *columns.keys[k], t, v, q)
        for d, k, t, v, q in zip(
            columns.device, columns.key, columns.time_ms.tolist(), columns.value.tolist(), columns.quality.tolist(), strict=True
        )
    )


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 1 << 32), every=st.booleans())
@settings(max_examples=150, deadline=None)
def test_columns_say_what_the_stream_says(name: str, seed: int, every: bool) -> None:
    dice = random.Random(seed)
    pool = [bytes.fromhex(s["frame"]) for n, s in SAMPLES if n == name]
    if name == "jt808":
        frames = [f for f in pool if f[1:3] == b"\2\0"] * 4 + pool
        frames += [codec(name).encode({"name": "position", "phone": str(dice.getrandbits(30)), **random_place(dice)}) for _ in range(10)]
    else:
        frames = pool + [f for f in pool if f[27] in (1, 2, 3, 21)] * 3
    data = bytearray(b"".join(dice.choices(frames, k=30)))
    for _ in range(dice.choice((0, 0, 3))):
        data[dice.randrange(len(data))] = dice.choice((0x7E, 0x7D, 0x40, 0x23, dice.randrange(256)))
    options = {"every_alarm": every}
    slow, fast = codec(name).stream(options), codec(name).stream(options)
    want: list[tuple[Any, ...]] = []
    got: list[tuple[Any, ...]] = []
    at = 0
    while at < len(data):
        n = dice.randint(1, len(data))
        piece = bytes(data[at : at + n])
        want += rows_of(Columns.of(slow.feed(piece)))
        got += rows_of(fast.columns(piece))
        at += n
    assert got == want


def random_place(dice: random.Random) -> dict[str, Any]:
    items = {"mileage_km": 1.5, "fuel_l": 3.2, "recorder_speed_kmh": 7.7, "signal": 9, "satellites": 4, "cabin_temperature_c": -3}
    chosen = {k: v for k, v in items.items() if dice.random() < 0.6}
    status = dice.getrandbits(32) & ~12
    extra = {"e1": "00", "01": "ffff"} if dice.random() < 0.3 else {}
    day = f"20{dice.randrange(100):02}-{dice.randrange(1, 13):02}-{dice.randrange(1, 29):02}T07:08:09+08:00"
    more = {"alarm": dice.getrandbits(32), "status": status, "latitude": dice.randrange(-95, 95), "time": dice.choice((day, day, None))}
    return place(**more, **chosen, extra=extra)


# GB/T 26875.3 ----------------------------------------------------------------------------------------


def gb(**more: Any) -> bytes:
    return codec("gb26875").encode({"serial": 7, "source": "1021", "target": "1", "time": "2026-10-10T08:30:15+08:00", **more})


PART = {
    "system_type": 1,
    "system_address": 1,
    "part_type": 42,
    "part_address": "00010005",
    "text": "三楼",
    "time": "2026-10-10T08:30:00+08:00",
}


def test_gb_confirms_and_denies() -> None:
    frame = gb(name="part_state", objects=[{**PART, "states": ["fire"]}])
    (said,) = all_of("gb26875", frame)
    (answer,) = all_of("gb26875", said.answer)
    assert holds({"command": 3, "serial": 7, "source": "000000000001", "target": "000000001021", "length": 0}, answer.fields)  # type: ignore[union-attr]
    wrong = frame[:-3] + bytes((frame[-3] ^ 1,)) + frame[-2:]
    (broken,) = all_of("gb26875", wrong)
    assert isinstance(broken, Broken)
    assert broken.code == "bad_checksum"
    assert all_of("gb26875", broken.answer)[0].fields["command"] == 6  # type: ignore[union-attr]
    assert all_of("gb26875", gb(name="confirm"))[0].answer == b""


def test_gb_an_alarm_begins_and_ends() -> None:
    for states, value in ((["normal", "fire"], 1.0), (["normal"], 0.0)):
        (said,) = all_of("gb26875", gb(name="part_state", objects=[{**PART, "states": states}]))
        got = {s.key: s.value for s in said.samples}  # type: ignore[union-attr]
        assert got == {"1.1.42.00010005.fire": value, "1.1.42.00010005.fault": 0.0}


def test_gb_a_bad_clock_does_not_lose_a_fire() -> None:
    (said,) = all_of("gb26875", gb(name="part_state", objects=[{**PART, "states": ["fire"], "time": None, "time_raw": "0xffffffffffff"}]))
    assert said.fields["objects"][0]["time"] is None  # type: ignore[union-attr]
    fire = said.samples[0]  # type: ignore[union-attr]
    assert (fire.value, fire.quality, fire.time_ms) == (1.0, 1, 1791592215000)  # the frame's own time, suspect


def test_gb_profiles_are_data() -> None:
    analog = {**PART, "part_type": 17, "analog_type": 128, "raw": 320}
    data = gb(name="part_analog", objects=[analog])
    assert all_of("gb26875", data)[0].samples == []  # type: ignore[union-attr]
    (said,) = all_of("gb26875", data, {"profile": "milliampere"})
    assert [(s.quantity, s.value) for s in said.samples] == [("residual_current", 0.32)]  # type: ignore[union-attr]
    assert all_of("gb26875", data, {"profile": "big_serial"})[0].fields["serial"] == 0x0700  # type: ignore[union-attr]
    with pytest.raises(FieldError):
        codec("gb26875").stream({"profile": "none"})
