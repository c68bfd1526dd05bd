"""The event dispatcher: outbox rows to handlers, in order, each exactly once.

In: `NOTIFY anlan_event`, which brings the event itself, and a look at the outbox each second (what a lost notification
missed, and events too long for one). Out: each handler's effects, committed together with its `Inbox` row. One dispatcher of an
installation is active at a time (advisory lock), others stand by and take over when it dies, so
events of one subject are handled in the order of their ids. Urgent handlers (the way from a reading to a siren) are given
all events at hand before any other handler gets one, and speak with the database in two round trips.

A handler that fails leaves a `FailedEvent` (retried after 2, 4, 8 … 300 s, ten times, then it waits for a person) and blocks
nobody but itself on that subject: its later events of the same subject wait behind the failed one until it is handled or given up.
"""

from __future__ import annotations

import select
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, OuterRef

from ..base import settings as conf
from ..base.clock import SystemClock
from .models import FailedEvent, Outbox
from .outbox import Event, acting, announced, handlers, is_urgent, run, together

LOCK = 0x414E4C45  # "ANLE"
CHANNEL = "anlan_event"
BATCH = 200
ATTEMPTS = 10
LONGEST_WAIT_S = 300
LOOK_S = 1.0  # how often the outbox is looked at without being asked
MOST_WAITING = 200  # announced events held here; beyond it they are read from the outbox when their turn comes
REMEMBERED = 5000  # events read from the outbox, whose announcements are still to come
_INBOX = """
with actor as (select set_config('anlan.actor', %s, true))
insert into engines_inbox (event_id, handler, handled_at) select %s, %s, %s from actor
"""
_MARK = """
with off as (select set_config('synchronous_commit', 'off', true))
update engines_outbox set dispatched_at = %s from off where id = any(%s)
"""
log = structlog.get_logger("anlan.dispatch")


def event_of(row: Outbox) -> Event:
    """The event of an outbox row."""
    return Event(row.id, row.type, row.subject, row.payload, row.division_code, tuple(row.cause))


class Failing:
    """What the active dispatcher knows of failures: (handler, subject) whose earlier event failed and will be tried again."""

    def __init__(self) -> None:
        self.pairs: set[tuple[str, str]] = set()
        self.learn()

    def learn(self) -> None:
        """Read it anew."""
        self.pairs = set(FailedEvent.objects.filter(retry_at__isnull=False).values_list("handler", "event__subject"))

    def holds(self, event: Event, name: str) -> bool:
        """Whether the event must wait; if so it is put behind the one that failed."""
        if (name, event.subject) not in self.pairs:
            return False
        text = "waits for an earlier event of the same subject, which failed"
        values = {"error": text, "attempts": 0, "retry_at": datetime.now(UTC)}
        FailedEvent.objects.get_or_create(event_id=event.id, handler=name, defaults=values)
        return True


def _failed(event: Event, handler: str, error: BaseException) -> None:
    text = "".join(traceback.format_exception(error))[-4000:]
    row, made = FailedEvent.objects.get_or_create(event_id=event.id, handler=handler, defaults={"error": text, "attempts": 1})
    if not made:
        row.attempts, row.error = row.attempts + 1, text
    wait = min(2**row.attempts, LONGEST_WAIT_S)
    row.retry_at = None if row.attempts >= ATTEMPTS else datetime.now(UTC) + timedelta(seconds=wait)
    row.save()
    log.error("handler failed", handler=handler, event_id=event.id, attempts=row.attempts, error=repr(error))


def _passing(error: BaseException | None) -> bool:
    """Whether the database asks for the same transaction again (deadlock, serialisation)."""
    return isinstance(error, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure)


def _again(error: BaseException | None) -> bool:
    """Whether the inbox has this event of this handler: it is done."""
    return isinstance(error, psycopg.errors.UniqueViolation) and error.diag.constraint_name == "inbox_once"


@contextmanager
def _transaction(name: str, actor: str) -> Iterator[None]:
    """The transaction of one hand-over; an urgent one in a pipeline, so that its COMMIT travels with its last writes."""
    if connection.in_atomic_block:
        with acting(actor):
            yield
    elif not is_urgent(name):
        with transaction.atomic():
            yield
    else:
        with transaction.atomic(), together():
            yield
            with connection.wrap_database_errors:
                connection.connection.commit()  # Django's own commit, after the pipeline, then has nothing left to do


def hand_over(event: Event, name: str, handler: Any) -> bool:
    """Give one event to one handler, exactly once; False when it failed (noted in FailedEvent).

    The inbox row is the first statement: for a repeat the database refuses it, and with it the whole transaction.
    Raises OperationalError/InterfaceError when the database itself is away.
    """
    actor = f"system:{name.removeprefix('anlan.')}"
    for attempt in range(4):
        try:
            with _transaction(name, actor):
                run(_INBOX, [actor, event.id, name, SystemClock().now()])
                handler(event)
            return True
        except Exception as error:
            cause = error if isinstance(error, psycopg.Error) else error.__cause__
            if _again(cause):
                return True
            if isinstance(error, OperationalError | InterfaceError | psycopg.OperationalError | psycopg.InterfaceError):
                if not connection.is_usable():
                    raise
                if _passing(cause) and attempt < 3:
                    continue
            _failed(event, name, error)
            return False
    return False


def give(events: Iterable[Event], failing: Failing, *, urgent: bool) -> None:
    """Hand events, in order, to their urgent handlers, or to all the others."""
    for event in events:
        for name, handler in handlers(event.type).items():
            if is_urgent(name) is urgent and not failing.holds(event, name) and not hand_over(event, name, handler):
                failing.pairs.add((name, event.subject))


def mark(numbers: list[int]) -> None:
    """Note that these events were given to everybody; the inbox makes a repeat harmless, so it need not wait for the disk."""
    if numbers:
        with connection.cursor() as cursor:
            cursor.execute(_MARK, [SystemClock().now(), numbers])


def dispatch_waiting(limit: int = BATCH, failing: Failing | None = None) -> list[int]:
    """Hand over up to `limit` waiting events; the numbers of those taken. For the active dispatcher and for tests."""
    events = [event_of(row) for row in Outbox.objects.filter(dispatched_at__isnull=True).order_by("id")[:limit]]
    if not events:
        return []
    failing = failing or Failing()
    give(events, failing, urgent=True)
    give(events, failing, urgent=False)
    numbers = [event.id for event in events]
    mark(numbers)
    return numbers


def retry_due(now: datetime | None = None) -> int:
    """Retry failed hand-overs whose time has come and before which no other failed one of their subject stands; the number tried."""
    earlier = FailedEvent.objects.filter(
        handler=OuterRef("handler"), event__subject=OuterRef("event__subject"), event_id__lt=OuterRef("event_id"), retry_at__isnull=False
    )
    due = FailedEvent.objects.filter(~Exists(earlier), retry_at__lte=now or datetime.now(UTC)).select_related("event")
    failures = list(due.order_by("event_id")[:BATCH])
    for failure in failures:
        handler = handlers(failure.event.type).get(failure.handler)
        if handler is None:
            FailedEvent.objects.filter(pk=failure.pk).update(retry_at=None)
        elif hand_over(event_of(failure.event), failure.handler, handler):
            FailedEvent.objects.filter(pk=failure.pk).delete()
    return len(failures)


def drain(rounds: int = 1000) -> int:
    """Dispatch until nothing waits (handlers' own events included); the number handed over. For tests and tools."""
    total = 0
    for _ in range(rounds):
        taken = len(dispatch_waiting())
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
        self._failing: Failing | None = None
        self._later: deque[Event] = deque()  # events that their urgent handlers had, and the others not yet
        self._given: list[int] = []  # had by everybody, not yet marked
        self._seen: dict[int, None] = {}  # read from the outbox: their announcements say nothing new
        self._behind = True  # something is in the outbox that was not announced here
        self._look_at = 0.0

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
                log.warning("database away", error=str(error).strip().splitlines()[:1])
                connection.close()
                self._stopping.wait(0.2)
            finally:
                self.active = False
        connection.close()

    def _serve(self, listener: psycopg.Connection[Any]) -> None:
        while not self._stopping.is_set():
            if not self.active:
                row = listener.execute("select pg_try_advisory_lock(%s)", [LOCK]).fetchone()
                if row and row[0]:
                    self._begin()
                self.standby = not self.active
            fresh = _heard(listener, 0.0 if self._later or self._behind else LOOK_S)
            if self.active:
                self._take(fresh)
                self._go_on()

    def _begin(self) -> None:
        """This one is the active dispatcher from now on; what waits is in the outbox."""
        self._later.clear()
        self._given, self._seen, self._failing = [], {}, Failing()
        self._behind, self.active = True, True

    def _take(self, notes: list[str]) -> None:
        """Give announced events to their urgent handlers."""
        fresh: list[Event] = []
        for number, row in map(announced, notes):
            if number in self._seen:
                del self._seen[number]
            elif self._behind or row is None or len(self._later) + len(fresh) >= MOST_WAITING:
                self._behind = True  # the order of ids is kept: from here on all are read from the outbox
            else:
                fresh.append(Event(number, row["type"], row["subject"], row["payload"], row["division_code"], tuple(row["cause"])))
        fresh.sort(key=lambda event: event.id)
        assert self._failing is not None
        give(fresh, self._failing, urgent=True)
        self._later.extend(fresh)

    def _go_on(self) -> None:
        """One event to its other handlers; when there is none, mark those given, look at the outbox when due."""
        assert self._failing is not None
        if self._later:
            event = self._later.popleft()
            give([event], self._failing, urgent=False)
            self._given.append(event.id)
            return
        mark(self._given)
        self._given = []
        if self._behind or time.monotonic() >= self._look_at:
            self._look(self._failing)

    def _look(self, failing: Failing) -> None:
        taken = dispatch_waiting(failing=failing)
        self._seen |= dict.fromkeys(taken)
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        self._behind = bool(taken)
        if not taken and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_S
            while not self._stopping.is_set() and retry_due():
                failing.learn()


def _heard(listener: psycopg.Connection[Any], seconds: float) -> list[str]:
    """Notifications that have come, waiting up to `seconds` for the first; raises OperationalError when the line is dead."""
    found: list[str] = []
    if select.select([listener], [], [], seconds)[0]:
        listener.pgconn.consume_input()
    while (note := listener.pgconn.notifies()) is not None:
        found.append(note.extra.decode())
    return found
