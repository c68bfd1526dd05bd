"""Many reports at once: frames in HEX/BCD to columns by a compiled kernel, everything else by the stream.

Equal to the stream reading by reading (property test). The kernel takes what it fully understands: whole single-packet
reports of the functions 30, 32, 33, 34, 37, 3A and 44 with elements of table C.1; at anything else it stops and the stream goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...codec import Broken, Columns, Message
from .._calendar import utc_ms
from .._crc import TABLE
from .frame import HEX_HEAD, station_text
from .tables import ELEMENTS, HOUR_NAMES, STATUS

if TYPE_CHECKING:
    from .codec import Sl651Stream

_SLOW, _NONE, _PLAIN, _LEVEL, _RAIN, _RELATIVE, _WORD = range(7)
_KIND = np.zeros(256, np.int8)
_FACTOR, _OFFSET = np.ones(256), np.zeros(256)
for _e in ELEMENTS.values():
    _KIND[_e.id] = _SLOW if _e.unit == "h.min" else _NONE if not _e.quantity else _LEVEL if _e.quantity == "water_level" else _PLAIN
    _FACTOR[_e.id], _OFFSET[_e.id] = _e.factor, _e.offset
_KIND[list(HOUR_NAMES)] = _RELATIVE
_KIND[0xF4], _KIND[STATUS] = _RAIN, _WORD
_FACTOR[0xF4] = 1e-3
_TABLE = np.array(TABLE, np.int64)
_REPORTS = np.zeros(256, np.bool_)
_REPORTS[[0x30, 0x32, 0x33, 0x34, 0x37, 0x3A, 0x44]] = True
_FIVE = 300_000


def _key(guide: int) -> tuple[str, str, str]:
    if guide in HOUR_NAMES:
        return HOUR_NAMES[guide], "rainfall" if guide == 0xF4 else "relative_level", "m"
    if guide == STATUS:
        return "ZT", "status_word", "1"
    element = ELEMENTS[guide]
    return element.name, element.quantity, element.si_unit


@njit(cache=True)
def _time(data: NDArray[np.uint8], at: int, size: int) -> int:
    """UTC ms of five or six BCD bytes of Beijing time; -1 when they are no time."""
    p = np.zeros(6, np.int64)
    for i in range(size):
        byte = int(data[at + i])
        high, low = byte // 16, byte % 16
        if high > 9 or low > 9:
            return -1
        p[i] = high * 10 + low
    return utc_ms(2000 + p[0], p[1], p[2], p[3], p[4], p[5])


@njit(cache=True)
def _sum(data: NDArray[np.uint8], at: int, end: int, table: NDArray[np.int64]) -> int:
    crc = 0xFFFF
    for i in range(at, end):
        crc = table[(crc ^ data[i]) & 0xFF] ^ (crc >> 8)
    return crc


@njit(cache=True)
def _value(data: NDArray[np.uint8], at: int, size: int, decimals: int, out: NDArray[np.float64]) -> int:
    """A BCD number into out[0]: 0 a value, 1 missing, 2 all nines, -1 not for the kernel."""
    if size == 0:
        return 1
    missing = True
    for i in range(size):
        missing = missing and data[at + i] == 0xFF
    if missing:
        return 1
    if size > 8:
        return -1
    negative = data[at] == 0xFF
    whole, digits, nines = 0, 0, True
    for i in range(1 if negative else 0, size):
        byte = int(data[at + i])
        high, low = byte // 16, byte % 16
        if high > 9 or low > 9:
            return -1
        for half in range(2):
            digit = low if half else high
            if digits or digit:
                digits += 1
                nines = nines and digit == 9
            whole = whole * 10 + digit
    if digits > 15:
        return -1
    value = whole / 10.0**decimals if decimals else float(whole)
    out[0] = -value if negative else value
    return 2 if nines and digits >= 6 and not negative else 0


@njit(cache=True)
def _body(
    data: NDArray[np.uint8],
    at: int,
    end: int,
    sent: int,
    kind: NDArray[np.int8],
    factor: NDArray[np.float64],
    offset: NDArray[np.float64],
    row: int,
    guides: NDArray[np.int16],
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    quality: NDArray[np.uint8],
) -> int:
    """Rows of the elements from `at` on; the next free row, or -1 when the stream has to look at it."""
    out = np.zeros(1)
    now = -1
    while at < end:
        guide = data[at]
        if guide == 0xF0:
            if at + 7 > end or data[at + 1] != 0xF0:
                return -1
            now = _time(data, at + 2, 5)
            if now < 0:
                return -1
            at += 7
            continue
        what = kind[guide]
        if what == 0 or at + 2 > end or now < 0:
            return -1
        definition = int(data[at + 1])
        size = definition // 8
        at += 2
        if at + size > end:
            return -1
        if what == 4 or what == 5:
            width = 1 if what == 4 else 2
            count = size // width
            first = now
            if count and first + 300_000 * (count - 1) > sent + 60_000:
                first -= 300_000 * (count - 1)
            for k in range(count):
                raw = data[at + k] if width == 1 else data[at + 2 * k] * 256 + data[at + 2 * k + 1]
                if raw == (255 if width == 1 else 65535):
                    continue
                guides[row], times[row], quality[row] = guide, first + 300_000 * k, 0
                values[row] = raw / 10.0 * 1e-3 if width == 1 else raw / 100.0
                row += 1
        elif what == 6:
            word = 0
            for k in range(size):
                word = word * 256 + data[at + k]
            guides[row], times[row], quality[row], values[row] = guide, now, 0, float(word)
            row += 1
        else:
            said = _value(data, at, size, definition & 7, out)
            if said < 0:
                return -1
            if said != 1 and what != 1:
                guides[row], times[row] = guide, now
                quality[row] = 3 if said == 2 and what == 3 else 0
                values[row] = out[0] * factor[guide] + offset[guide]
                row += 1
        at += size
    return row


@njit(cache=True)
def _frames(
    data: NDArray[np.uint8],
    at: int,
    kind: NDArray[np.int8],
    factor: NDArray[np.float64],
    offset: NDArray[np.float64],
    table: NDArray[np.int64],
    reports: NDArray[np.bool_],
    doubt: NDArray[np.int64],
    row: int,
    guides: NDArray[np.int16],
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    quality: NDArray[np.uint8],
    stations: NDArray[np.int64],
) -> tuple[int, int]:
    """Rows of all frames from `at` on; where it stopped, and the next free row."""
    n = len(data)
    while at + 17 <= n:
        if data[at] != 0x7E or data[at + 1] != 0x7E or data[at + 13] != 2 or data[at + 11] > 15 or not reports[data[at + 10]]:
            break
        size = (data[at + 11] & 15) * 256 + data[at + 12]
        body = at + 14
        end = body + size
        if end + 3 > n or (data[end] != 3 and data[end] != 0x17) or size < 16:
            break
        if _sum(data, at, end + 1, table) != data[end + 1] * 256 + data[end + 2]:
            break
        sent = _time(data, body + 2, 6)
        if sent < 0 or data[body + 8] != 0xF1 or data[body + 9] != 0xF1 or row + size > len(guides):
            break
        start = body + 16
        if start + 1 > end or data[start] != 0xF0:
            break
        begun = row
        row = _body(data, start, end, sent, kind, factor, offset, begun, guides, times, values, quality)
        if row < 0:
            row = begun
            break
        station = 0
        for k in range(5):
            station = station * 256 + data[body + 10 + k]
        off = sent - doubt[0]
        suspect = doubt[0] and ((doubt[1] and off > doubt[1]) or (doubt[2] and off < -doubt[2]))
        for k in range(begun, row):
            stations[k] = station
            if suspect and quality[k] == 0:
                quality[k] = 1
        at = end + 3
    return at, row


def columns(data: bytes, stream: Sl651Stream) -> Columns:
    """The readings of `data` as columns; see `Stream.columns`."""
    if stream.waiting:
        return Columns.of(stream.feed(data))
    raw = np.frombuffer(data, np.uint8)
    most = len(data)
    guides, times, values = np.empty(most, np.int16), np.empty(most, np.int64), np.empty(most)
    quality, stations = np.empty(most, np.uint8), np.empty(most, np.int64)
    doubt = np.array([stream.received_ms, stream.ahead * 1000, stream.behind * 1000], np.int64)
    at = row = 0
    said: list[Message | Broken] = []
    while at < len(data):
        at, row = _frames(
            raw, at, _KIND, _FACTOR, _OFFSET, _TABLE, _REPORTS, doubt, row, guides, times, values, quality, stations
        )  # fmt: skip
        if at >= len(data):
            break
        head = data[at : at + HEX_HEAD]
        whole = HEX_HEAD + ((head[11] & 15) << 8 | head[12]) + 3 if head[:2] == b"\x7e\x7e" and len(head) == HEX_HEAD else len(data)
        said += stream.feed(data[at : at + whole])
        at += whole
        if stream.waiting:  # not a frame by itself: the stream knows how to go on
            said += stream.feed(data[at:])
            break
    return _columns(guides[:row], times[:row], values[:row], quality[:row], stations[:row]).joined(Columns.of(said))


def _columns(
    guides: NDArray[np.int16],
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    quality: NDArray[np.uint8],
    stations: NDArray[np.int64],
) -> Columns:
    found, device = np.unique(stations, return_inverse=True)
    known, key = np.unique(guides, return_inverse=True)
    return Columns(
        [station_text(int(s).to_bytes(5, "big")) for s in found],
        [_key(int(g)) for g in known],
        device.astype(np.int32),
        key.astype(np.int32),
        times.copy(),
        values.copy(),
        quality.copy(),
    )
