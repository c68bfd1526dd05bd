"""HTTP of notify: reach, calls, the inbox, and a household's own signed link (no log-in)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from ..base.errors import AnlanError
from ..base.grade import Grade
from ..issue.models import HazardWarning
from ..issue.views import iso
from ..register.scope import scoped
from . import calls, service
from .around import around
from .models import CallStep, Notice

router = Router(tags=["notify"])


class AnswerIn(Schema):
    """Yes or no to a call."""

    accept: bool
    text: str = ""


class TextIn(Schema):
    """A few words."""

    text: str = ""


class HouseholdIn(Schema):
    """What a household says: ``confirmed`` or ``acted``."""

    fact: str = "confirmed"
    notice: str = ""
    text: str = ""


def _asker(request: HttpRequest) -> Any:
    return request.asker  # type: ignore[attr-defined]


def _visible(request: HttpRequest, warning_id: str) -> str:
    if not scoped(HazardWarning.objects.all(), _asker(request)).filter(pk=warning_id).exists():
        raise AnlanError("notify.no_such_warning", f"没有预警 {warning_id}", f"there is no warning {warning_id}")
    return warning_id


def _message(n: Notice) -> dict[str, Any]:
    w = n.warning
    return {
        "id": n.id,
        "warning": w.id,
        "series": w.series,
        "title": n.title,
        "title_en": w.title_en,
        "text": n.text,
        "text_en": w.text_en,
        "instruction": w.instruction,
        "instruction_en": w.instruction_en,
        "grade": w.grade,
        "grade_word": Grade(w.grade).word,
        "kind": w.kind,
        "state": w.state,
        "exercise": w.exercise,
        "reached": n.reached,
        "at": iso(n.created_at),
        "expires_at": iso(w.expires_at),
    }


def _call(s: CallStep) -> dict[str, Any]:
    w, site = s.chain.warning, s.chain.site
    return {
        "id": s.id,
        "chain": s.chain_id,
        "order": s.order,
        "state": s.state,
        "post": s.post_id,
        "post_name": s.post.name,
        "called_at": iso(s.called_at),
        "deadline": iso(s.deadline),
        "minutes": s.minutes,
        "answer": s.answer,
        "warning": w.id,
        "title": w.title,
        "title_en": w.title_en,
        "text": w.text,
        "text_en": w.text_en,
        "instruction": w.instruction,
        "instruction_en": w.instruction_en,
        "grade": w.grade,
        "grade_word": Grade(w.grade).word,
        "exercise": w.exercise,
        "site": {"id": site.id, "name": site.name, "name_en": site.name_en, "lon": site.lon, "lat": site.lat} if site else None,
        "next": [x.post.name for x in s.chain.steps.filter(state="waiting").select_related("post").order_by("order")[:1]],
    }


@router.get("/warnings/{warning_id}/reach")
def reach(request: HttpRequest, warning_id: str, doors: int = 200) -> dict[str, Any]:
    """Four facts, three denominators, door by door."""
    return service.reach(_visible(request, warning_id), doors=min(max(doors, 0), 2000))


@router.get("/warnings/{warning_id}/receipts/verify")
def verify(request: HttpRequest, warning_id: str) -> dict[str, Any]:
    """Whether the receipt chain of this warning holds."""
    return asdict(service.verify(_visible(request, warning_id)))


@router.get("/notices/{notice_id}/receipts")
def receipts(request: HttpRequest, notice_id: str) -> list[dict[str, Any]]:
    """All receipts of one notice."""
    row = scoped(Notice.objects.all(), _asker(request)).filter(pk=notice_id).first()
    if row is None:
        raise AnlanError("notify.no_such_notice", f"没有通知 {notice_id}", f"there is no notice {notice_id}")
    return service.facts_of(notice_id)


@router.get("/calls")
def my_calls(request: HttpRequest, mine: int = 1) -> list[dict[str, Any]]:
    """Calls that wait for the asker; with ``mine=0`` all that are being made in the asker's area."""
    if mine:
        return [_call(s) | around(s) for s in calls.mine(_asker(request))]
    rows = scoped(CallStep.objects.filter(state="calling"), _asker(request), "chain__division_code")
    return [_call(s) for s in rows.select_related("post", "chain__warning", "chain__site").order_by("deadline")[:200]]


@router.post("/calls/{step_id}/answer")
def answer(request: HttpRequest, step_id: str, body: AnswerIn) -> dict[str, Any]:
    """Answer a call."""
    service.answer(step_id, _asker(request), body.accept, body.text)
    return _call(CallStep.objects.select_related("post", "chain__warning", "chain__site").get(pk=step_id))


@router.get("/inbox")
def inbox(request: HttpRequest) -> dict[str, Any]:
    """The asker's messages and calls."""
    asker = _asker(request)
    return {"messages": [_message(n) for n in service.open_inbox(asker)], "calls": [_call(s) for s in calls.mine(asker)]}


@router.post("/notices/{notice_id}/confirm")
def confirm(request: HttpRequest, notice_id: str, body: TextIn) -> dict[str, Any]:
    """Confirm a message (or for a household, at its door)."""
    return _message(service.confirm(notice_id, _asker(request), body.text))


@router.post("/notices/{notice_id}/act")
def act(request: HttpRequest, notice_id: str, body: TextIn) -> dict[str, Any]:
    """Say that it was acted upon."""
    return _message(service.act(notice_id, _asker(request), body.text))


@router.post("/gateway/receipts/{token}", auth=None, summary="A gateway reports what became of a message (signed address)")
def gateway_receipt(request: HttpRequest, token: str) -> dict[str, bool]:
    """JSON as the gateway has it; ``taken`` says whether it was a state that the template knows."""
    try:
        said = json.loads(request.body[:20_000] or b"{}")
    except ValueError:
        raise AnlanError("notify.bad_receipt", "回执不是 JSON", "the receipt is no JSON", status=400) from None
    return {"taken": service.gateway_says(token, said)}


@router.get("/h/{token}", auth=None)
def household(request: HttpRequest, token: str) -> dict[str, Any]:
    """A household's messages by its own link."""
    home, found = service.open_household(token)
    return {"household": {"building": home.building, "door": home.door}, "messages": [_message(n) for n in found]}


@router.post("/h/{token}", auth=None)
def household_says(request: HttpRequest, token: str, body: HouseholdIn) -> dict[str, Any]:
    """A household confirms, or says that it has moved."""
    return _message(service.household_says(token, body.fact, body.notice, body.text))
