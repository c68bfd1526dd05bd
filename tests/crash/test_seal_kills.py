"""kill -9 of the desk's seal at random moments: no reading lost, none twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time

import numpy as np
import psycopg
import pytest

from anlan.base.block import ReadingBlock
from anlan.collect import hours, store
from anlan.collect.everything import all_readings
from anlan.collect.seal import seal

pytestmark = [pytest.mark.crash, pytest.mark.stack]
HOUR = 3_600_000
NOW = 1_795_003_200_000 // HOUR * HOUR + 1_200_000
STATIONS, EACH, HOURS, KILLS = 400, 60, 5, 7
PROGRAM = (
    "import os, sys; from anlan.collect.seal import seal; print('go', flush=True); seal(os.environ['ANLAN_DATABASE_URL'], int(sys.argv[1]))"
)


def fill(url: str) -> set[tuple[int, int]]:
    """Readings of five closed hours (one in the default partition, too) and of the running one."""
    rng, wanted = np.random.default_rng(3), set()
    with psycopg.connect(url, autocommit=True) as connection:
        hours.ensure_hours(connection, NOW, back=HOURS, ahead=1)
        for back in [*range(HOURS + 1), 30]:
            start = NOW // HOUR * HOUR - back * HOUR
            station = np.repeat(np.arange(STATIONS), EACH)
            times = start + np.tile(np.arange(EACH) * 20_000, STATIONS) + station % 7
            block = ReadingBlock.of(station, np.full(len(station), 5), times, rng.normal(size=len(station)))
            with connection.transaction():
                store.copy_block(connection.cursor(), block)
            wanted |= set(zip(station.tolist(), times.tolist(), strict=True))
    return wanted


def test_killed_while_sealing(real_db):
    wanted = fill(real_db)
    chance = random.Random(5)
    seen_packed = 0
    for _ in range(KILLS):
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(NOW)], stdout=subprocess.PIPE, env={**os.environ})
        assert process.stdout and process.stdout.readline() == b"go\n"
        time.sleep(chance.uniform(0.02, 0.5))
        process.kill()
        process.wait()
        process.stdout.close()
        with psycopg.connect(real_db) as connection:
            seen_packed += connection.execute("select count(*) from reading_packed").fetchone()[0] > 0
        found = [(s, t) for (s, _), rows in all_readings(real_db, 0, 1 << 62) for t in rows.time_ms.tolist()]
        assert len(found) == len(wanted) and set(found) == wanted
    deadline = time.monotonic() + 20  # the killed one's session, and its lock, may live for a moment
    with psycopg.connect(real_db) as connection:
        while connection.execute("select count(*) from reading_default").fetchone()[0] or time.monotonic() < deadline - 19:
            assert time.monotonic() < deadline
            seal(real_db, NOW)
            connection.rollback()
            time.sleep(0.1)
    assert seen_packed, "no kill met a half-done seal"
    with psycopg.connect(real_db) as connection:
        packed, hot = connection.execute("select (select sum(rows) from reading_packed), (select count(*) from reading)").fetchone()
    assert (packed, hot) == (STATIONS * EACH * (HOURS + 1), STATIONS * EACH)
    found = [(s, t) for (s, _), rows in all_readings(real_db, 0, 1 << 62) for t in rows.time_ms.tolist()]
    assert len(found) == len(wanted) and set(found) == wanted
