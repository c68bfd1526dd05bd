"""One telling of the storm night against a running platform: load, connect, listen, end, add up."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np

from ..base.clock import from_ms, now_ms, story, story_speed
from .book import Book
from .district import KEY_ROAD, KEY_SLOPE, Row
from .fleet import Credential, Fleet, Sensor, Speaker
from .night import FAIL_H, NIGHT_H, Track, track
from .people import Actor, Refused
from .story import Cast, Story

if TYPE_CHECKING:
    from .load import Loaded

AFTER_H = 24.0  # sensors go on after the night, at their own rhythm, for so long
CLOSE_TRIES = 30  # two seconds apart
LAST_DUE_S = 150.0  # real seconds that the last steps may take after the story's end
ROOTS = ("reading", "forecast_reading", "flood_reading")
SKETCH = {"spikes": 0.03, "stuck": 0.03, "jump": 0.03, "drift": 0.03, "dies": 0.05}  # share of live slope series


@dataclass(slots=True)
class Place:
    """Where the platform listens: web address, MQTT host and port."""

    http: str
    mqtt_host: str
    mqtt_port: int


def role_of(row: Row, index: int) -> str:
    """What a live station's night is like."""
    if row["site"] == KEY_SLOPE:
        return "fails"
    if row["site"] == KEY_ROAD:
        return "floods"
    if row["quantity"] in ("crack_width", "displacement"):
        share, edge = (index * 0.618034) % 1, 0.0
        for role, part in SKETCH.items():
            edge += part
            if share < edge:
                return role
    return "quiet"


def fleet_of(loaded: Loaded, place: Place, seed: int, start_ms: int, told: bool, records: dict[str, Track] | None = None) -> Fleet:
    """All devices with their night from `start_ms` (UTC); `told`: the night is over, only what follows is sent."""
    sensors = []
    for index, row in enumerate(loaded.live):
        role = role_of(row, index)
        night = (records or {}).get(row["code"]) or track(row["quantity"], row["code"], role, seed)
        night = _and_after(night, row["interval_s"], ends=role == "fails" and row["quantity"] != "rainfall")
        times = (start_ms + night.t_h * 3_600_000).astype(np.int64)
        sensor = Sensor(_login(loaded, place, row["client_id"]), times, {row["quantity"]: night.value})
        if told:
            sensor.sent = int(np.searchsorted(times, now_ms()))
        sensors.append(sensor)
    speakers = [
        Speaker(_login(loaded, place, s["client_id"]), {3: "deaf", 7: "fails"}.get(i, "plays"))
        for i, s in enumerate(loaded.district.speakers)
    ]
    return Fleet(sensors, speakers)


def _login(loaded: Loaded, place: Place, client: str) -> Credential:
    return Credential(place.mqtt_host, place.mqtt_port, client, client, loaded.device_secret[client])


def _and_after(night: Track, interval_s: float, ends: bool) -> Track:
    """A track that goes on with its last value after the night (unless the slope took its sensors along)."""
    if ends:
        return night
    more = np.arange(NIGHT_H + interval_s / 3600, NIGHT_H + AFTER_H, interval_s / 3600)
    increment = len(night.value) > 1 and night.value.min() >= 0 and night.value[-1] <= night.value.max() / 2
    return Track(
        np.concatenate([night.t_h, more]), np.concatenate([night.value, np.full(len(more), 0.0 if increment else night.value[-1])])
    )


class Telling:
    """Runs the story and gathers its outcome."""

    def __init__(self, loaded: Loaded, place: Place, fleet: Fleet, book: Book, sites: dict[str, str], human_s: float):
        self.loaded, self.fleet, self.book = loaded, fleet, book
        self.http = httpx.AsyncClient(base_url=place.http, timeout=20)
        actors = {name: Actor(self.http, name, account) for name, account in loaded.accounts.items()}
        self.story = Story(Cast(actors, sites[KEY_SLOPE], sites[KEY_ROAD], sites["siren"], human_s), book)
        self.start_ms = (story() or (0, now_ms(), 1.0))[1]

    @property
    def hour(self) -> float:
        """Hours of the story that have passed."""
        return (now_ms() - self.start_ms) / 3_600_000

    async def run(self) -> dict[str, Any]:
        """Tell it to the end; the JSON object of the outcome."""
        listening = asyncio.create_task(self.story.listen())
        await asyncio.sleep(0.5)
        devices = asyncio.create_task(self.fleet.run())
        try:
            while self.hour < FAIL_H + 0.2:
                self._alive(listening, devices)
                await asyncio.sleep(0.1)
            await self._end()
            await self._link()
            return await self._outcome()
        finally:
            for task in (listening, devices):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task
            await self.http.aclose()

    @staticmethod
    def _alive(*tasks: asyncio.Task[None]) -> None:
        for task in tasks:
            if task.done() and task.exception():
                raise RuntimeError("the telling broke off") from task.exception()

    async def _end(self) -> None:
        """The slope has slipped: lift, rectify, account, close."""
        commander = self.story.cast.actors["commander"]
        if self.story.red:
            now = await commander.get(f"/api/warnings/{self.story.red}")
            newest = next((v["id"] for v in now.get("versions", []) if v["state"] == "issued"), self.story.red)
            self.story.act(commander.post(f"/api/warnings/{newest}/lift", {"reason": "滑动已止，人员全部撤出，现场复核无续滑"}), "lift")
        await self.book.until("hazard_cancelled", "case_decided", timeout_s=LAST_DUE_S)
        incident = self.book.steps.get("incident", {}).get("id")
        if incident:
            await self._close(commander, incident)
        await self.book.until(*[k for k, _, _ in _plot()], timeout_s=20)

    async def _close(self, commander: Actor, incident: str) -> None:
        """Close the incident with its review, as soon as its last tasks are done."""
        for attempt in range(CLOSE_TRIES):
            try:
                await commander.post(f"/api/incidents/{incident}/close", {"review": "预警提前、撤离及时；首位责任人未应答，已问责"})
                return
            except Refused as refused:
                if attempt == CLOSE_TRIES - 1:
                    self.story.failures.append(f"close of the incident: {refused}")
                if refused.code == "respond.tasks_open":
                    await self._finish(commander, incident)
                await asyncio.sleep(2)

    async def _finish(self, commander: Actor, incident: str) -> None:
        """Whoever still has a task of the incident says what became of it (the silent one too, at daybreak)."""
        for task in (await commander.get(f"/api/incidents/{incident}"))["tasks"]:
            actor = self.story.cast.by_person((task["person"] or {}).get("id", ""))
            if actor and task["state"] in ("sent", "accepted", "doing"):
                self.story.act(actor.post(f"/api/tasks/{task['id']}/done", {"text": "补报：已完成"}), f"late report of {actor.name}")

    async def _link(self) -> None:
        """Fill each step's cause: the nearest earlier record of the book on its way back."""
        admin = self.story.cast.actors["admin"]
        by_record = {step["id"]: step["id"] for step in self.book.steps.values()}
        for step in self.book.steps.values():
            if step["cause"] is not None or step["step"] in ROOTS:
                continue
            record = str(step.get("notice") or step.get("task") or step.get("step_id") or step["id"]).partition(":")[0]
            found = await admin.get(f"/api/trace/{record}")
            step["cause"] = nearest(found["edges"], record, set(by_record) - {step["id"]}, own=record if record != step["id"] else "")

    async def _outcome(self) -> dict[str, Any]:
        if self.book.steps.get("first_warning", {}).get("id") == self.book.steps.get("warning", {}).get("id"):
            self.book.steps.pop("first_warning", None)  # the first one was red already: one step
        missing, broken = [k for k in self.book.missing() if k != "first_warning"], self.book.broken()
        unlinked = [s["step"] for s in self.book.steps.values() if s["cause"] is None and s["step"] not in ROOTS]
        health = await self.story.cast.actors["admin"].get("/api/system/health")
        return {
            "ok": not (missing or broken or unlinked or self.story.failures),
            "steps": self.book.ordered(),
            "missing": missing,
            "broken": sorted({*broken, *unlinked}),
            "failures": self.story.failures,
            "totals": {
                "devices_connected": self.fleet.connected,
                "readings_acknowledged": self.fleet.acknowledged,
                "stations_registered": len(self.loaded.district.stations),
                "events": dict(sorted(self.story.counts.items())),
                "story_hours": round(self.hour, 2),
                "speed": story_speed(),
                "failed_events": health.get("failed_events"),
                "dead_letters": health["letters"]["open"],
            },
        }


def _plot() -> tuple[tuple[str, str, str], ...]:
    from .book import PLOT

    return PLOT


def nearest(edges: list[list[str]], record: str, wanted: set[str], own: str = "") -> str | None:
    """The first id of `wanted` met walking edges (cause, effect) backwards from `record`, breadth first."""
    if own in wanted:
        return own
    back: dict[str, list[str]] = {}
    for cause, effect in edges:
        back.setdefault(effect, []).append(cause)
    seen, frontier = {record}, [record]
    while frontier:
        ahead = [c for node in frontier for c in back.get(node, []) if c not in seen]
        for node in ahead:
            if node in wanted:
                return node
        seen.update(ahead)
        frontier = ahead
    return None


def local(ms: int) -> str:
    """Beijing clock time of the story for the terminal."""
    from ..base.clock import BEIJING

    return from_ms(ms).astimezone(BEIJING).strftime("%H:%M")


def demo_folder(given: Path | None) -> Path:
    """Where a demo keeps its data."""
    from ..base.settings import data_folder

    return (given or data_folder() / "demo").resolve()
