"""The generic ledger pages' calls: list, detail, history, create, change, import, export."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from django.db import models
from django.http import HttpRequest, HttpResponse
from ninja import Body, Router

from ..base.errors import AnlanError, FieldError
from ..engines.outbox import acting, emit
from ..register.scope import Asker
from . import ledgers as book
from .app import as_json

router = Router(tags=["ledgers"])


def _asker(request: HttpRequest) -> Asker:
    return request.asker  # type: ignore[attr-defined, no-any-return]


def _number(asked: dict[str, str], name: str, default: int, largest: int) -> int:
    text = asked.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or not 1 <= int(text) <= largest:
        raise FieldError(name, text, f"应为 1–{largest} 的整数", f"must be a whole number from 1 to {largest}")
    return int(text)


@router.get("/ledgers", summary="All ledgers with their description")
def list_ledgers(request: HttpRequest) -> HttpResponse:
    """What there is to look at, in menu groups."""
    return as_json([book.describe(name, _asker(request)) for name in book.ledgers()])


@router.get("/ledgers/{name}", summary="Rows of a ledger: ?page=&size=&q=&sort=&<column>=&<column>__gte=")
def list_rows(request: HttpRequest, name: str) -> HttpResponse:
    """One page of rows inside the asker's area, with the description and the total."""
    model, asked = book.model_of(name), {k: str(v) for k, v in request.GET.items()}
    page, size = _number(asked, "page", 1, 1_000_000), _number(asked, "size", book.PAGE, book.LARGEST_PAGE)
    queryset, understood = book.rows_of(model, _asker(request), asked)
    rows = [book.as_row(r, columns_only=True) for r in queryset[(page - 1) * size : page * size]]
    return as_json(
        {"ledger": book.describe(name, _asker(request)), "rows": rows, "total": queryset.count(), "page": page, "size": size, **understood}
    )


@router.post("/ledgers/{name}", summary="Add a row (editable fields only)")
def add_row(request: HttpRequest, name: str, given: Body[dict[str, Any]]) -> HttpResponse:  # type: ignore[type-arg]
    """Create a record; 400 names each wrong field."""
    model, asker = book.model_of(name), _asker(request)
    book.writable(model, given)
    record = model()
    book.apply(record, given, asker)
    book.place(record)
    book.demand_write(record, asker, {})
    if isinstance(record, book.Record) and not record.division_code:
        raise FieldError("division_code", "", "请给出区划代码", "give a division code")
    with acting(asker.person_id):
        prepare = getattr(record, "prepare", None)
        if prepare:
            prepare()
        record.full_clean(exclude=["id"])
        record.save(force_insert=True)
        _tell(record, "added")
    return as_json(book.as_row(record), status=201)


def _tell(record: models.Model, what: str) -> None:
    kind = record._meta.model_name
    emit(
        f"register.{kind}.{what}",
        str(record.pk),
        {"ledger": kind},
        division_code=getattr(record, book.code_field(type(record))),
        key=f"register.{kind}.{what}:{record.pk}:{secrets.token_hex(8)}",
    )


@router.get("/ledgers/{name}/{pk}", summary="One record; ?on= shows it as it was at that time")
def detail(request: HttpRequest, name: str, pk: str, on: str = "") -> HttpResponse:
    """A record with all its columns; with ``on`` (ISO 8601) its stored columns of that moment."""
    model = book.model_of(name)
    record = book.one(model, _asker(request), pk)
    if not on:
        return as_json({"ledger": book.describe(name, _asker(request)), "row": book.as_row(record)})
    return as_json({"on": on, "row": book.as_it_was(model, pk, _moment(on))})


def _moment(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise FieldError("on", text, "应为 ISO 8601 时间", "must be an ISO 8601 time") from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


@router.get("/ledgers/{name}/{pk}/history", summary="Who changed it, from what to what")
def row_history(request: HttpRequest, name: str, pk: str) -> HttpResponse:
    """The audit trail of a record, newest first."""
    model = book.model_of(name)
    book.one(model, _asker(request), pk)
    return as_json(book.history(model, pk))


@router.patch("/ledgers/{name}/{pk}", summary="Change editable fields; `updated_at` guards against a change in between")
def change(request: HttpRequest, name: str, pk: str, given: Body[dict[str, Any]]) -> HttpResponse:  # type: ignore[type-arg]
    """Change a record; 409 when somebody else changed it since `updated_at` (if given)."""
    model, asker = book.model_of(name), _asker(request)
    seen = given.pop("updated_at", None)
    book.writable(model, given)
    with acting(asker.person_id):
        book.one(model, asker, pk)
        record = model._default_manager.select_for_update().get(pk=pk)
        if seen and _moment(str(seen)) < record.updated_at.replace(microsecond=record.updated_at.microsecond // 1000 * 1000):
            raise AnlanError(
                "web.already_changed",
                "此记录刚被别人改过，请刷新后再改",
                "somebody changed this record meanwhile; reload first",
                row=book.as_row(record),
            )
        before = {f.name: getattr(record, f.attname) for f in record._meta.fields}
        book.apply(record, given, asker)
        book.demand_write(record, asker, before)
        record.full_clean()
        record.save()
        _tell(record, "changed")
    return as_json(book.as_row(record))
