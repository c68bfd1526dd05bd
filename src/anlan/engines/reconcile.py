"""Reconcilers: functions that look at what should be and make it so, on a timer, on one machine at a time.

``@every(seconds) def chase(now: datetime) -> int``: no other input, idempotent, returns how much
it did. ``@every(seconds, when=stirred)`` asks the process first (no database) whether there may be anything to do.
An advisory lock by name keeps two machines from running the same one together. A failing
reconciler is logged and runs again at its next time; the others are not held up.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import InterfaceError, OperationalError, connection

from ..base.clock import SystemClock

Reconciler = Callable[[datetime], int]
LOCK_SPACE = 0x414E4C  # first key of the two-key advisory locks; see docs/architecture.md
log = structlog.get_logger("anlan.reconcile")


@dataclass(slots=True)
class Timed:
    """A registered reconciler: its name, period, and when it is next due (monotonic seconds)."""

    name: str
    function: Reconciler
    seconds: float
    when: Callable[[], bool] | None = None
    due: float = 0.0
    running: bool = False


_FOUND: dict[str, Timed] = {}


def every(seconds: float, when: Callable[[], bool] | None = None) -> Callable[[Reconciler], Reconciler]:
    """Register a reconciler to run about every `seconds`, if `when()` (quick, must not fail, no query) is true then."""

    def register(function: Reconciler) -> Reconciler:
        name = f"{function.__module__}.{function.__qualname__}"
        _FOUND[name] = Timed(name, function, seconds, when)
        return function

    return register


def reconcilers() -> dict[str, Timed]:
    """All registered reconcilers by name."""
    return dict(_FOUND)


def lock_key(name: str) -> int:
    """The second advisory-lock key of a reconciler (32 bit, signed, outside the lanes' small numbers)."""
    return -1 - (zlib.crc32(name.encode()) & 0x7FFFFFFF)


def _lock(key: list[int]) -> bool:
    """Try the lock; a connection that died since its last use is replaced (it is not asked before each use, that costs as much)."""
    for fresh in (False, True):
        try:
            with connection.cursor() as cursor:
                cursor.execute("select pg_try_advisory_lock(%s, %s)", key)
                return bool(cursor.fetchone()[0])
        except (OperationalError, InterfaceError):
            if fresh or connection.in_atomic_block:
                raise
            connection.close()
    raise AssertionError("unreachable")


def run_once(timed: Timed, now: datetime | None = None) -> int | None:
    """Run one reconciler under its lock; None when another machine is at it. Errors propagate."""
    key = [LOCK_SPACE, lock_key(timed.name)]
    if not _lock(key):
        return None
    try:
        return timed.function(now or SystemClock().now())
    finally:
        try:
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(%s, %s)", key)
        except (OperationalError, InterfaceError):  # the lock went with the connection
            connection.close()


class Runner:
    """Runs what is due, a few at a time; `run` returns after `stop`."""

    def __init__(self, threads: int = 3):
        self._stopping = False
        self._wake = threading.Event()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="reconcile")

    def stop(self) -> None:
        """Ask `run` to end; running reconcilers finish first."""
        self._stopping = True
        self._wake.set()

    def run(self) -> None:
        """The timer loop."""
        while not self._stopping:
            self._wake.clear()
            now = time.monotonic()
            for timed in list(_FOUND.values()):
                if timed.due <= now and not timed.running:
                    timed.due = now + timed.seconds
                    if timed.when is not None and not timed.when():
                        continue
                    timed.running = True
                    self._pool.submit(self._guarded, timed)
            nearest = min((t.due for t in _FOUND.values() if not t.running), default=now + 1)
            self._wake.wait(min(max(nearest - time.monotonic(), 0.02), 1.0))
        self._pool.shutdown(wait=True)

    def _guarded(self, timed: Timed) -> None:
        try:
            run_once(timed)
        except Exception as error:
            log.error("reconciler failed", name=timed.name, error=repr(error))
            connection.close_if_unusable_or_obsolete()
        finally:
            timed.running = False
            self._wake.set()
