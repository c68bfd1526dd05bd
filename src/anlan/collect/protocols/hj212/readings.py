"""The CP of HJ 212: items to parameters and factors, factors to readings in SI with the quality that their Flag tells."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from ...codec import Sample
from .._split import Bad
from .tables import AMBIENT, FACTORS, FLAGS, NUMERIC, SUFFIXES, TIMES, UNITS, Factor, factor

BEIJING = timezone(timedelta(hours=8))
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z")
_ITEMS = re.compile(r"(?://.*?//|[^,;])+")  # a text between // may hold commas
_FORMS = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S", 17: "%Y%m%d%H%M%S"}


@lru_cache(maxsize=4096)
def when(digits: str, what: str) -> str:
    """YYYYMMDDhhmmss or with milliseconds, Beijing time, as ISO 8601; Bad when no calendar has it.

    Shorter ones (a day, an hour, a minute) and ISO 8601 are taken too: devices of 2005 send them.
    """
    form = _FORMS.get(len(digits)) if digits.isascii() and digits.isdigit() else None
    try:
        time = datetime.strptime(digits[:14], form) if form else datetime.fromisoformat(digits)
    except ValueError:
        raise Bad(f"{what}: {digits!r} is no time · 不是时间") from None
    time = time if time.tzinfo else time.replace(tzinfo=BEIJING)
    if form and len(digits) == 17:
        return (time + timedelta(milliseconds=int(digits[14:]))).isoformat(timespec="milliseconds")
    return time.isoformat(timespec="seconds")


@lru_cache(maxsize=4096)
def ms(iso: str) -> int:
    """UTC milliseconds of an ISO time."""
    return round(datetime.fromisoformat(iso).timestamp() * 1000)


def words(raw: bytes) -> str:
    """Text as devices send it: UTF-8 where it is that, else the national GB 18030."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("gb18030", "replace")


def parameters(raw: bytes, command: str) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """Parameters and factors of a CP, values as sent, times in ISO. Bad for an impossible time of a known command."""
    text = raw.decode("ascii") if raw.isascii() else words(raw)
    cp: dict[str, Any] = {}
    factors: dict[str, dict[str, str]] = {}
    for item in _ITEMS.findall(text) if "//" in text else text.replace(";", ",").split(","):
        key, equals, value = item.partition("=")
        if not equals:
            if item.strip():
                cp.setdefault("other", []).append(item)
            continue
        code, dash, suffix = key.strip().rpartition("-")
        value = value.strip()
        if dash and (suffix in SUFFIXES or code in FACTORS):
            factors.setdefault(code, {})[suffix] = when(value, key) if suffix == "SampleTime" else value
            continue
        key = key.strip()
        if key in TIMES and value:
            value = when(value, key)
        if key in cp:
            cp[key] = [*(cp[key] if isinstance(cp[key], list) else [cp[key]]), value]
        else:
            cp[key] = value
    return cp, factors


@lru_cache(maxsize=8192)
def factor_of(code: str, system: str, unit: str) -> Factor | None:
    """What is known of a factor code in a system (ST), measured in a device's own `unit` where one is given."""
    known = (AMBIENT.get(code) if system == "22" else None) or FACTORS.get(code)
    if unit and unit in UNITS:
        return factor(code, known.zh if known else code, unit)
    return known


def number(value: str, what: str) -> float | None:
    """A value as a number; None for an empty one; Bad for anything else."""
    if not value:
        return None
    if not _NUMBER.match(value):
        raise Bad(f"{what}: {value!r} is not a number · 不是数字")
    return float(value)


def samples(fields: dict[str, Any], command: int, units: dict[str, str]) -> list[Sample]:
    """Readings of all factors; time is the factor's SampleTime, else DataTime, else QN. Bad when a value is no number."""
    default = fields["cp"].get("DataTime") or fields.get("time")
    out: list[Sample] = []
    station, system = fields["MN"], fields.get("ST", "")
    for code, values in fields["factors"].items():
        known = factor_of(code, system, units.get(code, ""))
        quality = FLAGS.get(values.get("Flag", "N").upper(), ("", 1))[1]
        time = values.get("SampleTime", default)
        for suffix, text in values.items():
            if suffix not in NUMERIC and suffix != "RS":
                continue
            value = number(text, f"{code}-{suffix}")
            if value is None or not isinstance(time, str):
                continue
            out.append(_sample(station, code, suffix, known, ms(time), value, quality))
    return out


def _sample(station: str, code: str, suffix: str, known: Factor | None, time_ms: int, value: float, quality: int) -> Sample:
    quantity, unit, factor, offset = convert(known, suffix)
    return Sample(station, f"{code}-{suffix}", quantity, time_ms, value * factor + offset, unit, quality)


def convert(known: Factor | None, suffix: str) -> tuple[str, str, float, float]:
    """Quantity, SI unit, factor and offset of a value with this suffix."""
    if suffix == "RS":
        return "status_word", "1", 1.0, 0.0
    if suffix == "RT":  # hours of running in the day
        return "duration", "s", 3600.0, 0.0
    if known is None:
        return ("sound_level", "dB", 1.0, 0.0) if suffix in ("Data", "DayData", "NightData") else ("", "1", 1.0, 0.0)
    if suffix == "Cou":  # a flow adds up to a volume in m3, anything else to a mass in kg
        return ("volume", "m3", 1.0, 0.0) if known.quantity == "flow_rate" else ("mass", "kg", 1.0, 0.0)
    return known.quantity, known.si_unit, known.factor, known.offset
