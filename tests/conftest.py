"""Fixtures that start the real engines.

- ``postgres``: one embedded server a session (fsync off: for tests that do not kill it);
- ``db``: Django on a migrated database, everything rolled back after the test (fast; one connection);
- ``real_db``: a fresh clone of the migrated database, real commits, as many connections as you like; its URL;
- ``nats``: one embedded NATS server a session, lanes made; its URL (streams are purged for each test);
- ``stack``: a factory for the real ``anlan up`` on a temporary folder, all processes (`tests/stack.py`);
- ``shared``: the folder of recorded data (``ANLAN_SHARED``), or the test is skipped;
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stack import RunningStack

ROOT = Path(__file__).resolve().parent.parent
_COUNTER = itertools.count()


@pytest.fixture(scope="session")
def engine_folder() -> Iterator[Path]:
    """A temporary data folder with a Chinese name and a blank in it."""
    folder = Path(tempfile.mkdtemp(prefix="anlan-test-"))
    os.environ["ANLAN_DATA"] = str(folder / "数据 目录")
    yield folder / "数据 目录"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(engine_folder: Path) -> Iterator[object]:
    """An embedded PostgreSQL server (`EmbeddedPostgres`)."""
    from anlan.engines.folders import Folders
    from anlan.engines.postgres import SETTINGS_FOR_TESTS, EmbeddedPostgres

    server = EmbeddedPostgres(Folders(engine_folder), SETTINGS_FOR_TESTS)
    server.start()
    os.environ["ANLAN_DATABASE_URL"] = server.url("anlan")
    yield server
    server.stop()
    shutil.rmtree(server.folders.sockets, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated(postgres) -> str:
    """Django set up and the template database migrated, once a session; the URL."""
    from anlan.engines.database import migrate
    from anlan.engines.project import setup

    url = str(postgres.url("anlan"))
    setup(url)
    migrate()
    from django.db import connection

    connection.close()
    return url


@pytest.fixture
def db(migrated: str) -> Iterator[str]:
    """Django on the migrated database; what the test writes is rolled back. Use `acting` for ledgers."""
    from django.db import connection, transaction

    with transaction.atomic():
        yield migrated
        transaction.set_rollback(True)
    connection.close()


@pytest.fixture
def real_db(postgres, migrated: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A fresh database of its own with real commits; Django and ``ANLAN_DATABASE_URL`` point to it."""
    import psycopg
    from django.db import connections

    name = f"test_{next(_COUNTER)}"
    connections.close_all()
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f'create database "{name}" template anlan strategy file_copy')
    connections.settings["default"]["NAME"] = name
    connections["default"].settings_dict["NAME"] = name
    monkeypatch.setenv("ANLAN_DATABASE_URL", postgres.url(name))
    yield postgres.url(name)
    connections.close_all()
    connections.settings["default"]["NAME"] = "anlan"
    connections["default"].settings_dict["NAME"] = "anlan"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f'drop database "{name}" with (force)')


@pytest.fixture(scope="session")
def nats_server(engine_folder: Path) -> Iterator[object]:
    """An embedded NATS server (`EmbeddedNats`) with its lanes."""
    from anlan.engines.folders import Folders
    from anlan.engines.nats import EmbeddedNats

    server = EmbeddedNats(Folders(engine_folder))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def nats(nats_server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a NATS server whose lanes are new (sequence 1) for this test."""
    from anlan.base.settings import get
    from anlan.engines.nats import connected, ensure_lanes_async, lane_stream

    async def renew() -> None:
        async with connected(nats_server.url) as client:
            for lane in range(get("LANES")):
                await client.jetstream().delete_stream(lane_stream(lane))
        await ensure_lanes_async(nats_server.url)

    asyncio.run(renew())
    monkeypatch.setenv("ANLAN_NATS_URL", nats_server.url)
    return str(nats_server.url)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded data; skips when it is not on this machine."""
    folder = Path(os.environ.get("ANLAN_SHARED") or ROOT.parent / "shared")
    if not folder.is_dir():
        pytest.skip(f"no recorded data at {folder}: set ANLAN_SHARED")
    return folder


@pytest.fixture
def stack() -> Iterator[Callable[..., RunningStack]]:
    """``stack(devices=3, ANLAN_X=…)`` gives a `RunningStack` (call ``start()``); all are stopped and removed after the test."""
    made: list[RunningStack] = []

    def make(devices: int = 0, data: Path | None = None, **environment: str) -> RunningStack:
        made.append(RunningStack(devices, data, **environment))
        return made[-1]

    yield make
    for one in made:
        one.remove()
