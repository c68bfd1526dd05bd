"""Import, export and actions of ledgers over HTTP."""

from __future__ import annotations

import base64

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

HEADER = "code,name,kind,lon,lat,division_code,source_crs\n"


def csv(*rows: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("sites.csv", (HEADER + "".join(f"{r}\n" for r in rows)).encode())


def test_good_rows_go_in_and_bad_ones_come_back_with_reasons(client, world):
    browser = client("east")
    rows = (
        "N-1,新坡,slope,114.1,22.5,440303001,wgs84",
        "N-2,别处,slope,114.1,22.5,440303002,wgs84",
        "N-3,坏,slope,abc,22.5,440303001,wgs84",
    )
    tried = browser.post("/api/ledgers/site/import?dry_run=1", {"file": csv(*rows)}).json()
    assert (tried["accepted"], tried["rejected"], tried["dry_run"]) == (1, 2, True)
    assert browser.get("/api/ledgers/site?q=N-1").json()["total"] == 0
    done = browser.post("/api/ledgers/site/import", {"file": csv(*rows)}).json()
    assert (done["created"], done["rejected"]) == (1, 2) and len(done["errors"]) == 2
    text = base64.b64decode(done["rejected_file"].partition("base64,")[2]).decode("utf-8-sig")
    assert "N-2" in text and "N-3" in text and "N-1" not in text
    assert browser.get("/api/ledgers/site?q=N-1").json()["total"] == 1


def test_export_holds_only_ones_own_and_comes_back_unchanged(client, world):
    browser = client("east")
    out = browser.get("/api/ledgers/site/export?format=csv")
    assert b"S-east" in out.content and b"S-west" not in out.content
    again = browser.post("/api/ledgers/site/import", {"file": SimpleUploadedFile("s.csv", out.content)}).json()
    assert (again["unchanged"], again["created"], again["updated"], again["rejected"]) == (1, 0, 0, 0), again
    assert browser.get("/api/ledgers/site/export").content[:2] == b"PK"
    assert browser.get("/api/ledgers/site/template?format=csv").status_code == 200
    assert browser.get("/api/ledgers/site/export?format=pdf").status_code == 400


@pytest.mark.parametrize(
    ("name", "person", "status"),
    [("post", "east", 403), ("hazardwarning", "commander", 400), ("site", "commander", 403), ("nothing", "east", 404)],
)
def test_who_may_import_what(client, name, person, status):
    assert client(person).post(f"/api/ledgers/{name}/import", {"file": csv()}).status_code == status


@pytest.mark.parametrize("data", [b"", b"\x00\xff\xfe", b"PK\x03\x04half a workbook", b"no header here"])
def test_half_files_are_refused_with_a_reason(client, data):
    answer = client("east").post("/api/ledgers/site/import", {"file": SimpleUploadedFile("a.xlsx", data)})
    assert answer.status_code == 400, answer.content
    assert answer.json()["zh"] and answer.json()["en"]
    assert client("east").post("/api/ledgers/site/import", {}).status_code == 400


def test_actions_on_a_row(client, world):
    from anlan.base.clock import SystemClock
    from anlan.engines.outbox import acting
    from anlan.register.models import Device, Threshold

    with acting("system:test"):
        device = Device(client_id="d-1", username="d", division_code="440303001")
        device.save()
        limit = Threshold.objects.create(
            quantity="crack_width",
            station=world.stations["east"],
            red=0.1,
            source="示例",
            valid_from=SystemClock().now(),
            division_code="440303001",
        )  # fmt: skip
    answer = client("east").post(f"/api/ledgers/device/{device.pk}/actions/rotate_secret")
    assert len(answer.json()["secret"]) > 20 and "secret_hash" not in answer.json()["row"]
    assert client("west").post(f"/api/ledgers/device/{device.pk}/actions/rotate_secret").status_code == 404
    assert client("commander").post(f"/api/ledgers/device/{device.pk}/actions/rotate_secret").status_code == 403
    assert client("east").post(f"/api/ledgers/device/{device.pk}/actions/explode").status_code == 400
    signed = client("district").post(f"/api/ledgers/threshold/{limit.pk}/actions/sign_threshold").json()
    assert signed["row"]["signed_by"]["label"] == "district"
    assert client("district").post(f"/api/ledgers/threshold/{limit.pk}/actions/sign_threshold").status_code in (400, 409)
