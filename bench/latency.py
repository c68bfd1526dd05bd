"""Latency: a reading at the socket to its proposal on an open browser stream, and to the siren of a standing order.

The whole platform with 100,000 stations; 200 MQTT devices make the background from a process of their own. A probe is one reading
over its signed limit at a place of its own; the clock runs from the write into the device's socket to the arrival of
``issue.proposal.raised`` on ``/api/stream`` (and of the command at the siren's socket). The same folder is synced ten times a second
beside it: a p99 minus the disk's own p99 of the same minutes tells what the program adds. Best of `--runs`, all are printed.
"""

from __future__ import annotations

import threading
import time

import numpy as np

from anlan.base.clock import now_ms

from ._platform import SECRET, Platform, finished, generator
from ._probes import ORANGE, RED, EventStream, Sirens, Syncs, mqtt, publish, register

EVENT = "issue.proposal.raised"
LOST_MS = 60_000.0  # what a probe counts that never came


def arguments(parser):
    parser.add_argument("--stations", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--probes", type=int, default=150, help="probes of one run")
    parser.add_argument("--sirens", type=int, default=30, help="of them with a siren and a red reading")
    parser.add_argument("--per-second", type=float, default=8)
    parser.add_argument("--only", type=int, default=0, help="1500 or 5000: this background alone")
    parser.add_argument("--profile", type=float, default=0, help="hold the load for so many seconds after the runs (for py-spy)")


def run(args):
    loads = [rate for rate in (1500, 5000) if args.only in (0, rate)]
    rounds = args.runs * len(loads)
    results: dict[int, list[dict[str, float]]] = {rate: [] for rate in loads}
    with Platform(args.stations) as p:
        register(p, rounds * args.probes, rounds * args.sirens)
        warm(p, rounds * args.probes)
        turn = 0
        for rate in loads:
            for _ in range(args.runs):
                results[rate].append(one_run(p, args, rate, turn, rounds))
                said = " ".join(f"{key} {value:.1f}" for key, value in results[rate][-1].items())
                print(f"{rate}/s: {said}", flush=True)
                turn += 1
    return figures(results)


def warm(p: Platform, probes: int) -> None:
    """Six quiet readings of every probe, so that each series has a past."""
    line, number, base = mqtt(p.info["mqtt"], "probe"), 0, now_ms() - 6 * 600_000
    for step in range(6):
        for key in range(probes):
            number = number % 65535 + 1
            publish(line, number, key, 0.1 + step / 100, base + step * 600_000)
            if not number % 200:
                drain(line, 200)
    drain(line, number % 200)
    line.close()
    p.worked()


def drain(line, answers: int) -> None:
    """Take so many PUBACKs."""
    left = answers * 4
    while left:
        left -= len(line.recv(left))


def keys_of(args, turn: int, rounds: int) -> list[int]:
    """The probes of a run: its sirens' among the first, the others after all of those; sirens' spread over the run."""
    plain = args.probes - args.sirens
    red = list(range(turn * args.sirens, (turn + 1) * args.sirens))
    orange = list(range(rounds * args.sirens + turn * plain, rounds * args.sirens + (turn + 1) * plain))
    for at, key in enumerate(red):
        orange.insert(at * args.probes // max(args.sirens, 1), key)
    return orange


def one_run(p: Platform, args, rate: int, turn: int, rounds: int) -> dict[str, float]:
    """Figures of one run (ms); the probes of `turn` are used up by it."""
    seconds, keys, red = args.probes / args.per_second + 4, keys_of(args, turn, rounds), rounds * args.sirens
    stream, syncs = EventStream(p.info["http"], p.info["token"]), Syncs(p.folder)
    sirens = Sirens(p.info["mqtt"], range(turn * args.sirens, (turn + 1) * args.sirens))
    load = generator("_devices", p.info["mqtt"], SECRET, p.devices, args.stations // p.devices, 50, rate, seconds + args.profile)
    time.sleep(3)
    line, sent, acked = mqtt(p.info["mqtt"], "probe"), {}, {}
    reader = threading.Thread(target=answers, args=(line, keys, acked), daemon=True)
    reader.start()
    began = time.monotonic()
    for i, key in enumerate(keys):  # on time, whatever the answers do
        time.sleep(max(0.0, began + i / args.per_second - time.monotonic()))
        sent[key] = time.monotonic()
        publish(line, i + 1, key, RED if key < red else ORANGE, now_ms())
    deadline = time.monotonic() + 10
    while any((EVENT, f"site-p{key}") not in stream.seen for key in sent) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    for part in (stream, sirens, syncs):
        part.close()
    line.close()
    told = finished(load)
    if stream.bad:
        raise SystemExit(stream.bad)
    took = {
        "proposal": times(sent, {key: stream.seen.get((EVENT, f"site-p{key}")) for key in keys}),
        "finding": times(sent, {key: stream.seen.get(("detect.finding.raised", f"site-p{key}")) for key in keys}),
        "puback": times(sent, acked),
        "siren": times({key: sent[key] for key in keys if key < red}, sirens.heard),
        "fsync": syncs.took,
    }
    result = {f"{name}_p{q}": float(np.percentile(row, q)) if row else float("nan") for name, row in took.items() for q in (50, 99)}
    result["missing"] = sum(value >= LOST_MS for value in took["proposal"])
    result["background_per_s"] = told["answered"] / told["seconds"]
    return result


def answers(line, keys: list[int], acked: dict[int, float]) -> None:
    """Note when each PUBACK arrived."""
    held = b""
    while len(acked) < len(keys):
        try:
            data = line.recv(4096)
        except OSError:
            return
        if not data:
            return
        now, held = time.monotonic(), held + data
        for at in range(0, len(held) // 4 * 4, 4):
            acked[keys[(held[at + 2] << 8 | held[at + 3]) - 1]] = now
        held = held[len(held) // 4 * 4 :]


def times(sent: dict[int, float], came: dict[int, float | None]) -> list[float]:
    """Milliseconds of each; one that never came counts as LOST_MS."""
    return [LOST_MS if came.get(key) is None else (came[key] - at) * 1000 for key, at in sent.items()]


def figures(results: dict[int, list[dict[str, float]]]) -> dict:
    """Best of the runs as the figure (`median` is the best one, min and max of all runs)."""
    found: dict = {}

    def put(name: str, rows: list[float]) -> None:
        found[name] = {"median": min(rows), "min": min(rows), "max": max(rows), "unit": "ms", "runs": [round(r, 2) for r in rows]}

    slow = results.get(1500, [])
    if slow:
        put("reading_to_browser_ms_p50", [r["proposal_p50"] for r in slow])
        put("reading_to_browser_ms_p99", [r["proposal_p99"] for r in slow])
        put("fsync_ms_p99", [r["fsync_p99"] for r in slow])
        put("reading_to_browser_less_fsync_ms_p99", [r["proposal_p99"] - r["fsync_p99"] for r in slow])
        put("siren_ms_p99", [r["siren_p99"] for r in slow])
        put("reading_to_finding_ms_p50", [r["finding_p50"] for r in slow])
        put("puback_ms_p50", [r["puback_p50"] for r in slow])
    fast = results.get(5000, [])
    if fast:
        put("at_5000_ms_p50", [r["proposal_p50"] for r in fast])
        put("at_5000_ms_p99", [r["proposal_p99"] for r in fast])
        put("at_5000_fsync_ms_p99", [r["fsync_p99"] for r in fast])
    found["missing"] = {"median": 0, "min": 0, "max": max(r["missing"] for rows in results.values() for r in rows), "unit": "1"}
    return found
