"""Messages of devices made for other platforms, turned into ours: ThingsBoard telemetry, and any JSON by paths in the register.

Pure. ThingsBoard: ``{"key": value}``, ``{"ts": <ms>, "values": {…}}`` or a list of such. Any JSON: a key of the device
that begins with ``$`` is a path into its message (``$.data[0].temp``, ``$['Water level']``), so the mapping is data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

TELEMETRY, ATTRIBUTES = "v1/devices/me/telemetry", "v1/devices/me/attributes"
TIMES = ("ts", "t", "time", "timestamp", "Time", "Timestamp", "dateTime", "eventTime", "DataTime")
_SECONDS = (946_684_800, 4_102_444_800)  # 2000 to 2100 as seconds
_STEP = re.compile(r"\.([^.\[\]]+)|\[(-?\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")
_LOCAL = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?")


def token(username: str | None, password: bytes | None) -> tuple[str, bytes] | None:
    """Client id and secret of an access token ``<client id>:<secret>`` given as the user name without a password, else None."""
    if not username or password or ":" not in username:
        return None
    client_id, _, secret = username.partition(":")
    return (client_id, secret.encode()) if client_id and secret else None


def telemetry(payload: bytes, received_ms: int) -> bytes:
    """ThingsBoard telemetry as our message; values without a time bear `received_ms`. What is no telemetry comes back as it is."""
    try:
        said = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return payload
    items = said if isinstance(said, list) else [said]
    if not all(isinstance(item, dict) for item in items):
        return payload
    out = []
    for item in items:
        values = item.get("values")
        timed = isinstance(values, dict) and "ts" in item
        out.append({"t": item["ts"] if timed else received_ms, "v": {k: _plain(v) for k, v in (values if timed else item).items()}})
    return orjson.dumps(out)


def by_paths(payload: bytes, keys: Iterable[str], received_ms: int) -> bytes | None:
    """Any JSON as our message, by those of the device's keys that are paths; None when none of them leads to a value."""
    paths = [key for key in keys if key.startswith("$")]
    if not paths:
        return None
    try:
        said = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    found: dict[int, dict[str, Any]] = {}
    for item in said if isinstance(said, list) else [said]:
        for path in paths:
            value, near = _walk(item, path)
            if value is not None:
                found.setdefault(_time(near, item, received_ms), {})[path] = _plain(value)
    return orjson.dumps([{"t": t, "v": v} for t, v in found.items()]) if found else None


@lru_cache(maxsize=4096)
def steps(path: str) -> tuple[str | int, ...] | None:
    """The names and places that a path goes through; None when it is no path."""
    out: list[str | int] = []
    at = 1
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            return None
        out.append(int(step[2]) if step[2] is not None else next(g for g in (step[1], step[3], step[4]) if g is not None))
        at = step.end()
    return tuple(out)


def _walk(item: Any, path: str) -> tuple[Any, Any]:
    """The value at a path (None: not there) and the innermost object around it."""
    near = item
    for step in steps(path) or ():
        if isinstance(item, dict):
            near, item = item, item.get(step)
        elif isinstance(item, list) and isinstance(step, int) and -len(item) <= step < len(item):
            item = item[step]
        else:
            return None, near
    return (None, near) if isinstance(item, dict | list) else (item, near)


def _plain(value: Any) -> Any:
    """A number where the value is one: true and false are 1 and 0, digits in quotes are numbers."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _time(near: Any, item: Any, received_ms: int) -> int:
    """UTC ms: the first known name of a time in the object around the value, else in the message, else the time of arrival."""
    for place in (near, item):
        for name in TIMES:
            value = place.get(name) if isinstance(place, dict) else None
            if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
                value = int(value)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return int(value * 1000) if _SECONDS[0] <= value <= _SECONDS[1] else int(value)
            if isinstance(value, str) and _LOCAL.match(value):
                try:
                    time = datetime.fromisoformat(value.replace("Z", "+00:00"))
                except ValueError:
                    continue
                return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
    return received_ms
