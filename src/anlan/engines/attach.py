"""Use an installation's engines from a command: those that run, or started for the length of a block.

``with attached(data) as engines:`` sets ``ANLAN_DATA``, ``ANLAN_DATABASE_URL`` and ``ANLAN_NATS_URL`` for the block.
Engines given by URL are used as they are; embedded ones that `up` runs are joined; else they are
started here (the folder is locked meanwhile, so that `up` is refused) and stopped at the end.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from ..base import settings as conf
from ..base.errors import AnlanError
from .folders import Folders
from .nats import EmbeddedNats
from .postgres import EmbeddedPostgres


@dataclass(frozen=True, slots=True)
class Engines:
    """Where the engines are, and whether they were running before."""

    folders: Folders
    database_url: str
    nats_url: str
    running: bool


def last_nats_port(folders: Folders) -> int:
    """The port of the embedded log at its last start; 0 when there was none."""
    with contextlib.suppress(OSError, ValueError):
        return int(orjson.loads((folders.data / "ports.json").read_bytes()).get("NATS", 0))
    return 0


@contextlib.contextmanager
def attached(data: Path | None = None, *, log: bool = True, create: bool = False) -> Iterator[Engines]:
    """The engines of `data` (default: setting DATA). ``create`` allows a folder without an installation."""
    folders = Folders(data or conf.data_folder())
    server = log_server = None
    with contextlib.ExitStack() as stack:
        database_url, nats_url = str(conf.get("DATABASE_URL")), str(conf.get("NATS_URL"))
        running = True
        if not database_url:
            if not create and not folders.postgres.exists() and not (folders.data / "pg.location").exists():
                raise AnlanError(
                    "engines.no_installation",
                    f"{folders.data} 不是安澜的数据目录。请用 --data 指定，或先运行 `anlan up`。",
                    f"{folders.data} holds no installation. Give the folder with --data, or run `anlan up` first.",
                )
            server = EmbeddedPostgres(folders)
            database_url = server.url()
            running = server.answers()
        if not nats_url and log:
            log_server = EmbeddedNats(folders, last_nats_port(folders)) if folders.nats.exists() else EmbeddedNats(folders.make())
            nats_url = log_server.url
        if (server and not running) or (log_server and not log_server.answers()):
            folders.make()
            stack.enter_context(folders.lock())
        if server and not running:
            server.start()
            stack.callback(server.stop)
        if log_server and not log_server.answers():
            log_server.start()
            stack.callback(log_server.stop)
        before = {name: os.environ.get(name) for name in ("ANLAN_DATA", "ANLAN_DATABASE_URL", "ANLAN_NATS_URL")}
        os.environ.update({"ANLAN_DATA": str(folders.data), "ANLAN_DATABASE_URL": database_url, "ANLAN_NATS_URL": nats_url})
        try:
            yield Engines(folders, database_url, nats_url, running)
        finally:
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})


@contextlib.contextmanager
def database_of(data: Path | None = None) -> Iterator[str]:
    """The database URL of an installation for a command that needs no log (see `attached`)."""
    with attached(data, log=False) as engines:
        yield engines.database_url
