"""``/metrics`` of this web process, for Prometheus: from this machine, or with an administrator's token."""

from __future__ import annotations

import ipaddress

from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from .tokens import asker_of_token


def metrics(request: HttpRequest) -> HttpResponse:
    """Counters and times as text; 403 for others."""
    try:
        local = ipaddress.ip_address(request.META.get("REMOTE_ADDR") or "127.0.0.1").is_loopback
    except ValueError:
        local = False
    if not local:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        asker = asker_of_token(token) if kind.lower() == "bearer" else None
        if asker is None or "admin" not in asker.rights:
            return HttpResponse("metrics: this machine, or an administrator's bearer token, only\n", status=403, content_type="text/plain")
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
