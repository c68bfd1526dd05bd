"""`anlan show ID`: any record by its id, with its cause; readings too."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC
from pathlib import Path
from typing import Any

import orjson

from ...base.clock import from_ms
from ...base.errors import AnlanError
from ...base.ids import kind_of, parse_reading_id
from ...base.quantity import BY_NUMBER
from .export import fields

HELP = ("按编号查看任何记录及其来由", "show any record by its id, with its cause")


def arguments(parser: argparse.ArgumentParser) -> None:
    """``ID [--data DIR] [--json]``."""
    parser.add_argument("id", help="find-… warn-… read-… 等 · any record's id, or a step of the demo such as haz-…:ordered")
    parser.add_argument("--data", type=Path, default=None, help="数据目录 · data folder (default ANLAN_DATA)")
    parser.add_argument("--json", action="store_true", help="单行 JSON · one line of JSON")


def run(args: argparse.Namespace) -> int:
    """Print the record; AnlanError when there is none."""
    from ...engines.attach import database_of

    with database_of(args.data) as url:
        record_id, _, moment = args.id.partition(":")
        found = reading(url, record_id) if kind_of(record_id) == "read" else record(url, record_id)
        if moment:
            found = {**found, "moment": happened(url, record_id, moment)}
    option = 0 if args.json else orjson.OPT_INDENT_2
    sys.stdout.buffer.write(orjson.dumps(found, option=option | orjson.OPT_APPEND_NEWLINE, default=str))
    return 0


def unknown(record_id: str) -> AnlanError:
    """The error for an id that names nothing here."""
    return AnlanError(
        "web.no_record",
        f"没有编号为 {record_id} 的记录。请核对编号，或用 --data 指定数据目录。",
        f"no record has the id {record_id}. Check it, or give the data folder with --data.",
        id=record_id,
    )


def reading(url: str, record_id: str) -> dict[str, Any]:
    """A stored reading by its name (see `base.ids.reading_id`)."""
    import psycopg

    from ...collect.store import readings

    try:
        station, quantity, time_ms = parse_reading_id(record_id)
    except ValueError:
        raise unknown(record_id) from None
    with psycopg.connect(url) as connection:
        rows = readings(connection, station, quantity, time_ms, time_ms)
        names = connection.execute("select id, code, site_id from register_station where number = %s", (station,)).fetchone()
    if not len(rows):
        raise unknown(record_id)
    measured = BY_NUMBER.get(quantity)
    return {
        "id": record_id,
        "kind": "read",
        "station": names[1] if names else str(station),
        "station_id": names[0] if names else None,
        "site": names[2] if names else None,
        "quantity": measured.name if measured else quantity,
        "unit": measured.unit if measured else None,
        "time_ms": time_ms,
        "at": from_ms(time_ms).isoformat().replace("+00:00", "Z"),
        "value": float(rows.value[0]),
        "quality": int(rows.quality[0]),
        "cause": [],
    }


def happened(url: str, record_id: str, moment: str) -> list[dict[str, Any]]:
    """The events of a record that carry this word (in their type or payload), oldest first; empty when none does."""
    import psycopg

    query = "select type, payload, cause, created_at from engines_outbox where subject = %s order by id"
    with psycopg.connect(url) as connection:
        rows = connection.execute(query, (record_id,)).fetchall()
    return [
        {"type": kind, "at": at.astimezone(UTC).isoformat().replace("+00:00", "Z"), "payload": payload, "cause": cause}
        for kind, payload, cause, at in rows
        if kind.endswith(f".{moment}") or moment in payload.values()
    ]


def record(url: str, record_id: str) -> dict[str, Any]:
    """A row of the ledger whose kind the id names."""
    from django.apps import apps

    from ...engines.project import setup

    setup(url)
    from ...engines.records import Record  # models need the configured Django

    for model in apps.get_models():
        if issubclass(model, Record) and kind_of(record_id) == model.KIND:
            row = model._default_manager.filter(pk=record_id).first()
            if row is not None:
                out = fields(row)
                return {"id": record_id, "kind": model.KIND, **out, "cause": list(out.get("cause") or [])}
    raise unknown(record_id)
