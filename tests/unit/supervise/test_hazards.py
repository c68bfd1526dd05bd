"""The hidden-danger loop and the cases, on a real database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from small_world import START, minute

from anlan.base.errors import AnlanError


def day(n):
    return START + timedelta(days=n)


@pytest.fixture
def hazard(world):
    from anlan.supervise.models import Hazard

    warning = world.warn(4, proposal=world.proposal(world.finding()))
    world.lift(warning, day(1))
    return Hazard.objects.get()


def test_a_lifted_warning_opens_one_hazard(world, hazard):
    from anlan.engines.models import Outbox
    from anlan.supervise.service import open_from_warning

    assert hazard.state == "found" and hazard.found_at == day(1) and hazard.cause[0].startswith("warn-")
    assert hazard.step_due_at == day(2) and hazard.rule_version == "2026.1" and hazard.post == world.posts["site"]
    assert open_from_warning(hazard.cause[0], actor="system:test") == hazard
    assert Outbox.objects.filter(type="supervise.hazard.found").count() == 1


def test_a_yellow_warning_opens_none(world):
    from anlan.supervise.models import Hazard

    world.lift(world.warn(2), day(1))
    assert not Hazard.objects.exists()


def walk(world, hazard, *, major=False):
    """From found to waiting for re-check; the site's post rectifies, the street supervises."""
    from anlan.supervise.service import move_hazard

    street, site = world.asker["street"], world.asker["site"]
    form = {"measures": "清截水沟，封闭裂缝", "money": "8 万", "days": 10, "plan": "雨天停工"}
    move_hazard(hazard.id, "grade", street, {"major": major}, now=day(1.1))
    move_hazard(hazard.id, "order", street, form, now=day(1.2))
    move_hazard(hazard.id, "rectify", site, {}, now=day(1.5))
    return move_hazard(hazard.id, "rectify", site, {"note": "清沟 42 m", "photos": ["a.jpg"]}, now=day(9))


def test_the_whole_loop(world, hazard):
    from anlan.engines.dispatch import drain
    from anlan.respond.models import TimelineEntry
    from anlan.supervise.models import HazardStep
    from anlan.supervise.service import move_hazard

    row = walk(world, hazard)
    assert (row.state, row.due_at, row.rectified_by) == ("rechecking", day(11.2), world.people["site"])
    street = world.asker["street"]
    with pytest.raises(AnlanError, match="not_rechecked"):
        move_hazard(hazard.id, "cancel", street, {}, now=day(10))
    move_hazard(hazard.id, "return", street, {"note": "沟底未清"}, now=day(10))
    row = move_hazard(hazard.id, "rectify", world.asker["site"], {"note": "补清"}, now=day(11))
    move_hazard(hazard.id, "recheck", street, {"note": "现场看过，合格"}, now=day(12))
    row = move_hazard(hazard.id, "cancel", street, {}, now=day(12))
    assert row.state == "cancelled" and row.cancelled_at == day(12) and row.step_due_at is None
    steps = list(HazardStep.objects.order_by("id").values_list("event", "before", "after"))
    assert steps[0] == ("find", "", "found") and steps[-1] == ("cancel", "rechecking", "cancelled") and len(steps) == 9
    with pytest.raises(AnlanError, match="bad_step"):
        move_hazard(hazard.id, "rectify", world.asker["site"], {"note": "再来"}, now=day(13))
    drain()
    assert TimelineEntry.objects.filter(kind__startswith="supervise.hazard").count() == 1 + 8 + 1


def test_steps_are_never_changed(world, hazard):
    from django.db import DatabaseError, transaction

    from anlan.supervise.models import HazardStep

    with pytest.raises(DatabaseError), transaction.atomic():
        HazardStep.objects.update(note="改过")


def test_the_rectifier_does_not_recheck(world, hazard):
    from anlan.register.service import appoint
    from anlan.supervise.service import move_hazard

    appoint(world.posts["street"], world.people["site"], actor="system:test")
    world.refresh()
    both = world.asker["site"]
    form = {"measures": "清沟"}
    for event, given in (("grade", {"major": False}), ("order", form), ("rectify", {}), ("rectify", {"note": "清了"})):
        move_hazard(hazard.id, event, both, given, now=day(2))
    with pytest.raises(AnlanError, match="same_person") as caught:
        move_hazard(hazard.id, "recheck", both, {"note": "好"}, now=day(3))
    assert "另一人" in caught.value.zh


@pytest.mark.parametrize(
    ("event", "who", "form", "code"),
    [
        ("grade", "site", {"major": False}, "no_right"),
        ("grade", "street", {}, "missing"),
        ("order", "street", {}, "bad_step"),
        ("explode", "street", {}, "bad_step"),
    ],
)
def test_refusals_say_why(world, hazard, event, who, form, code):
    from anlan.supervise.service import move_hazard

    with pytest.raises(AnlanError, match=code) as caught:
        move_hazard(hazard.id, event, world.asker[who], form, now=day(2))
    assert caught.value.zh and caught.value.en


def test_five_in_place_names_what_is_missing(world, hazard):
    from anlan.supervise.service import move_hazard

    street = world.asker["street"]
    move_hazard(hazard.id, "grade", street, {"major": True}, now=day(2))
    with pytest.raises(AnlanError, match="five_in_place") as caught:
        move_hazard(hazard.id, "order", street, {"measures": "清沟", "days": 30}, now=day(2))
    assert "资金、预案" in caught.value.zh
    with pytest.raises(AnlanError, match="bad_days"):
        move_hazard(hazard.id, "order", street, {"measures": "清沟", "days": 91}, now=day(2))


def test_overdue_steps_are_marked_once_and_become_cases(world, hazard):
    from anlan.engines.dispatch import drain
    from anlan.engines.models import Outbox
    from anlan.supervise.actions import mark_overdue
    from anlan.supervise.models import Case
    from anlan.supervise.service import move_hazard

    assert mark_overdue(day(1.9)) == 0
    assert mark_overdue(day(2.1)) == 1 and mark_overdue(day(2.2)) == 0
    drain()
    case = Case.objects.get()
    assert case.kind == "late_supervision" and case.post == world.posts["street"] and case.cause == [hazard.id]
    street, site = world.asker["street"], world.asker["site"]
    move_hazard(hazard.id, "grade", street, {"major": False}, now=day(3))
    move_hazard(hazard.id, "order", street, {"measures": "清沟", "days": 5}, now=day(3))
    move_hazard(hazard.id, "rectify", site, {}, now=day(3.5))
    assert mark_overdue(day(7.9)) == 0 and mark_overdue(day(8.1)) == 1
    drain()
    late = Case.objects.get(kind="late_rectification")
    assert late.post == world.posts["site"] and late.person == world.people["site"] and late.limit_at == day(8)
    assert Outbox.objects.filter(type="supervise.hazard.overdue").count() == 2


def test_a_bureaus_rule_goes_before_the_shipped_one(world):
    from anlan.engines.outbox import acting
    from anlan.supervise.models import Hazard, Rule
    from anlan.supervise.service import move_hazard

    with acting("system:test"):
        for area, value, version in (("4403", 2, "市"), ("440303", 1, "区"), ("3305", 9, "他市")):
            Rule(code="hazard.grade", value=value, unit="d", division_code=area, version=version, source="§5", valid_from=START).save()
    world.lift(world.warn(4), day(1))
    hazard = Hazard.objects.get()
    assert (hazard.rule_version, hazard.step_due_at) == ("区", day(2))
    with acting("system:test"):
        Rule(code="hazard.order", value=9, unit="d", version="新", source="§6", valid_from=day(1.5)).save()
    row = move_hazard(hazard.id, "grade", world.asker["street"], {"major": False}, now=day(1.6))
    assert row.step_due_at == day(2.6), "a hazard keeps the rules it began under"


# cases


@pytest.fixture
def silent(world):
    from anlan.supervise.models import Case

    warning = world.warn(4, proposal=world.proposal(world.finding()))
    world.time_out(world.call(warning, "community", minute(1)))
    return Case.objects.get(kind="silent_call")


def test_silence_becomes_a_case_once(world, silent):
    from anlan.engines.models import Outbox
    from anlan.engines.outbox import Event
    from anlan.supervise.models import Case
    from anlan.supervise.service import silent_call

    row = Outbox.objects.get(type="notify.step.timed_out")
    silent_call(Event(row.id, row.type, row.subject, row.payload))
    assert Case.objects.count() == 1
    assert silent.limit_at == minute(6) and silent.person == world.people["community"] and silent.rule_version


def test_explain_then_decide(world, silent):
    from anlan.engines.models import Outbox
    from anlan.supervise.service import move_case

    boss, own = world.asker["district"], world.asker["community"]
    now = silent.opened_at + timedelta(hours=1)
    with pytest.raises(AnlanError, match="not_heard"):
        move_case(silent.id, "decide", boss, {"consequence": "提醒谈话"}, now=now)
    with pytest.raises(AnlanError, match="no_right"):
        move_case(silent.id, "explain", boss, {"text": "替他说"}, now=now)
    with pytest.raises(AnlanError, match="missing"):
        move_case(silent.id, "explain", own, {"text": " "}, now=now)
    move_case(silent.id, "explain", own, {"text": "手机没电"}, now=now)
    with pytest.raises(AnlanError, match="missing"):
        move_case(silent.id, "decide", boss, {}, now=now)
    case = move_case(silent.id, "decide", boss, {"consequence": "提醒谈话，扣 0.5 分"}, now=now)
    assert case.state == "decided" and case.decided_by == world.people["district"]
    assert Outbox.objects.filter(type="supervise.case.decided", subject=case.id).exists()
    with pytest.raises(AnlanError, match="bad_step"):
        move_case(silent.id, "dismiss", boss, {"reason": "算了"}, now=now)


def test_silence_about_the_case_does_not_stop_it(world, silent):
    from anlan.supervise.service import move_case

    case = move_case(silent.id, "decide", world.asker["district"], {"consequence": "通报"}, now=silent.step_due_at + timedelta(seconds=1))
    assert case.state == "decided" and case.explanation == ""


def test_nobody_decides_their_own_case(world, silent):
    from anlan.register.service import appoint
    from anlan.supervise.service import move_case

    appoint(world.posts["street"], world.people["community"], actor="system:test")
    world.refresh()
    with pytest.raises(AnlanError, match="own_case"):
        move_case(silent.id, "dismiss", world.asker["community"], {"reason": "没事"})


def test_late_tasks_become_cases_and_learn_when_done(world):
    from anlan.engines.dispatch import drain
    from anlan.respond import service as r
    from anlan.respond.models import Task
    from anlan.respond.tasks import chase_late
    from anlan.supervise.models import Case

    world.warn(4)
    chase_late(minute(31))
    drain()
    task = Task.objects.get(item="evacuate", level="community")
    case = Case.objects.get(cause=[task.id])
    assert case.kind == "late_task" and case.limit_at == minute(30) and case.actual_at is None
    r.done(task.id, world.asker["community"], "转移完", now=minute(40))
    drain()
    case.refresh_from_db()
    assert case.actual_at == minute(40)


# the way back


def test_from_the_penalty_back_to_the_reading(world, silent):
    from anlan.supervise.service import move_case, trace

    move_case(silent.id, "explain", world.asker["community"], {"text": "手机没电"}, now=silent.opened_at)
    move_case(silent.id, "decide", world.asker["district"], {"consequence": "提醒谈话"}, now=silent.opened_at)
    found = trace(silent.id)
    kinds = [node["kind"] for node in found["nodes"]]
    assert sorted(kinds) == sorted(["read", "find", "prop", "warn", "chain", "step", "case"])
    backwards = {b: a for a, b in found["edges"]}
    here, path = silent.id, []
    while here in backwards:
        here = backwards[here]
        path.append(here.partition("-")[0])
    assert path == ["step", "chain", "warn", "prop", "find", "read"]
    step = next(n for n in found["nodes"] if n["kind"] == "step")
    assert step["late"] and step["limit_at"] == minute(6) and "community人" in step["who"]
    case = next(n for n in found["nodes"] if n["kind"] == "case")
    assert case["facts"]["consequence"] == "提醒谈话" and not case["late"]


def test_forward_from_the_reading_to_everything(world, hazard):
    from anlan.engines.outbox import acting
    from anlan.notify.models import Notice
    from anlan.supervise.service import trace

    walk(world, hazard)
    warning = next(c for c in hazard.cause if c.startswith("warn-"))
    with acting("system:test"):
        for n in range(60):
            Notice(warning_id=warning, recipient=f"household-{n}", channel="web", cause=[warning]).save()
    found = trace("read-1.2.1781416800000", now=day(20))
    by_kind = {}
    for node in found["nodes"]:
        by_kind.setdefault(node["kind"], []).append(node)
    assert {"read", "find", "prop", "warn", "inc", "task", "haz", "hstep", "note"} <= set(by_kind)
    counted = [n["facts"].get("count", 1) for n in by_kind["note"]]  # notify's own notice to the called person stands beside the 60
    assert max(counted) >= 60 and len(counted) <= 2
    assert [n["facts"]["after"] for n in by_kind["hstep"]] == ["graded", "ordered", "rectifying", "rechecking"]
    assert all(n["title"] and n["title_en"] for n in found["nodes"])
    whole = trace(by_kind["task"][0]["id"], whole=True, now=day(20))
    assert {n["id"] for n in whole["nodes"]} == {n["id"] for n in found["nodes"]}


def test_the_way_forward_uses_its_index(world):
    from django.db import connection

    from anlan.detect.models import Finding

    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
    plan = Finding.objects.filter(cause__overlap=["read-1.2.3"]).exclude(cause=[]).explain()
    assert "detect_finding_cause" in plan


def test_readings_tell_their_value(world):
    from django.db import connection

    from anlan.base.quantity import BY_NAME
    from anlan.register.models import Station
    from anlan.supervise.service import trace

    world.finding()
    number, quantity = Station.objects.get(code="C2").number, BY_NAME["crack_width"].number
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into reading (time_ms, value, station, quantity, quality) values (%s, 0.0135, %s, %s, 0)",
            [1781416800000, number, quantity],
        )
    node = trace(f"read-{number}.{quantity}.1781416800000")["nodes"][0]
    assert node["facts"]["value"] == 0.0135 and node["title"].endswith("13.5 mm") and "裂缝 C2" in node["title"]
    assert "value" not in trace(f"read-{number}.{quantity}.5")["nodes"][0]["facts"]


def test_unknown_ids(world):
    from anlan.supervise.service import trace

    for number in ("warn-NONE", "nonsense", "", "zzz-1"):
        with pytest.raises(AnlanError, match="not_found"):
            trace(number)
