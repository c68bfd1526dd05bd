"""The role of a workflow: a table of (state, event, right, guards, next, limit), found by scan in ``workflows/``.

A workflow is pure: `effects` says which fields a step changes; the service stores them, writes the
step, emits the event and sets the deadline of the next step from the rules (versioned rows). What the
table does not allow is refused with the reason. A new workflow is one new file; see docs/how-to/new-workflow.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..base.errors import AnlanError

OWN = "own"  # whoever holds (or stands in for) the post that the record names
UNITS = {"h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of law or local rule: a number with its unit (``h``, ``d``, ``grade``), version and source clause."""

    code: str
    value: float
    unit: str
    version: str
    source: str

    def after(self, start: datetime) -> datetime:
        """`start` plus the rule's time."""
        return start + timedelta(seconds=self.value * UNITS[self.unit])


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a step may look at: the record's fields, who asks with what, the time (UTC) and the rules it began under."""

    record: Mapping[str, Any]
    asker: str
    own: bool
    rights: frozenset[str]
    now: datetime
    form: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A text of the form, stripped."""
        return str(self.form.get(name) or "").strip()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a step is not taken, with the remedy."""

    code: str
    zh: str
    en: str


Guard = Callable[[Facts], Refusal | None]


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of a workflow's table. `limit` is the rule that sets the deadline of the next step (or ``due``: the record's own)."""

    state: str
    event: str
    next: str
    right: str
    zh: str
    en: str
    guards: tuple[Guard, ...] = ()
    limit: str = ""


class Workflow(ABC):
    """A workflow. ``states`` maps state to words (zh, en) in the order of the track; the first is where it begins."""

    name: str
    zh: str
    en: str
    states: Mapping[str, tuple[str, str]]
    table: tuple[Transition, ...]

    @abstractmethod
    def effects(self, transition: Transition, facts: Facts) -> dict[str, Any]:
        """The fields that the step changes, beside the state."""

    def final(self) -> set[str]:
        """States that nothing leads out of."""
        return set(self.states) - {row.state for row in self.table}

    def offered(self, state: str) -> list[Transition]:
        """The rows that lead out of a state."""
        return [row for row in self.table if row.state == state]


def require(name: str, zh: str, en: str) -> Guard:
    """A guard that demands a text of the form."""

    def guard(facts: Facts) -> Refusal | None:
        if facts.text(name):
            return None
        return Refusal("supervise.missing", f"{name}：请填写{zh}", f"{name}: give {en}")

    guard.__name__ = f"has_{name}"
    return guard


def advance(workflow: Workflow, facts: Facts, event: str) -> Transition:
    """The row that `event` takes from the record's state; AnlanError says why not (state, right, guard)."""
    state = str(facts.record["state"])
    row = next((r for r in workflow.offered(state) if r.event == event), None)
    if row is None:
        words = workflow.states[state]
        able = [f"{r.event}（{r.zh}）" for r in workflow.offered(state)]
        raise AnlanError(
            "supervise.bad_step",
            f"当前为“{words[0]}”，不能{event}；可以：{'、'.join(able) or '只能查看'}",
            f"it is '{words[1]}', {event} is not possible; possible: {', '.join(r.event for r in workflow.offered(state)) or 'nothing'}",
        )
    if row.right == OWN and not facts.own:
        raise AnlanError(
            "supervise.no_right",
            f"“{row.zh}”只能由责任岗位的任职者（或其代班）办理",
            f"only the holder of the responsible post (or their substitute) may {row.en}",
        )
    if row.right != OWN and row.right not in facts.rights:
        raise AnlanError(
            "supervise.no_right", f"“{row.zh}”需要“{row.right}”权限，由系统管理员授予", f"to {row.en} the right '{row.right}' is needed"
        )
    for guard in row.guards:
        refusal = guard(facts)
        if refusal is not None:
            raise AnlanError(refusal.code, refusal.zh, refusal.en)
    return row


def flaws(workflow: Workflow, rules: Mapping[str, Rule], rights: set[str]) -> list[str]:
    """What is wrong with a workflow's table; empty when it passes the contract."""
    found = []
    states = list(workflow.states)
    pairs = [(row.state, row.event) for row in workflow.table]
    found += [f"{pair} stands twice" for pair in set(pairs) if pairs.count(pair) > 1]
    for row in workflow.table:
        found += [f"{row.event}: unknown state {s}" for s in (row.state, row.next) if s not in states]
        if row.right != OWN and row.right not in rights:
            found.append(f"{row.event}: unknown right {row.right}")
        if row.limit and row.limit != "due" and row.limit not in rules:
            found.append(f"{row.event}: no rule {row.limit}")
        if not row.zh or not row.en:
            found.append(f"{row.event}: words are missing")
    reached = {states[0]}
    for _ in states:
        reached |= {row.next for row in workflow.table if row.state in reached}
    found += [f"{state} is never reached" for state in states if state not in reached]
    ends = set(workflow.final())
    for _ in states:
        ends |= {row.state for row in workflow.table if row.next in ends}
    found += [f"nothing leads from {state} to an end" for state in states if state not in ends]
    return found


def diagram(workflow: Workflow) -> str:
    """The workflow as a Mermaid state diagram (generated into docs/workflows.md)."""
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    {state}: {zh} {state}" for state, (zh, _) in workflow.states.items()]
    lines.append(f"    [*] --> {next(iter(workflow.states))}")
    for row in workflow.table:
        lines.append(f"    {row.state} --> {row.next}: {row.event} {row.zh}")
    lines += [f"    {state} --> [*]" for state in workflow.states if state in workflow.final()]
    return "\n".join([*lines, "```"])


def describe(workflow: Workflow) -> str:
    """One workflow for docs/workflows.md: diagram and table."""
    lines = [f"## {workflow.zh} {workflow.name}", "", diagram(workflow), ""]
    lines += ["| state | event | who | guards | next | limit of the next step |", "|---|---|---|---|---|---|"]
    for row in workflow.table:
        guards = ", ".join(guard.__name__ for guard in row.guards) or "-"
        lines.append(f"| {row.state} | {row.event} ({row.zh}) | {row.right} | {guards} | {row.next} | {row.limit or '-'} |")
    return "\n".join(lines)
