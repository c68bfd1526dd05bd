"""HTTP of respond: incidents with their timeline, tasks and what is done with them. `request.asker` is set by the web room."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest
from ninja import Router, Schema

from ..base.clock import SystemClock
from ..base.errors import AnlanError
from ..issue.models import HazardWarning
from ..register.scope import Asker, scoped
from . import doors, service
from .knocks import doors_of
from .models import Incident, Task
from .stage import OPEN
from .tasks import of_person
from .timeline import entries

router = Router(tags=["respond"])


class TextIn(Schema):
    """What was done, or why not."""

    text: str = ""


class DoorIn(Schema):
    """What was found at a door: ``acted``, ``confirmed`` or ``absent``."""

    answer: str
    text: str = ""
    said_at: datetime | None = None  # by the phone's clock; tells a repeat of the same answer from a second visit


class ReviewIn(Schema):
    """The review that closes an incident."""

    review: str = ""


class TaskIn(Schema):
    """A task sent by hand."""

    post: str
    title: str
    title_en: str = ""
    minutes: float


def _asker(request: HttpRequest) -> Asker:
    return request.asker  # type: ignore[attr-defined, no-any-return]


def task_row(task: Task) -> dict[str, Any]:
    """A task as the ui sees it; ``left_s`` is below 0 when it is late."""
    now = SystemClock().now()
    ended = task.done_at or (now if task.state in OPEN else None)
    return {
        "id": task.id,
        "incident": task.incident_id,
        "title": task.title,
        "title_en": task.title_en,
        "state": task.state,
        "level": task.level,
        "post": {"id": task.post_id, "name": task.post.name},
        "person": {"id": task.person_id, "name": task.person.name} if task.person else None,
        "sent_at": task.sent_at,
        "due_at": task.due_at,
        "accepted_at": task.accepted_at,
        "done_at": task.done_at,
        "result": task.result,
        "late": bool(ended and ended > task.due_at),
        "left_s": (task.due_at - now).total_seconds() if task.state in OPEN else None,
        "instead_of": task.instead_of_id,
        "plan_version": task.plan_version,
        "lon": task.lon,
        "lat": task.lat,
        "cause": task.cause,
    }


def incident_row(row: Incident) -> dict[str, Any]:
    """An incident in a list."""
    return {
        "id": row.id,
        "title": row.title,
        "title_en": row.title_en,
        "hazard": row.hazard,
        "grade": row.grade,
        "site": row.site_id,
        "state": row.state,
        "exercise": row.exercise,
        "opened_at": row.opened_at,
        "closed_at": row.closed_at,
        "division_code": row.division_code,
        "plan_version": row.plan_version,
    }


@router.get("/incidents", summary="Incidents, newest first: ?state=open|closed")
def list_incidents(request: HttpRequest, state: str = "", limit: int = 100) -> list[dict[str, Any]]:
    """Incidents inside the asker's area, with how many tasks are open and late."""
    rows = scoped(Incident.objects.all(), _asker(request)).order_by("-opened_at")
    if state:
        rows = rows.filter(state=state)
    open_tasks = Q(tasks__state__in=OPEN)
    rows = rows.annotate(
        tasks_all=Count("tasks"), tasks_open=Count("tasks", filter=open_tasks), tasks_late=Count("tasks", filter=Q(tasks__escalated=1))
    )
    counted = ("tasks_all", "tasks_open", "tasks_late")
    return [incident_row(r) | {name: getattr(r, name) for name in counted} for r in rows[: max(1, min(limit, 500))]]


@router.get("/incidents/{incident_id}", summary="One incident: timeline, tasks, warnings with their delivery")
def one_incident(request: HttpRequest, incident_id: str) -> dict[str, Any]:
    """Everything about one incident."""
    row = scoped(Incident.objects.select_related("closed_by"), _asker(request)).filter(pk=incident_id).first()
    if row is None:
        raise AnlanError(
            "respond.not_found", f"没有事件 {incident_id}，或不在您的辖区内", f"no incident {incident_id}, or outside your area"
        )
    tasks = Task.objects.filter(incident=row).select_related("post", "person").order_by("due_at", "id")
    warnings = HazardWarning.objects.filter(pk__in=row.cause).order_by("issued_at")
    return incident_row(row) | {
        "review": row.review,
        "closed_by": row.closed_by.name if row.closed_by else "",
        "in_force": service.in_force(row),
        "cause": row.cause,
        "timeline": entries(row),
        "tasks": [task_row(t) for t in tasks],
        "warnings": [
            {
                "id": w.id,
                "version": w.version,
                "grade": w.grade,
                "kind": w.kind,
                "state": w.state,
                "title": w.title,
                "title_en": w.title_en,
                "issued_at": w.issued_at,
                "delivery": service.delivery(w.id),
            }
            for w in warnings
        ],
    }


@router.post("/incidents/{incident_id}/close", summary="Close an incident with its review")
def close_incident(request: HttpRequest, incident_id: str, given: ReviewIn) -> dict[str, Any]:
    """400 says what is still open."""
    return incident_row(service.close(incident_id, _asker(request), given.review))


@router.post("/incidents/{incident_id}/tasks", summary="Send a task by hand")
def add_task(request: HttpRequest, incident_id: str, given: TaskIn) -> dict[str, Any]:
    """Right ``command``."""
    task = service.send_task(incident_id, given.post, given.title, given.minutes, _asker(request), title_en=given.title_en)
    return task_row(_loaded(task.id))


@router.get("/doors", summary="Doors the asker must knock at, one list per warning in force")
def my_doors(request: HttpRequest) -> list[dict[str, Any]]:
    """Households of the asker's own grids (of their area when they have no grid), with what is known of each."""
    return doors.doors_of(_asker(request))


@router.post("/doors/{notice_id}", summary="What was found at a door: acted, confirmed or absent")
def door_visit(request: HttpRequest, notice_id: str, given: DoorIn) -> dict[str, Any]:
    """Right ``respond``; the newest visit counts."""
    return {"notice": doors.visit(notice_id, _asker(request), given.answer, given.text, said_at=given.said_at).id, "answer": given.answer}


@router.get("/tasks", summary="Tasks by what runs out first: ?mine=1&state=&incident=")
def list_tasks(request: HttpRequest, mine: bool = False, state: str = "", incident: str = "", limit: int = 200) -> list[dict[str, Any]]:
    """Tasks of the asker (`mine`) or of their area; open ones unless `state` says otherwise (``all`` for every state)."""
    asker = _asker(request)
    rows = Task.objects.select_related("post", "person").order_by("due_at", "id")
    rows = rows.filter(of_person(asker.person_id)) if mine else scoped(rows, asker)
    if state != "all":
        rows = rows.filter(state=state) if state else rows.filter(state__in=OPEN)
    if incident:
        rows = rows.filter(incident_id=incident)
    return [task_row(t) for t in rows[: max(1, min(limit, 1000))]]


@router.get("/tasks/{task_id}", summary="One task")
def one_task(request: HttpRequest, task_id: str) -> dict[str, Any]:
    """A task of the asker or of their area."""
    asker = _asker(request)
    task = Task.objects.select_related("post", "person").filter(pk=task_id).first()
    own = task is not None and Task.objects.filter(of_person(asker.person_id), pk=task_id).exists()
    if task is None or not (own or scoped(Task.objects.filter(pk=task_id), asker).exists()):
        raise AnlanError("respond.not_found", f"没有任务 {task_id}，或不在您的辖区内", f"no task {task_id}, or outside your area")
    return task_row(task)


@router.get("/tasks/{task_id}/doors", summary="The doors of a door-knock task: who lives there, and what was said so far")
def task_doors(request: HttpRequest, task_id: str) -> list[dict[str, Any]]:
    """Empty for other tasks; each door is reported by ``POST /notices/{notice}/confirm`` or ``/act``."""
    one_task(request, task_id)
    return doors_of(_loaded(task_id))


@router.post("/tasks/{task_id}/accept", summary="Take a task")
def accept_task(request: HttpRequest, task_id: str, given: TextIn | None = None) -> dict[str, Any]:
    """Only its holder, their substitute or a commander."""
    return task_row(_loaded(service.accept(task_id, _asker(request), given.text if given else "").id))


@router.post("/tasks/{task_id}/done", summary="Report a task done, saying what was done")
def done_task(request: HttpRequest, task_id: str, given: TextIn) -> dict[str, Any]:
    """The text is required."""
    return task_row(_loaded(service.done(task_id, _asker(request), given.text).id))


@router.post("/tasks/{task_id}/refuse", summary="Refuse a task with the reason; the next level gets it at once")
def refuse_task(request: HttpRequest, task_id: str, given: TextIn) -> dict[str, Any]:
    """The answer's ``taken_over_by`` is the new task, or null when nobody is left."""
    handed = service.refuse(task_id, _asker(request), given.text)
    return task_row(_loaded(task_id)) | {"taken_over_by": task_row(_loaded(handed.id)) if handed else None}


def _loaded(task_id: str) -> Task:
    return Task.objects.select_related("post", "person").get(pk=task_id)
