"""SL 651, HJ 212 and geo-hazard monitors: golden samples, the shared frames, round trips, any split, garbage, answers."""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anlan.base.errors import FieldError
from anlan.base.quantity import quantity
from anlan.collect.codec import Broken, Message, Sample, codec
from anlan.collect.protocols.hj212.frame import crc212, crc_modbus
from anlan.collect.protocols.sl651.encode import packets
from anlan.collect.protocols.sl651.tables import ELEMENTS, FUNCTIONS

FOLDER = Path(__file__).parents[3] / "src/anlan/collect/protocols"
NAMES = ("sl651", "hj212", "geohazard")
SAMPLES = [(n, s) for n in NAMES for s in json.loads((FOLDER / n / "samples.json").read_text("utf-8"))]
BASE = {"station": "0012345678", "center": 1, "password": "1234", "serial": 7, "send_time": "2026-07-01T12:00:10+08:00"}
REPORT = {**BASE, "report_station": "0012345678", "station_type": "H", "observe_time": "2026-07-01T12:00:00+08:00"}


def bytes_of(frame: str) -> bytes:
    if frame.startswith("##"):
        return frame.encode("gb18030") + b"\r\n"
    return frame.encode() if frame[0] in "{$" else bytes.fromhex(frame)


def all_of(name: str, data: bytes, options: dict[str, Any] | None = None, received_ms: int = 0) -> list[Message | Broken]:
    stream = codec(name).stream(options)
    stream.received_ms = received_ms
    return stream.feed(data) + stream.flush()


def one(name: str, data: bytes, options: dict[str, Any] | None = None, received_ms: int = 0) -> Message:
    (said,) = all_of(name, data, options, received_ms)
    assert isinstance(said, Message), said
    return said


def holds(wanted: Any, got: Any) -> bool:
    """`got` says at least what is wanted; numbers and their text are the same."""
    if isinstance(wanted, dict):
        return isinstance(got, dict) and all(k in got and holds(v, got[k]) for k, v in wanted.items())
    if isinstance(wanted, list):
        return isinstance(got, list) and len(got) == len(wanted) and all(map(holds, wanted, got))
    return wanted == got or (isinstance(wanted, int | str) and str(wanted) == str(got))


def utc(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%m-%d %H:%M:%S")


def by_key(said: Message) -> dict[str, Sample]:
    return {s.key: s for s in said.samples}


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=[f"{n}: {s['note']}" for n, s in SAMPLES])
def test_golden(name: str, sample: dict[str, Any]) -> None:
    raw = bytes_of(sample["frame"])
    said = one(name, raw)
    assert said.name == sample["message"]
    assert holds(sample["fields"], said.fields), said.fields
    json.dumps(said.fields)
    assert codec(name).encode({"name": said.name, **said.fields}).strip(b"\r\n") == raw.strip(b"\r\n")
    for reading in said.samples:
        assert math.isfinite(reading.value)
        if reading.quantity:
            assert quantity(reading.quantity).unit == reading.unit


@pytest.mark.parametrize("name", NAMES)
def test_shared_frames(name: str, shared: Path) -> None:
    file = {"geohazard": "geohazard_mqtt"}.get(name, name)
    for row in json.loads((shared / "data" / "frames" / f"{file}.json").read_text("utf-8")):
        said = all_of(name, bytes_of(row["frame"]))
        good = len(said) == 1 and isinstance(said[0], Message)
        assert good == (row["expected"] != "reject"), (row["source"], said)


def test_every_function_and_element_of_the_standard_has_a_golden_sample_or_a_value() -> None:
    told = {s["fields"]["function"] for n, s in SAMPLES if n == "sl651"}
    assert {f"{f:02X}" for f in FUNCTIONS} - told == {"4B"}  # the same body as 46
    for element in ELEMENTS.values():
        value = 10 ** (element.digits - element.decimals - 1) if element.digits > element.decimals else 0.1
        said = one("sl651", codec("sl651").encode({**REPORT, "function": "32", "elements": [{"name": element.name, "value": value}]}))
        assert said.fields["elements"][0]["id"] == f"{element.id:02X}"
        assert said.fields["elements"][0]["value"] == pytest.approx(value)
        if element.quantity and element.unit != "h.min":
            assert said.samples[0].value == pytest.approx(value * element.factor + element.offset)


@pytest.mark.parametrize("name", ("sl651", "hj212"))
@given(seed=st.integers(0, 1 << 32), cuts=st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_any_split_says_the_same(name: str, seed: int, cuts: int) -> None:
    dice = random.Random(seed)
    frames = [bytes_of(s["frame"]) for n, s in SAMPLES if n == name and "packet" not in s["note"]]
    chosen = dice.choices(frames, k=6)
    data, stream, said, at = b"".join(chosen), codec(name).stream(), [], 0
    while at < len(data):
        n = dice.randint(1, cuts)
        said += stream.feed(data[at : at + n])
        at += n
    said += stream.end()
    assert all(isinstance(m, Message) for m in said), said
    assert [m.raw.strip() for m in said] == [c.strip() for c in chosen]


@given(seed=st.integers(0, 1 << 32), cuts=st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_geohazard_json_may_come_in_any_pieces(seed: int, cuts: int) -> None:
    dice = random.Random(seed)
    frames = [bytes_of(s["frame"]) for n, s in SAMPLES if n == "geohazard" and "command" not in s["note"]]
    chosen = dice.choices([*frames, b'{"a":{"L1_LF_1":{"2026-07-01T04:00:00Z":{"v":"}\\"{"}}}}'], k=5)
    data, stream, said, at = b"".join(chosen), codec("geohazard").stream(), [], 0
    while at < len(data):
        n = dice.randint(1, cuts)
        said += stream.feed(data[at : at + n])
        at += n
    assert [m.raw for m in said] == chosen
    assert not stream.end()


@pytest.mark.parametrize("name", ("sl651", "hj212"))
@given(junk=st.binary(max_size=300), seed=st.integers(0, 1 << 32))
@settings(max_examples=100, deadline=None)
def test_frames_behind_garbage_are_found(name: str, junk: bytes, seed: int) -> None:
    frame = bytes_of(random.Random(seed).choice([s["frame"] for n, s in SAMPLES if n == name and "packet" not in s["note"]]))
    said = all_of(name, junk + frame * 8)
    assert sum(isinstance(m, Message) and m.raw == frame for m in said) >= 7
    assert b"".join(m.raw for m in said).strip(b"\r\n \0") == (junk + frame * 8).strip(b"\r\n \0")


@pytest.mark.parametrize("name", NAMES)
@given(data=st.binary(max_size=2000), step=st.integers(1, 200))
@settings(max_examples=100, deadline=None)
def test_no_bytes_raise(name: str, data: bytes, step: int) -> None:
    mark = {"sl651": b"\x7e\x7e\x01", "hj212": b"##0100QN=", "geohazard": b'{"a":'}[name]
    stream = codec(name).stream()
    for i in range(0, len(data), step):
        stream.feed(data[i : i + step] + (mark if i % 3 == 0 else b""))
    stream.end()


@given(body=st.binary(max_size=120), function=st.integers(0, 255), down=st.booleans(), text=st.booleans())
@settings(max_examples=200, deadline=None)
def test_sl651_any_body_with_a_right_sum_is_answered(body: bytes, function: int, down: bool, text: bool) -> None:
    head = b"000726070112001" + b"0" if text else bytes.fromhex("0007260701120010")
    way = {"direction": "down" if down else "up", "framing": "ASCII" if text else "HEX"}
    said = all_of("sl651", codec("sl651").encode({**BASE, "function": function, "body_hex": (head + body).hex(), **way}))
    assert said


@given(cp=st.text(alphabet=st.sampled_from("a34004-RtdFlagw018SampleTime=;,&/.0129 中"), max_size=80), cn=st.integers(1000, 9999))
@settings(max_examples=150, deadline=None)
def test_hj212_any_cp_with_a_right_sum_is_answered(cp: str, cn: int) -> None:
    segment = f"ST=32;CN={cn};MN=1;CP=&&{cp}&&".encode("gb18030")
    said = all_of("hj212", b"##%04d%s%04X\r\n" % (len(segment), segment, crc212(segment)))
    assert len(said) == 1


@pytest.mark.parametrize("name", ("sl651", "hj212"))
@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_changed_byte_is_noticed(name: str, data: st.DataObject) -> None:
    frame = bytearray(bytes_of(data.draw(st.sampled_from([s["frame"] for n, s in SAMPLES if n == name]))).strip(b"\r\n"))
    at = data.draw(st.integers(0, len(frame) - 1))
    frame[at] ^= data.draw(st.integers(1, 255))
    whole = bytes(frame)
    found = [m for m in all_of(name, whole) if isinstance(m, Message) and m.raw == whole]
    assert not found or (name == "hj212" and at >= len(whole) - 4)  # its sum may be written in small letters


@given(
    value=st.integers(-99999, 9999999),
    rains=st.lists(st.one_of(st.none(), st.integers(0, 254)), min_size=12, max_size=12),
    text=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_sl651_values_round_trip(value: int, rains: list[int | None], text: bool) -> None:
    elements = [
        {"id": "F4", "values": [None if r is None else r / 10 for r in rains]},
        {"name": "Z", "definition": "2B", "value": value / 1000},
    ]
    way = {"framing": "ASCII" if text else "HEX"}
    said = one("sl651", codec("sl651").encode({**REPORT, "function": "34", "elements": elements, **way}))
    assert said.fields["elements"][0]["values"] == elements[0]["values"]
    assert said.fields["elements"][1]["value"] == pytest.approx(value / 1000)
    assert [s.value for s in said.samples if s.key == "DRP"] == pytest.approx([r / 1e4 for r in rains if r is not None])


def test_sl651_hourly_values_are_unfolded_to_their_times() -> None:
    rains = {"id": "F4", "values": [0.1 * k for k in range(12)]}
    first = one(
        "sl651", codec("sl651").encode({**REPORT, "function": "34", "observe_time": "2026-07-01T11:05:00+08:00", "elements": [rains]})
    )
    times = [utc(s.time_ms) for s in first.samples]
    assert (times[0], times[1], times[-1]) == ("07-01 03:05:00", "07-01 03:10:00", "07-01 04:00:00")
    assert first.samples[3].value == pytest.approx(0.0003)
    end = one("sl651", codec("sl651").encode({**REPORT, "function": "34", "elements": [rains]}))
    assert [utc(s.time_ms) for s in end.samples] == times  # the station wrote the hour's end as observation time
    assert end.fields["elements"][0]["ends_at_observe_time"] is True


def test_sl651_uniform_series_have_their_times() -> None:
    said = one(
        "sl651", bytes_of(next(s["frame"] for n, s in SAMPLES if n == "sl651" and "one missing" in s["note"] and s["frame"][0] == "7"))
    )
    assert [(utc(s.time_ms), s.value) for s in said.samples] == [
        ("07-01 03:40:00", 10.1),
        ("07-01 03:45:00", 10.12),
        ("07-01 03:55:00", 10.2),
    ]


def test_sl651_a_users_element_may_be_hex_and_an_element_of_the_table_may_not() -> None:
    user = {"id": "FF10", "definition": "10", "hex": "0A0B"}
    said = one("sl651", codec("sl651").encode({**REPORT, "function": "32", "elements": [user]}))
    assert holds(user, said.fields["elements"][0])
    (bad,) = all_of("sl651", codec("sl651").encode({**REPORT, "function": "32", "elements": [{**user, "id": "39"}]}))
    assert isinstance(bad, Broken)
    assert bad.code == "bad_field"


def test_sl651_no_sensor_is_no_level_and_missing_is_no_reading() -> None:
    elements = [{"name": "Z", "value": 9999.999}, {"name": "ZU", "value": None}, {"name": "PJ", "value": 1.5}]
    said = one("sl651", codec("sl651").encode({**REPORT, "function": "32", "elements": elements}))
    assert {k: s.quality for k, s in by_key(said).items()} == {"Z": 3, "PJ": 0}
    assert said.fields["elements"][1]["value"] is None


def test_sl651_a_wrong_clock_is_told_and_not_trusted() -> None:
    raw = codec("sl651").encode({**REPORT, "function": "32", "elements": [{"name": "PJ", "value": 1.5}]})
    sent = round(datetime(2026, 7, 1, 4, 0, 10, tzinfo=UTC).timestamp() * 1000)
    assert "clock_suspect" not in one("sl651", raw, None, sent + 60_000).fields
    late = one("sl651", raw, None, sent - 86_400_000)
    assert late.fields["clock_offset_s"] == 86400
    assert late.samples[0].quality == 1
    assert one("sl651", raw, None, sent + 86_400_000).fields["clock_suspect"] is True
    assert "clock_suspect" not in one("sl651", raw, {"clock_behind_s": 0}, sent + 86_400_000).fields


@pytest.mark.parametrize("framing", ("HEX", "ASCII"))
def test_sl651_acknowledgements(framing: str) -> None:
    sent = round(datetime(2026, 7, 1, 4, 0, 30, tzinfo=UTC).timestamp() * 1000)
    for function in ("30", "31", "32", "33", "34", "35"):
        raw = codec("sl651").encode({**REPORT, "framing": framing, "function": function, "elements": [{"name": "PJ", "value": 1.5}]})
        answer = one("sl651", one("sl651", raw, None, sent).answer)
        wanted = {"direction": "down", "function": function, "length": 8 if framing == "HEX" else 16, "end": "EOT", "serial": 7}
        assert holds({**wanted, "station": "0012345678", "send_time": "2026-07-01T12:00:30+08:00"}, answer.fields)
        assert one("sl651", one("sl651", raw, {"stay_online": True}).answer).fields["end"] == "ESC"
        assert one("sl651", raw, {"mode": "M1"}).answer == b""
    assert one("sl651", codec("sl651").encode({**BASE, "function": "2F"})).answer == b""
    assert one("sl651", codec("sl651").encode({**BASE, "function": "4A", "report_station": "0012345678"})).answer == b""


@pytest.mark.parametrize("framing", ("HEX", "ASCII"))
def test_sl651_picture_in_packets(framing: str) -> None:
    picture = b"\xff\xd8" + bytes(range(256)) * 4 + b"\xff\xd9"
    message = {**REPORT, "framing": framing, "function": "36", "elements": [{"id": "F3F3", "hex": picture.hex()}]}
    if framing == "ASCII":
        body = b"0007260701120010 ST 0012345678 H TT 2607011200 PIC " + picture + b" "
        pieces = [body[k : k + 300] for k in range(0, len(body), 300)]
        frames = [
            codec("sl651").encode(
                {**BASE, "framing": "ASCII", "function": "36", "body_hex": p.hex(), "packet": {"number": k + 1, "total": len(pieces)}}
                | {"end": "ETX" if k + 1 == len(pieces) else "ETB"}
            )
            for k, p in enumerate(pieces)
        ]
    else:
        frames = packets(message, 300)
    assert len(frames) == 4
    stream = codec("sl651").stream()
    for number, frame in enumerate(frames[:-1], 1):
        (said,) = stream.feed(frame)
        assert said.part == (number, 4)
        assert ("observe_time" in said.fields) == (number == 1 and framing == "HEX")
        assert said.answer == b""
    (whole,) = stream.feed(frames[-1])
    assert whole.part is None
    assert whole.fields["elements"][0]["hex"] == picture.hex().upper()
    answer = one("sl651", whole.answer)
    assert (answer.fields["packet"], answer.fields["end"]) == ({"number": 4, "total": 4}, "EOT")

    gap = codec("sl651").stream()  # packet 2 is lost: it is asked again, and completes the set
    for frame in (frames[0], frames[2]):
        gap.feed(frame)
    (said,) = gap.feed(frames[3])
    assert holds({"end": "NAK", "packet": {"number": 2, "total": 4}}, one("sl651", said.answer).fields)
    (whole,) = gap.feed(frames[1])
    assert whole.fields["elements"][0]["bytes"] == len(picture)
    assert whole.answer
    assert not gap.end()


def test_sl651_unfinished_sets_are_bounded() -> None:
    stream = codec("sl651").stream()
    for k in range(30):
        body = {"body_hex": (b"x" * 4000).hex(), "packet": {"number": 1 + k, "total": 4095}}
        stream.feed(codec("sl651").encode({**BASE, "station": f"{k:010d}", "function": "36", "end": "ETB", **body}))
    assert sum(len(p) for s in stream._sets.values() for p in s.values()) <= 2 << 20
    assert len(stream._sets) <= 8


def test_hj212_sums() -> None:
    segment = b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&"
    assert crc212(segment) == 0x1C80  # annex A
    wrong = b"##%04d%s%04X\r\n" % (len(segment), segment, crc_modbus(segment))
    (said,) = all_of("hj212", wrong)
    assert (said.code, said.answer) == ("bad_checksum", b"")  # type: ignore[union-attr]
    assert one("hj212", wrong, {"lenient_crc": True}).fields["lenient_crc"] is True


def test_hj212_readings_in_si_with_quality() -> None:
    samples = {s["note"]: s["frame"] for n, s in SAMPLES if n == "hj212"}
    water = by_key(one("hj212", bytes_of(samples["2011 water, flags"])))
    assert (water["w01018-Rtd"].value, water["w01018-Rtd"].unit) == (pytest.approx(0.0254), "kg/m3")
    assert {k: s.quality for k, s in water.items()} == {"w01018-Rtd": 0, "w01001-Rtd": 2, "w00000-Rtd": 1, "w99999-Rtd": 0}
    assert water["w00000-Rtd"].value == pytest.approx(0.0125)
    assert water["w99999-Rtd"].quantity == ""
    gas = by_key(one("hj212", bytes_of(samples["2011 stack gas with converted values and sample time"])))
    assert gas["a21026-ZsRtd"].value == pytest.approx(16.1e-6)
    assert utc(gas["a01012-Rtd"].time_ms) == "07-01 03:59:30"
    assert gas["a01012-Rtd"].value == pytest.approx(393.65)
    air = by_key(one("hj212", bytes_of(samples["2011 ambient air"])))
    assert air["a34004-Rtd"].value == pytest.approx(35e-9)
    assert air["a21005-Rtd"].value == pytest.approx(0.6e-6)
    day = by_key(one("hj212", bytes_of(samples["2031 day data"])))
    assert (day["w00000-Cou"].quantity, day["w21003-Cou"].quantity) == ("volume", "mass")
    assert utc(day["w00000-Avg"].time_ms) == "06-30 16:00:00"
    other = by_key(one("hj212", bytes_of(samples["2011 ambient air"]), {"units": {"a34004": "mg/m3"}}))
    assert other["a34004-Rtd"].value == pytest.approx(35e-6)


def test_hj212_answers() -> None:
    samples = {s["note"]: s["frame"] for n, s in SAMPLES if n == "hj212"}

    def answer(note: str) -> dict[str, Any]:
        raw = one("hj212", bytes_of(samples[note])).answer
        return one("hj212", raw).fields if raw else {}

    data = answer("2031 day data")
    assert holds({"CN": "9014", "ST": "91", "QN": "20260701120000123", "Flag": "4", "MN": "010000A8900016F000169DC0", "cp": {}}, data)
    assert answer("1013")["CN"] == "9013"
    assert answer("9021")["cp"] == {"Logon": "1"}
    assert answer("2011 ambient air") == {}  # its Flag asks for none
    assert answer("2061 asked for") == {}  # a request, not data
    assert answer("9014") == {}


def test_hj212_packets_make_one_message() -> None:
    from anlan.collect.protocols.hj212.encode import packets as split

    factors = {f"a{k:05d}": {"Avg": "1.5", "Flag": "N"} for k in range(21000, 21100)}
    message = {"QN": "20260701120000123", "ST": "31", "CN": "2061", "MN": "M1", "Flag": "5", "factors": factors}
    frames = split({**message, "cp": {"DataTime": "2026-07-01T12:00:00+08:00"}})
    assert len(frames) > 2
    assert all(len(f) <= 1024 + 12 for f in frames)
    stream = codec("hj212").stream()
    said = [m for f in reversed(frames) for m in stream.feed(f)]
    assert [m.part for m in said[:-1]] == [(n, len(frames)) for n in range(len(frames), 1, -1)]
    assert set(said[-1].fields["factors"]) == set(factors)
    assert len(said[-1].samples) == 100
    assert not any(m.answer for m in said[:-1])
    assert said[-1].answer


@pytest.mark.parametrize(
    "segment",
    [
        "ST=32;CN=2011;CP=&&DataTime=20260701120000&&",
        "ST=32;MN=1;CP=&&&&",
        "ST=32;CN=2011;MN=1;CP=&&DataTime=20261301120000&&",
        "ST=32;CN=2011;MN=1;CP=&&DataTime=20260701120000;w01018-Rtd=1.2.3&&",
        "QN=20260230120000000;ST=32;CN=2011;MN=1;CP=&&&&",
        "ST=32;CN=2011;MN=1;Flag=x;CP=&&&&",
        "ST=32;CN=2011;MN=1;Flag=7;PNUM=2;PNO=3;CP=&&&&",
        "ST=32;CN=2011;MN=1;CP=&&a&",
        "ST=32;CN=2011;MN=1",
        "ST=32;CN=2011;MN=1;;Flag;CP=&&&&",
    ],
)
def test_hj212_impossible_segments_are_refused(segment: str) -> None:
    raw = segment.encode()
    (said,) = all_of("hj212", b"##%04d%s%04X\r\n" % (len(raw), raw, crc212(raw)))
    assert isinstance(said, Broken)
    assert said.code == "bad_field"
    assert said.answer == b""


def test_geohazard_readings_and_refusals() -> None:
    samples = {s["note"]: s["frame"] for n, s in SAMPLES if n == "geohazard"}
    tilt = by_key(one("geohazard", bytes_of(samples["tilt and acceleration"])))
    assert tilt["L1_QJ_1.X"].value == pytest.approx(math.radians(3.15))
    assert tilt["L1_JS_1.gX"].value == pytest.approx(-0.04e-3 * 9.80665)
    state = bytes_of(samples["state without a time"])
    assert one("geohazard", state).samples == []
    now = by_key(one("geohazard", state, None, 1_782_900_000_000))
    assert now["S1_ZT_1.battery_dump_energy"].value == pytest.approx(0.87)
    mud = b'{"a":{"L4_NW_1":{"2026-07-01T04:00:00Z":36.5}}}'
    assert one("geohazard", mud).samples[0].quantity == ""
    assert one("geohazard", mud, {"fields": {"L4_NW_1.value": ["water_level", "m", 0.01]}}).samples[0].value == pytest.approx(0.365)
    for bad in (
        b'{"a":1}',
        b'{"a":{"L1_LF_1":5}}',
        b'{"a":{"L1_LF_1":{"2026-02-30T00:00:00Z":1}}}',
        b"{}",
        b'{"a":[1]}',
        b"\x02\x00\x99{}",
    ):
        assert isinstance(all_of("geohazard", bad)[0], Broken), bad
    assert one("geohazard", b'{"header":{"appId":"x"},"bodies":{"body":"AA=="}}').name == "encrypted"
    assert one("geohazard", b"\x10" + mud).fields["control"] == "10"
    with pytest.raises(FieldError):
        codec("geohazard").encode({"command": "format-disk"})


@pytest.mark.parametrize("data", [b"\x7e" * 300_000, b"\x01" * 300_000, (b"\x7e\x7e" + b"\x00" * 9 + b"\x0f\xff\x02") * 20_000])
def test_sl651_much_garbage_costs_little(data: bytes) -> None:
    import time

    start = time.process_time()
    stream = codec("sl651").stream()
    for k in range(0, len(data), 4096):
        stream.feed(data[k : k + 4096])
    stream.end()
    assert time.process_time() - start < 6


@pytest.mark.parametrize("data", [b"#" * 300_000, b"##9999" * 50_000, b"##0000" * 50_000])
def test_hj212_much_garbage_costs_little(data: bytes) -> None:
    import time

    start = time.process_time()
    stream = codec("hj212").stream()
    for k in range(0, len(data), 4096):
        stream.feed(data[k : k + 4096])
    stream.end()
    assert time.process_time() - start < 6


def rows_of(said: list[Message | Broken]) -> list[tuple[Any, ...]]:
    samples = [s for m in said if isinstance(m, Message) for s in m.samples]
    return sorted((s.station, s.key, s.quantity, s.unit, s.time_ms, s.value, s.quality) for s in samples)


REPORTS = {
    "sl651": [
        codec("sl651").encode(
            {**REPORT, "function": f, "observe_time": t, "elements": [{"id": "F4", "values": [0.1 * k for k in range(12)]}, *e]}
        )
        for f in ("30", "34", "37")
        for t in ("2026-07-01T11:05:00+08:00", "2026-07-01T12:00:00+08:00", "2024-02-29T23:59:00+08:00")
        for e in (
            [{"name": "Z", "value": -1.25}, {"name": "VT", "value": None}, {"id": "F5", "values": [None, 2.5, 655.34] * 4}],
            [{"name": "Z", "value": 9999.999}, {"name": "GN", "value": 3}, {"id": "45", "hex": "80000003"}, {"name": "AI", "value": 21.3}],
            [{"name": "DT", "value": 1.3}, {"id": "FF10", "value": 5}],
            [{"name": "UC", "value": 5}, {"name": "PH", "value": 7.21, "time": "2026-07-01T11:30:00+08:00"}],
        )
    ],
    "hj212": [
        codec("hj212").encode({"QN": q, "ST": st_, "CN": cn, "MN": "M1", "Flag": "5", "cp": {"DataTime": "20260701120000"}, "factors": f})
        for q in ("20260701120000123", "1617936069734", "")
        for st_ in ("22", "32")
        for cn in ("2011", "2061", "2041")
        for f in (
            {"a21026": {"Rtd": "0.1", "Flag": "N"}, "w01018": {"Rtd": "-25.4", "Flag": "D"}, "xx": {"Rtd": "7", "Flag": "?"}},
            {"a34004": {"Min": "1", "Avg": "2", "Max": "", "Cou": "3.5", "ZsAvg": "4", "Flag": "t", "EFlag": "A1"}},
            {"w00000": {"Rtd": "1.5e3"}, "SB1": {"RT": "1.5"}, "w01010": {"Rtd": "123456789012345678"}},
        )
    ],
}


@pytest.mark.parametrize("name", sorted(REPORTS))
@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=60, deadline=None)
def test_columns_are_the_readings_of_the_stream(name: str, seed: int) -> None:
    dice = random.Random(seed)
    frames = REPORTS[name] * 2 + [bytes_of(s["frame"]) for n, s in SAMPLES if n == name]
    chosen = dice.choices(frames, k=12)
    for k in range(len(chosen)):
        if dice.random() < 0.2:  # a broken one, a cut one, a few bytes between
            odd = bytearray(chosen[k])
            odd[dice.randrange(len(odd))] ^= 1 << dice.randrange(8)
            chosen[k] = dice.choice([bytes(odd), bytes(odd[: dice.randrange(len(odd))]), b"#" + chosen[k], b"\x7e" + chosen[k] + b"\r\n"])
    data, received = b"".join(chosen), dice.choice([0, 1_782_878_500_000])
    slow, fast = codec(name).stream(), codec(name).stream()
    slow.received_ms = fast.received_ms = received
    cut = dice.randrange(len(data))
    wanted = slow.feed(data[:cut]) + slow.feed(data[cut:])
    parts = [fast.columns(data[:cut]), fast.columns(data[cut:])]
    got = [
        (c.devices[c.device[i]], *c.keys[c.key[i]], int(c.time_ms[i]), float(c.value[i]), int(c.quality[i]))
        for c in parts
        for i in range(len(c))
    ]
    assert sorted(got) == rows_of(wanted)
    assert sum(isinstance(m, Broken) for c in parts for m in c.said) <= sum(isinstance(m, Broken) for m in wanted) + len(chosen)


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_plain_reports_go_the_fast_way(name: str) -> None:
    frame = REPORTS[name][0]
    columns = codec(name).stream().columns(frame * 50)
    assert not columns.said
    assert len(columns) == 50 * len(one(name, frame).samples)
