"""Many part states at once: frames of type 2 to columns by a compiled kernel, everything else by the stream.

Equal to the stream reading by reading (property test). The kernel walks frames that stand one behind another with a
right length, end mark and sum; from the first byte that does not fit on, the stream takes over.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...codec import Broken, Columns, Message
from .._calendar import utc_ms
from . import names as n
from .stream import SHORTEST, GbStream

_OBJECT = 46  # bytes of a part's state: 1+1+1+4+2+31+6


@njit(cache=True)
def _time_ms(data: NDArray[np.uint8], at: int) -> int:
    """UTC ms of six plain bytes (second … year-2000) in UTC+8; -1 for no time."""
    return utc_ms(2000 + data[at + 5], data[at + 4], data[at + 3], data[at + 2], data[at + 1], data[at])


@njit(cache=True)
def _frame(data: NDArray[np.uint8], at: int) -> int:
    """Length of the whole frame with a right sum that stands here; 0 when there is none."""
    if len(data) - at < SHORTEST or data[at] != 0x40 or data[at + 1] != 0x40:
        return 0
    length = data[at + 24] | np.int64(data[at + 25]) << 8
    end = at + SHORTEST + length
    if length > 1024 or end > len(data) or data[end - 1] != 0x23 or data[end - 2] != 0x23:
        return 0
    total = 0
    for i in range(at + 2, end - 3):
        total += data[i]
    return end - at if total & 0xFF == data[end - 3] else 0


@njit(cache=True)
def _scan(data, slow, who, device, part, states, times, values, quality):  # type: ignore[no-untyped-def]
    """Walk the frames: (bytes walked, slow frames, fast frames, rows). A row's state is the bit's number."""
    at = others = frames = rows = 0
    while True:
        size = _frame(data, at)
        if size == 0:
            return at, others, frames, rows
        unit, count = at + 27, np.int64(data[at + 28])
        if data[at + 24] + (np.int64(data[at + 25]) << 8) < 2 + _OBJECT * count or data[unit] != 2 or count == 0:
            slow[others, 0], slow[others, 1] = at, at + size
            others += 1
            at += size
            continue
        own = _time_ms(data, at + 6)
        for i in range(6):
            who[frames, i] = data[at + 17 - i]
        for k in range(count):
            one = unit + 2 + _OBJECT * k
            time_ms, sure = _time_ms(data, one + 40), np.uint8(0)
            if time_ms == -1:
                time_ms, sure = own, np.uint8(1)
            if time_ms == -1:
                continue
            key = np.int64(0)
            for i in range(3):
                key = key << 8 | data[one + i]
            for i in range(4):
                key = key << 8 | data[one + 6 - i]
            state = data[one + 7] | np.int64(data[one + 8]) << 8
            for bit in range(1, 16):
                if bit < 3 or state >> bit & 1:
                    device[rows], part[rows], states[rows], times[rows] = frames, key, bit, time_ms
                    values[rows], quality[rows] = state >> bit & 1, sure
                    rows += 1
        frames += 1
        at += size


@lru_cache(maxsize=65536)
def _key(code: int) -> tuple[str, str, str]:
    """Key, quantity and unit of a row: system type, address, part type, part address, bit."""
    bit, part = code & 15, code >> 4
    system, address, kind, where = part >> 48, part >> 40 & 255, part >> 32 & 255, part & 0xFFFFFFFF
    return f"{system}.{address}.{kind}.{where:08x}.{n.PART_STATES.get(bit, f'bit_{bit}')}", "alarm_state", "1"


def columns(data: bytes, stream: GbStream) -> Columns:
    """The readings of all whole frames in `data`, part states first, and what the stream said of all other bytes.

    `stream` keeps an unfinished frame between calls; when it holds one it gets all bytes.
    """
    if stream.holds:
        return Columns.of(stream.feed(data))
    buffer = np.frombuffer(data, np.uint8)
    frames = len(data) // SHORTEST + 1
    most = len(data) // _OBJECT * 15 + 15
    slow, who, device = np.empty((frames, 2), np.int64), np.empty((frames, 6), np.uint8), np.empty(most, np.int32)
    part, states, times = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    values, quality = np.empty(most, np.float64), np.empty(most, np.uint8)
    end, others, fast, rows = _scan(buffer, slow, who, device, part, states, times, values, quality)
    said: list[Message | Broken] = []
    for start, stop in slow[:others].tolist():
        said += stream.feed(data[start:stop])
    said += stream.feed(data[end:])
    codes = part[:rows] << 4 | states[:rows]
    return _named(who[:fast], device[:rows], codes, times[:rows], values[:rows], quality[:rows]).joined(Columns.of(said))


def _named(who: NDArray[np.uint8], device: NDArray[Any], codes: NDArray[np.int64], *rest: NDArray[Any]) -> Columns:
    raw = who.tobytes()
    found: dict[bytes, int] = {}
    index = np.array([found.setdefault(raw[i : i + 6], len(found)) for i in range(0, len(raw), 6)], np.int32)
    used, key = np.unique(codes, return_inverse=True)
    keys = [_key(code) for code in used.tolist()]
    times, values, quality = rest
    return Columns([address.hex() for address in found], keys, index[device], key.astype(np.int32), times, values, quality)
