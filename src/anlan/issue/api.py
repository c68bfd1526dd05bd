"""HTTP of issue: proposals and warnings. `request.asker` is set by the web room."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema

from ..base.clock import SystemClock
from ..base.errors import AnlanError
from ..register.scope import scoped
from . import service, signing, views
from .models import HazardWarning, Proposal, StandingOrder

router = Router(tags=["issue"])


class SignIn(Schema):
    """Body of a signature."""

    grade: int | None = None
    reason: str = ""
    expires_h: float | None = None
    exercise: bool = False


class ReasonIn(Schema):
    """A reason in words."""

    reason: str = ""


class ConsultIn(Schema):
    """An opinion."""

    text: str
    grade: int | None = None


class UpdateIn(Schema):
    """What changes with the next version of a warning."""

    grade: int | None = None
    text: str = ""
    text_en: str = ""
    area: dict[str, Any] | None = None
    expires_h: float | None = None
    reason: str = ""


class OrderIn(Schema):
    """A standing order to sign: a site or an area; actions such as ``issue`` and ``siren_on``."""

    title: str
    hazard: str = ""
    grade: int
    site: str = ""
    area: str = ""
    actions: list[str | dict[str, Any]]
    valid_to: datetime | None = None


def _asker(request: HttpRequest) -> Any:
    return request.asker  # type: ignore[attr-defined]


def _proposal(request: HttpRequest, proposal_id: str) -> dict[str, Any]:
    return service.proposal_view(proposal_id, _asker(request))


def _warning(request: HttpRequest, warning_id: str) -> HazardWarning:
    row = scoped(HazardWarning.objects.select_related("signed_by"), _asker(request)).filter(pk=warning_id).first()
    if row is None:
        raise AnlanError("issue.no_such_warning", f"没有预警 {warning_id}", f"there is no warning {warning_id}", status=404)
    return row


@router.get("/proposals")
def proposals(request: HttpRequest, state: str = "open", limit: int = 200) -> list[dict[str, Any]]:
    """Proposals in the asker's area; ``state=open`` means open or claimed, ``all`` everything."""
    rows = scoped(Proposal.objects.select_related("site", "claimed_by", "decided_by"), _asker(request))
    if state == "open":
        rows = rows.filter(state__in=("open", "claimed")).order_by("decide_by")
    elif state != "all":
        rows = rows.filter(state=state).order_by("-proposed_at")
    else:
        rows = rows.order_by("-proposed_at")
    return [views.proposal_row(p) for p in rows[: min(max(limit, 1), 1000)]]


@router.get("/proposals/{proposal_id}")
def proposal(request: HttpRequest, proposal_id: str) -> dict[str, Any]:
    """All that the sign page shows."""
    return _proposal(request, proposal_id)


@router.post("/proposals/{proposal_id}/claim")
def claim(request: HttpRequest, proposal_id: str) -> dict[str, Any]:
    """Claim a proposal."""
    service.claim(proposal_id, _asker(request))
    return _proposal(request, proposal_id)


@router.post("/proposals/{proposal_id}/sign")
def sign(request: HttpRequest, proposal_id: str, body: SignIn) -> dict[str, Any]:
    """Sign a proposal; the answer holds the new warning's id."""
    warning = service.sign(
        proposal_id, _asker(request), grade=body.grade, reason=body.reason, expires_h=body.expires_h, exercise=body.exercise
    )
    return {**_proposal(request, proposal_id), "warning": warning.id}


@router.post("/proposals/{proposal_id}/decline")
def decline(request: HttpRequest, proposal_id: str, body: ReasonIn) -> dict[str, Any]:
    """Decide not to warn."""
    service.decline(proposal_id, _asker(request), body.reason)
    return _proposal(request, proposal_id)


@router.post("/proposals/{proposal_id}/consult")
def consult(request: HttpRequest, proposal_id: str, body: ConsultIn) -> dict[str, Any]:
    """Add an opinion."""
    service.consult(proposal_id, _asker(request), body.text, grade=body.grade)
    return _proposal(request, proposal_id)


@router.get("/warnings")
def warnings(request: HttpRequest, state: str = "issued", limit: int = 200) -> list[dict[str, Any]]:
    """Warnings in the asker's area; ``state=all`` gives every version."""
    rows = scoped(HazardWarning.objects.select_related("signed_by"), _asker(request)).order_by("-issued_at")
    if state != "all":
        rows = rows.filter(state=state)
    return [views.warning_row(w) for w in rows[: min(max(limit, 1), 1000)]]


@router.get("/warnings/{warning_id}")
def warning(request: HttpRequest, warning_id: str) -> dict[str, Any]:
    """One version with all versions of its series."""
    row = _warning(request, warning_id)
    versions = HazardWarning.objects.filter(series=row.series).select_related("signed_by").order_by("version")
    return {**views.warning_row(row), "versions": [views.warning_row(v) for v in versions]}


@router.post("/warnings/{warning_id}/lift")
def lift(request: HttpRequest, warning_id: str, body: ReasonIn) -> dict[str, Any]:
    """Lift a warning."""
    return views.warning_row(service.lift(warning_id, _asker(request), body.reason))


@router.post("/warnings/{warning_id}/update")
def update(request: HttpRequest, warning_id: str, body: UpdateIn) -> dict[str, Any]:
    """Issue the next version."""
    return views.warning_row(service.update(warning_id, _asker(request), **body.dict()))


@router.get("/warnings/{warning_id}/cap")
def cap(request: HttpRequest, warning_id: str) -> HttpResponse:
    """The version as CAP 1.2 XML."""
    return HttpResponse(service.cap(_warning(request, warning_id).id), content_type="application/cap+xml; charset=utf-8")


@router.get("/cap/certificate", auth=None, summary="The certificate that signs our CAP messages (PEM), for neighbours to pin")
def certificate(request: HttpRequest) -> HttpResponse:
    """Public: it holds no secret."""
    return HttpResponse(signing.certificate(), content_type="application/x-pem-file")


@router.get("/orders", summary="Standing orders in the asker's area; state=valid (default) or all")
def orders(request: HttpRequest, state: str = "valid") -> list[dict[str, Any]]:
    """Who signed what the machine may do by itself, and until when."""
    rows = scoped(StandingOrder.objects.select_related("signed_by"), _asker(request)).order_by("title", "-version")
    if state != "all":
        now = SystemClock().now()
        rows = rows.filter(signed_by__isnull=False, valid_from__lte=now).exclude(valid_to__lte=now)
    return [views.order_row(o) for o in rows[:1000]]


@router.post("/orders", summary="Sign a standing order: right sign in its area")
def sign_order(request: HttpRequest, body: OrderIn) -> dict[str, Any]:
    """It counts from now on."""
    facts = body.dict()
    if body.valid_to is not None and body.valid_to.tzinfo is None:
        facts["valid_to"] = body.valid_to.replace(tzinfo=UTC)
    return views.order_row(service.sign_order(_asker(request), name=facts.pop("title"), **facts))


@router.post("/orders/{order_id}/withdraw", summary="End a standing order now, with a reason: right sign")
def withdraw_order(request: HttpRequest, order_id: str, body: ReasonIn) -> dict[str, Any]:
    """What it issued stands until a person lifts it."""
    return views.order_row(service.withdraw_order(order_id, _asker(request), body.reason))
