"""``/api/docs``: the OpenAPI description as one plain page, readable without any network."""

from __future__ import annotations

from html import escape
from typing import Any

from django.http import HttpRequest, HttpResponse

from .app import api

_STYLE = (
    "body{font:14px/1.5 system-ui,'Noto Sans CJK SC',sans-serif;margin:24px;max-width:1100px}"
    "code{font:13px ui-monospace,monospace}td,th{text-align:left;padding:4px 12px 4px 0;vertical-align:top;"
    "border-top:1px solid #8883}h2{margin:28px 0 4px}b.m{display:inline-block;width:56px}"
)


def _rows(tag: str, schema: dict[str, Any]) -> str:
    rows = []
    for address, calls in schema["paths"].items():
        for method, call in calls.items():
            if tag in (call.get("tags") or ["other"]):
                asked = ", ".join(p["name"] for p in call.get("parameters", []) if p["in"] == "query")
                rows.append(
                    f"<tr><td><b class=m>{method.upper()}</b> <code>{escape(address)}</code></td>"
                    f"<td>{escape(call.get('summary', ''))}<br><small>{escape(call.get('description', '') or '')}</small></td>"
                    f"<td><small>{escape(asked)}</small></td></tr>"
                )
    return "".join(rows)


def docs_page(request: HttpRequest) -> HttpResponse:
    """All calls by room; the full schema is at ``/api/openapi.json``."""
    schema = api().get_openapi_schema()
    tags = sorted({t for calls in schema["paths"].values() for call in calls.values() for t in (call.get("tags") or ["other"])})
    body = "".join(f"<h2>{escape(t)}</h2><table>{_rows(t, schema)}</table>" for t in tags)
    return HttpResponse(
        f"<!doctype html><meta charset=utf-8><title>Anlan API</title><style>{_STYLE}</style>"
        f"<h1>安澜 Anlan API</h1><p><a href=/api/openapi.json>OpenAPI JSON</a></p>{body}"
    )
