"""Warnings become incidents and tasks; tasks are done, refused, late; incidents close and stay closed."""

from __future__ import annotations

import pytest
from small_world import START, minute

from anlan.base.errors import AnlanError, FieldError


def incident():
    from anlan.respond.models import Incident

    return Incident.objects.get()


def tasks(**filters):
    from anlan.respond.models import Task

    return {t.item: t for t in Task.objects.filter(**filters).select_related("post", "person")}


def lines():
    from anlan.respond.models import TimelineEntry

    return list(TimelineEntry.objects.order_by("at", "id").values_list("kind", flat=True))


def test_one_incident_holds_the_whole_story(world):
    finding = world.finding()
    proposal = world.proposal(finding)
    orange = world.warn(3, minute(1), proposal)
    first = set(tasks())
    assert {"inspect", "cordon", "prepare", "engineer"} <= first and "evacuate" not in first
    red = world.warn(4, minute(30), proposal, version=2)
    found = incident()
    assert found.cause == [orange.id, red.id] and found.grade == 4 and "红" in found.title
    assert {"evacuate", "close_site", "lead", "report"} == set(tasks()) - first
    assert tasks()["evacuate"].due_at == minute(60) and tasks()["evacuate"].person == world.people["community"]
    kinds = lines()
    assert kinds[:3] == ["detect.finding.raised", "issue.proposal.raised", "issue.warning.issued"]
    assert kinds.count("issue.warning.issued") == 2 and kinds.count("respond.task.sent") == len(tasks())


def test_the_same_event_twice_changes_nothing(world):
    from anlan.engines.models import Outbox
    from anlan.engines.outbox import Event
    from anlan.respond.service import warning_issued

    world.warn(4)
    before = (lines(), set(tasks()))
    row = Outbox.objects.get(type="issue.warning.issued")
    warning_issued(Event(row.id, row.type, row.subject, row.payload))
    assert (lines(), set(tasks())) == before


def test_a_vacant_level_moves_the_task_up(world):
    from anlan.register.service import appoint

    appoint(world.posts["community"], None, actor="system:test")
    world.warn(4)
    assert tasks()["evacuate"].level == "street"


def test_late_tasks_climb_the_ladder_once_each(world):
    from anlan.engines.models import Outbox
    from anlan.respond.models import Task
    from anlan.respond.tasks import chase_late

    world.warn(4)
    first = tasks()["evacuate"]
    due = len([t for t in tasks().values() if t.due_at < minute(29)])
    assert chase_late(minute(29)) == due
    assert not Outbox.objects.filter(type="respond.task.late", subject=first.id).exists()
    chase_late(minute(31))
    chase_late(minute(31))
    assert Outbox.objects.filter(type="respond.task.late", subject=first.id).count() == 1
    second = Task.objects.get(instead_of=first)
    assert (second.level, second.cause, second.due_at) == ("street", [first.id], minute(36))
    chase_late(minute(37))
    third = Task.objects.get(instead_of=second)
    assert third.level == "district"
    chase_late(minute(60))
    assert not Task.objects.filter(instead_of=third).exists()
    late = Outbox.objects.get(type="respond.task.late", subject=third.id)
    assert late.payload["taken_over_by"] == ""


def test_done_by_the_next_level_takes_the_first_back(world):
    from anlan.respond import service as r
    from anlan.respond.models import Task
    from anlan.respond.tasks import chase_late

    world.warn(4)
    first = tasks()["evacuate"]
    chase_late(minute(31))
    second = Task.objects.get(instead_of=first)
    r.done(second.id, world.asker["street"], "全部转出", now=minute(33))
    first.refresh_from_db()
    assert first.state == "cancelled" and "street岗" in first.result
    with pytest.raises(AnlanError, match="bad_step"):
        r.done(first.id, world.asker["community"], "做了", now=minute(34))


def test_refusing_needs_a_reason_and_passes_on(world):
    from anlan.respond import service as r

    world.warn(4)
    task = tasks()["cordon"]
    with pytest.raises(FieldError):
        r.refuse(task.id, world.asker["site"], "  ")
    handed = r.refuse(task.id, world.asker["site"], "人在外地", now=minute(2))
    assert handed.level == "community" and handed.cause == [task.id]
    assert r.refuse(task.id, world.asker["site"], "再说一次", now=minute(3)) == handed


def test_only_its_holder_or_a_commander_may_act(world):
    from anlan.respond import service as r

    world.warn(4)
    task = tasks()["cordon"]
    with pytest.raises(AnlanError, match="no_right"):
        r.accept(task.id, world.asker["community"])
    assert r.accept(task.id, world.asker["site"], now=minute(1)).state == "accepted"
    assert r.done(task.id, world.asker["district"], "指挥部代报", now=minute(2)).state == "done"


def test_the_substitute_may_act(world):
    from anlan.register import service as s
    from anlan.register.scope import asker_of
    from anlan.respond import service as r

    stand_in = s.create_person("代班", "440303008001", actor="system:test")
    s.set_leave(world.people["site"], True, stand_in, actor="system:test")
    world.warn(4)
    task = tasks()["cordon"]
    assert task.person == stand_in
    assert r.done(task.id, asker_of(stand_in), "已封闭", now=minute(2)).state == "done"


def test_closing_waits_for_the_warning_the_tasks_and_a_review(world):
    from django.db import IntegrityError, transaction

    from anlan.engines.outbox import acting
    from anlan.respond import service as r

    warning = world.warn(2)
    number, boss = incident().id, world.asker["district"]
    with pytest.raises(AnlanError, match="warning_in_force"):
        r.close(number, boss, "好")
    world.lift(warning, minute(60))
    with pytest.raises(AnlanError, match="tasks_open"):
        r.close(number, boss, "好")
    for task in tasks().values():
        r.done(task.id, boss, "完成", now=minute(61))
    with pytest.raises(FieldError):
        r.close(number, boss, " ")
    with pytest.raises(AnlanError, match="no_right"):
        r.close(number, world.asker["site"], "好")
    closed = r.close(number, boss, "及时", now=minute(70))
    assert closed.state == "closed" and closed.closed_by_id == boss.person_id
    with pytest.raises(AnlanError, match="already_closed"):
        r.close(number, boss, "再来")
    with pytest.raises(AnlanError, match="already_closed"):
        r.send_task(number, world.posts["site"].id, "再去看看", 10, boss)
    closed.review = "改口"
    with pytest.raises(IntegrityError, match="read-only"), transaction.atomic(), acting("system:test"):
        closed.save()
    again = world.warn(3, minute(600), version=2)
    from anlan.respond.models import Incident

    assert Incident.objects.get(state="open").cause == [again.id]


def test_a_foreign_record_answers_as_one_that_does_not_exist(world):
    from anlan.register.scope import Asker
    from anlan.respond import service as r

    world.warn(4)
    task, everything = tasks()["cordon"], ("command", "respond")
    foreign = Asker(world.people["site"].id + "x", "邻区", ("440304",), dict.fromkeys(everything, ("440304",)))

    def said(call, known):
        with pytest.raises(AnlanError) as raised:
            call(known)
        return raised.value.code, raised.value.en.replace(known, "?")

    calls = (
        (incident().id, "inc-none", lambda i: r.close(i, foreign, "")),
        (incident().id, "inc-none", lambda i: r.send_task(i, world.posts["site"].id, "", 0, foreign)),
        (task.id, "task-none", lambda i: r.refuse(i, foreign, "")),
        (task.id, "task-none", lambda i: r.done(i, foreign, "")),
        (task.id, "task-none", lambda i: r.accept(i, foreign)),
    )
    for real, none, call in calls:
        assert said(call, real) == said(call, none)
        assert said(call, real)[0] == "respond.not_found"


def test_tasks_by_hand(world):
    from anlan.respond import service as r

    world.warn(2)
    boss = world.asker["district"]
    for title, minutes, post in (("", 10, "site"), ("去", 0, "site")):
        with pytest.raises(FieldError):
            r.send_task(incident().id, world.posts[post].id, title, minutes, boss)
    task = r.send_task(incident().id, world.posts["site"].id, "带无人机看坡顶", 20, boss, now=START)
    assert task.due_at == minute(20) and task.cause == [incident().id] and task.level == "site"
    with pytest.raises(AnlanError, match="no_right"):
        r.send_task(incident().id, world.posts["site"].id, "去", 20, world.asker["site"])


def test_calls_and_delivery_are_told(world):
    from anlan.engines.outbox import acting
    from anlan.notify.models import Notice
    from anlan.respond.service import delivery_summaries

    warning = world.warn(4)
    step = world.call(warning, "community", minute(1))
    world.time_out(step)
    with acting("system:test"):
        for n, reached in enumerate((0, 2, 4)):
            Notice(warning=warning, recipient=f"household-{n}", channel="web", reached=reached, state="sent").save()
    assert delivery_summaries(minute(4)) == 0
    assert delivery_summaries(minute(6)) == 1 and delivery_summaries(minute(6)) == 0
    kinds = lines()
    assert "notify.step.called" in kinds and "notify.step.timed_out" in kinds and "notify.summary:5" in kinds
    from anlan.respond.models import TimelineEntry

    assert "设备收到 2" in TimelineEntry.objects.get(kind="notify.summary:5").zh
    assert "community人" in TimelineEntry.objects.get(kind="notify.step.timed_out").zh


def test_minutes_count_from_when_somebody_could_be_told():
    from datetime import timedelta

    from small_world import minute

    from anlan.respond.stage import told_from

    assert told_from(minute(0), minute(0.9)) == minute(0)
    assert told_from(minute(0), minute(0) + timedelta(hours=3)) == minute(180), "the house was down for three hours"


def test_a_warning_heard_late_gives_its_full_minutes(world, monkeypatch):
    from datetime import timedelta

    from anlan.base.clock import SystemClock
    from anlan.respond.models import Task

    monkeypatch.setattr("anlan.respond.stage.PROMPT", timedelta(minutes=1))
    now = SystemClock().now()
    world.warn(4, at=now - timedelta(hours=5))
    assert all(t.due_at > now and t.sent_at >= now for t in Task.objects.all()) and Task.objects.exists()
