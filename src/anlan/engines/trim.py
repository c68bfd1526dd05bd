"""Old traffic goes, old records stay: dispatched events after OUTBOX_DAYS, the audit trail after AUDIT_YEARS (exported first).

Events that a record still shows (an incident's timeline, a case's payload) are named by `lasting` and stay for ever; so
do events that wait or whose handler failed. Deletes go in batches, each its own transaction, so that nothing waits for them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import structlog
import zstandard
from django.db import connection, transaction

from ..base import settings as conf
from ..base.clock import SystemClock
from .reconcile import every

BATCH = 2_000
LONGEST = 100  # batches of one run; the rest follows an hour later
YEAR_DAYS = 365.2425
_LASTING: set[str] = set()
log = structlog.get_logger("anlan.trim")


def lasting(*types: str) -> None:
    """Events of these types are part of a record and are never removed."""
    _LASTING.update(types)


def until_done(step: Callable[[], int], most: int = LONGEST) -> int:
    """Repeat a batch until it finds nothing more (or `most` times); the sum."""
    total = 0
    for _ in range(most):
        done = step()
        total += done
        if done < BATCH:
            break
    return total


def trim_events(before: datetime) -> int:
    """Remove one batch of events (and their inbox rows) that were dispatched before `before`."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "select id from engines_outbox o where dispatched_at < %s and not type = any(%s) "
            "and not exists (select from engines_failedevent f where f.event_id = o.id) order by id limit %s",
            [before, sorted(_LASTING), BATCH],
        )
        numbers = [row[0] for row in cursor.fetchall()]
        cursor.execute("delete from engines_inbox where event_id = any(%s)", [numbers])
        cursor.execute("delete from engines_outbox where id = any(%s)", [numbers])
    return len(numbers)


def export_audit(before: datetime, folder: Path) -> int:
    """Write one batch of audit entries older than `before` to ``audit-<year>.ndjson.zst``, make it durable, then remove them.

    A crash between the two repeats lines in the file (each has its ``id``), and never loses one.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            'select id, at, actor, "table", row, action, before::text, after::text from engines_auditentry where at < %s '
            "order by id limit %s for update skip locked",
            [before, BATCH],
        )
        rows = cursor.fetchall()
        by_year: dict[int, list[bytes]] = {}
        for number, at, actor, table, row, action, was, now in rows:
            line = {"id": number, "at": at, "actor": actor, "table": table, "row": row, "action": action}
            line |= {"before": orjson.Fragment(was or "null"), "after": orjson.Fragment(now or "null")}
            by_year.setdefault(at.year, []).append(orjson.dumps(line) + b"\n")
        for year, lines in by_year.items():
            _append(folder / f"audit-{year}.ndjson.zst", b"".join(lines))
        cursor.execute("delete from engines_auditentry where id = any(%s)", [[row[0] for row in rows]])
    return len(rows)


def _append(path: Path, data: bytes) -> None:
    """One more zstd frame at the end of a file (mode 0600), on disk when this returns."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, zstandard.ZstdCompressor(9).compress(data))
        os.fsync(handle)
    finally:
        os.close(handle)


@every(3600)
def trim(now: datetime) -> int:
    """Remove what is older than its setting by the house's clock; how many rows went."""
    now, gone = SystemClock().now(), 0
    days = float(conf.get("OUTBOX_DAYS"))
    if days > 0:
        days = max(days, float(conf.get("LOG_HOURS")) / 24 + 1)  # a replayed lane must meet the keys of what it has told
        gone += until_done(lambda: trim_events(now - timedelta(days=days)))
    years = float(conf.get("AUDIT_YEARS"))
    if years > 0:
        folder = conf.data_folder() / "archive"
        gone += until_done(lambda: export_audit(now - timedelta(days=years * YEAR_DAYS), folder))
    if gone:
        log.info("old rows removed", rows=gone)
    return gone
