"""Readings of the objects: alarm and fault states as flags, analogue values in SI, times in UTC."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from ...codec import Sample
from .names import RESIDUAL_CURRENT_PART
from .profile import Profile

GOOD, SUSPECT = 0, 1  # base.block.Quality, which needs NumPy
ALWAYS = ("fire", "fault")  # told as 0 too, so that an alarm also ends
STATED = {1, 2, 21}


def of_unit(station: str, fields: Mapping[str, Any], profile: Profile) -> list[Sample]:
    """The readings of a unit, in order."""
    kind = fields.get("type")
    if kind not in STATED and kind not in (3, 4, 24):
        return []
    return [sample for one in fields.get("objects", ()) for sample in _of(station, kind, one, fields, profile)]


def key_of(one: Mapping[str, Any]) -> str:
    """The name of a system or part within its device: ``1.3`` or ``1.3.42.00010001``; ``device`` for the device itself."""
    if "system_type" not in one:
        return "device"
    system = f"{one['system_type']}.{one['system_address']}"
    return f"{system}.{one['part_type']}.{one['part_address']}" if "part_type" in one else system


def _of(station: str, kind: int, one: Mapping[str, Any], fields: Mapping[str, Any], profile: Profile) -> Iterator[Sample]:
    """A time that is none is replaced by the frame's own, SUSPECT; without any there is no reading."""
    quality = GOOD if one.get("time") else SUSPECT
    at = one.get("time") or fields.get("time")
    if not at:
        return
    time_ms = round(dt.datetime.fromisoformat(at).timestamp() * 1000)
    key = key_of(one)
    if kind in STATED:
        states = one["states"]
        for name in ALWAYS:
            yield Sample(station, f"{key}.{name}", "alarm_state", time_ms, float(name in states), "1", quality)
        for name in states:
            if name not in ALWAYS and name != "normal":
                yield Sample(station, f"{key}.{name}", "alarm_state", time_ms, 1.0, "1", quality)
    elif kind == 3:
        known = profile.analogs.get(one["analog_type"])
        if known is None:
            return
        name, _, size, quantity, unit, factor, offset = known
        if quantity == "current" and one["part_type"] == RESIDUAL_CURRENT_PART:
            quantity = "residual_current"
        yield Sample(station, f"{key}.{name}", quantity, time_ms, one["raw"] * size * factor + offset, unit, quality)
    elif "manual_alarm" in one["operations"]:
        yield Sample(station, f"{key}.manual_alarm", "alarm_state", time_ms, 1.0, "1", quality)
