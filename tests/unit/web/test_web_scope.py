"""Rights by area over every ledger there is: rows of another area are never seen, found, opened, exported or changed."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest

_NUMBERS = itertools.count(1)


def make(model: Any, code: str, made: dict[Any, Any]) -> Any:
    """One row of a model, its required fields filled by type, its references made as well (all in `code`)."""
    from django.db import models

    if model in made:
        return made[model]
    values: dict[str, Any] = {}
    for field in model._meta.concrete_fields:
        if field.name == "division_code":
            values[field.name] = code
        elif isinstance(field, models.ForeignKey):
            if not field.null and field.related_model is not model:
                values[field.name] = make(field.related_model, code, made)
        elif field.primary_key or field.has_default() or field.has_db_default() or field.null or getattr(field, "auto_now_add", False):
            continue
        else:
            values[field.name] = _value(field, models)
    record = model(**values)
    if hasattr(record, "prepare"):
        record.prepare()
    record.save(force_insert=True)
    made[model] = record
    return record


def _value(field: Any, models: Any) -> Any:
    n = next(_NUMBERS)
    if isinstance(field, models.DateTimeField):
        return dt.datetime(2026, 6, 14, tzinfo=dt.UTC)
    if isinstance(field, models.BooleanField):
        return False
    if isinstance(field, models.FloatField):
        return 22.5
    if isinstance(field, models.BigIntegerField):
        return n  # rising: a span's end comes after its begin
    if isinstance(field, models.IntegerField):
        return 1
    if field.choices:
        return field.choices[0][0]
    if field.name == "verdict":  # words that only a check constraint of the database knows
        return "good"
    return f"x{n}"[: field.max_length or 20]


def ledger_names() -> list[str]:
    from anlan.web.ledgers import ledgers

    return [name for name in ledgers() if name != "division"]


def test_no_ledger_shows_rows_of_another_area(client, world):
    from anlan.engines.outbox import acting
    from anlan.web.ledgers import ledgers

    made: dict[Any, Any] = {}
    with acting("system:test"):
        for name in ledger_names():
            make(ledgers()[name], "440303002001", made)
    east, west, whole = client("east"), client("west"), client("district")
    assert len(ledger_names()) >= 20
    for name in ledger_names():
        theirs = made[ledgers()[name]]
        assert theirs.division_code == "440303002001", name
        rows = east.get(f"/api/ledgers/{name}?size=500").json()["rows"]
        assert theirs.pk not in [r["id"] for r in rows], name
        assert all(r["division_code"].startswith("440303001") or r["division_code"] == "" for r in rows), name
        assert east.get(f"/api/ledgers/{name}", {"q": theirs.pk}).json()["total"] == 0, name
        assert east.get(f"/api/ledgers/{name}", {"division_code__startswith": "440303002"}).json()["total"] == 0, name
        for call in ("", "/history", "?on=2030-01-01T00:00:00Z"):
            assert east.get(f"/api/ledgers/{name}/{theirs.pk}{call}").status_code == 404, (name, call)
        assert east.patch(f"/api/ledgers/{name}/{theirs.pk}", {}, content_type="application/json").status_code in (403, 404), name
        for browser in (west, whole):
            assert browser.get(f"/api/ledgers/{name}/{theirs.pk}").status_code == 200, name


PAGES = ["map/objects", "map/stations", "map/latest", "desk/queue", "proposals", "warnings"]
PAGES += ["letters", "hazards", "cases", "incidents", "tasks"]


@pytest.mark.parametrize("page", PAGES)
def test_no_page_tells_of_another_area(client, world, page):
    import json

    from anlan.engines.outbox import acting
    from anlan.web.ledgers import ledgers

    made: dict[Any, Any] = {}
    with acting("system:test"):
        for name in ledger_names():
            make(ledgers()[name], "440303002001", made)
    call = f"/api/{page}"
    answer = client("east").get(call)
    assert answer.status_code == 200
    text = json.dumps(answer.json())
    assert not [m.pk for m in made.values() if isinstance(m.pk, str) and f'"{m.pk}"' in text]
    if page in ("map/objects", "proposals", "letters"):
        there = client("district").get(call).content.decode()
        assert any(f'"{m.pk}"' in there for m in made.values() if isinstance(m.pk, str)), "the district does see them"


def test_the_past_of_a_row_on_a_real_database(real_db):
    """Each change commits by itself here, so that the audit trail has its own times."""
    import time

    from django.test import Client

    from anlan.base.clock import SystemClock
    from anlan.engines.outbox import acting
    from anlan.register.models import Organisation
    from anlan.register.service import create_person, create_post
    from anlan.web.tokens import make_token

    with acting("system:test"):
        organisation = Organisation.objects.create(name="旧名", division_code="440303")
    person = create_person("keeper", "440303", actor="system:test")
    create_post("名录员", organisation, "registrar", "440303", actor="system:test", person=person)
    script = Client(headers={"Authorization": f"Bearer {make_token(person)}"})
    time.sleep(0.02)
    before = SystemClock().now().isoformat()
    time.sleep(0.02)
    call = f"/api/ledgers/organisation/{organisation.pk}"
    assert script.patch(call, {"name": "新名"}, content_type="application/json").json()["name"] == "新名"
    assert script.get(call, {"on": before}).json()["row"]["name"] == "旧名"
    assert script.get(call, {"on": SystemClock().now().isoformat()}).json()["row"]["name"] == "新名"
    trail = script.get(f"{call}/history").json()
    assert [t["action"] for t in trail] == ["update", "insert"] and trail[0]["actor"] == person.pk
