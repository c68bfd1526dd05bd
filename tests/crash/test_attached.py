"""The platform on engines that somebody else runs: up, readings, kill -9 of both, backup, restore into an empty database."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time

import psycopg
import pytest
from crash.ops import Sender, stored_times, until

from anlan.engines.folders import Folders
from anlan.engines.nats import binary
from anlan.engines.postgres import EmbeddedPostgres

pytestmark = [pytest.mark.crash, pytest.mark.stack]


def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Foreign:
    """A PostgreSQL on TCP and a NATS with a token, started here as anybody would."""

    def __init__(self, folder):
        self.folder, self.pg_port, self.nats_port = folder, port(), port()
        options = {"listen_addresses": "127.0.0.1", "port": str(self.pg_port)}
        self.postgres = EmbeddedPostgres(Folders(folder / "pg"), options)
        self.postgres.url = self.url  # it listens on another port than ours do
        self.nats: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "anlan") -> str:
        return f"postgresql://anlan@127.0.0.1:{self.pg_port}/{database}"

    @property
    def log(self) -> str:
        return f"nats://secret-token@127.0.0.1:{self.nats_port}"

    def start_nats(self) -> None:
        options = ["-js", "-sd", str(self.folder / "js"), "-a", "127.0.0.1", "-p", str(self.nats_port), "--auth", "secret-token"]
        self.nats = subprocess.Popen([binary(), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill_nats(self) -> None:
        self.nats.kill()
        self.nats.wait()

    def kill_postgres(self) -> None:
        for process in self.postgres.servers():
            process.kill()
        self.postgres.process.wait()

    def stop(self) -> None:
        if self.nats:
            self.nats.send_signal(signal.SIGTERM)
            self.nats.wait(20)
        self.postgres.stop()


@pytest.fixture
def foreign(tmp_path):
    made = Foreign(tmp_path / "foreign")
    made.postgres.start()
    made.start_nats()
    yield made
    made.stop()


@pytest.mark.nightly
def test_on_engines_of_others(stack, foreign, tmp_path):
    given = {"ANLAN_DATABASE_URL": foreign.url(), "ANLAN_NATS_URL": foreign.log}
    one = stack(2, **given)
    info = one.start()
    assert not {"postgres", "nats"} & set(info["pids"])
    sender = Sender(info)
    times = iter(range(int(time.time() * 1000) - 100_000, 1 << 62))
    assert until(lambda: sender.send(next(times)) == 200)
    foreign.kill_nats()
    assert sender.send(next(times), timeout=1) == 0, "nothing is answered while the log is away"
    foreign.start_nats()
    assert until(lambda: sender.send(next(times)) == 200, 30)
    foreign.kill_postgres()
    assert sender.send(next(times)) == 200, "the log takes readings while the database is away"
    foreign.postgres.start()
    code = sender.device["station"]
    assert until(lambda: set(stored_times(foreign.url(), code)) >= set(sender.acked), 40), "answered and lost"
    rows = stored_times(foreign.url(), code)
    assert len(rows) == len(set(rows))

    archive = tmp_path / "b.tar"
    done = one.anlan("backup", str(archive))
    assert done.returncode == 0, done.stderr
    refused = one.anlan("restore", str(archive))
    assert refused.returncode == 1 and "already holds data" in refused.stderr and "已有数据" in refused.stderr
    assert one.stop() == 0
    assert foreign.nats.poll() is None and foreign.postgres.alive, "engines of others are left alone"

    with psycopg.connect(foreign.url("postgres"), autocommit=True) as admin:
        admin.execute("create database again")
    two = stack(2, **{**given, "ANLAN_DATABASE_URL": foreign.url("again")})
    refused = two.anlan("restore", str(archive))
    assert refused.returncode == 1 and "LANE_0" in refused.stderr, "the log may be a living one's"
    foreign.kill_nats()
    shutil.rmtree(foreign.folder / "js")
    foreign.start_nats()
    done = two.anlan("restore", str(archive))
    assert done.returncode == 0, done.stderr
    assert set(stored_times(foreign.url("again"), code)) >= set(sender.acked)
