"""What people do with a proposal: claim, consult, sign, decline. Each is one transaction of a named person.

Two people may press at once: the row is locked, the second gets ``issue.already_decided`` with who was
first and when (shown as 409). Rights are those of `register.roles`; times are UTC.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ..base.clock import SystemClock, beijing
from ..base.errors import AnlanError, FieldError
from ..base.grade import Grade
from ..engines.outbox import acting, emit
from ..register.models import Person
from ..register.scope import Asker
from . import stage
from .contract import Place, Rule
from .models import Consultation, HazardWarning, Proposal
from .warnings import put_in_force
from .wording import instruction, title

STATES = {
    "signed": ("已签发", "was signed"),
    "declined": ("已决定不签发", "was declined"),
    "withdrawn": ("依据消失，已撤回", "was withdrawn, its evidence is gone"),
    "claimed": ("已被认领", "was claimed"),
}
OPEN = ("open", "claimed")


def locked(proposal_id: str) -> Proposal:
    """The proposal, locked for this transaction; ``issue.no_such_proposal`` when there is none."""
    found = Proposal.objects.select_for_update(of=("self",)).select_related("site").filter(pk=proposal_id).first()
    if found is None:
        raise AnlanError("issue.no_such_proposal", f"没有预警建议 {proposal_id}", f"there is no proposal {proposal_id}", status=404)
    return found


def _conflict(proposal: Proposal) -> AnlanError:
    """Who was first, in words."""
    who = proposal.decided_by if proposal.state != "claimed" else proposal.claimed_by
    zh, en = STATES.get(proposal.state, ("已处理", "was dealt with"))
    if proposal.evidence.get("automatic"):
        zh, en = "依常备指令自动发布", "was issued automatically under a standing order"
    name, at = (who.name if who else "系统"), proposal.decided_at or proposal.updated_at
    return AnlanError(
        "issue.already_decided",
        f"{name} 于 {beijing(at)} {zh}，请刷新",
        f"the proposal {en} by {who.name if who else 'the system'} at {beijing(at)} (Beijing time)",
        status=409,
        state=proposal.state,
        by=who.id if who else "",
        by_name=name,
        at=at.isoformat(),
    )


def _demand_open(proposal: Proposal) -> None:
    if proposal.state not in OPEN:
        raise _conflict(proposal)


def _event(kind: str, proposal: Proposal, person: str, **more: Any) -> None:
    payload = {
        "site": proposal.site_id,
        "hazard": proposal.hazard,
        "grade": proposal.grade,
        "title": proposal.title,
        "title_en": proposal.title_en,
        "person": person,
        **more,
    }
    key = f"issue.proposal.{kind}:{proposal.id}:{person}" if kind in ("claimed", "consulted") else ""
    emit(f"issue.proposal.{kind}", proposal.id, payload, division_code=proposal.division_code, cause=[proposal.id], key=key)


def claim(proposal_id: str, asker: Asker, *, now: datetime | None = None) -> Proposal:
    """Say "I am looking at it" (right ``claim`` or ``sign``). Again by the same person: nothing new."""
    when = now or SystemClock().now()
    with acting(asker.person_id):
        proposal = locked(proposal_id)
        if not asker.may("sign", proposal.division_code):
            asker.demand("claim", proposal.division_code)
        if proposal.state == "claimed" and proposal.claimed_by_id == asker.person_id:
            return proposal
        if proposal.state != "open":
            raise _conflict(proposal)
        proposal.state, proposal.claimed_by_id = "claimed", asker.person_id
        proposal.save(update_fields=["state", "claimed_by", "updated_at"])
        _event("claimed", proposal, asker.person_id, at=when.isoformat())
    return proposal


def decline(proposal_id: str, asker: Asker, reason: str, *, now: datetime | None = None) -> Proposal:
    """Decide not to warn (right ``sign``); the reason is kept. The same grade stays quiet for an hour."""
    when = now or SystemClock().now()
    if not reason.strip():
        raise FieldError("reason", reason, "请写明不签发的理由", "say why it is not signed", code="issue.no_reason")
    with acting(asker.person_id):
        proposal = locked(proposal_id)
        asker.demand("sign", proposal.division_code)
        _demand_open(proposal)
        proposal.state, proposal.decided_by_id, proposal.decided_at, proposal.reason = "declined", asker.person_id, when, reason.strip()
        proposal.save(update_fields=["state", "decided_by", "decided_at", "reason", "updated_at"])
        _event("declined", proposal, asker.person_id, reason=reason.strip())
    return proposal


def consult(proposal_id: str, asker: Asker, text: str, *, grade: int | None = None, now: datetime | None = None) -> Consultation:
    """Add an opinion to the consultation of a proposal (right ``consult`` or ``sign``), opening it when there is none."""
    when = now or SystemClock().now()
    if not text.strip():
        raise FieldError("text", text, "请写明意见", "write an opinion", code="issue.no_text")
    with acting(asker.person_id):
        proposal = locked(proposal_id)
        if not asker.may("sign", proposal.division_code):
            asker.demand("consult", proposal.division_code)
        _demand_open(proposal)
        found = Consultation.objects.filter(proposal=proposal, closed_at__isnull=True).first()
        consultation = found or Consultation(
            proposal=proposal, opened_by_id=asker.person_id, division_code=proposal.division_code, cause=[proposal.id]
        )
        opinion = {"person": asker.person_id, "name": asker.name, "at": when.isoformat(), "text": text.strip(), "grade": grade}
        consultation.opinions = [*consultation.opinions, opinion]
        consultation.save()
        key = f"issue.proposal.consulted:{proposal.id}:{len(consultation.opinions)}"
        payload = {"consultation": consultation.id, "person": asker.person_id, "text": text.strip(), "site": proposal.site_id}
        emit("issue.proposal.consulted", proposal.id, payload, division_code=proposal.division_code, cause=[proposal.id], key=key)
    return consultation


def place_of(proposal: Proposal) -> tuple[Rule, Place]:
    """The rule and the place of a proposal."""
    site = proposal.site
    rule = stage.rules().get(proposal.hazard) or stage.rules()["other"]
    return rule, Place(site.id, site.name, site.name_en, site.kind, site.division_code, key_target=site.key_target)


def sign(
    proposal_id: str,
    asker: Asker,
    *,
    grade: int | None = None,
    reason: str = "",
    expires_h: float | None = None,
    exercise: bool = False,
    now: datetime | None = None,
) -> HazardWarning:
    """Sign (right ``sign``): the warning is in force from now; another grade than proposed needs a reason.

    A warning already in force for the place and hazard becomes the earlier version of the same series.
    """
    when = now or SystemClock().now()
    with acting(asker.person_id):
        proposal = locked(proposal_id)
        asker.demand("sign", proposal.division_code)
        _demand_open(proposal)
        signed = checked_grade(grade, Grade(proposal.grade), reason)
        rule, place = place_of(proposal)
        hours = checked_hours(expires_h, rule)
        Consultation.objects.filter(proposal=proposal, closed_at__isnull=True).update(closed_at=when)
        proposal.state, proposal.decided_by_id, proposal.decided_at = "signed", asker.person_id, when
        proposal.reason = reason.strip()
        proposal.save(update_fields=["state", "decided_by", "decided_at", "reason", "updated_at"])
        todo = instruction(rule, signed)
        draft = HazardWarning(
            division_code=proposal.division_code,
            cause=[proposal.id],
            proposal=proposal,
            site=proposal.site,
            hazard=proposal.hazard,
            grade=int(signed),
            text=proposal.zh,
            text_en=proposal.en,
            instruction=todo[0],
            instruction_en=todo[1],
            area=proposal.site.warning_area,
            area_codes=[proposal.division_code[: rule.area_digits]],
            issued_at=when,
            expires_at=when + timedelta(hours=hours),
            signed_by=Person.objects.get(pk=asker.person_id),
            exercise=exercise,
            reason=reason.strip(),
        )
        warning = put_in_force(draft, lambda kind: title(rule, proposal.hazard, place, signed, kind, exercise))
        _event("signed", proposal, asker.person_id, warning=warning.id)
    return warning


def checked_grade(grade: int | None, proposed: Grade, reason: str) -> Grade:
    """The grade to sign; FieldError when it is none of the four, or differs without a reason."""
    if grade is None:
        return proposed
    if grade not in (1, 2, 3, 4):
        raise FieldError("grade", grade, "应为 1 蓝 2 黄 3 橙 4 红", "use 1 blue, 2 yellow, 3 orange or 4 red", code="issue.bad_grade")
    if grade != proposed and not reason.strip():
        raise FieldError(
            "reason",
            reason,
            f"与建议的{proposed.zh}色不同，请写明理由",
            "another grade than proposed needs a reason",
            code="issue.no_reason",
        )
    return Grade(grade)


def checked_hours(expires_h: float | None, rule: Rule) -> float:
    """Hours of validity: the rule's usual ones, or 0.5 to 72."""
    if expires_h is None:
        return rule.expires_h
    if not 0.5 <= expires_h <= 72:
        raise FieldError("expires_h", expires_h, "应为 0.5 至 72 小时", "use 0.5 to 72 hours", code="issue.bad_expiry")
    return float(expires_h)
