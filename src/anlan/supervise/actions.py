"""What people and the machine do with hazards and cases: open them, take one step of their workflow, mark what is overdue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from django.db.models import Max, Q

from ..base.clock import SystemClock
from ..base.errors import AnlanError, FieldError
from ..base.grade import Grade
from ..base.ids import derived_id, new_id
from ..base.plugin import scan
from ..engines.models import Outbox
from ..engines.outbox import acting, emit
from ..issue.models import HazardWarning
from ..register.models import Post, Site
from ..register.roles import RIGHTS
from ..register.scope import Asker
from ..register.service import answerable, posts_of
from .contract import Facts, Transition, Workflow, advance
from .models import Case, Hazard, HazardStep
from .rules import rules_at

RIGHT_NAMES = sorted({right for rights in RIGHTS.values() for right in rights})


@cache
def workflows() -> dict[str, Workflow]:
    """All workflows found, by name."""
    return scan("anlan.supervise.workflows", Workflow)  # type: ignore[type-abstract]


# hazards


def open_from_warning(warning_id: str, *, actor: str, now: datetime | None = None) -> Hazard | None:
    """The hazard behind a warning, once for each series; None when the warning names no site."""
    warning = HazardWarning.objects.select_related("site").filter(pk=warning_id).first()
    if warning is None:
        raise AnlanError("supervise.not_found", f"没有预警 {warning_id}", f"no warning {warning_id}")
    if warning.site is None:
        return None
    worst = Grade(HazardWarning.objects.filter(series=warning.series).aggregate(g=Max("grade"))["g"])
    site = warning.site
    return _open_hazard(
        derived_id("haz", warning.series),
        f"{site.name}：{worst.zh}色预警后查治隐患",
        f"{site.name_en or site.name}: hazard behind the {worst.word} warning",
        site,
        cause=[warning.id],
        found_by=f"warning:{warning.id}",
        at=now or warning.ended_at or SystemClock().now(),
        actor=actor,
    )


def open_hazard(
    title: str, site_id: str, asker: Asker, *, title_en: str = "", cause: Sequence[str] = (), now: datetime | None = None
) -> Hazard:
    """A hazard entered by hand by anybody with the right ``respond`` there; `cause` may name an inspection, a finding, a task."""
    site = Site.objects.filter(pk=site_id).first()
    if site is None:
        raise FieldError("site", site_id, "没有此监测对象", "no such site")
    asker.demand("respond", site.division_code)
    if not title.strip():
        raise FieldError("title", title, "请写明隐患", "say what the hazard is")
    return _open_hazard(
        new_id("haz"),
        title.strip(),
        title_en.strip() or title.strip(),
        site,
        cause=list(cause),
        found_by=asker.person_id,
        at=now or SystemClock().now(),
        actor=asker.person_id,
    )


def _open_hazard(
    number: str, title: str, title_en: str, site: Site, *, cause: list[str], found_by: str, at: datetime, actor: str
) -> Hazard:
    made = Hazard.objects.filter(pk=number).first()
    if made is not None:
        return made
    rules = rules_at(at, site.division_code)
    nearest = next((a.post_id for a in answerable(site.id, site.division_code, at) if a.person_id), None)
    with acting(actor):
        hazard = Hazard(
            id=number,
            division_code=site.division_code,
            title=title,
            title_en=title_en,
            site=site,
            found_at=at,
            found_by=found_by,
            post_id=nearest,
            step_due_at=rules["hazard.grade"].after(at),
            rule_version=rules["hazard.grade"].version,
            cause=cause,
        )
        hazard.save(force_insert=True)
        HazardStep.objects.create(hazard=hazard, at=at, actor=actor, before="", after="found", event="find", note=title)
        emit("supervise.hazard.found", hazard.id, _hazard_payload(hazard), division_code=hazard.division_code, cause=cause)
    return hazard


def _hazard_payload(hazard: Hazard) -> dict[str, Any]:
    warning = next((c for c in hazard.cause if c.startswith("warn-")), "")
    return {"title": hazard.title, "title_en": hazard.title_en, "site": hazard.site_id or "", "warning": warning, "state": hazard.state}


def move_hazard(hazard_id: str, event: str, asker: Asker, form: Mapping[str, Any], *, now: datetime | None = None) -> Hazard:
    """Take one step of a hazard (grade, order, rectify, recheck, return, cancel); AnlanError says why it is not taken."""
    when = now or SystemClock().now()
    with acting(asker.person_id):
        hazard = Hazard.objects.select_for_update(of=("self",)).filter(pk=hazard_id).first()
        if hazard is None:
            raise AnlanError("supervise.not_found", f"没有隐患 {hazard_id}", f"no hazard {hazard_id}")
        post = str(form.get("post") or "")
        if post and not Post.objects.filter(pk=post).exists():
            raise FieldError("post", post, "没有此岗位", "no such post")
        facts = _facts(hazard, asker, form, when, hazard.found_at)
        row = advance(workflows()["hazard"], facts, event)
        limit, before = hazard.step_due_at, hazard.state
        _store(hazard, row, facts)
        hazard.overdue_at = None
        hazard.save()
        step = HazardStep.objects.create(
            hazard=hazard,
            at=when,
            actor=asker.person_id,
            before=before,
            after=row.next,
            event=row.event,
            limit_at=limit,
            note=facts.text("note") or facts.text("measures"),
            evidence={k: v for k, v in form.items() if k not in ("note",)},
        )
        words = workflows()["hazard"].states[row.next]
        payload = {**_hazard_payload(hazard), "event": event, "step": step.pk, "step_zh": row.zh, "step_en": row.en, "state_zh": words[0]}
        emit("supervise.hazard.moved", hazard.id, payload, division_code=hazard.division_code, key=f"supervise.hazard.moved:{step.pk}")
        if row.next == "cancelled":
            emit("supervise.hazard.cancelled", hazard.id, _hazard_payload(hazard), division_code=hazard.division_code, cause=[hazard.id])
    return hazard


def _facts(record: Hazard | Case, asker: Asker, form: Mapping[str, Any], now: datetime, began: datetime) -> Facts:
    values = {field.attname: getattr(record, field.attname) for field in record._meta.concrete_fields}
    own = record.post_id in posts_of(asker.person_id) or asker.person_id == getattr(record, "person_id", None)
    rights = frozenset(right for right in RIGHT_NAMES if asker.may(right, record.division_code))
    return Facts(values, asker.person_id, own, rights, now, dict(form), rules_at(began, record.division_code))


def _store(record: Hazard | Case, row: Transition, facts: Facts) -> None:
    """Write the step's fields and the limit of the next step into the record (not saved yet)."""
    for name, value in workflows()["hazard" if isinstance(record, Hazard) else "case"].effects(row, facts).items():
        setattr(record, name, value)
    record.state = row.next
    if row.limit == "due":
        record.step_due_at = getattr(record, "due_at", None)
    else:
        record.step_due_at = facts.rules[row.limit].after(facts.now) if row.limit else None


def mark_overdue(now: datetime) -> int:
    """Mark each hazard past the limit of its step once and tell the house (``supervise.hazard.overdue``); the number found."""
    rows = Hazard.objects.filter(step_due_at__lt=now, overdue_at__isnull=True).exclude(state="cancelled").order_by("step_due_at")
    return sum(_mark_overdue(pk, now) for pk in list(rows.values_list("pk", flat=True)[:500]))


def _mark_overdue(hazard_id: str, now: datetime) -> bool:
    with acting("system:supervise"):
        rows = Hazard.objects.select_for_update(of=("self",), skip_locked=True).filter(pk=hazard_id)
        hazard = rows.filter(step_due_at__lt=now, overdue_at__isnull=True).exclude(state="cancelled").first()
        if hazard is None or hazard.step_due_at is None:
            return False
        hazard.overdue_at = now
        hazard.save()
        payload = {**_hazard_payload(hazard), "limit_at": hazard.step_due_at.isoformat()}
        key = f"supervise.hazard.overdue:{hazard.id}:{hazard.step_due_at.isoformat()}"
        emit("supervise.hazard.overdue", hazard.id, payload, division_code=hazard.division_code, cause=[hazard.id], key=key)
    return True


# cases


def open_case(
    kind: str,
    subject: str,
    words: tuple[str, str],
    *,
    post_id: str | None,
    person_id: str | None,
    limit_at: datetime,
    division_code: str,
    warning: str = "",
    incident: str = "",
    part: str = "",
    now: datetime | None = None,
) -> Case:
    """A case on a fact about a record, once for each (kind, subject, part): what was late, whose, against which limit."""
    number = derived_id("case", kind, subject, part)
    made = Case.objects.filter(pk=number).first()
    if made is not None:
        return made
    when = now or SystemClock().now()
    rules = rules_at(when, division_code)
    with acting("system:supervise"):
        case = Case(
            id=number,
            division_code=division_code,
            kind=kind,
            title=words[0],
            title_en=words[1],
            post_id=post_id or None,
            person_id=person_id or None,
            opened_at=when,
            limit_at=limit_at,
            step_due_at=rules["case.explain"].after(when),
            rule_version=rules["case.explain"].version,
            cause=[subject],
        )
        case.save(force_insert=True)
        emit("supervise.case.opened", case.id, _case_payload(case, warning, incident), division_code=division_code, cause=case.cause)
    return case


def _case_payload(case: Case, warning: str = "", incident: str = "") -> dict[str, Any]:
    payload = {
        "title": case.title,
        "title_en": case.title_en,
        "kind": case.kind,
        "post": case.post_id or "",
        "person": case.person_id or "",
    }
    return payload | {"warning": warning, "incident": incident, "consequence": case.consequence}


def move_case(case_id: str, event: str, asker: Asker, form: Mapping[str, Any], *, now: datetime | None = None) -> Case:
    """Take one step of a case (explain, decide, dismiss); AnlanError says why it is not taken."""
    when = now or SystemClock().now()
    with acting(asker.person_id):
        case = Case.objects.select_for_update(of=("self",)).filter(pk=case_id).first()
        if case is None:
            raise AnlanError("supervise.not_found", f"没有问责事项 {case_id}", f"no case {case_id}")
        facts = _facts(case, asker, form, when, case.opened_at)
        row = advance(workflows()["case"], facts, event)
        _store(case, row, facts)
        case.save()
        opened = emitted_payload(case.id)
        payload = _case_payload(case, str(opened.get("warning", "")), str(opened.get("incident", "")))
        emit(f"supervise.case.{row.next}", case.id, payload, division_code=case.division_code, cause=[case.id])
    return case


def emitted_payload(case_id: str) -> dict[str, Any]:
    """What the event that opened a case said (its warning and incident)."""
    return Outbox.objects.filter(type="supervise.case.opened", subject=case_id).values_list("payload", flat=True).first() or {}


def visible(asker: Asker) -> Q:
    """Filter for cases: those of the asker's area with the right ``supervise``, and their own."""
    area = Q(pk__in=[])
    for prefix in asker.rights.get("supervise", ()):
        area |= Q(division_code__startswith=prefix)
    return area | Q(person_id=asker.person_id) | Q(post_id__in=posts_of(asker.person_id))
