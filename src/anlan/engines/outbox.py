"""Events between rooms: `emit` in the transaction, `on` to subscribe, `acting` to say who acts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

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


def on(*types: str) -> Callable[[Handler], Handler]:
    """Subscribe a function to event types.

    It runs inside one transaction with its inbox row: either all of its effects and the mark
    are stored, or nothing. It must not talk to the world (that is the outbox's job again).
    """

    def register(handler: Handler) -> Handler:
        for event_type in types:
            _HANDLERS[event_type][f"{handler.__module__}.{handler.__qualname__}"] = handler
        return handler

    return register


def handlers(event_type: str) -> dict[str, Handler]:
    """The handlers of a type, by their stable names."""
    return dict(_HANDLERS.get(event_type, {}))


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
    from .models import Outbox

    Outbox.objects.bulk_create(
        [
            Outbox(
                key=key or f"{event_type}:{subject}",
                type=event_type,
                subject=subject,
                payload=payload or {},
                division_code=division_code,
                cause=list(cause),
            )
        ],
        ignore_conflicts=True,
    )


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
