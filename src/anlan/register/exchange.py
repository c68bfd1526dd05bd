"""Ledgers out to and in from Excel and CSV, for every model that says of itself what it is (`LEDGER`).

In: the good rows are taken, the others come back in a file of the same kind with the reason (zh, en) naming
field, value and remedy. Rows are matched by id or natural key (`NATURAL`), so the same file twice changes
nothing. Coordinates need their ``source_crs`` (wgs84, cgcs2000, gcj02, bd09): there is no default, because a
guess shifts points by 500 m. A blank cell empties a field that may be empty and leaves others as they are;
a column that is not there changes nothing.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import models

from ..base.errors import AnlanError, FieldError
from ..base.geo import SOURCE_CRS
from ..engines.outbox import acting, emit
from ..engines.records import Record
from .cells import words_of
from .feeds import EXTRAS
from .intake import Intake, natural_key
from .scope import Asker
from .sheets import MIME, read_table, write_table

__all__ = ["MIME", "Outcome", "export_ledger", "import_ledger", "ledger_models", "template"]

REASON = ("原因", "Reason")
SHOWN = 50  # rejections told in the answer; the file has all


@dataclass(slots=True)
class Outcome:
    """What an import did. ``rejected_file`` holds the rejected rows with their reasons (None when all went in)."""

    ledger: str
    dry_run: bool
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    reasons: list[dict[str, Any]] = field(default_factory=list)  # [{row, field, value, zh, en}], the first ones
    warnings: list[dict[str, str]] = field(default_factory=list)
    rejected_file: bytes | None = None
    rejected_name: str = ""

    @property
    def accepted(self) -> int:
        """Rows taken: new, changed, or there already."""
        return self.created + self.updated + self.unchanged

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, without the file."""
        names = ("ledger", "dry_run", "accepted", "created", "updated", "unchanged", "rejected", "reasons", "warnings", "rejected_name")
        return {name: getattr(self, name) for name in names}


def ledger_models() -> dict[str, type[models.Model]]:
    """Ledger name (the model's name in lower case) to its model."""
    found = {str(m._meta.model_name): m for m in apps.get_models() if m.__module__.startswith("anlan.") and getattr(m, "LEDGER", None)}
    return dict(sorted(found.items()))


def ledger_model(name: str) -> type[models.Model]:
    """The model of a ledger; ``register.not_found`` lists what there is."""
    try:
        return ledger_models()[name]
    except KeyError:
        known = ledger_models()
        raise AnlanError(
            "register.not_found", f"没有台账 {name}；可用：{'、'.join(known)}", f"no ledger {name}; known: {', '.join(known)}"
        ) from None


class _DryRun(Exception):
    """Leaves the transaction of a dry run."""


def import_ledger(
    name: str, data: bytes, filename: str, *, actor: str, asker: Asker | None = None, dry_run: bool = False, source_crs: str = ""
) -> Outcome:
    """Take a file into a ledger. With an `asker`, each row must lie where they hold the ledger's right.

    `source_crs` stands for files without that column. Raises ``register.bad_file``, ``register.not_importable``
    or a FieldError for a header that cannot be used; a bad row never stops the others.
    """
    model = ledger_model(name)
    if not model.LEDGER.editable:  # type: ignore[attr-defined]
        raise AnlanError(
            "register.not_importable",
            f"台账“{model.LEDGER.zh}”由流程产生，不能导入",  # type: ignore[attr-defined]
            f"the ledger {model.LEDGER.en} is made by its workflow and cannot be imported",  # type: ignore[attr-defined]
        )
    if source_crs and source_crs not in SOURCE_CRS:
        raise FieldError("source_crs", source_crs, f"应为 {'/'.join(SOURCE_CRS)}", f"must be one of {', '.join(SOURCE_CRS)}")
    table = read_table(data, filename)
    outcome = Outcome(name, dry_run)
    intake = Intake(model, table, asker, source_crs)
    try:
        with acting(actor):
            intake.run()
            if dry_run:
                raise _DryRun
            if intake.created or intake.updated:
                payload = {"ledger": name, "created": intake.created, "updated": intake.updated}
                emit(f"register.{name}.imported", name, payload, key=f"register.{name}.imported:{secrets.token_hex(8)}")
    except _DryRun:
        pass
    outcome.created, outcome.updated, outcome.unchanged = intake.created, intake.updated, intake.unchanged
    outcome.rejected, outcome.warnings = len(intake.rejected), intake.warnings
    bad = sorted(intake.rejected.items())
    outcome.reasons = [
        {"row": table.first + i, "field": e.facts.get("field", ""), "value": e.facts.get("value", ""), "zh": e.zh, "en": e.en}
        for i, e in bad[:SHOWN]
    ]
    if bad:
        keep = [i for i, title in enumerate(table.header) if title not in REASON]
        header = [*(table.header[i] for i in keep), *REASON]
        rows = [[*(_at(table.rows[i], k) for k in keep), e.zh, e.en] for i, e in bad]
        outcome.rejected_file = write_table(table.format, header, rows)
        outcome.rejected_name = f"{filename.rpartition('.')[0] or filename}-rejected.{table.format}"
    return outcome


def _at(row: list[Any], index: int) -> Any:
    return row[index] if index < len(row) else None


def template(name: str, kind: str = "xlsx", lang: str = "zh") -> bytes:
    """An empty file with the right header; the Excel one explains each column on a second sheet."""
    model = ledger_model(name)
    fields = [model._meta.get_field(n) for n in model.LEDGER.editable]  # type: ignore[attr-defined]
    header = [_title(f, lang) for f in fields]
    notes: list[list[Any]] = [["列 Column", "中文", "English", "必填 Required", "可填 Values"]]
    key = natural_key(model)
    for f in fields:
        required = f.name in key or not (f.blank or f.null or f.has_default())
        values = "、".join(f"{v}（{zh}）" for v, (zh, _) in words_of(f).items()) or _hint(f)
        notes.append([f.name, *_labels(f), "是 yes" if required else "", values])
    if _has_coordinates(model):
        header.append("source_crs")
        notes.append(["source_crs", "坐标系", "Source CRS", "有坐标时必填", " / ".join(SOURCE_CRS)])
    for extra, (zh, en, hint) in EXTRAS.get(name, {}).items():
        header.append(extra)
        notes.append([extra, zh, en, "", hint])
    return write_table(kind, header, [], notes if kind == "xlsx" else ())


def _labels(f: Any) -> tuple[str, str]:
    zh, _, en = str(f.verbose_name).partition("|")
    return zh, en or f.name


def _title(f: Any, lang: str) -> str:
    return _labels(f)[0 if lang == "zh" else 1] if "|" in str(f.verbose_name) else str(f.name)


def _hint(f: Any) -> str:
    if isinstance(f, models.ForeignKey):
        return f"编码、名称或编号（{f.related_model._meta.model_name}） code, name or id"
    return {"BooleanField": "是/否", "DateTimeField": "2026-06-14 14:05"}.get(type(f).__name__, "")


def _has_coordinates(model: type[models.Model]) -> bool:
    return {"lon", "lat"} <= set(model.LEDGER.editable)  # type: ignore[attr-defined]


def export_ledger(name: str, kind: str = "xlsx", *, rows: models.QuerySet[Any] | None = None, lang: str = "zh") -> bytes:
    """A ledger (or the given rows of it) as a file that `import_ledger` takes back unchanged."""
    model = ledger_model(name)
    ledger = model.LEDGER  # type: ignore[attr-defined]
    names = list(dict.fromkeys([*ledger.editable, *(c for c in ledger.columns if "secret" not in c)]))
    fields = [model._meta.get_field(n) for n in names]
    header = [_title(f, lang) for f in fields]
    by_id = issubclass(model, Record)
    if by_id:
        header.insert(0, "id")
    if _has_coordinates(model):
        header.append("source_crs")
    chosen = model._default_manager.order_by(*ledger.order) if rows is None else rows
    return write_table(kind, header, _cells(model, fields, chosen, by_id))


def _cells(model: type[models.Model], fields: list[Any], rows: models.QuerySet[Any], by_id: bool) -> Iterator[list[Any]]:
    refs = {f.attname: _names_of(f.related_model) for f in fields if isinstance(f, models.ForeignKey)}
    extra = ["wgs84"] if _has_coordinates(model) else []
    for row in rows.iterator(chunk_size=2000):
        values = [refs[f.attname].get(getattr(row, f.attname), "") if f.attname in refs else _shown(getattr(row, f.name)) for f in fields]
        yield [*([row.pk] if by_id else []), *values, *extra]


def _shown(value: Any) -> Any:
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return value if isinstance(value, int | float | str | datetime) else ("" if value is None else str(value))


def _names_of(model: Any) -> dict[str, str]:
    """Id to the shortest name that means only this row: its code or name, else the id itself."""
    key = natural_key(model)[0]
    pairs: Iterable[tuple[str, str]] = model._default_manager.values_list("pk", key)
    found = list(pairs)
    count: dict[str, int] = {}
    for _, text in found:
        count[text] = count.get(text, 0) + 1
    return {pk: text if text and count[text] == 1 else pk for pk, text in found}
