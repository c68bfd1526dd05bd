"""Who was reached by a warning: four facts, three denominators, the silent and the unknown, door by door."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Max

from ..base.clock import SystemClock
from ..base.errors import AnlanError
from ..base.geo import distance_m
from ..issue.models import HazardWarning
from ..issue.views import iso
from ..register.models import Device, Household
from . import stage
from .models import CallChain, Notice, Receipt
from .spread import channels


def reach(warning_id: str, *, now: datetime | None = None, doors: int = 200) -> dict[str, Any]:
    """`GET /api/warnings/{id}/reach`: what is known of every household, channel and call of this version.

    Percentages are left to the reader: each needs its own denominator (listed, reachable, confirmed). A household
    without any way to reach stays unknown until somebody says something of it at the door.
    """
    when = now or SystemClock().now()
    warning = HazardWarning.objects.select_related("site").filter(pk=warning_id).first()
    if warning is None:
        raise AnlanError("notify.no_such_warning", f"没有预警 {warning_id}", f"there is no warning {warning_id}")
    cells = _cells(warning, when)
    reachable = [c for c in cells if not c["unreachable"]]
    known = [c for c in cells if not c["unreachable"] or c["fact"]]
    facts = stage.counts([c["fact"] for c in known])
    return {
        "warning": warning.id,
        "at": iso(when),
        "listed": {"households": len(cells), "people": sum(c["people"] for c in cells)},
        "reachable": {"households": len(reachable), "people": sum(c["people"] for c in reachable)},
        "by": {way: sum(1 for c in cells if c["by"] == way) for way in sorted({c["by"] for c in cells if c["by"]})},
        "nobody": {"households": len(cells) - len(reachable), "people": sum(c["people"] for c in cells if c["unreachable"])},
        "facts": facts,
        "people": {fact: sum(c["people"] for c in known if c["fact"] >= n) for n, fact in enumerate(facts, 1)},
        "silent": sum(1 for c in cells if c["silent"]),
        "unknown": sum(1 for c in cells if c["unreachable"] and not c["fact"]),
        "buildings": _buildings(cells),
        "channels": _channels(warning),
        "door_list": _door_list(warning, cells, doors),
        "chain": chain_view(warning),
        "acted_at": _acted_at(warning),
    }


def _cells(warning: HazardWarning, now: datetime) -> list[dict[str, Any]]:
    notices: dict[str, dict[str, Any]] = {}
    rows = Notice.objects.filter(warning=warning, recipient__startswith="household-").values_list(
        "id", "recipient", "state", "reached", "created_at", "channel"
    )
    for name, recipient, state, reached, made, channel in rows:
        known = notices.setdefault(recipient, {"reached": 0, "by": "", "made": made, "notice": name})
        known["reached"] = max(known["reached"], reached)
        if state not in ("unreachable", "failed"):
            known |= {"by": channel, "notice": name}
    columns = ("id", "door", "building", "people", "needs_help", "lon", "lat", "grid__inspector__name")
    found = Household.objects.filter(pk__in=list(notices)).order_by("building", "door", "id").values_list(*columns)
    homes = list(found)
    since = warning.issued_at + timedelta(minutes=stage.SILENT_MINUTES)
    cells = []
    heard = _heard(warning, [(h[0], h[5], h[6]) for h in homes])
    for home, door, building, people, needs_help, lon, lat, inspector in homes:
        n = notices[home]
        by = n["by"] or ("loudspeaker" if home in heard else "")
        silent = bool(by) and n["reached"] < 3 and now >= since
        cells.append(
            {
                "id": home,
                "notice": n["notice"],
                "door": door,
                "building": building,
                "fact": n["reached"],
                "silent": silent,
                "unreachable": not by,
                "by": by,
                "people": people,
                "needs_help": needs_help,
                "lon": lon,
                "lat": lat,
                "inspector": inspector or "",
            }
        )
    return cells


def _heard(warning: HazardWarning, homes: list[tuple[str, float, float]]) -> set[str]:
    """Households within the reach of a loudspeaker or siren that plays this warning (a failed one does not)."""
    notices = Notice.objects.filter(warning=warning, recipient__startswith="device-", state__in=("sent", "queued", "sending"))
    devices = Device.objects.filter(pk__in=notices.values("recipient"), enabled=True, lon__isnull=False, lat__isnull=False, reach_m__gt=0)
    lon, lat = np.array([h[1] for h in homes]), np.array([h[2] for h in homes])
    heard = np.zeros(len(homes), bool)
    for x, y, reach_m in devices.values_list("lon", "lat", "reach_m") if homes else []:
        heard |= np.asarray(distance_m(lon, lat, x, y)) <= reach_m
    return {homes[i][0] for i in np.flatnonzero(heard)}


def unreached(warning_id: str) -> list[dict[str, Any]]:
    """The households of a warning's area that no channel and no loudspeaker reaches and that nobody has spoken to yet."""
    warning = HazardWarning.objects.select_related("site").filter(pk=warning_id).first()
    if warning is None:
        return []
    return stage.knock_order([c for c in _cells(warning, SystemClock().now()) if c["unreachable"] and c["fact"] < 3])


def _buildings(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    grouped: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for cell in cells:
        grouped[cell["building"]].append(cell)
    keys = ("id", "door", "fact", "silent", "unreachable", "by", "people", "notice")
    return [
        {
            "name": name,
            "inspector": next((c["inspector"] for c in found if c["inspector"]), ""),
            "lon": sum(c["lon"] for c in found) / len(found),
            "lat": sum(c["lat"] for c in found) / len(found),
            "cells": [{k: c[k] for k in keys} for c in found],
        }
        for name, found in grouped.items()
    ]


def _acted_at(warning: HazardWarning) -> list[str | None]:
    """When each household was first known to be out, oldest first: the curve of people out.

    Joined here and not in the database, which has no statistics yet of a warning just issued to thousands.
    """
    notices = Notice.objects.filter(warning=warning, recipient__startswith="household-").values_list("id", "recipient")
    household = dict(notices)
    first: dict[str, datetime] = {}
    for notice, at in Receipt.objects.filter(warning=warning, fact="acted").values_list("notice_id", "at"):
        if notice in household:
            first[household[notice]] = min(at, first.get(household[notice], at))
    return [iso(at) for at in sorted(first.values())]


def _channels(warning: HazardWarning) -> list[dict[str, Any]]:
    out = []
    latest = dict(Receipt.objects.filter(warning=warning).values_list("notice_id").annotate(at=Max("at")))
    played = set(
        Receipt.objects.filter(warning=warning, fact="device", evidence__state__in=["playing", "done"]).values_list("notice_id", flat=True)
    )
    by_channel: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    last: dict[str, datetime] = {}
    for name, channel, state, reached in Notice.objects.filter(warning=warning).values_list("id", "channel", "state", "reached"):
        by_channel[channel].append((name, state, reached))
        if name in latest:
            last[channel] = max(latest[name], last.get(channel, latest[name]))
    for name, rows in sorted(by_channel.items()):
        if name == "none":
            continue
        known = channels().get(name)
        out.append(
            {
                "name": name,
                "zh": known.zh if known else name,
                "en": known.en if known else name,
                "broadcast": bool(known and known.broadcast),
                "listed": len(rows),
                "facts": stage.counts([r for _, _, r in rows]),
                "played": sum(1 for n, _, _ in rows if n in played),
                "failed": sum(1 for _, s, _ in rows if s == "failed"),
                "waiting": sum(1 for _, s, _ in rows if s in ("queued", "sending")),
                "last_at": iso(last.get(name)),
            }
        )
    return out


def _door_list(warning: HazardWarning, cells: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    left = [c for c in cells if c["silent"] or (c["unreachable"] and c["fact"] < 3)]
    site = warning.site
    if left and site is not None:
        far = distance_m([c["lon"] for c in left], [c["lat"] for c in left], site.lon, site.lat)
        left = [{**c, "distance_m": round(float(d))} for c, d in zip(left, far, strict=True)]
    keys = (
        "id",
        "notice",
        "building",
        "door",
        "people",
        "needs_help",
        "inspector",
        "distance_m",
        "fact",
        "unreachable",
        "silent",
        "by",
        "lon",
        "lat",
    )
    return [{k: c.get(k) for k in keys} for c in stage.knock_order(left)[:most]]


def chain_view(warning: HazardWarning) -> dict[str, Any] | None:
    """The newest call chain of the warning's series with its steps, None when nobody was called."""
    chain = CallChain.objects.filter(series=warning.series).select_related("answered_by").order_by("-created_at").first()
    if chain is None:
        return None
    steps = chain.steps.select_related("post", "person").order_by("order")
    return {
        "id": chain.id,
        "state": chain.state,
        "answered_by": chain.answered_by.name if chain.answered_by else None,
        "answered_at": iso(chain.answered_at),
        "steps": [
            {
                "id": s.id,
                "order": s.order,
                "post": s.post_id,
                "post_name": s.post.name,
                "level": s.level,
                "person": s.person_id,
                "person_name": s.person.name if s.person else None,
                "stands_in_for": s.stands_in_for,
                "state": s.state,
                "minutes": s.minutes,
                "called_at": iso(s.called_at),
                "deadline": iso(s.deadline),
                "answered_at": iso(s.answered_at),
                "answer": s.answer,
            }
            for s in steps
        ],
    }
