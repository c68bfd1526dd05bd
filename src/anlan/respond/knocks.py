"""Doors to knock: households that no channel and no loudspeaker reaches are given to the grid's inspector as a task.

One task for each inspector and incident; a later version of the warning makes another one only for households that no
such task holds yet. The task names the notices it is about in its cause, so that what is said at each door is on record.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ..base.grade import Grade
from ..base.ids import derived_id
from ..issue.models import HazardWarning
from ..notify.models import Notice
from ..notify.reach import unreached
from ..register.models import Household, Post
from ..register.service import Answerer
from .models import Incident, Task
from .stage import taker
from .tasks import ladder_of, send

ITEM = "knock"
# working defaults, for the bureau to replace: red within the quarter hour of a night call-out, then doubled; blue sends nobody
MINUTES: dict[Grade, float] = {Grade.RED: 15, Grade.ORANGE: 30, Grade.YELLOW: 60}
NAMED = 3  # doors named in the title
MOST = 200  # households in one task


def send_knocks(incident: Incident, warning: HazardWarning, now: datetime) -> list[Task]:
    """The door-knock tasks of a warning (idempotent), nearest and frail households first; none for blue."""
    minutes = MINUTES.get(Grade(warning.grade))
    if minutes is None:
        return []
    held = _held(incident)
    homes = [c for c in unreached(warning.id) if c["id"] not in held]
    tasks = []
    for who, doors in _by_inspector(incident, homes):
        for part in range(0, len(doors), MOST):
            tasks.append(_task(incident, warning, who, doors[part : part + MOST], now, minutes))
    return [send(task) for task in tasks]


def _held(incident: Incident) -> set[str]:
    """Households that a door-knock task of this incident is about already."""
    notices = [c for cause in Task.objects.filter(incident=incident, item=ITEM).values_list("cause", flat=True) for c in cause]
    return set(Notice.objects.filter(pk__in=notices).values_list("recipient", flat=True))


def _by_inspector(incident: Incident, homes: list[dict[str, Any]]) -> list[tuple[Answerer, list[dict[str, Any]]]]:
    """Who knocks at which doors: the grid's inspector (or who stands in), else whoever answers for the community."""
    ladder = ladder_of(incident)
    posts = dict(Household.objects.filter(pk__in=[h["id"] for h in homes]).values_list("pk", "grid__inspector"))
    found = {p.id: p for p in Post.objects.filter(pk__in={v for v in posts.values() if v}).select_related("person__substitute")}
    out: dict[str, tuple[Answerer, list[dict[str, Any]]]] = {}
    for home in homes:
        post = found.get(posts.get(home["id"]) or "")
        who = (_inspector(post) if post else None) or taker(ladder, "community") or taker(ladder, "site")
        if who is not None:
            out.setdefault(who.post_id, (who, []))[1].append(home)
    return list(out.values())


def _inspector(post: Post) -> Answerer | None:
    person = post.person
    if person is not None and person.on_leave:
        person = person.substitute
    if person is None:
        return None
    return Answerer("", post.id, post.name, "site", 0, post.division_code, person.id, person.name, person.phone, person.email)


def _task(incident: Incident, warning: HazardWarning, who: Answerer, doors: list[dict[str, Any]], now: datetime, minutes: float) -> Task:
    names = [f"{d['building']} {d['door']}" for d in doors]
    people = sum(d["people"] for d in doors)
    more = len(names) > NAMED
    shown = "、".join(names[:NAMED])
    return Task(
        id=derived_id("task", incident.id, ITEM, who.post_id, *sorted(d["id"] for d in doors)),
        incident=incident,
        division_code=incident.division_code,
        title=f"敲门通知 {len(doors)} 户 {people} 人（无渠道可达）：{shown}{'等' if more else ''}",
        title_en=f"Knock at {len(doors)} doors, {people} people, whom nothing reaches: {', '.join(names[:NAMED])}{' …' if more else ''}",
        post_id=who.post_id,
        person_id=who.person_id,
        level=who.level,
        item=ITEM,
        sent_at=now,
        due_at=now + timedelta(minutes=minutes),
        cause=[warning.id, *(d["notice"] for d in doors)],
        lon=doors[0]["lon"],
        lat=doors[0]["lat"],
    )


def doors_of(task: Task) -> list[dict[str, Any]]:
    """The doors of a door-knock task and what was said at each so far (fact 3: told, 4: moved)."""
    notices = {n.recipient: n for n in Notice.objects.filter(pk__in=[c for c in task.cause if c.startswith("note-")])}
    homes = Household.objects.filter(pk__in=list(notices)).order_by("building", "door")
    return [
        {
            "id": h.id,
            "notice": notices[h.id].id,
            "building": h.building,
            "door": h.door,
            "people": h.people,
            "needs_help": h.needs_help,
            "phone": h.phone,
            "lon": h.lon,
            "lat": h.lat,
            "fact": notices[h.id].reached,
        }
        for h in homes
    ]
