"""Recorded nights instead of invented ones: used when ``ANLAN_SHARED`` names a folder of real records.

The product ships no records. Where the folder is there, the key slope follows an hourly displacement record
to failure, other slopes follow records that did not fail or were faulty, the underpass a gauged flash flood,
other flood points the readings of real street sensors with their faults. Missing files are simply not used.
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from .district import KEY_ROAD, KEY_SLOPE, Row
from .night import FAIL_H, HISTORY_H, NIGHT_H, Floats, Track

FOOT_M = 0.3048
FLOOD_PEAK_H = 3.4


def folder() -> Path | None:
    """The folder of records, or None."""
    given = os.environ.get("ANLAN_SHARED", "")
    return Path(given) / "data" if given and (Path(given) / "data").is_dir() else None


def recorded(live: list[Row]) -> dict[str, Track]:
    """Station code to its recorded night, for the live stations that have one."""
    base = folder()
    if base is None:
        return {}
    found: dict[str, Track] = {}
    failing, others = _displacements(base / "slopes")
    cracks = [r["code"] for r in live if r["quantity"] == "crack_width"]
    for code in [c for c in cracks if c.startswith(KEY_SLOPE)][:1] if failing else []:
        found[code] = failing[0]
    rest = [c for c in cracks if not c.startswith(KEY_SLOPE)]
    found.update(zip(rest, others, strict=False))
    depths = [r["code"] for r in live if r["quantity"] == "water_depth"]
    flood = _flash_flood(base / "hydro")
    if flood is not None:
        found.update({c: flood for c in depths if c.startswith(KEY_ROAD)})
    found.update(zip([c for c in depths if not c.startswith(KEY_ROAD)], _street_sensors(base / "hydro"), strict=False))
    return found


def _displacements(slopes: Path) -> tuple[list[Track], list[Track]]:
    """Hourly records: those that fail (least noise first, ending at `FAIL_H`), and the others."""
    truth, series = slopes / "semi_synthetic_truth.csv", slopes / "semi_synthetic_series.csv"
    if not (truth.exists() and series.exists()):
        return [], []
    cases = {r["case_id"]: r for r in _rows(truth) if float(r["step_h"]) == 1}
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in _rows(series):
        if row["case_id"] in cases and row["disp_mm"]:
            points[row["case_id"]].append((float(row["time_h"]), float(row["disp_mm"]) / 1000))
    failing: list[Track] = []
    others: list[Track] = []
    for name in sorted(points, key=lambda n: float(cases[n]["noise_sd_mm"])):
        t, value = np.array(points[name]).T
        fails = cases[name]["fails"] == "1"
        shift = FAIL_H - float(cases[name]["t_fail_h"]) if fails else NIGHT_H - t[-1]
        (failing if fails else others).append(_cut(t + shift, value))
    return failing, others


def _flash_flood(hydro: Path) -> Track | None:
    """A gauged urban flash flood as depth above its low stage (m), its peak at `FLOOD_PEAK_H`."""
    path = hydro / "usgs_01589330_dead_run_201806_5min.csv"
    if not path.exists():
        return None
    rows = [
        (datetime.fromisoformat(r["time_utc"]).timestamp() / 3600, float(r["01589330_stage_ft"]))
        for r in _rows(path)
        if r["01589330_stage_ft"]
    ]
    t, stage = np.array(rows).T
    depth = np.maximum(stage - np.quantile(stage, 0.5), 0) * FOOT_M
    return _cut(t - t[stage.argmax()] + FLOOD_PEAK_H, depth, from_h=0.0)


def _street_sensors(hydro: Path) -> list[Track]:
    """Real street depth sensors with drop-outs, jumps and spider webs: depth = dry distance - distance (m)."""
    out = []
    for path in sorted(hydro.glob("floodnet_*_202306.csv")):
        rows = [
            (datetime.fromisoformat(r["time"]).replace(tzinfo=UTC).timestamp() / 3600, float(r["dist_mm"]))
            for r in _rows(path)
            if r["dist_mm"]
        ]
        t, distance = np.array(rows).T
        out.append(_cut(t - t[0], (np.median(distance) - distance) / 1000, from_h=0.0))
    return out


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _cut(t_h: Floats, value: Floats, from_h: float = -HISTORY_H) -> Track:
    """The part of a record from `from_h` to the end of the night, in order of time."""
    keep = (t_h >= from_h) & (t_h <= NIGHT_H) & np.isfinite(value)
    order = np.argsort(t_h[keep], kind="stable")
    return Track(t_h[keep][order], value[keep][order])
