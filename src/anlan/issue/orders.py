"""Standing orders: what a person signed beforehand, the machine does at once, in the transaction of the proposal.

An order names a hazard (empty: any), the grade from which it holds, a site or an area, and actions: device commands
(``siren_on``) and ``issue``. ``issue`` puts the warning in force by itself, under the name of the order and of the
person who signed it, and every text of it says so. It never lowers or repeats: a warning of the same or a worse grade
that stands is left as it is; lifting and lowering is for people.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ..base.clock import SystemClock, story_speed
from ..base.errors import AnlanError, FieldError
from ..base.grade import Grade
from ..base.ids import derived_id, new_id
from ..collect.models import DeviceCommand
from ..engines.outbox import acting, emit
from ..register.models import Device, Person, Site
from ..register.scope import Asker, scoped
from . import stage
from .contract import Rule
from .gather import Picture
from .models import HazardWarning, Proposal, StandingOrder
from .warnings import put_in_force
from .wording import automatic_words, instruction, title

COMMAND_MINUTES = 10  # how long a siren command stays good: as long as red waits for a decision
ISSUE = "issue"
DEVICE_ACTIONS = ("siren_on", "play", "display")


def act(proposal: str, seen: Picture, rule: Rule, hazard: str, grade: Grade, words: tuple[str, str], now: datetime) -> None:
    """Let every signed standing order that fits act at once; each acts once per proposal, always marked automatic.

    `words` are the sentences of evidence. The sirens' commands come first, then the warning.
    """
    fitting = [o for o in seen.orders if o["hazard"] in ("", hazard) and grade >= o["grade"]]
    fitting.sort(key=lambda o: (o["site_id"] is None, -o["grade"], o["id"]))  # the order for this very place first
    for order in fitting:
        actions = _actions(order)
        commands = [c for action in actions if action["action"] != ISSUE for c in _commands(order["id"], proposal, seen, grade, action)]
        DeviceCommand.objects.bulk_create(commands, ignore_conflicts=True)
        payload = {
            "order": order["id"],
            "site": seen.place.id,
            "hazard": hazard,
            "grade": int(grade),
            "actions": [a["action"] for a in actions],
            "commands": [c.id for c in commands],
            "automatic": True,
        }
        key = f"issue.order.acted:{order['id']}:{proposal}"
        emit("issue.order.acted", proposal, payload, division_code=seen.place.division_code, cause=[order["id"], proposal], key=key)
    issuing = next((o for o in fitting if any(a["action"] == ISSUE for a in _actions(o))), None)
    if issuing is not None:
        _issue(issuing["id"], proposal, seen, rule, hazard, grade, words, now)


def _actions(order: dict[str, Any]) -> list[dict[str, Any]]:
    return [a if isinstance(a, dict) else {"action": str(a)} for a in order["actions"]]


def _commands(order: str, proposal: str, seen: Picture, grade: Grade, action: dict[str, Any]) -> list[DeviceCommand]:
    devices = Device.objects.filter(site_id=seen.place.id, kind=action.get("device_kind", "siren"), enabled=True).only(
        "id", "division_code"
    )
    extra = {k: v for k, v in action.items() if k not in ("action", "device_kind")}
    return [
        DeviceCommand(
            id=derived_id("cmd", order, proposal, device.id, action["action"]),
            division_code=device.division_code,
            cause=[order, proposal],
            device_id=device.id,
            action=action["action"],
            payload={**extra, "grade": grade.word, "site": seen.place.name, "automatic": True},
            expires_at=SystemClock().now()
            + timedelta(minutes=COMMAND_MINUTES * story_speed()),  # a device has real minutes, also in a story
        )
        for device in devices
    ]


def _issue(
    order_id: str, proposal_id: str, seen: Picture, rule: Rule, hazard: str, grade: Grade, words: tuple[str, str], now: datetime
) -> None:
    """Put the proposal's warning in force under the order, unless one as bad stands or a person was first."""
    proposal = Proposal.objects.select_for_update(of=("self",)).select_related("site").get(pk=proposal_id)
    order = StandingOrder.objects.select_related("signed_by").get(pk=order_id)
    standing = HazardWarning.objects.filter(site_id=seen.place.id, hazard=hazard, state="issued", exercise=False, grade__gte=int(grade))
    if proposal.state not in ("open", "claimed") or standing.exists():
        return
    said = automatic_words(order.title, order.signed_by.name if order.signed_by else "")
    proposal.state, proposal.decided_at, proposal.reason = "signed", now, f"{said[0]} · {said[1]}"
    proposal.evidence = {**proposal.evidence, "automatic": order.id}
    proposal.save(update_fields=["state", "decided_at", "reason", "evidence", "updated_at"])
    todo = instruction(rule, grade)
    draft = HazardWarning(
        division_code=proposal.division_code,
        cause=[order.id, proposal.id],
        proposal=proposal,
        site=proposal.site,
        hazard=hazard,
        grade=int(grade),
        text=f"{words[0]}{said[0]}",
        text_en=f"{words[1]} {said[1]}",
        instruction=todo[0],
        instruction_en=todo[1],
        area=proposal.site.warning_area,
        area_codes=[proposal.division_code[: rule.area_digits]],
        issued_at=now,
        expires_at=now + timedelta(hours=rule.expires_h),
        signed_by=order.signed_by,
        automatic=order.id,
        reason=said[0],
    )
    warning = put_in_force(draft, lambda kind: title(rule, hazard, seen.place, grade, kind))
    payload = {"site": seen.place.id, "hazard": hazard, "grade": int(grade), "title": proposal.title, "title_en": proposal.title_en}
    payload |= {"person": order.signed_by_id or "", "warning": warning.id, "automatic": order.id}
    emit("issue.proposal.signed", proposal.id, payload, division_code=proposal.division_code, cause=[order.id, proposal.id])


# -- signing and withdrawing orders ---------------------------------------------------------------------------------------


def sign_order(
    asker: Asker,
    *,
    name: str,
    hazard: str,
    grade: int,
    actions: list[Any],
    site: str = "",
    area: str = "",
    valid_to: datetime | None = None,
    now: datetime | None = None,
) -> StandingOrder:
    """Sign a standing order (right ``sign`` in its area); it counts from now. FieldError says what is missing.

    Another order of the same name, hazard and place ends then, and the new one is its next version.
    """
    when = now or SystemClock().now()
    place = Site.objects.filter(pk=site).first() if site else None
    _check(name, hazard, grade, actions, place, site, area, valid_to, when)
    code = place.division_code if place else area
    asker.demand("sign", code)
    with acting(asker.person_id):
        same = StandingOrder.objects.select_for_update().filter(title=name.strip(), hazard=hazard, site=place, area=area)
        before = same.order_by("-version").first()
        same.filter(valid_to__isnull=True).update(valid_to=when, updated_at=when)
        same.filter(valid_to__gt=when).update(valid_to=when, updated_at=when)
        order = StandingOrder(
            id=new_id("order"),
            division_code=code,
            cause=[before.id] if before else [],
            title=name.strip(),
            hazard=hazard,
            grade=grade,
            site=place,
            area=area,
            actions=[a if isinstance(a, dict) else {"action": a} for a in actions],
            version=before.version + 1 if before else 1,
            signed_by=Person.objects.get(pk=asker.person_id),
            signed_at=when,
            valid_from=when,
            valid_to=valid_to,
        )
        order.save(force_insert=True)
        payload = {"title": order.title, "hazard": hazard, "grade": grade, "site": site, "area": area, "version": order.version}
        emit("issue.order.signed", order.id, payload, division_code=code, cause=order.cause)
    return order


def _check(
    name: str,
    hazard: str,
    grade: int,
    actions: list[Any],
    place: Site | None,
    site: str,
    area: str,
    valid_to: datetime | None,
    now: datetime,
) -> None:
    known = {*(r for r in stage.rules() if r != "other"), ""}
    named = [str(a.get("action", "")) if isinstance(a, dict) else str(a) for a in actions]
    faults = (
        (not name.strip(), "title", name, "请填写名称", "give it a name"),
        (hazard not in known, "hazard", hazard, f"应为 {'、'.join(sorted(known - {''}))} 或空（任何）", "an unknown hazard"),
        (grade not in (1, 2, 3, 4), "grade", grade, "应为 1 蓝 2 黄 3 橙 4 红", "use 1 blue, 2 yellow, 3 orange or 4 red"),
        (bool(site) and place is None, "site", site, "没有此监测对象", "there is no such site"),
        (not site and not area.isdigit(), "area", area, "请给出监测对象或区划代码", "give a site or a division code"),
        (bool(site and area), "area", area, "监测对象与区域只能二选一", "give a site or an area, not both"),
        (
            not named or not set(named) <= {ISSUE, *DEVICE_ACTIONS},
            "actions",
            named,
            f"可用：{ISSUE}、{'、'.join(DEVICE_ACTIONS)}",
            "unknown action",
        ),
        (valid_to is not None and valid_to <= now, "valid_to", valid_to, "失效须在将来", "must end in the future"),
    )
    for wrong, field, value, zh, en in faults:
        if wrong:
            raise FieldError(field, value, zh, en, code="issue.bad_order")


def withdraw_order(order_id: str, asker: Asker, reason: str, *, now: datetime | None = None) -> StandingOrder:
    """End an order now (right ``sign``); warnings that it issued stand until a person lifts them. Again: nothing new."""
    when = now or SystemClock().now()
    with acting(asker.person_id):
        order = scoped(StandingOrder.objects.select_for_update(of=("self",)), asker).filter(pk=order_id).first()
        if order is None:
            raise AnlanError("issue.no_such_order", f"没有常备指令 {order_id}", f"there is no standing order {order_id}", status=404)
        asker.demand("sign", order.division_code)
        if not reason.strip():
            raise FieldError("reason", reason, "请写明撤销理由", "say why it is withdrawn", code="issue.no_reason")
        if order.valid_to is None or order.valid_to > when:
            order.valid_to = when
            order.save(update_fields=["valid_to", "updated_at"])
            payload = {"title": order.title, "reason": reason.strip(), "person": asker.person_id}
            emit("issue.order.withdrawn", order.id, payload, division_code=order.division_code, cause=[order.id])
    return order
