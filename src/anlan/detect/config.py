"""Settings of the lanes: the register and the signed thresholds compiled to columns, published as immutable versions.

`compile_lanes` reads the register by SQL (100,000 series in about a second). `publish_if_changed` (desk) looks at the
rows that triggers leave in ``detect_registerchange``, compiles when there are any (or a threshold's validity may have
begun or ended), and only a table that differs from the last becomes a new `LaneConfig` row and a control message
``ANLANCT1{"kind": "config", "version": …}`` in the lane. Narrowest scope wins per (series, mode, window): station, then
site, then station kind; among equals the highest version. Times are UTC.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from ..base.quantity import BY_NAME, BY_NUMBER
from .arrays import no_thresholds, table_bytes, table_from
from .contract import SeriesTable, ThresholdRows

CONTROL = b"ANLANCT1"
VERSIONS_KEPT = 50  # a worker that was away for more changes than this takes the newest
MODES = {"above": 0, "below": 1, "rate": 2, "sum": 3}
_SERIES = """
select si.partition, st.number, se.quantity, si.code, st.interval_s, se.low, se.high, se.noise, st.kind, st.id, si.id
from register_series se join register_station st on st.id = se.station_id join register_site si on si.id = st.site_id
where st.enabled order by si.partition, st.number, se.quantity
"""
_THRESHOLDS = """
select id, quantity, station_id, site_id, station_kind, mode, window_s, blue, yellow, orange, red, hysteresis, persistence_s,
       persistence_n, version
from register_threshold
where signed_by_id is not null and valid_from <= %(now)s and (valid_to is null or valid_to > %(now)s) order by id
"""


def control(kind: str, **facts: object) -> bytes:
    """A control message of a lane."""
    return CONTROL + json.dumps({"kind": kind, **facts}, separators=(",", ":")).encode()


def compile_lanes(connection: psycopg.Connection[Any], lanes: int, now: datetime) -> list[SeriesTable]:
    """The series table of every lane as the register stands at `now` (versions are 0: not yet numbered)."""
    cursor = connection.cursor(row_factory=psycopg.rows.tuple_row)
    series = cursor.execute(_SERIES).fetchall()
    limits = cursor.execute(_THRESHOLDS, {"now": now}).fetchall()
    if not series:
        return [_table([()] * 11, [], []) for _ in range(lanes)]
    columns = list(zip(*series, strict=True))
    lane_of = np.array(columns[0], np.int16) % lanes
    tables = []
    for lane in range(lanes):
        rows = np.flatnonzero(lane_of == lane).tolist()
        tables.append(_table([[c[i] for i in rows] for c in columns], sorted({columns[8][i] for i in rows}), limits))
    return tables


def _or(values: Any, defaults: list[float]) -> NDArray[np.float64]:
    return np.array([d if v is None else v for v, d in zip(values, defaults, strict=True)], np.float64)


def _table(columns: list[Any], kinds: list[str], limits: list[Any]) -> SeriesTable:
    partition, number, quantity, code, interval, low, high, noise, kind, station_id, site_id = columns
    sites: dict[str, int] = {}
    site = np.array([sites.setdefault(c, len(sites)) for c in code], np.int32)
    numbers = {k: i for i, k in enumerate(kinds)}
    plain = [BY_NUMBER.get(q) for q in quantity]
    return SeriesTable(
        version=0,
        station=np.array(number, np.int32),
        quantity=np.array(quantity, np.int16),
        partition=np.array(partition, np.int16),
        site=site,
        interval_ms=(np.array(interval, np.float64) * 1000).astype(np.int64),
        low=_or(low, [q.low if q else -np.inf for q in plain]),
        high=_or(high, [q.high if q else np.inf for q in plain]),
        noise=_or(noise, [np.nan] * len(plain)),
        kind=np.array([numbers[k] for k in kind], np.int16),
        kinds=kinds,
        sites=list(sites),
        thresholds=_resolve(limits, quantity, station_id, site_id, kind) if limits and len(number) else no_thresholds(),
    )


def _resolve(limits: list[Any], quantity: Any, station_id: Any, site_id: Any, kind: Any) -> ThresholdRows:
    """Give every threshold its series, keep the narrowest of each (series, mode, window)."""
    index: dict[tuple[int, int, str], list[int]] = defaultdict(list)
    for at, names in enumerate(zip(quantity, station_id, site_id, kind, strict=True)):
        for scope, name in enumerate(names[1:]):
            index[names[0], scope, name].append(at)
    slots: list[int] = []
    owner: list[int] = []
    ranks: list[tuple[int, float, int, int]] = []
    for i, row in enumerate(limits):
        scope = 0 if row[2] else 1 if row[3] else 2
        measured = BY_NAME.get(row[1])
        found = index.get((measured.number, scope, row[2 + scope]), []) if measured and row[5] in MODES else []
        slots += found
        owner += [i] * len(found)
        ranks.append((MODES.get(row[5], 0), row[6], scope, -row[14]))
    if not slots:
        return no_thresholds()
    slot, which = np.array(slots, np.int32), np.array(owner, np.int64)
    mode, window, scope_of, version = (np.array(c)[which] for c in zip(*ranks, strict=True))
    order = np.lexsort((which, version, scope_of, window, mode, slot))
    slot, mode, window, which = slot[order], mode[order], window[order], which[order]
    new = np.r_[True, (slot[1:] != slot[:-1]) | (mode[1:] != mode[:-1]) | (window[1:] != window[:-1])]
    slot, which = slot[new], which[new]
    level = np.array([[np.nan if v is None else v for v in row[7:11]] for row in limits], np.float64)

    def column(at: int, dtype: type, factor: float = 1) -> NDArray[Any]:
        return (np.array([row[at] for row in limits], np.float64) * factor).astype(dtype)[which]

    return ThresholdRows(
        slot=slot,
        mode=mode[new].astype(np.int8),
        window_ms=column(6, np.int64, 1000),
        level=level[which],
        hysteresis=column(11, np.float64),
        persistence_ms=column(12, np.int64, 1000),
        persistence_n=column(13, np.int32),
        id=[limits[i][0] for i in which.tolist()],
    )


def load(connection: psycopg.Connection[Any], lane: int, version: int) -> SeriesTable | None:
    """The table of a version; None when there is no such row."""
    row = connection.execute("select data from detect_laneconfig where lane = %s and version = %s", (lane, version), binary=True).fetchone()
    return table_from(bytes(row[0])) if row else None


def store_changed(connection: psycopg.Connection[Any], tables: list[SeriesTable]) -> list[tuple[int, int]]:
    """Write each table that differs from its lane's newest; gives (lane, version) of those. Caller's transaction."""
    changed = []
    for lane, table in enumerate(tables):
        row = connection.execute(
            "select version, data from detect_laneconfig where lane = %s order by version desc limit 1", (lane,), binary=True
        ).fetchone()
        newest = int(row[0]) if row else 0
        if row and table_bytes(replace(table, version=newest)) == bytes(row[1]):
            continue
        version = newest + 1
        connection.execute(
            "insert into detect_laneconfig (lane, version, data, created_at) values (%s, %s, %s, now())",
            (lane, version, table_bytes(replace(table, version=version))),
        )
        connection.execute("delete from detect_laneconfig where lane = %s and version <= %s", (lane, version - VERSIONS_KEPT))
        changed.append((lane, version))
    return changed
