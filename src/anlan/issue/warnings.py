"""The life of a signed warning: put in force, update, lift, expire, and its CAP form.

Each version is a row of its own; the newest one of a series is in force while its state is ``issued``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ..base.clock import SystemClock, beijing
from ..base.errors import AnlanError, FieldError
from ..base.grade import Grade
from ..base.ids import new_id
from ..engines.outbox import acting, emit
from ..register.models import Division, Person, Post
from ..register.scope import Asker
from . import signing, stage
from .contract import AlertDraft, Place, Rule
from .messages import formats
from .models import HazardWarning, StandingOrder
from .wording import automatic_words, event_words, instruction, rings, title


def locked(warning_id: str) -> HazardWarning:
    """The version, locked; ``issue.no_such_warning`` when there is none."""
    found = HazardWarning.objects.select_for_update(of=("self",)).select_related("site").filter(pk=warning_id).first()
    if found is None:
        raise AnlanError("issue.no_such_warning", f"没有预警 {warning_id}", f"there is no warning {warning_id}", status=404)
    return found


def put_in_force(draft: HazardWarning, words: Callable[[str], tuple[str, str]]) -> HazardWarning:
    """Store a new version and supersede the one in force; runs in the caller's transaction.

    `words` gives the title for the kind (issue, update, upgrade, downgrade) that it turns out to be.
    """
    standing = _standing(draft) or _standing(draft)  # a version that came while we waited for the lock is seen the second time
    draft.id = new_id("warn")
    if standing is None:
        draft.series, draft.version, draft.kind = new_id("series"), 1, "issue"
    else:
        draft.series, draft.version = standing.series, standing.version + 1
        draft.kind = "update" if draft.grade == standing.grade else ("upgrade" if draft.grade > standing.grade else "downgrade")
        draft.cause = [*draft.cause, standing.id]
        standing.state, standing.ended_at = "superseded", draft.issued_at
        standing.save(update_fields=["state", "ended_at", "updated_at"])
    draft.title, draft.title_en = words(draft.kind)
    draft.sender = signing.sender()
    draft.save(force_insert=True)
    _announce("issue.warning.issued", draft)
    return draft


def _standing(draft: HazardWarning) -> HazardWarning | None:
    same = HazardWarning.objects.filter(site=draft.site, hazard=draft.hazard, state="issued", exercise=draft.exercise)
    return same.select_for_update().order_by("-version").first()


def automatic_sentence(warning: HazardWarning) -> tuple[str, str]:
    """The sentence about the standing order that a warning's texts carry; empty when a person signed it."""
    order = StandingOrder.objects.select_related("signed_by").filter(pk=warning.automatic).first() if warning.automatic else None
    if order is None:
        return "", ""
    return automatic_words(order.title, order.signed_by.name if order.signed_by else "")


def _announce(event: str, row: HazardWarning, **more: Any) -> None:
    payload = {
        "series": row.series,
        "version": row.version,
        "kind": row.kind,
        "grade": row.grade,
        "site": row.site_id or "",
        "hazard": row.hazard,
        "title": row.title,
        "title_en": row.title_en,
        "automatic": row.automatic,
        "exercise": row.exercise,
        **more,
    }
    emit(event, row.id, payload, division_code=row.division_code, cause=row.cause)


def _demand_in_force(warning: HazardWarning) -> None:
    if warning.state == "issued":
        return
    newest = HazardWarning.objects.filter(series=warning.series).select_related("signed_by").order_by("-version").first() or warning
    words = {"superseded": ("已有新版本", "has a newer version"), "lifted": ("已解除", "was lifted"), "expired": ("已失效", "has expired")}
    zh, en = words.get(warning.state, ("不在生效", "is not in force"))
    name = newest.signed_by.name if newest.signed_by and warning.state != "expired" else "系统"
    raise AnlanError(
        "issue.already_ended",
        f"该预警{zh}（{name}，{beijing(newest.issued_at)}），请刷新",
        f"the warning {en} ({beijing(newest.issued_at)} Beijing time); look again",
        status=409,
        state=warning.state,
        newest=newest.id,
        by_name=name,
    )


def rule_and_place(warning: HazardWarning) -> tuple[Rule, Place]:
    """The rule and the place of a warning; one without a site is named by its division."""
    rule = stage.rules().get(warning.hazard) or stage.rules()["other"]
    site = warning.site
    if site is None:
        return rule, Place("", warning.division_code, warning.division_code, "other", warning.division_code)
    return rule, Place(site.id, site.name, site.name_en, site.kind, site.division_code, key_target=site.key_target)


def _next(warning: HazardWarning, asker: Asker, now: datetime, **changes: Any) -> HazardWarning:
    """An unsaved next version with the same content but for `changes`."""
    same = [
        "series",
        "division_code",
        "proposal_id",
        "site_id",
        "hazard",
        "grade",
        "title",
        "title_en",
        "text",
        "text_en",
        "instruction",
        "instruction_en",
        "area",
        "area_codes",
        "expires_at",
        "exercise",
    ]
    said = automatic_sentence(warning)  # the next version is a person's own
    texts = {"text": warning.text.removesuffix(said[0]).rstrip(), "text_en": warning.text_en.removesuffix(said[1]).rstrip()}
    values = (
        {name: getattr(warning, name) for name in same} | texts | {"version": warning.version + 1, "issued_at": now, "cause": [warning.id]}
    )
    return HazardWarning(**{**values, "signed_by": Person.objects.get(pk=asker.person_id), **changes})


def lift(warning_id: str, asker: Asker, reason: str, *, now: datetime | None = None) -> HazardWarning:
    """Say that it is over (right ``sign``): a last version of kind ``lift``; everybody told is told again."""
    when = now or SystemClock().now()
    if not reason.strip():
        raise FieldError("reason", reason, "请写明解除理由", "say why it is lifted", code="issue.no_reason")
    with acting(asker.person_id):
        warning = locked(warning_id)
        asker.demand("sign", warning.division_code)
        _demand_in_force(warning)
        rule, place = rule_and_place(warning)
        words, todo = (
            title(rule, warning.hazard, place, Grade(warning.grade), "lift", warning.exercise),
            instruction(rule, Grade(1), "lift"),
        )
        warning.state, warning.ended_at = "lifted", when
        warning.save(update_fields=["state", "ended_at", "updated_at"])
        last = _next(
            warning,
            asker,
            when,
            kind="lift",
            state="lifted",
            title=words[0],
            title_en=words[1],
            text=reason.strip(),
            text_en=reason.strip(),
            instruction=todo[0],
            instruction_en=todo[1],
            ended_at=when,
            reason=reason.strip(),
        )
        last.id, last.sender = new_id("warn"), signing.sender()
        last.save(force_insert=True)
        _announce("issue.warning.lifted", last, warning=warning.id)
    return last


def update(
    warning_id: str,
    asker: Asker,
    *,
    grade: int | None = None,
    text: str = "",
    text_en: str = "",
    area: Any = None,
    expires_h: float | None = None,
    reason: str = "",
    now: datetime | None = None,
) -> HazardWarning:
    """Issue a next version (right ``sign``): other grade (with a reason), words, area or validity."""
    from .decisions import checked_grade, checked_hours

    when = now or SystemClock().now()
    with acting(asker.person_id):
        warning = locked(warning_id)
        asker.demand("sign", warning.division_code)
        _demand_in_force(warning)
        signed = checked_grade(grade, Grade(warning.grade), reason)
        if area is not None and not rings(area):
            raise FieldError("area", area, "应为 GeoJSON 多边形", "must be a GeoJSON polygon", code="issue.bad_area")
        rule, place = rule_and_place(warning)
        todo = instruction(rule, signed) if signed != warning.grade else (warning.instruction, warning.instruction_en)
        draft = _next(
            warning,
            asker,
            when,
            grade=int(signed),
            **{k: v for k, v in (("text", text.strip()), ("text_en", text_en.strip())) if v},
            instruction=todo[0],
            instruction_en=todo[1],
            area=warning.area if area is None else area,
            reason=reason.strip(),
            expires_at=warning.expires_at if expires_h is None else when + timedelta(hours=checked_hours(expires_h, rule)),
        )
        if draft.expires_at <= when:
            raise FieldError("expires_h", expires_h, "失效时间须晚于现在", "it must end in the future", code="issue.bad_expiry")
        return put_in_force(draft, lambda kind: title(rule, warning.hazard, place, signed, kind, warning.exercise))


def expire_due(now: datetime) -> list[HazardWarning]:
    """End every warning whose time is over; those ended now. Runs in the caller's transaction."""
    due = list(HazardWarning.objects.select_for_update(skip_locked=True).filter(state="issued", expires_at__lte=now).order_by("id")[:200])
    for warning in due:
        warning.state, warning.ended_at = "expired", now
        warning.save(update_fields=["state", "ended_at", "updated_at"])
        _announce("issue.warning.expired", warning)
    return due


def _sender_name(warning: HazardWarning) -> tuple[str, str]:
    post = (
        Post.objects.filter(person_id=warning.signed_by_id).select_related("organisation").order_by("id").first()
        if warning.signed_by_id
        else None
    )
    name = post.organisation.name if post else "安澜"
    return name, name if post else "Anlan"


def draft_of(warning: HazardWarning) -> AlertDraft:
    """The warning as a format-independent alert."""
    rule, place = rule_and_place(warning)
    earlier = HazardWarning.objects.filter(series=warning.series, version__lt=warning.version).order_by("version")
    division = Division.objects.filter(code=warning.division_code).first()
    area_zh = f"{division.name if division else ''}{place.name}"
    area_en = f"{place.name_en or place.name}{f', {division.name_en}' if division and division.name_en else ''}"
    kind = "Cancel" if warning.kind == "lift" else ("Alert" if warning.version == 1 else "Update")
    return AlertDraft(
        identifier=warning.id,
        sender=warning.sender or signing.sender(),
        sent=warning.issued_at,
        status="Exercise" if warning.exercise else "Actual",
        msg_type=kind,
        event_code=rule.event_code,
        category=rule.category,
        grade=Grade(warning.grade),
        words=event_words(rule, warning.hazard),
        headline=(warning.title, warning.title_en),
        description=(warning.text, warning.text_en or warning.title_en),
        instruction=(warning.instruction, warning.instruction_en),
        effective=warning.issued_at,
        expires=max(warning.expires_at, warning.issued_at + timedelta(minutes=1)),
        area_name=(area_zh, area_en),
        geocodes=tuple(warning.area_codes),
        polygons=rings(warning.area),
        references=tuple((w.sender or signing.sender(), w.id, w.issued_at) for w in earlier),
        note="演练 Exercise" if warning.exercise else (warning.reason if kind == "Cancel" else ""),
        sender_name=_sender_name(warning),
        incidents=(warning.series,),
        automatic=warning.automatic,
    )


def cap(warning_id: str) -> bytes:
    """The version as signed CAP 1.2 XML; ``issue.no_such_warning`` when there is none."""
    warning = HazardWarning.objects.select_related("site").filter(pk=warning_id).first()
    if warning is None:
        raise AnlanError("issue.no_such_warning", f"没有预警 {warning_id}", f"there is no warning {warning_id}", status=404)
    return signing.signed(formats()["cap12"].write(draft_of(warning)), warning.sender)
