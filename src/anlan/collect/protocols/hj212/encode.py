"""Messages of HJ 212 to bytes: data as a device sends them, requests as a centre sends them; long data are split in packets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ....base.errors import FieldError
from .frame import build
from .readings import BEIJING
from .tables import TIMES

_PAIRS = (("BeginTime", "EndTime"),)  # joined by a comma in the standard's examples


def frame(message: dict[str, Any]) -> bytes:
    """One frame; FieldError names what is missing. The fields of a decoded frame give its meaning again."""
    return build(segment(message, items(message)))


def packets(message: dict[str, Any], longest: int = 1024) -> list[bytes]:
    """As many frames as `longest` bytes of segment demand, with packet numbers; one without when it fits."""
    rows = items(message)
    whole = segment(message, rows)
    if len(whole) <= longest:
        return [build(whole)]
    flag = int(message.get("Flag") or 4) | 2
    room = longest - len(segment({**message, "Flag": flag, "PNUM": 9999, "PNO": 9999}, rows[:1]))
    groups: list[list[str]] = [[]]
    used = 0
    for row in rows[1:]:
        size = len(row.encode("gb18030")) + 1
        if size > room:
            raise FieldError("CP", row, "单项过长", "one item is too long for a packet")
        if used + size > room:
            groups.append([])
            used = 0
        groups[-1].append(row)
        used += size
    return [
        build(segment({**message, "Flag": flag, "PNUM": len(groups), "PNO": k + 1}, rows[:1] + group)) for k, group in enumerate(groups)
    ]


def digits(value: Any, name: str, milliseconds: bool = False) -> str:
    """A time as digits of Beijing time; digits are taken as they are."""
    text = str(value)
    if text.isdigit():
        return text
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise ValueError
    except ValueError:
        raise FieldError(name, value, "应为带时区的 ISO 8601 时间或数字", "must be an ISO 8601 time with zone, or digits") from None
    time = time.astimezone(BEIJING)
    return time.strftime("%Y%m%d%H%M%S") + (f"{time.microsecond // 1000:03d}" if milliseconds else "")


def segment(message: dict[str, Any], rows: list[str]) -> bytes:
    """The data segment around the items of its CP."""
    head = []
    if not message.get("CN") and message.get("name"):
        message = {**message, "CN": str(message["name"]).split()[0]}
    if message.get("QN") or message.get("time"):
        head.append(f"QN={message.get('QN') or digits(message['time'], 'time', True)}")
    for key in ("ST", "CN", "PW", "MN"):
        if message.get(key) in (None, ""):
            if key != "PW":
                raise FieldError(key, message.get(key), "缺少此项", "is missing")
        else:
            head.append(f"{key}={message[key]}")
    head += [f"{key}={message[key]}" for key in ("Flag", "PNUM", "PNO") if message.get(key) not in (None, "")]
    head += [f"{key}={value}" for key, value in message.get("header", {}).items()]
    return (";".join(head) + ";CP=&&" + ";".join(rows) + "&&").encode("gb18030")


def items(message: dict[str, Any]) -> list[str]:
    """The items of CP: parameters, then one item for each factor."""
    cp = dict(message.get("cp", {}))
    rows = []
    for first, second in _PAIRS:
        if first in cp and second in cp:
            cp[first] = f"{digits(cp[first], first)},{second}={digits(cp.pop(second), second)}"
    for key, value in cp.items():
        for one in value if isinstance(value, list) else [value]:
            if key == "other":
                rows.append(str(one))
            else:
                rows.append(f"{key}={digits(one, key) if key in TIMES and one and ',' not in str(one) else one}")
    for code, values in message.get("factors", {}).items():
        rows.append(",".join(f"{code}-{s}={digits(v, s) if s == 'SampleTime' else v}" for s, v in values.items()))
    return rows
