"""The story by HTTP: incident, task, hazard, case, trace; each with the rights of who asks."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from anlan.base.clock import SystemClock


@pytest.fixture
def ask(world):
    """``ask(level, method, path, body) -> (status, data)`` as the person of that level."""
    from django.conf import settings
    from django.contrib.auth.hashers import get_hashers, get_hashers_by_algorithm
    from django.test import Client

    from anlan.register.service import create_user

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    get_hashers.cache_clear()
    get_hashers_by_algorithm.cache_clear()
    clients = {}
    for level, person in world.people.items():
        create_user(person, f"u-{level}", "word-Word-1", actor="system:test")
        clients[level] = Client()
        clients[level].force_login(person.user)

    def call(level, method, path, body=None):
        extra = {"data": json.dumps(body if body is not None else {}), "content_type": "application/json"} if method == "post" else {}
        answer = getattr(clients[level], method)(f"/api{path}", **extra)
        return answer.status_code, answer.json()

    return call


def test_tasks_over_http(world, ask):
    now = SystemClock().now()
    world.warn(4, at=now)
    status, incidents = ask("district", "get", "/incidents?state=open")
    assert status == 200 and incidents[0]["tasks_open"] == 10
    number = incidents[0]["id"]
    status, incident = ask("site", "get", f"/incidents/{number}")
    assert status == 200 and incident["timeline"] and incident["warnings"][0]["grade"] == 4
    mine = ask("site", "get", "/tasks?mine=1")[1]
    assert {t["level"] for t in mine} == {"site"} and mine == sorted(mine, key=lambda t: t["due_at"])
    first = mine[0]["id"]
    assert ask("site", "post", f"/tasks/{first}/accept", {})[1]["state"] == "accepted"
    status, refused = ask("site", "post", f"/tasks/{first}/done", {"text": ""})
    assert status == 400 and refused["field"] == "text" and refused["zh"]
    assert ask("site", "post", f"/tasks/{first}/done", {"text": "已关闭"})[1]["late"] is False
    assert ask("community", "post", f"/tasks/{mine[1]['id']}/done", {"text": "代办"})[0] == 403
    status, refused = ask("site", "post", f"/tasks/{mine[1]['id']}/refuse", {"text": "不在现场"})
    assert status == 200 and refused["taken_over_by"]["level"] == "community"
    assert ask("site", "get", "/tasks/task-NONE")[0] == 404
    status, answer = ask("district", "post", f"/incidents/{number}/close", {"review": "好"})
    assert status == 400 and answer["code"] == "respond.warning_in_force"
    assert ask("district", "post", f"/incidents/{number}/tasks", {"post": world.posts["site"].id, "title": "看", "minutes": 5})[0] == 200


def test_hazards_over_http(world, ask):
    now = SystemClock().now()
    world.lift(world.warn(4, at=now - timedelta(hours=2)), now - timedelta(hours=1))
    status, hazards = ask("street", "get", "/hazards?open=1")
    assert status == 200 and hazards[0]["state"] == "found" and len(hazards[0]["track"]) == 6
    number = hazards[0]["id"]
    detail = ask("site", "get", f"/hazards/{number}")[1]
    assert detail["actions"][0]["event"] == "grade" and detail["actions"][0]["may"] is False
    assert ask("site", "post", f"/hazards/{number}/grade", {"major": False})[0] == 403
    for who, action, form in (
        ("street", "grade", {"major": False}),
        ("street", "order", {"measures": "清沟", "days": 3}),
        ("site", "rectify", {}),
        ("site", "rectify", {"note": "清了"}),
        ("street", "recheck", {"note": "合格"}),
        ("street", "cancel", {}),
    ):
        status, detail = ask(who, "post", f"/hazards/{number}/{action}", form)
        assert status == 200, detail
    assert detail["state"] == "cancelled" and [s["event"] for s in detail["steps"]][-1] == "cancel"
    assert ask("street", "post", f"/hazards/{number}/explode", {})[0] == 400
    status, made = ask("site", "post", "/hazards", {"title": "坡顶堆土", "site": world.site.id})
    assert status == 200 and made["state"] == "found"
    status, bad = ask("site", "post", "/hazards", {"title": "坡顶堆土", "site": "site-none"})
    assert status == 400 and bad["field"] == "site"


def test_cases_and_trace_over_http(world, ask):
    now = SystemClock().now()
    warning = world.warn(4, at=now, proposal=world.proposal(world.finding()))
    world.time_out(world.call(warning, "community", now - timedelta(minutes=10)))
    cases = ask("community", "get", "/cases?mine=1")[1]
    number = cases[0]["id"]
    assert cases[0]["kind"] == "silent_call" and ask("site", "get", "/cases")[1] == []
    assert ask("site", "get", f"/cases/{number}")[0] == 404
    assert ask("community", "post", f"/cases/{number}/explain", {"text": "没电"})[1]["state"] == "explained"
    status, decided = ask("district", "post", f"/cases/{number}/decide", {"consequence": "谈话"})
    assert status == 200 and decided["decided_by"]["name"] == "district人"
    status, found = ask("community", "get", f"/trace/{number}")
    assert status == 200 and {"read", "warn", "case"} <= {n["kind"] for n in found["nodes"]}
    assert all(set(n) == {"id", "kind", "title", "title_en", "at", "who", "facts", "limit_at", "used_s", "late"} for n in found["nodes"])
    assert ask("district", "get", "/trace/warn-NONE")[0] == 404


def test_the_trace_shows_no_words_of_records_outside_the_area(world, ask):
    from small_world import BY

    from anlan.engines.outbox import acting
    from anlan.issue.models import Proposal
    from anlan.supervise.trace import trace

    finding = world.finding()
    with acting(BY):
        far = Proposal.objects.create(
            site=world.site, hazard="slope", grade=3, zh="别处的秘密", en="secret", proposed_at=SystemClock().now(),
            decide_by=SystemClock().now(), division_code="440305001001", cause=[finding.id], state="withdrawn",
        )  # fmt: skip
    status, seen = ask("site", "get", f"/trace/{finding.id}")
    node = next(n for n in seen["nodes"] if n["id"] == far.id)
    assert status == 200 and node["title"] == "（不在您的辖区内）" and "秘密" not in json.dumps(seen, ensure_ascii=False)
    assert next(n for n in seen["nodes"] if n["id"] == finding.id)["title"].startswith("研判结果")
    assert "秘密" in json.dumps(trace(finding.id), ensure_ascii=False, default=str), "the machine's own trace is whole"
