"""A process's signs of life, watched by its supervisor (`engines.processes`)."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

BEAT_S = 1.0


def beat() -> None:
    """A sign of life of this process: touches the file its supervisor watches (needs no room on the disk)."""
    name = os.environ.get("ANLAN_BEAT_FILE")
    if name:
        with contextlib.suppress(OSError):
            Path(name).touch(mode=0o600)


async def heartbeat(alive: Callable[[], bool] = lambda: True) -> None:
    """Beat for ever in the loop that does the work; not while `alive` says that a part of the process has ended."""
    while True:
        if alive():
            beat()
        await asyncio.sleep(BEAT_S)
