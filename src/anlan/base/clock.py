"""Time: UTC inside, Asia/Shanghai on screen. Pure code gets a `Clock` handed in."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")


class Clock(Protocol):
    """Anything that tells the time."""

    def now(self) -> datetime:
        """Aware UTC time."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Aware UTC time of the machine."""
        return datetime.now(UTC)


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


def now_ms() -> int:
    """UTC milliseconds since 1970 from the machine's clock."""
    return time.time_ns() // 1_000_000


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
