"""The accountability case 问责: opened by the machine on a fact, explained by the post, decided or dismissed by a person."""

from __future__ import annotations

from typing import Any

from ..contract import OWN, Facts, Refusal, Transition, Workflow, require


def not_self(facts: Facts) -> Refusal | None:
    """Nobody decides their own case."""
    if not facts.own and facts.asker != facts.record.get("person_id"):
        return None
    return Refusal(
        "supervise.own_case", "不能处理涉及本人或本岗位的事项，请由他人决定", "nobody decides a case of their own; somebody else must"
    )


def heard(facts: Facts) -> Refusal | None:
    """A case is decided after the explanation, or when the time to explain has passed."""
    until = facts.record.get("step_due_at")
    if facts.record["state"] == "explained" or until is None or facts.now > until:
        return None
    return Refusal(
        "supervise.not_heard",
        f"当事岗位尚未说明，说明期限到 {until:%Y-%m-%d %H:%M} UTC；请先听取说明",
        f"the post has not explained yet and may until {until:%Y-%m-%d %H:%M} UTC; hear it first",
    )


class CaseWorkflow(Workflow):
    """See the module."""

    name = "case"
    zh = "问责"
    en = "Accountability case"
    states = {
        "opened": ("已立", "opened"),
        "explained": ("已说明", "explained"),
        "decided": ("已决定", "decided"),
        "dismissed": ("不予追究", "dismissed"),
    }
    _decide = (not_self, require("consequence", "处理决定", "the consequence"))
    _dismiss = (not_self, require("reason", "不予追究的理由", "the reason"))
    table = (
        Transition("opened", "explain", "explained", OWN, "说明", "explain", (require("text", "说明", "the explanation"),), "case.decide"),
        Transition("opened", "decide", "decided", "supervise", "决定", "decide", (*_decide, heard)),
        Transition("opened", "dismiss", "dismissed", "supervise", "不予追究", "dismiss it", _dismiss),
        Transition("explained", "decide", "decided", "supervise", "决定", "decide", _decide),
        Transition("explained", "dismiss", "dismissed", "supervise", "不予追究", "dismiss it", _dismiss),
    )

    def effects(self, transition: Transition, facts: Facts) -> dict[str, Any]:
        """The explanation, or the decision with who took it and when."""
        if transition.event == "explain":
            return {"explanation": facts.text("text"), "explained_at": facts.now}
        decided = {"decided_by_id": facts.asker, "decided_at": facts.now}
        if transition.event == "decide":
            return {**decided, "consequence": facts.text("consequence")}
        return {**decided, "reason": facts.text("reason")}
