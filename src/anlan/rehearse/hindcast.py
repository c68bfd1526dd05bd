"""The hindcast: the live detectors and forecasters over history, reading by reading, no database, no look-ahead.

Each record is a series of one table. Times are played in order: a tick, the readings of that time, a tick; so a detector
knows exactly what it would have known. A grade that was said is never revised.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from ..base.grade import Grade
from ..base.plugin import scan
from ..detect.contract import Detector, Rows, SeriesTable, State
from ..forecast.contract import Prediction, forecasts
from .slope_records import Record

HOUR_MS = 3_600_000
EPOCH_MS = 1_500_000_000_000  # hours of a record count from here; only differences matter
Observe = Callable[[Detector, State, int, SeriesTable, dict[int, Prediction]], None]


def play(records: list[Record], observe: Observe | None = None, with_forecasts: bool = True) -> list[dict[str, Any]]:
    """Episodes and forecasts of each record, in hours as in the file.

    One dictionary a station: ``id``, ``episodes`` (``grade``, ``start``, ``end`` or None when it stands at the record's end),
    ``forecasts`` (``at``, ``p10``, ``p50``, ``p90``). `observe` sees the slope detector's state after each tick.
    """
    found = scan("anlan.detect.detectors", Detector)  # type: ignore[type-abstract]
    table = SeriesTable.of(
        ["displacement"] * len(records),
        interval_ms=[round(r.step_h * HOUR_MS) for r in records],
        noise=[r.accuracy_m for r in records],
    )
    chain = [found["quality"], found["slope"]]
    states = [d.allocate(table) for d in chain]
    said: list[list[tuple[float, int]]] = [[] for _ in records]
    foretold: list[list[dict[str, float]]] = [[] for _ in records]
    slot = np.concatenate([np.full(len(r.time_h), i, np.int32) for i, r in enumerate(records)] or [np.empty(0, np.int32)])
    time_ms = EPOCH_MS + np.round(np.concatenate([r.time_h for r in records] or [np.empty(0)]) * HOUR_MS).astype(np.int64)
    value = np.concatenate([r.metres for r in records] or [np.empty(0)])
    order = np.lexsort((slot, time_ms))
    edges = np.flatnonzero(np.r_[True, np.diff(time_ms[order]) > 0, True]) if len(order) else np.empty(0, int)
    for a, b in pairwise(edges.tolist()):
        part = order[a:b]
        now = int(time_ms[part[0]])
        rows = Rows.of(slot[part], time_ms[part], value[part])
        findings = [d.tick(s, now, table) for d, s in zip(chain, states, strict=True)]
        findings += [d.step(s, rows, table) for d, s in zip(chain, states, strict=True)]
        findings += [d.tick(s, now, table) for d, s in zip(chain, states, strict=True)]
        for f in findings[1::2]:
            for s, t, g in zip(f.slot, f.time_ms, f.grade, strict=True):
                said[s].append(((t - EPOCH_MS) / HOUR_MS, g))
        if with_forecasts:
            made = _foretell(chain[1], states[1], table, foretold)
            if observe:
                observe(chain[1], states[1], now, table, made)
    return [{"id": r.name, "episodes": _episodes(s), "forecasts": f} for r, s, f in zip(records, said, foretold, strict=True)]


def _foretell(slope: Detector, state: State, table: SeriesTable, foretold: list[list[dict[str, float]]]) -> dict[int, Prediction]:
    """Ask the forecasters about every series that asks; note what is not silent."""
    made = {}
    for position in slope.open_slots(state).tolist():
        lookback = slope.lookback(state, position, table)
        for p in forecasts(lookback) if lookback else []:
            made[p.slot] = p
            if p.p10_ms is not None and p.p50_ms is not None and p.p90_ms is not None:
                hours = {
                    k: (v - EPOCH_MS) / HOUR_MS for k, v in (("at", p.made_ms), ("p10", p.p10_ms), ("p50", p.p50_ms), ("p90", p.p90_ms))
                }
                foretold[p.slot].append(hours)
    return made


def _episodes(said: list[tuple[float, int]]) -> list[dict[str, Any]]:
    """Spells of one grade (clear is none), in order."""
    out: list[dict[str, Any]] = []
    for hour, grade in said:
        if out and out[-1]["end"] is None:
            out[-1]["end"] = hour
        if grade:
            out.append({"grade": Grade(grade).word, "start": hour, "end": None})
    return out


def hindcast(records: list[Record], jobs: int | None = None) -> list[dict[str, Any]]:
    """`play` over many records, in as many processes as there are cores; order is kept."""
    jobs = min(jobs or os.cpu_count() or 1, max(1, len(records) // 8))
    if jobs < 2:
        return play(records)
    parts = [records[k::jobs] for k in range(jobs)]
    with ProcessPoolExecutor(jobs) as pool:
        done = list(pool.map(play, parts))
    by_name = {station["id"]: station for part in done for station in part}
    return [by_name[r.name] for r in records]
