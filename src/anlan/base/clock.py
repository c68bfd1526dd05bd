"""Time: UTC inside, Asia/Shanghai on screen. Pure code gets a `Clock` handed in.

Every process tells the time by `now_ms` / `SystemClock`, never by the machine directly, because the demo
tells a night in minutes: the setting ``STORY`` (``<real start ms>:<story start ms>:<speed>``) makes the clock
run `speed` times as fast from a moment in the past until it has caught up with the real time, and then go on as
the real time. It is shown on every screen while it runs. Timeouts of sockets and retries stay real.
A step of the machine's clock is noticed by `ClockWatch`.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
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
    real = machine_ms()
    return told[2] if told and told[1] + (real - told[0]) * told[2] < real else 1.0


def now_ms() -> int:
    """UTC milliseconds since 1970 from the machine's clock (or the running story's)."""
    real = machine_ms()
    told = story()
    return min(real, int(told[1] + (real - told[0]) * told[2])) if told else real


class ClockWatch:
    """Holds the machine's clock against the kernel's count of seconds, which nobody can set.

    After a step back the old time goes on (`lag_ms` is what must be added to the clock) for `trust_s`; then, and after a
    step forward at once, the new time is believed. Times in ms; a suspended machine has not stepped.
    """

    def __init__(self, step_s: float | None = None, trust_s: float | None = None):
        self.step_ms = int((get("CLOCK_STEP_S") if step_s is None else step_s) * 1000)
        self.trust_s: float = get("CLOCK_TRUST_S") if trust_s is None else trust_s
        self.epoch = 0  # how often a time set back has been believed
        self._anchor = machine_ms() - _boot_ms()
        self._since = 0.0

    @property
    def lag_ms(self) -> int:
        """How far the clock was set back and is not yet believed; 0 when it goes as it should."""
        lag = self._anchor + _boot_ms() - machine_ms()
        return lag if lag > self.step_ms else 0

    def look(self) -> int:
        """Once a second: the step (ms, signed) that was noticed by this look; 0 when there was none."""
        lag, now = self._anchor + _boot_ms() - machine_ms(), _boot_ms() / 1000
        if lag > self.step_ms:
            first, self._since = not self._since, self._since or now
            if now - self._since >= self.trust_s:
                self._anchor, self._since, self.epoch = self._anchor - lag, 0.0, self.epoch + 1
            return -lag if first else 0
        back, self._since = self._since, 0.0
        self._anchor -= lag
        return -lag if lag < -self.step_ms and not back else 0


def _boot_ms() -> int:
    """Milliseconds since the machine started, sleep included (where the kernel tells that)."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1_000_000


@cache
def _shift_file() -> Path | None:
    """The file of the test hook ``CLOCK_SHIFT``; None in every real installation."""
    return Path(get("CLOCK_SHIFT")) if get("CLOCK_SHIFT") else None


def machine_ms() -> int:
    """UTC milliseconds of the machine's clock, which somebody may set at any time."""
    real, file = time.time_ns() // 1_000_000, _shift_file()
    if file is None:
        return real
    try:
        return real + int(file.read_text() or 0)
    except (OSError, ValueError):
        return real


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
