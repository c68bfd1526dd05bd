"""Silence, rain and quality by worked numbers."""

import numpy as np

from anlan.detect.contract import Rows, SeriesTable
from anlan.detect.detectors.quality import JUMP, Quality
from anlan.detect.detectors.rain import Rain
from anlan.detect.detectors.silence import Silence

MINUTE, HOUR = 60_000, 3_600_000
T0 = 1_789_999_200_000  # a whole hour


def silence(reports, until, interval=0, tick=10_000, quiet=(), clock=lambda t: 0, slow=0):
    """`clock(t)`: how far the ticks' clock is off at t; `slow`: how far the device's own clock is behind (both ms)."""
    table = SeriesTable.of(["tilt"], interval_ms=interval)
    d, said = Silence(), []
    state = d.allocate(table)
    reports = list(reports)
    for now in range(T0, T0 + until, tick):
        while reports and T0 + reports[0] <= now:
            f = d.step(state, Rows.of([0], [T0 + reports.pop(0) - slow], [0.0]), table)
            said += [(t - T0, g) for t, g in zip(f.time_ms, f.grade, strict=True)]
        if any(a <= now - T0 < b for a, b in quiet):
            continue
        f = d.tick(state, now + clock(now - T0), table)
        said += [(t - T0, g) for t, g in zip(f.time_ms, f.grade, strict=True)]
    return said


def test_silent_after_three_intervals_and_a_minute():
    # rhythm 5 min: allowed 16 min after the last report at 10 min
    assert silence([0, 5 * MINUTE, 10 * MINUTE], 40 * MINUTE, 5 * MINUTE) == [(26 * MINUTE + 10_000, 1)]


def test_its_own_rhythm_is_learned_when_slower_than_configured():
    reports = [h * HOUR for h in range(16)]
    said = silence(reports, 40 * HOUR, 5 * MINUTE, tick=20_000)
    assert not [f for f in said if 6 * HOUR < f[0] < 18 * HOUR]  # five intervals teach it
    assert [g for t, g in said if t > 18 * HOUR] == [1]  # and it is still missed when it stops


def test_a_burst_does_not_shorten_the_rhythm():
    reports = [0, *(HOUR + k * MINUTE for k in range(20))]
    assert silence(reports, 4 * HOUR, HOUR) == []


def test_flapping_is_damped():
    gaps, reports, now = [], [0], 0
    for _ in range(12):  # each time back after 20 min
        now += 20 * MINUTE
        reports.append(now)
    said = silence(reports, 5 * HOUR, 5 * MINUTE)
    gaps = [t for t, g in said if g == 1]
    assert 1 <= len(gaps) <= 3


def test_when_the_platform_stood_still_nobody_is_blamed():
    reports = [k * 5 * MINUTE for k in range(6)]
    said = silence(reports, 90 * MINUTE, 5 * MINUTE, quiet=[(26 * MINUTE, 80 * MINUTE)])
    assert said == []


def test_a_clock_set_back_does_not_stall_the_watch():
    # last report at 10 min, the clock goes back an hour at 15 min: still missed 16 min after the report
    said = silence([0, 5 * MINUTE, 10 * MINUTE], 40 * MINUTE, 5 * MINUTE, clock=lambda t: -HOUR if t >= 15 * MINUTE else 0)
    assert said == [(26 * MINUTE + 10_000 - HOUR, 1)] or said == [(26 * MINUTE + 20_000 - HOUR, 1)]


def test_a_clock_that_jumps_ahead_blames_nobody_and_the_watch_goes_on():
    reports = [k * 5 * MINUTE for k in range(20)]
    ahead = {"clock": lambda t: HOUR if t >= 30 * MINUTE else 0}
    assert silence(reports, 100 * MINUTE, 5 * MINUTE, **ahead) == [], "devices keep to the right time"
    said = silence(reports[:7], 100 * MINUTE, 5 * MINUTE, **ahead)
    assert [g for _, g in said] == [1], "the last report came at the jump"


def test_a_device_whose_clock_is_slow_is_not_silent():
    assert silence([k * 5 * MINUTE for k in range(20)], 100 * MINUTE, 5 * MINUTE, slow=2 * HOUR) == []


def test_never_reported_is_not_silent():
    assert silence([], 3 * HOUR, 5 * MINUTE) == []


def rain(values, step=10 * MINUTE, thresholds=None, order=None):
    table = SeriesTable.of(["rainfall"], thresholds=thresholds)
    d = Rain()
    state = d.allocate(table)
    times = T0 + step * np.arange(len(values))
    rows = np.arange(len(values)) if order is None else np.array(order)
    late = np.array([any(rows[:i] > r) for i, r in enumerate(rows)])
    f = d.step(state, Rows.of(np.zeros(len(values)), times[rows], np.array(values)[rows], None, late), table)
    return d, state, table, [((t - T0) // step, g) for t, g in zip(f.time_ms, f.grade, strict=True)]


def test_totals_over_each_window():
    d, state, _, _ = rain([0.001] * 160)  # 1 mm each 10 min for 26 h 40
    assert {w: round(s * 1e3) for w, s in d.totals(state, 0, T0 + 159 * 10 * MINUTE).items()} == {1: 6, 3: 18, 6: 36, 12: 72, 24: 144}


def test_default_signals():
    _, _, _, said = rain([0.005] * 40)  # 30 mm/h: 50 mm within 3 h at the 10th report, 100 mm in 3 h never (90)
    assert said == [(9, 3)]
    _, _, _, said = rain([0.006] * 20)  # 36 mm/h: 54 mm at the 9th, 102 mm at the 17th
    assert said == [(8, 3), (16, 4)]


def test_late_tips_fall_into_their_bucket():
    order = [0, 1, 5, 2, 3, 4, 6, 7, 8, 9]
    a, b = rain([0.005] * 10), rain([0.005] * 10, order=order)
    assert np.allclose(a[1]["total"], b[1]["total"]) and np.array_equal(a[1]["bucket"], b[1]["bucket"])
    assert a[3] == b[3]


def test_signed_row_replaces_the_default_and_extends_at_75_per_cent():
    row = {"slot": 0, "mode": "sum", "window_ms": HOUR, "level": (0.010, None, None, None), "id": "t"}
    d, state, table, said = rain([0.010, 0, 0], thresholds=[row])
    assert said == [(0, 1)]
    f = d.tick(state, T0 + 61 * MINUTE, table)
    assert f.grade == [0] and d.causes(0, f.evidence[0], table) == ["t"]


def quality(values, noise=0.001, name="displacement", step=HOUR):
    table = SeriesTable.of([name], noise=noise, interval_ms=step)
    d = Quality()
    rows = Rows.of(np.zeros(len(values)), T0 + step * np.arange(len(values)), values)
    f = d.step(d.allocate(table), rows, table)
    return rows, f, d


def test_a_spike_is_suspect_and_forgotten():
    x = 0.001 * np.random.default_rng(0).normal(size=60)
    x[40] += 0.05
    rows, f, _ = quality(x)
    assert rows.quality[40] == 1 and rows.quality.sum() == 1 and np.allclose(rows.value, x) and len(f) == 0


def test_a_jump_is_rebased_and_told():
    x = 0.001 * np.random.default_rng(0).normal(size=80)
    x[40:] += 0.3
    rows, f, d = quality(x)
    assert list(rows.quality[40:43]) == [1, 1, 0]
    assert np.abs(rows.value[42:]).max() < 0.008
    assert f.grade == [1] and int(f.evidence[0][0]) & JUMP and abs(f.evidence[0][2] - 0.3) < 0.005
    assert "请现场核实" in d.describe(1, f.evidence[0])[0]


def test_a_river_may_jump_and_is_not_rebased():
    x = 0.001 * np.random.default_rng(0).normal(size=80)
    x[40:] += 0.3
    rows, f, _ = quality(x, name="water_level")
    assert rows.value[60] > 0.25 and rows.quality[43:].sum() == 0 and len(f) == 0


def test_acceleration_is_motion():
    t = np.arange(120.0)
    x = 0.05 * np.log(130 / (130 - t)) + 0.0005 * np.random.default_rng(0).normal(size=120)
    rows, f, _ = quality(x, noise=0.0005)
    assert rows.quality.sum() <= 4 and abs(rows.value[-1] - x[-1]) < 1e-9 and len(f) == 0


def test_range_nan_and_stuck():
    rows, _, _ = quality(np.array([0.0, 0.001, 500.0, np.nan, 0.002]))
    assert list(rows.quality) == [0, 0, 2, 2, 0]
    x = np.r_[0.001 * np.random.default_rng(0).normal(size=60), np.full(160, 0.0005)]
    rows, f, _ = quality(x)
    assert rows.quality[:100].sum() == 0 and rows.quality[115:].all() and f.grade == [1]


def test_a_wild_sensor_becomes_a_device_finding_and_recovers():
    x = np.r_[np.zeros(20), np.where(np.arange(60) % 2, 500.0, 0.0), np.full(10, 500.0), 0.001 * np.random.default_rng(1).normal(size=90)]
    _, f, _ = quality(x)
    assert f.grade == [1, 0]


def test_clock_ahead_of_the_lane():
    table = SeriesTable.of(["tilt"])
    d = Quality()
    state = d.allocate(table)
    d.tick(state, T0, table)
    rows = Rows.of([0, 0], [T0 + 1000, T0 + 301_000], [0.0, 0.0])
    d.step(state, rows, table)
    assert list(rows.quality) == [0, 1]
