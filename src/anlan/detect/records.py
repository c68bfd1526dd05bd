"""From what the stage raised to rows of the database: findings, forecasts, dead letters and their events.

Ids are derived from what a row says, so that a repeat after a crash is the same row. All functions write by SQL in the
caller's transaction (psycopg); stations that the register no longer has are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import psycopg
from psycopg.types.json import Jsonb

from ..base.clock import from_ms
from ..base.ids import derived_id, reading_id
from ..base.quantity import BY_NUMBER
from .contract import Detector, SeriesTable
from .stage import Raised

_FINDING = (
    "insert into detect_finding (id, division_code, created_at, updated_at, cause, station_id, site_id, quantity, detector, hazard, "
    "grade, score, at, evidence, zh, en) values (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s) on conflict (id) do nothing"
)
_FORECAST = (
    "insert into forecast_forecast (id, division_code, created_at, updated_at, cause, station_id, site_id, forecaster, made_at, "
    "p10, p50, p90, quantiles, evidence, zh, en) values (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s) on conflict (id) do nothing"
)
_OUTBOX = (
    "insert into engines_outbox (key, type, subject, division_code, payload, cause, created_at) values (%s,%s,%s,%s,%s,%s,%s) "
    "on conflict (key) do nothing"
)
_LETTER = (
    "insert into collect_deadletter (id, division_code, created_at, updated_at, cause, code, source, device, topic, payload, zh, en, "
    "count) values (%s,'',%s,%s,'{}',%s,'worker','',%s,%s,%s,%s,%s) "
    "on conflict (id) do update set count = collect_deadletter.count + excluded.count, updated_at = excluded.updated_at"
)
LAST_DATE_MS = 253_402_300_799_000  # 9999-12-31: later is "never" and is not given as a date


class Predicted(Protocol):
    """What this module needs of a forecaster's answer (see `anlan.forecast.contract.Prediction`)."""

    forecaster: str
    made_ms: int
    p10_ms: int | None
    p50_ms: int | None
    p90_ms: int | None
    reasons: list[Any]
    evidence: dict[str, float]
    zh: str
    en: str


@dataclass(slots=True)
class Letter:
    """Something in the lane that could not be taken; letters of one code and hour are counted together."""

    code: str
    zh: str
    en: str
    count: int = 1
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Place:
    """What the register says of a station: record ids and division code."""

    station: str
    site: str
    division_code: str


def places(connection: psycopg.Connection[Any], stations: Sequence[int]) -> dict[int, Place]:
    """The places of station numbers."""
    if not stations:
        return {}
    sql = "select number, id, site_id, division_code from register_station where number = any(%s)"
    return {row[0]: Place(*row[1:]) for row in connection.execute(sql, (sorted(set(stations)),), prepare=True).fetchall()}


def plain(value: Any) -> Any:
    """JSON-ready: NumPy scalars become Python's, numbers that JSON does not know become null."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def finding_id(raised: Raised, hazard: str) -> str:
    """The derived id of a finding."""
    return derived_id("find", raised.station, raised.quantity, raised.detector, hazard, raised.kind, raised.time_ms, raised.grade)


def event_type(detector: str, grade: int) -> str:
    """The outbox type of a finding."""
    if detector == "silence":
        return "detect.silence.raised" if grade else "detect.silence.ended"
    return "detect.finding.raised"


def write_findings(
    connection: psycopg.Connection[Any],
    raised: list[Raised],
    judges: dict[str, Detector],
    table: SeriesTable,
    now: datetime,
    where: dict[int, Place],
) -> None:
    """Findings and their events; `where` are the `places` of their stations."""
    findings, events = [], []
    for r in raised:
        place, judge = where.get(r.station), judges[r.detector]
        if place is None:
            continue
        hazard = judge.hazard_of(r.quantity)
        quantity = BY_NUMBER[r.quantity].name if r.quantity in BY_NUMBER else str(r.quantity)
        zh, en = r.note if r.note[0] else judge.describe(r.grade, r.evidence)
        gates = [] if r.note[0] else [asdict(gate) for gate in judge.gates(r.grade, r.evidence)]
        evidence = dict(zip(judge.evidence, r.evidence, strict=False)) | {"kind": r.kind, "previous": r.previous}
        cause = [] if r.reading_ms is None else [reading_id(r.station, r.quantity, r.reading_ms)]
        cause += [r.cause] if r.note[0] else judge.causes(r.kind, r.evidence, table)
        name = finding_id(r, hazard)
        findings.append(
            (name, place.division_code, now, now, cause, place.station, place.site, quantity, r.detector, hazard, r.grade, r.score,
             from_ms(r.time_ms), Jsonb(plain(evidence | {"gates": gates})), zh, en)
        )  # fmt: skip
        payload = {
            "station": place.station, "site": place.site, "hazard": hazard, "grade": r.grade, "previous": r.previous,
            "at_ms": r.time_ms, "detector": r.detector, "quantity": quantity, "kind": r.kind, "score": r.score, "zh": zh, "en": en,
        }  # fmt: skip
        kind = event_type(r.detector, r.grade)
        events.append((f"{kind}:{name}", kind, name, place.division_code, Jsonb(plain(payload)), [*cause], now))
    _many(connection, _FINDING, findings)
    _many(connection, _OUTBOX, events)


def write_forecasts(
    connection: psycopg.Connection[Any], predictions: list[Predicted], series: list[tuple[int, int]], now: datetime
) -> None:
    """Forecasts that give a number, and their events; `series` holds (station, quantity) of each."""
    where = places(connection, [s for s, _ in series])
    rows, events = [], []
    for p, (station, quantity) in zip(predictions, series, strict=True):
        place = where.get(station)
        if place is None or p.p50_ms is None:
            continue
        name = derived_id("fcst", p.forecaster, station, quantity, p.made_ms)
        cause = [reading_id(station, quantity, p.made_ms)]
        dates = [_date(ms) for ms in (p.p10_ms, p.p50_ms, p.p90_ms)]
        evidence = plain(p.evidence | {"reasons": [asdict(reason) for reason in p.reasons]})
        rows.append(
            (name, place.division_code, now, now, cause, place.station, place.site, p.forecaster, from_ms(p.made_ms), *dates,
             Jsonb({}), Jsonb(evidence), p.zh, p.en)
        )  # fmt: skip
        payload = {
            "station": place.station, "site": place.site, "p10_ms": p.p10_ms, "p50_ms": p.p50_ms, "p90_ms": p.p90_ms,
            "forecaster": p.forecaster, "made_ms": p.made_ms,
        }  # fmt: skip
        kind = "forecast.forecast.made"
        events.append((f"{kind}:{name}", kind, name, place.division_code, Jsonb(plain(payload)), cause, now))
    _many(connection, _FORECAST, rows)
    _many(connection, _OUTBOX, events)


def write_letters(connection: psycopg.Connection[Any], lane: int, letters: list[Letter], now: datetime) -> None:
    """Dead letters of a lane: one row per code and hour, counted; whole payloads are kept to 64 KiB."""
    rows: list[tuple[Any, ...]] = []
    events: list[tuple[Any, ...]] = []
    for letter in letters:
        name = derived_id("dead", "worker", lane, letter.code, now.strftime("%Y-%m-%dT%H"))
        rows.append((name, now, now, letter.code, f"lane {lane}", letter.payload[:65536], letter.zh, letter.en, letter.count))
        kind = "collect.letter.added"
        events.append((f"{kind}:{name}", kind, name, "", Jsonb({"code": letter.code, "device": ""}), [], now))
    _many(connection, _LETTER, rows)
    _many(connection, _OUTBOX, events)


def _date(ms: int | None) -> datetime | None:
    return None if ms is None or not 0 <= ms <= LAST_DATE_MS else from_ms(ms)


def _many(connection: psycopg.Connection[Any], sql: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        connection.cursor().executemany(sql, rows)


Predict = Callable[[Any], Sequence[Any]]
