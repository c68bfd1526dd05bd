"""Field kinds that only JT/T 808 has: BCD digits, times in UTC+8, the position block with its extra items."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from ....base.errors import FieldError
from .._layout import Bits, Field, Group, Hex, Layout, LayoutError, List, Reader, Text, U, Writer, bit_names, bit_word, hex_of, read, write
from . import names as n

ZONE = dt.timezone(dt.timedelta(hours=8))  # 808-2013 §8.18: GMT+8, "times in this standard are of this zone"
LOAD = 1 << 8 | 1 << 9
FIXED = 28  # bytes of a position before its extra items


class Bcd(Field):
    """`size` bytes of decimal digits as text; bytes that are no BCD are shown as their hex."""

    def __init__(self, name: str, size: int):
        super().__init__(name)
        self.size = size

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        out[self.name] = r.take(self.size, self.name).hex()

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        value = str(self.need(given))
        if len(value) > 2 * self.size:
            raise FieldError(self.name, value, f"最多 {2 * self.size} 位", f"must have at most {2 * self.size} digits")
        w.data += hex_of(value.rjust(2 * self.size, "0"), self.name)


class Time(Field):
    """YYMMDDhhmmss in BCD, UTC+8 unless `zone` says otherwise; all zeros (a terminal that has no time) is None."""

    def __init__(self, name: str = "time", zone: dt.timezone = ZONE):
        super().__init__(name)
        self.zone = zone

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        data = r.take(6, self.name)
        if not any(data):
            out[self.name] = None
            return
        digits = data.hex()
        try:
            out[self.name] = dt.datetime(
                2000 + int(digits[:2]),
                int(digits[2:4]),
                int(digits[4:6]),
                int(digits[6:8]),
                int(digits[8:10]),
                int(digits[10:]),
                tzinfo=self.zone,
            ).isoformat()
        except ValueError:
            raise LayoutError("bad_field", f"{self.name}: no time: {digits}") from None

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        value = self.need(given)
        if value is None:
            w.data += bytes(6)
            return
        try:
            at = dt.datetime.fromisoformat(value).astimezone(self.zone)
        except (TypeError, ValueError):
            raise FieldError(self.name, value, "应为 ISO 8601 时间", "must be an ISO 8601 time") from None
        if not 2000 <= at.year < 2100:
            raise FieldError(self.name, value, "年份应在 2000 到 2099", "year must be 2000 to 2099")
        w.data += bytes.fromhex(at.strftime("%y%m%d%H%M%S"))


class Spans(Field):
    """Start and end of an area rule; zeros for the date mean every day, therefore the 12 digits as they are."""

    def __init__(self, name: str):
        super().__init__(name)

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        digits = r.take(6, self.name).hex()
        out[self.name] = f"20{digits[:2]}-{digits[2:4]}-{digits[4:6]}T{digits[6:8]}:{digits[8:10]}:{digits[10:]}+08:00"

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        value = str(self.need(given))
        digits = "".join(c for c in value.removesuffix("+08:00") if c in "0123456789abcdef")
        if len(digits) != 14:
            raise FieldError(self.name, value, "应为 20YY-MM-DDThh:mm:ss+08:00", "must be 20YY-MM-DDThh:mm:ss+08:00")
        w.data += hex_of(digits[2:], self.name)


class Temperature(Field):
    """Item 06 (2019): degrees Celsius, highest bit set for below zero."""

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        raw = r.number(2, self.name)
        out[self.name] = -(raw & 0x7FFF) if raw & 0x8000 else raw

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        value = self.need(given)
        if not isinstance(value, int) or abs(value) > 0x7FFF:
            raise FieldError(self.name, value, "应为 -32767 到 32767", "must be -32767 to 32767")
        w.number(abs(value) | (0x8000 if value < 0 else 0), 2, self.name)


class Tyres(Field):
    """Item 05 (2019): 30 bytes of pressure in Pa by wheel; FF is no wheel."""

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        out[self.name] = [None if b == 0xFF else b for b in r.take(30, self.name).rstrip(b"\xff")]

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        value = self.need(given)
        if not isinstance(value, list) or len(value) > 30:
            raise FieldError(self.name, value, "应为最多 30 个数的列表", "must be a list of at most 30 numbers")
        for one in value:
            w.number(0xFF if one is None else one, 1, self.name)
        w.data += b"\xff" * (30 - len(value))


def _identity(size: int) -> Group:
    """The alarm identity of T/JSATL 12: 16 bytes, in its 2019 form 40."""
    return Group(
        "identity",
        Text("terminal_id", 7 if size == 16 else 30),
        Time(),
        U("serial"),
        U("files"),
        Hex("reserved", size - 15 if size == 16 else 2),
    )


_PLACE = (U("altitude_m", 2), U("latitude", 4, 1_000_000), U("longitude", 4, 1_000_000), Time(), Bits("vehicle", 2, n.VEHICLE_STATES))
_BEGIN = (U("alarm_id", 4), U("flag", 1, names=n.EVENT_FLAGS))


def _safety(size: int) -> dict[int, tuple[str, Layout]]:
    """Items 64 to 67 of the active-safety terminals with an identity of `size` bytes."""
    end = (*_PLACE, _identity(size))
    wheel = (U("wheel"), Bits("alarm", 2, n.TYRE_ALARMS), U("pressure_kpa", 2), U("temperature_c", 2), U("battery_pct", 2))
    adas = (
        U("event", 1, names=n.ADAS),
        U("level"),
        U("front_speed_kmh"),
        U("front_gap_s", 1, 10),
        U("departure", 1, names=n.DEPARTURES),
        U("sign", 1, names=n.SIGNS),
        U("sign_value"),
        U("speed_kmh"),
    )
    dsm = (U("event", 1, names=n.DSM), U("level"), U("fatigue"), Hex("reserved", 4), U("speed_kmh"))
    return {
        0x64: ("driver_assistance", (*_BEGIN, *adas, *end)),
        0x65: ("driver_state", (*_BEGIN, *dsm, *end)),
        0x66: ("tyres", (*_BEGIN, U("speed_kmh"), *end, List("wheels", 1, wheel))),
        0x67: ("blind_spot", (*_BEGIN, U("event", 1, names=n.BLIND_SPOTS), U("speed_kmh"), *end)),
    }


_SAFETY = {size: _safety(size) for size in (16, 40)}
_SAFETY_LENGTH = {0x64: 31, 0x65: 31, 0x66: 25, 0x67: 25}  # bytes without the identity

# One field per item whose value is one number or word: id -> (length, field)
PLAIN: dict[int, tuple[int, Field]] = {
    0x01: (4, U("mileage_km", 4, 10)),
    0x02: (2, U("fuel_l", 2, 10)),
    0x03: (2, U("recorder_speed_kmh", 2, 10)),
    0x04: (2, U("alarm_event", 2)),
    0x05: (30, Tyres("tyre_pressure_pa")),
    0x06: (2, Temperature("cabin_temperature_c")),
    0x14: (4, Bits("video_alarm", 4, n.VIDEO_ALARMS)),
    0x15: (4, Bits("video_lost", 4, n.CHANNELS)),
    0x16: (4, Bits("video_covered", 4, n.CHANNELS)),
    0x17: (2, Bits("storage_fault", 2, n.STORES)),
    0x25: (4, Bits("signals", 4, n.SIGNALS)),
    0x2A: (2, Bits("io", 2, n.IO)),
    0x30: (1, U("signal")),
    0x31: (1, U("satellites")),
}
# Items of several values: id -> {length: (name, layout)}
GROUPS: dict[int, dict[int, tuple[str, Layout]]] = {
    0x11: {
        1: ("overspeed", (U("area_kind", 1, names=n.AREA_KINDS),)),
        5: ("overspeed", (U("area_kind", 1, names=n.AREA_KINDS), U("area_id", 4))),
    },
    0x12: {6: ("area_alarm", (U("area_kind", 1, names=n.AREA_KINDS), U("area_id", 4), U("way", 1, names=n.WAYS)))},
    0x13: {7: ("section_time", (U("section_id", 4), U("time_s", 2), U("result", 1, names=n.SECTION_RESULTS)))},
    0x18: {
        2: ("abnormal_driving", (Bits("behaviour", 2, n.BEHAVIOURS),)),
        3: ("abnormal_driving", (Bits("behaviour", 2, n.BEHAVIOURS), U("fatigue"))),
    },
    0x2B: {4: ("analog", (U("ad1", 2), U("ad0", 2)))},
}


def _group(key: int, size: int, data: bytes) -> tuple[str, Layout] | None:
    """Name and layout of an item of several values, by its length."""
    if key in GROUPS:
        return GROUPS[key].get(size)
    if key in _SAFETY_LENGTH:
        extra = size - _SAFETY_LENGTH[key]
        for identity in (16, 40):
            if extra == identity or (key == 0x66 and extra > identity and extra == identity + 9 * data[24 + identity]):
                return _SAFETY[identity][key]
    return None


def read_items(r: Reader, out: dict[str, Any]) -> None:
    """The extra items of a position until the reader's end: known ones by name, all others as hex under ``extra``.

    An item that runs past the end is LayoutError `bad_length`; with the option ``lenient_items`` it and what follows is kept
    as hex under ``items_rest`` (vendors exist that put junk after their last item).
    """
    extra: dict[str, Any] = {}
    while r.left:
        start = r.at
        try:
            key = r.number(1)
            data = r.take(r.number(1, "item length"), f"item {key:02X}")
        except LayoutError:
            if not r.options.get("lenient_items"):
                raise
            out["items_rest"] = r.data[start:].hex()
            r.at = len(r.data)
            break
        if not _item(key, data, out, r):
            name = f"{key:02x}"
            while name in extra:
                name += "+"  # the same item once more
            extra[name] = data.hex()
    if extra:
        out["extra"] = extra


def _item(key: int, data: bytes, out: dict[str, Any], r: Reader) -> bool:
    """Put a known item into `out`; False when it is none, has another length than the standard's, or comes again."""
    plain = PLAIN.get(key)
    inner = Reader(data, "big", r.edition)
    if plain is not None:
        if len(data) != plain[0] or plain[1].name in out:
            return False
        plain[1].read(inner, out)
        return True
    group = _group(key, len(data), data)
    if group is None or group[0] in out:
        return False
    try:
        out[group[0]] = read(group[1], inner)
    except LayoutError:
        return False
    return True


def write_items(w: Writer, given: Mapping[str, Any]) -> None:
    """The items named in `given`, in the order of their ids, then ``extra`` as it is."""
    for key in sorted({*PLAIN, *GROUPS, *_SAFETY_LENGTH}):
        layout, values = _layout_of(key, given)
        if layout:
            inner = Writer("big", w.edition)
            write(layout, inner, values)
            _put(w, key, bytes(inner.data))
    for name, data in given.get("extra", {}).items():
        _put(w, int(name.rstrip("+"), 16), hex_of(data, f"extra.{name}"))
    w.data += hex_of(given.get("items_rest", ""), "items_rest")


def _layout_of(key: int, given: Mapping[str, Any]) -> tuple[Layout, Any]:
    """Layout and values of an item that `given` names; an empty layout when it does not."""
    if key in PLAIN:
        field = PLAIN[key][1]
        there = field.name in given or getattr(field, "shown", field.name) in given
        return ((field,), {k: v for k, v in given.items() if k != "rest"}) if there else ((), None)
    options = GROUPS.get(key) or {size: _SAFETY[size][key] for size in (16, 40)}
    values = given.get(next(iter(options.values()))[0])
    if not isinstance(values, Mapping):
        return (), None
    if key in GROUPS:  # the longest whose fields are all there
        fit = [size for size, (_, layout) in options.items() if all(field.name in values for field in layout)]
        return options[max(fit, default=min(options))][1], values
    reserved = values.get("identity", {}).get("reserved", "00")
    return options[40 if len(reserved) == 4 else 16][1], values


def _put(w: Writer, key: int, data: bytes) -> None:
    if len(data) > 255:
        raise FieldError(f"item {key:02X}", len(data), "最长 255 字节", "must fit in 255 bytes")
    w.data += bytes((key, len(data))) + data


class Place(Field):
    """The 28 bytes of a position (808-2013 table 23); with `items` the extra items up to the end follow."""

    def __init__(self, items: bool = True):
        super().__init__("")
        self.items = items

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        alarm, status = r.number(4, "alarm"), r.number(4, "status")
        latitude, longitude = r.number(4, "latitude"), r.number(4, "longitude")
        out["alarm"], out["alarms"] = alarm, bit_names(alarm, n.ALARMS)
        out["status"], out["states"] = status, bit_names(status & ~LOAD, n.STATES)
        out["load"] = n.LOADS[status >> 8 & 3]
        out["acc_on"], out["positioned"] = bool(status & 1), bool(status & 2)
        out["latitude"] = (-latitude if status & 4 else latitude) / 1_000_000
        out["longitude"] = (-longitude if status & 8 else longitude) / 1_000_000
        out["altitude_m"] = r.number(2, "altitude")
        out["speed_kmh"] = r.number(2, "speed") / 10
        out["heading_deg"] = r.number(2, "heading")
        Time().read(r, out)
        if self.items:
            read_items(r, out)

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        latitude, longitude = _degrees(given, "latitude"), _degrees(given, "longitude")
        status = given["status"] if "status" in given else bit_word(given.get("states", []), n.STATES, "states")
        if isinstance(status, int):
            status |= (latitude < 0) << 2 | (longitude < 0) << 3
        w.number(given["alarm"] if "alarm" in given else bit_word(given.get("alarms", []), n.ALARMS, "alarms"), 4, "alarm")
        w.number(status, 4, "status")
        w.number(abs(latitude), 4, "latitude")
        w.number(abs(longitude), 4, "longitude")
        U("altitude_m", 2, default=0).write(w, given)
        U("speed_kmh", 2, 10, default=0).write(w, given)
        U("heading_deg", 2, default=0).write(w, given)
        Time().write(w, given)
        if self.items:
            write_items(w, given)


def _degrees(given: Mapping[str, Any], name: str) -> int:
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FieldError(name, value, "应为以度为单位的数", "must be a number of degrees")
    return round(value * 1_000_000)
