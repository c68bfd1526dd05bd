"""Values of SL 651-2014 bodies: BCD numbers with their sign, Beijing times, elements to readings in SI."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from ....base.quantity import BY_NAME
from ...codec import Sample
from .._split import Bad
from .tables import ELEMENTS, EVENTS, HOUR_NAMES, STATUS_BITS, Element

BEIJING = timezone(timedelta(hours=8))
SUSPECT, MISSING = 1, 3  # base.block.Quality, which needs NumPy


def digits_of(raw: bytes, what: str) -> str:
    """The decimal digits of BCD bytes; Bad when a half byte is no digit."""
    text = raw.hex()
    if not text.isdigit():
        raise Bad(f"{what}: {text.upper()} is no BCD · 不是 BCD 码")
    return text


def number(raw: bytes, decimals: int, what: str) -> float | None:
    """A BCD number: all FF is None (missing), a leading FF makes it negative (6.6.3.3)."""
    if not raw or raw.count(0xFF) == len(raw):
        return None
    if raw[0] == 0xFF:
        return -int(digits_of(raw[1:], what)) / 10**decimals
    value = int(digits_of(raw, what))
    return value / 10**decimals if decimals else value


def when(digits: str, what: str) -> datetime:
    """YYMMDDHH, YYMMDDHHmm or YYMMDDHHmmSS of Beijing time; Bad when no calendar has it."""
    year, month, day, hour, minute, second = (int(digits[k : k + 2] or 0) for k in range(0, 12, 2))
    try:
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=BEIJING)
    except ValueError:
        raise Bad(f"{what}: {digits} is no time · 不是时间") from None


def iso(time: datetime) -> str:
    """ISO 8601 with zone; without seconds where the standard sends none."""
    return time.isoformat(timespec="seconds")


def ms(time: datetime) -> int:
    """UTC milliseconds."""
    return round(time.astimezone(UTC).timestamp() * 1000)


@dataclass(slots=True)
class Body:
    """What is being read from one body."""

    fields: dict[str, Any]
    samples: list[Sample] = field(default_factory=list)
    station: str = ""
    time: datetime | None = None
    sent: datetime | None = None
    quality: int = 0

    def entry(self, id: str, name: str, **facts: Any) -> dict[str, Any]:
        """A new element of the fields, with station and time where they are not the first ones."""
        element: dict[str, Any] = {"id": id, "name": name, **facts}
        if self.station and self.station != self.fields.get("report_station", self.station):
            element["station"] = self.station
        if self.time is not None and iso(self.time) != self.fields.get("observe_time", iso(self.time)):
            element["time"] = iso(self.time)
        self.fields.setdefault("elements", []).append(element)
        return element

    def add(self, element: Element, value: float | None, time: datetime | None, at_most_nines: bool = False) -> None:
        """The reading of an element's value, in SI; none for a missing value or a report without a time."""
        time = time or self.sent
        if value is None or time is None or not element.quantity:
            return
        if element.unit == "h.min":
            hours = math.floor(abs(value))
            value = math.copysign(hours * 3600 + round((abs(value) - hours) * 100) * 60, value)
        quality = MISSING if at_most_nines and element.quantity == "water_level" else self.quality
        value = value * element.factor + element.offset
        self.samples.append(Sample(self.station, element.name, element.quantity, ms(time), value, element.si_unit, quality))


def status(raw: bytes) -> dict[str, Any]:
    """Status and alarm bits (table 58) as words; the whole word as hex."""
    word = int.from_bytes(raw, "big")
    return {"hex": raw.hex().upper(), "set": [name for k, (name, _) in enumerate(STATUS_BITS) if word >> k & 1]}


def add_status(body: Body, raw: bytes) -> None:
    """Element 45: the fields' words and a reading of the word's number."""
    body.entry("45", "ZT", definition="20", **status(raw))
    time = body.time or body.sent
    if time is not None and body.station:
        word = float(int.from_bytes(raw, "big"))
        body.samples.append(Sample(body.station, "ZT", "status_word", ms(time), word, "1", body.quality))


def add_hour(body: Body, guide: int, raw: bytes, step: timedelta, definition: str) -> None:
    """F4-FC: values each `step` (5 min) from the observation time on; FF and FFFF are missing.

    The observation time is that of the first value (6.6.4.7). Stations exist that write the end of the hour there: when
    the last value would lie after the moment of sending, the values are taken to end at the observation time, and it is said.
    """
    width = 1 if guide == 0xF4 else 2
    missing = (1 << 8 * width) - 1
    scale = 10 if guide == 0xF4 else 100
    numbers = [int.from_bytes(raw[k : k + width], "big") for k in range(0, len(raw) - width + 1, width)]
    values = [None if n == missing else n / scale for n in numbers]
    unit = "mm" if guide == 0xF4 else "m"
    entry = body.entry(f"{guide:02X}", HOUR_NAMES[guide], definition=definition, unit=unit, values=values)
    first = body.time or body.sent
    if first is None or not values:
        return
    if body.sent is not None and first + step * (len(values) - 1) > body.sent + timedelta(minutes=1):
        first -= step * (len(values) - 1)
        entry["ends_at_observe_time"] = True
    entry["first_time"], entry["step_s"] = iso(first), int(step.total_seconds())
    quantity, factor, key = ("rainfall", 1e-3, "DRP") if guide == 0xF4 else ("relative_level", 1.0, HOUR_NAMES[guide])
    begin, each = ms(first), int(step.total_seconds() * 1000)
    body.samples += [
        Sample(body.station, key, quantity, begin + k * each, v * factor, "m", body.quality) for k, v in enumerate(values) if v is not None
    ]


def add_value(body: Body, id: str, definition: int, raw: bytes) -> None:
    """One element with its definition byte and BCD value."""
    element = ELEMENTS.get(int(id, 16)) if len(id) == 2 else None
    decimals = definition & 7
    name = element.name if element else id
    facts: dict[str, Any] = {"definition": f"{definition:02X}"}
    try:
        value = facts["value"] = number(raw, decimals, f"{id} {name}")
    except Bad:
        if element:
            raise
        value, facts["hex"] = None, raw.hex().upper()  # a user's element may be HEX (6.6.3.3 c)
    if element and element.unit != "1":
        facts["unit"] = element.unit
    body.entry(id, name, **facts)
    if element:
        digits = raw.hex().lstrip("0")
        nines = len(digits) >= 6 and digits.count("9") == len(digits)
        body.add(element, value, body.time, nines)
    elif value is not None and (body.time or body.sent):  # a user's element: the register has to say what it measures
        body.samples.append(Sample(body.station, id, "", ms(body.time or body.sent), value, "1", body.quality))  # type: ignore[arg-type]


def events(raw: bytes) -> dict[str, int]:
    """Counts of events (table 82), those that happened."""
    counts = {}
    for k in range(len(raw) // 2):
        count = raw[2 * k] << 8 | raw[2 * k + 1]
        if count:
            counts[EVENTS[k] if k < len(EVENTS) else f"spare_{k + 1}"] = count
    return counts


assert all(e.quantity in BY_NAME for e in ELEMENTS.values() if e.quantity)
