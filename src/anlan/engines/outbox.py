"""Events between rooms: `emit` in the transaction, `on` to subscribe, `acting` to say who acts.

`run` is for the statements of the way from a reading to an alarm: psycopg's own cursor on Django's connection, prepared by the
server and, inside an urgent handler, sent without waiting for the answer of the one before.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.db import connection, transaction

from ..base.clock import SystemClock, story


@dataclass(frozen=True, slots=True)
class Event:
    """One event as its handlers see it. ``type`` is ``<room>.<record>.<past participle>``."""

    id: int
    type: str
    subject: str
    payload: dict[str, Any] = field(default_factory=dict)
    division_code: str = ""
    cause: tuple[str, ...] = ()


Handler = Callable[[Event], None]
_HANDLERS: dict[str, dict[str, Handler]] = defaultdict(dict)
_URGENT: set[str] = set()
_EMIT = """
insert into engines_outbox (key, type, subject, payload, division_code, cause, created_at)
values (%s, %s, %s, %s::text::jsonb, %s, %s, %s) on conflict do nothing
"""


def on(*types: str, urgent: bool = False) -> Callable[[Handler], Handler]:
    """Subscribe a function to event types.

    It runs inside one transaction with its inbox row: either all of its effects and the mark
    are stored, or nothing. It must not talk to the world (that is the outbox's job again).

    An `urgent` handler (a siren waits for it) is given events before all others and runs in psycopg's pipeline mode:
    what it sends by `run` waits for no answer, and how many rows such a write changed is known only if it returns them.
    """

    def register(handler: Handler) -> Handler:
        name = f"{handler.__module__}.{handler.__qualname__}"
        for event_type in types:
            _HANDLERS[event_type][name] = handler
        if urgent:
            _URGENT.add(name)
        return handler

    return register


def is_urgent(name: str) -> bool:
    """Whether the handler of this name goes before all others."""
    return name in _URGENT


def handlers(event_type: str) -> dict[str, Handler]:
    """The handlers of a type, by their stable names."""
    return dict(_HANDLERS.get(event_type, {}))


def announced(note: str) -> tuple[int, dict[str, Any] | None]:
    """The event number of a notification on ``anlan_event``, and the event's columns where it carries them (`at` is ISO, UTC).

    ``(0, None)`` for text that is no announcement.
    """
    if note.startswith("{"):
        columns = json.loads(note)
        return int(columns["id"]), columns
    number = note.partition("|")[0]
    return (int(number) if number.isdecimal() else 0), None


def run(sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> psycopg.Cursor[Any]:
    """One statement on Django's connection, prepared by the server; raises Django's database errors.

    In a pipeline (urgent handlers) it does not wait: errors come with the next fetch or the commit.
    """
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors:
        return psycopg.Cursor(connection.connection).execute(sql, values, prepare=True)


def one(sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> Any:
    """The first row of a statement sent by `run`, None when there is none."""
    cursor = run(sql, values)
    with connection.wrap_database_errors:
        return cursor.fetchone()


@contextmanager
def together() -> Iterator[None]:
    """A pipeline on Django's connection (the one that is open, if any): what `run` sends travels together until a row is fetched.

    Django's own statements wait for their answer as ever, so that its counts of changed rows are right.
    """
    connection.ensure_connection()
    if connection.connection.pgconn.pipeline_status:
        yield
        return
    with connection.connection.pipeline() as pipeline:

        def answered(execute: Callable[..., Any], *statement: Any) -> Any:
            result = execute(*statement)
            with connection.wrap_database_errors:
                pipeline.sync()
            return result

        with connection.execute_wrapper(answered):
            yield


def emit(
    event_type: str,
    subject: str,
    payload: dict[str, Any] | None = None,
    *,
    division_code: str = "",
    cause: Sequence[str] = (),
    key: str = "",
) -> None:
    """Write one event into the current transaction; the same `key` twice is one event.

    The default key is type + subject, right for "happened once to this record"; give a key
    when a record may pass the same event more than once (say with a version or a step).
    """
    text = json.dumps(payload or {}, ensure_ascii=False)
    values = [key or f"{event_type}:{subject}", event_type, subject, text, division_code, list(cause), SystemClock().now()]
    run(_EMIT, values)


@contextmanager
def acting(actor: str) -> Iterator[None]:
    """One transaction in which `actor` (person id, or ``system:<part>``) is the author of all writes.

    Nested, it is a savepoint, and the outer actor is the author again after it.
    """
    nested = connection.in_atomic_block
    with transaction.atomic():
        with connection.cursor() as cursor:
            before = ""
            if nested:
                cursor.execute("select current_setting('anlan.actor', true)")
                before = cursor.fetchone()[0] or ""
            cursor.execute("select set_config('anlan.actor', %s, true)", [actor])
            if story():
                cursor.execute("select set_config('anlan.now', %s, true)", [SystemClock().now().isoformat()])
        yield
        if nested:
            with connection.cursor() as cursor:
                cursor.execute("select set_config('anlan.actor', %s, true)", [before])
