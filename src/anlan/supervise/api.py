"""HTTP of supervise: hazards, cases and the trace from any record back to its readings. `request.asker` is set by the web room."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Body, Router, Schema

from ..base.clock import SystemClock
from ..base.errors import AnlanError, FieldError
from ..register.models import Person, Station
from ..register.scope import Asker, scoped
from ..register.service import posts_of
from . import service
from .contract import OWN
from .models import Case, Hazard, HazardStep
from .trace import find_record, person_name

router = Router(tags=["supervise"])
ACTIONS = ("grade", "order", "rectify", "recheck", "cancel", "return")


class HazardIn(Schema):
    """A hazard entered by hand, or opened from a warning."""

    title: str = ""
    title_en: str = ""
    site: str = ""
    warning: str = ""
    cause: list[str] = []


def _asker(request: HttpRequest) -> Asker:
    return request.asker  # type: ignore[attr-defined, no-any-return]


def _person(person: Person | None) -> dict[str, str] | None:
    return {"id": person.id, "name": person.name} if person else None


def _offered(workflow: str, record: Hazard | Case, asker: Asker) -> list[dict[str, Any]]:
    """The actions of the present state, and whether the asker has the right to each."""
    own = record.post_id in posts_of(asker.person_id) or getattr(record, "person_id", None) == asker.person_id
    rows = service.workflows()[workflow].offered(record.state)
    return [
        {
            "event": r.event,
            "zh": r.zh,
            "en": r.en,
            "next": r.next,
            "may": own if r.right == OWN else asker.may(r.right, record.division_code),
        }
        for r in rows
    ]


def hazard_row(row: Hazard) -> dict[str, Any]:
    """A hazard in a list; ``left_s`` is below 0 when the present step is overdue."""
    now = SystemClock().now()
    words = service.workflows()["hazard"].states[row.state]
    return {
        "id": row.id,
        "title": row.title,
        "title_en": row.title_en,
        "site": row.site_id,
        "major": row.major,
        "state": row.state,
        "state_zh": words[0],
        "state_en": words[1],
        "track": list(service.workflows()["hazard"].states),
        "found_at": row.found_at,
        "post": {"id": row.post_id, "name": row.post.name} if row.post else None,
        "due_at": row.due_at,
        "step_due_at": row.step_due_at,
        "left_s": (row.step_due_at - now).total_seconds() if row.step_due_at else None,
        "overdue": bool(row.step_due_at and now > row.step_due_at),
        "rectified_at": row.rectified_at,
        "cancelled_at": row.cancelled_at,
        "division_code": row.division_code,
        "rule_version": row.rule_version,
    }


@router.get("/hazards", summary="Hazards by what runs out first: ?state=&major=&open=1")
def list_hazards(
    request: HttpRequest, state: str = "", major: bool | None = None, open: bool = False, limit: int = 200
) -> list[dict[str, Any]]:
    """Hazards inside the asker's area."""
    rows = scoped(Hazard.objects.select_related("post"), _asker(request)).order_by("step_due_at", "-found_at")
    if state:
        rows = rows.filter(state=state)
    if open:
        rows = rows.exclude(state="cancelled")
    if major is not None:
        rows = rows.filter(major=major)
    return [hazard_row(r) for r in rows[: max(1, min(limit, 1000))]]


def _hazard(request: HttpRequest, hazard_id: str) -> Hazard:
    rows = Hazard.objects.select_related("post", "rectified_by", "rechecked_by")
    asker = _asker(request)
    row = rows.filter(pk=hazard_id).first()
    visible = row is not None and (scoped(Hazard.objects.filter(pk=hazard_id), asker).exists() or row.post_id in posts_of(asker.person_id))
    if row is None or not visible:
        raise AnlanError("supervise.not_found", f"没有隐患 {hazard_id}，或不在您的辖区内", f"no hazard {hazard_id}, or outside your area")
    return row


@router.get("/hazards/{hazard_id}", summary="One hazard with its steps and what may be done now")
def one_hazard(request: HttpRequest, hazard_id: str) -> dict[str, Any]:
    """Everything about one hazard."""
    row = _hazard(request, hazard_id)
    steps = HazardStep.objects.filter(hazard=row).order_by("id")
    return hazard_row(row) | {
        "measures": row.measures,
        "found_by": person_name(row.found_by),
        "rectified_by": _person(row.rectified_by),
        "rechecked_by": _person(row.rechecked_by),
        "cause": row.cause,
        "actions": _offered("hazard", row, _asker(request)),
        "steps": [
            {
                "at": s.at,
                "who": person_name(s.actor),
                "event": s.event,
                "before": s.before,
                "after": s.after,
                "limit_at": s.limit_at,
                "late": bool(s.limit_at and s.at > s.limit_at),
                "note": s.note,
                "evidence": s.evidence,
            }
            for s in steps
        ],
    }


@router.post("/hazards", summary="Register a hazard: {title, site} by hand, or {warning}")
def add_hazard(request: HttpRequest, given: HazardIn) -> dict[str, Any]:
    """By hand with the right ``respond``; from a warning with the right ``supervise``."""
    asker = _asker(request)
    if given.warning:
        asker.demand("supervise", find_record(given.warning).division_code)
        row = service.open_from_warning(given.warning, actor=asker.person_id)
        if row is None:
            raise FieldError("warning", given.warning, "该预警没有监测对象", "this warning names no site")
    else:
        row = service.open_hazard(given.title, given.site, asker, title_en=given.title_en, cause=given.cause)
    return one_hazard(request, row.id)


@router.post("/hazards/{hazard_id}/{action}", summary="One step: grade, order, rectify, recheck, cancel, return")
def step_hazard(request: HttpRequest, hazard_id: str, action: str, given: Body[dict[str, Any]]) -> dict[str, Any]:  # type: ignore[type-arg]
    """The answer of a refused step says why and what is possible."""
    if action not in ACTIONS:
        raise FieldError("action", action, f"应为 {'、'.join(ACTIONS)}", f"must be one of {', '.join(ACTIONS)}")
    _hazard(request, hazard_id)
    service.move_hazard(hazard_id, action, _asker(request), given)
    return one_hazard(request, hazard_id)


def case_row(row: Case) -> dict[str, Any]:
    """A case in a list; ``over_s`` is by how much the matter was (or is) late."""
    now = SystemClock().now()
    words = service.workflows()["case"].states[row.state]
    return {
        "id": row.id,
        "kind": row.kind,
        "title": row.title,
        "title_en": row.title_en,
        "state": row.state,
        "state_zh": words[0],
        "state_en": words[1],
        "post": {"id": row.post_id, "name": row.post.name} if row.post else None,
        "person": _person(row.person),
        "opened_at": row.opened_at,
        "limit_at": row.limit_at,
        "actual_at": row.actual_at,
        "over_s": ((row.actual_at or now) - row.limit_at).total_seconds(),
        "step_due_at": row.step_due_at,
        "explanation": row.explanation,
        "consequence": row.consequence,
        "reason": row.reason,
        "decided_at": row.decided_at,
        "rule_version": row.rule_version,
        "division_code": row.division_code,
        "cause": row.cause,
    }


@router.get("/cases", summary="Cases of the asker's area (right supervise) and their own: ?state=&mine=1")
def list_cases(request: HttpRequest, state: str = "", mine: bool = False, limit: int = 200) -> list[dict[str, Any]]:
    """Newest first."""
    asker = _asker(request)
    rows = Case.objects.select_related("post", "person").filter(service.visible(asker)).order_by("-opened_at")
    if state:
        rows = rows.filter(state=state)
    if mine:
        rows = rows.filter(person_id=asker.person_id)
    return [case_row(r) for r in rows[: max(1, min(limit, 1000))]]


def _case(request: HttpRequest, case_id: str) -> Case:
    rows = Case.objects.select_related("post", "person", "decided_by").filter(service.visible(_asker(request)))
    row = rows.filter(pk=case_id).first()
    if row is None:
        raise AnlanError("supervise.not_found", f"没有问责事项 {case_id}，或您无权查看", f"no case {case_id}, or you may not see it")
    return row


@router.get("/cases/{case_id}", summary="One case and what may be done now")
def one_case(request: HttpRequest, case_id: str) -> dict[str, Any]:
    """Everything about one case."""
    row = _case(request, case_id)
    return case_row(row) | {"decided_by": _person(row.decided_by), "actions": _offered("case", row, _asker(request))}


@router.post("/cases/{case_id}/{action}", summary="One step: explain {text}, decide {consequence}, dismiss {reason}")
def step_case(request: HttpRequest, case_id: str, action: str, given: Body[dict[str, Any]]) -> dict[str, Any]:  # type: ignore[type-arg]
    """The answer of a refused step says why and what is possible."""
    if action not in ("explain", "decide", "dismiss"):
        raise FieldError("action", action, "应为 explain、decide、dismiss", "must be explain, decide or dismiss")
    _case(request, case_id)
    service.move_case(case_id, action, _asker(request), given)
    return one_case(request, case_id)


@router.get("/trace/{record_id}", summary="All causes of a record back to readings, and all its effects: ?whole=1 for the whole story")
def trace_record(request: HttpRequest, record_id: str, whole: bool = False) -> dict[str, Any]:
    """The record must lie in the asker's area (a case also when it is their own); a reading in a station's."""
    asker = _asker(request)
    if record_id.startswith("read-"):
        number = record_id.removeprefix("read-").partition(".")[0]
        code = Station.objects.filter(number=number if number.isdecimal() else -1).values_list("division_code", flat=True).first()
        seen = code is not None and any(code.startswith(s) for s in asker.scopes)
    else:
        record = find_record(record_id)
        seen = any(record.division_code.startswith(scope) for scope in asker.scopes)
        seen = seen or getattr(record, "person_id", None) == asker.person_id
    if not seen:
        raise AnlanError("supervise.not_found", f"没有记录 {record_id}，或不在您的辖区内", f"no record {record_id}, or outside your area")
    return service.trace(record_id, whole=whole, scopes=asker.scopes)
