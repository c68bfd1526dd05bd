"""What other rooms ask of collect: send a command to a device; and the desk's timer that seals hours of readings.

The command is a row in the caller's transaction; a gateway sends it when that commits, keeps sending it until
the device acknowledges or it expires, and tells by the events ``collect.command.acknowledged``,
``collect.command.replied`` (payload ``device``, ``state``, ``reply``) and ``collect.command.expired``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from ..base import settings
from ..base.clock import SystemClock, now_ms
from ..base.errors import FieldError
from ..engines import conditions, room
from ..engines.reconcile import every
from ..engines.trim import BATCH, until_done
from ..register.models import Device
from .models import DeadLetter, DeviceCommand
from .seal import seal

MOST_BYTES = 256 * 1024  # of a command's payload: devices are small


def command(
    device: Device,
    action: str,
    payload: dict[str, Any] | None = None,
    expires_at: datetime | None = None,
    cause: Sequence[str] = (),
    qos: int = 1,
) -> DeviceCommand:
    """Put a command on its way to `device` (in the current transaction).

    `payload` is merged into the message beside ``id`` and ``action``; `expires_at` (aware) is when it
    loses its sense: it is not sent afterwards. Raises FieldError when the command cannot be carried.
    """
    if not action or len(action) > 40:
        raise FieldError("action", action, "动作名应为 1–40 个字符", "an action has 1 to 40 characters", code="collect.bad_command")
    if expires_at is None or expires_at.tzinfo is None:
        raise FieldError("expires_at", expires_at, "请给出带时区的有效期", "give an expiry with its time zone", code="collect.bad_command")
    if qos not in (0, 1):
        raise FieldError("qos", qos, "只支持 QoS 0 或 1", "only QoS 0 and 1 are offered", code="collect.bad_command")
    if len(repr(payload)) > MOST_BYTES:
        raise FieldError("payload", "…", "指令内容超过 256 KB", "the payload is above 256 kB", code="collect.bad_command")
    row = DeviceCommand(
        device=device,
        division_code=device.division_code,
        action=action,
        payload=payload or {},
        qos=qos,
        expires_at=expires_at,
        cause=list(cause),
    )
    row.save()
    return row


def cancel(row: DeviceCommand) -> bool:
    """Take a command back; False when it was already sent (the device may have it)."""
    done = DeviceCommand.objects.filter(pk=row.pk, state="waiting").update(state="cancelled")
    return bool(done)


@every(60)
def seal_hours(now: datetime) -> int:
    """Seal the hours and days of readings that are due by the house's clock; returns how many rows were packed."""
    return seal(settings.get("DATABASE_URL"), now_ms())


def trim_letters(before: datetime) -> int:
    """Remove one batch of dead letters older than `before` (UTC), dealt with or not; how many."""
    old = DeadLetter.objects.filter(updated_at__lt=before).order_by("updated_at").values_list("pk", flat=True)[:BATCH]
    found = list(old)
    DeadLetter.objects.filter(pk__in=found).delete()
    return len(found)


@every(3600)
def forget_letters(now: datetime) -> int:
    """Remove dead letters after LETTER_DAYS by the house's clock; how many went."""
    days = float(settings.get("LETTER_DAYS"))
    return until_done(lambda: trim_letters(SystemClock().now() - timedelta(days=days))) if days > 0 else 0


@every(5)
def watch_room(now: datetime) -> int:
    """Say on every screen that the data disk runs out, and that it has room again; 1 while it is short."""
    free = room.free_gb(settings.data_folder())
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select 1 from engines_condition where code = %s and until is null", [room.CODE])
        short = room.too_little(free, cursor.fetchone() is not None)
        if short:
            conditions.say(cursor.execute, room.CODE, *room.words(free), SystemClock().now())
        else:
            conditions.end(cursor.execute, room.CODE, SystemClock().now())
    return int(short)
