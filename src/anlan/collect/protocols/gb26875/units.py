"""The application units of GB/T 26875.3-2011 clause 8.3: one layout per type, objects as tables of fields."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from ....base.errors import FieldError
from .._layout import Bits, Field, Hex, Layout, LayoutError, Reader, Text, U, Writer, hex_of
from . import names as n

ZONE = dt.timezone(dt.timedelta(hours=8))  # the standard says local time; it is used in China


class Time(Field):
    """Second, minute, hour, day, month, year-2000, plain binary, UTC+8.

    Bytes that are no time are shown as None with the bytes in ``<name>_raw``: a fire alarm is not dropped for a bad clock.
    """

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        data = r.take(6, self.name)
        out[self.name] = time_of(data)
        if out[self.name] is None and any(data):
            out[self.name + "_raw"] = "0x" + data.hex()

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        raw = given.get(self.name + "_raw")
        w.data += hex_of(raw.removeprefix("0x"), self.name) if raw else time_bytes(self.need(given), self.name)


def time_of(data: bytes) -> str | None:
    """ISO 8601 of six bytes, None when they are no time."""
    second, minute, hour, day, month, year = data
    try:
        return dt.datetime(2000 + year, month, day, hour, minute, second, tzinfo=ZONE).isoformat()
    except ValueError:
        return None


def time_bytes(value: Any, what: str) -> bytes:
    """Six bytes of an ISO 8601 time (None: zeros); FieldError when it is none."""
    if value is None:
        return bytes(6)
    try:
        at = dt.datetime.fromisoformat(value).astimezone(ZONE)
    except (TypeError, ValueError):
        raise FieldError(what, value, "应为 ISO 8601 时间", "must be an ISO 8601 time") from None
    if not 2000 <= at.year < 2256:
        raise FieldError(what, value, "年份应在 2000 到 2255", "year must be 2000 to 2255")
    return bytes((at.second, at.minute, at.hour, at.day, at.month, at.year - 2000))


class Address(Field):
    """`size` bytes, low byte first, shown as hex with the high byte first."""

    def __init__(self, name: str, size: int):
        super().__init__(name)
        self.size = size

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        out[self.name] = r.take(self.size, self.name)[::-1].hex()

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        data = hex_of(str(self.need(given)).rjust(2 * self.size, "0"), self.name)
        if len(data) != self.size:
            raise FieldError(self.name, given[self.name], f"应为 {self.size} 字节", f"must be {self.size} bytes")
        w.data += data[::-1]


class Version(Field):
    """Main and minor version as ``"1.1"``."""

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        main, minor = r.take(2, self.name)
        out[self.name] = f"{main}.{minor}"

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        main, _, minor = str(self.need(given)).partition(".")
        if not (main.isdecimal() and minor.isdecimal()):
            raise FieldError(self.name, given[self.name], "应为“主.次”版本号", 'must be a version such as "1.1"')
        w.number(int(main), 1, self.name)
        w.number(int(minor), 1, self.name)


class Analog(Field):
    """Analogue type and value (16 bits, two's complement): the count as it is sent, and the value in the table's unit."""

    def __init__(self) -> None:
        super().__init__("analog_type")

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        kind, data = r.number(1, "analog_type"), r.take(2, "raw")
        raw = int.from_bytes(data, "little", signed=True)
        out["analog_type"], out["raw"] = kind, raw
        known = r.options["analogs"].get(kind)
        if known is not None:
            out["analog"], out["value"], out["unit"] = known[0], round(raw * known[2], 6), known[1]

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        w.number(self.need(given), 1, "analog_type")
        raw = given.get("raw")
        if not isinstance(raw, int) or not -32768 <= raw <= 32767:
            raise FieldError("raw", raw, "应为 -32768 到 32767 的整数", "must be a whole number from -32768 to 32767")
        w.data += raw.to_bytes(2, "little", signed=True)


_SYSTEM = (U("system_type", 1, names=n.SYSTEMS), U("system_address"))
_PART = (*_SYSTEM, U("part_type", 1, names=n.PARTS), Address("part_address", 4))
_PART_READ = (*_SYSTEM, Address("part_address", 4))
_RECORDS = (U("records"), Time("since"))
_SPARE = (Hex("reserved", 1),)
_OPERATOR = (U("operator"), Time("time"))
UNITS: dict[int, Layout] = {
    1: (*_SYSTEM, Bits("state", 2, n.SYSTEM_STATES, "states"), Time("time")),
    2: (*_PART, Bits("state", 2, n.PART_STATES, "states"), Text("text", 31), Time("time")),
    3: (*_PART, Analog(), Time("time")),
    4: (*_SYSTEM, Bits("operation", 1, n.OPERATIONS, "operations"), *_OPERATOR),
    5: (*_SYSTEM, Version("software")),
    6: (*_SYSTEM, Text("config", prefix=1)),
    7: (*_PART, Text("text", 31)),
    8: (*_SYSTEM, Time("system_time")),
    21: (Bits("state", 1, n.DEVICE_STATES, "states"), Time("time")),
    24: (Bits("operation", 1, n.DEVICE_OPERATIONS, "operations"), *_OPERATOR),
    25: (Version("software"),),
    26: (Text("config", prefix=1),),
    28: (Time("device_time"),),
    61: _SYSTEM,
    62: _PART_READ,
    63: _PART_READ,
    64: (*_SYSTEM, *_RECORDS),
    65: _SYSTEM,
    66: _SYSTEM,
    67: _PART_READ,
    68: _SYSTEM,
    81: _SPARE,
    84: _RECORDS,
    85: _SPARE,
    86: _SPARE,
    88: _SPARE,
    89: _SPARE,
    90: (Time("device_time"),),
    91: (U("timeout_min"),),
}
NUMBERS = {name: number for number, name in n.TYPES.items()}


def _layout(kind: int, count: int, left: int) -> Layout | None:
    """The layout of an object; requests for a part come with and without the part's type."""
    if kind in (62, 63, 67) and count and left == 7 * count:
        return _PART
    return UNITS.get(kind)


def read_unit(r: Reader, out: dict[str, Any], short: frozenset[int]) -> None:
    """The application unit up to the reader's end: type, count, objects; unknown types keep their bytes as ``data`` (hex)."""
    kind = r.number(1, "type")
    out["type"] = kind
    out["type_text"] = n.TYPES.get(kind, "user" if kind >= 128 else "reserved")
    if (kind in short and kind not in UNITS and r.left == 0) or not r.left:
        return
    count = r.number(1, "count")
    out["count"] = count
    layout = _layout(kind, count, r.left)
    if layout is None:
        out["data"] = "0x" + r.take(r.left).hex()
        return
    objects: list[dict[str, Any]] = []
    while len(objects) < count:
        if not r.left:
            raise LayoutError("bad_length", f"{count} objects announced, {len(objects)} there")
        one: dict[str, Any] = {}
        for field in layout:
            field.read(r, one)
        objects.append(one)
    out["objects"] = objects
    if r.left:
        out["rest"] = "0x" + r.take(r.left).hex()


def write_unit(w: Writer, given: Mapping[str, Any]) -> None:
    """The application unit from its fields; FieldError names what is missing or out of range."""
    kind = given["type"]
    w.number(kind, 1, "type")
    if "data" in given or "objects" not in given:
        if "count" in given:
            w.number(given["count"], 1, "count")
        w.data += hex_of(str(given.get("data", "")).removeprefix("0x"), "data")
        return
    objects = given["objects"]
    layout = _PART if kind in (62, 63, 67) and objects and "part_type" in objects[0] else UNITS.get(kind)
    if layout is None:
        raise FieldError("type", kind, "未知类型须给出 data（十六进制）", "an unknown type needs its data (hex)")
    w.number(len(objects), 1, "count")
    for one in objects:
        for field in layout:
            field.write(w, one)
    w.data += hex_of(str(given.get("rest", "")).removeprefix("0x"), "rest")
