"""Dead letters: what came in and could not be taken, for the operator's eye, until somebody has dealt with it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema

from ..collect.models import DeadLetter
from ..register.scope import Asker
from .app import as_json
from .errors import not_found
from .ledgers import visible
from .models import LetterDone

router = Router(tags=["system"])
SHOWN_BYTES = 400


class DoneIn(Schema):
    """What was done about it."""

    text: str = ""


def open_letters(asker: Asker) -> QuerySet[Any]:
    """Letters in the asker's area that nobody has dealt with."""
    return visible(DeadLetter, asker).filter(done=None)


def _row(letter: DeadLetter) -> dict[str, Any]:
    payload = bytes(letter.payload or b"")[:SHOWN_BYTES]
    try:
        shown = payload.decode()
    except UnicodeDecodeError:
        shown = payload.hex(" ")
    return {
        "id": letter.pk,
        "code": letter.code,
        "source": letter.source,
        "device": letter.device,
        "topic": letter.topic,
        "zh": letter.zh,
        "en": letter.en,
        "count": letter.count,
        "at": letter.created_at,
        "last_at": letter.updated_at,
        "payload": shown,
        "division_code": letter.division_code,
    }


@router.get("/letters", summary="Dead letters not yet dealt with; ?all=1 for the last 500 of all")
def letters(request: HttpRequest, all: bool = False, code: str = "") -> HttpResponse:
    """Newest first; the payload's first 400 bytes as text, or as hex when it is none."""
    asker: Asker = request.asker  # type: ignore[attr-defined]
    rows = visible(DeadLetter, asker) if all else open_letters(asker)
    if code:
        rows = rows.filter(code=code.replace("\x00", ""))
    return as_json([_row(letter) for letter in rows.order_by("-updated_at")[:500]])


@router.post("/letters/{pk}/done", summary="This letter, or all letters of a code, are dealt with")
def done(request: HttpRequest, pk: str, given: DoneIn) -> dict[str, int]:
    """Mark a letter (by id) or all open ones of a code as dealt with; needs the right ``admin``."""
    asker: Asker = request.asker  # type: ignore[attr-defined]
    name = pk.replace("\x00", "").removeprefix("letter:")
    found = list(open_letters(asker).filter(pk=name)) or list(open_letters(asker).filter(code=name)[:5000])
    if not found:
        raise not_found("死信 letter", pk)
    for letter in found:
        asker.demand("admin", letter.division_code) if letter.division_code else _demand_any(asker)
    rows = [LetterDone(letter=letter, person_id=asker.person_id, note=given.text[:500]) for letter in found]
    LetterDone.objects.bulk_create(rows, ignore_conflicts=True)
    return {"done": len(rows)}


def _demand_any(asker: Asker) -> None:
    if "admin" not in asker.rights:
        asker.demand("admin", "")
