"""Log-in, tokens, CSRF, limits."""

from __future__ import annotations

import json

import pytest
from django.test import Client


def test_log_in_says_who_and_what(client):
    answer = client("east").get("/api/me").json()
    assert answer["person"]["name"] == "east"
    assert answer["scopes"] == ["440303001"]
    assert answer["roles"][0]["role"] == "registrar"
    assert answer["rights"]["register"] == ["440303001"]
    assert answer["csrf"]


def test_without_session_401_with_both_languages(world):
    answer = Client().get("/api/me")
    assert answer.status_code == 401
    assert answer.json()["code"] == "web.no_login"
    assert answer.json()["zh"] and answer.json()["en"]


def test_wrong_password_then_too_many(world):
    browser = Client()
    for _ in range(8):
        answer = browser.post("/api/login", {"username": "u-east", "password": "no"}, content_type="application/json")
        assert answer.status_code == 401
    answer = browser.post("/api/login", {"username": "u-east", "password": "word-east-1"}, content_type="application/json")
    assert answer.status_code == 429
    assert answer.json()["code"] == "web.too_many_logins"
    assert int(answer["Retry-After"]) > 0
    other = browser.post("/api/login", {"username": "u-west", "password": "word-west-1"}, content_type="application/json")
    assert other.status_code == 200, "one account's failures must not lock another from the same address"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"username":1}', b'{"username":"a\\u0000b","password":"\\u0000"}'])
def test_nonsense_log_in_is_refused(world, body):
    answer = Client().post("/api/login", body, content_type="application/json")
    assert answer.status_code in (400, 401)
    assert answer.json()["code"].startswith("web.")


def test_log_in_from_another_site_is_refused(world):
    given = {"username": "u-east", "password": "word-east-1"}
    answer = Client().post("/api/login", given, content_type="application/json", headers={"origin": "https://evil.example"})
    assert answer.status_code == 403


def test_writes_need_the_csrf_header(world):
    browser = Client(enforce_csrf_checks=True)
    csrf = browser.post("/api/login", {"username": "u-east", "password": "word-east-1"}, content_type="application/json").json()["csrf"]
    address = f"/api/ledgers/station/{world.stations['east'].pk}"
    given = json.dumps({"name": "新名"})
    assert browser.patch(address, given, content_type="application/json").status_code == 403
    answer = browser.patch(address, given, content_type="application/json", headers={"X-CSRFToken": csrf})
    assert answer.status_code == 200, answer.content


def test_bearer_token_is_stored_hashed_and_ends(world):
    from anlan.web.models import ApiToken
    from anlan.web.tokens import make_token

    token = make_token(world.people["east"], "test", days=1)
    assert not ApiToken.objects.filter(hash__contains=token).exists()
    script = Client(headers={"Authorization": f"Bearer {token}"})
    assert script.get("/api/me").json()["person"]["name"] == "east"
    from anlan.base.clock import SystemClock

    ApiToken.objects.update(expires_at=SystemClock().now())
    assert script.get("/api/me").status_code == 401
    assert Client(headers={"Authorization": "Bearer nonsense"}).get("/api/me").status_code == 401


def test_token_call_gives_a_working_token(world):
    token = Client().post("/api/token", {"username": "u-east", "password": "word-east-1"}, content_type="application/json").json()["token"]
    answer = Client(headers={"Authorization": f"Bearer {token}"}).patch(
        f"/api/ledgers/station/{world.stations['east'].pk}", {"name": "脚本改"}, content_type="application/json"
    )
    assert answer.status_code == 200, "a bearer token needs no CSRF header"


def test_a_database_that_is_away_is_503_with_the_time_of_the_next_try(world, monkeypatch):
    from django.db import OperationalError

    from anlan.web import auth

    def away(token):
        raise OperationalError("connection refused\nmore")

    monkeypatch.setattr(auth, "asker_of_token", away)
    answer = Client(headers={"Authorization": "Bearer anl_x"}).get("/api/me")
    assert answer.status_code == 503 and int(answer["Retry-After"]) > 0
    assert answer.json()["code"] == "engines.away" and answer.json()["retry"] is True and "more" not in answer.json()["en"]
