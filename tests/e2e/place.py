"""A small real district for the browser tests, made in a running installation: ``ANLAN_DATA=… python place.py``.

One underpass with a depth gauge and a loudspeaker, a quiet gauge in another street, households, and
everybody who acts. Prints one JSON object: log-ins, device secrets, ids.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

PASSWORD = "Yi-Shui-Yi-Fang-7"
HOME, STREET, ELSEWHERE = "440303003015", "440303003", "440303001001"
LON, LAT = 114.128, 22.568
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "geheim-7-7-7"
# user name -> (role, division, level at which it answers for the underpass)
PEOPLE = {
    "commander": ("commander", "440303", "district"),
    "duty": ("duty", "440303", ""),
    "supervisor": ("supervisor", "440303", ""),
    "registrar": ("registrar", "440303", ""),
    "keeper": ("admin", "440303", ""),
    "secretary": ("responder", HOME, "site"),
    "leader": ("responder", STREET, "street"),
    "other-street": ("duty", "440303001", ""),
}


def square(lon: float, lat: float, half: float) -> dict[str, object]:
    """A square as GeoJSON; `half` its half side in degrees."""
    ring = [
        [lon - half, lat - half],
        [lon + half, lat - half],
        [lon + half, lat + half],
        [lon - half, lat + half],
        [lon - half, lat - half],
    ]
    return {"type": "Polygon", "coordinates": [ring]}


def watched() -> None:
    """Sites, gauges, devices."""
    from anlan.register.service import provision

    quiet = [f"FLOOD-{n}" for n in range(2, 8)]
    codes, n = ["FLOOD-1", *quiet], 1 + len(quiet)
    places = {
        "lon": [LON] + [LON - 0.01 + 0.002 * i for i in range(n - 1)],
        "lat": [LAT] + [LAT - 0.012] * (n - 1),
        "division_code": [HOME] + [ELSEWHERE] * (n - 1),
    }
    provision(
        actor="system:test",
        sites={
            "code": codes,
            "name": ["试验路下穿通道"] + [f"试验易涝点 {i}" for i in range(2, n + 1)],
            "name_en": ["Trial Rd underpass"] + [f"Trial low point {i}" for i in range(2, n + 1)],
            "kind": ["flood_point"] * n,
            "warning_area": [square(LON, LAT, 0.003)] + [None] * (n - 1),
            "key_target": [True] + [False] * (n - 1),
            **places,
        },
        stations={
            "code": [f"{c}-01" for c in codes],
            "name": [f"水深计 {i + 1}" for i in range(n)],
            "name_en": [f"Depth gauge {i + 1}" for i in range(n)],
            "kind": ["depth_gauge"] * n,
            "site": codes,
            "interval_s": [1800.0] * n,  # nobody falls silent while the tests run
            **places,
        },
        devices={
            "client_id": [f"DEV-{c}" for c in codes] + ["SPK-1"],
            "kind": ["sensor"] * n + ["loudspeaker"],
            "name": [f"水深计 {i + 1}" for i in range(n)] + ["试验大喇叭"],
            "site": [*codes, None],
            "reach_m": [None] * n + [300.0],
            "lon": [*places["lon"], LON],
            "lat": [*places["lat"], LAT],
            "division_code": [*places["division_code"], HOME],
            "secret": [SECRET] * (n + 1),
        },
        series={"station": [f"{c}-01" for c in codes], "quantity": ["water_depth"] * n, "device": [f"DEV-{c}" for c in codes]},
    )


def people() -> None:
    """Posts, log-ins, households with their grid, who answers, and the signed threshold."""
    from anlan.engines.outbox import acting
    from anlan.register import service as s
    from anlan.register.models import Grid, Household, Organisation, Site, Threshold

    with acting("system:test"):
        home = Organisation(name="试验区应急管理局", division_code="440303")
        home.save()
    site, posts, persons = Site.objects.get(code="FLOOD-1"), {}, {}
    for order, (name, (role, area, level)) in enumerate(PEOPLE.items()):
        email = f"{name}@example.org"
        persons[name] = s.create_person(f"试验{name}", area, actor="system:test", email=email, username=name, password=PASSWORD)
        posts[name] = s.create_post(f"{name}岗", home, role, area, actor="system:test", person=persons[name])
        if level:
            s.make_answerable(site.id, posts[name], level, 10 - order, actor="system:test", valid_from=SINCE)
    with acting("system:test"):
        grid = Grid(name="试验一网格", inspector=posts["secretary"], division_code=HOME)
        grid.save()
        for n in range(6):
            Household(
                building="试验路 2 号",
                door=f"{n + 1}01",
                people=2,
                phone=f"0000000{n}" if n else "",
                lon=LON,
                lat=LAT,
                grid=grid,
                division_code=HOME,
            ).save()
        Household(building="远处", door="1", people=1, phone="1", lon=LON - 0.03, lat=LAT, division_code=ELSEWHERE).save()
        limit = Threshold(
            quantity="water_depth",
            station_kind="depth_gauge",
            blue=0.05,
            yellow=0.10,
            orange=0.15,
            red=0.27,
            source="试验值",
            valid_from=SINCE,
            division_code="440303",
        )
        limit.save()
    s.sign_threshold(limit.id, persons["commander"])


def main() -> None:
    """Make it all in the installation of ``ANLAN_DATA`` and say what a test needs."""
    from anlan.engines.attach import database_of
    from anlan.engines.project import setup

    with database_of() as url:
        setup(url)
        from anlan.register.models import Site
        from anlan.register.service import load_divisions
        from anlan.wire import load_services

        load_services()
        load_divisions(["440303"], actor="system:test")
        watched()
        people()
        print(json.dumps({"password": PASSWORD, "secret": SECRET, "site": Site.objects.get(code="FLOOD-1").id}))


if __name__ == "__main__":
    main()
