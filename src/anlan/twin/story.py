"""The storm night as it happens: what the platform announces is written into the book, people answer.

The story decides nothing itself: it listens to the live stream as a browser does, and its people act through
the API. `Cast` says how each of them behaves; one of them stays silent on purpose.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from ..base.clock import story
from ..base.grade import Grade
from .book import Book
from .people import Actor, Refused

log = logging.getLogger("anlan.story")
Data = dict[str, Any]
SIGN_FROM = Grade.ORANGE
OVERTAKEN = ("respond.bad_step", "notify.already_answered")  # somebody else was first, or an upgrade replaced the task: fine


@dataclass(slots=True)
class Cast:
    """Who acts, by name and by person id, and the places the story is about (site ids)."""

    actors: dict[str, Actor]
    slope: str
    road: str
    siren: str
    human_s: float = 0.5  # real seconds that a person at the screen has before the twin's commander signs

    def by_person(self, person: str) -> Actor | None:
        """The actor behind a person id."""
        return next((a for a in self.actors.values() if a.person == person), None)


@dataclass(slots=True)
class Story:
    """Listens, writes, and lets the cast act; `failures` are refused acts (a failed link each)."""

    cast: Cast
    book: Book
    failures: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    red: str = ""  # id of the first red warning of the slope
    warnings: set[str] = field(default_factory=set)  # all versions of the slope's warning
    _deeds: set[asyncio.Task[None]] = field(default_factory=set)
    _seen: set[int] = field(default_factory=set)
    _decided: set[tuple[str, int]] = field(default_factory=set)

    async def listen(self) -> None:
        """Follow the live stream for ever."""
        async for number, kind, data in self.cast.actors["admin"].events():
            if number and number in self._seen:
                continue
            self._seen.add(number)
            self.counts[kind] = self.counts.get(kind, 0) + 1
            handler = getattr(self, "on_" + kind.replace(".", "_"), None)
            if handler is not None:
                handler(data["subject"], data.get("payload") or {}, data.get("at") or "")

    def act(self, deed: Coroutine[Any, Any, Any], what: str, story_s: float = 0.0) -> None:
        """Let somebody do something after `story_s` seconds of the story."""

        async def later() -> None:
            await asyncio.sleep(story_s / pace())
            try:
                await deed
            except Refused as refused:
                if refused.status != 409 and refused.code not in OVERTAKEN:
                    self.failures.append(f"{what}: {refused}")
                    log.warning("%s: %s", what, refused)

        task = asyncio.create_task(later())
        self._deeds.add(task)
        task.add_done_callback(self._deeds.discard)

    # judged

    def on_detect_finding_raised(self, subject: str, p: Data, at: str) -> None:
        """The first red of the slope, the first orange of the road."""
        if p.get("site") == self.cast.slope and p.get("hazard") == "slope" and p.get("grade", 0) >= Grade.RED:
            self._with_reading("finding", "reading", subject, at)
        if p.get("site") == self.cast.road and p.get("hazard") == "flood" and p.get("grade", 0) >= Grade.ORANGE:
            self._with_reading("flood_finding", "flood_reading", subject, at)

    def _with_reading(self, key: str, reading: str, record: str, at: str, **facts: Any) -> None:
        """A judgement, and (looked up) the newest reading that it rests on."""
        if not self.book.has(key):
            self.act(self._reading_of(record, reading), f"trace of {record}")
        self.book.write(key, at, record, None, **facts)

    async def _reading_of(self, record: str, key: str) -> None:
        found = await self.cast.actors["admin"].get(f"/api/trace/{record}")
        node = max((n for n in found["nodes"] if n["id"].startswith("read-")), key=lambda n: n["at"], default=None)
        if node:
            self.book.write(key, node["at"], node["id"], None)

    def on_forecast_forecast_made(self, subject: str, p: Data, at: str) -> None:
        """The failure window of the slope."""
        if p.get("site") == self.cast.slope:
            self._with_reading("forecast", "forecast_reading", subject, at, p10_ms=p.get("p10_ms"), p90_ms=p.get("p90_ms"))

    # warned

    def on_issue_proposal_raised(self, subject: str, p: Data, at: str) -> None:
        """A proposal of one of the story's places: after a while the commander signs, if nobody did."""
        if p.get("site") not in (self.cast.slope, self.cast.road):
            return
        grade = int(p.get("grade", 0))
        if p["site"] == self.cast.slope and p.get("hazard") == "slope" and grade >= Grade.RED:
            self.book.write("proposal", at, subject, None)
        if p.get("hazard") in ("slope", "flood") and grade >= SIGN_FROM and (subject, grade) not in self._decided:
            self._decided.add((subject, grade))
            self.act(self._sign(subject, grade), f"signature of {subject}")

    on_issue_proposal_raised_grade = on_issue_proposal_raised

    async def _sign(self, proposal: str, grade: int) -> None:
        await asyncio.sleep(self.cast.human_s)
        commander = self.cast.actors["commander"]
        now = await commander.get(f"/api/proposals/{proposal}")
        if now["state"] in ("open", "claimed") and now["grade"] == grade:
            await commander.post(f"/api/proposals/{proposal}/sign", {"reason": "会商一致，按预案执行"})

    def on_issue_order_acted(self, subject: str, p: Data, at: str) -> None:
        """The machine acted by a standing order."""
        if p.get("site") == self.cast.slope:
            self.book.write("siren_order", at, f"{subject}:siren", subject)

    def on_collect_command_replied(self, subject: str, p: Data, at: str) -> None:
        """The siren's own word."""
        if p.get("device") == self.cast.siren and p.get("state") != "failed":
            self.book.write("siren_played", at, subject, None)

    def on_issue_warning_issued(self, subject: str, p: Data, at: str) -> None:
        """A warning is in force."""
        if p.get("site") == self.cast.slope and p.get("hazard") == "slope":
            self.warnings.add(subject)
            self.book.write("first_warning", at, subject, None, grade=p.get("grade"))
            if p.get("grade", 0) >= Grade.RED and not self.red:
                self.red = subject
                self.book.write("warning", at, subject, None)
        if p.get("site") == self.cast.road and p.get("hazard") == "flood":
            self.book.write("flood_warning", at, subject, None)

    # delivered

    def on_notify_notice_queued(self, subject: str, p: Data, at: str) -> None:
        """Somebody is told."""
        if self.red and p.get("warning") == self.red:
            self.book.write("notice", at, subject, None)

    def on_notify_spread_done(self, subject: str, p: Data, at: str) -> None:
        """Every household has its notice, or is known to be reached by nothing: the inspector goes round."""
        if subject == self.red:
            self.act(self._doors(subject), "the inspector's round", 60)

    async def _doors(self, warning: str) -> None:
        """The grid inspector from door to door: most are told, most of those move out, some never answer."""
        inspector = self.cast.actors["grid"]
        reach = await inspector.get(f"/api/warnings/{warning}/reach")
        for cell in [c for b in reach["buildings"] for c in b["cells"]]:
            notice, luck = cell["notice"], hash_share(cell["id"])
            if luck < 0.85:
                await inspector.post(f"/api/notices/{notice}/confirm", {"text": "入户当面告知"})
            if luck < 0.7:
                await inspector.post(f"/api/notices/{notice}/act", {"text": "已转移至避灾点"})
            await asyncio.sleep(20 / pace())

    def on_notify_receipt_added(self, subject: str, p: Data, at: str) -> None:
        """One fact more in the ledger."""
        if not self.red or p.get("warning") != self.red:
            return
        fact, household = p.get("fact"), p.get("recipient", "").startswith("household-")
        if fact == "device" and p.get("channel") == "loudspeaker":
            self.book.write("speaker_receipt", at, f"{subject}:device", None, notice=subject)
        if household and fact == "confirmed":
            self.book.write("household_confirmed", at, f"{subject}:confirmed", None, notice=subject)
        if household and fact == "acted":
            self.book.write("household_acted", at, f"{subject}:acted", None, notice=subject)

    # answered

    def on_notify_step_called(self, subject: str, p: Data, at: str) -> None:
        """Somebody is called: the secretary of the slope stays silent, everybody else answers."""
        actor = self.cast.by_person(p.get("person", ""))
        if p.get("warning") in self.warnings:
            if actor and actor.name == "secretary":
                self.book.write("call", at, subject, None)
                return
            if self.book.has("call_silent"):
                self.book.write("call_next", at, subject, None)
        if actor and actor.name != "secretary":
            self.act(actor.post(f"/api/calls/{subject}/answer", {"accept": True, "text": "收到，我去"}), f"answer of {actor.name}", 40)

    def on_notify_step_timed_out(self, subject: str, p: Data, at: str) -> None:
        """Silence."""
        if self.book.has("call") and self.book.steps["call"]["id"] == subject:
            self.book.write("call_silent", at, f"{subject}:timed_out", subject)

    def on_notify_step_answered(self, subject: str, p: Data, at: str) -> None:
        """Somebody answers."""
        if p.get("warning") in self.warnings and self.book.has("call_next"):
            self.book.write("call_answered", at, f"{subject}:answered", None, step_id=subject)

    # commanded

    def on_respond_incident_opened(self, subject: str, p: Data, at: str) -> None:
        """One incident for the slope."""
        if p.get("site") == self.cast.slope:
            self.book.write("incident", at, subject, None)

    def on_respond_task_sent(self, subject: str, p: Data, at: str) -> None:
        """Everybody but the silent one does what he is told."""
        if p.get("incident") and p.get("incident") == self.book.steps.get("incident", {}).get("id"):
            self.book.write("task", at, subject, None)
        actor = self.cast.by_person(p.get("person", ""))
        if actor and actor.name != "secretary":
            self.act(self._do(actor, subject), f"task {subject} of {actor.name}", 60)

    async def _do(self, actor: Actor, task: str) -> None:
        await actor.post(f"/api/tasks/{task}/accept", {"text": "收到"})
        await asyncio.sleep(360 / pace())
        await actor.post(f"/api/tasks/{task}/done", {"text": "已完成，现场照片已传"})

    def on_respond_task_done(self, subject: str, p: Data, at: str) -> None:
        """A task of the slope is done."""
        if p.get("incident") and p.get("incident") == self.book.steps.get("incident", {}).get("id"):
            self.book.write("task_done", at, f"{subject}:done", None, task=subject)

    def on_respond_incident_closed(self, subject: str, p: Data, at: str) -> None:
        """The end of the incident."""
        if self.book.steps.get("incident", {}).get("id") == subject:
            self.book.write("incident_closed", at, f"{subject}:closed", subject)

    # accounted for

    def on_issue_warning_lifted(self, subject: str, p: Data, at: str) -> None:
        """The warning ends."""
        if p.get("site") == self.cast.slope:
            self.book.write("lifted", at, f"{subject}:lifted" if subject == self.red else subject, self.red or None)

    def on_supervise_hazard_found(self, subject: str, p: Data, at: str) -> None:
        """The hidden danger behind the warning is on the books: the loop begins."""
        if p.get("site") == self.cast.slope:
            self.book.write("hazard", at, subject, None)
            self.act(self._hazard_loop(subject), f"hazard {subject}", 30)

    async def _hazard_loop(self, hazard: str) -> None:
        supervisor, owner = self.cast.actors["supervisor"], self.cast.actors["secretary"]
        steps = (
            (supervisor, "grade", {"major": False}),
            (supervisor, "order", {"measures": "清除危岩，修复坡面排水，补设挡护", "days": 7}),
            (owner, "rectify", {"note": "施工队进场"}),
            (owner, "rectify", {"note": "清方 20 方，排水沟修复，照片齐全", "measures": "危岩已清，排水已通"}),
            (supervisor, "recheck", {"note": "现场复查合格"}),
            (supervisor, "cancel", {"note": "资料齐全，同意销号"}),
        )
        for actor, event, form in steps:
            await actor.post(f"/api/hazards/{hazard}/{event}", form)
            await asyncio.sleep(120 / pace())

    def on_supervise_hazard_moved(self, subject: str, p: Data, at: str) -> None:
        """One step of the loop."""
        if self.book.steps.get("hazard", {}).get("id") != subject:
            return
        for state, key, cause in (
            ("ordered", "hazard_ordered", subject),
            ("rechecking", "hazard_rectified", f"{subject}:ordered"),
        ):
            if p.get("state") == state:
                self.book.write(key, at, f"{subject}:{key.removeprefix('hazard_')}", cause)
        if p.get("event") == "recheck":
            self.book.write("hazard_rechecked", at, f"{subject}:rechecked", f"{subject}:rectified")

    def on_supervise_hazard_cancelled(self, subject: str, p: Data, at: str) -> None:
        """Cancelled."""
        if self.book.steps.get("hazard", {}).get("id") == subject:
            self.book.write("hazard_cancelled", at, f"{subject}:cancelled", f"{subject}:rechecked")

    def on_supervise_case_opened(self, subject: str, p: Data, at: str) -> None:
        """The silence has an owner: he explains, the supervisor decides."""
        if p.get("kind") == "silent_call" and p.get("person") == self.cast.actors["secretary"].person:
            if not self.book.has("case"):
                self.act(self._case(subject), f"case {subject}", 120)
            self.book.write("case", at, subject, None)

    async def _case(self, case: str) -> None:
        await self.cast.actors["secretary"].post(f"/api/cases/{case}/explain", {"text": "手机静音，未听到呼叫"})
        await asyncio.sleep(120 / pace())
        await self.cast.actors["supervisor"].post(
            f"/api/cases/{case}/decide", {"consequence": "书面检查，季度考核扣 2 分", "text": "情况属实"}
        )

    def on_supervise_case_decided(self, subject: str, p: Data, at: str) -> None:
        """Decided."""
        if self.book.steps.get("case", {}).get("id") == subject:
            self.book.write("case_decided", at, f"{subject}:decided", subject)


def pace() -> float:
    """Seconds of the story in a real second for what people do, also when the clock has caught up with the real time."""
    told = story()
    return told[2] if told else 120.0


def hash_share(text: str) -> float:
    """A number in [0, 1) that depends only on the text (which household answers is not chance)."""
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value / 2**32
