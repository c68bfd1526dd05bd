"""What the map shows: the ground, the stations, the latest values, the objects that answer for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.db import connection
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from ninja import Router

from ..base import settings as conf
from ..base.clock import SystemClock, now_ms
from ..base.grade import Grade
from ..collect.store import Latest
from ..issue.models import HazardWarning, Proposal
from ..notify.models import Notice
from ..register.models import Depot, DeskNote, Device, Division, Person, Shelter, Site, Team
from ..register.scope import Asker, scoped
from ..respond.models import Task
from . import terrain
from .app import as_json
from .latest import columns, take, within
from .stations import StationTable, read_latest, stations

router = Router(tags=["map"])
MOST_LISTED = 5000  # stations that /map/stations lists; beyond it the map uses tiles
VOICES = ("loudspeaker", "siren", "terminal")
WARNING_COLUMNS = (
    *("id", "series", "version", "grade", "hazard", "kind", "title", "title_en", "area", "area_codes"),
    *("site_id", "issued_at", "expires_at", "exercise", "state"),
)


# the ground


def district_code(asker: Asker) -> str:
    """The division that this installation is about: set by `DeskNote` ``district``, else the county of the asker's area."""
    note = DeskNote.objects.filter(key="district").first()
    if note and note.value.get("code"):
        return str(note.value["code"])
    scope = min(asker.scopes, key=len, default="")
    if len(scope) >= 6:
        return scope[:6]
    county = Division.objects.filter(level="county", code__startswith=scope).order_by("code").first()
    return county.code if county else scope


def _corners(geometry: Any) -> list[tuple[float, float]]:
    if not geometry:
        return []
    flat = geometry.get("coordinates", [])
    while flat and isinstance(flat[0], list) and isinstance(flat[0][0], list):
        flat = [point for part in flat for point in part]
    return [(float(p[0]), float(p[1])) for p in flat if isinstance(p, list)]


@router.get("/map/base", summary="District, divisions, terrain, centre")
def base(request: HttpRequest) -> HttpResponse:
    """The ground of the map: outlines and names of the district and its parts; base map addresses if set."""
    asker: Asker = request.asker  # type: ignore[attr-defined]
    code = district_code(asker)
    rows = list(Division.objects.filter(code__startswith=code).values())
    district = next((r for r in rows if r["code"] == code), None)
    corners = [c for r in rows for c in _corners(r["geometry"])] or [(r["lon"], r["lat"]) for r in rows if r["lon"] is not None]
    bounds = (
        [min(c[0] for c in corners), min(c[1] for c in corners), max(c[0] for c in corners), max(c[1] for c in corners)]
        if corners
        else None
    )
    return as_json(
        {
            "district": {k: district[k] for k in ("code", "name", "name_en")} if district else {"code": code, "name": "", "name_en": ""},
            "divisions": rows,
            "bounds": bounds,
            "center": [(bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2] if bounds else None,
            "zoom": 12,
            "terrain": terrain.description(),
            "layers": {"basemap": conf.get("BASEMAP_URL") or None},
            "demo": DeskNote.objects.filter(key="demo").exists(),
        }
    )


# stations and their latest values


class View:
    """The latest values of one asker's area, folded to stations (positions in the table)."""

    def __init__(self, asker: Asker):
        self.table: StationTable = stations.get()
        self.mine = within(self.table.division, asker.scopes) & self.table.enabled
        latest = read_latest()
        at, known = self.table.positions(latest.station)
        keep = known & self.mine[at] if len(self.table.number) else known
        self.latest: Latest = take(latest, keep)
        self.at = at[keep]
        n = len(self.table.number)
        self.grade, self.silent = np.zeros(n, np.int8), np.zeros(n, bool)
        self.time_ms = np.full(n, -1, np.int64)
        np.maximum.at(self.grade, self.at, self.latest.grade)
        np.logical_or.at(self.silent, self.at, self.latest.silent > 0)
        np.maximum.at(self.time_ms, self.at, self.latest.time_ms)
        self.reported = self.time_ms >= 0

    def state(self, at: Any) -> Any:
        """State numbers of positions: 0 ok, 1 graded, 2 offline (silent), 3 unknown (never reported)."""
        grade, silent, reported = self.grade[at], self.silent[at], self.reported[at]
        return np.where(~reported, 3, np.where(silent, 2, np.where(grade > 0, 1, 0)))


STATES = ("ok", "graded", "offline", "unknown")


@router.get("/map/stations", summary="Live or graded stations as columns (at most 5,000) with totals")
def map_stations(request: HttpRequest) -> HttpResponse:
    """Stations that report or are graded: worst first; `more` tells that the rest is only in the tiles."""
    view = View(request.asker)  # type: ignore[attr-defined]
    listed = np.flatnonzero(view.reported)
    more = len(listed) > MOST_LISTED
    if more:
        listed = listed[np.lexsort((-view.time_ms[listed], ~view.silent[listed], -view.grade[listed]))[:MOST_LISTED]]
    numbers = view.table.number[listed]
    names: dict[int, tuple[str, str, str, str]] = {}
    with connection.cursor() as cursor:
        cursor.execute("select number, id, code, name, name_en from register_station where number = any(%s)", [numbers.tolist()])
        names = {row[0]: row[1:] for row in cursor.fetchall()}
    text = [names.get(int(n), ("", "", "", "")) for n in numbers]
    words = {key: [t[i] for t in text] for i, key in enumerate(("id", "code", "name", "name_en"))}
    silent = int(view.silent[view.reported].sum())
    return as_json(
        {
            "number": numbers,
            **words,
            "site": [view.table.sites[i] for i in view.table.site[listed]],
            "kind": [view.table.kinds[k] for k in view.table.kind[listed]],
            "lon": view.table.lon[listed],
            "lat": view.table.lat[listed],
            "state": [STATES[s] for s in view.state(listed)],
            "grade": view.grade[listed],
            "age_s": ((now_ms() - view.time_ms[listed]) / 1000).round(1),
            "total": int(view.mine.sum()),
            "live": int(view.reported.sum()) - silent,
            "offline": silent,
            "more": more,
        }
    )


@router.get("/map/latest", summary="All latest values as columns")
def map_latest(request: HttpRequest) -> HttpResponse:
    """Every series' latest value in the asker's area (SI values, UTC ms)."""
    return as_json(columns(View(request.asker).latest))  # type: ignore[attr-defined]


# objects


def _stations_by_site(view: View) -> dict[str, dict[str, int]]:
    """Worst grade and numbers of live and silent stations of every site that has reported."""
    at = np.flatnonzero(view.reported)
    site, n = view.table.site[at], len(view.table.sites)
    grade = np.zeros(n, np.int8)
    np.maximum.at(grade, site, view.grade[at])
    silent = np.bincount(site, view.silent[at], n).astype(int)
    total = np.bincount(site, minlength=n)
    here = np.flatnonzero(total)
    rows = zip(here.tolist(), grade[here].tolist(), silent[here].tolist(), total[here].tolist(), strict=True)
    return {view.table.sites[i]: {"grade": g, "live": t - s, "silent": s} for i, g, s, t in rows}


def _sites(asker: Asker, warned: dict[str, int]) -> list[dict[str, Any]]:
    view = View(asker)
    states = _stations_by_site(view)
    open_ones = scoped(Proposal.objects.filter(state__in=("open", "claimed")), asker).values_list("site_id", "grade", "id")
    proposed = {site: (grade, pk) for site, grade, pk in open_ones}
    wanted = set(states) | set(proposed) | set(warned)
    rows = scoped(Site.objects.filter(Q(key_target=True) | Q(pk__in=wanted)), asker).values(
        "id", "code", "name", "name_en", "kind", "lon", "lat", "geometry", "warning_area", "division_code", "key_target"
    )[:MOST_LISTED]
    out = []
    for row in rows:
        live = states.get(row["id"], {"grade": 0, "live": 0, "silent": 0})
        state = "graded" if live["grade"] else "ok" if live["live"] else "offline" if live["silent"] else "unknown"
        grade, proposal = proposed.get(row["id"], (0, None))
        more = {"state": state, "proposed": grade, "proposal": proposal, "warning": warned.get(row["id"], 0)}
        out.append({**row, **live, **more})
    return out


def _loudspeakers(asker: Asker, in_force: list[str]) -> list[dict[str, Any]]:
    rows = list(
        scoped(Device.objects.filter(kind__in=VOICES, enabled=True, lon__isnull=False), asker).values(
            "id", "name", "client_id", "kind", "lon", "lat", "reach_m", "devicestate__online", "devicestate__seen_at"
        )
    )
    reached: dict[str, tuple[int, str]] = {}
    for recipient, strength, state in Notice.objects.filter(warning_id__in=in_force, recipient__in=[r["id"] for r in rows]).values_list(
        "recipient", "reached", "state"
    ):
        if strength >= reached.get(recipient, (-1, ""))[0]:
            reached[recipient] = (strength, state)
    for row in rows:
        row["online"], row["seen_at"] = row.pop("devicestate__online"), row.pop("devicestate__seen_at")
        strength, notice = reached.get(row["id"], (0, ""))
        row["reached"], row["notice"] = strength, notice
        row["state"] = "idle" if not notice else "played" if strength >= 2 else "silent" if notice in ("failed", "expired") else "awaiting"
    return rows


@router.get("/map/objects", summary="Sites with a state, teams, shelters, depots, people, loudspeakers, warnings, tasks")
def objects(request: HttpRequest) -> HttpResponse:
    """Everything on the map that is not a station, inside the asker's area."""
    asker: Asker = request.asker  # type: ignore[attr-defined]
    warnings = list(scoped(HazardWarning.objects.filter(state="issued"), asker).values(*WARNING_COLUMNS))
    warned: dict[str, int] = {}
    for w in warnings:
        w["grade_word"] = Grade(w["grade"]).word
        if w["site_id"]:
            warned[w["site_id"]] = max(warned.get(w["site_id"], 0), w["grade"])
    tasks = scoped(Task.objects.filter(state__in=("sent", "accepted", "doing")), asker).values(
        "id", "title", "title_en", "state", "due_at", "lon", "lat", "incident_id", "post_id", post_name=F("post__name")
    )
    people = scoped(Person.objects.filter(lon__isnull=False, seen_at__isnull=False), asker).values(
        "id", "lon", "lat", "seen_at", "on_leave"
    )
    posts = dict(Person.objects.filter(pk__in=[p["id"] for p in people]).values_list("id", "posts__name"))
    return as_json(
        {
            "sites": _sites(asker, warned),
            "teams": list(scoped(Team.objects.all(), asker).values("id", "name", "kind", "members", "state", "lon", "lat", "seen_at")),
            "shelters": list(scoped(Shelter.objects.all(), asker).values("id", "name", "capacity", "occupancy", "lon", "lat")),
            "depots": list(scoped(Depot.objects.all(), asker).values("id", "name", "stock", "lon", "lat")),
            "people": [{**p, "post": posts.get(p["id"])} for p in people],
            "loudspeakers": _loudspeakers(asker, [w["id"] for w in warnings]),
            "warnings": warnings,
            "tasks": [{**t, "post": t["post_name"], "late": t["due_at"] < SystemClock().now()} for t in tasks],
        }
    )
