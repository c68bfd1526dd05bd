"""`ReadingBlock`: readings as columns, from the gateway to the archive.

Columns (all of one length n): ``station`` int32 (station number), ``quantity`` int16,
``time_ms`` int64 (UTC), ``value`` float64 (SI), ``quality`` uint8 (see `Quality`). No Python
object per reading exists anywhere on the hot path.

Wire form (little endian): 8 bytes magic ``ANLANRB1``, uint32 n, uint32 reserved, int64
received_ms, then the columns one after another: time_ms, value, station, quantity, quality.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import FieldError

MAGIC = b"ANLANRB1"
_HEAD = struct.Struct("<8sIIq")
ROW_BYTES = 23


class Quality(IntEnum):
    """Quality code of a reading (glossary 质量码)."""

    GOOD = 0
    SUSPECT = 1
    BAD = 2
    MISSING = 3
    ESTIMATED = 4


@dataclass(slots=True)
class ReadingBlock:
    """Readings as columns; `received_ms` is when the gateway took the block (UTC ms)."""

    station: NDArray[np.int32]
    quantity: NDArray[np.int16]
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    received_ms: int = 0

    def __len__(self) -> int:
        return len(self.station)

    @classmethod
    def of(
        cls, station: object, quantity: object, time_ms: object, value: object, quality: object = None, received_ms: int = 0
    ) -> ReadingBlock:
        """A block from any sequences; quality is GOOD when not given."""
        s = np.ascontiguousarray(station, np.int32)
        return cls(
            s,
            np.ascontiguousarray(quantity, np.int16),
            np.ascontiguousarray(time_ms, np.int64),
            np.ascontiguousarray(value, np.float64),
            np.zeros(len(s), np.uint8) if quality is None else np.ascontiguousarray(quality, np.uint8),
            received_ms,
        )

    @classmethod
    def empty(cls) -> ReadingBlock:
        """A block of no readings."""
        return cls.of([], [], [], [])

    def take(self, index: NDArray[np.generic] | slice) -> ReadingBlock:
        """The rows of `index` (mask, positions or slice)."""
        return ReadingBlock(
            self.station[index], self.quantity[index], self.time_ms[index], self.value[index], self.quality[index], self.received_ms
        )

    def to_bytes(self) -> bytes:
        """The wire form."""
        return b"".join(
            (
                _HEAD.pack(MAGIC, len(self), 0, self.received_ms),
                self.time_ms.tobytes(),
                self.value.tobytes(),
                self.station.tobytes(),
                self.quantity.tobytes(),
                self.quality.tobytes(),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> ReadingBlock:
        """Read the wire form (columns are views on `data`); FieldError when it is none."""
        if len(data) < _HEAD.size:
            raise FieldError(
                "frame", bytes(data[:16]), "帧长度不足 24 字节", "frame is shorter than its 24-byte head", code="base.bad_frame"
            )
        magic, n, _, received = _HEAD.unpack_from(data)
        if magic != MAGIC or len(data) != _HEAD.size + n * ROW_BYTES:
            raise FieldError(
                "frame",
                bytes(data[:16]),
                "不是 ANLANRB1 帧或长度不符",
                "not an ANLANRB1 frame, or its length does not fit its row count",
                code="base.bad_frame",
            )

        def column(dtype: type, offset: int) -> NDArray[Any]:
            return np.frombuffer(data, dtype, n, _HEAD.size + offset * n)

        return cls(column(np.int32, 16), column(np.int16, 20), column(np.int64, 0), column(np.float64, 8), column(np.uint8, 22), received)

    @staticmethod
    def concat(blocks: list[ReadingBlock]) -> ReadingBlock:
        """All rows of the blocks in order; `received_ms` is the first block's."""
        if not blocks:
            return ReadingBlock.empty()

        def joined(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(block, name) for block in blocks])

        return ReadingBlock(
            joined("station"), joined("quantity"), joined("time_ms"), joined("value"), joined("quality"), blocks[0].received_ms
        )


def partition_of(site: str, partitions: int = 16) -> int:
    """The partition of a site: FNV-1a 32 bit of its code, modulo `partitions`."""
    h = 2166136261
    for byte in site.encode():
        h = (h ^ byte) * 16777619 & 0xFFFFFFFF
    return h % partitions
