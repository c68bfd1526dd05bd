"""From a warning to notices: who, over what, in which words. Pure: no clock, no database.

The order of the steps is the list `PIPELINE`. One guard keeps exercises apart, for every channel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import shapely

from ..base.geo import distance_m
from ..base.grade import Grade
from ..base.ids import derived_id
from .contract import Channel

# Minutes that a called person has to answer. Sources: our anchors "unconfirmed red: next person in at most 3 min, county
# desk in at most 10", and county practice of waking the responsible person within 5 min (Changzhi). Blue calls nobody.
STEP_MINUTES: dict[Grade, float] = {Grade.RED: 3, Grade.ORANGE: 5, Grade.YELLOW: 15}
SILENT_MINUTES = 5.0  # a reachable household without confirmation for so long is on the door-knock list (design, screen 3)
SIREN_FROM = Grade.RED  # a siren says one thing, "leave now": it sounds only where the instruction is to leave
EXERCISE = ("【演练】", "[EXERCISE] ")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be told: facts of one version of a warning. `polygons` are (lon, lat) rings, `codes` division prefixes."""

    warning: str
    series: str
    kind: str
    grade: int
    exercise: bool
    title: str
    text: str
    polygons: tuple[tuple[tuple[float, float], ...], ...] = ()
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody or something that may be told. `addresses` by kind (phone, email, person, household, device)."""

    id: str
    name: str
    kind: str
    lon: float | None
    lat: float | None
    division_code: str
    addresses: dict[str, str] = field(default_factory=dict)
    reach_m: float = 0.0
    device_kind: str = ""
    always: bool = False  # told earlier in this series, or named: not asked whether inside


@dataclass(frozen=True, slots=True)
class Draft:
    """One notice to be: an empty `channel` means that no way to reach is known."""

    recipient: Recipient
    channel: str = ""
    address: str = ""
    title: str = ""
    text: str = ""

    def notice_id(self, warning: str) -> str:
        """Derived: the same warning, recipient and channel is the same notice."""
        return derived_id("note", warning, self.recipient.id, self.channel or "none")


Step = Callable[[list[Draft], Order, dict[str, Channel]], list[Draft]]


def inside(drafts: list[Draft], order: Order, channels: dict[str, Channel]) -> list[Draft]:
    """Keep who lies in the area: the polygon where there is one (a device counts with its reach), else the divisions."""
    if not drafts:
        return []
    if not order.polygons:
        return [d for d in drafts if d.recipient.always or any(d.recipient.division_code.startswith(c) for c in order.codes)]
    area = shapely.make_valid(shapely.union_all([shapely.Polygon(ring) for ring in order.polygons]))
    lon = np.array([np.nan if d.recipient.lon is None else d.recipient.lon for d in drafts])
    lat = np.array([np.nan if d.recipient.lat is None else d.recipient.lat for d in drafts])
    points = shapely.points(lon, lat)
    hit = shapely.covers(area, points)
    reach = np.array([d.recipient.reach_m for d in drafts])
    for i in np.flatnonzero(~hit & (reach > 0) & ~np.isnan(lon)):
        near = shapely.shortest_line(area, points[i]).coords[0]
        hit[i] = float(distance_m(lon[i], lat[i], near[0], near[1])) <= reach[i]
    return [d for d, ok in zip(drafts, hit.tolist(), strict=True) if ok or d.recipient.always]


def guard(drafts: list[Draft], order: Order, channels: dict[str, Channel]) -> list[Draft]:
    """The one guard for exercises: they reach people on duty only, and say so in title and text."""
    if not order.exercise:
        return drafts
    zh = EXERCISE[0]
    kept = [d for d in drafts if d.recipient.kind == "person"]
    return [replace(d, title=d.title if d.title.startswith(zh) else zh + d.title, text=f"{zh}{d.text}") for d in kept]


def choose(drafts: list[Draft], order: Order, channels: dict[str, Channel]) -> list[Draft]:
    """A channel for each: the first by rank that has an address, and those that go beside it; none stays as unreachable."""
    out: list[Draft] = []
    by_kind: dict[str, list[Channel]] = {}
    for channel in sorted(channels.values(), key=lambda c: (c.rank, c.name)):
        for kind in channel.serves:
            if channel.exercise or not order.exercise:
                by_kind.setdefault(kind, []).append(channel)
    for draft in drafts:
        taken = False
        for channel in by_kind.get(draft.recipient.kind, []):
            if taken and not channel.also:
                continue
            address = channel.address_of(draft.recipient.addresses)
            if address:
                out.append(replace(draft, channel=channel.name, address=address))
                taken = taken or not channel.also
        if not taken and not (out and out[-1].recipient is draft.recipient):
            out.append(draft)
    return out


def once(drafts: list[Draft], order: Order, channels: dict[str, Channel]) -> list[Draft]:
    """One notice for a recipient and channel, whatever led to it."""
    return list({(d.recipient.id, d.channel): d for d in drafts}.values())


def fitting(drafts: list[Draft], order: Order, channels: dict[str, Channel]) -> list[Draft]:
    """Sirens only for red, and to fall silent again."""
    quiet = order.kind != "lift" and order.grade < SIREN_FROM
    return [d for d in drafts if not (quiet and d.recipient.device_kind == "siren")]


PIPELINE: tuple[Step, ...] = (inside, guard, fitting, choose, once)


def plan(recipients: Sequence[Recipient], order: Order, channels: dict[str, Channel]) -> list[Draft]:
    """The notices that a warning makes for these recipients."""
    drafts = [Draft(recipient, title=order.title, text=order.text) for recipient in recipients]
    for step in PIPELINE:
        drafts = step(drafts, order, channels)
    return drafts


def priority(kind: str, grade: int) -> int:
    """Place in the queue: a lift overtakes everything, then the worse grade."""
    return 0 if kind == "lift" else 5 - grade


def next_wait_s(channel: Channel, attempts: int) -> float | None:
    """Seconds until the next attempt after so many, None when there is none left."""
    return channel.waits_s[attempts - 1] if 0 < attempts <= len(channel.waits_s) else None


def calls_for(grade: int) -> float | None:
    """Minutes that each called person has, None when this grade calls nobody."""
    return STEP_MINUTES.get(Grade(grade))


@dataclass(frozen=True, slots=True)
class CallState:
    """One step of a chain as the stage sees it."""

    order: int
    state: str
    deadline_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What a chain does next: steps that time out, the step to call, or that nobody is left."""

    timed_out: tuple[int, ...] = ()
    call: int | None = None
    exhausted: bool = False


def turn(steps: Sequence[CallState], now_ms: int) -> Turn:
    """The next move of a calling chain at `now_ms` (UTC). Called again with the same state it says the same."""
    late = tuple(s.order for s in steps if s.state == "calling" and s.deadline_ms is not None and s.deadline_ms <= now_ms)
    if any(s.state == "calling" and s.order not in late for s in steps):
        return Turn(late)
    waiting = sorted(s.order for s in steps if s.state == "waiting")
    return Turn(late, call=waiting[0]) if waiting else Turn(late, exhausted=True)


def fact_rank(fact: str) -> int:
    """1 channel, 2 device, 3 confirmed, 4 acted; 0 for anything else (failed)."""
    return {"channel": 1, "device": 2, "confirmed": 3, "acted": 4}.get(fact, 0)


def counts(reached: Sequence[int]) -> dict[str, int]:
    """How many have at least each fact."""
    return {fact: sum(1 for r in reached if r >= n) for n, fact in enumerate(("channel", "device", "confirmed", "acted"), 1)}


def knock_order(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The door-knock list: those who need help first, then the nearest (field ``distance_m``)."""
    return sorted(rows, key=lambda r: (not r.get("needs_help"), r.get("distance_m", 0.0), str(r.get("door", ""))))
