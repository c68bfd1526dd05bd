"""A whole platform on a temporary folder for a measurement: started by `anlan up`, loaded by SQL, measured, removed."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import psycopg

from anlan.engines.folders import Folders
from anlan.engines.nats import connected, lane_stream
from anlan.engines.postgres import EmbeddedPostgres
from anlan.register.credentials import hash_secret

SECRET = "bench-secret-of-this-run"
SQL = """
select set_config('anlan.actor', 'system:bench', false);
insert into register_site (id, division_code, created_at, updated_at, cause, code, name, name_en, kind, lon, lat, partition, key_target,
  attributes) select 'site-b' || i, '440303', now(), now(), '{{}}', 'b' || i, 'b', '', 'slope', 114, 22, i %% 16, false, '{{}}'
  from generate_series(0, {sites} - 1) i;
insert into register_station (id, division_code, created_at, updated_at, cause, code, number, name, name_en, kind, site_id, lon, lat,
  interval_s, enabled, live) select 'station-b' || i, '440303', now(), now(), '{{}}', 'b' || i, {first} + i, 'b', '', 'bench',
  'site-b' || i %% {sites}, 114, 22, 60, true, true from generate_series(0, {stations} - 1) i;
insert into register_series (station_id, quantity) select id, 5 from register_station where kind = 'bench';
insert into register_person (id, division_code, created_at, updated_at, cause, name, phone, email, on_leave)
  values ('person-bench', '', now(), now(), '{{}}', 'p', '', '', false);
insert into register_threshold (id, division_code, created_at, updated_at, cause, quantity, station_kind, mode, window_s, blue, yellow,
  orange, red, hysteresis, persistence_s, persistence_n, source, version, valid_from, signed_by_id) values ('threshold-bench', '', now(),
  now(), '{{}}', 'water_level', 'bench', 'above', 0, 1000, 2000, 3000, 4000, 0.05, 0, 1, 'bench', 1, '2020-01-01', 'person-bench');
insert into register_device (id, division_code, created_at, updated_at, cause, client_id, username, secret_hash, kind, protocol, name,
  enabled) values ('device-collector', '', now(), now(), '{{}}', 'collector', 'collector', '{secret}', 'collector', 'frame', '', true);
insert into register_device (id, division_code, created_at, updated_at, cause, client_id, username, secret_hash, kind, protocol, name,
  enabled) select 'device-b' || d, '440303', now(), now(), '{{}}', 'b' || d, 'b' || d, '{secret}', 'sensor', 'mqtt', '', true
  from generate_series(0, {devices} - 1) d;
insert into register_deviceseries (device_id, key, series_id, unit) select 'device-b' || (st.number - {first}) %% {devices},
  'k' || (st.number - {first}) / {devices}, se.id, '' from register_series se join register_station st on st.id = se.station_id
  where st.kind = 'bench';
"""
FIRST = 1_000_000


class Platform:
    """`with Platform(stations=…) as p:` - p.info as `anlan up --json` prints it, p.url the database."""

    def __init__(self, stations: int = 0, devices: int = 200, **settings: str):
        self.stations, self.devices = stations, devices
        self.folder = Path(tempfile.mkdtemp(prefix="anlan-bench-"))
        clean = {k: v for k, v in os.environ.items() if k not in ("ANLAN_DATABASE_URL", "ANLAN_NATS_URL", "ANLAN_DATA", "ANLAN_STORY")}
        self.env = {**clean, **{f"ANLAN_{name}": value for name, value in settings.items()}}
        self.url = EmbeddedPostgres(Folders(self.folder)).url()

    def __enter__(self) -> Platform:
        command = [sys.executable, "-m", "anlan", "up", "--data", str(self.folder), "--json"]
        self.process = subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            for line in self.process.stdout:
                if line.startswith("{"):
                    self.info = json.loads(line)
                    break
            else:
                raise SystemExit(f"the platform did not start: see {self.folder}/logs")
            if self.stations:
                self.register()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def register(self) -> None:
        """Bench stations and devices by SQL, then wait until the lanes work with them."""
        text = SQL.format(
            sites=max(self.stations // 10, 16), stations=self.stations, first=FIRST, devices=self.devices, secret=hash_secret(SECRET)
        )
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in text.replace("%%", "%").split(";\n"):
                if statement.strip():
                    connection.execute(statement)
        self.until(lambda: sum(n for n in self.series().values()) >= self.stations, 60)
        time.sleep(3)  # the gateway's directory follows the register

    def series(self) -> dict[int, int]:
        """Series that each lane has taken (as its newest snapshots say)."""
        from anlan.detect.arrays import table_from

        rows = self.ask(
            "select lane, data from detect_laneconfig c where version = (select max(config_version) from detect_snapshot s "
            "where s.lane = c.lane)"
        )
        return {lane: len(table_from(bytes(data))) for lane, data in rows}

    def ask(self, sql: str, *values: object) -> list:
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql, values or None).fetchall()

    def until(self, true, seconds: float) -> float:
        """Seconds until `true()`; SystemExit when it takes longer."""
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > seconds:
                raise SystemExit("waited too long for the platform")
            time.sleep(0.05)
        return time.monotonic() - began

    def stored(self) -> int:
        """Readings in the database: hot, closed, packed."""
        parts = ("count(*) from reading", "count(*) from reading_closed", "coalesce(sum(rows), 0) from reading_packed")
        return sum(int(self.ask(f"select {part}")[0][0]) for part in parts)

    def log_end(self) -> dict[int, int]:
        """Last message of each lane's log."""
        url = f"nats://anlan:{(self.folder / 'nats' / 'password').read_text()}@127.0.0.1:{self.nats_port()}"

        async def read() -> dict[int, int]:
            async with connected(url) as client:
                return {lane: (await client.jetstream().stream_info(lane_stream(lane))).state.last_seq for lane in (0, 1)}

        return asyncio.run(read())

    def nats_port(self) -> int:
        return int(json.loads((self.folder / "ports.json").read_text())["NATS"])

    def worked(self) -> float:
        """Wait until all that is in the log now is in the database; seconds."""
        end = self.log_end()

        def reached() -> bool:
            return all(seq >= end[lane] for lane, seq in self.ask("select lane, seq from collect_lanecursor"))

        return self.until(reached, 300)

    def processes(self) -> list[psutil.Process]:
        return [self.process_info(), *self.process_info().children(recursive=True)]

    def process_info(self) -> psutil.Process:
        return psutil.Process(self.process.pid)

    def cpu_s(self) -> float:
        """CPU seconds that all processes of the platform have used (of those that live)."""
        total = 0.0
        for process in self.processes():
            try:
                times = process.cpu_times()
                total += times.user + times.system
            except psutil.Error:
                continue
        return total

    def pss_mb(self) -> float:
        total = 0.0
        for process in self.processes():
            try:
                total += process.memory_full_info().pss / 2**20
            except psutil.Error:
                continue
        return total


def generator(name: str, *arguments: object, stdin: int | None = None) -> subprocess.Popen:
    """A load generator in a process of its own; its last line is JSON."""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", f"bench.{name}", *map(str, arguments)]
    process = subprocess.Popen(command, cwd=root, stdin=stdin, stdout=subprocess.PIPE, text=True)
    atexit.register(process.kill)  # a measurement that fails leaves no load behind
    return process


def finished(process: subprocess.Popen) -> dict:
    """What a generator said at its end."""
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"the generator failed ({process.returncode})")
    return json.loads(out.strip().splitlines()[-1])
