"""Steps of the machine's clock: noticed once, the old time goes on, the new one is believed in the end."""

from __future__ import annotations

import pytest

from anlan.base import clock


@pytest.fixture
def machine(monkeypatch):
    """A clock and a count of seconds that the test moves."""
    state = {"wall": 1_700_000_000_000, "boot": 5_000}
    monkeypatch.setattr(clock, "machine_ms", lambda: state["wall"])
    monkeypatch.setattr(clock, "_boot_ms", lambda: state["boot"])

    def go(seconds: float, step_s: float = 0) -> None:
        state["wall"] += int((seconds + step_s) * 1000)
        state["boot"] += int(seconds * 1000)

    return go


def test_a_clock_that_goes_as_it_should_is_left_alone(machine):
    watch = clock.ClockWatch(5, 3600)
    for drift in (0, 1, -1, 2, -2):
        machine(60, drift)
        assert watch.look() == 0 and watch.lag_ms == 0
    assert watch.epoch == 0


def test_a_step_back_is_told_once_and_the_old_time_goes_on_until_it_is_believed(machine):
    watch = clock.ClockWatch(5, 3600)
    machine(1, -3600)
    assert watch.lag_ms == 3_600_000, "at once, before anybody looked"
    assert watch.look() == -3_600_000
    machine(1800)
    assert (watch.look(), watch.lag_ms, watch.epoch) == (0, 3_600_000, 0)
    machine(1801)
    assert (watch.look(), watch.lag_ms, watch.epoch) == (0, 0, 1), "believed after an hour"


def test_a_step_back_that_is_put_right_again_leaves_nothing(machine):
    watch = clock.ClockWatch(5, 3600)
    machine(1, -60)
    assert watch.look() == -60_000
    machine(1, 60)
    assert (watch.look(), watch.lag_ms, watch.epoch) == (0, 0, 0)


def test_a_step_forward_is_believed_at_once_and_its_correction_is_a_step_back(machine):
    watch = clock.ClockWatch(5, 3600)
    machine(1, 3600)
    assert (watch.look(), watch.lag_ms) == (3_600_000, 0)
    machine(1, -3600)
    assert watch.look() == -3_600_000
    assert watch.lag_ms == 3_600_000
