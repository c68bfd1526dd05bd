"""Time of failure by worked numbers."""

import math

import numpy as np
import pytest

from anlan.base.failure import Lookback
from anlan.forecast.contract import forecasts
from anlan.forecast.forecasters.failure_time import FailureTime, climb, inverse_line, inverse_velocity

HOUR = 3_600_000
T0 = 1_790_000_000_000


def window(x, noise=2e-5, step_h=1.0):
    n = len(x)
    return Lookback(0, T0 + (np.arange(n) * step_h * HOUR).astype(np.int64), np.asarray(x, float), np.ones(n), noise, step_h * HOUR)


def failing(remaining=20.0, n=200, elapsed=80.0, noise=2e-5):
    t = np.arange(1 - n, 1) * 1.0
    x = 1e-5 * t + np.where(t > -elapsed, -5e-3 * np.log((remaining - t) / (remaining + elapsed)), 0)
    return x + noise * np.random.default_rng(0).normal(size=n)


def test_inverse_velocity_line_is_exact_without_noise():
    t = np.arange(5.0)
    tf, sd = inverse_line(t, 2.0 * (10.0 - t))
    assert tf == pytest.approx(10.0) and sd == pytest.approx(0.0, abs=1e-6)


def test_delta_method_by_hand():
    # t 0..3, 1/v = 4.1, 2.9, 2.1, 0.9: a = -1.04, b = 4.06, tf = 3.903846; rests 0.04, -0.12, 0.12, -0.04, s2 = 0.032/2 = 0.016;
    # var_a = s2/5 = 0.0032, var_b = s2 (1/4 + 2.25/5) = 0.0112, cov = -s2 1.5/5 = -0.0048
    tf, sd = inverse_line(np.arange(4.0), np.array([4.1, 2.9, 2.1, 0.9]))
    assert tf == pytest.approx(4.06 / 1.04)
    g = (4.06 / 1.04**2, 1 / 1.04)
    assert sd == pytest.approx(math.sqrt(g[0] ** 2 * 0.0032 + 2 * g[0] * g[1] * -0.0048 + g[1] ** 2 * 0.0112), rel=1e-6)


def test_no_failure_time_when_inverse_velocity_rises():
    assert all(math.isnan(v) for v in inverse_line(np.arange(5.0), np.arange(5.0) + 1))


def test_sma_and_lma_see_the_end():
    sma, _, lma, _ = inverse_velocity(window(failing(noise=0.0)), 60.0)
    assert abs(np.log(sma / 20)) < 0.25 and abs(np.log(lma / 20)) < 0.35  # steady creep under it delays both a little


def test_a_failing_window_gets_an_ordered_interval_around_the_truth():
    p = FailureTime().predict(window(failing()))
    assert not p.silent and p.made_ms < p.p10_ms < p.p50_ms < p.p90_ms
    assert abs(np.log((p.p50_ms - p.made_ms) / HOUR / 20)) < 0.5
    assert "小时后失稳" in p.zh and p.en.isascii()
    assert {"window_192_p50_h", "inverse_lma_h"} <= set(p.evidence)


def test_same_window_same_answer():
    a, b = (FailureTime().predict(window(failing())) for _ in range(2))
    assert (a.p10_ms, a.p50_ms, a.p90_ms) == (b.p10_ms, b.p50_ms, b.p90_ms)


@pytest.mark.parametrize("x", [np.zeros(100), 1e-6 * np.arange(100.0), np.zeros(3), np.full(60, np.nan)])
def test_silence_names_the_gate(x):
    for p in forecasts(window(x)):
        assert p.silent and p.p10_ms is None and "不作预报" in p.zh
        assert any(not r.ok for r in p.reasons)


def test_trees_by_hand():
    trees = {
        "p50_feature": np.array([0, 0, 0]), "p50_threshold": np.array([1.0, 0, 0]), "p50_left": np.array([1, -1, -1]),
        "p50_right": np.array([2, -1, -1]), "p50_value": np.array([0.0, 5.0, 7.0]), "p50_root": np.array([0, 0]), "p50_base": np.array(0.5),
    }  # fmt: skip
    assert climb(trees, "p50", np.array([1.0])) == 10.5 and climb(trees, "p50", np.array([1.1])) == 14.5
