"""The spool: dead letters on the local disk while the database is away.

One append-only file of JSON lines, synced before anybody is answered, taken up whole by a rename and
removed after its rows are committed. Rows carry their own ids, so taking a file up twice is harmless.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from pathlib import Path
from typing import Any

import orjson

MOST_BYTES = 256 * 1024 * 1024  # beyond this nothing more is taken (and nothing acknowledged)


class SpoolFull(Exception):
    """No room, or the disk refused: nothing was kept."""


class Spool:
    """Letters on disk under `folder` (made when first needed)."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = folder / "letters.ndjson"

    def append(self, rows: list[dict[str, Any]]) -> None:
        """Keep rows durably; SpoolFull when that cannot be done. Blocking: call it in a thread."""
        data = b"".join(orjson.dumps(row) + b"\n" for row in rows)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if sum(f.stat().st_size for f in self.folder.iterdir()) + len(data) > MOST_BYTES:
                raise SpoolFull(f"{self.folder} holds {MOST_BYTES} bytes")
            while True:
                handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX)
                    if not self.path.exists() or self.path.stat().st_ino != os.fstat(handle).st_ino:
                        continue  # taken up between open and lock
                    os.write(handle, data)
                    os.fsync(handle)
                    return
                finally:
                    os.close(handle)
        except OSError as error:
            raise SpoolFull(str(error)) from None

    def take(self) -> list[Path]:
        """Files to be loaded now; the open one is closed by a rename."""
        if not self.folder.is_dir():
            return []
        if self.path.exists():
            handle = os.open(self.path, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                self.path.rename(self.folder / f"{uuid.uuid4().hex}.taken")
            finally:
                os.close(handle)
        return sorted(self.folder.glob("*.taken"))

    @staticmethod
    def read(path: Path) -> list[dict[str, Any]]:
        """The whole rows of a file (a last line cut by a crash was never acknowledged)."""
        rows = []
        for line in path.read_bytes().splitlines():
            try:
                rows.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                continue
        return rows
