"""Many positions at once: frames of 0x0200 to columns by a compiled kernel, everything else by the stream.

Used where frames come in bulk (captures, replays, relays that speak for a fleet). Equal to the stream reading by reading
(property test). The kernel takes what it fully understands: whole unescaped-and-checked 0x0200 frames without
sub-packages or encryption and with sound times and items. A frame with anything else in it goes to the stream.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ....base.block import Quality
from ...codec import Broken, Columns, Message
from .._calendar import utc_ms
from . import names as n
from .samples import CODES, KEYS
from .stream import Jt808Stream
from .wire import LONGEST_FRAME

_MOST_ROWS = 64  # of one frame: ten keys, acc, alarm, 32 bits, temperature; a frame with tyres goes to the stream
_ALARM, _CABIN = 100, 99
_NAMED = {key: (quantity, unit) for key, (_, quantity, unit, _) in KEYS.items()} | {
    "acc": ("switch_state", "1"),
    "alarm": ("alarm_state", "1"),
}
TABLE: dict[int, tuple[str, str, str]] = {
    **{code: (key, *_NAMED[key]) for key, code in CODES.items()},
    _CABIN: ("cabin_temperature", "temperature", "K"),
    **{_ALARM + bit: (f"alarm.{n.ALARMS.get(bit, f'bit_{bit}')}", "alarm_state", "1") for bit in range(32)},
}
_BAD = int(Quality.BAD)
_SLOW = np.zeros(256, np.bool_)
_SLOW[[0x05, 0x66]] = True  # tyres: several readings of one item
_SIZES = np.zeros(256, np.int64)
for _key, _size in ((0x01, 4), (0x02, 2), (0x03, 2), (0x06, 2), (0x30, 1), (0x31, 1)):
    _SIZES[_key] = _size


@njit(cache=True)
def _two(b: int) -> int:
    """BCD of one byte, -1 when it is none."""
    high, low = b >> 4, b & 15
    return high * 10 + low if high < 10 and low < 10 else -1


@njit(cache=True)
def _time_ms(frame: NDArray[np.uint8], at: int) -> int:
    """UTC ms of six BCD bytes in UTC+8; -1 no time at all (zeros), -2 not a time."""
    parts = np.empty(6, np.int64)
    total = 0
    for i in range(6):
        total += frame[at + i]
        parts[i] = _two(frame[at + i])
        if parts[i] < 0:
            return -2
    if total == 0:
        return -1
    ms = utc_ms(2000 + parts[0], parts[1], parts[2], parts[3], parts[4], parts[5])
    return ms if ms >= 0 else -2


@njit(cache=True)
def _number(frame: NDArray[np.uint8], at: int, size: int) -> int:
    value = 0
    for i in range(size):
        value = value << 8 | frame[at + i]
    return value


@njit(cache=True)
def _unescape(data: NDArray[np.uint8], start: int, end: int, frame: NDArray[np.uint8]) -> int:
    """The bytes between two flags into `frame`; their number, -1 for a bad escape, a wrong sum or too many."""
    size, check, i = 0, 0, start
    while i < end:
        byte = data[i]
        i += 1
        if byte == 0x7D:
            if i >= end or (data[i] != 1 and data[i] != 2):
                return -1
            byte = 0x7C + data[i]
            i += 1
        if size >= len(frame):
            return -1
        frame[size] = byte
        check ^= byte
        size += 1
    return size if check == 0 else -1


@njit(cache=True)
def _items(
    frame: NDArray[np.uint8], at: int, end: int, slow: NDArray[np.bool_], sizes: NDArray[np.int64], found: NDArray[np.int64]
) -> bool:
    """Values of the known items into `found` (-1: not there); False when the stream has to look at it."""
    found[:] = -1
    while at < end:
        if end - at < 2 or at + 2 + frame[at + 1] > end:
            return False
        key, size = frame[at], frame[at + 1]
        if slow[key]:
            return False
        if sizes[key] == size and sizes[key] > 0 and found[key] < 0:
            found[key] = _number(frame, at + 2, size)
        at += 2 + size
    return True


@njit(cache=True)
def _place(
    frame: NDArray[np.uint8],
    body: int,
    time_ms: int,
    found: NDArray[np.int64],
    every: bool,
    codes: NDArray[np.int16],
    values: NDArray[np.float64],
    quality: NDArray[np.uint8],
) -> int:
    """The rows of one position in the order of the stream's readings; how many."""
    alarm, status = _number(frame, body, 4), _number(frame, body + 4, 4)
    latitude, longitude = _number(frame, body + 8, 4) / 1_000_000, _number(frame, body + 12, 4) / 1_000_000
    sound = status >> 1 & 1 == 1 and status >> 5 & 1 == 0 and latitude <= 90 and longitude <= 180
    raw = (
        -latitude if status & 4 else latitude,
        -longitude if status & 8 else longitude,
        _number(frame, body + 16, 2) * 1.0,
        _number(frame, body + 18, 2) / 10 * (1 / 3.6),
        _number(frame, body + 20, 2) * (np.pi / 180),
    )
    k = 0
    for i in range(5):
        codes[k], values[k], quality[k] = i, raw[i], 0 if sound else 2
        k += 1
    for code, key, per, factor in ((5, 1, 10, 1000.0), (6, 2, 10, 0.001), (7, 3, 10, 1 / 3.6), (8, 0x30, 1, 1.0), (9, 0x31, 1, 1.0)):
        if found[key] >= 0:
            codes[k], values[k], quality[k] = code, found[key] / per * factor, 0
            k += 1
    codes[k], values[k], quality[k] = 10, float(status & 1), 0
    codes[k + 1], values[k + 1], quality[k + 1] = 11, 1.0 if alarm else 0.0, 0
    k += 2
    for turn in range(2 if every else 1):
        for bit in range(32):
            if (alarm >> bit & 1) == 1 - turn:
                codes[k], values[k], quality[k] = 100 + bit, 1.0 - turn, 0
                k += 1
    if found[6] >= 0:
        celsius = -(found[6] & 0x7FFF) if found[6] & 0x8000 else found[6]
        codes[k], values[k], quality[k] = 99, celsius + 273.15, 0
        k += 1
    return k


@njit(cache=True)
def _scan(data, every, slow, sizes, flags, who, serial, state, device, codes, times, values, quality, frame):  # type: ignore[no-untyped-def]
    """All frames: phones, serials and what became of each (0 slow, 1 read); rows behind one another. Frames, rows."""
    frames = rows = 0
    found = np.empty(256, np.int64)
    for f in range(len(flags) - 1):
        start, end = flags[f] + 1, flags[f + 1]
        if end == start:
            continue
        state[frames, 0], state[frames, 1], state[frames, 2] = flags[f], end + 1, 0
        frames += 1
        size = _unescape(data, start, end, frame)
        if size < 13 or frame[0] != 2 or frame[1] != 0 or frame[2] & 0x3C:
            continue
        new = frame[2] >> 6 & 1
        body = 17 if new else 12
        length = (frame[2] & 3) << 8 | frame[3]
        if size != body + length + 1 or length < 28 or not _items(frame, body + 28, size - 1, slow, sizes, found):
            continue
        time_ms = _time_ms(frame, body + 22)
        if time_ms == -2:
            continue
        here = frames - 1
        state[here, 2] = 1
        width = 10 if new else 6
        who[here, 0] = width
        for i in range(width):
            who[here, 1 + i] = frame[body - 2 - width + i]
        serial[here] = frame[body - 2] << 8 | frame[body - 1]
        if time_ms == -1:
            continue
        k = _place(frame, body, time_ms, found, every, codes[rows:], values[rows:], quality[rows:])
        for i in range(k):
            device[rows + i], times[rows + i] = here, time_ms
        rows += k
    return frames, rows


def columns(data: bytes, stream: Jt808Stream) -> Columns:
    """The readings of all whole frames in `data`, the fast ones first, and what the stream said of all other bytes.

    `stream` keeps an unfinished frame and sub-packages between calls; when it holds the begin of a frame it gets all bytes.
    """
    if stream.holds:
        return Columns.of(stream.feed(data))
    buffer = np.frombuffer(data, np.uint8)
    flags = np.flatnonzero(buffer == 0x7E)
    if len(flags) < 2:
        return Columns.of(stream.feed(data))
    frames = len(flags) - 1
    # A row needs at least a frame's share: never more than _MOST_ROWS each
    most = frames * (_MOST_ROWS if stream.options.get("every_alarm") else 46)
    who, serial, state = np.zeros((frames, 11), np.uint8), np.empty(frames, np.int32), np.empty((frames, 3), np.int64)
    device, codes, times = np.empty(most, np.int32), np.empty(most, np.int16), np.empty(most, np.int64)
    values, quality, frame = np.empty(most, np.float64), np.empty(most, np.uint8), np.empty(LONGEST_FRAME, np.uint8)
    every = bool(stream.options.get("every_alarm"))
    count, rows = _scan(buffer, every, _SLOW, _SIZES, flags, who, serial, state, device, codes, times, values, quality, frame)
    said = _others(data, stream, flags, state[:count])
    return _named(who[:count], device[:rows], codes[:rows], times[:rows], values[:rows], quality[:rows]).joined(Columns.of(said))


def _others(data: bytes, stream: Jt808Stream, flags: NDArray[Any], state: NDArray[np.int64]) -> list[Message | Broken]:
    """What the stream says of the bytes that the kernel left."""
    said: list[Message | Broken] = []
    if flags[0]:
        said += stream.feed(data[: flags[0]])
    for start, end, fast in state.tolist():
        if not fast:
            said += stream.feed(data[start:end])
    return said + stream.feed(data[flags[-1] :])


def _named(
    who: NDArray[np.uint8],
    device: NDArray[np.int32],
    codes: NDArray[np.int16],
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    quality: NDArray[np.uint8],
) -> Columns:
    raw, size = who.tobytes(), who.shape[1]
    found: dict[bytes, int] = {}
    index = np.array([found.setdefault(raw[i : i + size], len(found)) for i in range(0, len(raw), size)], np.int32)
    devices = [phone[1 : 1 + phone[0]].hex() for phone in found]
    used = np.flatnonzero(np.bincount(codes, minlength=1))
    place = np.zeros(_ALARM + 32, np.int32)
    place[used] = np.arange(len(used))
    return Columns(devices, [TABLE[int(code)] for code in used], index[device], place[codes], times, values, quality)
