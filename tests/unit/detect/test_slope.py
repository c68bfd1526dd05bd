"""The slope detector by worked numbers."""

import numpy as np
import pytest

from anlan.detect.contract import Rows, SeriesTable
from anlan.detect.detectors import _tiers
from anlan.detect.detectors.slope import ANGLE, GAIN, NOISE, V0, V2, VN, Slope, V

HOUR = 3_600_000
T0 = 1_790_000_000_000


def play(x, noise=1e-4, step_h=1.0, quantity="displacement", quality=None):
    d = Slope()
    table = SeriesTable.of([quantity], noise=noise, interval_ms=int(step_h * HOUR))
    state, said = d.allocate(table), []
    for i, value in enumerate(x):
        now = T0 + round(i * step_h * HOUR)
        rows = Rows.of([0], [now], [value], None if quality is None else [quality[i]])
        for f in (d.step(state, rows, table), d.tick(state, now, table)):
            said += [(i, g, e) for g, e in zip(f.grade, f.evidence, strict=True)]
    return d, state, said


def failing(end=230, onset=150, c=0.02, n=228, noise=1e-4, seed=0):
    t = np.arange(n)
    x = 1e-5 * t + np.where(t > onset, -c * np.log((end - t) / (end - onset)), 0)
    return x + noise * np.random.default_rng(seed).normal(size=n)


def test_angle_of_a_doubled_steady_velocity():
    # 100 readings at 1 mm/h teach V0; then 2 mm/h: arctan 2 = 63.43 deg (V0 goes on learning a little)
    x = np.r_[0.001 * np.arange(100), 0.099 + 0.002 * np.arange(1, 9)]
    _, state, _ = play(x, noise=1e-5)
    e = state["facts"][0]
    assert e[V] == pytest.approx(0.002, rel=1e-3) and e[V2] == pytest.approx(0.001, rel=0.02)
    assert 60 < e[ANGLE] < 63.5


def test_steady_velocity_is_floored_at_the_noise_velocity():
    _, state, said = play(np.zeros(60), noise=0.001)
    e = state["facts"][0]
    # sigma * sqrt(12 / (8^3 - 8)) per hour
    assert e[VN] == pytest.approx(0.001 * np.sqrt(12 / 504), rel=1e-3) and e[V0] == pytest.approx(e[VN]) and not said


def test_pure_noise_says_nothing():
    for seed in range(5):
        assert play(1e-3 * np.random.default_rng(seed).normal(size=400), noise=1e-3)[2] == []


def test_failing_series_rises_to_red_before_the_end_and_all_gates_hold():
    d, _, said = play(failing())
    grades = [g for _, g, _ in said]
    assert grades[-1] == 4 and sorted(grades) == grades
    i, g, e = said[-1]
    assert 190 < i < 228 and all(gate.ok for gate in d.gates(g, e)), [x for x in d.gates(g, e) if not x.ok]
    zh, en = d.describe(g, e)
    assert "切线角" in zh and "小时" in zh and en.isascii()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("step_h", [1 / 12, 1.0, 24.0])
def test_any_rhythm_and_direction(sign, step_h):
    assert [g for _, g, _ in play(sign * failing(), step_h=step_h)[2]][-1] == 4


def test_a_step_that_dies_is_not_red():
    t = np.arange(400)
    x = 1e-5 * t + np.where(t > 150, 0.05 * (1 - np.exp(-(t - 150) / 25.0)), 0) + 1e-4 * np.random.default_rng(0).normal(size=400)
    said = play(x)[2]
    assert max(g for _, g, _ in said) < 4 and said[-1][1] == 0


def test_why_not_red_names_the_gate():
    t = np.arange(300)
    x = 1e-5 * t + np.where(t > 200, 0.001 * (t - 200), 0) + 1e-4 * np.random.default_rng(0).normal(size=300)
    d, state, said = play(x)
    assert max(g for _, g, _ in said) < 4
    failed = [gate.name for gate in d.gates(2, tuple(state["facts"][0])) if not gate.ok]
    assert failed and set(failed) <= {"ratio", "angle", "noise", "gain", "doubling", "ahead", "broken", "ramp", "passed"}


def test_red_holds_until_half_of_the_peak():
    x = failing(n=226)
    after = x[-1] + np.cumsum(np.full(60, (x[-1] - x[-2])))
    still = after[-1] + 1e-4 * np.random.default_rng(3).normal(size=60)
    _, _, said = play(np.r_[x, after, still])
    reds = [i for i, g, _ in said if g == 4]
    ends = [i for i, g, _ in said if g < 4 and i > reds[0]]
    assert len(reds) == 1 and ends[0] >= 226 + 60


def test_suspect_samples_are_not_used():
    x = failing()
    assert play(x, quality=np.ones(len(x), np.uint8))[2] == []


def test_tilt_in_radians():
    assert [g for _, g, _ in play(2 * failing(), quantity="tilt")[2]][-1] == 4


def test_memory_covers_three_thousand_readings_in_order():
    a = _tiers.allocate(1)
    names = ("count", "origin_ms", "origin", "tier_s", "tier", "sum_s", "sum")
    for i in range(5000):
        assert _tiers.push(0, i * HOUR, float(i), *(a[k] for k in names))
    assert not _tiers.push(0, 4999 * HOUR + 10, 0.0, *(a[k] for k in names))  # less than a second later
    t, x, w = _tiers.assemble(0, a["count"], a["tier_s"], a["tier"])
    assert np.allclose(t, x) and (np.diff(t) > 0).all() and len(t) <= 192 and 2900 < w.sum() < 3200
    assert (t[-48:] == np.arange(-47, 1)).all()


def test_lookback_is_what_was_read():
    x = failing()
    d, state, _ = play(x)
    table = SeriesTable.of(["displacement"])
    assert d.open_slots(state).tolist() == [0]
    lookback = d.lookback(state, 0, table)
    assert lookback.time_ms[-1] == T0 + 227 * HOUR and lookback.interval_ms == HOUR and d.open_slots(state).size == 0
    assert np.allclose(lookback.value[-48:] - lookback.value[-1], x[-48:] - x[-1], atol=1e-6)
    assert lookback.facts["gain_m"] == pytest.approx(state["facts"][0][GAIN]) and lookback.noise >= state["facts"][0][NOISE] * 0.5
