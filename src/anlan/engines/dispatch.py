"""The event dispatcher: outbox rows to handlers, in order, each exactly once.

In: `NOTIFY anlan_event` (a few milliseconds) and a look each second (what a lost notification
missed). Out: each handler's effects, committed together with its `Inbox` row. One dispatcher of an
installation is active at a time (advisory lock), others stand by and take over when it dies, so
events of one subject are handled in the order of their ids. A handler that fails leaves a
`FailedEvent` (retried after 2, 4, 8 … 300 s, ten times, then it waits for a person) and blocks nobody.
"""

from __future__ import annotations

import threading
import time
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

from ..base import settings as conf
from ..base.clock import SystemClock
from .models import FailedEvent, Outbox
from .outbox import Event, acting, handlers

LOCK = 0x414E4C45  # "ANLE"
CHANNEL = "anlan_event"
BATCH = 200
ATTEMPTS = 10
LONGEST_WAIT_S = 300
_INBOX = """
with actor as (select set_config('anlan.actor', %s, true))
insert into engines_inbox (event_id, handler, handled_at) select %s, %s, %s from actor on conflict do nothing
"""
_MARK = """
with off as (select set_config('synchronous_commit', 'off', true))
update engines_outbox set dispatched_at = %s from off where id = any(%s)
"""
log = structlog.get_logger("anlan.dispatch")


def event_of(row: Outbox) -> Event:
    """The event of an outbox row."""
    return Event(row.id, row.type, row.subject, row.payload, row.division_code, tuple(row.cause))


def _failed(event_id: int, handler: str, error: BaseException) -> None:
    text = "".join(traceback.format_exception(error))[-4000:]
    row, made = FailedEvent.objects.get_or_create(event_id=event_id, handler=handler, defaults={"error": text, "attempts": 1})
    if not made:
        row.attempts, row.error = row.attempts + 1, text
    wait = min(2**row.attempts, LONGEST_WAIT_S)
    row.retry_at = None if row.attempts >= ATTEMPTS else datetime.now(UTC) + timedelta(seconds=wait)
    row.save()
    log.error("handler failed", handler=handler, event_id=event_id, attempts=row.attempts, error=repr(error))


def _passing(error: BaseException) -> bool:
    """Whether the database asks for the same transaction again (deadlock, serialisation)."""
    cause = error.__cause__
    return isinstance(cause, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure)


def _begun(event_id: int, name: str, actor: str) -> bool:
    """Name the author and write the inbox row, in one statement (a siren waits for it); False when it was there."""
    with connection.cursor() as cursor:
        cursor.execute(_INBOX, [actor, event_id, name, SystemClock().now()])
        return int(cursor.rowcount) == 1


def hand_over(event: Event, name: str, handler: Any) -> bool:
    """Give one event to one handler, exactly once; False when it failed (noted in FailedEvent).

    Raises OperationalError/InterfaceError when the database itself is away.
    """
    for attempt in range(4):
        try:
            actor = f"system:{name.removeprefix('anlan.')}"
            with acting(actor) if connection.in_atomic_block else transaction.atomic():
                if _begun(event.id, name, actor):
                    handler(event)
            return True
        except (OperationalError, InterfaceError) as error:
            if not connection.is_usable():
                raise
            if not _passing(error) or attempt == 3:
                _failed(event.id, name, error)
                return False
        except Exception as error:
            _failed(event.id, name, error)
            return False
    return False


def dispatch_waiting(limit: int = BATCH) -> int:
    """Hand over up to `limit` waiting events; the number taken. For the active dispatcher and for tests."""
    rows = list(Outbox.objects.filter(dispatched_at__isnull=True).order_by("id")[:limit])
    for row in rows:
        for name, handler in handlers(row.type).items():
            hand_over(event_of(row), name, handler)
    if rows:  # the inbox rows make a repeat harmless: one mark for all, and it need not wait for the disk
        with connection.cursor() as cursor:
            cursor.execute(_MARK, [SystemClock().now(), [row.id for row in rows]])
    return len(rows)


def retry_due(now: datetime | None = None) -> int:
    """Retry failed hand-overs whose time has come; the number tried."""
    due = list(FailedEvent.objects.filter(retry_at__lte=now or datetime.now(UTC)).select_related("event").order_by("event_id")[:BATCH])
    for failure in due:
        handler = handlers(failure.event.type).get(failure.handler)
        if handler is None:
            FailedEvent.objects.filter(pk=failure.pk).update(retry_at=None)
        elif hand_over(event_of(failure.event), failure.handler, handler):
            FailedEvent.objects.filter(pk=failure.pk).delete()
    return len(due)


def drain(rounds: int = 1000) -> int:
    """Dispatch until nothing waits (handlers' own events included); the number handed over. For tests and tools."""
    total = 0
    for _ in range(rounds):
        taken = dispatch_waiting()
        total += taken
        if not taken:
            return total
    raise RuntimeError("events without end: a handler keeps emitting")


class Dispatcher:
    """The long-running dispatcher of a desk process; `run` returns after `stop`."""

    def __init__(self, database_url: str = ""):
        self.url = database_url or str(conf.get("DATABASE_URL"))
        self.active = False
        self.standby = False  # another desk is the active one
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ask `run` to end (within a second)."""
        self._stopping.set()

    def run(self) -> None:
        """Listen, dispatch, stand by; reconnects for ever while the database is away."""
        while not self._stopping.is_set():
            try:
                with psycopg.connect(self.url, autocommit=True, application_name="anlan-dispatch") as listener:
                    listener.execute(f"listen {CHANNEL}")
                    self._serve(listener)
            except (psycopg.Error, DatabaseError, InterfaceError) as error:
                self.active = False
                log.warning("database away", error=str(error).strip().splitlines()[:1])
                connection.close()
                self._stopping.wait(0.2)
        connection.close()

    def _serve(self, listener: psycopg.Connection[Any]) -> None:
        retry_at = 0.0
        while not self._stopping.is_set():
            if not self.active:
                row = listener.execute("select pg_try_advisory_lock(%s)", [LOCK]).fetchone()
                self.active = bool(row and row[0])
                self.standby = not self.active
            if self.active:
                while not self._stopping.is_set() and dispatch_waiting():
                    pass
                if time.monotonic() >= retry_at:
                    retry_due()
                    retry_at = time.monotonic() + 1
            for _ in listener.notifies(timeout=1.0, stop_after=1):
                pass
