"""Crash: kill -9 of worker, gateway, web, log and database in turn under load; what was acknowledged is stored once.

20,000 readings/s in frames that are repeated until they are answered, and one MQTT QoS 1 probe every quarter of a second: a reading
over its signed limit at a place of its own, repeated until its PUBACK, which must make exactly one proposal. A kill is over
(`recovery_s`) when the web answers again and a probe published after the kill is an open proposal. At the end every answered (station,
time) is compared with the table of readings. The `max` of the figures counts.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request

import numpy as np
import psutil
import psycopg

from anlan.base.clock import now_ms

from ._kept import ROW
from ._platform import SECRET, Platform, generator
from ._probes import ORANGE, PROBE, mqtt, publish, register

TARGETS = ("worker", "gateway", "web", "nats", "postgres")
EVERY_S, LONGEST_S = 0.25, 60.0


def arguments(parser):
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rate", type=float, default=20_000)
    parser.add_argument("--stations", type=int, default=20_000)
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between a recovery and the next kill")


def run(args):
    with Platform(args.stations) as p:
        register(p, 4000)
        path = p.folder / "answered.bin"
        load = generator("_kept", p.info["frame"], SECRET, args.stations, args.rate, path, stdin=subprocess.PIPE)
        probes = Probes(p.info["mqtt"])
        time.sleep(3)
        took: list[float] = []
        for i in range(args.kills):
            took.append(one_kill(p, TARGETS[i % len(TARGETS)], probes))
            print(f"kill {i + 1}: {TARGETS[i % len(TARGETS)]}: back after {took[-1]:.2f} s", flush=True)
            time.sleep(args.pause)
        probes.close()
        said, _ = load.communicate("")
        print(said.strip(), flush=True)
        p.worked()
        lost, doubled, rows = compare(p, np.fromfile(path, ROW), probes.acked)
        wrong = warnings(p, probes.acked)
        print(f"{rows} acknowledged readings, {len(probes.acked)} probes, {probes.reconnects} reconnects of theirs", flush=True)
    return {
        "acked_lost": [lost],
        "doubled": [doubled],
        "warnings_lost": [wrong],
        "recovery_s_max": took,
        "acked_readings": [rows],
        "kills": [len(took)],
    }


class Probes(threading.Thread):
    """A device that reports one probe after another, each until it is acknowledged; `acked[i]` = (monotonic s sent, ms of the reading)."""

    def __init__(self, address: str):
        super().__init__(daemon=True)
        self.address, self.over = address, False
        self.acked: dict[int, tuple[float, int]] = {}
        self.pending: tuple[float, int] | None = None
        self.reconnects = 0
        self.start()

    def run(self) -> None:
        key = 0
        while not self.over:
            try:
                with mqtt(self.address, "probe", timeout=3.0) as line:
                    while not self.over:
                        key = self.one(line, key)
            except OSError:
                self.reconnects += 1
                time.sleep(0.1)

    def one(self, line: socket.socket, key: int) -> int:
        """Publish probe `key` and wait for its PUBACK; the next key. A repeat has the same time, so that it is the same reading."""
        self.pending = self.pending or (time.monotonic(), now_ms())
        publish(line, key % 65535 + 1, key, ORANGE, self.pending[1])
        got = b""
        while len(got) < 4:
            data = line.recv(4 - len(got))
            if not data:
                raise OSError("closed")
            got += data
        self.acked[key], self.pending = self.pending, None
        time.sleep(EVERY_S)
        return key + 1

    def close(self) -> None:
        self.over = True
        self.join(15)


def one_kill(p: Platform, name: str, probes: Probes) -> float:
    """Kill -9 the process; seconds until the chain works again."""
    pid = json.loads((p.folder / "run" / "pids.json").read_text())[name]["pid"]
    at = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    while lives(pid):  # on a busy machine it works on for some milliseconds
        time.sleep(0.002)
    dead = time.monotonic()
    while time.monotonic() - at < LONGEST_S:
        if answers(p) and proposed(p, [key for key, (sent, _) in list(probes.acked.items()) if sent > dead]):
            return time.monotonic() - at
        time.sleep(0.05)
    raise SystemExit(f"not back {LONGEST_S} s after the kill of {name}: see {p.folder}/logs")


def lives(pid: int) -> bool:
    """Whether the process still runs."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def answers(p: Platform) -> bool:
    """Whether the web process answers a signed-in request."""
    request = urllib.request.Request(f"{p.info['http']}/api/me", headers={"Authorization": f"Bearer {p.info['token']}"})
    try:
        with urllib.request.urlopen(request, timeout=3) as reply:
            return reply.status == 200
    except OSError:
        return False


def proposed(p: Platform, keys: list[int]) -> bool:
    """Whether one of these probes is an open proposal."""
    sites = [f"site-p{key}" for key in keys]
    try:
        return bool(sites) and bool(p.ask("select 1 from issue_proposal where site_id = any(%s) limit 1", sites))
    except psycopg.OperationalError:
        return False


def compare(p: Platform, framed: np.ndarray, acked: dict[int, tuple[float, int]]) -> tuple[int, int, int]:
    """Acknowledged but not stored; stored twice; acknowledged."""
    probes = np.array([(PROBE + key, ms) for key, (_, ms) in acked.items()], ROW)
    answered = np.unique(np.concatenate([framed, probes]))
    stored = np.concatenate([rows(p, "reading"), rows(p, "reading_closed")])
    unique = np.unique(stored)
    lost = len(answered) - int(np.isin(key_of(answered), key_of(unique)).sum())
    return lost, len(stored) - len(unique), len(answered)


def key_of(rows_: np.ndarray) -> np.ndarray:
    """Station and time as one number: times lie within 2**32 ms of each other."""
    return rows_["station"].astype(np.int64) << 32 | (rows_["ms"] & 0xFFFFFFFF)


def rows(p: Platform, table: str) -> np.ndarray:
    """(station, time) of every stored row, by binary COPY: 2 bytes of count, then length and value of each."""
    with (
        psycopg.connect(p.url) as connection,
        connection.cursor().copy(f"copy (select station::int4, time_ms::int8 from {table}) to stdout (format binary)") as copy,
    ):
        data = b"".join(bytes(part) for part in copy)
    wire = np.dtype([("n", ">i2"), ("l1", ">i4"), ("station", ">i4"), ("l2", ">i4"), ("ms", ">i8")])
    found = np.frombuffer(data, wire, (len(data) - 21) // wire.itemsize, 19)
    out = np.empty(len(found), ROW)
    out["station"], out["ms"] = found["station"], found["ms"]
    return out


def warnings(p: Platform, acked: dict[int, tuple[float, int]]) -> int:
    """Acknowledged probes that do not have exactly one finding, one proposal and one event of it."""
    sites = [f"site-p{key}" for key in acked]

    def counts(sql: str) -> dict[str, int]:
        return dict(p.ask(sql, sites))

    def wrong() -> list[str]:
        proposals = counts("select site_id, count(*) from issue_proposal where site_id = any(%s) group by 1")
        findings = counts("select site_id, count(*) from detect_finding where site_id = any(%s) and grade = 3 group by 1")
        events = counts(
            "select payload->>'site', count(*) from engines_outbox where type = 'issue.proposal.raised' and payload->>'site' = any(%s) "
            "group by 1"
        )
        return [s for s in sites if (proposals.get(s), findings.get(s), events.get(s)) != (1, 1, 1)]

    deadline = time.monotonic() + 20
    while wrong() and time.monotonic() < deadline:
        time.sleep(0.5)
    return len(wrong())
