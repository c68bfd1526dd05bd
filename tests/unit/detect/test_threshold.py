"""Thresholds by worked numbers."""

import numpy as np
import pytest

from anlan.base.errors import FieldError
from anlan.detect.contract import Rows, SeriesTable, check_threshold
from anlan.detect.detectors.threshold import Threshold, row_key

MINUTE = 60_000
T0 = 1_790_000_000_000


def run(values, quantity="water_level", step_ms=MINUTE, quality=None, ticks=(), **row):
    row = {"slot": 0, "level": (1.0, 2.0, 3.0, 4.0), "hysteresis": 0.1, "id": "threshold-x"} | row
    table = SeriesTable.of([quantity], thresholds=[row])
    d = Threshold()
    state = d.allocate(table)
    times = T0 + step_ms * np.arange(len(values))
    f = d.step(state, Rows.of(np.zeros(len(values)), times, values, quality), table)
    said = [((t - T0) // step_ms, g) for t, g in zip(f.time_ms, f.grade, strict=True)]
    for now in ticks:
        f = d.tick(state, T0 + now, table)
        said += [("tick", g) for g in f.grade]
    return said


def test_up_and_down_with_hysteresis():
    # level 2.0, margin 0.1 * min(2.0, gap 1.0) = 0.1: leaves yellow below 1.9 only
    assert run([0.5, 1.0, 2.0, 1.95, 1.89, 0.95, 0.89]) == [(1, 1), (2, 2), (4, 1), (6, 0)]


def test_a_leap_reports_the_worst_once():
    assert run([0.5, 4.2, 0.0]) == [(1, 4), (2, 0)]


def test_below():
    assert run([5, 2.9, 1.0, 3.05, 3.2], mode="below", level=(4.0, 3.0, 2.0, 1.0)) == [(1, 2), (2, 4), (3, 2), (4, 1)]


def test_persistence_by_count_and_time():
    assert run([1.1, 0.5, 1.1, 1.1, 1.1], persistence_n=3) == [(4, 1)]
    assert run([1.1] * 6, persistence_ms=3 * MINUTE) == [(3, 1)]


def test_time_alone_raises_on_a_tick():
    assert run([1.1], persistence_ms=3 * MINUTE, ticks=(MINUTE, 2 * MINUTE, 3 * MINUTE, 4 * MINUTE)) == [("tick", 1)]


def test_rate_per_hour():
    # 0.1 m in each 5 min is 1.2 m/h; the first value is known when half the window is covered
    said = run([0, 0.1, 0.2, 0.3, 0.4], mode="rate", window_ms=20 * MINUTE, step_ms=5 * MINUTE, level=(1.0, 1.3, None, None))
    assert said == [(2, 1)]
    falling = run([4, 3, 2, 1, 0], mode="rate", window_ms=20 * MINUTE, step_ms=5 * MINUTE, level=(1.0, 1.3, None, None))
    assert falling == []  # a falling river is not a rise
    moving = run(
        [0, -0.1, -0.2, -0.3], "displacement", mode="rate", window_ms=20 * MINUTE, step_ms=5 * MINUTE, level=(1.0, 1.3, None, None)
    )
    assert moving == [(2, 1)]  # the sign of a displacement only says how the instrument hangs


def test_a_suspect_sample_alone_is_not_red():
    assert run([5.0], quality=[1]) == [(0, 3)]
    assert run([5.0, 5.0], quality=[1, 0]) == [(0, 3), (1, 4)]


def test_missing_levels_are_skipped():
    assert run([0.5, 3.5, 4.5, 1.0, 0.0], level=(1.0, None, None, 4.0)) == [(1, 1), (2, 4), (3, 1), (4, 0)]


def test_two_rows_of_one_series_speak_apart_and_name_their_threshold():
    rows = [{"slot": 0, "level": (1.0, None, None, None), "id": "a"}, {"slot": 0, "level": (None, 2.0, None, None), "id": "b"}]
    table = SeriesTable.of(["water_depth"], thresholds=rows)
    d = Threshold()
    f = d.step(d.allocate(table), Rows.of([0], [T0], [2.5]), table)
    assert f.grade == [1, 2] and f.kind == [row_key("a"), row_key("b")]
    assert [d.causes(k, e, table) for k, e in zip(f.kind, f.evidence, strict=True)] == [["a"], ["b"]]
    assert d.describe(2, f.evidence[1]) == ("积水深 250 cm，达到黄色阈值 200 cm", "Water depth 250 cm, at or over the yellow limit 200 cm")


@pytest.mark.parametrize(
    "mode, of, window, levels, field",
    [
        ("over", "water_level", 0, (1, 2, 3, 4), "mode"),
        ("sum", "water_level", 3_600_000, (1, 2, 3, 4), "mode"),
        ("sum", "rainfall", 1000, (0.05, None, None, None), "window_s"),
        ("rate", "water_level", 0, (1, None, None, None), "window_s"),
        ("above", "water_level", 0, (4, 3, 2, 1), "levels"),
        ("above", "water_level", 0, (None, None, None, None), "levels"),
        ("above", "soil_moisture", 0, (35, None, None, 60), "levels"),  # per cent where the SI unit is 1
    ],
)
def test_wrong_thresholds_are_refused(mode, of, window, levels, field):
    with pytest.raises(FieldError) as error:
        check_threshold(mode, of, window, levels)
    assert error.value.facts["field"] == field
