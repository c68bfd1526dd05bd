"""Knocking at doors: the households of a warning in force that one person must see, and what was said at each door.

"Out" and "told" are facts in the receipt ledger (notify); "nobody there" is a line of the incident's timeline, which is
append-only: the newest visit counts, none is lost.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..base.clock import SystemClock
from ..base.errors import AnlanError, FieldError
from ..engines.outbox import acting
from ..issue.models import HazardWarning
from ..notify import service as notify
from ..notify.models import Notice
from ..register.models import Household
from ..register.scope import Asker, scoped
from .models import Incident, TimelineEntry

ANSWERS = ("acted", "confirmed", "absent")
ABSENT = "respond.door.absent"
MOST = 500  # doors of one list


def doors_of(asker: Asker) -> list[dict[str, Any]]:
    """One list per warning in force in the asker's area: the doors of their own grids, all doors there when they have no grid."""
    warnings = scoped(HazardWarning.objects.filter(state="issued"), asker).exclude(kind="lift").select_related("site").order_by("-grade")
    found = (_list(w, asker) for w in warnings[:20])
    return [row for row in found if row["doors"]]


def _list(warning: HazardWarning, asker: Asker) -> dict[str, Any]:
    notices: dict[str, dict[str, Any]] = {}
    rows = Notice.objects.filter(warning=warning, recipient__startswith="household-").values_list("id", "recipient", "state", "reached")
    for pk, home, state, reached in rows.order_by("id"):
        known = notices.setdefault(home, {"notice": pk, "reached": 0, "unreachable": True})
        known["reached"] = max(known["reached"], reached)
        if state != "unreachable":
            known |= {"notice": pk, "unreachable": False}
    homes = scoped(Household.objects.filter(pk__in=list(notices)), asker)
    own = homes.filter(grid__inspector__person_id=asker.person_id)
    mine = own.exists()
    absent = dict(
        TimelineEntry.objects.filter(kind__startswith=ABSENT, subject__in=[n["notice"] for n in notices.values()])
        .order_by("at")
        .values_list("subject", "at")
    )
    names = ("id", "building", "door", "people", "needs_help", "lon", "lat")
    doors = [
        {**row, **notices[row["id"]], "absent_at": absent.get(notices[row["id"]]["notice"])}
        for row in (own if mine else homes).order_by("building", "door", "id").values(*names)[:MOST]
    ]
    return {
        "warning": warning.id,
        "grade": warning.grade,
        "title": warning.title,
        "title_en": warning.title_en,
        "instruction": warning.instruction,
        "instruction_en": warning.instruction_en,
        "own": mine,
        "doors": doors,
    }


def visit(
    notice_id: str, asker: Asker, answer: str, text: str = "", *, said_at: datetime | None = None, now: datetime | None = None
) -> Notice:
    """What was found at a door: ``acted`` (they are out), ``confirmed`` (they know) or ``absent`` (nobody there); right ``respond``.

    `said_at` (UTC) is when it was said: the same answer sent again after a broken line is one visit.

    Raises a FieldError for another answer, ``respond.not_found`` when there is no such household notice in the asker's area.
    """
    when = now or SystemClock().now()
    if answer not in ANSWERS:
        raise FieldError("answer", answer, f"应为 {'、'.join(ANSWERS)} 之一", f"must be one of {', '.join(ANSWERS)}")
    notice = scoped(Notice.objects.select_related("warning"), asker).filter(pk=notice_id, recipient__startswith="household-").first()
    if notice is None:
        raise AnlanError("respond.not_found", f"没有这一户的通知 {notice_id}", f"no household notice {notice_id}")
    asker.demand("respond", notice.division_code)
    if answer == "acted":
        return notify.act(notice_id, asker, text, now=when)
    if answer == "confirmed":
        return notify.confirm(notice_id, asker, text, now=when)
    _absent(notice, asker, text, when, said_at or when)
    return notice


def _absent(notice: Notice, asker: Asker, text: str, when: datetime, said_at: datetime) -> None:
    incident = Incident.objects.filter(warning_series=notice.warning.series).order_by("-opened_at").first()
    if incident is None:
        raise AnlanError("respond.not_found", "这条预警没有事件可记", "this warning has no incident to write into")
    home = Household.objects.filter(pk=notice.recipient).first()
    where = f"{home.building} {home.door}" if home else notice.recipient
    note = f"：{text.strip()}" if text.strip() else ""
    with acting(asker.person_id):
        entry = TimelineEntry(
            incident=incident,
            at=when,
            kind=f"{ABSENT}:{int(said_at.timestamp())}",
            subject=notice.id,
            actor=asker.person_id,
            zh=f"敲门无人应：{where}{note}",
            en=f"Nobody at the door: {where}{note}",
        )
        TimelineEntry.objects.bulk_create([entry], ignore_conflicts=True)
