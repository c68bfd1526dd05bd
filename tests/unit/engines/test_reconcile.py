"""Reconcilers: lock by name, failures kept apart."""

from __future__ import annotations

import threading
import time

import pytest


@pytest.fixture
def registry():
    from anlan.engines import reconcile

    before = dict(reconcile._FOUND)
    reconcile._FOUND.clear()
    yield reconcile
    reconcile._FOUND.clear()
    reconcile._FOUND.update(before)


def test_runs_on_time_and_survives_failure(real_db, registry):
    calls = []

    @registry.every(0.1)
    def good(now):
        calls.append(now)
        return 1

    @registry.every(0.1)
    def bad(now):
        raise ValueError("no")

    runner = registry.Runner()
    thread = threading.Thread(target=runner.run)
    thread.start()
    time.sleep(0.8)
    runner.stop()
    thread.join(5)
    assert 3 <= len(calls) <= 9
    assert all(at.tzinfo for at in calls)


def test_one_machine_at_a_time(real_db, registry):
    import psycopg

    @registry.every(1)
    def chase(now):
        return 7

    timed = next(iter(registry.reconcilers().values()))
    with psycopg.connect(real_db, autocommit=True) as other:
        other.execute("select pg_advisory_lock(%s, %s)", [registry.LOCK_SPACE, registry.lock_key(timed.name)])
        assert registry.run_once(timed) is None
        other.execute("select pg_advisory_unlock_all()")
    assert registry.run_once(timed) == 7
