"""What supervise hears and watches: ended warnings, silent calls, late tasks, overdue hazards; its actions for the rooms above."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Max

from ..base.clock import SystemClock, beijing
from ..engines.outbox import Event, acting, on
from ..engines.reconcile import every
from ..issue.models import HazardWarning
from ..notify.models import CallStep
from ..register.models import Post
from ..register.roles import RIGHTS
from ..register.service import answerable
from ..respond.models import Task
from .actions import mark_overdue, move_case, move_hazard, open_case, open_from_warning, open_hazard, visible, workflows
from .models import Case, Hazard
from .rules import rules_at
from .trace import trace

__all__ = ["move_case", "move_hazard", "open_case", "open_from_warning", "open_hazard", "trace", "visible", "workflows"]


@on("issue.warning.lifted", "issue.warning.expired")
def warning_ended(event: Event) -> None:
    """A danger that was warned of must be looked for and removed: its end opens a hazard, from the rule's grade on."""
    warning = HazardWarning.objects.select_related("site").filter(pk=event.subject).first()
    if warning is None or warning.exercise:
        return
    worst = HazardWarning.objects.filter(series=warning.series).aggregate(g=Max("grade"))["g"]
    if worst >= rules_at(warning.ended_at or warning.issued_at, warning.division_code)["hazard.from_grade"].value:
        open_from_warning(warning.id, actor="system:supervise")


@on("notify.step.timed_out")
def silent_call(event: Event) -> None:
    """Somebody who had to answer a call did not, within its limit (exercises are scored, not punished)."""
    step = CallStep.objects.select_related("post", "person", "chain__warning").filter(pk=event.subject).first()
    if step is None or step.chain.warning.exercise:
        return
    limit = step.deadline or SystemClock().now()
    open_case(
        "silent_call",
        step.id,
        (
            f"{step.post.name}：{beijing(limit)[11:16]} 前未应答叫应",
            f"{step.post.name}: did not answer the call by {beijing(limit)[11:16]}",
        ),
        post_id=step.post_id,
        person_id=step.person_id,
        limit_at=limit,
        division_code=step.division_code or step.post.division_code,
        warning=step.chain.warning_id,
        now=_not_before(limit),
    )


@on("respond.task.late")
def late_task(event: Event) -> None:
    """A task was not done within its limit (exercises are scored, not punished)."""
    task = Task.objects.select_related("post", "incident").filter(pk=event.subject).first()
    if task is None or (task.incident is not None and task.incident.exercise):
        return
    open_case(
        "late_task",
        task.id,
        (f"{task.post.name}：任务逾时 {task.title}", f"{task.post.name}: late task, {task.title_en or task.title}"),
        post_id=task.post_id,
        person_id=task.person_id,
        limit_at=task.due_at,
        division_code=task.division_code,
        incident=task.incident_id or "",
        now=_not_before(task.due_at),
    )


def _not_before(limit: datetime) -> datetime:
    return max(SystemClock().now(), limit)


@on("supervise.hazard.overdue")
def late_hazard(event: Event) -> None:
    """A hazard's step is past its limit: the post that must take that step answers for it."""
    hazard = Hazard.objects.select_related("post").filter(pk=event.subject).first()
    if hazard is None or hazard.overdue_at is None:
        return
    limit = datetime.fromisoformat(str(event.payload["limit_at"]))
    state = str(event.payload["state"])
    row = workflows()["hazard"].offered(state)[0]
    post = hazard.post if row.right == "own" else _supervisor(hazard)
    open_case(
        "late_rectification" if row.right == "own" else "late_supervision",
        hazard.id,
        (f"隐患逾期未“{row.zh}”：{hazard.title}", f"hazard overdue, not done: {row.en}; {hazard.title_en or hazard.title}"),
        post_id=post.id if post else None,
        person_id=post.person_id if post else None,
        limit_at=limit,
        division_code=hazard.division_code,
        warning=str(event.payload.get("warning", "")),
        part=f"{state}:{limit.isoformat()}",
        now=hazard.overdue_at,
    )


def _supervisor(hazard: Hazard) -> Post | None:
    """The nearest answering post with the right to supervise the hazard's place."""
    roles = [role for role, rights in RIGHTS.items() if "supervise" in rights]
    ids = [a.post_id for a in answerable(hazard.site_id or "", hazard.division_code) if a.person_id]
    found = {post.id: post for post in Post.objects.filter(pk__in=ids, role__in=roles)}
    return next((found[pk] for pk in ids if pk in found), None)


@on("notify.step.answered", "respond.task.done")
def late_but_came(event: Event) -> None:
    """A case learns when the matter was done after all."""
    record: CallStep | Task | None
    if event.type == "respond.task.done":
        record = Task.objects.filter(pk=event.subject).first()
        at = record.done_at if record else None
    else:
        record = CallStep.objects.filter(pk=event.subject).first()
        at = record.answered_at if record else None
    if at is None:
        return
    with acting("system:supervise"):
        for case in Case.objects.filter(cause__contains=[event.subject], actual_at__isnull=True):
            case.actual_at = at
            case.save()


@every(10)
def overdue_hazards(now: datetime) -> int:
    """Reconciler: hazards whose step is past its limit are marked, told and become cases."""
    return mark_overdue(now)
