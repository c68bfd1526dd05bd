"""The hidden-danger loop 隐患闭环: found, graded, ordered, rectifying, rechecking, cancelled 销号.

A major hazard needs the five in place (measures, money, deadline, person, plan). Whoever rectified
does not re-check. A failed re-check leads back to rectifying.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ..contract import OWN, Facts, Refusal, Transition, Workflow, require

FIVE = {
    "measures": ("措施", "measures"),
    "money": ("资金", "money"),
    "days": ("时限", "deadline"),
    "post": ("责任人", "person"),
    "plan": ("预案", "plan"),
}


def graded(facts: Facts) -> Refusal | None:
    """The grade must be said, not assumed."""
    if isinstance(facts.form.get("major"), bool):
        return None
    return Refusal(
        "supervise.missing", "major：请明确是否重大隐患（true/false）", "major: say whether it is a major hazard (true or false)"
    )


def has_post(facts: Facts) -> Refusal | None:
    """Somebody must answer for it."""
    if facts.text("post") or facts.record.get("post_id"):
        return None
    return Refusal("supervise.missing", "post：请指定责任岗位", "post: name the responsible post")


def right_days(facts: Facts) -> Refusal | None:
    """A deadline given by hand is above 0 and not beyond the rule's."""
    days = facts.form.get("days")
    if days in (None, ""):
        return None
    longest = rectify_rule(facts).value
    if isinstance(days, int | float) and 0 < days <= longest:
        return None
    return Refusal("supervise.bad_days", f"days：应为 0 至 {longest:g} 天", f"days: must be above 0 and at most {longest:g}")


def five_in_place(facts: Facts) -> Refusal | None:
    """五落实, for major hazards: names what is missing."""
    if not facts.record.get("major"):
        return None
    missing = [name for name in FIVE if not facts.text(name) and not (name == "post" and facts.record.get("post_id"))]
    if not missing:
        return None
    zh, en = "、".join(FIVE[m][0] for m in missing), ", ".join(FIVE[m][1] for m in missing)
    return Refusal("supervise.five_in_place", f"重大隐患须“五落实”，还缺：{zh}", f"a major hazard needs the five in place; missing: {en}")


def another_person(facts: Facts) -> Refusal | None:
    """The re-checker is not the rectifier, and not of the rectifier's post."""
    if facts.asker != facts.record.get("rectified_by_id") and not facts.own:
        return None
    return Refusal(
        "supervise.same_person",
        "整改人（及责任岗位）不能复查自己的整改，请由另一人复查",
        "whoever rectified it (or holds the responsible post) cannot re-check it; somebody else must",
    )


def rechecked(facts: Facts) -> Refusal | None:
    """Only what was re-checked is cancelled."""
    if facts.record.get("rechecked_by_id"):
        return None
    return Refusal("supervise.not_rechecked", "尚未复查合格，不能销号；请先复查", "it was not re-checked yet; re-check it first")


def rectify_rule(facts: Facts) -> Any:
    """The rule for the time to rectify, by the hazard's grade."""
    return facts.rules["hazard.rectify.major" if facts.record.get("major") else "hazard.rectify.general"]


class HazardWorkflow(Workflow):
    """See the module."""

    name = "hazard"
    zh = "隐患闭环"
    en = "Hidden-danger loop"
    states = {
        "found": ("发现", "found"),
        "graded": ("已定级", "graded"),
        "ordered": ("已责令", "ordered"),
        "rectifying": ("整改中", "being rectified"),
        "rechecking": ("待复查", "waiting for re-check"),
        "cancelled": ("已销号", "cancelled"),
    }
    table = (
        Transition("found", "grade", "graded", "supervise", "定级", "grade it", (graded,), "hazard.order"),
        Transition(
            "graded",
            "order",
            "ordered",
            "supervise",
            "责令整改",
            "order rectification",
            (has_post, require("measures", "整改措施", "the measures"), right_days, five_in_place),
            "hazard.start",
        ),
        Transition("ordered", "rectify", "rectifying", OWN, "开始整改", "start rectifying", (), "due"),
        Transition(
            "rectifying",
            "rectify",
            "rechecking",
            OWN,
            "整改完成，报请复查",
            "report it rectified",
            (require("note", "做了什么", "what was done"),),
            "hazard.recheck",
        ),
        Transition(
            "rechecking",
            "recheck",
            "rechecking",
            "supervise",
            "复查合格",
            "pass the re-check",
            (another_person, require("note", "复查情况", "what the re-check saw")),
            "hazard.recheck",
        ),
        Transition(
            "rechecking",
            "return",
            "rectifying",
            "supervise",
            "复查不合格，退回整改",
            "return it to rectifying",
            (another_person, require("note", "哪里不合格", "what is not right")),
            "due",
        ),
        Transition("rechecking", "cancel", "cancelled", "supervise", "销号", "cancel it", (rechecked,)),
    )

    def effects(self, transition: Transition, facts: Facts) -> dict[str, Any]:
        """Grade, order, who rectified, who re-checked, when it was cancelled."""
        event = transition.event
        if event == "grade":
            return {"major": facts.form["major"]}
        if event == "order":
            days = facts.form.get("days")
            due = facts.now + timedelta(days=float(days)) if days else rectify_rule(facts).after(facts.now)
            return {"due_at": due, "measures": facts.text("measures"), "post_id": facts.text("post") or facts.record["post_id"]}
        if event == "rectify" and transition.next == "rechecking":
            return {"rectified_at": facts.now, "rectified_by_id": facts.asker, "rechecked_by_id": None}
        if event == "recheck":
            return {"rechecked_by_id": facts.asker}
        if event == "return":
            return {"rechecked_by_id": None, "rectified_at": None, "due_at": facts.rules["hazard.return"].after(facts.now)}
        return {"cancelled_at": facts.now} if event == "cancel" else {}
