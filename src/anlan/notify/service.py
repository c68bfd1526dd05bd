"""Notify's events and reconcilers, and what people do with notices. Times are UTC.

Warnings in → devices told in the same transaction, the first person called, households in slices.
Device answers, opened pages, pressed buttons → receipts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core import signing

from ..base.clock import SystemClock
from ..base.errors import AnlanError
from ..collect.models import DeviceCommand
from ..engines.outbox import Event, acting, on
from ..engines.reconcile import every
from ..issue.models import HazardWarning
from ..register.models import Household
from ..register.scope import Asker
from . import calls, delivery, ledger, links, spread
from .calls import answer
from .ledger import verify
from .models import Notice, Spread
from .reach import reach

__all__ = ["act", "answer", "confirm", "household_link", "household_of", "open_household", "open_inbox", "reach", "verify"]


@on("issue.warning.issued")
def warning_issued(event: Event) -> None:
    """A version came into force: tell devices, start the spread, call the responsible people."""
    warning = HazardWarning.objects.select_related("site").filter(pk=event.subject).first()
    if warning is None or warning.state != "issued":
        return
    now = SystemClock().now()
    spread.begin(warning, now)
    calls.start(warning, now)


@on("issue.warning.lifted")
def warning_lifted(event: Event) -> None:
    """It is over: calls stop, queued notices are dropped, everybody who was told is told so."""
    now = SystemClock().now()
    calls.cancel_series(event.payload["series"], now)
    delivery.stop_series(event.payload["series"], now)
    warning = HazardWarning.objects.select_related("site").filter(pk=event.subject, kind="lift").first()
    if warning is not None:
        spread.begin(warning, now)


@on("issue.warning.expired")
def warning_expired(event: Event) -> None:
    """Its time is over: nothing is sent or called any more."""
    now = SystemClock().now()
    calls.cancel_series(event.payload["series"], now)
    delivery.stop_series(event.payload["series"], now)


@on("collect.command.acknowledged", "collect.command.replied", "collect.command.expired")
def device_answered(event: Event) -> None:
    """A loudspeaker or siren said something: a receipt for each notice that this command carries."""
    notices = list(Notice.objects.filter(provider_id=event.subject).select_related("warning"))
    if not notices:
        return
    row = DeviceCommand.objects.filter(pk=event.subject).first()
    state = str(event.payload.get("state") or "acknowledged")
    at = (row and (row.replied_at or row.acked_at)) or SystemClock().now()
    failed = state in ("failed", "expired")
    evidence = {"state": state, "reply": event.payload.get("reply") or {}}
    for notice in notices:
        fact = ledger.Fact(notice.id, "failed" if failed else "device", at, notice.recipient, f"{event.subject}:{state}", evidence)
        ledger.append(notice.warning_id, [fact], division_code=notice.division_code)
        if failed and notice.reached < 2:
            error = (
                "设备未在有效期内取走 · the device did not fetch it in time"
                if state == "expired"
                else "设备报告播放失败 · the device reports a failure"
            )
            Notice.objects.filter(pk=notice.pk).update(state="failed", error=error)


@every(1)
def spread_on(now: datetime) -> int:
    """Work off the household slices of warnings, the newest warning first."""
    done = 0
    for name in list(Spread.objects.filter(done_at__isnull=True).order_by("-started_at").values_list("pk", flat=True)[:20]):
        more = True
        while more:
            with acting("system:notify.spread"):
                more = spread.spread_next(name, now)
            done += 1
    return done


@every(1)
def send(now: datetime) -> int:
    """Deliver what waits for channels that talk to the world."""
    total = 0
    while tried := delivery.send_due(now):
        total += tried
        if total >= 500:
            break
    return total


@every(30)
def free_stuck(now: datetime) -> int:
    """Give back what a dead sender held."""
    return delivery.free_stuck(now)


@every(1)
def call_next(now: datetime) -> int:
    """Chase the deadlines of calls."""
    return calls.time_out(now)


def _notice(notice_id: str) -> Notice:
    found = Notice.objects.select_related("warning").filter(pk=notice_id).first()
    if found is None:
        raise AnlanError("notify.no_such_notice", f"没有通知 {notice_id}", f"there is no notice {notice_id}")
    return found


def _fact(notice: Notice, fact: str, by: str, text: str, now: datetime, source: str) -> Notice:
    siblings = Notice.objects.filter(warning_id=notice.warning_id, recipient=notice.recipient, state__in=("sent", "unreachable"))
    names = set(siblings.values_list("id", flat=True)) | {notice.id}
    evidence = {"text": text.strip(), "source": source} if text.strip() else {"source": source}
    facts = [ledger.Fact(n, fact, now, by, "", evidence) for n in sorted(names)]
    ledger.append(notice.warning_id, facts, division_code=notice.division_code)
    notice.refresh_from_db()
    return notice


def _may(notice: Notice, asker: Asker) -> str:
    """How the asker may speak for a recipient: as themselves, or at the door (right ``respond`` there)."""
    if notice.recipient == asker.person_id:
        return "self"
    if notice.recipient.startswith("device-"):
        raise AnlanError("notify.broadcast_is_no_person", "广播只算设备，不能算确认", "a broadcast counts devices; nobody confirms for it")
    asker.demand("respond", notice.division_code)
    return "door"


def confirm(notice_id: str, asker: Asker, text: str = "", *, now: datetime | None = None) -> Notice:
    """The person confirms that they know; or a named person says so for a household at the door."""
    with acting(asker.person_id):
        notice = _notice(notice_id)
        return _fact(notice, "confirmed", asker.person_id, text, now or SystemClock().now(), _may(notice, asker))


def act(notice_id: str, asker: Asker, text: str = "", *, now: datetime | None = None) -> Notice:
    """The person has acted (moved, knocked on the door)."""
    with acting(asker.person_id):
        notice = _notice(notice_id)
        return _fact(notice, "acted", asker.person_id, text, now or SystemClock().now(), _may(notice, asker))


def _opened(notices: list[Notice], by: str, now: datetime) -> None:
    """Opening the page is the fact "device" for everything on it that was not opened before."""
    for warning_id in {n.warning_id for n in notices if n.reached < 2}:
        facts = [ledger.Fact(n.id, "device", now, by) for n in notices if n.warning_id == warning_id and n.reached < 2]
        ledger.append(warning_id, facts)


def open_inbox(asker: Asker, *, limit: int = 100, now: datetime | None = None) -> list[Notice]:
    """The person's messages, newest first; what is shown for the first time gets its device receipt."""
    rows = Notice.objects.filter(recipient=asker.person_id, channel="inbox", state="sent").select_related("warning")
    found = list(rows.order_by("-created_at")[:limit])
    if any(n.reached < 2 for n in found):
        with acting(asker.person_id):
            _opened(found, asker.person_id, now or SystemClock().now())
    return found


def household_link(household_id: str) -> str:
    """The signed part of a household's own link (``/h/<token>``); it opens this household's messages only."""
    return links.household_token(household_id)


def household_of(token: str) -> Household:
    """The household of a link; ``notify.no_such_link`` for anything that we did not sign."""
    try:
        name = signing.loads(token, salt=links.HOUSEHOLD)
    except signing.BadSignature:
        name = ""
    found = Household.objects.filter(pk=name).first() if name else None
    if found is None:
        raise AnlanError("notify.no_such_link", "链接无效，请向社区索取新链接", "the link is not valid; ask the community for a new one")
    return found


def open_household(token: str, *, now: datetime | None = None) -> tuple[Household, list[Notice]]:
    """The household's messages by its link, newest first, with the device receipt of first opening."""
    household = household_of(token)
    rows = Notice.objects.filter(recipient=household.id, state__in=("sent", "queued", "sending", "unreachable")).select_related("warning")
    found = list(rows.order_by("-created_at")[:20])
    if any(n.reached < 2 for n in found):
        with acting(household.id):
            _opened(found, household.id, now or SystemClock().now())
    return household, found


def household_says(token: str, fact: str, notice_id: str = "", text: str = "", *, now: datetime | None = None) -> Notice:
    """A household confirms or says it has moved (``confirmed`` or ``acted``); the newest notice when none is named."""
    household = household_of(token)
    if fact not in ("confirmed", "acted"):
        raise AnlanError("notify.bad_fact", "只能确认或报告已行动", "only confirmed or acted can be said")
    rows = Notice.objects.filter(recipient=household.id).select_related("warning").order_by("-created_at")
    notice = rows.filter(pk=notice_id).first() if notice_id else rows.first()
    if notice is None:
        raise AnlanError("notify.no_such_notice", "没有这条通知", "there is no such notice")
    with acting(household.id):
        return _fact(notice, fact, household.id, text, now or SystemClock().now(), "household")


def gateway_says(token: str, said: Any, *, now: datetime | None = None) -> bool:
    """A gateway's call-back about one message; whether it said a fact we know. Twice, late or out of order does no harm."""
    notice_id, attempt = links.receipt_of(token)
    channel = spread.channels()["gateway"]
    fact = str(channel.understood(said))  # type: ignore[attr-defined]
    if not fact:
        return False
    with acting("system:notify.gateway"):
        notice = _notice(notice_id)
        when = now or SystemClock().now()
        source = f"gateway:{attempt}"
        row = ledger.Fact(notice.id, fact, when, "gateway", source, {"said": str(said)[:500]})
        ledger.append(notice.warning_id, [row], division_code=notice.division_code)
        if fact == "failed" and Notice.objects.filter(pk=notice.pk, reached__lt=2).exists():
            error = "网关报告未送达 · the gateway reports no delivery"
            Notice.objects.filter(pk=notice.pk, reached__lt=2).update(state="failed", error=error)
    return True


def facts_of(notice_id: str) -> list[dict[str, Any]]:
    """All receipts of a notice in order, JSON-ready."""
    rows = _notice(notice_id).receipts.order_by("seq")
    return [
        {"seq": r.seq, "fact": r.fact, "at": r.at.isoformat(), "by": r.reported_by, "evidence": r.evidence, "hash": r.hash} for r in rows
    ]
