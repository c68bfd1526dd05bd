"""The whole house on one slope: reading → finding → proposal → signed red → calls, tasks → silence, lateness → hazard → cancelled.

Every room's real handlers run; time is moved by handing later times to the reconcilers.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from lazy import Lazy
from live_place import LivePlace

issue, respond, supervise = Lazy("anlan.issue.service"), Lazy("anlan.respond.service"), Lazy("anlan.supervise.service")
calls, tasks, actions = Lazy("anlan.notify.calls"), Lazy("anlan.respond.tasks"), Lazy("anlan.supervise.actions")
drain, asker_of = Lazy("anlan.engines.dispatch", "drain"), Lazy("anlan.register.scope", "asker_of")
FailedEvent, Proposal = Lazy("anlan.engines.models", "FailedEvent"), Lazy("anlan.issue.models", "Proposal")
Incident, Task, TimelineEntry = (Lazy("anlan.respond.models", n) for n in ("Incident", "Task", "TimelineEntry"))
Case, Hazard = (Lazy("anlan.supervise.models", n) for n in ("Case", "Hazard"))
pytestmark = pytest.mark.stack


@pytest.fixture
def place(db):
    from anlan.wire import load_services

    load_services()
    return LivePlace()


def test_from_a_reading_to_a_cancelled_hazard_and_back(place):
    now = datetime.now(UTC)
    people = {name: asker_of(person) for name, person in place.people.items()}
    place.forecast(now)
    place.finding(4, now)
    drain()
    warning = issue.sign(Proposal.objects.get().id, place.commander)
    drain()
    assert warning.grade == 4
    incident = Incident.objects.get()
    assert incident.cause == [warning.id]

    # the first on the list is silent, the second answers
    calls.time_out(now + timedelta(minutes=11))
    drain()
    case = Case.objects.get(kind="silent_call")
    assert case.person_id == people["inspector"].person_id
    second = next(iter(calls.mine(people["secretary"])))
    calls.answer(second.id, people["secretary"], True, "收到，我去", now=now + timedelta(minutes=12))

    # the inspector is late with a task too; the next level takes over and does it
    assert tasks.chase_late(now + timedelta(minutes=11)) >= 1
    drain()
    late = Task.objects.get(item="close_site", instead_of=None)
    over = Task.objects.get(instead_of=late)
    assert over.person_id == people["secretary"].person_id and Case.objects.filter(kind="late_task", cause=[late.id]).exists()
    for task in Task.objects.filter(state__in=("sent", "accepted")).order_by("-sent_at"):
        task.refresh_from_db()
        if task.state != "cancelled":
            respond.done(task.id, place.commander, "完成", now=now + timedelta(minutes=30))
    drain()

    # it is over: lifted, the hazard behind it is found, rectified, re-checked by another, cancelled
    issue.lift(warning.id, place.commander, "滑坡已发生，人员已撤离")
    drain()
    hazard = Hazard.objects.get()
    assert hazard.cause[0].startswith("warn-") and hazard.post == place.posts["inspector"]
    respond.close(incident.id, place.commander, "撤离及时", now=now + timedelta(hours=2))
    for who, event, form in (
        ("commander", "grade", {"major": False}),
        ("commander", "order", {"measures": "清截水沟"}),
        ("inspector", "rectify", {}),
        ("inspector", "rectify", {"note": "已清"}),
        ("commander", "recheck", {"note": "合格"}),
        ("commander", "cancel", {}),
    ):
        supervise.move_hazard(hazard.id, event, people[who], form, now=now + timedelta(days=1))
    supervise.move_case(case.id, "explain", people["inspector"], {"text": "手机没电"}, now=now + timedelta(days=1))
    supervise.move_case(case.id, "decide", place.commander, {"consequence": "提醒谈话"}, now=now + timedelta(days=1))
    drain()
    assert not FailedEvent.objects.exists(), FailedEvent.objects.first().error

    # one timeline tells it all, in both languages
    kinds = {k.partition(":")[0] for k in TimelineEntry.objects.filter(incident=incident).values_list("kind", flat=True)}
    assert {
        "detect.finding.raised", "issue.proposal.raised", "issue.warning.issued", "respond.incident.opened", "respond.task.sent",
        "notify.step.called", "notify.step.timed_out", "notify.step.answered", "respond.task.late", "respond.task.done",
        "issue.warning.lifted", "respond.incident.closed", "supervise.hazard.found", "supervise.hazard.moved", "supervise.hazard.cancelled",
        "supervise.case.opened", "supervise.case.decided",
    } <= kinds  # fmt: skip
    assert not TimelineEntry.objects.filter(zh__contains="—").exists(), TimelineEntry.objects.filter(zh__contains="—").first().zh

    # and from the penalty the way leads back to the reading
    found = supervise.trace(case.id)
    assert {"read", "find", "prop", "warn", "step", "case"} <= {n["kind"] for n in found["nodes"]}
    assert all(n["title"].strip() and n["at"] for n in found["nodes"])
    whole = supervise.trace("read-900001.2.1", now=now + timedelta(days=2))
    assert {"warn", "inc", "task", "note", "chain", "step", "case", "haz", "hstep"} <= {n["kind"] for n in whole["nodes"]}
    ids = {n["id"] for n in whole["nodes"]}
    assert all(a in ids and b in ids for a, b in whole["edges"]) and not whole["cut"]
