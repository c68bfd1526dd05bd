"""Where an installation keeps its things: data folder, run folder for sockets, logs, and the lock.

The data folder is the user's choice and may have any name (Chinese, blanks, very long). Sockets
must have paths of at most 107 bytes, so they live in ``/tmp/anlan-<uid>-<hash of the data folder>``,
a folder of mode 0700 that belongs to us, or the start is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import IO, Any

from ..base.errors import AnlanError


class Folders:
    """The folders of one installation under `data` (absolute). `make` creates them."""

    def __init__(self, data: Path):
        self.data = data.expanduser().resolve()
        digest = hashlib.blake2b(os.fsencode(self.data), digest_size=6).hexdigest()
        self.sockets = Path("/tmp") / f"anlan-{os.getuid()}-{digest}"
        self.postgres = self.data / "pg"
        self.nats = self.data / "nats"
        self.logs = self.data / "logs"
        self.run = self.data / "run"

    def make(self) -> Folders:
        """Create all folders (mode 0700); AnlanError ``engines.folder`` says which one cannot be used."""
        for folder in (self.data, self.nats, self.logs, self.run, self.sockets):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                facts = folder.lstat()
            except OSError as error:
                raise AnlanError(
                    "engines.folder",
                    f"无法使用目录 {folder}：{error.strerror}。请换一个可写的 --data 目录，或修正其权限。",
                    f"cannot use folder {folder}: {error.strerror}. Choose a writable --data folder, or mend its permissions.",
                    folder=str(folder),
                ) from None
            if folder == self.sockets and (facts.st_uid != os.getuid() or not stat.S_ISDIR(facts.st_mode)):
                raise AnlanError(
                    "engines.folder",
                    f"套接字目录 {folder} 属于他人（uid {facts.st_uid}），请删除后重试。",
                    f"socket folder {folder} belongs to somebody else (uid {facts.st_uid}); remove it and start again.",
                    folder=str(folder),
                )
        return self

    def forget_sockets(self) -> None:
        """Remove the socket folder when nothing is in it any more."""
        with contextlib.suppress(OSError):
            self.sockets.rmdir()

    def lock(self) -> IO[str]:
        """Take the data folder for this process; a second `up` is refused with who holds it."""
        handle = (self.data / "up.lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            holder = handle.read().strip() or "?"
            handle.close()
            raise AnlanError(
                "engines.already_up",
                f"数据目录 {self.data} 已在运行（进程 {holder}）。请先停止它（Ctrl-C 或 kill {holder}），或用 --data 指定别的目录。",
                f"data folder {self.data} is already up (process {holder}). Stop it first (Ctrl-C, or kill {holder}), "
                f"or give another folder with --data.",
                pid=holder,
            ) from None
        handle.seek(0)
        handle.truncate()
        handle.write(str(os.getpid()))
        handle.flush()
        return handle


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that a reader sees the old or the new whole (rename)."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    draft.replace(path)
