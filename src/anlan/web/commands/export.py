"""`anlan export`: what is stored, one JSON object a line; the platform may be running or not."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from ...base.clock import SystemClock, from_ms, to_ms
from ...base.errors import FieldError
from ...base.quantity import BY_NUMBER

HELP = ("导出读数、通知、预警", "export readings, notices or warnings as lines of JSON")
FOR_EVER_MS = 1 << 60
AGO = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LEDGERS = {"notices": ("notify", "Notice", "created_at"), "warnings": ("issue", "HazardWarning", "issued_at")}


def arguments(parser: argparse.ArgumentParser) -> None:
    """``readings|notices|warnings --data DIR --since T [--until T] --ndjson``."""
    parser.add_argument("what", choices=["readings", *LEDGERS])
    parser.add_argument("--data", type=Path, default=None, help="数据目录 · data folder (default ANLAN_DATA)")
    parser.add_argument("--since", default="", help="起始时间 · from this time: ISO 8601, UTC milliseconds, or 90s 10m 2h 7d ago")
    parser.add_argument("--until", default="", help="截止时间 · to this time, in the same forms (default: the end)")
    parser.add_argument("--ndjson", action="store_true", help="每行一个 JSON（默认）· one JSON object a line (always so)")


def run(args: argparse.Namespace) -> int:
    """Write the lines to standard output."""
    from ...engines.attach import database_of

    since, until = when("since", args.since), when("until", args.until)
    with database_of(args.data) as url:
        lines = readings(url, since, until) if args.what == "readings" else records(url, args.what, since, until)
        try:
            for line in lines:
                sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            sys.stderr.close()
    return 0


def when(field: str, text: str) -> datetime | None:
    """A time of the command line as aware UTC: ISO 8601 (without a zone it is UTC), milliseconds since 1970, or so long ago (``10m``).

    None where nothing was given; FieldError says the forms.
    """
    if not text:
        return None
    ago = re.fullmatch(r"-?(\d{1,6})([smhd])", text.strip())
    try:
        if ago:
            return SystemClock().now() - timedelta(**{AGO[ago[2]]: int(ago[1])})
        if re.fullmatch(r"\d{11,14}", text.strip()):
            return from_ms(int(text))
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise FieldError(
            field,
            text,
            "应为 ISO 8601 时间（2026-11-23T08:00:00Z）、UTC 毫秒数，或多久以前（90s、10m、2h、7d）",
            "use an ISO 8601 time (2026-11-23T08:00:00Z), UTC milliseconds, or how long ago (90s, 10m, 2h, 7d)",
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def readings(url: str, since: datetime | None, until: datetime | None) -> Iterator[bytes]:
    """Lines ``station`` (code), ``quantity`` (name), ``time_ms`` (UTC), ``value`` (SI), ``quality``; a series at a time."""
    import psycopg

    from ...collect.everything import all_readings

    with psycopg.connect(url) as connection:
        codes: dict[int, str] = dict(connection.execute("select number, code from register_station").fetchall())
    span = (to_ms(since) if since else -FOR_EVER_MS, to_ms(until) if until else FOR_EVER_MS)
    for (station, number), rows in all_readings(url, *span):
        quantity = BY_NUMBER[number].name if number in BY_NUMBER else number
        head = {"station": codes.get(station, str(station)), "quantity": quantity}
        columns = zip(rows.time_ms.tolist(), rows.value.tolist(), rows.quality.tolist(), strict=True)
        yield b"".join(
            orjson.dumps({**head, "time_ms": t, "value": v, "quality": q}, option=orjson.OPT_APPEND_NEWLINE) for t, v, q in columns
        )


def records(url: str, what: str, since: datetime | None, until: datetime | None) -> Iterator[bytes]:
    """Lines with every field of each record, oldest first."""
    from django.apps import apps

    from ...engines.project import setup

    setup(url)
    room, model, field = LEDGERS[what]
    found = apps.get_model(room, model)._default_manager.order_by(field, "id")
    if since:
        found = found.filter(**{f"{field}__gte": since})
    if until:
        found = found.filter(**{f"{field}__lte": until})
    for row in found.iterator(chunk_size=500):
        yield orjson.dumps(fields(row), option=orjson.OPT_APPEND_NEWLINE, default=str)


def fields(row: Any) -> dict[str, Any]:
    """All columns of a record by name; bytes by their length, times as ISO 8601 UTC."""
    out: dict[str, Any] = {}
    for column in row._meta.concrete_fields:
        value = getattr(row, column.attname)
        name = column.name
        if isinstance(value, bytes | memoryview):
            value = {"bytes": len(value)}
        elif isinstance(value, datetime):
            value = value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if not name.endswith("hash"):
            out[name] = value
    return out
