"""kill -9 of worker and database under load: what the log took is stored once, findings are those of an unbroken run."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
import pytest

from anlan.base.block import ReadingBlock
from anlan.base.clock import now_ms
from anlan.detect import config
from anlan.detect.arrays import empty_table
from anlan.detect.puller import Puller
from anlan.detect.stage import Stage, detectors
from anlan.engines.folders import Folders
from anlan.engines.nats import EmbeddedNats, connected, lane_subject
from anlan.engines.postgres import EmbeddedPostgres

SECONDS, STATIONS, FRAMES_A_SECOND, ROWS = 20, 2000, 40, 500
REGISTER = """
select set_config('anlan.actor', 'system:test', false);
insert into register_site (id, division_code, created_at, updated_at, cause, code, name, name_en, kind, lon, lat, partition, key_target,
  attributes) select 'site-' || i, '440303', now(), now(), '{}', 's' || i, 's', '', 'slope', 114, 22, i % 16, false, '{}'
  from generate_series(0, 199) i;
insert into register_station (id, division_code, created_at, updated_at, cause, code, number, name, name_en, kind, site_id, lon, lat,
  interval_s, enabled, live) select 'station-' || i, '440303', now(), now(), '{}', 'k' || i, i, 's', '', 'gauge', 'site-' || i % 200,
  114, 22, 1, true, false from generate_series(0, 1999) i;
insert into register_series (station_id, quantity) select id, 5 from register_station;
insert into register_person (id, division_code, created_at, updated_at, cause, name, phone, email, on_leave)
  values ('person-1', '', now(), now(), '{}', 'p', '', '', false);
insert into register_threshold (id, division_code, created_at, updated_at, cause, quantity, station_kind, mode, window_s, blue, yellow,
  orange, red, hysteresis, persistence_s, persistence_n, source, version, valid_from, signed_by_id) values ('threshold-1', '', now(), now(),
  '{}', 'water_level', 'gauge', 'above', 0, 10, 20, 30, 40, 0.05, 0, 1, 't', 1, '2020-01-01', 'person-1');
"""


class Rig:
    """Engines and one worker process on a folder of their own."""

    def __init__(self, folder: Path):
        self.folders = Folders(folder)
        self.postgres, self.nats = EmbeddedPostgres(self.folders), EmbeddedNats(self.folders)
        self.url = self.postgres.url("anlan")
        self.worker: subprocess.Popen[bytes] | None = None
        self.ready = folder / "worker.ready"
        self.hand = ThreadPoolExecutor(1)  # engines end with the thread that started them: keep it

    def start(self) -> None:
        self.folders.make()
        self.postgres.start()
        self.nats.start()
        self.env = {**os.environ, "ANLAN_DATA": str(self.folders.data), "ANLAN_DATABASE_URL": self.url, "ANLAN_NATS_URL": self.nats.url,
                    "ANLAN_READY_FILE": str(self.ready)}  # fmt: skip
        subprocess.run([sys.executable, "-m", "anlan", "migrate"], env=self.env, check=True, stdout=subprocess.DEVNULL)

    def work(self) -> None:
        with (self.folders.logs / "worker.log").open("ab") as log:
            self.worker = subprocess.Popen([sys.executable, "-m", "anlan", "worker"], env=self.env, stdout=log, stderr=log)

    def kill_worker(self) -> None:
        self.worker.send_signal(signal.SIGKILL)
        self.worker.wait()

    def kill_postgres(self) -> None:
        for process in self.postgres.servers():
            process.kill()
        self.postgres.process.wait()
        self.postgres.start()

    def stop(self) -> None:
        if self.worker and self.worker.poll() is None:
            self.worker.terminate()
            self.worker.wait(20)
        self.nats.stop()
        self.postgres.stop()
        self.hand.shutdown()
        shutil.rmtree(self.folders.sockets, ignore_errors=True)

    def ask(self, sql: str):
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def rig():
    folder = Path(tempfile.mkdtemp(prefix="anlan-crash-"))
    rig = Rig(folder)
    try:
        rig.start()
        yield rig
    finally:
        rig.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def load(rig: Rig, seconds: float) -> int:
    """20,000 readings a second to both lanes, ticks between; returns how many the log acknowledged."""
    rng, sent, count = np.random.default_rng(7), 0, 0
    base, began = now_ms(), time.monotonic()
    async with connected(rig.nats.url) as client:
        stream = client.jetstream(timeout=10)
        with psycopg.connect(rig.url) as connection:
            changed = config.store_changed(connection, config.compile_lanes(connection, 2, datetime.now(UTC)))
        for lane, version in changed:
            await stream.publish(lane_subject(lane), config.control("config", version=version))
        mine = [[s for s in range(STATIONS) if s % 200 % 16 % 2 == lane] for lane in (0, 1)]
        while time.monotonic() - began < seconds:
            lane = count % 2
            station = rng.choice(mine[lane], ROWS)
            times = base + np.full(ROWS, count * 1000 // FRAMES_A_SECOND * 10) + rng.integers(-3000, 0, ROWS) * (rng.random(ROWS) < 0.05)
            value = rng.normal(5, 1, ROWS) + 40 * (rng.random(ROWS) < 0.0005)
            block = ReadingBlock.of(station, np.full(ROWS, 5), times, value)
            await stream.publish(lane_subject(lane), block.to_bytes(), headers={"Nats-Msg-Id": f"c{count}"})
            sent, count = sent + ROWS, count + 1
            if count % 20 == 0:
                for of in (0, 1):
                    await stream.publish(lane_subject(of), config.control("tick", now_ms=int(times.max())))
            await asyncio.sleep(max(0.0, began + count / FRAMES_A_SECOND - time.monotonic()))
    return sent


async def killer(rig: Rig) -> None:
    for kill in (rig.kill_worker, rig.kill_postgres, rig.kill_worker, rig.kill_postgres):
        await asyncio.sleep(SECONDS / 5)
        await asyncio.get_running_loop().run_in_executor(rig.hand, kill)
        if rig.worker.poll() is not None:
            rig.work()


async def whole_log(rig: Rig, lane: int) -> list[bytes]:
    async with connected(rig.nats.url) as client:
        puller, out = Puller(client, lane, 1), []
        await puller.open()
        while taken := await puller.take(1.0):
            out += [data for _, data in taken]
        await puller.close()
        return out


def offline(rig: Rig) -> tuple[set[tuple], set[tuple]]:
    """What one uninterrupted run over the log gives: stored (station, time), findings."""
    rows, found = set(), set()
    for lane in (0, 1):
        stage = Stage(empty_table(), detectors())
        for data in asyncio.run(whole_log(rig, lane)):
            if data[:8] == config.CONTROL:
                message = json.loads(data[8:])
                if message["kind"] == "config":
                    with psycopg.connect(rig.url) as connection:
                        stage.configure(config.load(connection, lane, message["version"]))
                    continue
                outcome = stage.tick(message["now_ms"])
            else:
                outcome = stage.step(ReadingBlock.from_bytes(data))
            rows |= set(zip(outcome.store.station.tolist(), outcome.store.time_ms.tolist(), strict=True))
            found |= {(r.station, r.detector, r.kind, r.time_ms, r.grade, r.previous) for r in outcome.raised}
    return rows, found


@pytest.mark.crash
def test_kills_under_load_lose_and_double_nothing(rig):
    with psycopg.connect(rig.url) as connection:
        connection.execute(REGISTER)
    rig.work()
    deadline = time.monotonic() + 90  # a first start compiles the kernels
    while not rig.ready.exists():
        assert time.monotonic() < deadline and rig.worker.poll() is None
        time.sleep(0.1)

    async def play() -> int:
        sent, _ = await asyncio.gather(load(rig, SECONDS), killer(rig))
        return sent

    sent = asyncio.run(play())
    assert sent > SECONDS * FRAMES_A_SECOND * ROWS * 0.5
    rows, found = offline(rig)
    deadline = time.monotonic() + 20
    while rig.ask("select count(*) from (select distinct station, time_ms from reading) r")[0][0] < len(rows):
        assert time.monotonic() < deadline, "readings are missing"
        time.sleep(0.2)
    last = {lane: len(asyncio.run(whole_log(rig, lane))) for lane in (0, 1)}
    while dict(rig.ask("select lane, seq from collect_lanecursor")) != last:
        assert time.monotonic() < deadline, "the cursor is not at the end"
        time.sleep(0.2)
    stored = rig.ask("select station, time_ms, count(*) from reading group by 1, 2")
    assert {(s, t) for s, t, _ in stored} == rows
    numbers = "(evidence->>'kind')::int8, at, grade, (evidence->>'previous')::int"
    sql = f"select substr(station_id, 9)::int, detector, {numbers} from detect_finding"
    kept = {(s, d, k, round(at.timestamp() * 1000), g, p) for s, d, k, at, g, p in rig.ask(sql)}
    assert kept == found and len(found) > 50
    assert rig.ask("select count(*) from engines_outbox where type like 'detect.%'")[0][0] == len(found)
    assert rig.ask("select count(*) from collect_deadletter")[0][0] == 0
