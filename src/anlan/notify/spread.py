"""Make the notices of a warning: devices and people at once, households in slices that survive a crash.

A slice is one transaction: notices, their channel receipts, and the mark how far it went. A slice
done twice gives the same notice ids and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.db.models import F, Q

from ..base.clock import SystemClock, story_speed
from ..base.plugin import scan
from ..collect.models import DeviceCommand
from ..collect.service import command
from ..engines.outbox import emit
from ..issue.models import HazardWarning
from ..issue.wording import rings
from ..register.models import Device, Household, Person
from . import ledger, links, stage
from .contract import Channel, Hands, Message, Outcome
from .models import Notice, Receipt, Spread
from .stage import Draft, Order, Recipient

SLICE = 2000
COMMAND_MINUTES = 30  # a device that comes back within half an hour still plays the warning
BROADCAST = ("loudspeaker", "siren", "terminal")


@cache
def channels() -> dict[str, Channel]:
    """All channels found, by name."""
    return scan("anlan.notify.channels", Channel)  # type: ignore[type-abstract]


def order_of(warning: HazardWarning) -> Order:
    """The facts of a version that the stage needs; the text is what is read out and mailed."""
    text = "".join(
        part if part.endswith(("。", "！", ".")) else f"{part}。" for part in (warning.title, warning.text, warning.instruction) if part
    )
    return Order(
        warning.id,
        warning.series,
        warning.kind,
        warning.grade,
        warning.exercise,
        warning.title,
        text,
        rings(warning.area),
        tuple(c for c in warning.area_codes if c),
    )


def told_before(series: str, warning_id: str, prefix: str) -> set[str]:
    """Recipients of earlier versions whose id begins with `prefix` (``household-`` …)."""
    rows = Notice.objects.filter(series=series, recipient__startswith=prefix).exclude(warning_id=warning_id)
    return set(rows.values_list("recipient", flat=True).distinct())


def person_recipient(person: Person) -> Recipient:
    """A person as a recipient, named (not asked whether inside)."""
    addresses = {"person": person.id, "email": person.email, "phone": person.phone}
    return Recipient(person.id, person.name, "person", person.lon, person.lat, person.division_code, addresses, always=True)


def _box(query: Any, order: Order, margin_deg: float, site: str | None = None) -> Any:
    """Rows near the area: its bounding box (plus a margin in degrees), or the divisions where there is no outline."""
    near = Q(pk__in=[])
    if order.polygons:
        lon, lat = zip(*(point for ring in order.polygons for point in ring), strict=True)
        near = Q(
            lon__gte=min(lon) - margin_deg, lon__lte=max(lon) + margin_deg, lat__gte=min(lat) - margin_deg, lat__lte=max(lat) + margin_deg
        )
    else:
        for code in order.codes:
            near |= Q(division_code__startswith=code)
    return query.filter(near | Q(site_id=site)) if site else query.filter(near)


def devices(warning: HazardWarning, order: Order) -> list[Recipient]:
    """Loudspeakers, sirens and terminals of the site or whose sound reaches into the area; on a lift those told before."""
    told = told_before(warning.series, warning.id, "device-")
    rows = {d.id: d for d in Device.objects.filter(pk__in=told, enabled=True)}
    if order.kind != "lift":
        # 0.03 degrees is some 3 km: more than any loudspeaker's reach
        found = _box(Device.objects.filter(kind__in=BROADCAST, enabled=True), order, 0.03, warning.site_id)
        rows |= {d.id: d for d in found}
    return [
        Recipient(
            d.id,
            d.name or d.client_id,
            "device",
            d.lon,
            d.lat,
            d.division_code,
            {"device": d.id},
            d.reach_m or 0.0,
            d.kind,
            always=d.id in told or (d.site_id is not None and d.site_id == warning.site_id),
        )
        for d in rows.values()
    ]


def linked_households(ids: list[str]) -> set[str]:
    """Those of these households that have opened their own page before, so that they have its link."""
    opened = dict(Notice.objects.filter(recipient__in=ids, reached__gte=2).values_list("pk", "recipient"))
    rows = Receipt.objects.filter(notice__in=list(opened), fact="device").values_list("notice_id", "reported_by")
    return {opened[notice] for notice, by in rows if by == opened[notice]}


def _households(warning: HazardWarning, order: Order, after: str) -> tuple[list[Recipient], str]:
    """The next slice of households in the order of their ids, and the last id looked at (empty: no more)."""
    told = told_before(warning.series, warning.id, "household-") if warning.version > 1 else set()
    query = (
        Household.objects.filter(pk__in=told)
        if order.kind == "lift"
        else _box(Household.objects.all(), order, 0.0) | Household.objects.filter(pk__in=told)
    )
    rows = list(query.filter(pk__gt=after).order_by("pk")[:SLICE])
    linked = linked_households([h.id for h in rows])
    people = [
        Recipient(
            h.id,
            f"{h.building} {h.door}",
            "household",
            h.lon,
            h.lat,
            h.division_code,
            {"household": h.id, "phone": h.phone, "link": "1" if h.id in linked else ""},
            always=h.id in told,
        )
        for h in rows
    ]
    return people, (rows[-1].id if len(rows) == SLICE else "")


def hands(warning: HazardWarning) -> Hands:
    """What local channels may do for this warning: device commands, each device and action once for its proposal."""

    def send(device_id: str, action: str, payload: dict[str, Any], cause: tuple[str, ...]) -> str:
        if warning.proposal_id and action == "siren_on":
            acted = DeviceCommand.objects.filter(device_id=device_id, action=action, cause__contains=[warning.proposal_id])
            found = acted.exclude(state__in=("failed", "expired", "cancelled")).values_list("id", flat=True).first()
            if found:  # a standing order has let it sound already
                return str(found)
        expires = SystemClock().now() + timedelta(minutes=COMMAND_MINUTES * story_speed())  # a device has real minutes, also in a story
        return command(Device.objects.get(pk=device_id), action, payload, expires, cause).id

    return Hands(send)


def make(
    warning: HazardWarning, drafts: Sequence[Draft], now: datetime, *, cause: Iterable[str] = (), suffix: str = "", kind: str = ""
) -> list[Notice]:
    """Store notices (those that exist already are left alone), let local channels take theirs, note their receipts.

    `suffix` tells apart notices that are not about the warning itself (a call that nobody answered).
    """
    found, place = channels(), stage.priority(warning.kind, warning.grade)
    because = list(dict.fromkeys([warning.id, *cause]))
    rows = {}
    for draft in drafts:
        local = draft.channel != "" and found[draft.channel].local
        state = "unreachable" if not draft.channel else ("sent" if local else "queued")
        notice = Notice(
            id=draft.notice_id(warning.id + suffix),
            division_code=draft.recipient.division_code,
            cause=because,
            warning=warning,
            series=warning.series,
            recipient=draft.recipient.id,
            recipient_name=draft.recipient.name,
            channel=draft.channel or "none",
            address=draft.address,
            title=draft.title,
            text=draft.text,
            state=state,
            priority=place,
            attempts=1 if local else 0,
            next_at=None if local else now,
            error="" if draft.channel else "没有任何渠道能通知到本户 · no channel reaches it",
        )
        rows[notice.id] = (notice, draft)
    known = set(Notice.objects.filter(pk__in=rows).values_list("id", flat=True))
    fresh = [(notice, draft) for name, (notice, draft) in rows.items() if name not in known]
    _local(warning, fresh, kind or warning.kind)
    Notice.objects.bulk_create([notice for notice, _ in fresh], batch_size=SLICE, ignore_conflicts=True)
    taken = [n for n, _ in fresh if n.state == "sent"]
    facts = [ledger.Fact(n.id, "channel", now, n.channel, n.provider_id) for n in taken]
    ledger.append(warning.id, facts, division_code=warning.division_code)
    _catch_up(warning, taken)
    _announce(warning, [n for n, _ in fresh])
    return [n for n, _ in fresh]


def message_of(notice: Notice, warning: HazardWarning, kind: str, device_kind: str = "") -> Message:
    """The message of a notice for its channel."""
    return Message(
        notice.id,
        notice.recipient,
        notice.recipient_name,
        notice.address,
        notice.title,
        notice.text,
        kind,
        warning.grade,
        warning.exercise,
        warning.id,
        warning.expires_at,
        (warning.id, notice.id),
        max(notice.attempts, 1),
        device_kind,
        links.household_link(notice.recipient) if notice.recipient.startswith("household-") and notice.channel == "gateway" else "",
        links.receipt_link(notice.id, max(notice.attempts, 1)) if notice.channel == "gateway" else "",
    )


def _local(warning: HazardWarning, fresh: list[tuple[Notice, Draft]], kind: str) -> None:
    hand = hands(warning)
    for name, channel in channels().items():
        mine = [(n, d) for n, d in fresh if n.channel == name and n.state == "sent"]
        if not mine or not channel.local:
            continue
        outcomes = channel.deliver([message_of(n, warning, kind, d.recipient.device_kind) for n, d in mine], hand)
        for (notice, _), outcome in zip(mine, outcomes, strict=True):
            settle(notice, outcome)


def settle(notice: Notice, outcome: Outcome) -> None:
    """Write an outcome into an unsaved notice of a local channel."""
    notice.provider_id = outcome.provider_id
    if outcome.state == "failed":
        notice.state, notice.error = "failed", f"{outcome.zh} · {outcome.en}"


def _catch_up(warning: HazardWarning, taken: list[Notice]) -> None:
    """Receipts of commands that a standing order had sent before: what the device said already."""
    by_command = {n.provider_id: n for n in taken if n.provider_id.startswith("cmd-")}
    for row in DeviceCommand.objects.filter(pk__in=by_command, acked_at__isnull=False):
        facts = [
            ledger.Fact(
                by_command[row.id].id,
                "device",
                row.replied_at or row.acked_at,
                row.device_id,
                f"{row.id}:{row.state}",
                {"state": row.state},
            )
        ]
        ledger.append(warning.id, facts, division_code=warning.division_code)


def _announce(warning: HazardWarning, fresh: list[Notice]) -> None:
    if not fresh:
        return
    if len(fresh) <= ledger.ALONE:
        for n in fresh:
            payload = {"warning": warning.id, "recipient": n.recipient, "channel": n.channel, "state": n.state, "count": 1}
            emit("notify.notice.queued", n.id, payload, division_code=n.division_code, cause=n.cause)
        return
    payload = {"warning": warning.id, "count": len(fresh), "channel": fresh[0].channel, "site": warning.site_id or ""}
    emit("notify.notice.queued", warning.id, payload, division_code=warning.division_code, cause=[warning.id], key=f"notices:{fresh[0].id}")


def begin(warning: HazardWarning, now: datetime) -> None:
    """Devices at once; households by `spread_next`; on a lift or update the people called before are told too."""
    Notice.objects.filter(series=warning.series, state="queued").exclude(warning_id=warning.id).update(state="cancelled", next_at=None)
    order = order_of(warning)
    people = told_before(warning.series, warning.id, "person-")
    recipients = devices(warning, order) + [person_recipient(p) for p in Person.objects.filter(pk__in=people)]
    make(warning, stage.plan(recipients, order, channels()), now)
    Spread.objects.bulk_create([Spread(warning=warning, started_at=now)], ignore_conflicts=True)


def spread_next(warning_id: str, now: datetime | None = None) -> bool:
    """Make one slice of household notices; whether there is more. Needs a transaction."""
    when = now or SystemClock().now()
    row = Spread.objects.select_for_update(skip_locked=True).filter(pk=warning_id, done_at__isnull=True).first()
    if row is None:
        return False
    warning = HazardWarning.objects.get(pk=warning_id)
    if warning.state in ("superseded", "expired") or (warning.kind != "lift" and warning.state == "lifted"):
        Spread.objects.filter(pk=warning_id).update(done_at=when)
        return False
    order = order_of(warning)
    people, after = _households(warning, order, row.after)
    fresh = make(warning, stage.plan(people, order, channels()), when)
    Spread.objects.filter(pk=warning_id).update(after=after, made=F("made") + len(fresh), done_at=None if after else when)
    if not after:
        payload = {"series": warning.series, "site": warning.site_id or "", "grade": warning.grade, "kind": warning.kind}
        emit("notify.spread.done", warning.id, payload, division_code=warning.division_code, cause=[warning.id])
    return bool(after)
