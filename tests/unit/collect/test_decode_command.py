"""``anlan decode`` as a process: one JSON answer for every line, whatever the line is; no engine, no Django, no Numba."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from anlan.collect.codec import codec, codecs
from anlan.collect.decoding import Decoder

ROOT = Path(__file__).parents[3]


def decode(protocol: str, data: bytes, *options: str) -> tuple[list[dict[str, Any]], int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "anlan", "decode", protocol, *options],
        input=data,
        capture_output=True,
        timeout=120,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.returncode, done.stderr.decode()


GOOD = b"7E7E05001122334403E833002B020026170718102202F1F1001122334448F0F01707181022201900004026190000403923000104903812110203F511"


def test_every_line_has_one_answer() -> None:
    lines = [
        b"\xef\xbb\xbf" + GOOD,
        b"",
        b"   ",
        GOOD.lower() + b"  \t",
        GOOD[:-1],
        b"zz",
        b"\xff\xfe\x00",
        GOOD[:-2] + b"12",
        GOOD[:60],
        b"7E7E " + GOOD[4:],
        b"AB" * 500_000,
        b"0" * 1_000_001,
        GOOD + GOOD,
        b"{",
        b"##",
        GOOD,
    ]
    answers, code, _ = decode("sl651", b"\r\n".join(lines))
    said = [a["error"] if not a["ok"] else "ok" for a in answers]
    assert said == [
        *("ok", "empty", "empty", "ok", "bad_hex", "bad_hex", "bad_hex", "bad_checksum", "incomplete", "ok", "garbage", "bad_hex"),
        *("many_frames", "garbage", "garbage", "ok"),
    ]
    assert code == 1
    assert set(answers[0]) == {"ok", "protocol", "message", "fields", "readings", "answer"}
    assert set(answers[1]) == {"ok", "error", "detail"}
    level = next(r for r in answers[0]["readings"] if r["key"] == "Z")
    assert (level["station"], level["quantity"], level["value"], level["unit"], level["quality"]) == (
        "0011223344",
        "water_level",
        10.49,
        "m",
        "good",
    )
    assert level["time"] == "2017-07-18T02:22:00.000Z"
    assert answers[0]["answer"].startswith("7E7E00112233440503E833800802")


def test_texts_and_packets_over_lines() -> None:
    one = codec("hj212").encode({"QN": "20260701120000123", "ST": "32", "CN": "2061", "MN": "M", "Flag": "7", "PNUM": 2, "PNO": 1})
    two = codec("hj212").encode({"QN": "20260701120000123", "ST": "32", "CN": "2061", "MN": "M", "Flag": "7", "PNUM": 2, "PNO": 2,
                                 "cp": {"DataTime": "2026-07-01T12:00:00+08:00"}, "factors": {"w01018": {"Avg": "2"}}})  # fmt: skip
    answers, code, _ = decode("hj212", one.strip() + b"\n" + two.strip() + b"\n")
    assert code == 0
    assert answers[0]["fields"]["packet"] == {"number": 1, "total": 2}
    assert answers[0]["readings"] == []
    assert answers[1]["readings"][0]["value"] == pytest.approx(0.002)
    assert answers[1]["answer"].startswith("##")


def test_an_unknown_protocol_lists_the_known_ones() -> None:
    answers, code, error = decode("nosuch", b"")
    assert (answers, code) == ([], 1)
    for name in ("sl651", "hj212", "geohazard"):
        assert name in error


def test_options_reach_the_codec() -> None:
    segment = "##0086QN=20170516010101001;ST=22;CN=1072;PW=123456;MN=ABCDEFG1234567;Flag=3;CP=&&PW=654321&&E476"
    assert decode("hj212", segment.encode())[0][0]["error"] == "bad_checksum"
    assert decode("hj212", segment.encode(), "--option", "lenient_crc=true")[0][0]["ok"]


def test_it_starts_without_the_heavy_libraries() -> None:
    script = "import sys, anlan.cli; anlan.cli.main(['decode', 'sl651']); print(sorted({'django','numba','psycopg'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], input=b"", capture_output=True, env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}
    )
    assert done.stdout.strip() == b"[]", done.stderr


@pytest.mark.parametrize("name", sorted(codecs()))
def test_no_line_stops_the_decoder(name: str) -> None:
    decoder = Decoder(codec(name))
    for line in (b"00", b"7E", b"7E7E", b"{}", b"##0000", b"$", b"$cmd=", b"[1]", b"nul\x00", None, b"4040" * 4000, b"##9999" * 3000):
        assert decoder.answer(line)["ok"] is False or name == "geohazard"
