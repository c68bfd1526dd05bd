"""Time: UTC inside, Asia/Shanghai on screen. Pure code gets a `Clock` handed in.

Every process tells the time by `now_ms` / `SystemClock`, never by the machine directly, because the demo
tells a night in minutes: the setting ``STORY`` (``<real start ms>:<story start ms>:<speed>``) makes the clock
run `speed` times as fast from a moment in the past until it has caught up with the real time, and then go on as
the real time. It is shown on every screen while it runs. Timeouts of sockets and retries stay real.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import cache
from typing import Protocol
from zoneinfo import ZoneInfo

from .settings import get

BEIJING = ZoneInfo("Asia/Shanghai")


class Clock(Protocol):
    """Anything that tells the time."""

    def now(self) -> datetime:
        """Aware UTC time."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Aware UTC time of the machine (or of the running story)."""
        return from_ms(now_ms())


class FakeClock:
    """A clock that stands still until told otherwise; for scenario tests and rehearsals."""

    def __init__(self, start: datetime):
        self._now = start

    def now(self) -> datetime:
        """The time last set."""
        return self._now

    def set(self, when: datetime) -> None:
        """Move to `when`; going backwards is allowed (clock jumps are tested)."""
        self._now = when


@cache
def story() -> tuple[int, int, float] | None:
    """The story clock of this process: real start ms, story start ms, speed; None when there is none."""
    text = get("STORY")
    if not text:
        return None
    real, start, speed = text.split(":")
    return int(real), int(start), float(speed)


def story_speed() -> float:
    """How many times faster than the real time the clock runs now (1.0 without a story)."""
    told = story()
    real = time.time_ns() // 1_000_000
    return told[2] if told and told[1] + (real - told[0]) * told[2] < real else 1.0


def now_ms() -> int:
    """UTC milliseconds since 1970 from the machine's clock (or the running story's)."""
    real = time.time_ns() // 1_000_000
    told = story()
    return min(real, int(told[1] + (real - told[0]) * told[2])) if told else real


def from_ms(ms: int) -> datetime:
    """Aware UTC datetime of UTC milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def to_ms(when: datetime) -> int:
    """UTC milliseconds of an aware datetime; a naive one is refused (ValueError)."""
    if when.tzinfo is None:
        raise ValueError("naive datetime: say its zone")
    return round(when.timestamp() * 1000)


def beijing(when: datetime) -> str:
    """``YYYY-MM-DD HH:MM:SS`` in Asia/Shanghai, for people."""
    return when.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
