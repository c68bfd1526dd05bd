"""What becomes of evidence: raise, raise the grade, hold, withdraw. Pure: no clock, no database.

Promises, checked by property tests:

- an open proposal's grade never falls, whatever comes in;
- a standing warning of the same or a higher grade inhibits a proposal, a lower one does not;
- what a person declined or lifted stays quiet for `MUTE_MS` at that grade, and wakes by itself after it;
- a proposal nobody holds is withdrawn only after the place was clear for `CLEAR_MS` without a break.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from ..base.grade import Grade
from ..base.plugin import scan
from .contract import DECIDE_BY, Assessment, Rule

CLEAR_MS = 30 * 60_000  # half an hour of calm before a proposal goes: our default, one patrol round
MUTE_MS = 60 * 60_000  # an hour of quiet after a person's no: our default; every mute has an end
STORM_AT = 12  # open proposals in one street that make a storm: our default, what one officer can read at a glance

Kind = Literal["none", "raise", "raise_grade", "refresh", "withdraw"]


@dataclass(frozen=True, slots=True)
class Open:
    """The proposal now open for a place and hazard; `clear_since_ms` is when its evidence went away, if it has."""

    id: str
    grade: int
    claimed: bool = False
    clear_since_ms: int | None = None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """What a person last said about the place: declined or lifted at this grade, then (UTC ms)."""

    grade: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now; `clear_since_ms` is to be kept with the proposal; `mute_until_ms` tells why nothing is raised."""

    kind: Kind
    grade: Grade = Grade.CLEAR
    clear_since_ms: int | None = None
    inhibited_by: str = ""
    mute_until_ms: int | None = None


@cache
def rules() -> dict[str, Rule]:
    """All rules found, by name."""
    return scan("anlan.issue.rules", Rule)  # type: ignore[type-abstract]


@cache
def rule_for(site_kind: str, hazard: str) -> Rule:
    """The rule that hears this hazard at this kind of site best; its name is the hazard of the proposal."""
    return max(rules().values(), key=lambda rule: (rule.hears(site_kind, hazard), rule.name))


@cache
def heard_by(rule_name: str, site_kind: str, hazards: tuple[str, ...]) -> tuple[str, ...]:
    """Which of these finding hazards go to the rule at this kind of site."""
    return tuple(h for h in hazards if rule_for(site_kind, h).name == rule_name)


def fingerprint(assessment: Assessment) -> str:
    """Short text that changes when what is shown of the evidence changes."""
    gates = "".join(f"{g.value}{g.ok}" for g in assessment.gates)
    return f"{int(assessment.grade)}|{','.join(assessment.cause)}|{gates}"


def decide(
    assessment: Assessment,
    proposal: Open | None,
    standing: Sequence[tuple[str, int]] = (),
    past: Past | None = None,
    now_ms: int = 0,
) -> Decision:
    """What to do with this assessment now.

    `standing` are (id, grade) of warnings in force for the place and hazard, `past` the person's last no.
    """
    grade = assessment.grade
    if proposal is not None:
        return _with_open(assessment, proposal, now_ms)
    if grade == Grade.CLEAR:
        return Decision("none")
    above = [found for found in standing if found[1] >= grade]
    if above:
        return Decision("none", grade, inhibited_by=max(above, key=lambda found: found[1])[0])
    if past is not None and past.grade >= grade and now_ms < past.at_ms + MUTE_MS:
        return Decision("none", grade, mute_until_ms=past.at_ms + MUTE_MS)
    return Decision("raise", grade)


def _with_open(assessment: Assessment, proposal: Open, now_ms: int) -> Decision:
    held = Grade(proposal.grade)
    if assessment.grade > held:
        return Decision("raise_grade", assessment.grade)
    if assessment.grade == Grade.CLEAR:
        since = proposal.clear_since_ms if proposal.clear_since_ms is not None else now_ms
        if not proposal.claimed and now_ms - since >= CLEAR_MS:
            return Decision("withdraw", held, since)
        return Decision("none" if since == proposal.clear_since_ms else "refresh", held, since)
    if fingerprint(assessment) != proposal.fingerprint or proposal.clear_since_ms is not None:
        return Decision("refresh", held)
    return Decision("none", held)


def decide_by_minutes(grade: Grade) -> int:
    """Minutes that a person has to decide on a proposal of this grade."""
    return DECIDE_BY[grade].minutes


def storm_groups(rows: Iterable[tuple[str, str, str, int]], at: int = STORM_AT) -> dict[str, list[str]]:
    """In a storm, which proposals are shown as one: (street code, hazard, grade) key to proposal ids.

    `rows` are (id, division code, hazard, grade). Red and orange are never folded away; a street with fewer
    than `at` open proposals is left as it is.
    """
    by_street: dict[str, list[tuple[str, str, int]]] = {}
    for found, code, hazard, grade in rows:
        by_street.setdefault(code[:9], []).append((found, hazard, grade))
    groups: dict[str, list[str]] = {}
    for street, entries in by_street.items():
        if len(entries) < at:
            continue
        for found, hazard, grade in entries:
            if grade <= Grade.YELLOW:
                groups.setdefault(f"{street}|{hazard}|{grade}", []).append(found)
    return {key: ids for key, ids in groups.items() if len(ids) > 1}
