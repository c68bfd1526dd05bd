"""Bulk provisioning: sites, stations, series and devices as columns, by COPY, all or nothing.

Meant for programs (the twin, an installer, the tests); people's tables go through `exchange`,
which takes the good rows and hands back the bad ones. Running it again with the same columns
changes nothing; a changed column is updated, station numbers stay.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from ..base.block import partition_of
from ..base.clock import SystemClock
from ..base.division import normalise
from ..base.errors import FieldError
from ..base.quantity import quantity, to_si
from ..base.settings import get
from ..engines.outbox import acting
from .models import NO_SECRET, SITE_KINDS

MANY_SECRETS = 500
Columns = Mapping[str, Sequence[Any]]

# column -> (PostgreSQL type, default when the column is not given; `...` means it must be)
SITE = {
    "code": ("text", ...),
    "name": ("text", ...),
    "name_en": ("text", ""),
    "kind": ("text", ...),
    "lon": ("float8", ...),
    "lat": ("float8", ...),
    "division_code": ("text", ...),
    "geometry": ("jsonb", None),
    "warning_area": ("jsonb", None),
    "key_target": ("bool", False),
    "attributes": ("jsonb", {}),
}
STATION = {
    "code": ("text", ...),
    "name": ("text", ...),
    "name_en": ("text", ""),
    "kind": ("text", ...),
    "site": ("text", ...),
    "lon": ("float8", ...),
    "lat": ("float8", ...),
    "division_code": ("text", None),  # default: the site's
    "interval_s": ("float8", 300.0),
    "enabled": ("bool", True),
}
DEVICE = {
    "client_id": ("text", ...),
    "username": ("text", None),  # default: the client id
    "secret_hash": ("text", NO_SECRET),
    "kind": ("text", "sensor"),
    "protocol": ("text", "mqtt"),
    "name": ("text", ""),
    "site": ("text", None),
    "lon": ("float8", None),
    "lat": ("float8", None),
    "reach_m": ("float8", None),
    "division_code": ("text", None),  # default: the site's
    "enabled": ("bool", True),
}
SERIES = {
    "station": ("text", ...),
    "quantity": ("int2", ...),
    "low": ("float8", None),
    "high": ("float8", None),
    "noise": ("float8", None),
    "device": ("text", None),
    "key": ("text", None),
    "unit": ("text", ""),
}


@dataclass(frozen=True, slots=True)
class Provisioned:
    """Rows given per table, and the number of every station given (by code)."""

    sites: int
    stations: int
    series: int
    devices: int
    numbers: dict[str, int]


def provision(
    *,
    actor: str,
    sites: Columns | None = None,
    stations: Columns | None = None,
    devices: Columns | None = None,
    series: Columns | None = None,
) -> Provisioned:
    """Store the columns in one transaction; FieldError names the first column and value that cannot be taken.

    Columns are those of `SITE`, `STATION`, `DEVICE` and `SERIES`. ``site``, ``station`` and ``device``
    hold codes and client ids, ``quantity`` names, coordinates are WGS-84 degrees. ``devices`` may hold
    ``secret`` (plain text, hashed here, equal secrets once) instead of ``secret_hash``; a device with
    neither cannot log in. A series may name the ``device`` that feeds it, its payload ``key`` (default
    the quantity's name) and ``unit`` (default SI).
    """
    tables = [_site_rows(sites), _rows("stations", STATION, stations), _device_rows(devices), _series_rows(series)]
    with acting(actor), connection.cursor() as cursor:
        for (name, spec, rows), store in zip(tables, (_store_sites, _store_stations, _store_devices, _store_series), strict=True):
            if rows:
                _copy(cursor, name, spec, rows)
                store(cursor, SystemClock().now())
        numbers: dict[str, int] = {}
        if tables[1][2]:
            cursor.execute("select s.code, s.number from register_station s join load_stations l on l.code = s.code")
            numbers = dict(cursor.fetchall())
    given_sites, given_stations, given_devices, given_series = (len(rows) for _, _, rows in tables)
    return Provisioned(given_sites, given_stations, given_series, given_devices, numbers)


Spec = dict[str, tuple[str, Any]]
Loaded = tuple[str, Spec, list[tuple[Any, ...]]]


def _rows(name: str, spec: Spec, columns: Columns | None) -> Loaded:
    """Columns as checked rows in the order of `spec`."""
    if not columns:
        return name, spec, []
    for column in columns:
        if column not in spec:
            raise FieldError(f"{name}.{column}", "", f"没有此列；可用：{'、'.join(spec)}", f"no such column; known: {', '.join(spec)}")
    for column, (_, default) in spec.items():
        if default is ... and column not in columns:
            raise FieldError(f"{name}.{column}", "", "缺少此列", "this column is required")
    lengths = {column: len(values) for column, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise FieldError(name, lengths, "各列长度必须相同", "all columns must have the same length")
    count = next(iter(lengths.values()))
    cells = [
        _cells(f"{name}.{c}", kind, columns[c]) if c in columns else [_cell(kind, default)] * count for c, (kind, default) in spec.items()
    ]
    return name, spec, list(zip(*cells, strict=True))


def _cell(kind: str, value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if kind == "jsonb" and value is not None else value


def _cells(label: str, kind: str, values: Sequence[Any]) -> list[Any]:
    """One column, checked: finite coordinates in range, known divisions."""
    out = [_cell(kind, v.item() if hasattr(v, "item") else v) for v in values]
    column = label.partition(".")[2]
    limit = {"lon": 180.0, "lat": 90.0}.get(column)
    if kind == "float8":
        for value in out:
            if value is not None and (not math.isfinite(value) or (limit is not None and abs(value) > limit)):
                raise FieldError(
                    label, value, "应为有限数（经度 ±180，纬度 ±90）", "must be finite (longitude within 180, latitude within 90)"
                )
    if column == "division_code":
        codes = {code: normalise(code) for code in set(out) if code}
        out = [codes.get(code) if code else None for code in out]
    if column in ("code", "client_id"):
        seen: set[str] = set()
        for value in out:
            if not value or value in seen:
                raise FieldError(label, value, "不能为空或重复", "must not be empty or repeated")
            seen.add(value)
    return out


def _site_rows(columns: Columns | None) -> Loaded:
    name, spec, rows = _rows("sites", SITE, columns)
    kinds = {kind for kind, _ in SITE_KINDS}
    at = list(spec).index("kind")
    for row in rows:
        if row[at] not in kinds:
            raise FieldError("sites.kind", row[at], f"应为 {'、'.join(sorted(kinds))}", f"must be one of {', '.join(sorted(kinds))}")
    partitions = get("PARTITIONS")
    return name, {**spec, "partition": ("int2", 0)}, [(*row, partition_of(row[0], partitions)) for row in rows]


def _device_rows(columns: Columns | None) -> Loaded:
    if columns and "secret" in columns:
        from .credentials import COST, hash_secret

        given = {secret for secret in columns["secret"] if secret}
        cost = 2 if len(given) > MANY_SECRETS else COST  # so many are machine-made, see `credentials`
        hashes = {secret: hash_secret(secret, cost) for secret in given}
        columns = {
            **{c: v for c, v in columns.items() if c != "secret"},
            "secret_hash": [hashes.get(s, NO_SECRET) for s in columns["secret"]],
        }
    return _rows("devices", DEVICE, columns)


def _series_rows(columns: Columns | None) -> Loaded:
    if columns and "quantity" in columns:
        names = list(columns["quantity"])
        for name, unit in set(zip(names, columns.get("unit") or [""] * len(names), strict=False)):
            if unit:
                to_si(0.0, unit, quantity(name))
        numbers = {name: quantity(name).number for name in set(names)}
        columns = {**columns, "quantity": [numbers[n] for n in names]}
        if "device" in columns:
            keys = columns.get("key") or [None] * len(names)
            columns["key"] = [key or name for key, name in zip(keys, names, strict=False)]  # type: ignore[index]
    return _rows("series", SERIES, columns)


def _copy(cursor: Any, name: str, spec: Spec, rows: list[tuple[Any, ...]]) -> None:
    cursor.execute(f"drop table if exists pg_temp.load_{name}")
    cursor.execute(f"create temp table load_{name} ({', '.join(f'{c} {kind}' for c, (kind, _) in spec.items())}) on commit drop")
    with cursor.copy(f"copy load_{name} ({', '.join(spec)}) from stdin") as copy:
        for row in rows:
            copy.write_row(row)
    cursor.execute(f"analyze load_{name}")


def _must_not(cursor: Any, field: str, zh: str, en: str, query: str) -> None:
    """FieldError with the first value that `query` finds."""
    cursor.execute(query + " limit 1")
    found = cursor.fetchone()
    if found:
        raise FieldError(field, found[0], zh, en)


def _merge(cursor: Any, table: str, key: str, columns: dict[str, str], source: str, now: Any, extra: dict[str, str]) -> None:
    """Update the changed rows of `table`, then insert the new ones. `columns` and `extra` (insert only) map to SQL of `source`."""
    names = [c for c in columns if c != key]
    stored, given = ", ".join(f"t.{c}" for c in names), ", ".join(columns[c] for c in names)
    cursor.execute(
        f"update {table} t set {', '.join(f'{c} = {columns[c]}' for c in names)}, updated_at = %s from {source} "
        f"where t.{key} = {columns[key]} and ({stored}) is distinct from ({given})",
        [now],
    )
    both = {**columns, **extra}
    cursor.execute(
        f"insert into {table} ({', '.join(both)}, created_at, updated_at, cause) "
        f"select {', '.join(both.values())}, %s, %s, '{{}}' from {source} "
        f"where not exists (select 1 from {table} t where t.{key} = {columns[key]})",
        [now, now],
    )


def _store_sites(cursor: Any, now: Any) -> None:
    columns = {c: f"l.{c}" for c in (*SITE, "partition")}
    _merge(cursor, "register_site", "code", columns, "load_sites l", now, {"id": "'site-' || l.code"})


def _store_stations(cursor: Any, now: Any) -> None:
    _must_not(
        cursor,
        "stations.site",
        "没有此监测对象，请先登记",
        "no such site; register it first",
        "select l.site from load_stations l left join register_site s on s.code = l.site where s.id is null",
    )
    columns = {c: f"l.{c}" for c in STATION if c not in ("site", "division_code")}
    columns |= {"site_id": "s.id", "division_code": "coalesce(l.division_code, s.division_code)"}
    source = "load_stations l join register_site s on s.code = l.site"
    _merge(cursor, "register_station", "code", columns, source, now, {"id": "'station-' || l.code", "live": "false"})


def _store_devices(cursor: Any, now: Any) -> None:
    _must_not(
        cursor,
        "devices.site",
        "没有此监测对象，请先登记",
        "no such site; register it first",
        "select l.site from load_devices l left join register_site s on s.code = l.site where l.site <> '' and s.id is null",
    )
    columns = {c: f"l.{c}" for c in DEVICE if c not in ("site", "division_code", "username", "secret_hash")}
    columns |= {
        "site_id": "s.id",
        "division_code": "coalesce(l.division_code, s.division_code, '')",
        "username": "coalesce(l.username, l.client_id)",
    }
    extra = {"id": "'device-' || l.client_id", "secret_hash": "l.secret_hash"}
    _merge(cursor, "register_device", "client_id", columns, "load_devices l left join register_site s on s.code = l.site", now, extra)
    cursor.execute(
        "update register_device t set secret_hash = l.secret_hash from load_devices l "
        "where t.client_id = l.client_id and l.secret_hash <> %s and t.secret_hash <> l.secret_hash",
        [NO_SECRET],
    )


def _store_series(cursor: Any, now: Any) -> None:
    missing = "没有登记，请先登记", "is not registered; register it first"
    for field, table, column in (("station", "register_station", "code"), ("device", "register_device", "client_id")):
        query = f"select l.{field} from load_series l left join {table} t on t.{column} = l.{field} where l.{field} <> '' and t.id is null"
        _must_not(cursor, f"series.{field}", *missing, query)
    cursor.execute(
        "insert into register_series (station_id, quantity, low, high, noise) select s.id, l.quantity, l.low, l.high, l.noise "
        "from load_series l join register_station s on s.code = l.station on conflict (station_id, quantity) do update "
        "set low = excluded.low, high = excluded.high, noise = excluded.noise where (register_series.low, register_series.high, "
        "register_series.noise) is distinct from (excluded.low, excluded.high, excluded.noise)"
    )
    cursor.execute(
        "insert into register_deviceseries (device_id, key, series_id, unit) select d.id, l.key, r.id, l.unit from load_series l "
        "join register_device d on d.client_id = l.device join register_station s on s.code = l.station "
        "join register_series r on r.station_id = s.id and r.quantity = l.quantity on conflict (device_id, key) do update "
        "set series_id = excluded.series_id, unit = excluded.unit where (register_deviceseries.series_id, register_deviceseries.unit) "
        "is distinct from (excluded.series_id, excluded.unit)"
    )
