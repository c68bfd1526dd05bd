"""Issue's events and reconcilers, and the functions other rooms call.

Evidence moves (findings, forecasts, silences) → the place is judged anew → proposals and standing orders.
People decide by `claim`, `sign`, `decline`, `consult`; `lift` and `update` act on warnings in force.
"""

from __future__ import annotations

from datetime import datetime

from ..base.grade import Grade
from ..engines.outbox import Event, acting, emit, on
from ..engines.reconcile import every
from .decisions import claim, consult, decline, sign
from .models import Proposal
from .orders import sign_order, withdraw_order
from .proposals import judge, record_missed
from .views import proposal_view, site_warning
from .warnings import cap, expire_due, lift, update

__all__ = [
    "cap",
    "claim",
    "consult",
    "decline",
    "judge",
    "lift",
    "proposal_view",
    "sign",
    "sign_order",
    "site_warning",
    "update",
    "withdraw_order",
]


@on("detect.finding.raised", "detect.silence.raised", "detect.silence.ended", urgent=True)
def finding_moved(event: Event) -> None:
    """A finding was raised, worsened or cleared: judge its place; what was orange or red leaves a trace in any case."""
    held = judge(event.payload["site"], event.payload["hazard"], cause=event.subject)
    if held is None and event.type == "detect.finding.raised" and int(event.payload.get("grade", 0)) >= Grade.ORANGE:
        record_missed(event.subject)


@on("forecast.forecast.made", urgent=True)
def forecast_made(event: Event) -> None:
    """A failure window was computed: it may open the last gate of a slope's proposal."""
    judge(event.payload["site"], "slope", cause=event.subject)


@on("issue.warning.lifted", "issue.warning.expired")
def warning_ended(event: Event) -> None:
    """A warning ended: if the evidence still stands, the place is proposed again (a lift keeps quiet for an hour)."""
    if event.payload.get("site"):
        judge(event.payload["site"], event.payload["hazard"], cause=event.subject)


@every(2)
def expire(now: datetime) -> int:
    """End warnings whose time is over."""
    with acting("system:issue.expire"):
        return len(expire_due(now))


@every(15)
def settle(now: datetime) -> int:
    """Judge again the places whose proposals wait for calm: withdraw them when it lasted."""
    waiting = Proposal.objects.filter(state="open", evidence__has_key="clear_since_ms").values_list("id", "site_id", "hazard")[:500]
    for _, site, hazard in waiting:
        with acting("system:issue.settle"):
            judge(site, hazard, now=now)
    return len(waiting)


@every(2)
def chase(now: datetime) -> int:
    """Say once for each proposal and grade that its time to decide is over."""
    late = Proposal.objects.filter(state__in=("open", "claimed"), decide_by__lte=now).only(
        "id", "site_id", "hazard", "grade", "division_code"
    )
    fresh = 0
    for row in late.exclude(evidence__has_key="overdue")[:200]:
        with acting("system:issue.chase"):
            locked = Proposal.objects.select_for_update().get(pk=row.pk)
            if locked.state not in ("open", "claimed") or locked.evidence.get("overdue") is True:
                continue
            locked.evidence = {**locked.evidence, "overdue": True}
            locked.save(update_fields=["evidence", "updated_at"])
            payload = {"site": row.site_id, "hazard": row.hazard, "grade": row.grade, "title": locked.title, "title_en": locked.title_en}
            key = f"issue.proposal.overdue:{row.id}:{row.grade}"
            emit("issue.proposal.overdue", row.id, payload, division_code=row.division_code, cause=[row.id], key=key)
            fresh += 1
    return fresh
