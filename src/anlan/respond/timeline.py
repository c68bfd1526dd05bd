"""The incident's timeline: one line for each thing that happens, from every room's events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Q

from ..detect.models import Finding
from ..engines.models import Outbox
from ..engines.outbox import Event
from ..engines.trim import lasting
from ..issue.models import HazardWarning, Proposal
from ..notify.models import CallStep
from ..register.models import Person, Post
from .models import Incident, Task, TimelineEntry
from .stage import sentence

TOLD = (
    "detect.finding.raised",
    "issue.proposal.raised",
    "issue.proposal.raised_grade",
    "issue.proposal.claimed",
    "issue.proposal.declined",
    "issue.proposal.withdrawn",
    "issue.order.acted",
    "issue.warning.issued",
    "issue.warning.lifted",
    "issue.warning.expired",
    "notify.step.called",
    "notify.step.answered",
    "notify.step.refused",
    "notify.step.timed_out",
    "notify.chain.exhausted",
    "supervise.hazard.found",
    "supervise.hazard.moved",
    "supervise.hazard.overdue",
    "supervise.hazard.cancelled",
    "supervise.case.opened",
    "supervise.case.decided",
    "supervise.case.dismissed",
)
lasting(*TOLD)  # an incident opened later tells what came before it


def tell(incident: Incident, at: datetime, kind: str, subject: str, actor: str, facts: dict[str, Any], *, line: str = "") -> None:
    """Add one line; the same kind and subject twice is one line. `line` tells repeats of an event apart (a grade, a state)."""
    zh, en = sentence(kind, facts)
    entry = TimelineEntry(incident=incident, at=at, kind=f"{kind}:{line}" if line else kind, subject=subject, actor=actor, zh=zh, en=en)
    TimelineEntry.objects.bulk_create([entry], ignore_conflicts=True)


def tell_event(event: Event, incident: Incident | None = None) -> bool:
    """Write an event into the timeline of the incident it belongs to; False when there is none."""
    incident = incident or incident_of(event)
    if incident is None:
        return False
    at = Outbox.objects.values_list("created_at", flat=True).get(pk=event.id)
    facts = _facts(event)
    line = str(event.payload.get("step") or event.payload.get("state") or "") if event.type == "supervise.hazard.moved" else ""
    line = str(event.payload.get("grade", "")) if event.type == "issue.proposal.raised_grade" else line
    tell(incident, facts.pop("at", None) or at, event.type, event.subject, str(facts.get("actor", "")), facts, line=line)
    return True


def tell_past(incident: Incident, subjects: Iterable[str]) -> int:
    """Write what happened to these records before the incident was opened; the number of lines."""
    rows = Outbox.objects.filter(subject__in=list(subjects), type__in=TOLD).order_by("id")
    return sum(tell_event(Event(r.id, r.type, r.subject, r.payload, r.division_code, tuple(r.cause)), incident) for r in rows)


def incident_of(event: Event) -> Incident | None:
    """The incident that an event belongs to: by the incident or warning it names, else the open one of its site and hazard."""
    payload = event.payload
    if payload.get("incident"):
        return Incident.objects.filter(pk=payload["incident"]).first()
    warning = payload.get("warning") or (event.subject if event.type.startswith("issue.warning.") else "")
    found = _of_series(str(warning), str(payload.get("series") or "")) if warning or payload.get("series") else None
    site, hazard = payload.get("site"), payload.get("hazard")
    if event.type == "issue.order.acted":
        hazard = Proposal.objects.filter(pk=event.subject).values_list("hazard", flat=True).first()
    if found is None and site and hazard:
        found = Incident.objects.filter(site_id=site, hazard=hazard, state="open", exercise=False).first()
    return found


def _of_series(warning_id: str, series: str) -> Incident | None:
    """The incident that holds any version of a warning (a lift is a version of its own)."""
    series = series or HazardWarning.objects.filter(pk=warning_id).values_list("series", flat=True).first() or ""
    versions = list(HazardWarning.objects.filter(series=series).values_list("pk", flat=True)) if series else [warning_id]
    return Incident.objects.filter(cause__overlap=versions).order_by("-opened_at").first()


def _facts(event: Event) -> dict[str, Any]:
    """What the sentence of an event needs, from its payload and its record."""
    facts: dict[str, Any] = {k: v for k, v in event.payload.items() if isinstance(v, str | int | float)}
    _, record, what = event.type.split(".")
    if record == "finding":
        finding = Finding.objects.filter(pk=event.subject).first()
        facts |= {"zh": finding.zh, "en": finding.en, "at": finding.at, "grade": finding.grade} if finding else {}
    elif record == "proposal":
        proposal = Proposal.objects.filter(pk=event.subject).select_related("claimed_by", "decided_by").first()
        if proposal:
            who = proposal.decided_by or proposal.claimed_by
            facts = {"zh": proposal.zh, "en": proposal.en, "grade": proposal.grade, "reason": proposal.reason, **facts}
            facts["who"] = who.name if who else ""
            facts["at"] = {"raised": proposal.proposed_at, "declined": proposal.decided_at}.get(what)
    elif record == "order":
        facts["actions"] = "、".join(map(str, event.payload.get("actions", [])))
    elif record == "warning":
        facts |= _warning_facts(event.subject, what)
    elif record == "step":
        facts |= _step_facts(event.subject, what, facts)
    return facts


def _warning_facts(warning_id: str, what: str) -> dict[str, Any]:
    warning = HazardWarning.objects.filter(pk=warning_id).select_related("signed_by").first()
    if warning is None:
        return {}
    who, who_en = (warning.signed_by.name, warning.signed_by.name) if warning.signed_by else ("常备指令", "a standing order")
    actor = warning.signed_by_id or ""
    at = warning.issued_at if what == "issued" else warning.ended_at
    facts = {"title": warning.title, "title_en": warning.title_en, "grade": warning.grade, "at": at}
    return facts | {"who": who, "who_en": who_en, "actor": actor}


def _step_facts(step_id: str, what: str, facts: dict[str, Any]) -> dict[str, Any]:
    step = CallStep.objects.filter(pk=step_id).select_related("post", "person").first()
    if step is not None:
        at = {"called": step.called_at, "timed_out": step.deadline}.get(what, step.answered_at)
        return {"post": step.post.name, "who": step.person.name if step.person else "", "actor": step.person_id or "", "at": at}
    post = Post.objects.filter(pk=facts.get("post", "")).first()
    person = Person.objects.filter(pk=facts.get("person", "")).first()
    return {"post": post.name if post else "", "who": person.name if person else ""}


def task_facts(task: Task, **more: Any) -> dict[str, Any]:
    """What the sentence of a task needs."""
    return {
        "title": task.title,
        "title_en": task.title_en,
        "post": task.post.name,
        "who": task.person.name if task.person else "",
        **more,
    }


def entries(incident: Incident) -> list[dict[str, Any]]:
    """The timeline for the api, oldest first."""
    rows = TimelineEntry.objects.filter(Q(incident=incident)).order_by("at", "id")
    return [{"at": r.at, "kind": r.kind, "subject": r.subject, "actor": r.actor, "zh": r.zh, "en": r.en} for r in rows]
