"""Respond's events and reconcilers: warnings open incidents and send tasks; everything lands in one timeline."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Q

from ..base.clock import SystemClock
from ..base.errors import AnlanError, FieldError
from ..base.grade import Grade
from ..base.ids import derived_id
from ..engines.outbox import Event, acting, emit, on
from ..engines.reconcile import every
from ..issue.models import HazardWarning
from ..notify.models import Notice
from ..register.models import Person
from ..register.scope import Asker
from .contract import plan_for
from .knocks import send_knocks
from .models import Incident, Task, TimelineEntry
from .stage import incident_title, tasks_due, told_from
from .tasks import accept, chase_late, done, ladder_of, open_incident, refuse, send_draft, send_task, waiting
from .timeline import TOLD, tell, tell_event, tell_past

__all__ = ["accept", "close", "done", "refuse", "send_task"]


@on("issue.warning.issued")
def warning_issued(event: Event) -> None:
    """Open (or join) the incident of the warning's site and hazard, and send what the plan asks for at its grade."""
    warning = HazardWarning.objects.select_related("site", "proposal").filter(pk=event.subject).first()
    if warning is None or warning.site is None or warning.kind == "lift":
        return
    with acting("system:respond"):
        incident = _join(warning) or _open(warning)
        tell_event(event, incident)
        facts = {"title": incident.title, "title_en": incident.title_en}
        tell(incident, incident.opened_at, "respond.incident.opened", incident.id, "system:respond", facts)
        _send_plan(incident, warning)


def _join(warning: HazardWarning) -> Incident | None:
    incident = (
        Incident.objects.select_for_update(of=("self",))
        .select_related("site")
        .filter(site=warning.site, hazard=warning.hazard, exercise=warning.exercise, state="open")
        .first()
    )
    if incident is None:
        return None
    if warning.id not in incident.cause:
        incident.cause = [*incident.cause, warning.id]
    if warning.grade > incident.grade and warning.site is not None:
        incident.grade = warning.grade
        incident.title, incident.title_en = incident_title(
            warning.site.name, warning.site.name_en, warning.hazard, Grade(warning.grade), warning.exercise
        )
    incident.warning_series = warning.series
    incident.save()
    return incident


def _open(warning: HazardWarning) -> Incident:
    site = warning.site
    assert site is not None
    title, title_en = incident_title(site.name, site.name_en, warning.hazard, Grade(warning.grade), warning.exercise)
    incident = Incident(
        id=derived_id("inc", warning.series, warning.id),
        division_code=warning.division_code or site.division_code,
        title=title,
        title_en=title_en,
        hazard=warning.hazard,
        site=site,
        grade=warning.grade,
        exercise=warning.exercise,
        warning_series=warning.series,
        plan_version=plan_for(warning.hazard).version,
        opened_at=warning.issued_at,
        cause=[warning.id],
    )
    incident.save(force_insert=True)
    payload = {"title": title, "title_en": title_en, "site": site.id, "hazard": warning.hazard, "warning": warning.id}
    emit("respond.incident.opened", incident.id, payload, division_code=incident.division_code, cause=[warning.id])
    proposal = warning.proposal
    if proposal is not None:
        tell_past(incident, [proposal.id, *proposal.cause, *warning.cause])
    return incident


def _send_plan(incident: Incident, warning: HazardWarning) -> None:
    plan = plan_for(incident.hazard)
    already = frozenset(Task.objects.filter(incident=incident).values_list("item", flat=True))
    begun = told_from(warning.issued_at, SystemClock().now())
    drafts, nobody = tasks_due(plan, Grade(warning.grade), begun, ladder_of(incident), already)
    for draft in drafts:
        send_draft(incident, draft, warning.id, plan.version, begun)
    for item in nobody:
        tell(incident, warning.issued_at, "respond.task.nobody", item.key, "system:respond", {"title": item.zh, "title_en": item.en})


@on("notify.spread.done")
def doors_to_knock(event: Event) -> None:
    """All households of a warning's area have been told, or not: those that nobody reaches become door-knock tasks."""
    warning = HazardWarning.objects.select_related("site").filter(pk=event.subject, state="issued", exercise=False).first()
    if warning is None or warning.site is None:
        return
    incident = Incident.objects.filter(site=warning.site, hazard=warning.hazard, exercise=False, state="open").first()
    if incident is not None:
        with acting("system:respond"):
            send_knocks(incident, warning, SystemClock().now())


@on(*(t for t in TOLD if t != "issue.warning.issued"))
def told(event: Event) -> None:
    """Everything else that happens goes into the timeline of its incident, if there is one."""
    tell_event(event)


def in_force(incident: Incident) -> bool:
    """Whether a warning of the incident's site and hazard still stands."""
    rows = HazardWarning.objects.filter(site_id=incident.site_id, hazard=incident.hazard, exercise=incident.exercise, state="issued")
    return rows.exclude(kind="lift").exists()


def close(incident_id: str, asker: Asker, review: str, *, now: datetime | None = None) -> Incident:
    """Close an incident (right ``command``): no warning in force, no task open, a review written. Read-only afterwards.

    Raises ``respond.warning_in_force``, ``respond.tasks_open`` or a FieldError for an empty review.
    """
    when = now or SystemClock().now()
    with acting(asker.person_id):
        incident = open_incident(incident_id, asker)
        if in_force(incident):
            raise AnlanError(
                "respond.warning_in_force", "预警尚未解除，不能结束事件；请先解除预警", "a warning is still in force; lift it first"
            )
        left = waiting(incident)
        if left:
            raise AnlanError(
                "respond.tasks_open",
                f"还有 {left} 项任务未完成，请先办结或收回",
                f"{left} tasks are not finished; finish or cancel them first",
            )
        if not review.strip():
            raise FieldError("review", review, "请写明处置评估", "write the review of the response")
        facts = {"title": incident.title, "title_en": incident.title_en}
        tell(incident, when, "respond.incident.closed", incident.id, asker.person_id, facts)
        incident.state, incident.closed_at, incident.review = "closed", when, review.strip()
        incident.closed_by = Person.objects.get(pk=asker.person_id)
        incident.save()
        payload = {**facts, "site": incident.site_id or "", "hazard": incident.hazard}
        emit("respond.incident.closed", incident.id, payload, division_code=incident.division_code, cause=[incident.id])
    return incident


@every(2)
def late_tasks(now: datetime) -> int:
    """Reconciler: open tasks past their limit are told and handed up."""
    return chase_late(now)


def delivery(warning_id: str) -> list[dict[str, object]]:
    """How far a warning got, for each channel: notices, sent, and by the strongest fact (channel, device, confirmed, acted)."""
    rows = Notice.objects.filter(warning_id=warning_id).values("channel").order_by("channel")
    counted = rows.annotate(
        notices=Count("id"),
        taken=Count("id", filter=Q(reached__gte=1)),
        device=Count("id", filter=Q(reached__gte=2)),
        confirmed=Count("id", filter=Q(reached__gte=3)),
        acted=Count("id", filter=Q(reached__gte=4)),
        failed=Count("id", filter=Q(state__in=["failed", "unreachable", "expired"])),
    )
    return list(counted)


@every(5)
def delivery_summaries(now: datetime) -> int:
    """Reconciler: the state of delivery is written into the timeline at the plan's marks after each warning (5, 15, 60 minutes)."""
    written = 0
    for incident in Incident.objects.filter(state="open").only("id", "cause", "hazard", "opened_at"):
        marks = plan_for(incident.hazard).summary_minutes
        since = now - timedelta(minutes=max(marks) + 60)
        for warning in HazardWarning.objects.filter(pk__in=incident.cause, issued_at__gte=since).only("id", "issued_at"):
            for minutes in marks:
                at = warning.issued_at + timedelta(minutes=minutes)
                kind = f"notify.summary:{minutes:g}"
                if at <= now and not TimelineEntry.objects.filter(incident=incident, kind=kind, subject=warning.id).exists():
                    written += _write_summary(incident, warning.id, kind, minutes, at)
    return written


def _write_summary(incident: Incident, warning_id: str, kind: str, minutes: float, at: datetime) -> bool:
    channels = delivery(warning_id)
    if not channels:
        return False
    total = {k: sum(int(str(row[k])) for row in channels) for k in ("notices", "taken", "device", "confirmed", "acted", "failed")}
    zh = (
        f"发布 {minutes:g} 分钟：通知 {total['notices']}，渠道接了 {total['taken']}，设备收到 {total['device']}，"
        f"本人确认 {total['confirmed']}，已行动 {total['acted']}，未达 {total['failed']}"
    )
    en = (
        f"{minutes:g} min after issue: {total['notices']} notices, {total['taken']} taken by the channel, {total['device']} on the device, "
        f"{total['confirmed']} confirmed, {total['acted']} acted, {total['failed']} failed"
    )
    with acting("system:respond"):
        TimelineEntry.objects.bulk_create(
            [TimelineEntry(incident=incident, at=at, kind=kind, subject=warning_id, actor="system:respond", zh=zh, en=en)],
            ignore_conflicts=True,
        )
    return True
