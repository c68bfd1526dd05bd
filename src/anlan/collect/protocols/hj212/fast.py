"""Many data frames at once: CN 2011, 2031, 2051 and 2061 to columns by a compiled kernel, everything else by the stream.

Equal to the stream reading by reading (property test). The kernel takes what it fully understands: whole frames without packet
numbers, in plain ASCII without spaces, with a DataTime, and factors with Rtd, Min, Avg, Max, Cou, their Zs forms and Flag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...codec import Broken, Columns, Message
from .._calendar import utc_ms
from .._crc import TABLE
from .readings import convert, factor_of
from .tables import FLAGS

if TYPE_CHECKING:
    from .codec import Hj212Stream

_SUFFIXES = ("Rtd", "Min", "Avg", "Max", "Cou", "ZsRtd", "ZsMin", "ZsAvg", "ZsMax", "Flag", "EFlag")
_WORDS = np.zeros((len(_SUFFIXES), 8), np.uint8)
for _k, _word in enumerate(_SUFFIXES):
    _WORDS[_k, : len(_word)] = np.frombuffer(_word.encode(), np.uint8)
_LENGTHS = np.array([len(w) for w in _SUFFIXES], np.int64)
_FLAG, _VALUES = 9, 9  # suffixes below nine carry values
_QUALITY = np.ones(256, np.uint8)
for _flag, (_, _quality) in FLAGS.items():
    _QUALITY[ord(_flag)] = _QUALITY[ord(_flag.lower())] = _quality
_TABLE = np.array(TABLE, np.int64)
_FACTS = 5  # of a frame: MN from, MN to, system 22, rows from, rows to


@njit(cache=True)
def _digits(data: NDArray[np.uint8], at: int, size: int) -> int:
    value = 0
    for i in range(at, at + size):
        if data[i] < 48 or data[i] > 57:
            return -1
        value = value * 10 + data[i] - 48
    return value


@njit(cache=True)
def _time(data: NDArray[np.uint8], at: int) -> int:
    """UTC ms of fourteen digits of Beijing time; -1 when they are no time."""
    year, month, day = _digits(data, at, 4), _digits(data, at + 4, 2), _digits(data, at + 6, 2)
    return utc_ms(year, month, day, _digits(data, at + 8, 2), _digits(data, at + 10, 2), _digits(data, at + 12, 2))


@njit(cache=True)
def _number(data: NDArray[np.uint8], at: int, end: int, out: NDArray[np.float64]) -> bool:
    """A decimal number of at most 15 digits into out[0]."""
    negative = data[at] == 45
    if negative or data[at] == 43:
        at += 1
    whole, digits, places, dot = 0, 0, 0, False
    for i in range(at, end):
        byte = data[i]
        if byte == 46 and not dot:
            dot = True
        elif 48 <= byte <= 57:
            whole = whole * 10 + byte - 48
            digits += 1
            places += 1 if dot else 0
        else:
            return False
    if digits == 0 or digits > 15:
        return False
    value = whole / 10.0**places if places else float(whole)
    out[0] = -value if negative else value
    return True


@njit(cache=True)
def _suffix(data: NDArray[np.uint8], at: int, end: int, words: NDArray[np.uint8], lengths: NDArray[np.int64]) -> int:
    for k in range(len(lengths)):
        if lengths[k] == end - at:
            same = True
            for i in range(end - at):
                same = same and data[at + i] == words[k, i]
            if same:
                return k
    return -1


@njit(cache=True)
def _head(data: NDArray[np.uint8], at: int, end: int, facts: NDArray[np.int64]) -> int:
    """Where the CP's content begins; -1 when the stream has to look at it. MN and ST into `facts`."""
    facts[0] = facts[1] = 0
    facts[2] = 2  # no ST yet
    command = False
    while at < end:
        if data[at] == 67 and data[at + 1] == 80 and data[at + 2] == 61:  # CP=
            sound = facts[1] > facts[0] and facts[2] != 2 and command and data[at + 3] == 38 and data[at + 4] == 38
            return at + 5 if sound and end - at >= 7 and data[end - 1] == 38 and data[end - 2] == 38 else -1
        stop = at
        while stop < end and data[stop] != 59:
            stop += 1
        if stop == end or stop - at < 4:
            return -1
        a, b, c = data[at], data[at + 1], data[at + 2]
        if a == 77 and b == 78 and c == 61:  # MN=
            facts[0], facts[1] = at + 3, stop
        elif a == 83 and b == 84 and c == 61:  # ST=
            facts[2] = 1 if stop - at == 5 and data[at + 3] == 50 and data[at + 4] == 50 else 0
        elif a == 67 and b == 78 and c == 61:  # CN=
            number = _digits(data, at + 3, stop - at - 3)
            command = number == 2011 or number == 2031 or number == 2051 or number == 2061
            if not command or stop - at != 7:
                return -1
        elif a == 81 and b == 78 and c == 61:  # QN=
            if stop - at == 20 and (_time(data, at + 3) < 0 or _digits(data, at + 17, 3) < 0):
                return -1
        elif a == 70 and b == 108 and c == 97:  # Flag=
            if data[at + 3] != 103 or data[at + 4] != 61 or stop - at < 6 or stop - at > 7 or _digits(data, at + 5, stop - at - 5) < 0:
                return -1
        elif not (a == 80 and b == 87 and c == 61):  # anything but PW=
            return -1
        at = stop + 1
    return -1


@njit(cache=True)
def _is_datatime(data: NDArray[np.uint8], at: int) -> bool:
    early = data[at] == 68 and data[at + 1] == 97 and data[at + 2] == 116 and data[at + 3] == 97
    return early and data[at + 4] == 84 and data[at + 5] == 105 and data[at + 6] == 109 and data[at + 7] == 101


@njit(cache=True)
def _items(
    data: NDArray[np.uint8],
    at: int,
    end: int,
    words: NDArray[np.uint8],
    lengths: NDArray[np.int64],
    flags: NDArray[np.uint8],
    row: int,
    codes: NDArray[np.int64],
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    quality: NDArray[np.uint8],
) -> int:
    """Rows of the items between the && marks; the next free row, or -1."""
    out = np.zeros(1)
    begun, first, code, now, used = row, row, -1, -1, 0
    flag = np.uint8(0)
    earlier = np.empty(64, np.int64)
    many = 0
    while at < end:
        stop, equals, dash = at, -1, -1
        while stop < end and data[stop] != 44 and data[stop] != 59:
            if data[stop] == 61 and equals < 0:
                equals = stop
            elif data[stop] == 45 and equals < 0:
                dash = stop
            stop += 1
        if equals < 0:
            return -1
        if dash < 0:  # DataTime=
            if equals - at != 8 or stop - equals != 15 or now >= 0 or not _is_datatime(data, at):
                return -1
            now = _time(data, equals + 1)
            if now < 0:
                return -1
            at = stop + 1
            continue
        suffix = _suffix(data, dash + 1, equals, words, lengths)
        if suffix < 0 or dash - at > 7 or dash == at:
            return -1
        this = 0
        for i in range(at, dash):
            this = this * 256 + data[i]
        if this != code:
            for i in range(many):
                if earlier[i] == this:
                    return -1
            if many == 64:
                return -1
            earlier[many] = this
            many += 1
            for i in range(first, row):
                quality[i] = flag
            code, first, flag, used = this, row, np.uint8(0), 0
        if used >> suffix & 1:
            return -1
        used |= 1 << suffix
        if suffix == 9:
            if stop - equals != 2:
                return -1
            flag = flags[data[equals + 1]]
        elif suffix < 9 and stop - equals > 1:
            if row >= len(codes) or not _number(data, equals + 1, stop, out):
                return -1
            codes[row], values[row] = this * 16 + suffix, out[0]
            row += 1
        at = stop + 1
    for i in range(first, row):
        quality[i] = flag
    if now < 0:
        return -1
    for i in range(begun, row):
        times[i] = now
    return row


@njit(cache=True)
def _frames(
    data: NDArray[np.uint8],
    at: int,
    table: NDArray[np.int64],
    words: NDArray[np.uint8],
    lengths: NDArray[np.int64],
    flags: NDArray[np.uint8],
    row: int,
    codes: NDArray[np.int64],
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    quality: NDArray[np.uint8],
    frame: int,
    facts: NDArray[np.int64],
) -> tuple[int, int, int]:
    """Rows of all frames from `at` on; where it stopped, the next free row and frame."""
    n = len(data)
    while at + 12 <= n:
        if data[at] != 35 or data[at + 1] != 35:
            break
        size = _digits(data, at + 2, 4)
        body = at + 6
        end = body + size
        if size < 20 or end + 6 > n or data[end + 4] != 13 or data[end + 5] != 10:
            break
        crc, plain = 0xFFFF, True
        for i in range(body, end):
            byte = data[i]
            crc = table[(crc >> 8) ^ byte]
            plain = plain and 0x20 < byte < 0x7F and byte != 35 and byte != 47  # no # (another frame) and no / (texts)
        sent = 0
        for i in range(end, end + 4):
            byte = data[i] - 32 if data[i] >= 97 else data[i]
            digit = byte - 48 if 48 <= byte <= 57 else byte - 55 if 65 <= byte <= 70 else -1
            plain = plain and digit >= 0
            sent = sent * 16 + digit
        if not plain or sent != crc:
            break
        content = _head(data, body, end, facts[frame])
        if content < 0:
            break
        got = _items(data, content, end - 2, words, lengths, flags, row, codes, times, values, quality)
        if got < 0:
            break
        facts[frame, 3], facts[frame, 4] = row, got
        row = got
        frame += 1
        at = end + 6
    return at, row, frame


def columns(data: bytes, stream: Hj212Stream) -> Columns:
    """The readings of `data` as columns; see `Stream.columns`."""
    if stream.waiting or stream.lenient:
        return Columns.of(stream.feed(data))
    raw = np.frombuffer(data, np.uint8)
    most = len(data) // 6 + 8  # the shortest item is like a-Rtd=1
    codes, times, values = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most)
    quality = np.empty(most, np.uint8)
    facts = np.zeros((len(data) // 32 + 2, _FACTS), np.int64)
    at = row = frame = 0
    said: list[Message | Broken] = []
    while at < len(data):
        at, row, frame = _frames(raw, at, _TABLE, _WORDS, _LENGTHS, _QUALITY, row, codes, times, values, quality, frame, facts)
        if at >= len(data):
            break
        after = data.find(b"##", at + 2)
        after = len(data) if after < 0 else after
        said += stream.feed(data[at:after])
        at = after
        if stream.waiting:  # not a frame by itself: the stream knows how to go on
            said += stream.feed(data[at:])
            break
    return _columns(data, stream, facts[:frame], codes[:row], times[:row], values[:row], quality[:row]).joined(Columns.of(said))


def _columns(
    data: bytes,
    stream: Hj212Stream,
    facts: NDArray[np.int64],
    codes: NDArray[np.int64],
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    quality: NDArray[np.uint8],
) -> Columns:
    """Names for the numbers, values in SI."""
    devices: dict[str, int] = {}
    each = [devices.setdefault(data[a:b].decode("ascii"), len(devices)) for a, b in facts[:, :2].tolist()]
    rows = facts[:, 4] - facts[:, 3]
    ambient = np.repeat(facts[:, 2], rows)
    found, inverse = np.unique(codes * 2 + ambient, return_inverse=True)
    keys: dict[tuple[str, str, str], int] = {}
    place, factor, offset = np.empty(len(found), np.int32), np.empty(len(found)), np.empty(len(found))
    for k, packed in enumerate(found.tolist()):
        code = (packed >> 5).to_bytes(7, "big").lstrip(b"\0").decode("ascii")
        suffix = _SUFFIXES[packed >> 1 & 15]
        known = factor_of(code, "22" if packed & 1 else "", stream.units.get(code, ""))
        quantity, unit, factor[k], offset[k] = convert(known, suffix)
        place[k] = keys.setdefault((f"{code}-{suffix}", quantity, unit), len(keys))
    return Columns(
        list(devices),
        list(keys),
        np.repeat(np.array(each, np.int32), rows),
        place[inverse],
        times.copy(),
        values * factor[inverse] + offset[inverse],
        quality.copy(),
    )
