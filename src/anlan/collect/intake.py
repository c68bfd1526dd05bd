"""Intake: one message of a device becomes rows of the open frames, or faults with their reasons.

Pure but for the columns it appends to: no clock, no I/O. The message is
``{"t": <ms UTC>, "v": {"<key>": <number>}, "u": {"<key>": "<unit>"}}`` (``u`` may be left out) or a list of
such. A bad reading never holds up the good ones beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson

from ..base.block import ReadingBlock
from ..base.clock import from_ms
from ..base.errors import FieldError
from ..base.quantity import BY_NUMBER, scale
from .codec import Sample
from .faults import Fault
from .framer import Columns

MOST_READINGS = 10_000  # a message
_SECONDS_LIKE = (946_684_800, 4_102_444_800)  # 2000 to 2100 as seconds: somebody forgot the milliseconds

Feed = tuple[int, int, int, float, float]  # lane, station number, quantity number, factor, offset (to SI)


def sift(
    payload: bytes, feeds: dict[str, Feed], low_ms: int, high_ms: int, lanes: Sequence[Columns], wrong_units: frozenset[str] = frozenset()
) -> list[Fault]:
    """Append the good readings of `payload` to `lanes`; return what was wrong (empty: nothing).

    `low_ms` and `high_ms` (UTC) are the oldest and the latest time that is taken;
    `wrong_units` are keys whose registered unit does not fit their quantity.
    """
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        try:
            message = json.loads(payload)  # takes NaN and Infinity, so that the good readings beside them go in
        except (ValueError, RecursionError):
            return [Fault("collect.bad_json", str(error)[:120])]
        return _sift_any(message, feeds, low_ms, high_ms, lanes, wrong_units)
    if message.__class__ is dict and len(message) == 2:
        time_ms, values = message.get("t"), message.get("v")
        if time_ms.__class__ is int and values.__class__ is dict and low_ms <= time_ms <= high_ms and len(values) <= MOST_READINGS:
            for key, value in values.items():
                feed = feeds.get(key)
                if feed is None or (value.__class__ is not float and value.__class__ is not int):
                    break
                number, station, quantity, factor, offset = feed
                value = value * factor + offset
                if value - value != 0.0:
                    break
                lane = lanes[number]
                lane.time.append(time_ms)
                lane.value.append(value)
                lane.station.append(station)
                lane.quantity.append(quantity)
            else:
                return []
            return _sift_rest(values, key, time_ms, {}, feeds, lanes, wrong_units)
    return _sift_any(message, feeds, low_ms, high_ms, lanes, wrong_units)


def _sift_rest(
    values: dict[str, Any],
    first: str,
    time_ms: int,
    units: dict[str, Any],
    feeds: dict[str, Feed],
    lanes: Sequence[Columns],
    wrong_units: frozenset[str],
) -> list[Fault]:
    """The readings from key `first` on, one by one, with a fault for each bad one."""
    faults: list[Fault] = []
    begun = False
    for key, value in values.items():
        begun = begun or key == first
        if begun:
            fault = _take_one(key, value, time_ms, units, feeds, lanes, wrong_units)
            if fault is not None:
                faults.append(fault)
    return merged(faults)


def _take_one(
    key: str,
    value: Any,
    time_ms: int,
    units: dict[str, Any],
    feeds: dict[str, Feed],
    lanes: Sequence[Columns],
    wrong_units: frozenset[str],
) -> Fault | None:
    feed = feeds.get(key)
    if feed is None:
        return Fault("collect.wrong_unit" if key in wrong_units else "collect.unknown_key", repr(key)[:80])
    if value.__class__ is not float and value.__class__ is not int:
        return Fault("collect.wrong_type", f"{key} = {value!r}"[:120])
    number, station, quantity, factor, offset = feed
    if key in units:
        try:
            factor, offset = scale(str(units[key]), BY_NUMBER[quantity])
        except FieldError as error:
            return Fault("collect.wrong_unit", f"{key}: {units[key]!r}，{error.en}"[:200])
    try:
        si = float(value) * factor + offset
    except OverflowError:
        si = float("inf")
    if si - si != 0.0:
        return Fault("collect.not_finite", f"{key} = {value!r}"[:80])
    lane = lanes[number]
    lane.time.append(time_ms)
    lane.value.append(si)
    lane.station.append(station)
    lane.quantity.append(quantity)
    return None


def _sift_any(
    message: Any, feeds: dict[str, Feed], low_ms: int, high_ms: int, lanes: Sequence[Columns], wrong_units: frozenset[str]
) -> list[Fault]:
    items = message if isinstance(message, list) else [message]
    total = sum(len(i["v"]) if isinstance(i, dict) and isinstance(i.get("v"), dict) else 1 for i in items)
    if total > MOST_READINGS:
        return [Fault("collect.too_many", str(total))]
    faults: list[Fault] = []
    for item in items:
        if not isinstance(item, dict) or "t" not in item or not isinstance(item.get("v"), dict):
            faults.append(Fault("collect.bad_shape", f"{item!r}"[:80]))
            continue
        units = item.get("u", {})
        if not isinstance(units, dict):
            faults.append(Fault("collect.bad_shape", f"u = {units!r}"[:80]))
            continue
        wrong = check_time(item["t"], low_ms, high_ms)
        if wrong is not None:
            faults.append(replace(wrong, count=max(1, len(item["v"]))))
            continue
        values = item["v"]
        faults += [f for k, v in values.items() if (f := _take_one(k, v, int(item["t"]), units, feeds, lanes, wrong_units)) is not None]
    return merged(faults)


def sift_samples(samples: Sequence[Sample], feeds: dict[str, Feed], low_ms: int, high_ms: int, lanes: Sequence[Columns]) -> list[Fault]:
    """As `sift` for the readings of a protocol's message, which are SI already or tell their unit.

    A protocol says many things that nobody asked for: keys that are not registered are passed over, unless none of a message is.
    """
    faults: list[Fault] = []
    mapped = 0
    for one in samples:
        feed = feeds.get(one.key)
        if feed is None:
            continue
        mapped += 1
        number, station, quantity, factor, offset = feed
        of = BY_NUMBER[quantity]
        if one.unit and one.unit != of.unit:
            try:
                factor, offset = scale(one.unit, of)
            except FieldError as error:
                faults.append(Fault("collect.wrong_unit", f"{one.key}: {error.en}"[:200]))
                continue
        elif one.unit:
            factor, offset = 1.0, 0.0
        value = one.value * factor + offset
        wrong = check_time(one.time_ms, low_ms, high_ms)
        if wrong is not None or value - value != 0.0:
            faults.append(wrong or Fault("collect.not_finite", one.key[:80]))
            continue
        lanes[number].add(one.time_ms, value, station, quantity, one.quality)
    if samples and not mapped:
        faults.append(Fault("collect.unknown_key", repr(samples[0].key)[:80], len(samples)))
    return merged(faults)


def check_time(value: Any, low_ms: int, high_ms: int) -> Fault | None:
    """What is wrong with a time (UTC ms), or None."""
    whole = value.__class__ is int or (value.__class__ is float and value.is_integer())
    if not whole:
        return Fault("collect.bad_time", repr(value)[:60])
    if value > high_ms:
        return Fault("collect.future_time", str(int(value - high_ms) // 1000)[:20])
    if value < low_ms:
        if _SECONDS_LIKE[0] <= value <= _SECONDS_LIKE[1]:
            return Fault("collect.past_time", f"{value}（像是秒，应为毫秒 · looks like seconds, must be milliseconds）")
        return Fault("collect.past_time", _shown(int(value)))
    return None


def _shown(ms: int) -> str:
    try:
        return f"{from_ms(ms):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return str(ms)


def merged(faults: list[Fault]) -> list[Fault]:
    """One fault per code, with the first detail and the sum of the counts."""
    by_code: dict[str, Fault] = {}
    for fault in faults:
        have = by_code.get(fault.code)
        by_code[fault.code] = fault if have is None else replace(have, count=have.count + fault.count)
    return list(by_code.values())


def sift_block(
    block: ReadingBlock,
    lane_of: np.ndarray,
    quantities_of: np.ndarray,
    allowed: np.ndarray | None,
    low_ms: int,
    high_ms: int,
    lanes: Sequence[Columns],
) -> list[Fault]:
    """As `sift` for a block of a collector, whole columns at a time.

    ``lane_of`` int8 by station number (-1: unknown), ``quantities_of`` int64 bit masks by station
    number, ``allowed`` bool by station number (None: all).
    """
    station = block.station
    inside = (station >= 0) & (station < len(lane_of))
    at = np.where(inside, station, 0)
    known = inside & (lane_of[at] >= 0) & (block.quantity >= 0) & (block.quantity < 63)
    known &= (quantities_of[at] >> np.where(known, block.quantity, 0).astype(np.int64)) & 1 == 1
    good = known
    faults: list[Fault] = []
    checks = [
        ("collect.out_of_scope", None if allowed is None else allowed[at]),
        ("collect.not_finite", np.isfinite(block.value)),
        ("collect.future_time", block.time_ms <= high_ms),
        ("collect.past_time", block.time_ms >= low_ms),
        ("collect.bad_quality", block.quality <= 4),
    ]
    if not known.all():
        faults.append(_block_fault("collect.unknown_series", block, ~known, high_ms))
    for code, fine in checks:
        if fine is not None and not fine.all():
            bad = good & ~fine
            if bad.any():
                faults.append(_block_fault(code, block, bad, high_ms))
            good = good & fine
    lane = np.where(good, lane_of[at], -1)
    for number, columns in enumerate(lanes):
        mine = lane == number
        n = int(mine.sum())
        if n:
            columns.extend(block if n == len(block) else block.take(mine))
    return faults


def _block_fault(code: str, block: ReadingBlock, bad: np.ndarray, high_ms: int) -> Fault:
    i = int(np.argmax(bad))
    where = f"station {block.station[i]}, quantity {block.quantity[i]}"
    detail = {
        "collect.future_time": f"{(int(block.time_ms[i]) - high_ms) / 1000:.0f}",
        "collect.past_time": _shown(int(block.time_ms[i])),
        "collect.bad_quality": f"{int(block.quality[i])}, {where}",
    }.get(code, where)
    return Fault(code, detail, int(bad.sum()))
