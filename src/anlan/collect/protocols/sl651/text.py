"""Bodies in ASCII (6.6.2): serial and time without spaces, then identifiers and values apart by spaces."""

from __future__ import annotations

import re
from datetime import timedelta

from .._split import Bad
from . import tables
from .binary import CONTROLS, FIVE_MINUTES
from .frame import Frame, station_text
from .tables import ELEMENTS, HOUR_NAMES, IDS
from .values import Body, add_hour, add_status, iso, when

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?\Z|[+-]?\.\d+\Z")
_STEP = re.compile(r"DR([DHN])(\d\d)\Z")


def read(body: Body, frame: Frame, data: bytes) -> None:
    """Everything that an ASCII body says into `body`. Bad names the field that cannot be."""
    head = data[:16].decode("latin-1")
    if len(head) < 16 or not re.match(r"[0-9A-Fa-f]{4}\d{12}\Z", head):
        raise Bad(f"serial number and time {head!r} · 流水号或发报时间错")
    body.fields["serial"] = int(head[:4], 16)
    body.sent = when(head[4:], "send time")
    body.fields["send_time"] = iso(body.sent)
    rest = data[16:]
    for mark, guide in ((b"RGZS ", tables.MANUAL), (b"\xf2\xf2", tables.MANUAL), (b"PIC ", tables.PICTURE), (b"\xf3\xf3", tables.PICTURE)):
        found = rest.find(mark)
        if found >= 0 and (found == 0 or rest[found - 1 : found] == b" "):
            _reports(body, frame.function, rest[:found].decode("latin-1").split())
            _raw(body, guide, rest[found + len(mark) :])
            return
    words = rest.decode("latin-1").split()
    if frame.down:
        _command(body, frame.function, words)
    elif frame.function >= 0x40 and frame.function != 0x44:
        _settings(body, frame.function, words)
    else:
        _reports(body, frame.function, words)


def _raw(body: Body, guide: int, raw: bytes) -> None:
    if guide == tables.MANUAL:
        try:
            text = raw.decode("gb18030")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        body.entry("F2F2", "RGZS", text=text.rstrip(" "))
    else:
        picture = raw[:-1] if raw.endswith(b" ") else raw
        body.entry("F3F3", "PIC", bytes=len(picture), jpeg=picture[:2] == b"\xff\xd8", hex=picture.hex().upper())


def _hex(word: str, what: str) -> bytes:
    try:
        return bytes.fromhex(word)
    except ValueError:
        raise Bad(f"{what}: {word!r} is not hex · 不是十六进制") from None


def _reports(body: Body, function: int, words: list[str]) -> None:
    at = 0
    while at < len(words):
        word = words[at].upper()
        step = _STEP.match(word)
        if step:
            _sequences(body, step[1], int(step[2]), words[at + 1 :])
            return
        if at + 1 >= len(words):
            raise Bad(f"{word} has no value · 要素无数据")
        value = words[at + 1]
        at += 2
        if word == "ST":
            address = _hex(value, "station")
            if len(address) != 5:
                raise Bad(f"station {value!r} · 站址错")
            body.station = station_text(address)
            body.fields.setdefault("report_station", body.station)
            if at < len(words) and words[at].upper() != "TT" and len(words[at]) == 1:
                body.fields.setdefault("station_type", words[at].upper())
                at += 1
        elif word == "TT":
            if not re.match(r"\d{10}\Z", value):
                raise Bad(f"observation time {value!r} · 观测时间错")
            body.time = when(value, "observation time")
            body.fields.setdefault("observe_time", iso(body.time))
        else:
            _element(body, word, value)


def _element(body: Body, word: str, value: str) -> None:
    guide = IDS.get(word)
    if guide in HOUR_NAMES:
        add_hour(body, guide, _hex(value, word), FIVE_MINUTES, "")  # type: ignore[arg-type]
    elif guide == tables.STATUS:
        raw = _hex(value, word)
        if len(raw) != 4:
            raise Bad(f"status {value!r} is not of 4 bytes · 状态不是 4 字节")
        add_status(body, raw)
    else:
        element = ELEMENTS.get(guide) if guide is not None else None
        number = _value(value, word)
        body.entry(f"{guide:02X}" if guide is not None else word, element.name if element else word, text=value, value=number)
        if element:
            entry = body.fields["elements"][-1]
            if element.unit != "1":
                entry["unit"] = element.unit
            nines = len(value) >= 7 and not value.replace(".", "").strip("9")
            body.add(element, number, body.time, nines)


def _value(word: str, what: str) -> float | None:
    if word.upper() == "M":
        return None
    if not _NUMBER.match(word):
        raise Bad(f"{what}: {word!r} is not a number · 不是数字")
    number = float(word)
    return int(word) if number.is_integer() and "." not in word else number


def _sequences(body: Body, unit: str, count: int, words: list[str]) -> None:
    """DRxnn, identifiers, then values in groups, one of each identifier (6.6.4.4)."""
    step = {"D": timedelta(days=count), "H": timedelta(hours=count), "N": timedelta(minutes=count)}[unit]
    parts = {"day": count if unit == "D" else 0, "hour": count if unit == "H" else 0, "minute": count if unit == "N" else 0}
    body.entry("04", f"DR{unit}{count:02d}", step=parts)
    names = []
    while words and words[0].upper() in IDS:
        names.append(words.pop(0).upper())
    if not names or len(words) % len(names):
        raise Bad(f"{len(words)} values for {len(names)} identifiers · 时段数据与要素数不符")
    if names[0] in HOUR_NAMES.values():
        for k, name in enumerate(names):
            raw = b"".join(_hex(word, name) for word in words[k :: len(names)])
            add_hour(body, IDS[name], raw, step or FIVE_MINUTES, "")
        return
    for k, name in enumerate(names):
        element = ELEMENTS.get(IDS[name])
        values = [_value(word, name) for word in words[k :: len(names)]]
        facts = {"unit": element.unit if element else "", "values": values, "step_s": int(step.total_seconds())}
        if body.time is not None:
            facts["first_time"] = iso(body.time)
            for n, value in enumerate(values):
                if element:
                    body.add(element, value, body.time + step * n)
        body.entry(f"{IDS[name]:02X}", name, **facts)


def _settings(body: Body, function: int, words: list[str]) -> None:
    """Parameters, states and controls: hex turned to text, so read as the same bytes (6.6.2.2)."""
    if words and words[0].upper() == "ST" and len(words) > 1:
        body.station = station_text(_hex(words[1], "station").ljust(5, b"\0")[:5])
        body.fields["report_station"] = body.station
        words = words[2:]
        if words and len(words[0]) == 1:
            body.fields["station_type"] = words.pop(0).upper()
    if words and words[0].upper() == "TT":
        _reports(body, function, words)
    elif function == 0x45:
        body.fields["version"] = " ".join(words[1:] if len(words) > 1 else words)
    elif function in (0x46, 0x4B) and words:
        _element(body, "ZT", words[-1])
    elif 0x40 <= function <= 0x43:
        _pairs(body, words)
    elif words:
        text = "".join(words)
        if function == 0x49:
            body.fields["passwords"] = [w.upper() for w in words if len(w) == 4]
        elif function in CONTROLS and re.match(r"([0-9A-Fa-f]{2})+\Z", text):
            CONTROLS[function](body, bytes.fromhex(text))
        else:
            body.fields["rest"] = " ".join(words)


def _pairs(body: Body, words: list[str]) -> None:
    """Identifier and value words of parameters."""
    for id, value in zip(words[::2], words[1::2], strict=False):
        raw = _hex(id, "parameter")
        if len(raw) not in (1, 2):
            raise Bad(f"parameter {id!r} · 参数标识错")
        basic = body.fields.get("function") in ("40", "41")
        names = {k: v[0] for k, v in tables.BASIC.items()} if basic else tables.RUN
        entry: dict[str, object] = {"id": id.upper(), "name": names.get(raw[-1], id), "text": value}
        if not basic and _NUMBER.match(value):
            entry["value"] = _value(value, id)
        body.fields.setdefault("parameters", []).append(entry)
    if len(words) % 2:
        raise Bad(f"parameter {words[-1]!r} has no value · 参数无数据")


def _command(body: Body, function: int, words: list[str]) -> None:
    """What follows serial number and time of a command."""
    if function == 0x38 and len(words) >= 2:
        for name, word in (("begin_time", words[0]), ("end_time", words[1])):
            if not re.match(r"\d{8}\Z", word):
                raise Bad(f"{name} {word!r} · 时段错")
            body.fields[name] = iso(when(word, name))
        words = words[2:]
        step = _STEP.match(words[0].upper()) if words else None
        if step:
            body.fields["step"] = {n: int(step[2]) if step[1] == c else 0 for n, c in (("day", "D"), ("hour", "H"), ("minute", "N"))}
            words = words[1:]
    if function in (0x37, 0x38, 0x3A, 0x41, 0x43):
        if words:
            body.fields["ids"] = [{"id": f"{IDS[w.upper()]:02X}" if w.upper() in IDS else w, "name": w} for w in words]
    elif words:
        _settings(body, function, words)
