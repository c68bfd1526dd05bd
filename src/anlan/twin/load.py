"""The demo district into the register: idempotent, in bulk, everything marked as demonstration.

Returns the log-ins of the people who act in the story; passwords and device secrets are made
once, kept in the data folder (mode 600) and printed by `anlan demo`.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from django.contrib.auth import get_user_model
from django.db import connection

from ..base.clock import now_ms
from ..base.grade import Grade
from ..base.ids import derived_id
from ..engines.outbox import acting
from ..issue.models import StandingOrder
from ..register.models import (
    Depot,
    DeskNote,
    Division,
    Grid,
    Household,
    Organisation,
    Person,
    Post,
    Responsibility,
    Shelter,
    Site,
    Team,
    Threshold,
)
from ..register.service import load_divisions, provision
from .district import DISTRICT, KEY_ROAD, KEY_SLOPE, District, Row, make_district
from .ground import terrain

ACTOR = "system:twin"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
# What is shown as the three demo log-ins, and who else acts in the story.
LOGINS = (
    ("duty", "duty", "值守长 duty officer"),
    ("commander", "commander", "指挥长 commander"),
    ("responder", "", "责任人（手机页）responder, phone page"),
)
ACTORS = ("duty", "commander", "analyst", "supervisor", "registrar", "admin", "district-leader")
CMA = "气象灾害预警信号发布与传播办法 (CMA Order 16, 2007), rainstorm signals"
DEMO = "演示值，须由本单位核定 (demonstration value, to be set by the bureau)"
# quantity, station kind, mode, window s, (blue, yellow, orange, red) SI, hysteresis, persistence n, source
THRESHOLDS: tuple[tuple[str, str, str, float, tuple[float | None, ...], float, int, str], ...] = (
    ("water_depth", "depth_gauge", "above", 0, (0.05, 0.10, 0.15, 0.27), 0.2, 2, DEMO),
    ("rainfall", "rain_gauge", "sum", 12 * 3600, (0.050, None, None, None), 0.1, 1, CMA),
    ("rainfall", "rain_gauge", "sum", 6 * 3600, (None, 0.050, None, None), 0.1, 1, CMA),
    ("rainfall", "rain_gauge", "sum", 3 * 3600, (None, None, 0.050, 0.100), 0.1, 1, CMA),
    ("residual_current", "smart_meter", "above", 0, (0.1, 0.3, 0.5, 1.0), 0.1, 3, DEMO),
    ("gas_concentration", "gas_detector", "above", 0, (2e-5, 5e-5, 1e-4, 2e-4), 0.1, 2, DEMO),
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the story needs to know of the loaded district."""

    district: District
    live: list[Row]  # stations that report in the story, with client_id
    accounts: dict[str, dict[str, str]]  # actor key -> username, password, person id
    device_secret: dict[str, str]  # client id -> password


def load(seed: int, full: bool, data: Path, live: int = 300) -> Loaded:
    """Make sure the demo district stands in the register; `live` stations get a device of their own."""
    load_divisions([DISTRICT], actor=ACTOR)
    rows = [
        {"code": d.code, "name": d.name, "street_code": d.code[:9], "street": Division.objects.get(code=d.code[:9]).name}
        for d in Division.objects.filter(code__startswith=DISTRICT, level="village").order_by("code")
    ]
    district = make_district(seed, rows, full)
    reporting = choose_live(district, live)
    kept = _kept(data / "demo.json", [r["client_id"] for r in reporting] + [s["client_id"] for s in district.speakers])
    with acting(ACTOR):
        _places(district)
        _people(district)
    _watched(district, reporting, kept["devices"])
    with acting(ACTOR):
        _answers(district)
        _rules(district)
        accounts = _accounts(district, kept["people"])
        DeskNote.objects.update_or_create(key="demo", defaults={"value": {"seed": seed, "full": full, "since_ms": now_ms()}})
        with connection.cursor() as cursor:
            cursor.execute("analyze")
    heights, bounds = terrain(seed)
    if not (data / "terrain.npz").exists():
        np.savez_compressed(data / "terrain.npz", elevation=heights, bounds=np.array(bounds))
    return Loaded(district, reporting, accounts, kept["devices"])


def choose_live(district: District, count: int) -> list[Row]:
    """The stations that report: everything at the key places, rain everywhere, then slopes and others in order."""
    first = [s for s in district.stations if s["site"] in (KEY_SLOPE, KEY_ROAD)]
    rain = [s for s in district.stations if s["quantity"] == "rainfall" and s["site"] != KEY_SLOPE][:40]
    kinds = ("flood_point", "slope", "reservoir", "enterprise", "high_rise")
    of = {s["code"]: s["kind"] for s in district.sites}
    rest: list[Row] = []
    for kind, share in zip(kinds, (0.2, 0.55, 0.08, 0.08, 0.09), strict=True):
        pool = [s for s in district.stations if of[s["site"]] == kind and s["quantity"] != "rainfall" and s not in first]
        rest += pool[:: max(1, len(pool) // max(1, int(share * count)))][: int(share * count)]
    chosen = (first + rain + rest)[:count]
    return [{**s, "client_id": f"DEV-{s['code']}"} for s in chosen]


def _kept(path: Path, clients: list[str]) -> dict[str, dict[str, str]]:
    """Secrets of the demo, made once and kept (mode 600)."""
    found: dict[str, dict[str, str]] = json.loads(path.read_text()) if path.exists() else {"people": {}, "devices": {}}
    missing = [c for c in clients if c not in found["devices"]]
    if missing or not found["people"]:
        found["devices"] |= {c: secrets.token_urlsafe(9) for c in missing}
        for actor in (*ACTORS, "responder", "secretary", "engineer", "grid"):
            found["people"].setdefault(actor, secrets.token_urlsafe(6))
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(found, file)
    return found


def _id(kind: str, key: str) -> str:
    return derived_id(kind, "demo", key)


def _store(model: Any, rows: list[Any]) -> None:
    model.objects.bulk_create(rows, ignore_conflicts=True, batch_size=2000)


def _places(district: District) -> None:
    """Outlines of the divisions; organisations, shelters, depots."""
    Division.objects.bulk_create(
        [Division(**d) for d in district.divisions],
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=["lon", "lat", "geometry", "schematic"],
    )
    _store(Organisation, [Organisation(id=_id("org", o["key"]), **_without(o, "key")) for o in district.organisations])
    _store(Shelter, [Shelter(id=_id("shelter", s["name"]), **s) for s in district.shelters])
    _store(Depot, [Depot(id=_id("depot", d["name"]), **d) for d in district.depots])


def _people(district: District) -> None:
    """People, posts, grids, teams, households."""
    _store(Person, [Person(id=_id("person", p["key"]), **_without(p, "key")) for p in district.people])
    _store(
        Post,
        [
            Post(
                id=_id("post", p["key"]),
                name=p["name"],
                role=p["role"],
                division_code=p["division_code"],
                organisation_id=_id("org", p["organisation"]),
                person_id=_id("person", p["person"]),
            )
            for p in district.posts
        ],
    )
    grids = [
        Grid(id=_id("grid", g["name"] + g["division_code"]), inspector_id=_id("post", g["inspector"]), **_without(g, "inspector"))
        for g in district.grids
    ]
    _store(Grid, grids)
    home = {g.division_code: g.id for g in grids}
    _store(Team, [Team(id=_id("team", t["name"]), **t) for t in district.teams])
    _store(
        Household,
        [Household(id=_id("household", h["building"] + h["door"]), grid_id=home.get(h["division_code"]), **h) for h in district.households],
    )


def _without(row: Row, *keys: str) -> Row:
    return {k: v for k, v in row.items() if k not in keys}


def _columns(rows: list[Row], names: tuple[str, ...], **extra: list[Any]) -> dict[str, list[Any]]:
    return {**{n: [r.get(n) for r in rows] for n in names}, **extra}


def _watched(district: District, reporting: list[Row], secret: dict[str, str]) -> None:
    """Sites, stations, series and devices through the bulk door of the register."""
    sites = [{"key_target": False, "geometry": None, "warning_area": None, **s} for s in district.sites]
    place = ("code", "name", "name_en", "kind", "lon", "lat", "division_code")
    feeds = {s["code"]: s["client_id"] for s in reporting}
    sensors = [{**s, "kind": "sensor", "reach_m": None} for s in reporting]
    devices = sensors + district.speakers
    names = ("client_id", "kind", "name", "site", "lon", "lat", "reach_m", "division_code")
    provision(
        actor=ACTOR,
        sites=_columns(sites, (*place, "geometry", "warning_area", "key_target")),
        stations=_columns(district.stations, (*place, "site", "interval_s")),
        devices=_columns(devices, names, secret=[secret[d["client_id"]] for d in devices]),
        series={
            "station": [s["code"] for s in district.stations],
            "quantity": [s["quantity"] for s in district.stations],
            "device": [feeds.get(s["code"]) for s in district.stations],
        },
    )


def _answers(district: District) -> None:
    """Who answers for every watched place."""
    ids = dict(Site.objects.values_list("code", "id"))
    _store(
        Responsibility,
        [
            Responsibility(
                id=derived_id("resp", "demo", a["object"], a["post"]),
                object_id=ids[a["object"]],
                post_id=_id("post", a["post"]),
                level=a["level"],
                order=a["order"],
                valid_from=SINCE,
                division_code=a["post"].rpartition("-")[2] if a["post"][-1].isdigit() else DISTRICT,
            )
            for a in district.answers
        ],
    )


def _rules(district: District) -> None:
    """Signed thresholds and the standing order for the siren of the key slope."""
    signer = _id("person", "commander")
    _store(
        Threshold,
        [
            Threshold(
                id=derived_id("threshold", "demo", quantity, kind, mode, window),
                quantity=quantity,
                station_kind=kind,
                mode=mode,
                window_s=window,
                hysteresis=hysteresis,
                persistence_n=n,
                source=source,
                valid_from=SINCE,
                signed_by_id=signer,
                division_code=DISTRICT,
                **dict(zip(("blue", "yellow", "orange", "red"), levels, strict=True)),
            )
            for quantity, kind, mode, window, levels, hysteresis, n, source in THRESHOLDS
        ],
    )
    StandingOrder.objects.get_or_create(
        id=_id("order", "siren"),
        defaults={
            "title": "示例公园 2 号边坡：红色即响警报器",
            "hazard": "slope",
            "grade": Grade.RED,
            "site": Site.objects.get(code=KEY_SLOPE),
            "actions": [{"action": "siren_on", "device_kind": "siren"}],
            "signed_by_id": signer,
            "signed_at": SINCE,
            "valid_from": SINCE,
            "valid_to": SINCE + timedelta(days=1461),
            "division_code": DISTRICT,
        },
    )


def story_posts(district: District) -> dict[str, str]:
    """Actor of the story -> post key: those who answer for the key slope, in the order they are called."""
    area = next(s for s in district.sites if s["code"] == KEY_SLOPE)["division_code"]
    named = {a: a for a in ACTORS}
    return named | {
        "secretary": f"secretary-{area}",
        "engineer": f"engineer-{area[:9]}",
        "responder": f"leader-{area[:9]}",
        "grid": f"grid-{area}",
    }


def _accounts(district: District, password: dict[str, str]) -> dict[str, dict[str, str]]:
    """A user for everybody who acts; passwords are set once."""
    out: dict[str, dict[str, str]] = {}
    users = get_user_model()
    for actor, post in story_posts(district).items():
        person = Person.objects.get(id=_id("person", post))
        if person.user is None:
            user, _ = users.objects.get_or_create(username="demo-admin" if actor == "admin" else actor)
            user.set_password(password[actor])
            user.save()
            person.user = user
            person.save(update_fields=["user"])
        out[actor] = {"username": person.user.get_username(), "password": password[actor], "person": person.id}
    return out
