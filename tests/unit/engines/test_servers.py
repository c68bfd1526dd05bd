"""The embedded servers: any user, any path, kill -9."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest

from anlan.base.errors import AnlanError, EngineAway
from anlan.engines.folders import Folders
from anlan.engines.nats import connected, lane_subject
from anlan.engines.postgres import EmbeddedPostgres, root_mode


@pytest.fixture
def folders():
    home = Path(tempfile.mkdtemp())
    found = Folders(home / "安澜 数据" / ("长" * 60))
    yield found
    shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(found.sockets, ignore_errors=True)


def test_socket_path_is_short_for_any_folder(folders):
    assert len(str(folders.sockets / ".s.PGSQL.5432")) < 108


def test_a_second_holder_is_refused_with_the_first_ones_pid(folders):
    folders.make()
    with folders.lock():
        with pytest.raises(AnlanError) as caught:
            folders.lock()
        assert caught.value.code == "engines.already_up"
        assert str(os.getpid()) in caught.value.en
    folders.lock().close()


def test_unusable_folder_is_named(folders):
    folders.data.parent.mkdir(parents=True)
    folders.data.parent.joinpath("file").touch()
    with pytest.raises(AnlanError, match="cannot use folder"):
        Folders(folders.data.parent / "file" / "x").make()


@pytest.mark.crash
def test_kill_9_of_the_postmaster_under_writes(folders):
    import psycopg

    server = EmbeddedPostgres(folders)
    server.start()
    try:
        with psycopg.connect(server.url(), autocommit=True) as writer:
            writer.execute("create table t (n int)")
            for n in range(200):
                writer.execute("insert into t values (%s)", [n])
        sleeper = psycopg.connect(server.url())
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        start = time.monotonic()
        server.start()
        assert time.monotonic() - start < 10
        sleeper.close()
        with psycopg.connect(server.url()) as reader:
            assert reader.execute("select count(*) from t").fetchone() == (200,)
    finally:
        server.stop()
    assert server.servers() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a fallback user")
def test_root_without_namespaces_runs_as_a_system_user(folders):
    assert root_mode() in ("namespace", "user:anlan", "user:postgres", "user:nobody")
    server = EmbeddedPostgres(folders, {"fsync": "off"}, mode="user:nobody")
    try:
        server.start()
        assert [process.username() for process in server.servers()[:1]] == ["nobody"]
    finally:
        server.stop()
        if folders.postgres != server.data:
            shutil.rmtree(server.data, ignore_errors=True)


def test_killed_initdb_leaves_no_half_cluster(folders):
    folders.make()
    draft = folders.postgres.with_name("pg.new")
    draft.mkdir()
    (draft / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(folders, {"fsync": "off"})
    server.prepare()
    assert (folders.postgres / "global" / "pg_control").exists()
    assert not draft.exists()


def test_lane_keeps_what_was_acknowledged_over_kill_9(nats_server, nats):
    async def publish() -> int:
        async with connected(nats) as client:
            stream = client.jetstream()
            for n in range(50):
                last = await stream.publish(lane_subject(0), b"x", headers={"Nats-Msg-Id": f"t-{n}"})
            again = await stream.publish(lane_subject(0), b"x", headers={"Nats-Msg-Id": "t-49"})
            assert again.duplicate
        return last.seq

    async def count() -> int:
        async with connected(nats) as client:
            return (await client.jetstream().stream_info("LANE_0")).state.messages

    assert asyncio.run(publish()) == 50
    os.kill(nats_server.process.pid, signal.SIGKILL)
    nats_server.process.wait()
    nats_server.start()
    assert asyncio.run(count()) == 50


def test_no_server_is_an_engine_away():
    async def attempt() -> None:
        async with connected("nats://127.0.0.1:9"):
            pass

    with pytest.raises(EngineAway):
        asyncio.run(attempt())
