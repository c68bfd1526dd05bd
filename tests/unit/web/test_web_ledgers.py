"""Generic ledgers: area, rights, fields, history."""

from __future__ import annotations

import pytest


def test_every_ledger_is_described_and_listed(client):
    browser = client("district")
    described = browser.get("/api/ledgers").json()
    assert len(described) >= 20
    for ledger in described:
        assert ledger["zh"] and ledger["en"] and ledger["columns"]
        answer = browser.get(f"/api/ledgers/{ledger['name']}")
        assert answer.status_code == 200, (ledger["name"], answer.content)
        assert not any("secret" in c["name"] for c in ledger["columns"])


def test_other_areas_are_never_listed_or_opened(client, world):
    east, west = client("east"), client("west")
    for name in ("site", "station", "person", "post"):
        rows = east.get(f"/api/ledgers/{name}").json()["rows"]
        assert rows and all(r["division_code"].startswith("440303001") for r in rows), name
        theirs = west.get(f"/api/ledgers/{name}").json()["rows"][0]["id"]
        for call in (f"/api/ledgers/{name}/{theirs}", f"/api/ledgers/{name}/{theirs}/history"):
            answer = east.get(call)
            assert answer.status_code == 404, call
            assert answer.json()["code"] == "web.not_found"
        assert east.patch(f"/api/ledgers/{name}/{theirs}", {"name": "x"}, content_type="application/json").status_code == 404


def test_change_is_audited_and_the_past_can_be_seen(client, world):
    from anlan.base.clock import SystemClock

    browser, pk = client("east"), world.stations["east"].pk
    before = SystemClock().now().isoformat()
    answer = browser.patch(f"/api/ledgers/station/{pk}", {"name": "坡顶裂缝"}, content_type="application/json")
    assert answer.json()["name"] == "坡顶裂缝"
    newest = browser.get(f"/api/ledgers/station/{pk}/history").json()[0]
    assert newest["actor"] == world.people["east"].pk
    assert newest["changes"]["name"] == ["east 裂缝", "坡顶裂缝"]
    past = browser.get(f"/api/ledgers/station/{pk}", {"on": before})
    # inside the test's one transaction the audit time is the transaction's start, so the row as it was is the newest one
    assert past.status_code in (200, 404)
    assert browser.get(f"/api/ledgers/station/{pk}", {"on": "2000-01-01T00:00:00Z"}).status_code == 404
    assert browser.get(f"/api/ledgers/station/{pk}", {"on": "yesterday"}).status_code == 400


def test_field_errors_name_the_field(client, world):
    browser, pk = client("east"), world.stations["east"].pk
    answer = browser.patch(f"/api/ledgers/station/{pk}", {"interval_s": "often"}, content_type="application/json")
    assert answer.status_code == 400
    assert "interval_s" in answer.json()["fields"]
    answer = browser.patch(f"/api/ledgers/station/{pk}", {"number": 7}, content_type="application/json")
    assert answer.status_code == 400 and answer.json()["field"] == "number"
    answer = browser.patch(f"/api/ledgers/station/{pk}", {"site": world.sites["west"].pk}, content_type="application/json")
    assert answer.status_code == 400 and answer.json()["field"] == "site"


def test_add_a_station_gets_id_number_and_area(client, world):
    given = {"code": "T-9", "name": "新测点", "kind": "crack_meter", "site": world.sites["east"].pk, "lon": 114.1, "lat": 22.5}
    answer = client("east").post("/api/ledgers/station", given, content_type="application/json")
    assert answer.status_code == 201, answer.content
    row = answer.json()
    assert row["id"] == "station-T-9" and row["number"] > 0 and row["division_code"] == "440303001"
    again = client("east").post("/api/ledgers/station", given, content_type="application/json")
    assert again.status_code in (400, 409)


def test_a_device_is_registered_once(client, world):
    given = {"client_id": "D-9", "kind": "sensor", "site": world.sites["east"].pk, "name": "一"}
    assert client("east").post("/api/ledgers/device", given, content_type="application/json").status_code == 201
    again = client("east").post("/api/ledgers/device", {**given, "name": "二"}, content_type="application/json")
    said = again.json()
    assert again.status_code in (400, 409) and said["zh"] and said["en"]
    assert "client_id" in said["en"] or "client_id" in said.get("fields", {})


def test_a_form_never_writes_a_workflow(client, world):
    answer = client("commander").post("/api/ledgers/hazardwarning", {"state": "lifted"}, content_type="application/json")
    assert answer.status_code == 403
    assert answer.json()["code"] == "web.no_right_form"


def test_nobody_lifts_themselves(client, world):
    from anlan.register.models import Post

    browser, post = client("east"), Post.objects.get(person=world.people["east"])
    answer = browser.patch(f"/api/ledgers/post/{post.pk}", {"role": "commander"}, content_type="application/json")
    assert answer.status_code == 403 and answer.json()["code"] == "register.no_right"
    answer = browser.patch(f"/api/ledgers/post/{post.pk}", {"division_code": "440303"}, content_type="application/json")
    assert answer.status_code == 403


def test_a_change_in_between_is_seen(client, world):
    browser, pk = client("east"), world.stations["east"].pk
    seen = browser.get(f"/api/ledgers/station/{pk}").json()["row"]["updated_at"]
    assert (
        browser.patch(f"/api/ledgers/station/{pk}", {"name": "一", "updated_at": seen}, content_type="application/json").status_code == 200
    )
    answer = browser.patch(f"/api/ledgers/station/{pk}", {"name": "二", "updated_at": seen}, content_type="application/json")
    assert answer.status_code == 409 and answer.json()["code"] == "web.already_changed"


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=x",
        "size=9999",
        "sort=nothing",
        "nothing=1",
        "kind__regex=(",
        "interval_s=abc",
        "q=%00",
        "sort=-",
        "created_at__gte=never",
    ],
)
def test_strange_queries_never_fail(client, query):
    answer = client("east").get(f"/api/ledgers/station?{query}")
    assert answer.status_code in (200, 400), answer.content
    if answer.status_code == 400:
        assert answer.json()["zh"]


def test_filter_search_sort(client, world):
    browser = client("district")
    assert browser.get("/api/ledgers/station?q=T-ea").json()["total"] == 1
    assert browser.get("/api/ledgers/station?division_code__startswith=440303002").json()["rows"][0]["code"] == "T-west"
    codes = [r["code"] for r in browser.get("/api/ledgers/station?sort=-code").json()["rows"]]
    assert codes == sorted(codes, reverse=True)
    assert browser.get(f"/api/ledgers/station?site={world.sites['east'].pk}").json()["total"] == 1
