"""The demo district as plain rows, from a seed: who lives there, what is watched, who answers.

Names of streets and communities come from the register's division table (real codes); every
place, person and figure else is invented and named 示例 so that nothing is said of a real address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from shapely.geometry import Point, Polygon

from .ground import cells, district_outline, geojson, height_at, points_in, seed_of, terrain

Row = dict[str, Any]
DISTRICT = "440303"
SLOPES = 1932  # surveyed slopes of the district the scale is taken from
SENSORS = 85_000  # sensors registered in the full demo; the quick one has a tenth
KEY_SLOPE, KEY_ROAD = "SLOPE-0417", "FLOOD-001"
HOUSES = (("示例 3 栋", 28), ("示例 5 栋", 24), ("示例东段商铺", 18), ("示例北片 1–4 栋", 26), ("示例管理处工棚", 12), ("示例村口散户", 18))


@dataclass(slots=True)
class District:
    """Rows of every ledger, keyed by natural keys (codes), ready to be loaded."""

    divisions: list[Row] = field(default_factory=list)
    organisations: list[Row] = field(default_factory=list)
    people: list[Row] = field(default_factory=list)
    posts: list[Row] = field(default_factory=list)
    sites: list[Row] = field(default_factory=list)
    stations: list[Row] = field(default_factory=list)
    speakers: list[Row] = field(default_factory=list)
    households: list[Row] = field(default_factory=list)
    teams: list[Row] = field(default_factory=list)
    shelters: list[Row] = field(default_factory=list)
    depots: list[Row] = field(default_factory=list)
    grids: list[Row] = field(default_factory=list)
    answers: list[Row] = field(default_factory=list)  # responsibilities: object code, post key, level, order


def make_district(seed: int, communities: list[Row], full: bool = False) -> District:
    """The whole district. `communities` are rows code, name, street_code, street of the division table."""
    made = District()
    areas = _divisions(made, seed, communities)
    _people(made, communities)
    heights, bounds = terrain(seed)
    _sites(made, seed, areas, heights, bounds)
    _stations(made, seed, SENSORS if full else SENSORS // 10)
    _around_key_places(made, seed)
    _forces(made, seed, areas)
    return made


def _divisions(made: District, seed: int, communities: list[Row]) -> dict[str, Polygon]:
    """Division rows with schematic outlines; returns the polygon of every community."""
    outline = district_outline(seed)
    made.divisions.append(_division(DISTRICT, "罗湖区", "county", outline))
    streets: dict[str, list[Row]] = {}
    for row in communities:
        streets.setdefault(row["street_code"], []).append(row)
    areas: dict[str, Polygon] = {}
    ordered = sorted(streets)
    for code, area in zip(ordered, cells(outline, len(ordered), seed_of("streets", seed)), strict=True):
        made.divisions.append(_division(code, streets[code][0]["street"], "township", area))
        inner = cells(area, len(streets[code]), seed_of("communities", seed, code))
        for row, part in zip(streets[code], inner, strict=True):
            made.divisions.append(_division(row["code"], row["name"], "village", part))
            areas[row["code"]] = part
    return areas


def _division(code: str, name: str, level: str, area: Polygon) -> Row:
    inside = area.representative_point()
    return {"code": code, "name": name, "level": level, "lon": inside.x, "lat": inside.y, "geometry": geojson(area), "schematic": True}


def _people(made: District, communities: list[Row]) -> None:
    """The bureau, street offices and community committees with their posts and (invented) people."""
    made.organisations.append({"key": "bureau", "name": "罗湖区应急管理局（示例）", "kind": "bureau", "division_code": DISTRICT})
    desk = [
        ("commander", "指挥长"),
        ("duty", "值守长"),
        ("analyst", "研判员"),
        ("supervisor", "督办员"),
        ("registrar", "名录管理员"),
        ("admin", "系统管理员"),
    ]
    for role, name in desk:
        _post(made, role, f"区{name}", "bureau", role, DISTRICT)
    _post(made, "district-leader", "区带班领导", "bureau", "commander", DISTRICT)
    for street in sorted({row["street_code"] for row in communities}):
        name = next(row["street"] for row in communities if row["street_code"] == street)
        made.organisations.append({"key": street, "name": f"{name}办事处", "kind": "street", "division_code": street})
        _post(made, f"leader-{street}", f"{name}带班领导", street, "responder", street)
        _post(made, f"engineer-{street}", f"{name}地灾技术员", street, "responder", street)
    for row in communities:
        short = row["name"].removesuffix("居委会").removesuffix("社区") + "社区"
        made.organisations.append({"key": row["code"], "name": short, "kind": "community", "division_code": row["code"]})
        _post(made, f"secretary-{row['code']}", f"{short}书记", row["code"], "responder", row["code"])
        _post(made, f"grid-{row['code']}", f"{short}网格员", row["code"], "responder", row["code"])
        made.grids.append({"name": f"{short}一网格", "inspector": f"grid-{row['code']}", "division_code": row["code"]})


def _post(made: District, key: str, name: str, organisation: str, role: str, code: str) -> None:
    number = len(made.people)
    made.people.append(
        {"key": key, "name": f"示例{number:03d}号", "phone": f"000{number:08d}", "email": f"{key}@demo.invalid", "division_code": code}
    )
    made.posts.append({"key": key, "name": name, "organisation": organisation, "role": role, "person": key, "division_code": code})


def _sites(made: District, seed: int, areas: dict[str, Polygon], heights: Any, bounds: tuple[float, float, float, float]) -> None:
    """Slopes on the hills, flood points in the low ground, reservoirs, rain sites, high-rises, enterprises."""
    rng = seed_of("sites", seed)
    codes = sorted(areas)
    high = {c: height_at(heights, bounds, areas[c].centroid.x, areas[c].centroid.y) for c in codes}
    hilly = np.array([max(high[c] - 40, 2) ** 1.3 for c in codes])
    low = np.array([1 / max(high[c], 10) for c in codes])
    plan = [
        ("slope", "SLOPE", "边坡", "Slope", SLOPES, hilly),
        ("flood_point", "FLOOD", "易涝点", "Flood point", 96, low),
        ("reservoir", "RES", "水库", "Reservoir", 8, hilly),
        ("rain_site", "RAIN", "雨量点", "Rain site", 44, np.ones(len(codes))),
        ("high_rise", "HIGH", "高层", "High-rise", 420, low),
        ("enterprise", "ENT", "企业", "Enterprise", 180, low),
    ]
    east = max(codes, key=lambda c: areas[c].centroid.x - 0.5 * abs(areas[c].centroid.y - 22.56))
    lowest = min(codes, key=lambda c: high[c])
    for kind, prefix, zh, en, count, weight in plan:
        homes = rng.choice(len(codes), count, p=weight / weight.sum())
        for i, home in enumerate(homes, 1):
            code = f"{prefix}-{i:0{4 if count > 999 else 3}d}"
            area = codes[home]
            if code == KEY_SLOPE:
                area = east
            elif code == KEY_ROAD:
                area = lowest
            at = areas[area].representative_point() if code in (KEY_SLOPE, KEY_ROAD) else points_in(areas[area], 1, rng)[0]
            made.sites.append(
                {
                    "code": code,
                    "name": f"示例{zh} {i}",
                    "name_en": f"Example {en.lower()} {i}",
                    "kind": kind,
                    "lon": at.x,
                    "lat": at.y,
                    "division_code": area,
                    "key_target": kind in ("reservoir", "enterprise") and i % 6 == 0,
                }
            )
            people = [(f"secretary-{area}", "community"), (f"leader-{area[:9]}", "street"), ("district-leader", "district")]
            if kind == "slope":
                people.insert(1, (f"engineer-{area[:9]}", "street"))
            if kind in ("slope", "flood_point", "reservoir"):
                made.answers += [{"object": code, "post": p, "level": level, "order": n} for n, (p, level) in enumerate(people, 1)]


_KIT: dict[str, list[tuple[str, str, str, float]]] = {  # site kind -> (station kind, quantity, zh, interval s)
    "slope": [("crack_meter", "crack_width", "裂缝计", 300), ("tilt_meter", "tilt", "倾角仪", 300), ("gnss", "displacement", "GNSS", 3600)],
    "flood_point": [("depth_gauge", "water_depth", "水深计", 60)],
    "reservoir": [
        ("level_gauge", "water_level", "水位计", 300),
        ("rain_gauge", "rainfall", "雨量计", 300),
        ("piezometer", "pore_pressure", "渗压计", 600),
    ],
    "rain_site": [("rain_gauge", "rainfall", "雨量计", 300)],
    "enterprise": [("gas_detector", "gas_concentration", "气体探测器", 60), ("smart_meter", "residual_current", "智慧用电", 60)],
    "high_rise": [("smoke_detector", "smoke_obscuration", "烟感", 60), ("hydrant", "pressure", "消防水压", 60)],
}


def _stations(made: District, seed: int, total: int) -> None:
    """Stations on every site by its kit, then smoke and electricity sensors until `total` is reached."""
    rng = seed_of("stations", seed)
    for site in made.sites:
        kit = _KIT[site["kind"]]
        if site["kind"] == "slope" and site["code"] != KEY_SLOPE:
            kit = kit[: 1 + int(rng.integers(0, 3))]
        if site["code"] == KEY_SLOPE:
            kit = [
                kit[0],
                ("crack_meter", "crack_width", "裂缝计二号", 600),
                kit[1],
                ("gnss", "displacement", "GNSS", 300),
                ("rain_gauge", "rainfall", "雨量计", 300),
            ]
        for i, (kind, quantity, zh, interval) in enumerate(kit, 1):
            made.stations.append(_station(site, i, kind, quantity, zh, interval, rng))
    buildings = [s for s in made.sites if s["kind"] == "high_rise"]
    serial = {s["code"]: 10 for s in buildings}
    while len(made.stations) < total:
        site = buildings[int(rng.integers(len(buildings)))]
        serial[site["code"]] += 1
        kind, quantity, zh = (("smoke_detector", "smoke_obscuration", "烟感"), ("smart_meter", "residual_current", "智慧用电"))[
            serial[site["code"]] % 2
        ]
        made.stations.append(_station(site, serial[site["code"]], kind, quantity, zh, 60, rng))


def _station(site: Row, i: int, kind: str, quantity: str, zh: str, interval: float, rng: np.random.Generator) -> Row:
    dx, dy = rng.normal(0, 0.00025, 2)
    return {
        "code": f"{site['code']}-{i:02d}",
        "name": f"{site['name']} {zh}",
        "name_en": f"{site['name_en']} {kind.replace('_', ' ')}",
        "kind": kind,
        "site": site["code"],
        "quantity": quantity,
        "interval_s": interval,
        "lon": round(site["lon"] + dx, 6),
        "lat": round(site["lat"] + dy, 6),
        "division_code": site["division_code"],
    }


def _around_key_places(made: District, seed: int) -> None:
    """Households, loudspeakers, siren and the warning area of the slope that fails and the road that floods."""
    rng = seed_of("houses", seed)
    slope = next(s for s in made.sites if s["code"] == KEY_SLOPE)
    road = next(s for s in made.sites if s["code"] == KEY_ROAD)
    ring = Point(slope["lon"], slope["lat"] - 0.0022).buffer(0.0045, quad_segs=4)
    slope["warning_area"] = geojson(ring)
    slope["geometry"] = geojson(Point(slope["lon"], slope["lat"]).buffer(0.0009, quad_segs=3))
    slope["name"], slope["name_en"] = "示例公园 2 号边坡", "Example Park slope 2"
    road["warning_area"] = geojson(Point(road["lon"], road["lat"]).buffer(0.0025, quad_segs=4))
    road["name"], road["name_en"] = "示例路下穿通道", "Example Rd underpass"
    for b, (building, doors) in enumerate(HOUSES):
        angle = 2 * np.pi * b / len(HOUSES)
        x, y = ring.centroid.x + 0.0024 * np.cos(angle), ring.centroid.y + 0.002 * np.sin(angle)
        for i in range(doors):
            door = f"{i // 4 + 1}0{i % 4 + 1}" if "栋" in building else f"{i + 1} 号"
            reachable = rng.random() > 0.06
            made.households.append(
                {
                    "building": building,
                    "door": door,
                    "head": f"示例户 {b + 1}-{i + 1}",
                    "people": int(rng.integers(1, 5)),
                    "phone": f"001{b:02d}{i:06d}" if reachable else "",
                    "needs_help": "独居老人" if rng.random() < 0.07 else "",
                    "lon": round(x + rng.normal(0, 2e-4), 6),
                    "lat": round(y + rng.normal(0, 2e-4), 6),
                    "division_code": slope["division_code"],
                }
            )
    for i in range(18):
        made.households.append(
            {
                "building": "示例路 2–36 号",
                "door": f"{2 * i + 2} 号",
                "head": f"示例户 7-{i + 1}",
                "people": 2,
                "phone": f"00107{i:06d}",
                "needs_help": "",
                "lon": round(road["lon"] + 1e-4 * i, 6),
                "lat": road["lat"],
                "division_code": road["division_code"],
            }
        )
    for i in range(11):
        x, y = ring.centroid.x + 0.0011 * (i % 4 - 1.5), ring.centroid.y + 0.0011 * (i // 4 - 1)
        made.speakers.append(
            {
                "client_id": f"SPK-{i + 1:03d}",
                "kind": "loudspeaker",
                "name": f"示例大喇叭 {i + 1}",
                "site": None,
                "lon": round(x, 6),
                "lat": round(y, 6),
                "reach_m": 150.0,
                "division_code": slope["division_code"],
            }
        )
    made.speakers.append(
        {
            "client_id": "SIREN-001",
            "kind": "siren",
            "name": "示例边坡声光警报器",
            "site": KEY_SLOPE,
            "lon": slope["lon"],
            "lat": slope["lat"],
            "reach_m": 300.0,
            "division_code": slope["division_code"],
        }
    )


def _forces(made: District, seed: int, areas: dict[str, Polygon]) -> None:
    """Teams, shelters and depots."""
    rng = seed_of("forces", seed)
    whole = sorted(areas)
    for i, (kind, zh) in enumerate(
        [("fire", "综合救援队"), ("flood", "抗洪抢险队"), ("geology", "地灾应急队"), ("medical", "医疗救护队")] * 3, 1
    ):
        code = whole[int(rng.integers(len(whole)))]
        at = points_in(areas[code], 1, rng)[0]
        made.teams.append(
            {"name": f"示例{zh} {i}", "kind": kind, "members": int(rng.integers(8, 30)), "lon": at.x, "lat": at.y, "division_code": code}
        )
    for i in range(1, 25):
        code = whole[int(rng.integers(len(whole)))]
        at = points_in(areas[code], 1, rng)[0]
        made.shelters.append(
            {"name": f"示例避灾点 {i}", "capacity": int(rng.integers(60, 600)), "lon": at.x, "lat": at.y, "division_code": code}
        )
        if i <= 6:
            made.depots.append(
                {
                    "name": f"示例物资库 {i}",
                    "stock": {"沙袋": 800, "帐篷": 40, "抽水泵": 6},
                    "lon": at.x + 0.001,
                    "lat": at.y,
                    "division_code": code,
                }
            )
