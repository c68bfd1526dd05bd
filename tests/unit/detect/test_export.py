"""`anlan export` and `anlan show` on a folder that nobody runs, and beside a running database."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from anlan.base.block import ReadingBlock
from anlan.collect import store

from .test_worker import register

pytestmark = pytest.mark.stack


def anlan(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k not in ("ANLAN_DATABASE_URL", "ANLAN_NATS_URL")} | environment
    return subprocess.run([sys.executable, "-m", "anlan", *arguments], env=env, capture_output=True, text=True, timeout=60)


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_beside_a_running_database(real_db):
    register(real_db, 2)
    with psycopg.connect(real_db) as connection:
        block = ReadingBlock.of([1000, 1000, 1001], [5, 5, 5], [5000, 5000, 9000], [1.5, 2.5, float("nan")], [0, 0, 3])
        store.copy_block(connection.cursor(), block)
        station = connection.execute("select id, site_id from register_station where number = 1000").fetchone()
        connection.execute(
            "insert into detect_finding (id, division_code, created_at, updated_at, cause, station_id, site_id, quantity, detector, "
            "hazard, grade, score, at, evidence, zh, en) values ('find-X', '', now(), now(), '{read-1000.5.5000}', %s, %s, "
            "'water_level', 'threshold', 'flood', 3, 1, now(), '{}', '水位', 'level')",
            station,
        )
    here = {"ANLAN_DATABASE_URL": real_db}
    out = anlan("export", "readings", "--since", "1970-01-01T00:00:00Z", "--ndjson", **here)
    assert lines(out.stdout) == [
        {"station": "K0", "quantity": "water_level", "time_ms": 5000, "value": 1.5, "quality": 0},
        {"station": "K1", "quantity": "water_level", "time_ms": 9000, "value": None, "quality": 3},
    ]
    assert len(lines(anlan("export", "readings", "--since", "1970-01-01T00:00:06", **here).stdout)) == 1
    assert anlan("export", "warnings", **here).stdout == "" and anlan("export", "notices", **here).returncode == 0
    shown = anlan("show", "find-X", "--json", **here)
    assert shown.returncode == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert found["cause"] == ["read-1000.5.5000"] and found["kind"] == "find" and found["grade"] == 3
    reading = json.loads(anlan("show", "read-1000.5.5000", "--json", **here).stdout)
    assert reading["station"] == "K0" and reading["value"] == 1.5 and reading["unit"] == "m" and reading["cause"] == []
    nothing = anlan("show", "find-none", **here)
    assert nothing.returncode == 1 and "find-none" in nothing.stderr
    wrong = anlan("export", "readings", "--since", "yesterday", **here)
    assert wrong.returncode == 1 and "since" in wrong.stderr and "ISO 8601" in wrong.stderr


def test_on_a_folder_that_nobody_runs(engine_folder):
    from anlan.engines.folders import Folders
    from anlan.engines.postgres import EmbeddedPostgres

    folder = Path(tempfile.mkdtemp(prefix="anlan-export-"))
    try:
        assert "--data" in anlan("export", "readings", "--data", str(folder / "empty")).stderr
        server = EmbeddedPostgres(Folders(folder))
        server.start()
        assert anlan("migrate", "--database", server.url()).returncode == 0
        with psycopg.connect(server.url()) as connection:
            store.copy_block(connection.cursor(), ReadingBlock.of([7], [5], [1], [2.0]))
        server.stop()
        out = anlan("export", "readings", "--data", str(folder), "--ndjson")
        assert lines(out.stdout) == [{"station": "7", "quantity": "water_level", "time_ms": 1, "value": 2.0, "quality": 0}], out.stderr
        assert not server.servers()
    finally:
        shutil.rmtree(Folders(folder).sockets, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
