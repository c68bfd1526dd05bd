"""Pure: the readings of one series as few bytes, and back, exactly.

Wire form of a pack (little endian): uint8 version (1), uint8 flags, uint16 reserved, uint32 n, int64 first time (UTC ms),
then the body, compressed with zstd when flag 4 is set: time steps (nothing when all are equal: flag 1, then one int64;
else uint32, or int64 with flag 8), values (float64, bytes transposed so that equal exponent bytes lie together), quality
(uint8; nothing when all are GOOD: flag 2). Times rise strictly: of equal times the first reading stands.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import zstandard
from numpy.typing import NDArray

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_HEAD = struct.Struct("<BBHIq")
_REGULAR, _GOOD, _ZSTD, _WIDE = 1, 2, 4, 8
_SMALL = 48  # bytes; shorter bodies do not shrink
_compressor = zstandard.ZstdCompressor(level=3, write_content_size=True)
_decompressor = zstandard.ZstdDecompressor()


@dataclass(slots=True)
class SeriesRows:
    """Readings of one series, times rising: time_ms int64 (UTC), value float64 (SI), quality uint8."""

    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.time_ms)

    @classmethod
    def merged(cls, parts: list[SeriesRows]) -> SeriesRows:
        """All parts in time order; of equal times the earliest part (and row) stands."""
        if not parts:
            return cls(np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))
        time_ms, value, quality = (np.concatenate([getattr(p, c) for p in parts]) for c in ("time_ms", "value", "quality"))
        if len(time_ms) > 1 and not (time_ms[1:] > time_ms[:-1]).all():
            order = np.argsort(time_ms, kind="stable")
            time_ms = time_ms[order]
            first = np.r_[True, time_ms[1:] != time_ms[:-1]]
            order = order[first]
            time_ms, value, quality = time_ms[first], value[order], quality[order]
        return cls(time_ms, value, quality.astype(np.uint8, copy=False))

    def between(self, from_ms: int, to_ms: int) -> SeriesRows:
        """The rows with from_ms <= time <= to_ms."""
        a, b = np.searchsorted(self.time_ms, from_ms, "left"), np.searchsorted(self.time_ms, to_ms, "right")
        return SeriesRows(self.time_ms[a:b], self.value[a:b], self.quality[a:b])


def pack(rows: SeriesRows) -> bytes:
    """The wire form of at least one reading with strictly rising times."""
    n, flags, body = len(rows), 0, []
    steps = np.diff(rows.time_ms)
    if n > 1 and (steps == steps[0]).all():
        flags |= _REGULAR
        body.append(steps[:1].astype("<i8").tobytes())
    elif n > 1 and steps.max() > 0xFFFFFFFF:
        flags |= _WIDE
        body.append(steps.astype("<i8").tobytes())
    elif n > 1:
        body.append(steps.astype("<u4").tobytes())
    body.append(np.ascontiguousarray(rows.value, "<f8").view(np.uint8).reshape(n, 8).T.tobytes())
    if rows.quality.any():
        body.append(rows.quality.astype(np.uint8).tobytes())
    else:
        flags |= _GOOD
    data = b"".join(body)
    if len(data) > _SMALL:
        flags |= _ZSTD
        data = _compressor.compress(data)
    return _HEAD.pack(1, flags, 0, n, int(rows.time_ms[0])) + data


def unpack(data: bytes) -> SeriesRows:
    """Inverse of `pack`; ValueError for a version this code does not know."""
    version, flags, _, n, first = _HEAD.unpack_from(data)
    if version != 1:
        raise ValueError(f"pack version {version} is newer than this program; upgrade it")
    body = _decompressor.decompress(data[_HEAD.size :]) if flags & _ZSTD else data[_HEAD.size :]
    at = 0
    time_ms = np.empty(n, np.int64)
    time_ms[0] = first
    if n > 1:
        dtype, count = (np.dtype("<i8"), 1) if flags & _REGULAR else (np.dtype("<i8" if flags & _WIDE else "<u4"), n - 1)
        np.cumsum(np.broadcast_to(np.frombuffer(body, dtype, count).astype(np.int64), n - 1), out=time_ms[1:])
        time_ms[1:] += first
        at = dtype.itemsize * count
    value = np.frombuffer(body, np.uint8, 8 * n, at).reshape(8, n).T.copy().view("<f8").reshape(n)
    quality = np.zeros(n, np.uint8) if flags & _GOOD else np.frombuffer(body, np.uint8, n, at + 8 * n)
    return SeriesRows(time_ms, value, quality)


@dataclass(slots=True)
class Pack:
    """One row of ``reading_packed`` before it is written; [start_ms, end_ms) is an hour or a day (UTC)."""

    station: int
    quantity: int
    start_ms: int
    end_ms: int
    rows: SeriesRows


def grouped(station: NDArray[np.int32], quantity: NDArray[np.int16], rows: SeriesRows, span_ms: NDArray[np.int64]) -> Iterator[Pack]:
    """Cut rows (in order of arrival) into packs by station, quantity and span (its length is given for each row)."""
    if not len(rows):
        return
    start = rows.time_ms // span_ms * span_ms
    order = np.lexsort((np.arange(len(rows)), rows.time_ms, start, quantity, station))
    station, quantity, start, span = station[order], quantity[order], start[order], span_ms[order]
    time_ms, value, quality = rows.time_ms[order], rows.value[order], rows.quality[order]
    new_group = np.r_[True, (station[1:] != station[:-1]) | (quantity[1:] != quantity[:-1]) | (start[1:] != start[:-1])]
    first = new_group | np.r_[True, time_ms[1:] != time_ms[:-1]]  # of equal times the first stands
    station, quantity, start, span = station[first], quantity[first], start[first], span[first]
    time_ms, value, quality = time_ms[first], value[first], quality[first].astype(np.uint8)
    bounds = np.append(np.flatnonzero(new_group[first]), len(time_ms))
    for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        yield Pack(
            int(station[a]),
            int(quantity[a]),
            int(start[a]),
            int(start[a] + span[a]),
            SeriesRows(time_ms[a:b], value[a:b], quality[a:b]),
        )
