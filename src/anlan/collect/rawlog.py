"""Raw frames of the protocols, kept for a while with what became of them: one text file an hour.

A line is ``<received, UTC ms> TAB <protocol> TAB <device> TAB <outcome> TAB <hex>``; ``cut -f5 file | anlan decode jt808`` reads
them again. The oldest files go when the folder is larger or older than the settings allow. Best effort: readings and
dead letters are durable without it, an answer does not wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from ..base.clock import from_ms, now_ms

FLUSH_S = 1.0
MOST_HELD = 8 * 1024 * 1024  # bytes waiting for the disk; more are counted in `lost`


class RawLog:
    """Appends to files in `folder`; at most `most` bytes (0: nothing is kept) of at most `keep_ms`."""

    def __init__(self, folder: Path, most: int, keep_ms: int):
        self.folder, self.most, self.keep_ms = folder, most, keep_ms
        self._held: list[str] = []
        self._size = 0
        self.lost = 0

    def add(self, protocol: str, device: str, outcome: str, raw: bytes) -> None:
        """Keep one frame; `outcome` is ``ok`` or a code."""
        if not self.most:
            return
        if self._size > MOST_HELD:
            self.lost += 1
            return
        name = "".join(c if c.isprintable() else "?" for c in device[:80])
        line = f"{now_ms()}\t{protocol}\t{name}\t{outcome}\t{raw.hex()}\n"
        self._held.append(line)
        self._size += len(line)

    def flush(self) -> None:
        """Write what is held; delete what is too old or too much."""
        held, self._held, self._size = self._held, [], 0
        if not held:
            return
        now = now_ms()
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / f"{from_ms(now):%Y%m%d%H}.tsv").open("a", encoding="utf-8") as file:
                file.writelines(held)
            self._tidy(now)

    def _tidy(self, now: int) -> None:
        files = sorted(self.folder.glob("*.tsv"))
        oldest = f"{from_ms(max(0, now - self.keep_ms)):%Y%m%d%H}"
        size = sum(f.stat().st_size for f in files)
        for file in files[:-1]:
            if file.stem >= oldest and size <= self.most:
                break
            size -= file.stat().st_size
            file.unlink(missing_ok=True)

    async def run(self) -> None:
        """Write once a second for ever."""
        while True:
            await asyncio.sleep(FLUSH_S)
            if self._held:
                await asyncio.to_thread(self.flush)
