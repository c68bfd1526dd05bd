"""The database of an installation for a command: the running one, else its embedded server started for the moment."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..base import settings as conf
from ..base.errors import AnlanError
from .folders import Folders
from .postgres import EmbeddedPostgres


@contextlib.contextmanager
def database_of(data: Path | None = None) -> Iterator[str]:
    """The URL: ``ANLAN_DATABASE_URL`` if set, else of the data folder's own server, which is started (and stopped again)
    when no `anlan up` holds the folder. AnlanError when there is no installation."""
    url = str(conf.get("DATABASE_URL"))
    if url:
        yield url
        return
    folders = Folders(data or conf.data_folder())
    if not (folders.postgres / "PG_VERSION").exists():
        raise AnlanError(
            "engines.no_installation",
            f"{folders.data} 中没有安澜数据。请用 --data 指定 `anlan up` 使用的目录。",
            f"no Anlan data in {folders.data}. Give the folder of `anlan up` with --data.",
        )
    server = EmbeddedPostgres(folders)
    try:
        lock = folders.lock()
    except AnlanError as error:
        if error.code != "engines.already_up":
            raise
        yield server.url()
        return
    try:
        folders.make()
        server.start()
        yield server.url()
    finally:
        server.stop()
        lock.close()
