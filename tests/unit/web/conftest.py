"""A small world for the web tests: two streets of one district, one person with a log-in in each, one for the district."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest


@dataclass
class World:
    """Ids and log-ins of the small world."""

    users: dict[str, tuple[str, str]]
    people: dict[str, Any]
    sites: dict[str, Any]
    stations: dict[str, Any]


def _person(name: str, role: str, code: str, organisation: Any) -> Any:
    from anlan.register.service import create_person, create_post

    person = create_person(name, code, actor="system:test", phone="10086", username=f"u-{name}", password=f"word-{name}-1")
    create_post(f"{name}岗", organisation, role, code, actor="system:test", person=person)
    return person


def make_world() -> World:
    """Write the small world into the current database."""
    from anlan.engines.outbox import acting
    from anlan.register.models import Division, Organisation, Site, Station

    with acting("system:test"):
        for code, name, level in (
            ("440303", "罗湖区", "county"),
            ("440303001", "桂园街道", "township"),
            ("440303002", "黄贝街道", "township"),
        ):
            Division.objects.update_or_create(code=code, defaults={"name": name, "level": level, "lon": 114.13, "lat": 22.55})
        organisation = Organisation.objects.create(name="应急管理局", division_code="440303")
    people = {
        "district": _person("district", "admin", "440303", organisation),
        "commander": _person("commander", "commander", "440303", organisation),
        "east": _person("east", "registrar", "440303001", organisation),
        "west": _person("west", "registrar", "440303002", organisation),
    }
    sites, stations = {}, {}
    with acting("system:test"):
        for street, code in (("east", "440303001"), ("west", "440303002")):
            site = Site(code=f"S-{street}", name=f"{street} 边坡", kind="slope", lon=114.13, lat=22.55, division_code=code, key_target=True)
            site.save()
            sites[street] = site
            station = Station(
                code=f"T-{street}", name=f"{street} 裂缝", kind="crack_meter", site=site, lon=114.131, lat=22.551, division_code=code
            )
            station.save()
            station.refresh_from_db()
            stations[street] = station
    return World({n: (f"u-{n}", f"word-{n}-1") for n in people}, people, sites, stations)


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords(migrated: str) -> None:
    """Hash passwords cheaply: the real hash costs half a second each."""
    from django.conf import settings
    from django.contrib.auth.hashers import get_hashers, get_hashers_by_algorithm

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    get_hashers.cache_clear()
    get_hashers_by_algorithm.cache_clear()


@pytest.fixture
def world(db: str) -> World:
    """The small world, rolled back after the test."""
    return make_world()


@pytest.fixture
def client(world: World) -> Any:
    """``client(name)`` gives Django's test client logged in as that person."""
    from django.test import Client

    def logged_in(name: str) -> Any:
        made = Client(enforce_csrf_checks=False)
        answer = made.post(
            "/api/login", {"username": world.users[name][0], "password": world.users[name][1]}, content_type="application/json"
        )
        assert answer.status_code == 200, answer.content
        return made

    return logged_in


@pytest.fixture
def tokens(real_db: str) -> dict[str, str]:
    """The small world in a database of its own, really committed; a bearer token of each person."""
    from anlan.web.tokens import make_token

    return {name: make_token(person) for name, person in make_world().people.items()}
