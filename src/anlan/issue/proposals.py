"""From evidence to proposals: the transaction around `issue.stage`, standing orders included.

Runs inside the caller's transaction (an event handler, or `acting`); every change emits its event with causes.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from ..base.clock import SystemClock, to_ms
from ..base.grade import Grade
from ..base.ids import derived_id, new_id
from ..detect.models import Finding
from ..engines.outbox import emit, one, run
from . import orders, stage
from .contract import Assessment, Place, Rule
from .gather import LOOK_BACK_DAYS, Picture, picture
from .models import HazardWarning, Proposal
from .wording import title

_INSERT = """
insert into issue_proposal (id, division_code, created_at, updated_at, cause, site_id, hazard, grade, state, proposed_at, decide_by,
  reason, title, title_en, zh, en, evidence)
values (%s, %s, %s, %s, %s, %s, %s, %s, 'open', %s, %s, '', %s, %s, %s, %s, %s)
"""
_UPDATE = """
update issue_proposal set grade = %s, cause = %s, decide_by = least(decide_by, %s), title = %s, title_en = %s, zh = %s, en = %s,
  evidence = %s, updated_at = %s where id = %s
"""
_WITHDRAW = """
update issue_proposal set state = 'withdrawn', decided_at = %s, reason = %s, updated_at = %s where id = %s and state = 'open' returning id
"""


def hazard_of(rule: Rule, finding_hazard: str) -> str:
    """The hazard of the proposal: the rule's name, or the finding's own where no rule is named after it."""
    return finding_hazard if rule.name == "other" else rule.name


def judge(site: str, hazard: str, *, now: datetime | None = None, cause: str = "") -> str | None:
    """Judge a place anew for the hazard of a finding; the id of the proposal that was raised, changed or held, else None.

    `cause` is the record that made us look. Times are UTC.
    """
    when = now or SystemClock().now()
    now_ms = to_ms(when)
    mute = when - timedelta(milliseconds=stage.MUTE_MS)
    seen = picture(site, when, when - timedelta(days=LOOK_BACK_DAYS), mute)
    if seen is None:
        return None
    rule = stage.rule_for(seen.place.kind, hazard)
    subject = hazard_of(rule, hazard)
    mine = [e for e in seen.evidence if _same(rule, subject, seen.place.kind, e.hazard)]
    assessment = rule.assess(mine, seen.outlook, now_ms, seen.place)
    held = next((p for p in seen.proposals if p["hazard"] == subject), None)
    standing = [(w["id"], w["grade"]) for w in seen.warnings if w["hazard"] == subject]
    refused = [r for r in seen.refused if r["hazard"] == subject]
    past = max((stage.Past(r["grade"], r["at_ms"]) for r in refused), key=lambda p: (p.grade, p.at_ms), default=None)
    decision = stage.decide(assessment, _open(held), standing, past, now_ms)
    if decision.kind == "none":
        return held["id"] if held else None
    if decision.kind == "withdraw":
        assert held is not None
        _withdraw(held["id"], seen, subject, assessment, when, cause)
        return str(held["id"])
    facts = _facts(assessment, seen, decision, cause)
    if decision.kind == "raise":
        return _raise(rule, subject, seen, assessment, when, facts)
    assert held is not None
    return _change(held, rule, subject, seen, assessment, decision, when, facts)


def _same(rule: Rule, subject: str, site_kind: str, finding_hazard: str) -> bool:
    found = stage.rule_for(site_kind, finding_hazard)
    return found.name == rule.name and hazard_of(found, finding_hazard) == subject


def _open(held: dict[str, Any] | None) -> stage.Open | None:
    if held is None:
        return None
    facts = held["evidence"] or {}
    return stage.Open(held["id"], held["grade"], held["state"] == "claimed", facts.get("clear_since_ms"), facts.get("fingerprint", ""))


def _facts(assessment: Assessment, seen: Picture, decision: stage.Decision, cause: str) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "gates": [gate.as_dict() for gate in assessment.gates],
        "figures": list(assessment.figures),
        "now": int(assessment.grade),
        "fingerprint": stage.fingerprint(assessment),
        "because": cause,
    }
    if decision.clear_since_ms is not None:
        facts["clear_since_ms"] = decision.clear_since_ms
    if seen.outlook is not None and seen.outlook.id in assessment.cause:
        o = seen.outlook
        facts["outlook"] = {"id": o.id, "made_ms": o.made_ms, "p10_ms": o.p10_ms, "p50_ms": o.p50_ms, "p90_ms": o.p90_ms}
    return facts


def _payload(seen: Picture, hazard: str, grade: Grade, words: tuple[str, str], assessment: Assessment) -> dict[str, Any]:
    return {
        "site": seen.place.id,
        "hazard": hazard,
        "grade": int(grade),
        "title": words[0],
        "title_en": words[1],
        "zh": assessment.zh,
        "en": assessment.en,
    }


def _raise(rule: Rule, hazard: str, seen: Picture, assessment: Assessment, now: datetime, facts: dict[str, Any]) -> str:
    grade, place = assessment.grade, seen.place
    name, words = new_id("prop", to_ms(now)), title(rule, hazard, place, grade)
    due = now + timedelta(minutes=stage.decide_by_minutes(grade))
    values = [
        name, place.division_code, now, now, list(assessment.cause), place.id, hazard, int(grade), now, due,
        *words, assessment.zh, assessment.en, json.dumps(facts, ensure_ascii=False),
    ]  # fmt: skip
    run(_INSERT, values)
    payload = _payload(seen, hazard, grade, words, assessment)
    emit("issue.proposal.raised", name, payload, division_code=place.division_code, cause=assessment.cause)
    orders.act(name, seen, rule, hazard, grade, (assessment.zh, assessment.en), now)
    return name


def _change(
    held: dict[str, Any],
    rule: Rule,
    hazard: str,
    seen: Picture,
    assessment: Assessment,
    decision: stage.Decision,
    now: datetime,
    facts: dict[str, Any],
) -> str:
    name, grade = str(held["id"]), decision.grade
    words = title(rule, hazard, seen.place, grade)
    due = now + timedelta(minutes=stage.decide_by_minutes(grade))
    # the grade held came from older evidence: its causes stay in the record
    cause = list(dict.fromkeys([*(held.get("cause") or []), *assessment.cause]))
    calm = assessment.grade < grade
    zh, en = held_words(name) if calm else (assessment.zh, assessment.en)
    values = [int(grade), cause, due, *words, zh, en, json.dumps(facts, ensure_ascii=False), now, name]
    run(_UPDATE, values)
    if decision.kind == "raise_grade":
        payload = {**_payload(seen, hazard, grade, words, assessment), "previous": held["grade"]}
        key = f"issue.proposal.raised_grade:{name}:{int(grade)}"
        emit("issue.proposal.raised_grade", name, payload, division_code=seen.place.division_code, cause=assessment.cause, key=key)
        orders.act(name, seen, rule, hazard, grade, (zh, en), now)
    return name


def held_words(proposal: str) -> tuple[str, str]:
    """The sentence that a proposal has now (kept when evidence falls below its grade)."""
    row = one("select zh, en from issue_proposal where id = %s", [proposal])
    return (str(row[0]), str(row[1])) if row else ("", "")


def _withdraw(proposal: str, seen: Picture, hazard: str, assessment: Assessment, now: datetime, cause: str) -> None:
    reason = f"依据消失 · evidence gone: {assessment.zh} {assessment.en}"
    if one(_WITHDRAW, [now, reason, now, proposal]) is None:
        return
    payload = {"site": seen.place.id, "hazard": hazard, "grade": 0, "zh": assessment.zh, "en": assessment.en}
    emit("issue.proposal.withdrawn", proposal, payload, division_code=seen.place.division_code, cause=[cause] if cause else [proposal])


def record_missed(finding_id: str, *, now: datetime | None = None) -> str | None:
    """A grave finding that was cleared before it could be judged leaves a closed proposal; its id, None when it is not so.

    Not so is also a place where a warning as bad stands: people know.
    """
    f = Finding.objects.select_related("site", "station").filter(pk=finding_id, grade__gte=int(Grade.ORANGE)).first()
    if f is None or f.hazard == "device":
        return None
    after = Finding.objects.filter(station=f.station, quantity=f.quantity, detector=f.detector, at__gte=f.at, grade__lt=int(Grade.ORANGE))
    cleared = after.filter(evidence__kind=f.evidence.get("kind")).order_by("at").first()
    rule = stage.rule_for(f.site.kind, f.hazard)
    hazard = hazard_of(rule, f.hazard)
    known = HazardWarning.objects.filter(site=f.site, hazard=hazard, state="issued", grade__gte=f.grade)
    told = Proposal.objects.filter(site=f.site, hazard=hazard, cause__contains=[f.id])
    if cleared is None or known.exists() or told.exists():
        return None
    when = now or SystemClock().now()
    place = Place(f.site.id, f.site.name, f.site.name_en, f.site.kind, f.site.division_code, key_target=f.site.key_target)
    words = title(rule, hazard, place, Grade(f.grade))
    row = Proposal(
        id=derived_id("prop", "missed", f.id),
        division_code=f.site.division_code,
        cause=[f.id, cleared.id],
        site=f.site,
        hazard=hazard,
        grade=f.grade,
        state="withdrawn",
        proposed_at=when,
        decide_by=when,
        decided_at=when,
        reason="来不及研判即已恢复 · cleared before it could be judged",
        title=words[0],
        title_en=words[1],
        zh=f.zh,
        en=f.en,
        evidence={"missed": True, "now": cleared.grade, "gates": [], "figures": [], "because": f.id},
    )
    row.save(force_insert=True)
    payload = {"site": f.site.id, "hazard": hazard, "grade": f.grade, "title": words[0], "title_en": words[1], "zh": f.zh, "en": f.en}
    payload |= {"missed": True}
    emit("issue.proposal.withdrawn", row.id, payload, division_code=row.division_code, cause=row.cause)
    return row.id
