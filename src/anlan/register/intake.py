"""The rows of one file on their way into one ledger: matched, checked, stored in bulk; bad ones put aside with their reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from django.db import DatabaseError, connection, models, transaction
from django.db.models import Q

from ..base.division import covers
from ..base.errors import AnlanError, FieldError
from ..base.geo import SOURCE_CRS, to_wgs84
from ..base.ids import new_id
from ..engines.records import Record
from .cells import parse
from .feeds import EXTRAS, Feeds
from .models import Division, Site
from .scope import Asker, area
from .sheets import Table

CRS_NAMES = ("source_crs", "坐标系", "source crs")
IGNORED = ("原因", "reason", "")
BATCH = 2000


def natural_key(model: Any) -> tuple[str, ...]:
    """The fields by which a row is known: the model's `NATURAL`, a unique field, or all that a form may write."""
    given = getattr(model, "NATURAL", None)
    if given:
        return tuple(given)
    unique = [f.name for f in model._meta.fields if f.unique and not f.primary_key and f.name in model.LEDGER.editable]
    plain = [n for n in model.LEDGER.editable if not isinstance(model._meta.get_field(n), models.JSONField | models.FloatField)]
    return (unique[0],) if unique else tuple(plain)


class Intake:
    """One import. After `run`: ``created, updated, unchanged``, ``rejected`` (row position to error), ``warnings``."""

    def __init__(self, model: type[models.Model], table: Table, asker: Asker | None, source_crs: str):
        self.model, self.table, self.asker, self.source_crs = model, table, asker, source_crs
        self.name = str(model._meta.model_name)
        self.rejected: dict[int, AnlanError] = {}
        self.warnings: list[dict[str, str]] = []
        self.created = self.updated = self.unchanged = 0
        self.extras = EXTRAS.get(self.name, {})
        self.feeds = Feeds()
        self.fields = {n: model._meta.get_field(n) for n in model.LEDGER.editable}  # type: ignore[attr-defined]
        self.columns: dict[str, int] = {}  # field (or id, source_crs, an extra) to column
        self.key = natural_key(model)
        self.right = "admin" if self.name == "post" else model.LEDGER.right  # type: ignore[attr-defined]  # posts hand out roles

    def run(self) -> None:
        """Everything, inside the caller's transaction; two imports of one ledger wait for each other."""
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"anlan.import.{self.name}"])
        self._match_header()
        self._load_references()
        values: dict[int, dict[str, Any]] = {}
        for i, row in enumerate(self.table.rows):
            if any(c not in (None, "") for c in row):
                self._guarded(i, lambda i=i, row=row: values.__setitem__(i, self._parse_row(row)))  # type: ignore[misc]
        self._convert_coordinates(values)
        self._store(self._match_rows(values), values)
        self.feeds.store(BATCH)

    def _guarded(self, i: int, work: Callable[[], None]) -> None:
        try:
            work()
        except AnlanError as error:
            self.rejected[i] = error

    # header and references

    def _match_header(self) -> None:
        known: dict[str, str] = {"id": "id", "编号": "id"} if issubclass(self.model, Record) else {}
        readable = [f for f in self.model._meta.fields if f.name in self.model.LEDGER.columns]  # type: ignore[attr-defined]
        passed = {w.lower() for f in readable if f.name not in self.fields for w in (f.name, *str(f.verbose_name).split("|"))}
        for f in self.fields.values():
            for word in (f.name, *str(getattr(f, "verbose_name", f.name)).split("|")):
                known.setdefault(word.lower(), f.name)
        if {"lon", "lat"} <= set(self.fields):
            known |= dict.fromkeys(CRS_NAMES, "source_crs")
        for extra, words in self.extras.items():
            known |= {w.lower(): extra for w in (extra, *words[:2])}
        for at, title in enumerate(self.table.header):
            name = known.get(title.rstrip(" *＊").lower())
            if name in self.columns:
                raise FieldError("header", title, "此列出现了两次", "this column stands twice", code="register.bad_file")
            if name:
                self.columns[name] = at
            elif title.lower() not in IGNORED and title.lower() not in passed:
                zh, en = f"不认识的列“{title}”，已忽略", f"unknown column '{title}', ignored"
                self.warnings.append({"column": title, "zh": zh, "en": en})
        missing = [n for n in self.key if n not in self.columns and n in self.fields and not self._may_be_empty(n)]
        if missing and "id" not in self.columns:
            raise FieldError(
                "header",
                "、".join(missing),
                f"缺少必填列；请用模板（表头：{'、'.join(self.fields)}）",
                f"required columns are missing; use the template (header: {', '.join(self.fields)})",
                code="register.bad_file",
            )

    def _may_be_empty(self, name: str) -> bool:
        f: Any = self.fields[name]
        return bool(f.null or f.blank or f.has_default())

    def _cells(self, name: str) -> set[str]:
        at = self.columns[name]
        return {str(row[at]).strip() for row in self.table.rows if at < len(row) and row[at] not in (None, "")}

    def _load_references(self) -> None:
        """Ids of everything that the file names, in one query a column."""
        self.references: dict[str, dict[str, list[str]]] = {}
        for name, f in self.fields.items():
            if isinstance(f, models.ForeignKey) and name in self.columns:
                self.references[name] = self._names(f.related_model, self._cells(name))
        if self.name == "responsibility" and "object_id" in self.columns:
            self.references["object_id"] = self._names(Site, self._cells("object_id"))
        if "feeds" in self.columns:
            self.feeds.load(self._cells("feeds"), self.asker, self.right)
        self.divisions = set(Division.objects.values_list("code", flat=True))
        self.site_area: dict[str, str] = {}
        if "site" in self.references:
            ids = {pk for found in self.references["site"].values() for pk in found}
            self.site_area = dict(Site.objects.filter(pk__in=ids).values_list("pk", "division_code"))

    def _names(self, model: Any, texts: set[str]) -> dict[str, list[str]]:
        """Text (id or name) to the ids that it means, among the rows that the asker may see."""
        key, rows = natural_key(model)[0], model._default_manager.all()
        if self.asker is not None and issubclass(model, Record):
            rows = rows.filter(area(self.asker.scopes) | Q(division_code=""))
        found: dict[str, list[str]] = {}
        for pk in rows.filter(pk__in=texts).values_list("pk", flat=True):
            found[pk] = [pk]
        for pk, text in rows.filter(**{f"{key}__in": texts}).values_list("pk", key):
            if pk not in found.setdefault(text, []) and found[text] != [text]:
                found[text].append(pk)
        return found

    # rows

    def _parse_row(self, row: list[Any]) -> dict[str, Any]:
        """The values that a row gives, by field; blank ones are None."""
        if len(row) > len(self.table.header) and any(c not in (None, "") for c in row[len(self.table.header) :]):
            width = len(self.table.header)
            raise FieldError("row", row[width:], f"比表头多出单元格（表头 {width} 列）", f"more cells than the header's {width} columns")
        out: dict[str, Any] = {}
        for name, at in self.columns.items():
            cell = row[at] if at < len(row) else None
            if cell is None or (isinstance(cell, str) and not cell.strip()):
                out[name] = None
            elif name in ("id", "source_crs"):
                out[name] = str(cell).strip()
            elif name in self.extras:
                out[name] = self.feeds.parse(name, str(cell))
            elif name in self.references and name != "object_id":
                out[name] = self._reference(name, str(cell).strip())
            else:
                out[name] = parse(self.fields[name], cell)
        if out.get("object_id"):
            out["object_id"] = self._object(str(out["object_id"]))
        self._check_area(out)
        if (out.get("lon") is None) != (out.get("lat") is None):
            raise FieldError(
                "lat" if out.get("lat") is None else "lon", "", "经度和纬度要么都填，要么都不填", "give both longitude and latitude"
            )
        if out.get("lon") is not None:
            crs = (out.get("source_crs") or self.source_crs).lower()
            if crs not in SOURCE_CRS:
                raise FieldError(
                    "source_crs",
                    crs,
                    f"有坐标就必须注明坐标系：{'、'.join(SOURCE_CRS)}（没有默认值）",
                    f"coordinates need their system: one of {', '.join(SOURCE_CRS)} (there is no default)",
                    code="register.no_crs",
                )
            out["source_crs"] = crs
        return out

    def _reference(self, name: str, text: str) -> str:
        found = self.references[name].get(text, [])
        if len(found) == 1:
            return found[0]
        if not found:
            raise FieldError(
                name,
                text,
                "没有登记，或不在您的辖区内；请先登记或改正",
                "is not registered, or lies outside your area; register it first or correct it",
                code="register.no_reference",
            )
        raise FieldError(
            name, text, f"有 {len(found)} 个同名，请填编号", f"names {len(found)} rows; give the id", code="register.ambiguous"
        )

    def _object(self, text: str) -> str:
        found = self.references["object_id"].get(text)
        if found:
            return found[0]
        if text in self.divisions or "-" in text:
            return text
        raise FieldError("object_id", text, "应为监测对象编码、编号或区划代码", "must be a site's code, an id, or a division code")

    def _check_area(self, out: dict[str, Any]) -> None:
        code = out.get("division_code")
        if code and self.divisions and code not in self.divisions:
            raise FieldError(
                "division_code", code, "没有此区划，请先导入区划或改正", "no such division; import divisions first or correct it"
            )
        if not code and "division_code" in self.fields and out.get("site"):
            out["division_code"] = self.site_area.get(str(out["site"]), "") or None

    def _convert_coordinates(self, values: dict[int, dict[str, Any]]) -> None:
        """All coordinates to WGS-84, one system at a time."""
        for crs in SOURCE_CRS:
            rows = [v for v in values.values() if v.get("lon") is not None and v["source_crs"] == crs]
            if rows and crs not in ("wgs84", "cgcs2000"):
                lon, lat = to_wgs84(np.array([r["lon"] for r in rows]), np.array([r["lat"] for r in rows]), crs)
                for row, x, y in zip(rows, lon.tolist(), lat.tolist(), strict=True):
                    row["lon"], row["lat"] = round(x, 7), round(y, 7)

    # matching and storing

    def _key_of(self, get: Callable[[str], Any]) -> tuple[Any, ...]:
        return tuple(get(n) for n in self.key)

    def _existing(self, values: dict[int, dict[str, Any]]) -> tuple[dict[Any, Any], dict[Any, Any]]:
        """Stored rows that the file may mean, by id and by natural key."""
        ids = {v["id"] for v in values.values() if v.get("id")}
        by_id = {r.pk: r for r in self.model._default_manager.filter(pk__in=ids)} if ids else {}
        first: Any = self.fields.get(self.key[0])
        texts = {v.get(self.key[0]) for v in values.values()} - {None}
        attname = first.attname if first is not None else self.key[0]
        rows = self.model._default_manager.filter(**{f"{attname}__in": texts})
        attnames = {n: self.model._meta.get_field(n).attname for n in self.key}  # type: ignore[union-attr]
        return by_id, {self._key_of(lambda n, r=r: getattr(r, attnames[n])): r for r in rows}  # type: ignore[misc]

    def _match_rows(self, values: dict[int, dict[str, Any]]) -> list[tuple[int, Any, bool]]:
        """(position, instance with the new values, whether it is new) of each good row that changes something."""
        by_id, by_key = self._existing(values)
        seen: dict[Any, int] = {}
        out: list[tuple[int, Any, bool]] = []
        for i, given in values.items():
            self._guarded(i, lambda i=i, given=given: self._match_row(i, given, by_id, by_key, seen, out))  # type: ignore[misc]
        return out

    def _match_row(
        self, i: int, given: dict[str, Any], by_id: Any, by_key: Any, seen: dict[Any, int], out: list[tuple[int, Any, bool]]
    ) -> None:
        key = self._key_of(lambda n: self._filled(n, given.get(n)))
        row = by_id.get(given.get("id")) if given.get("id") else None
        if given.get("id") and row is None:
            raise FieldError("id", given["id"], "没有此编号；新记录请把编号留空", "no such id; leave it blank for a new row")
        row = row or by_key.get(key)
        mark = row.pk if row is not None else key
        if mark in seen:
            at = self.table.first + seen[mark]
            raise FieldError(self.key[0], given.get(self.key[0]), f"与第 {at} 行重复", f"repeats row {at}", code="register.repeated_row")
        seen[mark] = i
        new = row is None
        row = self.model() if row is None else row
        before = None if new else {f.attname: getattr(row, f.attname) for f in self.model._meta.concrete_fields}
        self._demand(row, new)
        for name in self.fields:
            if name in given:
                self._set(row, name, given[name], new)
        if given.get("division_code") and new:
            row.division_code = given["division_code"]
        self._demand(row, False)
        self._prepare(row, new)
        if before is not None and all(getattr(row, k) == v for k, v in before.items()):
            self.unchanged += 1
            self.feeds.add(row.pk, given)
            return
        out.append((i, row, new))

    def _filled(self, name: str, value: Any) -> Any:
        if value is not None:
            return value
        f: Any = self.model._meta.get_field(name)
        return f.get_default() if f.has_default() and not f.null else (None if f.null else "")

    def _set(self, row: Any, name: str, value: Any, new: bool) -> None:
        f: Any = self.fields[name]
        if value is None:
            if f.null:
                setattr(row, f.attname, None)
            elif f.blank and isinstance(f, models.CharField | models.TextField):
                setattr(row, name, "")
            elif new and not f.has_default() and name != "division_code":
                raise FieldError(name, "", "必填", "is required", code="register.required")
            return
        setattr(row, f.attname if isinstance(f, models.ForeignKey) else name, value)

    def _prepare(self, row: Any, new: bool) -> None:
        if new:
            for name, f in self.fields.items():
                required = not (f.null or f.blank or f.has_default())  # type: ignore[union-attr]
                if required and getattr(row, getattr(f, "attname", name)) in (None, ""):
                    raise FieldError(name, "", "必填", "is required", code="register.required")
        if isinstance(row, Division) and not row.level:
            from ..base.division import level

            row.level = level(row.code)
        if hasattr(row, "prepare"):
            row.prepare()
        if isinstance(row, Record) and not row.id:
            row.id = new_id(row.KIND)

    def _demand(self, row: Any, new: bool) -> None:
        """The asker holds the ledger's right where the row lies (before and after the change)."""
        if new:
            return
        code = getattr(row, "division_code", None) if isinstance(row, Record) else getattr(row, "code", "")
        if isinstance(row, Record) and not code:
            if "division_code" in self.fields:
                raise FieldError(
                    "division_code", "", "必填（决定谁能看到和修改）", "is required: it decides who may see and change the row"
                )
            code = ""
        if self.asker is not None:
            right = self.right
            if not any(covers(scope, code or "") for scope in self.asker.rights.get(right, ())):
                raise FieldError(
                    "division_code",
                    code,
                    f"不在您有“{right}”权限的辖区内",
                    f"lies outside the area where you hold '{right}'",
                    code="register.no_right",
                )

    def _store(self, rows: list[tuple[int, Any, bool]], values: dict[int, dict[str, Any]]) -> None:
        written = [f.name for f in self.model._meta.concrete_fields if f.name not in ("created_at", "number", self.model._meta.pk.name)]  # type: ignore[union-attr]
        for at in range(0, len(rows), BATCH):
            self._store_some(rows[at : at + BATCH], written)
        for i, row, _ in rows:
            if i not in self.rejected:
                self.feeds.add(row.pk, values[i])

    def _store_some(self, rows: list[tuple[int, Any, bool]], written: list[str]) -> None:
        """Store a batch; when the database refuses it, halve it until the bad row is alone."""
        fresh, changed = [r for _, r, new in rows if new], [r for _, r, new in rows if not new]
        try:
            with transaction.atomic():
                self.model._default_manager.bulk_create(fresh)
                if changed:
                    pk = self.model._meta.pk.name  # type: ignore[union-attr]
                    self.model._default_manager.bulk_create(changed, update_conflicts=True, unique_fields=[pk], update_fields=written)
        except DatabaseError as error:
            if len(rows) == 1:
                detail = str(error).strip().splitlines()[-1]
                self.rejected[rows[0][0]] = FieldError("row", "", f"数据库不接受：{detail}", f"the database refuses it: {detail}")
                return
            self._store_some(rows[: len(rows) // 2], written)
            self._store_some(rows[len(rows) // 2 :], written)
            return
        self.created += len(fresh)
        self.updated += len(changed)
