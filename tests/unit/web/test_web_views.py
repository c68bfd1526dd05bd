"""Map, desk, health, detail and readings over a real database."""

from __future__ import annotations

import numpy as np
import pytest


def put_latest(numbers, grade, silent, quantity=2):
    from anlan.base.clock import now_ms
    from anlan.collect.models import LatestBlock
    from anlan.collect.store import Latest

    n = len(numbers)
    block = Latest(
        np.array(numbers, np.int32), np.full(n, quantity, np.int16), np.full(n, now_ms() - 5000), np.linspace(0.001, 0.002, n),
        np.zeros(n, np.uint8), np.array(grade, np.int8), np.array(silent, np.uint8),
    )  # fmt: skip
    LatestBlock.objects.update_or_create(partition=0, defaults={"data": block.to_bytes(), "written_ms": now_ms()})


@pytest.fixture(autouse=True)
def fresh_table(monkeypatch):
    """Each test has its own rows: forget the cached station table and tiles."""
    from anlan.web import stations, tiles

    monkeypatch.setattr(stations, "CHECK_S", 0.0)
    stations.stations._table = None
    tiles._points.clear()


def test_the_map_shows_only_ones_own_area(client, world):
    numbers = {name: s.number for name, s in world.stations.items()}
    put_latest([numbers["east"], numbers["west"]], [3, 0], [0, 1])
    whole = client("district").get("/api/map/stations").json()
    assert whole["number"] == [numbers["east"], numbers["west"]]
    assert whole["state"] == ["graded", "offline"] and whole["grade"] == [3, 0]
    assert (whole["total"], whole["live"], whole["offline"]) == (2, 1, 1)
    assert 4 <= whole["age_s"][0] < 120
    east = client("east").get("/api/map/stations").json()
    assert east["number"] == [numbers["east"]] and east["total"] == 1
    assert client("west").get("/api/map/latest").json()["station"] == [numbers["west"]]
    sites = {s["id"]: s for s in client("district").get("/api/map/objects").json()["sites"]}
    assert sites[world.sites["east"].pk]["state"] == "graded" and sites[world.sites["west"].pk]["state"] == "offline"
    assert [s["id"] for s in client("east").get("/api/map/objects").json()["sites"]] == [world.sites["east"].pk]


def test_tiles_are_scoped_and_tagged(client, world):
    import gzip
    import math

    import mapbox_vector_tile

    put_latest([world.stations["east"].number], [4], [0])
    z = 12
    x = int((114.131 + 180) / 360 * 2**z)
    y = int((1 - math.asinh(math.tan(math.radians(22.551))) / math.pi) / 2 * 2**z)
    browser = client("east")
    answer = browser.get(f"/api/tiles/stations/{z}/{x}/{y}.mvt")
    features = mapbox_vector_tile.decode(gzip.decompress(answer.content))["stations"]["features"]
    wanted = {"grade": 4, "kind": "crack_meter", "state": "graded"}
    assert [(f["id"], f["properties"]) for f in features] == [(world.stations["east"].number, wanted)]
    again = browser.get(f"/api/tiles/stations/{z}/{x}/{y}.mvt", headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304
    assert browser.get(f"/api/tiles/sites/{z}/{x}/{y}.mvt").status_code == 200
    for bad in ("nothing/1/0/0", "stations/1/9/0", "stations/99/0/0"):
        assert browser.get(f"/api/tiles/{bad}.mvt").status_code == 404


def test_terrain_tiles_where_there_is_terrain(client, tmp_path, monkeypatch):
    import io

    from PIL import Image

    monkeypatch.setenv("ANLAN_DATA", str(tmp_path))
    browser = client("east")
    assert browser.get("/api/map/base").json()["terrain"] is None
    assert browser.get("/api/terrain/12/3346/1784.png").status_code == 404
    np.savez(tmp_path / "terrain.npz", elevation=np.full((50, 50), 300, np.float32), bounds=[114.0, 22.4, 114.3, 22.7])
    base = browser.get("/api/map/base").json()
    assert base["terrain"]["encoding"] == "terrarium" and base["district"]["code"] == "440303"
    picture = Image.open(io.BytesIO(browser.get("/api/terrain/12/3346/1784.png").content))
    r, g, b = picture.getpixel((128, 128))
    assert picture.size == (256, 256) and r * 256 + g + b / 256 - 32768 == 300
    assert browser.get("/api/terrain/12/0/0.png").status_code == 404
    (tmp_path / "terrain.npz").write_bytes(b"broken")
    assert browser.get("/api/map/base").json()["terrain"] is None


def test_the_queue_holds_what_waits_and_in_order(client, world):
    from datetime import timedelta

    from anlan.base.clock import SystemClock
    from anlan.collect.models import DeadLetter
    from anlan.engines.outbox import acting
    from anlan.issue.models import Proposal
    from anlan.register.models import Post
    from anlan.respond.models import Task

    now, site, post = SystemClock().now(), world.sites["east"], Post.objects.get(person=world.people["east"])
    with acting("system:test"):
        Proposal.objects.create(
            site=site, hazard="slope", grade=3, proposed_at=now, decide_by=now + timedelta(minutes=5), zh="速度超限", en="too fast",
            division_code=site.division_code,
        )  # fmt: skip
        common = {"post": post, "division_code": site.division_code, "sent_at": now}
        Task.objects.create(title="封路", title_en="Close the road", due_at=now - timedelta(minutes=3), **common)
        Task.objects.create(title="未到期", due_at=now + timedelta(hours=1), **common)
    for _ in range(2):
        DeadLetter.objects.create(code="collect.bad_json", source="mqtt", device="d1", zh="不是 JSON", en="not JSON", count=2)
    put_latest([world.stations["east"].number, world.stations["west"].number], [0, 0], [1, 1])
    items = client("district").get("/api/desk/queue").json()
    assert [i["kind"] for i in items] == ["task", "proposal", "silence", "silence", "letter"]
    assert items[1]["title"] == "east 边坡 · 建议橙" and items[1]["site"]["id"] == site.pk
    assert "4 条" in items[-1]["line"]
    assert [i["kind"] for i in client("west").get("/api/desk/queue").json()] == ["silence"]
    assert client("west").post("/api/letters/collect.bad_json/done", {"text": "x"}, content_type="application/json").status_code == 404
    assert client("district").post("/api/letters/collect.bad_json/done", {}, content_type="application/json").json() == {"done": 2}
    assert client("district").get("/api/letters").json() == []
    assert len(client("district").get("/api/letters?all=1").json()) == 2


def test_health_says_what_is_wrong_and_what_to_do(client, monkeypatch):
    from anlan.web import health

    monkeypatch.setattr(health, "_log_facts", (0.0, {}))
    monkeypatch.setenv("ANLAN_NATS_URL", "nats://127.0.0.1:1")
    answer = client("district").get("/api/system/health").json()
    assert answer["ok"] is False
    log = next(e for e in answer["engines"] if e["name"].startswith("NATS"))
    assert log["ok"] is False and log["zh"] and log["en"]
    assert answer["lanes"][0]["worker"] is None and "anlan worker" in answer["lanes"][0]["en"]
    assert answer["disk"]["free_gb"] > 0 and answer["versions"]["anlan"]


def test_site_and_station_pages(client, world):
    from anlan.base.clock import SystemClock
    from anlan.engines.outbox import acting
    from anlan.register.models import Series, Threshold

    station, site = world.stations["east"], world.sites["east"]
    Series.objects.create(station=station, quantity=2)
    common = {"quantity": "crack_width", "mode": "above", "source": "示例", "valid_from": SystemClock().now(), "division_code": "440303001"}
    with acting("system:test"):
        Threshold.objects.create(**common, station_kind="crack_meter", red=0.1, signed_by=world.people["commander"])
        narrow = Threshold.objects.create(**common, station=station, red=0.05, signed_by=world.people["commander"])
        Threshold.objects.create(**common, site=site, red=0.01)  # a draft, not signed: not in force
    put_latest([station.number], [2], [0])
    browser = client("east")
    for key in (station.pk, station.code, station.number):
        page = browser.get(f"/api/stations/{key}").json()
        assert page["id"] == station.pk
    assert page["grade"] == 2 and page["state"] == "graded" and page["site"]["name"] == site.name
    assert [t["id"] for t in page["series"][0]["thresholds"]] == [narrow.pk]
    assert page["series"][0]["latest"]["value"] == 0.001
    whole = browser.get(f"/api/sites/{site.pk}").json()
    assert whole["grade"] == 2 and whole["stations"][0]["code"] == "T-east" and whole["division_name"] == "桂园街道"
    for call in (
        f"/api/stations/{world.stations['west'].number}",
        f"/api/sites/{world.sites['west'].pk}",
        "/api/stations/%00",
        "/api/sites/x",
    ):
        assert browser.get(call).status_code == 404, call


def test_readings_are_thinned_judged_and_never_bridged(client, world):
    from django.db import connection

    from anlan.base.block import ReadingBlock
    from anlan.collect.store import copy_block

    station = world.stations["east"]
    start, n = 1_780_000_000_000, 3000
    t = start + np.r_[np.arange(n), np.arange(n) + n + 500] * 300_000
    hours = (t - start) / 3.6e6
    value = 1e-4 * hours + 2e-6 * np.random.default_rng(1).normal(size=2 * n)
    connection.ensure_connection()
    with connection.connection.cursor() as cursor:
        copy_block(cursor, ReadingBlock.of(np.full(2 * n, station.number), np.full(2 * n, 2), t, value))
    call = f"/api/stations/{station.pk}/readings?quantity=crack_width&from={start}&to={t[-1]}&points=400"
    page = client("east").get(call).json()
    assert page["count"] == 2 * n and page["thinned"] and len(page["time_ms"]) <= 410
    assert len(page["gaps"]) == 1 and page["value"].count(None) == 1
    velocity = [v for v in page["judged"]["velocity"]["value"] if v is not None]
    assert abs(np.median(velocity) - 1e-4) < 1e-6, "0.1 mm/h went in"
    angles = [v for v in page["judged"]["tangent_angle"]["value"] if v is not None]
    assert abs(np.median(angles) - 45) < 3, "steady creep is 45 degrees"
    assert client("west").get(call).status_code == 404
    for bad in ("quantity=nothing", "from=yesterday", "points=1", "from=5&to=3", "from=-99999999999999999", "to=9999999999999999999"):
        assert client("east").get(f"/api/stations/{station.pk}/readings?{bad}").status_code == 400, bad
    empty = client("east").get(f"/api/stations/{station.pk}/readings?quantity=tilt").json()
    assert empty["count"] == 0 and empty["time_ms"] == []


def test_metrics_and_docs(client):
    browser = client("east")
    assert b"anlan_web_requests" in browser.get("/metrics").content
    assert browser.get("/metrics", REMOTE_ADDR="10.0.0.7").status_code == 403
    assert b"/api/desk/queue" in browser.get("/api/docs").content
    assert browser.get("/api/openapi.json").json()["info"]["title"].endswith("Anlan")
    assert browser.get("/api/nothing").json()["code"] == "web.not_found"


def test_the_admin_is_for_the_administrator_only(client, world):
    from django.contrib.auth import get_user_model

    browser = client("district")
    assert browser.get("/admin/").status_code == 302
    get_user_model().objects.filter(username="u-district").update(is_superuser=True, is_staff=True)
    assert browser.get("/admin/").status_code == 200
    for name in ("register/station", "engines/auditentry", "collect/deadletter", "auth/user"):
        answer = browser.get(f"/admin/{name}/")
        assert answer.status_code == 200, name
    assert browser.post("/admin/register/station/add/", {}).status_code == 403
