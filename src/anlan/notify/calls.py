"""Call-and-answer 叫应: one person after the other, each with N minutes, until somebody answers.

An answer stops everything pending at once. A refusal or a time-out calls the next. When nobody is left the
desk and the commanders are told. Times are UTC.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ..base.clock import SystemClock, beijing, to_ms
from ..base.errors import AnlanError
from ..base.ids import derived_id
from ..engines.outbox import acting, emit
from ..issue.models import HazardWarning
from ..register.models import Post
from ..register.scope import Asker
from ..register.service import answerable
from . import ledger, stage
from .models import CallChain, CallStep, Notice
from .spread import channels, make, order_of, person_recipient

LEFT = ("waiting", "calling")


def start(warning: HazardWarning, now: datetime) -> CallChain | None:
    """Begin the chain of a warning (idempotent); None when this grade calls nobody or there is nobody to call.

    A worse grade calls anew; an update or a downgrade leaves the chain that runs or was answered.
    """
    minutes = stage.calls_for(warning.grade)
    if minutes is None or warning.site_id is None or warning.kind == "lift":
        return None
    earlier = CallChain.objects.select_for_update().filter(series=warning.series).exclude(warning=warning)
    if warning.kind in ("update", "downgrade") and earlier.filter(state__in=("calling", "answered")).exists():
        return None
    chain, made = CallChain.objects.get_or_create(
        id=derived_id("chain", warning.id),
        defaults={
            "warning": warning,
            "series": warning.series,
            "site_id": warning.site_id,
            "division_code": warning.division_code,
            "cause": [warning.id],
        },
    )
    if not made:
        return chain
    for old in earlier.filter(state="calling"):
        stop(old, now, "cancelled")
    people = answerable(warning.site_id, warning.division_code)
    for n, a in enumerate(people, 1):
        CallStep.objects.create(
            id=derived_id("step", chain.id, n),
            division_code=a.division_code,
            cause=[chain.id, a.responsibility_id],
            chain=chain,
            order=n,
            post_id=a.post_id,
            person_id=a.person_id or None,
            stands_in_for=a.stands_in_for,
            level=a.level,
            minutes=minutes,
            state="waiting" if a.person_id else "skipped",
        )
    advance(chain, now)
    return chain


def advance(chain: CallChain, now: datetime) -> int:
    """Make the chain's next move (row locked by the caller or new); how many steps changed. Idempotent."""
    if chain.state != "calling":
        return 0
    steps = {s.order: s for s in chain.steps.select_related("post", "person").order_by("order")}
    seen = [stage.CallState(s.order, s.state, None if s.deadline is None else to_ms(s.deadline)) for s in steps.values()]
    move = stage.turn(seen, to_ms(now))
    for n in move.timed_out:
        steps[n].state = "timed_out"
        steps[n].save(update_fields=["state", "updated_at"])
        _tell("timed_out", chain, steps[n])
    if move.call is not None:
        _call(chain, steps[move.call], now)
    if move.exhausted:
        _exhaust(chain, list(steps.values()), now)
    return len(move.timed_out) + (move.call is not None) + move.exhausted


def _tell(what: str, chain: CallChain, step: CallStep, **more: Any) -> None:
    warning = chain.warning
    payload = {
        "warning": chain.warning_id,
        "chain": chain.id,
        "post": step.post_id,
        "post_name": step.post.name,
        "person": step.person_id or "",
        "person_name": step.person.name if step.person else "",
        "site": chain.site_id or "",
        "hazard": warning.hazard,
        "grade": warning.grade,
        "order": step.order,
        "deadline": step.deadline.isoformat() if step.deadline else None,
        **more,
    }
    emit(f"notify.step.{what}", step.id, payload, division_code=chain.division_code, cause=[chain.warning_id, chain.id])


def _call(chain: CallChain, step: CallStep, now: datetime) -> None:
    step.state, step.called_at, step.deadline = "calling", now, now + timedelta(minutes=step.minutes)
    step.save(update_fields=["state", "called_at", "deadline", "updated_at"])
    assert step.person is not None
    order = order_of(chain.warning)
    until = f"请在 {beijing(step.deadline)[11:16]} 前应答，否则自动呼叫下一位。"
    drafts = stage.plan([person_recipient(step.person)], order, channels())
    drafts = [replace(d, text=f"{d.text}{until}") for d in drafts]
    make(chain.warning, drafts, now, cause=[chain.id, step.id], kind="call")
    _tell("called", chain, step)


def _exhaust(chain: CallChain, steps: list[CallStep], now: datetime) -> None:
    chain.state = "exhausted"
    chain.save(update_fields=["state", "updated_at"])
    warning = chain.warning
    names = (
        "、".join(f"{s.post.name}（{'空缺' if s.person is None else '未应答' if s.state == 'timed_out' else '不能到场'}）" for s in steps)
        or "无"
    )
    payload = {
        "warning": warning.id,
        "site": chain.site_id or "",
        "hazard": warning.hazard,
        "grade": warning.grade,
        "posts": [s.post_id for s in steps],
        "title": warning.title,
        "title_en": warning.title_en,
    }
    emit("notify.chain.exhausted", chain.id, payload, division_code=chain.division_code, cause=[warning.id, *(s.id for s in steps)])
    asked = {s.person_id for s in steps}
    posts = Post.objects.filter(role__in=("commander", "duty"), person__isnull=False).select_related("person__substitute")
    people = {}
    for post in posts:
        person = post.person
        if person is not None and warning.division_code.startswith(post.division_code):
            person = person.substitute if person.on_leave and person.substitute else person
            people[person.id] = person
    drafts = stage.plan([person_recipient(p) for k, p in people.items() if k not in asked], order_of(warning), channels())
    title, text = f"叫应无人应答：{warning.title}", f"{warning.title}的叫应名单已用尽：{names}。请立即电话联系或派人到场。"
    drafts = [replace(d, title=title, text=text) for d in drafts]
    make(warning, drafts, now, cause=[chain.id], suffix=chain.id, kind="call")


def stop(chain: CallChain, now: datetime, state: str) -> None:
    """End a chain: whatever is pending is cancelled at once."""
    chain.steps.filter(state__in=LEFT).update(state="cancelled", updated_at=now)
    chain.state = state
    chain.save(update_fields=["state", "answered_by", "answered_at", "updated_at"])


def answer(step_id: str, asker: Asker, accept: bool, text: str = "", *, now: datetime | None = None) -> CallStep:
    """The called person (or the desk for them, right ``notify``) says yes or no.

    A yes stops everything pending, also when it comes late or before its turn; ``notify.already_answered`` (409)
    names who was first. A no calls the next at once.
    """
    when = now or SystemClock().now()
    with acting(asker.person_id):
        found = CallStep.objects.filter(pk=step_id).values_list("chain_id", flat=True).first()
        if found is None:
            raise AnlanError("notify.no_such_step", f"没有叫应 {step_id}", f"there is no call {step_id}")
        chain = CallChain.objects.select_for_update(of=("self",)).select_related("warning", "answered_by").get(pk=found)
        step = CallStep.objects.select_related("post", "person").get(pk=step_id)
        if step.person_id != asker.person_id:
            asker.demand("notify", chain.division_code)
        if step.state == "answered":
            return step
        if chain.state in ("answered", "cancelled"):
            raise _too_late(chain)
        if not accept and step.state not in LEFT:
            return step
        step.state, step.answered_at, step.answer = ("answered" if accept else "refused"), when, text.strip()
        step.save(update_fields=["state", "answered_at", "answer", "updated_at"])
        if accept:
            chain.answered_by_id, chain.answered_at = step.person_id, when
            stop(chain, when, "answered")
            _confirmed(chain, step, asker, when)
            _tell("answered", chain, step, accept=True, text=text.strip(), by=asker.person_id)
        else:
            _tell("refused", chain, step, accept=False, text=text.strip(), by=asker.person_id)
            advance(chain, when)
    return step


def _too_late(chain: CallChain) -> AnlanError:
    who = chain.answered_by.name if chain.answered_by else ""
    at = beijing(chain.answered_at) if chain.answered_at else ""
    if chain.state == "cancelled":
        return AnlanError("notify.already_over", "预警已结束，不用再应答", "the warning is over; no answer is needed", state=chain.state)
    return AnlanError(
        "notify.already_answered", f"{who} 已于 {at} 应答", f"{who} answered at {at} (Beijing time)", by_name=who, state=chain.state
    )


def _confirmed(chain: CallChain, step: CallStep, asker: Asker, when: datetime) -> None:
    notices = Notice.objects.filter(warning_id=chain.warning_id, recipient=step.person_id, state="sent").values_list("id", flat=True)
    facts = [ledger.Fact(n, "confirmed", when, asker.person_id, step.id, {"answer": step.answer}) for n in notices]
    ledger.append(chain.warning_id, facts, division_code=chain.division_code)


def time_out(now: datetime) -> int:
    """Advance every chain with a step whose time is over; how many moves were made."""
    moves = 0
    late = CallChain.objects.filter(state="calling", steps__state="calling", steps__deadline__lte=now).values_list("id", flat=True)
    for name in list(late.distinct()[:200]):
        with acting("system:notify.calls"):
            chain = CallChain.objects.select_for_update(of=("self",)).select_related("warning").get(pk=name)
            moves += advance(chain, now)
    return moves


def cancel_series(series: str, now: datetime) -> int:
    """Stop every running chain of a warning that is over."""
    running = CallChain.objects.select_for_update().filter(series=series, state__in=("calling", "exhausted"))
    for chain in running:
        stop(chain, now, "cancelled")
    return len(running)


def mine(asker: Asker) -> list[CallStep]:
    """The calls that wait for this person now, soonest deadline first."""
    rows = CallStep.objects.filter(person_id=asker.person_id, state="calling").select_related("post", "chain__warning", "chain__site")
    return list(rows.order_by("deadline"))
