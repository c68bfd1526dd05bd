"""Read side of issue: what the sign page and the lists need, as JSON-ready data. Times are ISO 8601 UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from ..base.clock import from_ms
from ..base.errors import AnlanError
from ..base.grade import Grade
from ..detect.models import Finding
from ..forecast.models import Forecast
from ..register.models import Device, Household, Site
from ..register.scope import Asker
from ..register.service import answerable
from . import stage
from .models import Consultation, HazardWarning, Proposal, StandingOrder
from .wording import rings

SOUND_DEG = 0.03  # some 3 km: more than any loudspeaker's reach
METRES_PER_DEG = 111_195.0  # of a great circle (mean Earth radius 6,371 km); east-west this is a little too far, so fewer count


def iso(when: datetime | None) -> str | None:
    """``2026-06-14T06:34:00.000Z``, None stays None."""
    return None if when is None else when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def proposal_row(p: Proposal) -> dict[str, Any]:
    """One proposal as in lists."""
    return {
        "id": p.id,
        "site": p.site_id,
        "site_name": p.site.name,
        "site_name_en": p.site.name_en,
        "hazard": p.hazard,
        "grade": p.grade,
        "grade_word": Grade(p.grade).word,
        "state": p.state,
        "proposed_at": iso(p.proposed_at),
        "decide_by": iso(p.decide_by),
        "claimed_by": p.claimed_by.name if p.claimed_by else None,
        "decided_by": p.decided_by.name if p.decided_by else None,
        "decided_at": iso(p.decided_at),
        "reason": p.reason,
        "title": p.title,
        "title_en": p.title_en,
        "zh": p.zh,
        "en": p.en,
        "division_code": p.division_code,
        "cause": p.cause,
        "now": p.evidence.get("now", p.grade),
        "overdue": bool(p.evidence.get("overdue")),
    }


def warning_row(w: HazardWarning) -> dict[str, Any]:
    """One version of a warning."""
    return {
        "id": w.id,
        "series": w.series,
        "version": w.version,
        "kind": w.kind,
        "state": w.state,
        "grade": w.grade,
        "grade_word": Grade(w.grade).word,
        "hazard": w.hazard,
        "site": w.site_id,
        "title": w.title,
        "title_en": w.title_en,
        "text": w.text,
        "text_en": w.text_en,
        "instruction": w.instruction,
        "instruction_en": w.instruction_en,
        "area": w.area,
        "area_codes": w.area_codes,
        "issued_at": iso(w.issued_at),
        "expires_at": iso(w.expires_at),
        "ended_at": iso(w.ended_at),
        "automatic": w.automatic,
        "automatic_order": _order(w),
        "exercise": w.exercise,
        "reason": w.reason,
        "signed_by": w.signed_by.name if w.signed_by else None,
        "cause": w.cause,
        "proposal": w.proposal_id,
        "division_code": w.division_code,
    }


def _order(w: HazardWarning) -> dict[str, Any] | None:
    """Under which standing order the machine issued it, and who signed that; None for a person's own warning."""
    order = StandingOrder.objects.select_related("signed_by").filter(pk=w.automatic).first() if w.automatic else None
    if order is None:
        return None
    signer = order.signed_by.name if order.signed_by else ""
    return {"id": order.id, "title": order.title, "signed_by": signer, "signed_at": iso(order.signed_at), "version": order.version}


def order_row(o: StandingOrder) -> dict[str, Any]:
    """One standing order."""
    return {
        "id": o.id,
        "title": o.title,
        "hazard": o.hazard,
        "grade": o.grade,
        "site": o.site_id,
        "area": o.area,
        "actions": o.actions,
        "version": o.version,
        "signed_by": o.signed_by.name if o.signed_by else None,
        "signed_at": iso(o.signed_at),
        "valid_from": iso(o.valid_from),
        "valid_to": iso(o.valid_to),
        "division_code": o.division_code,
    }


def visible(division_code: str, asker: Asker) -> bool:
    """Whether a record of this division lies in the asker's area."""
    return any(division_code.startswith(scope) for scope in asker.scopes)


def _sounding(broadcast: QuerySet[Device], site: Site, area: Any) -> set[str]:
    """Ids of the loudspeakers and sirens of the site, or whose sound reaches into `area` (a shapely outline)."""
    import shapely

    found = set(broadcast.filter(site=site).values_list("id", flat=True))
    west, south, east, north = area.buffer(SOUND_DEG).bounds
    near = broadcast.filter(lon__gte=west, lon__lte=east, lat__gte=south, lat__lte=north).values_list("id", "lon", "lat", "reach_m")
    for pk, lon, lat, reach_m in near:
        if area.distance(shapely.Point(lon, lat)) * METRES_PER_DEG <= (reach_m or 0.0):
            found.add(pk)
    return found


def consequence(site: Site, grade: Grade, hazard: str = "") -> dict[str, Any]:
    """Whom and what a warning for this site would move: counts, and the sentence beside the sign button."""
    import shapely

    reach = site.division_code[: (stage.rules().get(hazard) or stage.rules()["other"]).area_digits]
    households = Household.objects.filter(division_code__startswith=reach)
    outline = rings(site.warning_area)
    broadcast = Device.objects.filter(kind__in=("loudspeaker", "siren", "terminal"), enabled=True)
    if outline:
        area = shapely.union_all([shapely.Polygon(ring) for ring in outline])
        west, south, east, north = area.bounds
        box = Household.objects.filter(lon__gte=west, lon__lte=east, lat__gte=south, lat__lte=north).values_list("lon", "lat", "people")
        inside = [people for lon, lat, people in box if area.covers(shapely.Point(lon, lat))]
        homes, people = len(inside), sum(inside)
        speakers = len(_sounding(broadcast, site, area))
    else:
        total = households.aggregate(homes=Count("id"), people=Sum("people"))
        homes, people = total["homes"], total["people"] or 0
        speakers = broadcast.filter(Q(site=site) | Q(division_code__startswith=reach)).count()
    callees = sum(1 for a in answerable(site.id, site.division_code) if a.person_id)
    zh = f"立即通知 {homes} 户 {people} 人，开 {speakers} 只喇叭和警报器，依次呼叫 {callees} 名责任人"
    en = f"tells {homes} households ({people} people), opens {speakers} loudspeakers and sirens, calls {callees} people in turn"
    return {"zh": zh, "en": en, "households": homes, "people": people, "loudspeakers": speakers, "callees": callees}


def proposal_view(proposal_id: str, asker: Asker) -> dict[str, Any]:
    """`GET /api/proposals/{id}`; ``issue.no_such_proposal`` when there is none in the asker's area."""
    p = Proposal.objects.select_related("site", "claimed_by", "decided_by").filter(pk=proposal_id).first()
    if p is None or not visible(p.division_code, asker):
        raise AnlanError("issue.no_such_proposal", f"没有预警建议 {proposal_id}", f"there is no proposal {proposal_id}", status=404)
    site, facts = p.site, p.evidence
    findings = Finding.objects.filter(pk__in=p.cause).select_related("station").order_by("-at")[:20]
    forecast = Forecast.objects.filter(pk__in=[c for c in p.cause if c.startswith("fcst-")]).order_by("-made_at").first()
    warning = HazardWarning.objects.filter(site=site, hazard=p.hazard, state="issued").select_related("signed_by").first()
    own = HazardWarning.objects.filter(proposal=p).select_related("signed_by").order_by("-version").first()
    opinions = Consultation.objects.filter(proposal=p).order_by("id")
    return {
        **proposal_row(p),
        "site": {
            "id": site.id,
            "code": site.code,
            "name": site.name,
            "name_en": site.name_en,
            "kind": site.kind,
            "lon": site.lon,
            "lat": site.lat,
            "division_code": site.division_code,
            "warning_area": site.warning_area,
        },
        "findings": [
            {
                "id": f.id,
                "station": f.station_id,
                "station_name": f.station.name,
                "station_name_en": f.station.name_en,
                "quantity": f.quantity,
                "detector": f.detector,
                "grade": f.grade,
                "score": f.score,
                "at": iso(f.at),
                "zh": f.zh,
                "en": f.en,
                "evidence": f.evidence,
            }
            for f in findings
        ],
        "forecast": None
        if forecast is None
        else {
            "id": forecast.id,
            "made_at": iso(forecast.made_at),
            "p10": iso(forecast.p10),
            "p50": iso(forecast.p50),
            "p90": iso(forecast.p90),
            "zh": forecast.zh,
            "en": forecast.en,
        },
        "gates": facts.get("gates", []),
        "figures": [_figure(row) for row in facts.get("figures", [])],
        "who": [
            {
                "post": a.post_id,
                "name": a.post,
                "level": a.level,
                "person": a.person_id,
                "person_name": a.person,
                "stands_in_for": a.stands_in_for,
            }
            for a in answerable(site.id, site.division_code)
        ],
        "consequence": consequence(site, Grade(p.grade), p.hazard),
        "warning_in_force": warning_row(warning) if warning else None,
        "warning": warning_row(own) if own else None,
        "consultation": [{"id": c.id, "opinions": c.opinions, "closed_at": iso(c.closed_at)} for c in opinions],
    }


def _figure(row: dict[str, Any]) -> dict[str, Any]:
    out = {k: v for k, v in row.items() if not k.endswith("_ms")}
    return out | {key.removesuffix("_ms"): iso(from_ms(row[key])) for key in row if key.endswith("_ms")}


def site_warning(site: str) -> dict[str, Any] | None:
    """The warning in force at a site with its versions, without receipts (those are notify's)."""
    newest = HazardWarning.objects.filter(site_id=site, state="issued").select_related("signed_by").order_by("-grade", "-issued_at").first()
    if newest is None:
        return None
    versions = HazardWarning.objects.filter(series=newest.series).select_related("signed_by").order_by("version")
    return {**warning_row(newest), "versions": [warning_row(v) for v in versions]}
