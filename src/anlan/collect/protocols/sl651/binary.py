"""Bodies in HEX/BCD (6.6.3, 6.6.4): reports with elements, sequences in steps, parameters, controls."""

from __future__ import annotations

from datetime import timedelta

from .._split import Bad
from . import tables
from .frame import Frame, station_text
from .tables import BASIC, CHANNELS, HOUR_NAMES, RUN
from .values import Body, add_hour, add_status, add_value, digits_of, events, iso, number, status, when

_TYPED = frozenset((0x30, 0x31, 0x32, 0x33, 0x34, 0x36, 0x37, 0x38, 0x3A, 0x44))  # reports that name the station's kind
FIVE_MINUTES = timedelta(minutes=5)


def read(body: Body, frame: Frame, data: bytes) -> None:
    """Everything that a body says into `body`. Bad names the field that cannot be."""
    if len(data) < 8:
        raise Bad(f"body of {len(data)} bytes has no serial number and time · 正文过短")
    body.fields["serial"] = data[0] << 8 | data[1]
    body.sent = when(digits_of(data[2:8], "send time"), "send time")
    body.fields["send_time"] = iso(body.sent)
    if frame.down:
        _down(body, frame.function, data[8:])
    elif len(data) > 8:
        _up(body, frame.function, data, 8)


def opening(body: Body, frame: Frame, data: bytes) -> None:
    """What the first packet of a set says before its elements: serial, times, station. Bad as `read`."""
    if len(data) >= 8:
        read(body, frame, data[:8])
    if data[8:10] == b"\xf1\xf1":
        at = _station(body, frame.function, data, 8)
        if data[at : at + 2] == b"\xf0\xf0":
            body.fields["observe_time"] = iso(when(digits_of(data[at + 2 : at + 7], "observation time"), "observation time"))


def _up(body: Body, function: int, data: bytes, at: int) -> None:
    if data[at : at + 2] == b"\xf1\xf1":
        at = _station(body, function, data, at)
    if 0x40 <= function <= 0x43:
        _parameters(body, data[at:], function < 0x42)
    elif function in CONTROLS:
        CONTROLS[function](body, data[at:])
    else:
        _elements(body, function, data, at)


def _station(body: Body, function: int, data: bytes, at: int) -> int:
    """F1F1, address and, in reports, the kind of station; the place after it."""
    if len(data) < at + 7:
        raise Bad("station address is cut · 站址不完整")
    body.station = station_text(data[at + 2 : at + 7])
    body.fields.setdefault("report_station", body.station)
    at += 7
    if at < len(data) and (data[at + 1 : at + 3] == b"\xf0\xf0" or (function in _TYPED and data[at : at + 2] != b"\xf0\xf0")):
        kind = chr(data[at]) if 0x20 <= data[at] < 0x7F else f"{data[at]:02X}"
        body.fields.setdefault("station_type", kind)
        if kind in tables.STATION_TYPES:
            body.fields.setdefault("station_type_zh", tables.STATION_TYPES[kind])
        at += 1
    return at


def _elements(body: Body, function: int, data: bytes, at: int) -> None:
    """Elements up to the body's end, with new stations and times between them (6.6.2.7, 6.6.2.8)."""
    while at < len(data):
        guide = data[at]
        two = data[at : at + 2]
        if two == b"\xf1\xf1":
            at = _station(body, function, data, at)
            continue
        if two == b"\xf0\xf0":
            body.time = when(digits_of(data[at + 2 : at + 7].ljust(5, b"\xff"), "observation time"), "observation time")
            body.fields.setdefault("observe_time", iso(body.time))
            at += 7
            continue
        if two in (b"\xf2\xf2", b"\xf3\xf3", b"\xfd\xf6"):
            _rest(body, guide, data[at + 2 :])
            return
        if guide == tables.STEP:
            at = _steps(body, data, at)
            continue
        at = _element(body, data, at)


def _rest(body: Body, guide: int, raw: bytes) -> None:
    """Manual text, a picture or batched velocities: all that is left."""
    if guide == tables.MANUAL:
        try:
            text = raw.decode("gb18030")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        body.entry("F2F2", "RGZS", text=text)
    elif guide == tables.PICTURE:
        body.entry("F3F3", "PIC", bytes=len(raw), jpeg=raw[:2] == b"\xff\xd8", hex=raw.hex().upper())
    else:
        body.entry("FDF6", "DATA", bytes=len(raw), hex=raw.hex().upper())


def _head(data: bytes, at: int) -> tuple[str, int, int]:
    """Identifier (two bytes when it begins with FF), definition byte, and where the data begins."""
    wide = 2 if data[at] == 0xFF else 1
    if len(data) < at + wide + 1:
        raise Bad(f"element {data[at:].hex().upper()} is cut · 要素不完整")
    return data[at : at + wide].hex().upper(), data[at + wide], at + wide + 1


def _element(body: Body, data: bytes, at: int) -> int:
    id, definition, at = _head(data, at)
    size = definition >> 3
    guide = int(id, 16)
    raw = data[at : at + size]
    if len(raw) < size:
        raise Bad(f"element {id} has {len(raw)} of {size} bytes · 要素数据不完整")
    if guide in HOUR_NAMES:
        add_hour(body, guide, raw, FIVE_MINUTES, f"{definition:02X}")
    elif guide == tables.STATUS:
        add_status(body, raw)
    else:
        add_value(body, id, definition, raw)
    return at + size


def _steps(body: Body, data: bytes, at: int) -> int:
    """04 18 d h m, then one element definition and its values at equal steps (annex C note g)."""
    if data[at + 1 : at + 2] != b"\x18" or len(data) < at + 6:
        raise Bad("time step 04 is not of 3 bytes · 时间步长码错")
    day, hour, minute = (int(digits_of(data[k : k + 1], "time step")) for k in range(at + 2, at + 5))
    body.entry("04", "DRxnn", definition="18", step={"day": day, "hour": hour, "minute": minute})
    step = timedelta(days=day, hours=hour, minutes=minute) or FIVE_MINUTES
    id, definition, at = _head(data, at + 5)
    guide, size = int(id, 16), definition >> 3
    left = len(data) - at
    if guide in HOUR_NAMES:
        groups = left // size if size and left % size == 0 else 1
        if not size or left < size:
            raise Bad(f"element {id} has {left} of {size} bytes · 要素数据不完整")
        add_hour(body, guide, data[at : at + groups * size], step, f"{definition:02X}")
        return at + groups * size
    if not size or size > left:
        raise Bad(f"element {id} has {left} of {size} bytes · 要素数据不完整")
    return _sequence(body, data, at, step, id, definition)


def _sequence(body: Body, data: bytes, at: int, step: timedelta, id: str, definition: int) -> int:
    size, element = definition >> 3, tables.ELEMENTS.get(int(id, 16))
    values: list[float | None] = []
    time = body.time
    while at < len(data) and data[at : at + 2] not in (b"\xf0\xf0", b"\xf1\xf1"):
        raw = data[at : at + size]
        if len(raw) < size:
            raise Bad(f"value {len(values) + 1} of {id} is cut · 时段数据不完整")
        value = number(raw, definition & 7, id)
        values.append(value)
        if element and time is not None:
            body.add(element, value, time)
            time += step
        at += size
    name = element.name if element else id
    entry = body.entry(id, name, definition=f"{definition:02X}", unit=element.unit if element else "", values=values)
    if body.time is not None:
        entry["first_time"], entry["step_s"] = iso(body.time), int(step.total_seconds())
    return at


def _parameters(body: Body, data: bytes, basic: bool) -> None:
    """Parameters of tables D.1 (40, 41) or D.4 (42, 43): identifier, definition and data, as sent and as a value where it is one."""
    at = 0
    while at < len(data):
        id, definition, at = _head(data, at)
        guide = int(id, 16)
        size = definition if basic and guide == 0x0E else definition >> 3
        name, kind = BASIC.get(guide, (id, "h")) if basic else (RUN.get(guide, id), "n")
        raw = data[at : at + size]
        if len(raw) < size:
            if any(data[at:]):
                raise Bad(f"parameter {id} has {len(raw)} of {size} bytes · 参数数据不完整")
            size = 0
        body.fields.setdefault("parameters", []).append(
            {"id": id, "name": name, "definition": f"{definition:02X}", **_parameter(kind, raw[:size], definition)}
        )
        at += size


def _parameter(kind: str, raw: bytes, definition: int) -> dict[str, object]:
    if not raw:
        return {}
    shown: dict[str, object] = {"hex": raw.hex().upper()}
    if kind == "n":
        try:
            shown["value"] = number(raw, definition & 7, "parameter")
        except Bad:
            return shown
    elif kind == "c":
        shown["channel"] = CHANNELS.get(raw[0], f"{raw[0]:02X}")
        text = raw[1:].hex().upper()
        if raw[0] == 2 and len(text) >= 18 and text[:18].isdigit():
            shown["address"] = ".".join(str(int(text[k : k + 3])) for k in range(0, 12, 3)) + f":{int(text[12:18])}"
        else:
            shown["address"] = text.lstrip("A")
    elif kind == "t":
        shown["text"] = raw.decode("latin-1")
    return shown


def _version(body: Body, data: bytes) -> None:
    size = data[0] if data else 0
    if size > len(data) - 1:
        raise Bad(f"version of {size} bytes has {len(data) - 1} · 版本信息不完整")
    body.fields["version"] = data[1 : 1 + size].decode("gb18030", "replace")


def _status(body: Body, data: bytes) -> None:
    if data[:2] == b"\x45\x20" and len(data) >= 6:
        add_status(body, data[2:6])
        body.fields["status"] = status(data[2:6])
        data = data[6:]
    if data:
        _elements(body, 0x46, data, 0)


def _store(body: Body, data: bytes) -> None:
    """97 and 98 of the commands 47 and 48."""
    if data:
        body.fields["marks"] = [data[k : k + 1].hex().upper() for k in range(0, len(data), 2)]


def _password(body: Body, data: bytes) -> None:
    """Passwords, each 03 10 and two bytes."""
    if len(data) % 4 or any(data[k : k + 2] != b"\x03\x10" for k in range(0, len(data), 4)):
        raise Bad(f"password {data.hex().upper()} · 密码格式错")
    body.fields["passwords"] = [data[k + 2 : k + 4].hex().upper() for k in range(0, len(data), 4)]


def _switches(body: Body, data: bytes) -> None:
    """Pumps or valves: a count of bytes, then a bit each, 1 open (tables 71, 74)."""
    if data:
        bits = data[1 : 1 + data[0]]
        if len(bits) < data[0]:
            raise Bad("switch states are cut · 开关状态不完整")
        body.fields["bytes"] = data[0]
        body.fields["open"] = [8 * k + b + 1 for k, byte in enumerate(bits) for b in range(8) if byte >> b & 1]


def _gates(body: Body, data: bytes) -> None:
    """Gates: their count, a bit each, then each opening in cm as two BCD bytes (table 77)."""
    if not data:
        return
    count = data[0]
    size = (count + 7) // 8
    if len(data) < 1 + size:
        raise Bad("gate states are cut · 闸门状态不完整")
    bits, heights = int.from_bytes(data[1 : 1 + size], "little"), data[1 + size :]
    body.fields["gates"] = count
    body.fields["open"] = [k + 1 for k in range(count) if bits >> k & 1]
    body.fields["opening_cm"] = [number(heights[k : k + 2], 0, "opening") for k in range(0, min(len(heights), 2 * count) - 1, 2)]


def _quota(body: Body, data: bytes) -> None:
    if data:
        if data[0] not in (0x00, 0xFF):
            raise Bad(f"quota control {data[0]:02X} is neither FF nor 00 · 定值控制码错")
        body.fields["quota_control"] = data[0] == 0xFF


def _events(body: Body, data: bytes) -> None:
    if len(data) % 2:
        raise Bad("event counts are cut · 事件记录不完整")
    if data:
        body.fields["events"], body.fields["event_bytes"] = events(data), len(data)


def _nothing(body: Body, data: bytes) -> None:
    if data:
        body.fields["rest"] = data.hex().upper()


CONTROLS = {
    0x2F: _nothing,
    0x45: _version,
    0x46: _status,
    0x47: _store,
    0x48: _store,
    0x49: _password,
    0x4A: _nothing,
    0x4B: _status,
    0x4C: _switches,
    0x4D: _switches,
    0x4E: _gates,
    0x4F: _quota,
    0x50: _events,
    0x51: _nothing,
}


def _down(body: Body, function: int, data: bytes) -> None:
    """What follows serial number and time of a command or an acknowledgement."""
    if data[:2] == b"\xf1\xf1":
        at = _station(body, 0, data, 0)
        data = data[at:]
    if not data:
        return
    if function == 0x38:
        if len(data) < 8:
            raise Bad("period is cut · 时段不完整")
        body.fields["begin_time"] = iso(when(digits_of(data[:4], "begin"), "begin"))
        body.fields["end_time"] = iso(when(digits_of(data[4:8], "end"), "end"))
        data = data[8:]
        if data[:2] == b"\x04\x18":
            day, hour, minute = (int(digits_of(data[k : k + 1], "time step")) for k in (2, 3, 4)) if len(data) >= 5 else (0, 0, 0)
            body.fields["step"] = {"day": day, "hour": hour, "minute": minute}
            data = data[5:]
    if function in (0x37, 0x38, 0x3A, 0x41, 0x43):
        body.fields["ids"] = _ids(data)
    elif function in (0x40, 0x42):
        _parameters(body, data, function == 0x40)
    elif function in CONTROLS:
        CONTROLS[function](body, data)
    else:
        body.fields["rest"] = data.hex().upper()


def _ids(data: bytes) -> list[dict[str, str]]:
    """Identifiers without data: each guide and definition byte."""
    out, at = [], 0
    while at < len(data):
        id, definition, at = _head(data, at)
        out.append({"id": id, "definition": f"{definition:02X}"})
    return out
