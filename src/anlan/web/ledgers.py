"""Ledgers drawn from the models' own description: what there is, which rows, as what, changed by whom.

A ledger is any model of the house with a `LEDGER`. Rows are limited to the asker's area; rows without
an area belong to the whole installation and are shown to those who keep that ledger for a county or more.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import Q, QuerySet

from ..base.errors import AnlanError, FieldError
from ..base.grade import Grade
from ..base.quantity import QUANTITIES
from ..engines.models import AuditEntry
from ..engines.records import Ledger, Record
from ..register.roles import NAMES, RIGHTS
from ..register.scope import Asker, area
from .errors import not_found

PAGE = 50
LARGEST_PAGE = 500
WIDE = 6  # digits of a county: whoever keeps a ledger for a county or more also sees rows without an area


@lru_cache(maxsize=1)
def ledgers() -> dict[str, type[models.Model]]:
    """Ledger name (the model's name in lower case) to its model."""
    found = {m._meta.model_name or "": m for m in apps.get_models() if m.__module__.startswith("anlan.") and getattr(m, "LEDGER", None)}
    return dict(sorted(found.items()))


def model_of(name: str) -> type[models.Model]:
    """The model of a ledger; ``web.not_found`` when there is none of this name."""
    if name not in ledgers():
        raise not_found("台账 ledger", name)
    return ledgers()[name]


def ledger_of(model: type[models.Model]) -> Ledger:
    """The description a model carries."""
    return model.LEDGER  # type: ignore[attr-defined, no-any-return]


def code_field(model: type[models.Model]) -> str:
    """The field that holds the row's area."""
    return "division_code" if issubclass(model, Record) else "code"


# description


def _words(field: models.Field[Any, Any]) -> tuple[str, str]:
    zh, _, en = str(field.verbose_name).partition("|")
    return zh, en or field.name.replace("_", " ").capitalize()


def kind_of(field: models.Field[Any, Any]) -> str:
    """The column's type for the ui: text, integer, number, boolean, datetime, json, ref, grade, choice."""
    if isinstance(field, models.ForeignKey):
        return "ref"
    if field.name == "grade":
        return "grade"
    if field.choices or field.name in _CHOICES:
        return "choice"
    for kind, classes in (
        ("boolean", models.BooleanField),
        ("datetime", models.DateTimeField),
        ("integer", models.IntegerField),
        ("number", models.FloatField),
        ("json", models.JSONField),
    ):
        if isinstance(field, classes):
            return kind
    return "text"


_CHOICES: dict[str, list[tuple[str, str, str]]] = {
    "role": [(role, *words) for role, words in NAMES.items()],
    "quantity": [(q.name, q.zh, q.en) for q in QUANTITIES],
    "level": [
        (k, w.partition("|")[0], w.partition("|")[2])
        for k, w in {
            "province": "省|Province",
            "city": "市|City",
            "county": "区县|County",
            "township": "街道乡镇|Township",
            "village": "社区村|Community",
            "site": "点位|Site",
            "community": "社区|Community",
            "street": "街道|Street",
            "district": "区|District",
        }.items()
    ],
}


def choices_of(field: models.Field[Any, Any]) -> list[dict[str, str]]:
    """The values a column may take, with words; empty for free ones."""
    if field.choices:
        pairs = [(str(value), str(words)) for value, words in field.flatchoices]
        return [{"value": v, "zh": w.partition("|")[0], "en": w.partition("|")[2] or v} for v, w in pairs]
    if field.name == "grade":
        return [{"value": str(int(g)), "zh": g.zh, "en": g.word} for g in Grade]
    return [{"value": v, "zh": zh, "en": en} for v, zh, en in _CHOICES.get(field.name, [])]


def shown_fields(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    """The fields of a row: columns first, then the rest; blobs and secrets never."""
    names = list(ledger_of(model).columns)
    fields = {
        f.name: f for f in model._meta.fields if not isinstance(f, models.BinaryField) and "secret" not in f.name and f.name != "user"
    }
    return [fields[n] for n in names if n in fields] + [f for n, f in fields.items() if n not in names]


def describe(name: str, asker: Asker) -> dict[str, Any]:
    """A ledger for the ui: words, columns, filters, order, what the asker may do."""
    model = model_of(name)
    ledger = ledger_of(model)
    columns = []
    for field in shown_fields(model):
        zh, en = _words(field)
        columns.append(
            {
                "name": field.name,
                "zh": zh,
                "en": en,
                "type": kind_of(field),
                "choices": choices_of(field),
                "listed": field.name in ledger.columns,
                "filter": field.name in ledger.filters,
                "editable": field.name in ledger.editable,
                "required": field.name in ledger.editable and not field.blank and not field.has_default(),
                "ledger": field.related_model._meta.model_name if isinstance(field, models.ForeignKey) and field.related_model else None,
            }
        )
    return {
        "name": name,
        "zh": ledger.zh,
        "en": ledger.en,
        "group": {"zh": ledger.group[0], "en": ledger.group[1]},
        "columns": columns,
        "filters": list(ledger.filters),
        "search": list(ledger.search),
        "order": list(ledger.order),
        "editable": list(ledger.editable),
        "right": ledger.right,
        "may_write": bool(ledger.editable) and ledger.right in asker.rights,
        "actions": list(ledger.actions) if ledger.right in asker.rights else [],
    }


# rows


def visible(model: type[models.Model], asker: Asker) -> QuerySet[Any]:
    """The rows of a ledger inside the asker's area (see the module's text for rows without one)."""
    field = code_field(model)
    mine = area(asker.scopes, field)
    keeper = asker.rights.get(ledger_of(model).right, ())
    if issubclass(model, Record) and ("admin" in asker.rights or any(len(prefix) <= WIDE for prefix in keeper)):
        mine |= Q(**{field: ""})
    return model._default_manager.filter(mine)


def _parse(field: models.Field[Any, Any], text: str) -> Any:
    if text in ("", "null"):
        return None
    if isinstance(field, models.BooleanField):
        return text.lower() in ("1", "true", "yes")
    try:
        return field.to_python(text) if not isinstance(field, models.ForeignKey) else text
    except Exception:
        raise FieldError(field.name, text, f"应为 {kind_of(field)}", f"must be {kind_of(field)}", code="web.bad_filter") from None


def _clean(text: str) -> str:
    return text.replace("\x00", "").strip()[:200]


def rows_of(model: type[models.Model], asker: Asker, asked: dict[str, str]) -> tuple[QuerySet[Any], dict[str, Any]]:
    """The asked rows (filters, search ``q``, ``sort``) and what was understood. FieldError for an unknown field."""
    ledger, fields = ledger_of(model), {f.name: f for f in shown_fields(model)}
    queryset = visible(model, asker)
    for name, text in asked.items():
        base, _, operation = name.partition("__")
        if base in ("q", "sort", "page", "size", "on", "format"):
            continue
        if base not in fields or operation not in ("", "gte", "lte", "startswith"):
            raise FieldError(name, text, f"没有这一列；可用：{'、'.join(fields)}", f"no such column; there are {', '.join(fields)}")
        if operation == "startswith" and kind_of(fields[base]) not in ("text", "choice"):
            raise FieldError(name, text, "只有文字列能按前缀筛选", "only text columns filter by prefix")
        value = text.replace("\x00", "") if operation == "startswith" else _parse(fields[base], _clean(text))
        if value is None and operation:
            raise FieldError(name, text, "请给出值", "give a value")
        queryset = queryset.filter(**({f"{base}__isnull": True} if value is None else {name: value}))
    words = _clean(asked.get("q", ""))
    if words:
        found = Q(pk__in=[])
        for column in ledger.search or ("pk",):
            found |= Q(**{f"{column}__icontains": words})
        queryset = queryset.filter(found | Q(pk=words))
    sort = asked.get("sort", "")
    if sort and sort.lstrip("-") not in fields:
        raise FieldError("sort", sort, f"没有这一列；可用：{'、'.join(fields)}", f"no such column; there are {', '.join(fields)}")
    order = [sort] if sort else list(ledger.order)
    queryset = queryset.order_by(*order, "pk").select_related(*[f.name for f in fields.values() if isinstance(f, models.ForeignKey)])
    return queryset, {"sort": order[0], "q": words}


def as_row(record: models.Model, columns_only: bool = False) -> dict[str, Any]:
    """A record as plain data; references as ``{id, label}``."""
    ledger = ledger_of(type(record))
    row: dict[str, Any] = {"id": record.pk, "label": str(record)}
    for field in shown_fields(type(record)):
        if columns_only and field.name not in ledger.columns and field.name not in ("division_code", "updated_at"):
            continue
        if isinstance(field, models.ForeignKey):
            other = getattr(record, field.name)
            row[field.name] = {"id": other.pk, "label": str(other)} if other is not None else None
        else:
            row[field.name] = getattr(record, field.name)
    return row


def one(model: type[models.Model], asker: Asker, pk: str) -> models.Model:
    """The record of this id inside the asker's area; ``web.not_found`` otherwise."""
    found: models.Model | None = visible(model, asker).filter(pk=pk.replace("\x00", "")).first()
    if found is None:
        raise not_found(ledger_of(model).zh, pk)
    return found


# history


def history(model: type[models.Model], pk: str) -> list[dict[str, Any]]:
    """All changes of a row, newest first: who, when, and only the columns that changed (from, to)."""
    entries = AuditEntry.objects.filter(table=model._meta.db_table, row=pk).order_by("-id")[:1000]
    return [{"at": e.at, "actor": e.actor, "action": e.action.lower(), "changes": _changes(e.before, e.after)} for e in entries]


def _hidden(name: str) -> bool:
    return "secret" in name or name in ("updated_at", "user_id")


def _changes(before: dict[str, Any] | None, after: dict[str, Any] | None) -> dict[str, list[Any]]:
    old, new = before or {}, after or {}
    return {k: [old.get(k), new.get(k)] for k in sorted({*old, *new}) if old.get(k) != new.get(k) and not _hidden(k)}


def as_it_was(model: type[models.Model], pk: str, on: datetime) -> dict[str, Any]:
    """The row's columns as they stood at `on` (aware UTC); ``web.not_found`` when it was not there."""
    entry = AuditEntry.objects.filter(table=model._meta.db_table, row=pk, at__lte=on).order_by("-id").first()
    if entry is None or entry.action.upper() == "DELETE" or not entry.after:
        raise not_found(f"{ledger_of(model).zh} {pk} @", on.isoformat())
    return {k: v for k, v in entry.after.items() if not _hidden(k)}


# writing


def writable(model: type[models.Model], given: dict[str, Any]) -> None:
    """FieldError when a field may not be written by a form (workflow states never may)."""
    allowed = ledger_of(model).editable
    if not allowed:
        raise AnlanError(
            "web.no_right_form",
            f"“{ledger_of(model).zh}”不能用表单修改，由流程产生",
            f"'{ledger_of(model).en}' cannot be written by a form; its workflow makes it",
        )
    for name in given:
        if name not in allowed:
            raise FieldError(
                name,
                given[name],
                f"此列不能用表单修改；可改：{'、'.join(allowed)}",
                f"may not be written here; there are {', '.join(allowed)}",
            )


def apply(record: models.Model, given: dict[str, Any], asker: Asker) -> None:
    """Put `given` into the record; references must be in the asker's area. FieldError names the field."""
    for name, value in given.items():
        field = record._meta.get_field(name)
        if isinstance(value, str) and "\x00" in value:
            raise FieldError(name, value, "含有非法字符", "holds a forbidden sign")
        if isinstance(field, models.ForeignKey):
            key = value.get("id") if isinstance(value, dict) else value
            other = field.related_model
            if key not in (None, "") and not visible(other, asker).filter(pk=str(key)).exists():  # type: ignore[arg-type]
                raise FieldError(name, key, "没有这条记录，或不在您的辖区内", "no such record, or outside your area")
            setattr(record, field.attname, key or None)
        elif value is None and not field.null:  # type: ignore[union-attr]
            setattr(record, name, field.get_default())  # type: ignore[union-attr]
        else:
            setattr(record, name, value)


def place(record: models.Model) -> None:
    """Give a record without an area the area of its site or station."""
    if isinstance(record, Record) and not record.division_code:
        for parent in ("station", "site", "organisation", "grid"):
            other = getattr(record, parent, None) if any(f.name == parent for f in record._meta.fields) else None
            if other is not None and other.division_code:
                record.division_code = other.division_code
                return


def demand_write(record: models.Model, asker: Asker, before: dict[str, Any]) -> None:
    """The asker must hold the ledger's right where the row was and where it will be; roles beyond one's own need ``admin``."""
    right, field = ledger_of(type(record)).right, code_field(type(record))
    asker.demand(right, getattr(record, field))
    if before:
        asker.demand(right, before[field])
    if record._meta.model_name == "post":
        for role, code in {(before.get("role", ""), before.get(field, "")), (getattr(record, "role", ""), getattr(record, field))}:
            if any(not asker.may(r, code) for r in RIGHTS.get(role, ())):
                asker.demand("admin", code)
