"""What a called person needs beside the order: the danger area, where to bring people, how many doors are theirs, whom to ring."""

from __future__ import annotations

from typing import Any

from ..base import settings as conf
from ..base.geo import distance_m
from ..register.models import Household, Post, Shelter, Site
from .models import CallStep, Notice

NEAR_M = 5_000.0  # a shelter further away is not walked to


def shelter_near(site: Site) -> dict[str, Any] | None:
    """The nearest shelter within `NEAR_M` with room left, its distance in metres as the crow flies; None when there is none."""
    rows = [s for s in Shelter.objects.all() if s.occupancy < s.capacity]
    if not rows:
        return None
    far = distance_m([s.lon for s in rows], [s.lat for s in rows], site.lon, site.lat)
    best = int(far.argmin())
    s = rows[best]
    named = {"id": s.id, "name": s.name, "lon": s.lon, "lat": s.lat, "capacity": s.capacity, "occupancy": s.occupancy}
    return {**named, "distance_m": round(float(far[best]))} if far[best] <= NEAR_M else None


def desk_phone(division_code: str) -> str:
    """The desk's number: the setting, else the phone of whoever holds the duty post of the place; empty when neither is known."""
    if conf.get("DESK_PHONE"):
        return str(conf.get("DESK_PHONE"))
    posts = Post.objects.filter(role="duty", person__isnull=False).exclude(person__phone="").select_related("person")
    near = [p for p in posts if division_code.startswith(p.division_code)]
    holder = max(near, key=lambda p: len(p.division_code)).person if near else None
    return holder.phone if holder else ""


def around(step: CallStep) -> dict[str, Any]:
    """All of it for one call."""
    warning, site = step.chain.warning, step.chain.site
    told = Notice.objects.filter(warning=warning, recipient__startswith="household-")
    mine = Household.objects.filter(grid__inspector__person_id=step.person_id).values_list("id", flat=True) if step.person_id else []
    own = told.filter(recipient__in=list(mine))
    wanted = own if own.exists() else told
    return {
        "area": warning.area,
        "issued_at": warning.issued_at,
        "signed_by": warning.signed_by.name if warning.signed_by else "",
        "shelter": shelter_near(site) if site else None,
        "doors": wanted.values("recipient").distinct().count(),
        "doors_out": wanted.filter(reached__gte=4).values("recipient").distinct().count(),
        "desk_phone": desk_phone(step.chain.division_code),
    }
