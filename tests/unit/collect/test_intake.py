"""Bad input of every kind: exact codes, and the good readings beside it still go in."""

from __future__ import annotations

import json

import numpy as np
import pytest

from anlan.base.block import ReadingBlock
from anlan.collect.faults import Fault, codes
from anlan.collect.framer import Columns
from anlan.collect.intake import sift, sift_block

NOW = 1_780_000_000_000
LOW, HIGH = NOW - 3650 * 86_400_000, NOW + 300_000
FEEDS = {"d": (0, 7, 1, 1e-3, 0.0), "r": (1, 8, 4, 1.0, 0.0), "T": (0, 9, 11, 1.0, 273.15)}
GOOD = {"t": NOW, "v": {"d": 5}}


def run(payload: bytes | object) -> tuple[list[tuple[int, int, int, float]], dict[str, int]]:
    lanes = [Columns(), Columns()]
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    faults = sift(data, FEEDS, LOW, HIGH, lanes, frozenset({"w"}))
    rows = [r for c in lanes for r in zip(c.station, c.quantity, c.time, c.value, strict=True)]
    return rows, {f.code.removeprefix("collect."): f.count for f in faults}


def test_values_become_si_in_their_lane():
    lanes = [Columns(), Columns()]
    assert sift(json.dumps({"t": NOW, "v": {"d": 5, "r": 0.5, "T": 20}}).encode(), FEEDS, LOW, HIGH, lanes) == []
    assert list(lanes[0].value) == [0.005, 293.15] and list(lanes[1].station) == [8] and list(lanes[1].time) == [NOW]


@pytest.mark.parametrize(
    ("payload", "rows", "faults"),
    [
        (b"{", 0, {"bad_json": 1}),
        (b"", 0, {"bad_json": 1}),
        (b"\xff\xfe{}", 0, {"bad_json": 1}),
        (b"[" * 100_000, 0, {"bad_json": 1}),
        (b"17", 0, {"bad_shape": 1}),
        ({"v": {"d": 1}}, 0, {"bad_shape": 1}),
        ({"t": NOW, "v": [1]}, 0, {"bad_shape": 1}),
        ({"t": NOW, "v": {"d": 1}, "u": "mm"}, 0, {"bad_shape": 1}),
        ([GOOD, 3], 1, {"bad_shape": 1}),
        ([], 0, {}),
        ({"t": NOW, "v": {}}, 0, {}),
        ({"t": NOW, "v": {"d": 1, "zz": 1, "r": 1}}, 2, {"unknown_key": 1}),
        ({"t": NOW, "v": {"w": 1}}, 0, {"wrong_unit": 1}),
        ({"t": NOW, "v": {"d": "1"}}, 0, {"wrong_type": 1}),
        ({"t": NOW, "v": {"d": None, "r": True}}, 0, {"wrong_type": 2}),
        (b'{"t": %d, "v": {"d": NaN, "r": 1}}' % NOW, 1, {"not_finite": 1}),
        (b'{"t": %d, "v": {"d": -Infinity, "r": Infinity, "T": 1}}' % NOW, 1, {"not_finite": 2}),
        (b'{"t": %d, "v": {"d": 1e999, "r": 1}}' % NOW, 1, {"not_finite": 1}),
        (b'{"t": %d, "v": {"d": %s, "r": 1}}' % (NOW, b"9" * 400), 1, {"not_finite": 1}),
        ({"t": NOW + 300_001, "v": {"d": 1, "r": 1}}, 0, {"future_time": 2}),
        ({"t": NOW + 300_000, "v": {"d": 1}}, 1, {}),
        ({"t": 0, "v": {"d": 1}}, 0, {"past_time": 1}),
        ({"t": NOW // 1000, "v": {"d": 1}}, 0, {"past_time": 1}),
        ({"t": -(10**18), "v": {"d": 1}}, 0, {"past_time": 1}),
        ({"t": 10**30, "v": {"d": 1}}, 0, {"future_time": 1}),
        ({"t": "now", "v": {"d": 1}}, 0, {"bad_time": 1}),
        ({"t": NOW + 0.5, "v": {"d": 1}}, 0, {"bad_time": 1}),
        ({"t": float(NOW), "v": {"d": 1}}, 1, {}),
        ({"t": True, "v": {"d": 1}}, 0, {"bad_time": 1}),
        ({"t": NOW, "v": {"d": 1}, "u": {"d": "kg"}}, 0, {"wrong_unit": 1}),
        ({"t": NOW, "v": {"d": 1, "r": 1}, "u": {"d": "cm"}}, 2, {}),
        ([GOOD] * 10_000, 10_000, {}),
        ([GOOD] * 10_001, 0, {"too_many": 1}),
        ({"t": NOW, "v": {"d": 1}, "extra": 1}, 1, {}),
        (b'{"t": %d, "v": {"d": 1, "d": 2}}' % NOW, 1, {}),
    ],
)
def test_table(payload, rows: int, faults: dict[str, int]):
    stored, found = run(payload)
    assert (len(stored), found) == (rows, faults)


def test_a_unit_in_the_message_wins():
    rows, _ = run({"t": NOW, "v": {"d": 1}, "u": {"d": "cm"}})
    assert rows == [(7, 1, NOW, 0.01)]


def test_seconds_for_milliseconds_are_recognised():
    [fault] = sift(json.dumps({"t": NOW // 1000, "v": {"d": 1}}).encode(), FEEDS, LOW, HIGH, [Columns(), Columns()])
    assert "milliseconds" in fault.en and "毫秒" in fault.zh


def test_every_code_has_two_sentences_that_take_the_detail():
    for code in codes():
        fault = Fault(code, "DETAIL")
        assert fault.zh.endswith("。") and fault.en.endswith(".") and "DETAIL" in fault.zh and "DETAIL" in fault.en, code


def test_blocks_are_checked_by_columns():
    lane_of, masks = np.array([-1, 0, 1], np.int8), np.array([0, 1 << 1, 1 << 1 | 1 << 4], np.int64)
    block = ReadingBlock.of(
        [1, 2, 2, 0, 99, 1, 1, 1, 2, 1, -5],
        [1, 1, 4, 1, 1, 4, 1, 1, 1, 1, 1],
        [NOW] * 6 + [HIGH + 1, LOW - 1] + [NOW] * 3,
        [1, 2, 3, 4, 5, 6, 7, 8, np.nan, 9, 1],
        [0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0],
    )
    lanes = [Columns(), Columns()]
    faults = sift_block(block, lane_of, masks, None, LOW, HIGH, lanes)
    assert {f.code.removeprefix("collect."): f.count for f in faults} == {
        "unknown_series": 4,
        "not_finite": 1,
        "future_time": 1,
        "past_time": 1,
        "bad_quality": 1,
    }
    assert list(lanes[0].value) == [1] and list(lanes[1].value) == [2, 3]
    got = ReadingBlock.from_bytes(lanes[1].frames(5)[0])
    assert got.quality.tolist() == [1, 0] and got.received_ms == 5
    faults = sift_block(block.take(slice(0, 2)), lane_of, masks, np.array([False, True, False]), LOW, HIGH, [Columns(), Columns()])
    assert [f.code for f in faults] == ["collect.out_of_scope"]
