"""The twin's nature keeps the laws it names."""

import numpy as np
import pytest

from anlan.twin.laws import chicago_storm, creep_to_failure, road_depth, with_faults

RNG = np.random.default_rng(1)


@pytest.mark.parametrize("alpha", [1.6, 2.0, 2.3])
def test_inverse_velocity_of_a_failing_slope_falls_to_zero_at_failure(alpha: float) -> None:
    t = np.linspace(0, 99.9, 4000)
    x = creep_to_failure(t, 100.0, 60.0, 1e-6, 0.5, alpha, RNG, 0.0)
    v = np.gradient(x, t)
    late = (t > 60) & (t < 99)
    power = alpha - 1  # v ~ (tf - t)^(-1/(alpha-1)), so v^-(alpha-1) is a straight line to zero at tf
    slope, offset = np.polyfit(t[late], (v[late] - 1e-6) ** -power, 1)
    assert -offset / slope == pytest.approx(100.0, abs=1.0)


def test_a_storm_has_its_total_and_its_peak() -> None:
    t = np.arange(0, 8.0001, 1 / 60)
    rain = chicago_storm(t, 3.0, 0.2, 8.0)
    assert np.trapezoid(rain, t) == pytest.approx(0.2)
    assert t[rain.argmax()] == pytest.approx(3.0, abs=0.02)
    assert rain.min() >= 0


def test_a_road_drains_when_the_rain_stops() -> None:
    t = np.arange(0, 10, 1 / 60)
    rain = np.where(t < 2, 0.06, 0.0)
    depth = road_depth(t, rain, 0.02, 5.0, 0.5)
    assert t[depth.argmax()] == pytest.approx(2.0, abs=0.05)
    after = depth[np.searchsorted(t, 2.5)] / depth[np.searchsorted(t, 3.0)]
    assert after == pytest.approx(np.e, rel=0.01)  # one recession time later: 1/e


@pytest.mark.parametrize("kind", ["spikes", "stuck", "jump", "drift"])
def test_faults_change_a_copy(kind: str) -> None:
    clean = RNG.normal(0, 1e-4, 200)
    kept = clean.copy()
    assert not np.array_equal(with_faults(clean, RNG, kind), clean)
    assert np.array_equal(clean, kept)


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="melted"):
        with_faults(np.zeros(4), RNG, "melted")
