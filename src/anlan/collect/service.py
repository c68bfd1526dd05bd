"""What other rooms ask of collect: send a command to a device; and the desk's timer that seals hours of readings.

The command is a row in the caller's transaction; a gateway sends it when that commits, keeps sending it until
the device acknowledges or it expires, and tells by the events ``collect.command.acknowledged``,
``collect.command.replied`` (payload ``device``, ``state``, ``reply``) and ``collect.command.expired``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ..base import settings
from ..base.clock import now_ms
from ..base.errors import FieldError
from ..engines.reconcile import every
from ..register.models import Device
from .models import DeviceCommand
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
