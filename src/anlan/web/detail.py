"""One site and one station: what is measured there, how it stands, within which limits, who answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from ninja import Router

from ..base.clock import SystemClock
from ..base.division import ancestors
from ..base.quantity import BY_NAME, BY_NUMBER, Quantity
from ..detect.models import Finding
from ..forecast.models import Forecast
from ..issue.models import HazardWarning, Proposal
from ..register.models import Device, DeviceSeries, Division, Series, Site, Station, Threshold
from ..register.scope import Asker, scoped
from ..register.service import answerable
from .app import as_json
from .errors import not_found
from .map import STATES, View

router = Router(tags=["register"])
MOST_STATIONS = 300  # of one site
RAIN_KM = 5.0  # a gauge further away says little of a convective cell (cell sizes of some 5 to 10 km)
KM_PER_DEG = 111.195  # of a great circle, mean Earth radius 6,371 km
LAST_FINDINGS = 20


def find_station(asker: Asker, key: str) -> Station:
    """The station of an id, a code or a number, inside the asker's area; ``web.not_found`` else."""
    name = key.replace("\x00", "")
    wanted = Q(pk=name) | Q(code=name)
    if name.isdecimal() and len(name) < 10:
        wanted |= Q(number=int(name))
    found = scoped(Station.objects.select_related("site"), asker).filter(wanted).order_by("id").first()
    if found is None:
        raise not_found("测点 station", key)
    return found  # type: ignore[no-any-return]


def nearest_gauge(view: View, site: Site) -> dict[str, Any] | None:
    """The reporting rain gauge nearest to a site within `RAIN_KM`, its distance in km; None when there is none."""
    rain = view.latest.quantity == BY_NAME["rainfall"].number
    at = np.unique(view.at[rain & (view.latest.silent == 0)])
    if not len(at) or site.lon is None:
        return None
    east = (view.table.lon[at] - site.lon) * np.cos(np.radians(site.lat))
    km = np.hypot(east, view.table.lat[at] - site.lat) * KM_PER_DEG
    best = int(np.argmin(km))
    row = Station.objects.filter(number=int(view.table.number[at[best]])).values("id", "name", "name_en").first()
    return {**row, "km": round(float(km[best]), 2)} if row and km[best] <= RAIN_KM else None


def find_site(asker: Asker, key: str) -> Site:
    """The site of an id or a code inside the asker's area; ``web.not_found`` else."""
    name = key.replace("\x00", "")
    found = scoped(Site.objects.all(), asker).filter(Q(pk=name) | Q(code=name)).first()
    if found is None:
        raise not_found("监测对象 site", key)
    return found  # type: ignore[no-any-return]


def site_brief(site: Site) -> dict[str, Any]:
    """A site's identity and where it lies."""
    names = {d.code: d for d in Division.objects.filter(code__in=ancestors(site.division_code))} if site.division_code else {}
    nearest = next((names[c] for c in ancestors(site.division_code) if c in names), None) if site.division_code else None
    return {
        "id": site.pk,
        "code": site.code,
        "name": site.name,
        "name_en": site.name_en,
        "kind": site.kind,
        "lon": site.lon,
        "lat": site.lat,
        "division": site.division_code,
        "division_name": nearest.name if nearest else "",
        "division_name_en": nearest.name_en if nearest else "",
    }


# limits


def in_force(rows: Iterable[Threshold], station: Station, quantity: str) -> list[Threshold]:
    """The signed limits of a series: per mode and window those of the narrowest scope (station, site, kind)."""
    best: dict[tuple[str, float], tuple[int, Threshold]] = {}
    for row in rows:
        if row.quantity != quantity:
            continue
        if row.station_id:
            rank = 0 if row.station_id == station.pk else -1
        elif row.site_id:
            rank = 1 if row.site_id == station.site_id else -1
        else:
            rank = 2 if row.station_kind == station.kind else -1
        if rank < 0:
            continue
        place = (row.mode, row.window_s)
        if place not in best or rank < best[place][0]:
            best[place] = (rank, row)
    return [row for _, row in best.values()]


def signed_limits(stations: list[Station]) -> list[Threshold]:
    """All signed limits, valid now, that could apply to one of the stations."""
    now = SystemClock().now()
    rows = Threshold.objects.filter(signed_by__isnull=False, valid_from__lte=now).filter(Q(valid_to=None) | Q(valid_to__gt=now))
    mine = Q(station__in=stations) | Q(site__in={s.site_id for s in stations}) | Q(station_kind__in={s.kind for s in stations} - {""})
    return list(rows.filter(mine).order_by("quantity", "-version"))


def limit_row(row: Threshold) -> dict[str, Any]:
    """A limit for the ui; levels in SI."""
    names = ("id", "quantity", "mode", "window_s", "blue", "yellow", "orange", "red", "hysteresis", "source", "version", "valid_from")
    return {name: getattr(row, name) for name in names}


# stations


def _latest_of(view: View, number: int) -> dict[int, dict[str, Any]]:
    rows = np.flatnonzero(view.latest.station == number)
    latest = view.latest
    return {
        int(latest.quantity[i]): {
            "value": None if np.isnan(latest.value[i]) else float(latest.value[i]),
            "time_ms": int(latest.time_ms[i]),
            "quality": int(latest.quality[i]),
            "grade": int(latest.grade[i]),
            "silent": bool(latest.silent[i]),
        }
        for i in rows
    }


def _series(quantity: Quantity, latest: dict[str, Any] | None, limits: list[Threshold]) -> dict[str, Any]:
    return {
        "quantity": quantity.name,
        "number": quantity.number,
        "zh": quantity.zh,
        "en": quantity.en,
        "unit": quantity.unit,
        "shown_unit": quantity.shown_unit or quantity.unit,
        "shown_factor": quantity.shown_factor,
        "kind": quantity.kind,
        "latest": latest,
        "thresholds": [limit_row(row) for row in limits],
    }


def station_row(station: Station, view: View, limits: list[Threshold], quantities: list[int]) -> dict[str, Any]:
    """A station with its series, latest values and limits."""
    at, known = view.table.positions(np.array([station.number], np.int32))
    latest = _latest_of(view, station.number)
    numbers = sorted({*quantities, *latest} & set(BY_NUMBER))
    return {
        "id": station.pk,
        "number": station.number,
        "code": station.code,
        "name": station.name,
        "name_en": station.name_en,
        "kind": station.kind,
        "lon": station.lon,
        "lat": station.lat,
        "interval_s": station.interval_s,
        "enabled": station.enabled,
        "division_code": station.division_code,
        "state": STATES[int(view.state(at)[0])] if known[0] else "unknown",
        "grade": int(view.grade[at[0]]) if known[0] else 0,
        "series": [_series(BY_NUMBER[q], latest.get(q), in_force(limits, station, BY_NUMBER[q].name)) for q in numbers],
    }


def _quantities(stations: list[Station]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for station, quantity in Series.objects.filter(station__in=stations).values_list("station_id", "quantity"):
        found.setdefault(station, []).append(quantity)
    return found


def _device(station: Station) -> dict[str, Any] | None:
    feed = DeviceSeries.objects.filter(series__station=station).select_related("device__devicestate").first()
    return device_row(feed.device) if feed else None


def device_row(device: Device) -> dict[str, Any]:
    """A device and what the gateway last saw of it."""
    state = getattr(device, "devicestate", None)
    seen = {name: getattr(state, name, None) for name in ("seen_at", "battery", "signal", "error", "error_at")}
    named = {"id": device.pk, "client_id": device.client_id, "name": device.name, "kind": device.kind}
    return {**named, "online": bool(state and state.online), **seen}


def finding_row(f: Finding) -> dict[str, Any]:
    """A finding for the ui."""
    names = ("detector", "hazard", "quantity", "grade", "score", "at", "evidence", "zh", "en", "cause")
    return {"id": f.pk, "station": f.station_id, "station_name": f.station.name, **{n: getattr(f, n) for n in names}}


def forecast_row(f: Forecast | None) -> dict[str, Any] | None:
    """A forecast for the ui."""
    if f is None:
        return None
    names = ("forecaster", "made_at", "p10", "p50", "p90", "evidence", "zh", "en")
    return {"id": f.pk, "station": f.station_id, **{n: getattr(f, n) for n in names}}


@router.get("/stations/{key}", summary="A station: series, latest values, limits, device (by id, code or number)")
def station_detail(request: HttpRequest, key: str) -> HttpResponse:
    """Everything about one station in the asker's area."""
    asker: Asker = request.asker  # type: ignore[attr-defined]
    station = find_station(asker, key)
    row = station_row(station, View(asker), signed_limits([station]), _quantities([station]).get(station.pk, []))
    findings = Finding.objects.filter(station=station).select_related("station").order_by("-at")[:LAST_FINDINGS]
    forecast = Forecast.objects.filter(station=station).order_by("-made_at").first()
    more = {
        "site": site_brief(station.site),
        "device": _device(station),
        "findings": [finding_row(f) for f in findings],
        "forecast": forecast_row(forecast),
        "responsible": [_answerer(a) for a in answerable(station.site_id, station.site.division_code)],
    }
    return as_json({**row, **more})


def _answerer(a: Any) -> dict[str, Any]:
    return {
        "post": a.post,
        "post_id": a.post_id,
        "person": a.person,
        "person_id": a.person_id,
        "level": a.level,
        "order": a.order,
        "stands_in_for": a.stands_in_for,
        "state": "vacant" if not a.person_id else "ready",
    }


@router.get("/sites/{key}", summary="A site: its stations, limits, who answers, what is proposed or in force (by id or code)")
def site_detail(request: HttpRequest, key: str) -> HttpResponse:
    """Everything about one site in the asker's area."""
    asker: Asker = request.asker  # type: ignore[attr-defined]
    site, view = find_site(asker, key), View(asker)
    rows = list(Station.objects.filter(site=site).select_related("site").order_by("code")[:MOST_STATIONS])
    limits, quantities = signed_limits(rows) if rows else [], _quantities(rows)
    stations = [station_row(s, view, limits, quantities.get(s.pk, [])) for s in rows]
    proposal = Proposal.objects.filter(site=site, state__in=("open", "claimed")).order_by("-grade").first()
    warnings = HazardWarning.objects.filter(site=site, state="issued").order_by("-issued_at")
    forecast = Forecast.objects.filter(site=site).order_by("-made_at").first()
    findings = Finding.objects.filter(site=site).select_related("station").order_by("-at")[:LAST_FINDINGS]
    worst = max((s["grade"] for s in stations), default=0)
    states = {s["state"] for s in stations}
    state = "graded" if worst else "ok" if "ok" in states else "offline" if "offline" in states else "unknown"
    shown = {row["id"]: row for s in stations for series in s["series"] for row in series["thresholds"]}
    asked = {n: getattr(proposal, n) for n in ("id", "grade", "state", "hazard", "zh", "en")} if proposal else None
    return as_json(
        {
            **site_brief(site),
            "geometry": site.geometry,
            "warning_area": site.warning_area,
            "key_target": site.key_target,
            "attributes": site.attributes,
            "grade": worst,
            "state": state,
            "stations": stations,
            "thresholds": list(shown.values()),
            "responsible": [_answerer(a) for a in answerable(site.pk, site.division_code)],
            "proposal": asked,
            "gates": proposal.evidence.get("gates", []) if proposal else [],
            "rain_gauge": nearest_gauge(view, site),
            "warnings": list(warnings.values("id", "series", "version", "grade", "hazard", "title", "title_en", "issued_at", "expires_at")),
            "forecast": forecast_row(forecast),
            "findings": [finding_row(f) for f in findings],
            "devices": [device_row(d) for d in Device.objects.filter(site=site, enabled=True).select_related("devicestate")[:100]],
        }
    )


def quantity_of(name: str) -> Quantity | None:
    """The quantity of a name or number; None when there is none."""
    return BY_NAME.get(name) or (BY_NUMBER.get(int(name)) if name.isdecimal() and len(name) < 6 else None)
