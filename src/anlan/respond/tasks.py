"""Tasks: sent by plan or by hand, accepted, done or refused by their person, handed up when late."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from ..base.clock import SystemClock
from ..base.errors import AnlanError, FieldError
from ..base.ids import derived_id, new_id
from ..engines.outbox import acting, emit
from ..register.models import Person, Post
from ..register.scope import Asker, scoped
from ..register.service import Answerer, answerable, posts_of
from .contract import plan_for
from .models import Incident, Task
from .stage import FINAL, OPEN, Draft, next_state, next_taker
from .timeline import task_facts, tell


def ladder_of(incident: Incident) -> list[Answerer]:
    """Who answers for the incident's place now, nearest first."""
    return answerable(incident.site_id or "", incident.division_code)


def send_draft(incident: Incident, draft: Draft, warning_id: str, plan_version: str, now: datetime) -> Task:
    """Store a task of the plan, once for each incident and item, and announce it."""
    task = Task(
        id=derived_id("task", incident.id, draft.item.key),
        incident=incident,
        division_code=incident.division_code,
        title=draft.item.zh,
        title_en=draft.item.en,
        post_id=draft.who.post_id,
        person_id=draft.who.person_id or None,
        level=draft.who.level,
        item=draft.item.key,
        plan_version=plan_version,
        sent_at=now,
        due_at=draft.due_at,
        cause=[warning_id],
        **_place(incident),
    )
    return send(task)


def send_task(
    incident_id: str, post_id: str, title: str, minutes: float, asker: Asker, *, title_en: str = "", now: datetime | None = None
) -> Task:
    """Send a task by hand (right ``command``); FieldError when the title is empty or the minutes are not above 0."""
    when = now or SystemClock().now()
    with acting(asker.person_id):
        incident = open_incident(incident_id, asker)
        if not title.strip():
            raise FieldError("title", title, "请写明要做什么", "say what must be done")
        if not 0 < minutes <= 7 * 24 * 60:
            raise FieldError("minutes", minutes, "应为 0 至 10080 分钟", "must be within 0 and 10080 minutes")
        post = Post.objects.select_related("person__substitute").filter(pk=post_id).first()
        if post is None or post.person is None:
            raise FieldError("post", post_id, "没有此岗位或岗位空缺", "no such post, or it is vacant")
        person = post.person.substitute if post.person.on_leave and post.person.substitute else post.person
        level = next((a.level for a in ladder_of(incident) if a.post_id == post.id), "")
        task = Task(
            id=new_id("task"),
            incident=incident,
            division_code=incident.division_code,
            title=title.strip(),
            title_en=title_en.strip() or title.strip(),
            post=post,
            person=person,
            level=level,
            sent_at=when,
            due_at=when + timedelta(minutes=minutes),
            cause=[incident.id],
            **_place(incident),
        )
        return send(task)


def _place(incident: Incident) -> dict[str, Any]:
    site = incident.site
    return {"lon": site.lon, "lat": site.lat} if site else {}


def send(task: Task) -> Task:
    """Store a task and announce it; one that is there already is given back as it is."""
    made = Task.objects.filter(pk=task.pk).select_related("post", "person").first()
    if made is not None:
        return made
    task.save(force_insert=True)
    announce(task, "sent", task.sent_at)
    return task


def announce(task: Task, what: str, at: datetime, *, actor: str = "", key: str = "", **facts: Any) -> None:
    """Emit ``respond.task.<what>`` and write it into the timeline."""
    payload = {
        "title": task.title,
        "title_en": task.title_en,
        "post": task.post_id,
        "person": task.person_id or "",
        "due": task.due_at.isoformat(),
        "incident": task.incident_id or "",
        "level": task.level,
        **facts,
    }
    emit(f"respond.task.{what}", task.id, payload, division_code=task.division_code, cause=task.cause, key=key)
    if task.incident is not None:
        tell(task.incident, at, f"respond.task.{what}", task.id, actor, task_facts(task, **facts))


def open_incident(incident_id: str, asker: Asker) -> Incident:
    """The incident, locked, for one with the right ``command`` there.

    ``respond.not_found`` (also outside the asker's area: that it exists is nobody else's to know), ``register.no_right`` or
    ``respond.already_closed`` otherwise.
    """
    rows = Incident.objects.select_for_update(of=("self",)).select_related("site")
    incident = scoped(rows, asker).filter(pk=incident_id).first()
    if incident is None:
        raise AnlanError("respond.not_found", f"没有事件 {incident_id}", f"no incident {incident_id}")
    asker.demand("command", incident.division_code)
    if incident.state != "open":
        raise AnlanError("respond.already_closed", "事件已结束，只能查看", "the incident is closed and read-only")
    return incident


def _mine(task_id: str, asker: Asker) -> Task:
    task = Task.objects.select_for_update(of=("self",)).select_related("post", "person", "incident__site").filter(pk=task_id).first()
    own = task is not None and (task.person_id == asker.person_id or task.post_id in posts_of(asker.person_id))
    if task is None or not (own or any(task.division_code.startswith(scope) for scope in asker.scopes)):
        raise AnlanError("respond.not_found", f"没有任务 {task_id}", f"no task {task_id}")  # a foreign one is as good as none
    if not own and not asker.may("command", task.division_code):
        raise AnlanError(
            "respond.no_right",
            f"这是{task.post.name}的任务；只有该岗位的人或指挥岗能办理",
            f"this task belongs to {task.post.name}; only its holder or a commander may act on it",
        )
    if task.incident is not None and task.incident.state != "open":
        raise AnlanError("respond.already_closed", "事件已结束，任务只能查看", "the incident is closed, its tasks are read-only")
    return task


def accept(task_id: str, asker: Asker, text: str = "", *, now: datetime | None = None) -> Task:
    """The person takes the task. Taking it twice is taking it once."""
    when = now or SystemClock().now()
    with acting(asker.person_id):
        task = _mine(task_id, asker)
        if task.state == "accepted":
            return task
        task.state, task.accepted_at = next_state(task.state, "accept"), when
        task.person = Person.objects.get(pk=asker.person_id)
        task.save()
        announce(task, "accepted", when, actor=asker.person_id, text=text)
    return task


def done(task_id: str, asker: Asker, text: str, *, now: datetime | None = None) -> Task:
    """The task is done; what was done is required. Others that stand for the same duty are cancelled."""
    when = now or SystemClock().now()
    with acting(asker.person_id):
        task = _mine(task_id, asker)
        if not text.strip():
            raise FieldError("text", text, "请写明做了什么", "say what was done")
        if task.state == "done":
            return task
        task.state, task.done_at, task.result = next_state(task.state, "done"), when, text.strip()
        task.accepted_at, task.done_by = task.accepted_at or when, Person.objects.get(pk=asker.person_id)
        task.save()
        announce(task, "done", when, actor=asker.person_id, text=task.result, late=when > task.due_at)
        for other in _same_duty(task):
            cancel(other, when, f"由{task.post.name}完成", f"done by {task.post.name}", actor=asker.person_id)
    return task


def refuse(task_id: str, asker: Asker, text: str, *, now: datetime | None = None) -> Task | None:
    """Refuse with a reason: the next level gets the task at once (returned; None when nobody is left)."""
    when = now or SystemClock().now()
    with acting(asker.person_id):
        task = _mine(task_id, asker)
        if not text.strip():
            raise FieldError("text", text, "请写明原因", "give the reason")
        if task.state == "refused":
            return task.taken_over_by.first()
        task.state, task.result = next_state(task.state, "refuse"), text.strip()
        task.save()
        announce(task, "refused", when, actor=asker.person_id, reason=task.result)
        return hand_up(task, when)


def cancel(task: Task, now: datetime, zh: str, en: str, *, actor: str) -> None:
    """Take an open task back, with the reason."""
    task.state, task.result = next_state(task.state, "cancel"), zh
    task.save()
    announce(task, "cancelled", now, actor=actor, reason=zh, reason_en=en)


def _same_duty(task: Task) -> list[Task]:
    """Open tasks that were handed up from this one, or that it was handed up from."""
    found: list[Task] = []
    before = task.instead_of
    while before is not None:
        found.append(before)
        before = before.instead_of
    after = list(task.taken_over_by.all())
    while after:
        found += after
        after = list(Task.objects.filter(instead_of__in=after))
    ids = [t.pk for t in found]
    return list(
        Task.objects.select_for_update(of=("self",)).filter(pk__in=ids, state__in=OPEN).select_related("post", "person", "incident__site")
    )


def hand_up(task: Task, now: datetime) -> Task | None:
    """A new task for whoever stands above the post of `task`; None when the ladder ends there."""
    incident = task.incident
    if incident is None:
        return None
    tried = {task.post_id, task.person_id or ""}
    before = task.instead_of
    while before is not None:
        tried |= {before.post_id, before.person_id or ""}
        before = before.instead_of
    who = next_taker(ladder_of(incident), task.level, frozenset(tried - {""}))
    if who is None:
        return None
    plan = plan_for(incident.hazard)
    return send(
        Task(
            id=derived_id("task", task.id, "up"),
            incident=incident,
            division_code=task.division_code,
            title=task.title,
            title_en=task.title_en,
            post_id=who.post_id,
            person_id=who.person_id,
            level=who.level,
            item=task.item,
            plan_version=task.plan_version,
            instead_of=task,
            sent_at=now,
            due_at=now + timedelta(minutes=plan.escalate_minutes),
            cause=[task.id],
            lon=task.lon,
            lat=task.lat,
        )
    )


def chase_late(now: datetime) -> int:
    """Mark each open task past its limit once, tell the house (``respond.task.late``) and hand it up; the number found."""
    late = Task.objects.filter(state__in=OPEN, due_at__lt=now, escalated=0).order_by("due_at").values_list("pk", flat=True)[:500]
    return sum(_chase(pk, now) for pk in list(late))


def _chase(task_id: str, now: datetime) -> bool:
    with acting("system:respond"):
        rows = Task.objects.select_for_update(of=("self",), skip_locked=True).select_related("post", "person", "incident__site")
        task = rows.filter(pk=task_id, state__in=OPEN, due_at__lt=now, escalated=0).first()
        if task is None or (task.incident is not None and task.incident.state != "open"):
            return False
        task.escalated = 1
        task.save()
        taken = hand_up(task, now)
        facts = {"limit_at": task.due_at.isoformat(), "taken_over_by": taken.id if taken else "", "plan_version": task.plan_version}
        announce(task, "late", now, actor="system:respond", **facts)
    return True


def waiting(incident: Incident) -> int:
    """How many tasks of the incident are not finished."""
    return Task.objects.filter(incident=incident).exclude(state__in=FINAL).count()


def of_person(person_id: str) -> Q:
    """Filter for the tasks of a person: named, or of a post they hold or stand in for."""
    return Q(person_id=person_id) | Q(post_id__in=posts_of(person_id))
