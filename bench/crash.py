"""Crash: kill -9 of worker, gateway, web, NATS and PostgreSQL, in turn, 20 times under 20,000 readings/s.

A collector sends frames until each is answered, every second one reading over the red limit at a fresh site. At the end
every answered reading must be stored once (rows as they lie, before "first of equals"), and every such site have one proposal.
A kill is recovered from when the process is there again, the page answers, and all that was in the log is in the database.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request

from ._platform import FIRST, SECRET, Platform, finished, generator

VICTIMS = ("worker", "gateway", "web", "nats", "postgres")


def arguments(parser):
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--stations", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=20_000)
    parser.add_argument("--pause", type=float, default=4, help="seconds between a recovery and the next kill")


def run(args):
    probes = args.stations // 10  # one a site
    with Platform(args.stations) as p:
        seconds = args.kills * (args.pause + 3)
        load = generator("_stubborn", p.info["frame"], SECRET, args.stations, args.rate, seconds, probes)
        recovery: list[float] = []
        for turn in range(args.kills):
            time.sleep(args.pause)
            victim = VICTIMS[turn % len(VICTIMS)]
            took = kill(p, victim)
            recovery.append(took)
            print(f"{turn + 1:3} {victim:9} back after {took:.1f} s", flush=True)
        said = finished(load)
        p.worked()
        time.sleep(5)
        return result(p, args, probes, said, recovery)


def kill(p: Platform, victim: str) -> float:
    old = pids(p)[victim]
    began = time.monotonic()
    os.kill(old, signal.SIGKILL)
    while time.monotonic() - began < 120:
        time.sleep(0.05)
        try:
            if pids(p).get(victim, old) != old and answers(p):
                p.worked()
                return time.monotonic() - began
        except Exception:
            continue
    raise SystemExit(f"{victim} did not come back: see {p.folder}/logs")


def pids(p: Platform) -> dict[str, int]:
    return {name: row["pid"] for name, row in json.loads((p.folder / "run" / "pids.json").read_text()).items()}


def answers(p: Platform) -> bool:
    """Whether devices can connect and the page answers."""
    host, _, port = p.info["frame"].rpartition(":")
    socket.create_connection((host, int(port)), timeout=2).close()
    try:
        with urllib.request.urlopen(p.info["http"] + "/api/me", timeout=2) as page:
            return page.status == 200
    except urllib.error.HTTPError as error:
        return error.code in (401, 403)


def result(p: Platform, args, probes: int, said: dict, recovery: list[float]) -> dict:
    stored = p.stored()
    parts = " union all ".join(f"select station, time_ms from {t}" for t in ("reading", "reading_closed"))
    distinct = int(p.ask(f"select count(*) from (select distinct station, time_ms from ({parts}) r) d")[0][0])
    packed = int(p.ask("select coalesce(sum(rows), 0) from reading_packed")[0][0])
    lost, doubled = said["sent"] - distinct - packed, stored - distinct - packed
    fresh = range(args.stations - probes, args.stations - probes + said["probes"])
    sites = {f"site-b{n % (args.stations // 10)}" for n in fresh}
    rows = p.ask("select site_id, count(*) from issue_proposal group by 1")
    have = {site: n for site, n in rows if site in sites}
    wrong = len(sites - set(have)) + sum(n - 1 for n in have.values())
    print(f"{said['sent']} answered, {stored} stored, {said['probes']} probes, longest without an answer {said['longest_silence_s']} s")
    print(f"numbers from {FIRST}; letters: {p.ask('select code, sum(count) from collect_deadletter group by 1')}", flush=True)
    return {"acked_lost": [lost], "doubled": [doubled], "warnings_lost": [wrong], "recovery_s_max": recovery}
