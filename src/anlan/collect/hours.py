"""Hot hours: the partitions of ``reading``, made ahead of their hour, with or without the index by series.

Readings of hours without a partition go to ``reading_default`` (always indexed); nothing is ever refused for its time.
Every change of partitions waits at most 300 ms for its lock and is tried again later, so that it never holds up a lane.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg

from .packing import HOUR_MS

_LOCK_KEY = 0x414E4C48  # advisory, one maker of partitions at a time
_NAME = re.compile(r"reading_h(\d+)$")
_BUSY = (psycopg.errors.LockNotAvailable, psycopg.errors.CheckViolation, psycopg.errors.DeadlockDetected)


def hour_of(name: str) -> int:
    """Start (UTC ms) of the hour partition of this name; -1 for another table."""
    match = _NAME.match(name)
    return int(match[1]) * HOUR_MS if match else -1


def children(connection: psycopg.Connection[Any], parent: str) -> list[str]:
    """Names of the hour partitions of ``reading`` or ``reading_closed``, oldest first."""
    rows = connection.execute(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = %s::regclass", (parent,)
    ).fetchall()
    return sorted((str(r[0]) for r in rows if _NAME.match(str(r[0]))), key=hour_of)


def ensure_hours(connection: psycopg.Connection[Any], now_ms: int, *, back: int = 2, ahead: int = 2, indexed: bool = True) -> int:
    """Make the partitions from `back` hours before now to `ahead` after; returns how many are new.

    An hour whose readings already lie in the default partition (or that is being packed) stays there. The connection
    must be in autocommit.
    """
    this = now_ms // HOUR_MS
    have = set(children(connection, "reading")) | set(children(connection, "reading_closed"))
    made = 0
    for hour in range(this - back, this + ahead + 1):
        if f"reading_h{hour}" not in have:
            made += _make_hour(connection, hour, indexed)
    return made


def _make_hour(connection: psycopg.Connection[Any], hour: int, indexed: bool) -> int:
    name, a, b = f"reading_h{hour}", hour * HOUR_MS, (hour + 1) * HOUR_MS
    sql = [
        f"create table {name} partition of reading (constraint {name}_range check (time_ms >= {a} and time_ms < {b})) "
        f"for values from ({a}) to ({b})",
        f"alter table {name} set (autovacuum_vacuum_insert_threshold = -1)",
    ]
    if indexed:
        sql.append(f"create index {name}_series on {name} (station, quantity, time_ms)")
    try:
        with connection.transaction():
            connection.execute("set local lock_timeout = '300ms'")
            connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
            if connection.execute("select to_regclass(%s)", (name,)).fetchone() != (None,):
                return 0
            for statement in sql:
                connection.execute(statement)
    except _BUSY:
        return 0
    return 1


def drop_hot_indexes(connection: psycopg.Connection[Any]) -> int:
    """Drop the series index of every hot hour (a flood is coming in: the index would be the limit); returns how many."""
    dropped = 0
    indexed = connection.execute("select indexname from pg_indexes where indexname ~ '^reading_h[0-9]+_series$'").fetchall()
    for (name,) in indexed:
        try:
            with connection.transaction():
                connection.execute("set local lock_timeout = '3s'")  # behind the batches now being copied
                connection.execute(f"drop index if exists {name}")
            dropped += 1
        except _BUSY:
            continue
    return dropped
