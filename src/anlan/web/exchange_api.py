"""Ledgers out to and in from files, and the service calls offered on a row."""

from __future__ import annotations

import base64
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import File, Router
from ninja.files import UploadedFile

from ..base.errors import AnlanError, FieldError
from ..register import exchange, service
from ..register.models import Person
from ..register.scope import Asker
from . import ledgers as book
from .app import as_json

router = Router(tags=["ledgers"])
KINDS = ("xlsx", "csv")
MOST_ROWS = 200_000  # of one export; a larger ledger is exported by filter


def _asker(request: HttpRequest) -> Asker:
    return request.asker  # type: ignore[attr-defined, no-any-return]


def _kind(text: str) -> str:
    if text not in KINDS:
        raise FieldError("format", text, f"应为 {' / '.join(KINDS)}", f"must be one of {', '.join(KINDS)}")
    return text


def _file(data: bytes, name: str, kind: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"', "Cache-Control": "no-store"}
    return HttpResponse(data, content_type=exchange.MIME[kind], headers=headers)


@router.post("/ledgers/{name}/import", summary="Take an Excel or CSV file; ?dry_run=1 only tries; ?source_crs= for its coordinates")
def import_file(
    request: HttpRequest,
    name: str,
    file: File[UploadedFile],
    dry_run: bool = False,
    source_crs: str = "",
) -> HttpResponse:
    """Good rows are taken, the others come back in ``rejected_file`` (a data URL) with the reason in each row."""
    model, asker = book.model_of(name), _asker(request)
    right = book.ledger_of(model).right
    if right not in asker.rights:
        asker.demand(right)
    if name == "post" and "admin" not in asker.rights:
        asker.demand("admin")  # a file of posts hands out roles
    done = exchange.import_ledger(
        name, file.read(), file.name or "file", actor=asker.person_id, asker=asker, dry_run=dry_run, source_crs=source_crs
    )
    link = None
    if done.rejected_file is not None:
        kind = done.rejected_name.rpartition(".")[2]
        link = f"data:{exchange.MIME.get(kind, 'application/octet-stream')};base64,{base64.b64encode(done.rejected_file).decode()}"
    return as_json({**done.as_dict(), "errors": done.reasons, "rejected_file": link})


@router.get("/ledgers/{name}/export", summary="The asked rows as a file: ?format=xlsx|csv and the list's filters")
def export_file(request: HttpRequest, name: str, format: str = "xlsx", lang: str = "zh") -> HttpResponse:
    """All rows of the list's filters inside the asker's area, as a file that import takes back."""
    model, asker, kind = book.model_of(name), _asker(request), _kind(format)
    asked = {k: str(v) for k, v in request.GET.items() if k not in ("format", "lang", "page", "size")}
    rows, _ = book.rows_of(model, asker, asked)
    total = rows.count()
    if total > MOST_ROWS:
        raise AnlanError(
            "web.too_large", f"共 {total} 行，请先筛选到 {MOST_ROWS} 行以内", f"{total} rows; filter to at most {MOST_ROWS} first"
        )
    return _file(exchange.export_ledger(name, kind, rows=rows, lang="en" if lang == "en" else "zh"), name, kind)


@router.get("/ledgers/{name}/template", summary="An empty file with the right header: ?format=xlsx|csv")
def template_file(request: HttpRequest, name: str, format: str = "xlsx", lang: str = "zh") -> HttpResponse:
    """What to fill in for an import; the Excel file explains each column on a second sheet."""
    model, kind = book.model_of(name), _kind(format)
    if not book.ledger_of(model).editable:
        book.writable(model, {})
    return _file(exchange.template(name, kind, "en" if lang == "en" else "zh"), f"{name}-template", kind)


def _sign_threshold(pk: str, asker: Asker) -> dict[str, Any]:
    row = service.sign_threshold(pk, Person.objects.get(pk=asker.person_id))
    return {"version": row.version, "valid_from": row.valid_from}


def _rotate_secret(pk: str, asker: Asker) -> dict[str, Any]:
    return {"secret": service.rotate_secret(pk, actor=asker.person_id)}


ACTIONS = {"sign_threshold": _sign_threshold, "rotate_secret": _rotate_secret}


@router.post("/ledgers/{name}/{pk}/actions/{action}", summary="Call one of the ledger's actions on a row")
def act(request: HttpRequest, name: str, pk: str, action: str) -> HttpResponse:
    """The actions that the ledger's description offers: ``sign_threshold``, ``rotate_secret`` (its answer is shown once)."""
    model, asker = book.model_of(name), _asker(request)
    record = book.one(model, asker, pk)
    ledger = book.ledger_of(model)
    if action not in ledger.actions or action not in ACTIONS:
        raise FieldError(
            "action", action, f"可用：{'、'.join(ledger.actions) or '无'}", f"there are: {', '.join(ledger.actions) or 'none'}"
        )
    asker.demand(ledger.right, getattr(record, book.code_field(model)))
    return as_json({**ACTIONS[action](pk, asker), "row": book.as_row(book.one(model, asker, pk))})
