"""A person overrules the judges: record and event in one transaction; the desk tells the lane.

The record is the person's word and is never changed, only withdrawn. `tell_lanes` publishes what the lanes have not been
told, in the order of the records, and marks it after the log has it (again after a crash: the lane knows a ruling by
its id). Times are UTC ms.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from django.db.models import Q

from ..base import settings
from ..base.clock import SystemClock, to_ms
from ..base.errors import AnlanError, FieldError
from ..base.ids import new_id
from ..base.quantity import BY_NAME, BY_NUMBER
from ..engines.nats import connected, lane_stream, lane_subject
from ..engines.outbox import acting, emit
from ..register.models import Person, Series, Station
from ..register.scope import Asker
from .config import control
from .models import Overrule

VERDICTS = {"good": ("数据有效", "readings are good"), "bad": ("数据无效", "readings are bad"), "mute": ("静默", "muted")}
LONGEST_MS = 30 * 86_400_000  # a mute ends within thirty days; the next one needs a new look and a new reason (our default)
_LATER = 60_000  # a clock of a browser may be a minute ahead


def overrule(
    station: Station, asker: Asker, verdict: str, *, quantity: str = "", from_ms: int | None = None, to_ms_: int, reason: str
) -> Overrule:
    """Overrule the judges (right ``analyse``); FieldError says what is wrong with the words.

    A mute begins now at the latest and always ends; `quantity` empty means all of the station. The span is at most thirty days.
    """
    now = SystemClock().now()
    now_ms = to_ms(now)
    asker.demand("analyse", station.division_code)
    number = _checked(station, verdict, quantity, reason)
    begin = now_ms if from_ms is None else from_ms
    if not begin < to_ms_ <= begin + LONGEST_MS or to_ms_ > now_ms + LONGEST_MS:
        raise FieldError(
            "to_ms", to_ms_, "终止须晚于起始且不超过 30 天", "the end must follow the beginning within 30 days", code="detect.bad_span"
        )
    if verdict == "mute" and (to_ms_ <= now_ms or begin > now_ms + _LATER):
        raise FieldError("to_ms", to_ms_, "静默自现在起，须在将来结束", "a mute begins now and ends in the future", code="detect.bad_span")
    row = Overrule(
        id=new_id("over", now_ms),
        division_code=station.division_code,
        station=station,
        quantity=number,
        verdict=verdict,
        from_ms=begin,
        to_ms=to_ms_,
        reason=reason.strip(),
        person=Person.objects.get(pk=asker.person_id),
    )
    with acting(asker.person_id):
        row.save(force_insert=True)
        _say("made", row, asker)
    return row


def withdraw(overrule_id: str, asker: Asker, reason: str) -> Overrule:
    """Take an overrule back (right ``analyse``), with a reason; again: nothing new."""
    if not reason.strip():
        raise FieldError("reason", reason, "请写明撤销理由", "say why it is withdrawn", code="detect.no_reason")
    with acting(asker.person_id):
        row = Overrule.objects.select_for_update(of=("self",)).select_related("station", "person").filter(pk=overrule_id).first()
        if row is None:
            raise AnlanError("detect.no_such_overrule", f"没有裁定 {overrule_id}", f"there is no overrule {overrule_id}", status=404)
        asker.demand("analyse", row.division_code)
        if row.withdrawn_at is None:
            row.withdrawn_at, row.withdrawn_why = SystemClock().now(), reason.strip()
            row.withdrawn_by = Person.objects.get(pk=asker.person_id)
            row.save(update_fields=["withdrawn_at", "withdrawn_why", "withdrawn_by", "updated_at"])
            _say("withdrawn", row, asker)
    return row


def _checked(station: Station, verdict: str, quantity: str, reason: str) -> int:
    """The number of the quantity."""
    if verdict not in VERDICTS:
        raise FieldError("verdict", verdict, "应为 good、bad 或 mute", "use good, bad or mute", code="detect.bad_verdict")
    if not reason.strip():
        raise FieldError("reason", reason, "请写明理由", "say why", code="detect.no_reason")
    if not quantity:
        return 0
    known = BY_NAME.get(quantity)
    if known is None or not Series.objects.filter(station=station, quantity=known.number).exists():
        raise FieldError("quantity", quantity, "该测点没有此监测量", "the station has no such quantity", code="detect.bad_quantity")
    return known.number


def _say(what: str, row: Overrule, asker: Asker) -> None:
    payload = {
        "station": row.station_id,
        "site": row.station.site_id,
        "verdict": row.verdict,
        "quantity": row.quantity,
        "from_ms": row.from_ms,
        "to_ms": row.to_ms,
        "reason": row.withdrawn_why or row.reason,
        "person": asker.person_id,
        "person_name": asker.name,
    }
    emit(f"detect.overrule.{what}", row.id, payload, division_code=row.division_code, cause=[row.id])


def view(row: Overrule) -> dict[str, Any]:
    """An overrule as the API shows it."""
    known, (zh, en) = BY_NUMBER.get(row.quantity), VERDICTS[row.verdict]
    return {
        "id": row.id,
        "station": row.station_id,
        "quantity": known.name if known else "",
        "quantity_zh": known.zh if known else "全部",
        "quantity_en": known.en if known else "all",
        "verdict": row.verdict,
        "verdict_zh": zh,
        "verdict_en": en,
        "from_ms": row.from_ms,
        "to_ms": row.to_ms,
        "reason": row.reason,
        "person": row.person.name,
        "at": row.created_at.isoformat(),
        "withdrawn_at": row.withdrawn_at.isoformat() if row.withdrawn_at else None,
        "withdrawn_by": row.withdrawn_by.name if row.withdrawn_by else "",
        "withdrawn_why": row.withdrawn_why,
        "obeyed": row.told == ("withdrawn" if row.withdrawn_at else "set"),
    }


def untold() -> list[Overrule]:
    """Overrules, and withdrawals, of which the lanes have not been told, oldest first."""
    due = Overrule.objects.filter(Q(told="") | Q(told="set", withdrawn_at__isnull=False))
    return list(due.select_related("station__site").order_by("created_at", "id")[:200])


def message(row: Overrule) -> tuple[int, bytes, str]:
    """Lane, control message and message id; ``at_ms`` is when the person spoke."""
    gone = row.withdrawn_at is not None
    at = row.withdrawn_at or row.created_at
    facts = {"id": row.id, "station": row.station.number, "quantity": row.quantity, "verdict": row.verdict}
    facts |= {"from_ms": row.from_ms, "to_ms": row.to_ms, "at_ms": to_ms(at), "withdrawn": gone}
    lane = row.station.site.partition % int(settings.get("LANES"))
    return lane, control("overrule", **facts), f"overrule-{row.id}-{'withdrawn' if gone else 'set'}"


def tell_lanes(now: datetime) -> int:
    """Publish what is untold; how many. One withdrawn before it was ever told is only marked."""
    rows = untold()
    if not rows:
        return 0
    asyncio.run(_publish([r for r in rows if not (r.withdrawn_at and r.told == "")]))
    with acting("system:detect.overrules"):
        for row in rows:
            state = "withdrawn" if row.withdrawn_at else "set"
            Overrule.objects.filter(pk=row.pk, told=row.told).update(told=state, updated_at=now)
    return len(rows)


async def _publish(rows: list[Overrule]) -> None:
    async with connected(name="anlan-overrules") as client:
        stream = client.jetstream(timeout=5)
        for row in rows:
            lane, data, name = message(row)
            await stream.publish(lane_subject(lane), data, stream=lane_stream(lane), headers={"Nats-Msg-Id": name})
