"""Readings of a position: SI values and UTC times from the fields of the 28 bytes and their items."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from typing import Any

from ...codec import Sample

GOOD, BAD = 0, 2  # base.block.Quality, which needs NumPy
# key of the reading -> (field, quantity, unit, factor to SI)
KEYS: dict[str, tuple[str, str, str, float]] = {
    "latitude": ("latitude", "latitude", "deg", 1.0),
    "longitude": ("longitude", "longitude", "deg", 1.0),
    "altitude": ("altitude_m", "altitude", "m", 1.0),
    "speed": ("speed_kmh", "vehicle_speed", "m/s", 1 / 3.6),
    "heading": ("heading_deg", "heading", "rad", math.pi / 180),
    "mileage": ("mileage_km", "mileage", "m", 1000.0),
    "fuel": ("fuel_l", "fuel_volume", "m3", 0.001),
    "recorder_speed": ("recorder_speed_kmh", "vehicle_speed", "m/s", 1 / 3.6),
    "signal": ("signal", "signal_strength", "1", 1.0),
    "satellites": ("satellites", "satellites", "1", 1.0),
}
PLACED = ("latitude", "longitude", "altitude", "speed", "heading")  # said by the GNSS: worth nothing without a fix
CODES = {key: code for code, key in enumerate((*KEYS, "acc", "alarm"))}  # of the columns of `fast.columns`


def of_position(station: str, place: Mapping[str, Any], every_alarm: Mapping[int, str] | None = None) -> Iterator[Sample]:
    """The readings of one position; none when it has no time.

    `alarm` is 1 while any alarm bit is set; each set bit comes as ``alarm.<name>``, and with `every_alarm` (the names of all
    bits) those that are not set too, as 0. Without a fix, with encrypted or impossible coordinates the values of the GNSS are BAD.
    """
    if place["time"] is None:
        return
    time_ms = round(dt.datetime.fromisoformat(place["time"]).timestamp() * 1000)
    fixed = place["positioned"] and not place["status"] & 1 << 5
    sound = fixed and abs(place["latitude"]) <= 90 and abs(place["longitude"]) <= 180
    for key, (field, quantity, unit, factor) in KEYS.items():
        if field in place:
            quality = BAD if key in PLACED and not sound else GOOD
            yield Sample(station, key, quantity, time_ms, place[field] * factor, unit, quality)
    yield Sample(station, "acc", "switch_state", time_ms, float(place["acc_on"]), "1")
    yield Sample(station, "alarm", "alarm_state", time_ms, float(place["alarm"] != 0), "1")
    for name in place["alarms"]:
        yield Sample(station, f"alarm.{name}", "alarm_state", time_ms, 1.0, "1")
    for bit, name in (every_alarm or {}).items():
        if not place["alarm"] >> bit & 1:
            yield Sample(station, f"alarm.{name}", "alarm_state", time_ms, 0.0, "1")
    if "cabin_temperature_c" in place:
        yield Sample(station, "cabin_temperature", "temperature", time_ms, place["cabin_temperature_c"] + 273.15, "K")
    for i, pressure in enumerate(place.get("tyre_pressure_pa", ())):
        if pressure is not None:
            yield Sample(station, f"tyre.{i + 1}.pressure", "pressure", time_ms, float(pressure), "Pa")
    for wheel in place.get("tyres", {}).get("wheels", ()):
        yield Sample(station, f"tyre.{wheel['wheel']}.pressure", "pressure", time_ms, wheel["pressure_kpa"] * 1000.0, "Pa")
        yield Sample(station, f"tyre.{wheel['wheel']}.temperature", "temperature", time_ms, wheel["temperature_c"] + 273.15, "K")


def of_message(station: str, fields: Mapping[str, Any], every_alarm: Mapping[int, str] | None = None) -> list[Sample]:
    """The readings of a message: of its position, or of each of its batch in order of time (blind-area resends come mixed)."""
    places = [fields] if "alarms" in fields else fields.get("items", [])
    timed = sorted((p for p in places if p.get("time")), key=lambda p: str(p["time"]))
    return [sample for place in timed for sample in of_position(station, place, every_alarm)]
