"""HTTP of detect: a person overrules the judges. `request.asker` is set by the web room."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from ninja import Router, Schema

from ..base.errors import AnlanError
from ..register.models import Station
from ..register.scope import Asker, scoped
from . import overrules
from .models import Overrule

router = Router(tags=["detect"])


class OverruleIn(Schema):
    """What the person says: ``good``, ``bad`` or ``mute``; reading time in UTC ms; quantity empty for the whole station."""

    verdict: str
    quantity: str = ""
    from_ms: int | None = None
    to_ms: int
    reason: str = ""


class WhyIn(Schema):
    """A reason."""

    reason: str = ""


def _asker(request: HttpRequest) -> Asker:
    return request.asker  # type: ignore[attr-defined, no-any-return]


def _station(request: HttpRequest, key: str) -> Station:
    row = scoped(Station.objects.filter(Q(pk=key) | Q(code=key)), _asker(request)).first()
    if row is None:
        raise AnlanError("detect.no_such_station", f"没有测点 {key}", f"there is no station {key}", status=404)
    return row  # type: ignore[no-any-return]


@router.get("/stations/{key}/overrules", summary="What people said of the station's readings against the judges, newest first")
def listed(request: HttpRequest, key: str) -> dict[str, Any]:
    """The newest fifty, and whether the asker may add one."""
    station = _station(request, key)
    rows = Overrule.objects.filter(station=station).select_related("person", "withdrawn_by").order_by("-created_at", "-id")[:50]
    return {"rows": [overrules.view(r) for r in rows], "may": _asker(request).may("analyse", station.division_code)}


@router.post("/stations/{key}/overrules", summary="Overrule the judges: right analyse, with a reason")
def make(request: HttpRequest, key: str, body: OverruleIn) -> dict[str, Any]:
    """Store it; the lane obeys within about a second (``obeyed`` says whether it has been told)."""
    station = _station(request, key)
    row = overrules.overrule(
        station, _asker(request), body.verdict, quantity=body.quantity, from_ms=body.from_ms, to_ms_=body.to_ms, reason=body.reason
    )
    return overrules.view(row)


@router.post("/overrules/{overrule_id}/withdraw", summary="Take an overrule back: right analyse, with a reason")
def withdraw(request: HttpRequest, overrule_id: str, body: WhyIn) -> dict[str, Any]:
    """Judging goes on from now."""
    if not scoped(Overrule.objects.all(), _asker(request)).filter(pk=overrule_id).exists():
        raise AnlanError("detect.no_such_overrule", f"没有裁定 {overrule_id}", f"there is no overrule {overrule_id}", status=404)
    return overrules.view(overrules.withdraw(overrule_id, _asker(request), body.reason))
