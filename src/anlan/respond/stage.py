"""Pure part of respond: which tasks a warning makes, who takes over, what a task may become, what the timeline says.

No clock, no database: the service hands everything in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..base.errors import AnlanError
from ..base.grade import Grade
from ..register.service import LEVELS, Answerer
from .contract import Plan, PlanItem

OPEN = ("sent", "accepted")
PROMPT = timedelta(minutes=1)  # sent within a minute of the warning is sent at once (our default)
FINAL = ("done", "refused", "cancelled")

# (state, action) -> next state; whatever is not here is refused
TASK_TABLE: Mapping[tuple[str, str], str] = {
    ("sent", "accept"): "accepted",
    ("sent", "done"): "done",
    ("accepted", "done"): "done",
    ("sent", "refuse"): "refused",
    ("accepted", "refuse"): "refused",
    ("sent", "cancel"): "cancelled",
    ("accepted", "cancel"): "cancelled",
}
STATE_WORDS = {
    "sent": ("已派", "sent"),
    "accepted": ("已接", "accepted"),
    "done": ("已完成", "done"),
    "refused": ("已拒绝", "refused"),
    "cancelled": ("已取消", "cancelled"),
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A task to be sent: the plan's item, who must do it, by when (UTC). `moved_up`: the item's own level had nobody."""

    item: PlanItem
    who: Answerer
    due_at: datetime
    moved_up: bool


def next_state(state: str, action: str) -> str:
    """What a task becomes; AnlanError ``respond.bad_step`` says what it is instead."""
    try:
        return TASK_TABLE[state, action]
    except KeyError:
        zh, en = STATE_WORDS.get(state, (state, state))
        raise AnlanError(
            "respond.bad_step", f"任务{zh}，不能再“{action}”；请刷新后查看", f"the task is {en}, '{action}' is not possible; reload it"
        ) from None


def told_from(issued_at: datetime, now: datetime) -> datetime:
    """From when a task's minutes count: the warning's issue, or, when the house was down meanwhile, when it is sent at last."""
    return issued_at if now - issued_at <= PROMPT else now


def rank(level: str) -> int:
    """Position of a level on the ladder; unknown levels stand above all."""
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)


def tasks_due(
    plan: Plan, grade: Grade, issued_at: datetime, ladder: Sequence[Answerer], already: frozenset[str]
) -> tuple[list[Draft], list[PlanItem]]:
    """The tasks that a warning of `grade` makes beyond those `already` sent (keys), and the items nobody is there for."""
    drafts, nobody = [], []
    for item in plan.items:
        if item.grade > grade or item.key in already:
            continue
        who = taker(ladder, item.level)
        if who is None:
            nobody.append(item)
        else:
            drafts.append(Draft(item, who, issued_at + timedelta(minutes=item.minutes), who.level != item.level))
    return drafts, nobody


def taker(ladder: Sequence[Answerer], level: str) -> Answerer | None:
    """The first person of this level, or of the next level above that has one."""
    able = [a for a in ladder if a.person_id and rank(a.level) >= rank(level)]
    return min(able, key=lambda a: rank(a.level), default=None)


def next_taker(ladder: Sequence[Answerer], level: str, tried: frozenset[str]) -> Answerer | None:
    """Who takes over from a post of `level`: somebody else higher up, nearest first; None when the ladder ends."""
    able = [a for a in ladder if a.person_id and a.post_id not in tried and a.person_id not in tried and rank(a.level) > rank(level)]
    return min(able, key=lambda a: rank(a.level), default=None)


def incident_title(site: str, site_en: str, hazard: str, grade: Grade, exercise: bool = False) -> tuple[str, str]:
    """Title of an incident in both languages."""
    words = {"slope": ("边坡险情", "slope"), "flood": ("积水内涝", "flooding"), "rain": ("强降雨", "heavy rain")}
    zh, en = words.get(hazard, (hazard, hazard))
    mark_zh, mark_en = ("【演练】", "[Exercise] ") if exercise else ("", "")
    return f"{mark_zh}{site} {zh}（{grade.zh}）", f"{mark_en}{site_en or site}: {en} ({grade.word})"


# event type -> sentences; `{…}` are facts that the service fills in
SENTENCES: Mapping[str, tuple[str, str]] = {
    "detect.finding.raised": ("研判{grade_zh}：{zh}", "Finding, {grade_en}: {en}"),
    "issue.proposal.raised": ("系统建议{grade_zh}：{zh}", "Proposed {grade_en}: {en}"),
    "issue.proposal.raised_grade": ("建议升为{grade_zh}：{zh}", "Proposal raised to {grade_en}: {en}"),
    "issue.proposal.claimed": ("{who}认领了建议", "{who} claimed the proposal"),
    "issue.proposal.declined": ("{who}退回了建议：{reason}", "{who} declined the proposal: {reason}"),
    "issue.proposal.withdrawn": ("建议撤回，证据已消失", "Proposal withdrawn, the evidence is gone"),
    "issue.order.acted": ("常备指令自动执行：{actions}", "A standing order acted: {actions}"),
    "issue.warning.issued": ("{who}签发{grade_zh}预警：{title}", "{who} issued a {grade_en} warning: {title}"),
    "issue.warning.lifted": ("预警解除：{title}", "Warning lifted: {title}"),
    "issue.warning.expired": ("预警到期失效：{title}", "Warning expired: {title}"),
    "notify.step.called": ("呼叫{post}（{who}）", "Called {post} ({who})"),
    "notify.step.answered": ("{post}（{who}）应答", "{post} ({who}) answered"),
    "notify.step.refused": ("{post}（{who}）回复不能到场", "{post} ({who}) cannot come"),
    "notify.step.timed_out": ("{post}（{who}）逾时未应答，改呼下一位", "{post} ({who}) did not answer in time; the next is called"),
    "notify.chain.exhausted": ("叫应名单已用尽，无人应答", "Nobody on the call list answered"),
    "respond.incident.opened": ("事件建立：{title}", "Incident opened: {title}"),
    "respond.incident.closed": ("事件结束：{title}", "Incident closed: {title}"),
    "respond.task.sent": ("派给{post}（{who}）：{title}", "Sent to {post} ({who}): {title}"),
    "respond.task.accepted": ("{post}（{who}）接受：{title}", "{post} ({who}) accepted: {title}"),
    "respond.task.done": ("{post}（{who}）完成：{title}", "{post} ({who}) did it: {title}"),
    "respond.task.refused": ("{post}（{who}）拒绝：{title}。{reason}", "{post} ({who}) refused: {title}. {reason}"),
    "respond.task.late": ("{post}（{who}）逾时未完成：{title}", "{post} ({who}) is late: {title}"),
    "respond.task.cancelled": ("任务取消：{title}。{reason}", "Task cancelled: {title}. {reason}"),
    "respond.task.nobody": ("无人可派：{title}", "Nobody to send: {title}"),
    "supervise.hazard.found": ("登记隐患：{title}", "Hazard registered: {title}"),
    "supervise.hazard.moved": ("隐患{step_zh}：{title}", "Hazard {step_en}: {title}"),
    "supervise.hazard.cancelled": ("隐患销号：{title}", "Hazard cancelled after re-check: {title}"),
    "supervise.hazard.overdue": ("隐患逾期：{title}", "Hazard overdue: {title}"),
    "supervise.case.opened": ("立为问责事项：{title}", "Accountability case opened: {title}"),
    "supervise.case.decided": ("问责决定：{consequence}", "Case decided: {consequence}"),
    "supervise.case.dismissed": ("问责事项不予追究：{title}", "Case dismissed: {title}"),
}
_ENGLISH = {"title": "title_en", "who": "who_en", "post": "post_en"}


class _Known(dict[str, Any]):
    """Facts; what is not known reads as a dash."""

    def __missing__(self, key: str) -> str:
        return "—"


def sentence(kind: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """The timeline's line for an event in both languages; a fact that is not known is a dash."""
    zh, en = SENTENCES[kind]
    known = {key: value for key, value in facts.items() if value not in (None, "")}
    if "grade" in known:
        grade = Grade(int(known["grade"]))
        known |= {"grade_zh": grade.zh, "grade_en": grade.word}
    english = known | {key: known[other] for key, other in _ENGLISH.items() if other in known}
    return zh.format_map(_Known(known)), en.format_map(_Known(english))
