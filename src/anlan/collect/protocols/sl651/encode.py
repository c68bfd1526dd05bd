"""Messages to bytes: reports as a station sends them, queries and acknowledgements as a centre sends them.

`frame(fields)` takes the words that a decoded message has; the fields of a decoded frame give its bytes again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ....base.errors import FieldError
from . import tables
from .frame import CODES, build, station_bytes
from .tables import ELEMENTS, HOUR_NAMES, IDS
from .values import BEIJING


def frame(message: dict[str, Any]) -> bytes:
    """One frame. FieldError names a field that is missing or out of range."""
    function = _function(message)
    text, down = message.get("framing", "HEX") == "ASCII", message.get("direction", "up") == "down"
    address = station_bytes(str(_need(message, "station")))
    packet = message.get("packet")
    if "body_hex" in message:
        body = bytes.fromhex(message["body_hex"])
    elif text:
        body = _text_body(message, function, down)
    else:
        body = _serial(message) + (_down(message, function) if down else _up(message, function, address))
    end = CODES[message.get("end") or _end(function, down)]
    number = packet["total"] << 12 | packet["number"] if packet else -1
    center, password = int(message.get("center", 1)), bytes.fromhex(message.get("password", "0000"))
    return build(text, down, center, address, password, function, body, end, number)


def packets(message: dict[str, Any], size: int = 1024) -> list[bytes]:
    """The frames of mode M3: the body in pieces of `size` bytes, all but the last ended by ETB."""
    function, text = _function(message), message.get("framing", "HEX") == "ASCII"
    address = station_bytes(str(_need(message, "station")))
    body = _text_body(message, function, False) if text else _serial(message) + _up(message, function, address)
    pieces = [body[k : k + size] for k in range(0, len(body), size)]
    center, password = int(message.get("center", 1)), bytes.fromhex(message.get("password", "0000"))
    out = []
    for k, piece in enumerate(pieces):
        end = CODES["ETX" if k + 1 == len(pieces) else "ETB"]
        out.append(build(text, False, center, address, password, function, piece, end, len(pieces) << 12 | k + 1))
    return out


def _function(message: dict[str, Any]) -> int:
    value = message.get("function", message.get("name", ""))
    try:
        number = value if isinstance(value, int) else int(str(value).split()[0], 16)
    except (ValueError, IndexError):
        number = -1
    if not 0 <= number <= 255:
        raise FieldError("function", value, "应为功能码，如 34", "must be a function code such as 34")
    return number


def _need(message: dict[str, Any], name: str) -> Any:
    if message.get(name) in (None, ""):
        raise FieldError(name, message.get(name), "缺少此项", "is missing")
    return message[name]


def _end(function: int, down: bool) -> str:
    return "ETX" if not down else "EOT" if 0x30 <= function <= 0x35 else "ENQ"


def digits(value: Any, count: int, name: str) -> str:
    """A time as `count` digits of Beijing time; `value` is a datetime or ISO 8601 with zone."""
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        if time.tzinfo is None:
            raise ValueError("no zone")
    except ValueError:
        raise FieldError(name, value, "应为带时区的 ISO 8601 时间", "must be an ISO 8601 time with zone") from None
    return time.astimezone(BEIJING).strftime("%y%m%d%H%M%S")[:count]


def bcd(value: float | None, definition: int) -> bytes:
    """A number as the definition byte says; None is all FF, a negative number begins with FF. FieldError when it does not fit."""
    size, decimals = definition >> 3, definition & 7
    if value is None:
        return b"\xff" * size
    whole = round(abs(value) * 10**decimals)
    room = size - (value < 0)
    if room < 1 or whole >= 100**room:
        raise FieldError("value", value, f"{size} 字节 {decimals} 位小数放不下", f"does not fit in {size} bytes with {decimals} decimals")
    return (b"\xff" if value < 0 else b"") + bytes.fromhex(f"{whole:0{2 * room}d}")


def _serial(message: dict[str, Any]) -> bytes:
    serial = int(message.get("serial", 0))
    if not 0 <= serial <= 0xFFFF:
        raise FieldError("serial", serial, "应在 0–65535", "must be 0 to 65535")
    return serial.to_bytes(2, "big") + bytes.fromhex(digits(_need(message, "send_time"), 12, "send_time"))


def _up(message: dict[str, Any], function: int, address: bytes) -> bytes:
    out = bytearray()
    if "report_station" in message or (function not in (0x2F, 0x35, 0x39) and "elements" in message):
        out += b"\xf1\xf1" + station_bytes(str(message.get("report_station", message["station"])))
        if message.get("station_type"):
            kind = str(message["station_type"])
            out += kind.encode("latin-1") if len(kind) == 1 else bytes.fromhex(kind)
    time = message.get("observe_time")
    if time:
        out += b"\xf0\xf0" + bytes.fromhex(digits(time, 10, "observe_time"))
    for element in message.get("elements", ()):
        if element.get("station", message.get("report_station")) != message.get("report_station"):
            raise FieldError("elements", element["station"], "一帧只能编一个站", "a frame is made for one station")
        if element.get("time", time) != time:
            time = element["time"]
            out += b"\xf0\xf0" + bytes.fromhex(digits(time, 10, "time"))
        out += _element(element, message)
    return bytes(out + _control(message, function))


def identifier(element: dict[str, Any]) -> tuple[str, int]:
    """Identifier as hex and definition byte of an element named by `id` or `name`."""
    id = str(element.get("id") or "")
    if not id:
        name = str(element.get("name", "")).upper()
        if name not in IDS:
            raise FieldError("name", element.get("name"), "表 C.1 无此要素", "table C.1 has no such element")
        id = f"{IDS[name]:02X}"
    given = element.get("definition")
    guide = int(id, 16)
    if given:
        return id, int(given, 16)
    if guide in HOUR_NAMES:
        return id, 0x60 if guide == 0xF4 else 0xC0
    known = ELEMENTS.get(guide) if len(id) == 2 else None
    return id, known.definition if known else 0x20


def _element(element: dict[str, Any], message: dict[str, Any]) -> bytes:
    id, definition = identifier(element)
    if id == "F2F2":
        return b"\xf2\xf2" + str(element.get("text", "")).encode("gb18030")
    if id in ("F3F3", "FDF6"):
        return bytes.fromhex(id) + bytes.fromhex(element.get("hex", ""))
    guide = int(id, 16)
    if guide == tables.STEP and "step" in element:
        step = element["step"]
        return b"\x04\x18" + bytes.fromhex("".join(f"{int(step.get(k, 0)):02d}" for k in ("day", "hour", "minute")))
    head = bytes.fromhex(id) + bytes((definition,))
    if guide == tables.STATUS:
        return b"\x45\x20" + bytes.fromhex(element["hex"])
    if "hex" in element:
        return head + bytes.fromhex(element["hex"])
    if guide in HOUR_NAMES:
        return head + hour(guide, element.get("values", ()))
    if "values" in element:
        return head + b"".join(bcd(v, definition) for v in element["values"])
    return head + bcd(element.get("value"), definition)


def hour(guide: int, values: Any) -> bytes:
    """Values of F4 (mm) or F5-FC (m) as HEX, None as FF. FieldError when one does not fit."""
    width, scale = (1, 10) if guide == 0xF4 else (2, 100)
    out = bytearray()
    for value in values:
        whole = (1 << 8 * width) - 1 if value is None else round(value * scale)
        if value is not None and not 0 <= whole < (1 << 8 * width) - 1:
            raise FieldError(
                "values", value, "超出范围（雨量 0–25.4 mm，水位 0–655.34 m）", "out of range (rain 0-25.4 mm, level 0-655.34 m)"
            )
        out += whole.to_bytes(width, "big")
    return bytes(out)


def _parameters(message: dict[str, Any]) -> bytes:
    out = b""
    for p in message.get("parameters", ()):
        id, definition = identifier(p)
        raw = bytes.fromhex(p["hex"]) if "hex" in p else bcd(p["value"], definition) if "value" in p else b""
        if "definition" not in p and raw:
            definition = len(raw) << 3
        out += bytes.fromhex(id) + bytes((definition,)) + raw
    return out


def _bits(numbers: list[int], size: int) -> bytes:
    return sum(1 << n - 1 for n in numbers).to_bytes(size, "little")


def _control(message: dict[str, Any], function: int) -> bytes:
    """What the functions 40-51 carry, up or down."""
    if function in (0x40, 0x41, 0x42, 0x43):
        return _parameters(message)
    if "version" in message:
        raw = str(message["version"]).encode("gb18030")
        return bytes((len(raw),)) + raw
    if "marks" in message:
        return b"".join(bytes.fromhex(m) + b"\0" for m in message["marks"])
    if "passwords" in message:
        return b"".join(b"\x03\x10" + bytes.fromhex(p) for p in message["passwords"])
    if "gates" in message:
        count = int(message["gates"])
        heights = b"".join(bcd(v, 0x10) for v in message.get("opening_cm", ()))
        return bytes((count,)) + _bits(message.get("open", []), (count + 7) // 8) + heights
    if function in (0x4C, 0x4D) and "open" in message:
        size = int(message.get("bytes") or max(1, (max(message["open"], default=1) + 7) // 8))
        return bytes((size,)) + _bits(message["open"], size)
    if "quota_control" in message:
        return b"\xff" if message["quota_control"] else b"\0"
    if "events" in message:
        counts = [0] * (int(message.get("event_bytes", 64)) // 2)
        for name, count in message["events"].items():
            counts[tables.EVENTS.index(name) if name in tables.EVENTS else int(name[6:]) - 1] = count
        return b"".join(c.to_bytes(2, "big") for c in counts)
    if "status" in message and not message.get("elements"):
        return b"\x45\x20" + bytes.fromhex(message["status"]["hex"])
    return bytes.fromhex(message.get("rest", ""))


def _down(message: dict[str, Any], function: int) -> bytes:
    out = b""
    if function == 0x38 and "begin_time" in message:
        out = bytes.fromhex(digits(message["begin_time"], 8, "begin_time") + digits(_need(message, "end_time"), 8, "end_time"))
        step = message.get("step", {})
        out += b"\x04\x18" + bytes.fromhex("".join(f"{int(step.get(k, 0)):02d}" for k in ("day", "hour", "minute")))
    for one in message.get("ids", ()):
        id, definition = identifier(one if isinstance(one, dict) else {"name": one})
        out += bytes.fromhex(id) + bytes((definition,))
    return out + _control(message, function)


def _word(element: dict[str, Any]) -> str:
    """The ASCII identifier of an element."""
    id, _ = identifier(element)
    names = {number: name for name, number in IDS.items()}
    return str(element.get("name") or names.get(int(id, 16), id))


def _text_value(element: dict[str, Any], value: float | None) -> str:
    if value is None:
        return "M"
    known = ELEMENTS.get(int(identifier(element)[0], 16))
    return f"{value:.{known.decimals}f}" if known else f"{value}"


def _text_body(message: dict[str, Any], function: int, down: bool) -> bytes:
    serial = _serial(message)
    words: list[str] = []
    if not down and (message.get("report_station") or message.get("elements")) and function not in (0x2F, 0x35, 0x39):
        words += ["ST", station_bytes(str(message.get("report_station", message["station"]))).hex().upper()]
        words += [str(message["station_type"])] if message.get("station_type") else []
    time = message.get("observe_time")
    words += ["TT", digits(time, 10, "observe_time")] if time else []
    if down and function == 0x38:
        words += [digits(message[k], 8, k) for k in ("begin_time", "end_time")] + [_step_word(message.get("step", {}))]
    words += [_word(x if isinstance(x, dict) else {"name": x}) for x in message.get("ids", ())]
    steps = [e for e in message.get("elements", ()) if "step" in e]
    for element in message.get("elements", ()):
        if "text" in element and element.get("id") == "F2F2":
            return serial.hex().upper().encode() + b" RGZS " + str(element["text"]).encode("gb18030") + b" "
        if "step" in element:
            words.append(_step_word(element["step"]))
        elif element.get("time", time) != time:
            time = element["time"]
            words += ["TT", digits(time, 10, "time")]
        if "step" not in element and not steps:
            words += [_word(element), *_text_words(element)]
    if steps:
        rows = [e for e in message["elements"] if "step" not in e]
        words += [_word(e) for e in rows]
        if int(identifier(rows[0])[0], 16) in HOUR_NAMES:
            words += [w for e in rows for w in _text_words(e)]
        else:
            words += [
                _text_value(e, v) for group in zip(*(e["values"] for e in rows), strict=True) for e, v in zip(rows, group, strict=True)
            ]
    for p in message.get("parameters", ()):
        words += [str(p["id"]), str(p.get("text", p.get("hex", p.get("value", ""))))]
    raw = _control({k: v for k, v in message.items() if k not in ("parameters", "elements")}, function)
    words += [raw.hex().upper()] if raw else []
    tail = (" " + " ".join(words) + " ").encode("latin-1") if words else b""
    return serial.hex().upper().encode() + tail


def _text_words(element: dict[str, Any]) -> list[str]:
    guide = int(identifier(element)[0], 16)
    if guide in HOUR_NAMES:
        return [hour(guide, element["values"]).hex().upper()]
    if guide == tables.STATUS:
        return [str(element["hex"])]
    return [str(element["text"]) if "text" in element else _text_value(element, element.get("value"))]


def _step_word(step: dict[str, Any]) -> str:
    for letter, name in (("D", "day"), ("N", "minute")):
        if step.get(name):
            return f"DR{letter}{int(step[name]):02d}"
    return f"DRH{int(step.get('hour', 0)):02d}"
