"""Layouts of JT/T 808 that differ by edition or hold other layouts: register, driver, media, batch, areas and routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._layout import Bits, Field, Group, Hex, Layout, LayoutError, List, Reader, Tail, Text, U, When, Writer, read, write
from . import names as n
from .fields import FIXED, Bcd, Place, Spans, Time

NEW = 2019


def since(edition: int, *fields: Field) -> When:
    """Fields that are there from this edition on."""
    return When(lambda spoken, out: spoken >= edition, *fields)


def before(edition: int, *fields: Field) -> When:
    """Fields that are there only before this edition."""
    return When(lambda spoken, out: spoken < edition, *fields)


def _flag(name: str, bit: int, *fields: Field) -> When:
    return When(lambda spoken, out: bool(int(out.get(name, 0)) >> bit & 1), *fields)


class Choice(Field):
    """Layouts of which `choose` picks one: from the reader when reading, from what is given when writing."""

    def __init__(self, reading: Callable[[Reader], Layout], writing: Callable[[int, Mapping[str, Any]], Layout]):
        super().__init__("")
        self.reading, self.writing = reading, writing

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        rest = out.get("rest")
        read(self.reading(r), r, out)
        if rest is not None:
            out["rest"] = rest

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        write(self.writing(w.edition, given), w, {k: v for k, v in given.items() if k != "rest"})


def _register(maker: int, model: int, terminal: int) -> Layout:
    return (
        U("province", 2),
        U("city", 2),
        Text("manufacturer", maker),
        Text("model", model),
        Text("terminal_id", terminal),
        U("plate_color", 1, names=n.COLOURS),
        Text("plate"),
    )


# 2011 and 2013 share the header: 2011 has 25 bytes before the plate (a plate has at most 11), 2013 has 37
REGISTER = {2011: _register(5, 8, 7), 2013: _register(5, 20, 7), 2019: _register(11, 30, 30)}


def properties(edition: int) -> Layout:
    """0x0107 in an edition's widths."""
    wide = edition >= NEW
    return (
        Bits("kind", 2, n.TERMINAL_KINDS),
        Text("manufacturer", 11 if wide else 5),
        Text("model", 30 if wide else 20),
        Text("terminal_id", 30 if wide else 7),
        Bcd("iccid", 10),
        Text("hardware", prefix=1),
        Text("firmware", prefix=1),
        Bits("gnss", 1, n.GNSS),
        Bits("network", 1, n.NETS),
    )


DRIVER_2011 = (Text("driver", prefix=1), Text("id_card", 20), Text("licence", 40), Text("issuer", prefix=1))
DRIVER = (
    U("card", 1, names=n.CARD_STATES),
    Time(),
    Tail(
        U("card_result", 1, names=n.CARD_RESULTS),
        Tail(
            Text("driver", prefix=1),
            Text("licence", 20),
            Text("issuer", prefix=1),
            Bcd("valid_until", 4),
            since(NEW, Text("id_card", 20)),
        ),
    ),
)


def driver_layout(r: Reader) -> Layout:
    """2013 begins with 1 or 2 and a time; 2011 with the length of the name."""
    return DRIVER if r.left and r.data[r.at] in (1, 2) else DRIVER_2011


MEDIA = (
    U("media_id", 4),
    U("media", 1, names=n.MEDIA),
    U("format", 1, names=n.FORMATS),
    U("event", 1, names=n.MEDIA_EVENTS),
    U("channel"),
)
MEDIA_DATA = (*MEDIA, Group("position", Place(items=False)), Hex("data"))
MEDIA_DATA_2011 = (*MEDIA, Hex("data"))


def media_layout(r: Reader) -> Layout:
    """Since 2013 a position stands before the data; told by a time that is one (2011 has none there)."""
    if r.edition >= NEW:
        return MEDIA_DATA
    try:
        Place(items=False).read(Reader(r.data[r.at + 8 : r.at + 8 + FIXED]), {})
    except LayoutError:
        return MEDIA_DATA_2011
    return MEDIA_DATA


_FOUND = (U("media", 1, names=n.MEDIA), U("channel"), U("event", 1, names=n.MEDIA_EVENTS), Group("position", Place(items=False)))
SEARCH = (U("ack_serial", 2), List("found", 2, (U("media_id", 4), *_FOUND)))
SEARCH_2011 = (U("ack_serial", 2), List("found", 2, _FOUND))


def search_layout(r: Reader) -> Layout:
    """2011 has no media id in its items; told by their length."""
    count = int.from_bytes(r.data[r.at + 2 : r.at + 4], "big")
    return SEARCH_2011 if count and r.left - 4 == count * (FIXED + 3) else SEARCH


class Batch(Field):
    """The positions of 0x0704: a length of two bytes before each."""

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        items: list[dict[str, Any]] = []
        wanted = out["count"]
        while len(items) < wanted:
            one: dict[str, Any] = {}
            Place().read(Reader(r.take(r.number(2, "item length"), f"item {len(items) + 1}"), "big", r.edition, r.options), one)
            items.append(one)
        out[self.name] = items

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        for one in self.need(given):
            inner = Writer("big", w.edition)
            Place().write(inner, one)
            w.number(len(inner.data), 2, "item length")
            w.data += inner.data


class BatchCount(U):
    """How many positions follow; written from the list itself."""

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        w.number(len(given.get("items", [])), 2, "items")


class CanTime(Field):
    """Time of day of CAN data, hhmmss and milliseconds in BCD (the date is not said)."""

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        digits = r.take(5, self.name).hex()
        out[self.name] = f"{digits[:2]}:{digits[2:4]}:{digits[4:6]}.{digits[6:]}+08:00"

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        digits = str(self.need(given)).removesuffix("+08:00").replace(":", "").replace(".", "")
        Bcd(self.name, 5).write(w, {self.name: digits})


def auth(edition: int, given: Mapping[str, Any]) -> Layout:
    """0x0102: before 2019 the whole body is the code."""
    return _AUTH_NEW if edition >= NEW else (Text("auth_code"),)


_AUTH_NEW = (Text("auth_code", prefix=1), Text("imei", 15), Text("software", 20))
_LIMIT = _flag("flags", 1, U("top_speed_kmh", 2), U("overspeed_s"))
_NIGHT = since(NEW, _flag("flags", 1, U("night_top_speed_kmh", 2)))
_NAME = since(NEW, Text("area_name", prefix=2))
_TIMED = _flag("flags", 0, Spans("start"), Spans("end"))
_AREA = (U("area_id", 4), Bits("flags", 2, n.AREA_FLAGS))
_POINT = (U("latitude", 4, 1_000_000), U("longitude", 4, 1_000_000))
CIRCLE = (*_AREA, *_POINT, U("radius_m", 4), _TIMED, _LIMIT, _NIGHT, _NAME)
_CORNERS = (
    U("top_latitude", 4, 1_000_000),
    U("left_longitude", 4, 1_000_000),
    U("bottom_latitude", 4, 1_000_000),
    U("right_longitude", 4, 1_000_000),
)
RECTANGLE = (*_AREA, *_CORNERS, _TIMED, _LIMIT, _NIGHT, _NAME)
POLYGON = (*_AREA, _TIMED, _LIMIT, List("points", 2, _POINT), _NIGHT, _NAME)
_SECTION = (
    U("point_id", 4),
    U("section_id", 4),
    *_POINT,
    U("width_m"),
    Bits("flags", 1, n.SECTION_FLAGS),
    _flag("flags", 0, U("too_long_s", 2), U("too_short_s", 2)),
    _LIMIT,
    _NIGHT,
)
ROUTE = (U("route_id", 4), Bits("flags", 2, n.ROUTE_FLAGS), _TIMED, List("points", 2, _SECTION), _NAME)
_AREAS = {1: CIRCLE, 2: RECTANGLE, 3: POLYGON, 4: ROUTE}


class Areas(Field):
    """0x0608 (2019): the areas of one kind that the terminal holds."""

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        layout = _AREAS.get(out["area_kind"])
        if layout is None:
            Hex("data").read(r, out)
        else:
            List(self.name, 4, layout).read(r, out)

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        layout = _AREAS.get(given.get("area_kind", 0))
        (List(self.name, 4, layout) if layout else Hex("data")).write(w, given)


def area_list(layout: Layout) -> Layout:
    """Areas of one kind to be set: what to do, how many, each."""
    return (U("update", 1, names=n.UPDATES), List("areas", 1, layout))


SPAN = (Time("start"), Time("end"))
CLIP = (U("channel"), *SPAN, Hex("alarms_64", 8, "0x"), U("av"), U("stream"), U("storage"))
ACK = U("ack_serial", 2)
FILE = (Text("file", prefix=1), U("file_kind"), U("size", 4))


def missing() -> tuple[Field, ...]:
    """0x8003 and 0x0005: the first serial of the set and the packets wanted again (the count grew to a word in 2019)."""
    return (U("first_serial", 2), before(NEW, List("missing", 1, U("number", 2))), since(NEW, List("missing", 2, U("number", 2))))
