"""Packs give back exactly what was put in; groups keep the first of equals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anlan.collect.packing import DAY_MS, HOUR_MS, SeriesRows, grouped, pack, unpack

TIMES = st.lists(st.integers(-(2**40), 2**42), min_size=1, max_size=60, unique=True).map(sorted)


@given(TIMES, st.data())
def test_pack_is_exact(times, data):
    n = len(times)
    values = data.draw(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=64), min_size=n, max_size=n))
    quality = data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    rows = SeriesRows(np.array(times, np.int64), np.array(values), np.array(quality, np.uint8))
    back = unpack(pack(rows))
    assert (back.time_ms == rows.time_ms).all() and (back.quality == rows.quality).all()
    assert back.value.tobytes() == rows.value.tobytes()


def test_regular_day_is_small():
    n = 288
    rows = SeriesRows(np.arange(n, dtype=np.int64) * 300_000, np.round(np.linspace(1, 2, n), 2), np.zeros(n, np.uint8))
    assert len(pack(rows)) < 288 * 6
    assert (unpack(pack(rows)).value == rows.value).all()


def test_unknown_version_is_refused():
    with pytest.raises(ValueError, match="newer"):
        unpack(b"\x07" + b"\0" * 15)


def test_first_of_equals_stands_in_merge_and_group():
    a = SeriesRows(np.array([10, 20], np.int64), np.array([1.0, 2.0]), np.zeros(2, np.uint8))
    b = SeriesRows(np.array([20, 5], np.int64), np.array([9.0, 8.0]), np.zeros(2, np.uint8))
    merged = SeriesRows.merged([a, b])
    assert merged.time_ms.tolist() == [5, 10, 20] and merged.value.tolist() == [8.0, 1.0, 2.0]
    rows = SeriesRows(np.array([HOUR_MS + 1, 3, HOUR_MS + 1, 3], np.int64), np.array([1.0, 2.0, 3.0, 4.0]), np.zeros(4, np.uint8))
    packs = list(grouped(np.array([7, 7, 7, 8], np.int32), np.array([1, 1, 1, 1], np.int16), rows, np.full(4, HOUR_MS)))
    assert [(p.station, p.start_ms, p.end_ms, p.rows.value.tolist()) for p in packs] == [
        (7, 0, HOUR_MS, [2.0]),
        (7, HOUR_MS, 2 * HOUR_MS, [1.0]),
        (8, 0, HOUR_MS, [4.0]),
    ]
    day = list(grouped(np.array([7, 7], np.int32), np.array([1, 1], np.int16), SeriesRows.merged([b]), np.full(2, DAY_MS)))
    assert [(p.start_ms, p.end_ms) for p in day] == [(0, DAY_MS)]


def test_between_is_inclusive():
    rows = SeriesRows(np.array([1, 2, 3], np.int64), np.array([1.0, 2.0, 3.0]), np.zeros(3, np.uint8))
    assert rows.between(2, 3).time_ms.tolist() == [2, 3] and len(rows.between(4, 9)) == 0
