"""Latest values as columns: read the workers' blobs, join them, find what changed. Pure but for `fetch`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

_COLUMNS = (
    ("station", np.int32),
    ("quantity", np.int16),
    ("time_ms", np.int64),
    ("value", np.float64),
    ("quality", np.uint8),
    ("grade", np.int8),
    ("silent", np.uint8),
)
ROW_BYTES = sum(np.dtype(t).itemsize for _, t in _COLUMNS)


@dataclass(slots=True)
class Latest:
    """Latest value of each series: station number, quantity number, UTC ms, SI value, quality, worst grade, silent."""

    station: NDArray[np.int32]
    quantity: NDArray[np.int16]
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    grade: NDArray[np.int8]
    silent: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.station)

    def take(self, index: NDArray[np.generic]) -> Latest:
        """The rows of `index` (mask or positions)."""
        return Latest(*(getattr(self, f.name)[index] for f in fields(self)))

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """The columns by name, each contiguous (as orjson wants them)."""
        return {f.name: np.ascontiguousarray(getattr(self, f.name)) for f in fields(self)}


def decode(data: bytes | memoryview) -> Latest:
    """The columns of one ``collect_latestblock.data`` (views on it); ValueError when its length does not fit."""
    n = int(np.frombuffer(data, "<u4", 1)[0]) if len(data) >= 4 else 0
    if len(data) != 4 + n * ROW_BYTES:
        raise ValueError(f"latest block of {len(data)} bytes does not hold {n} rows")
    at = 4
    columns: list[NDArray[Any]] = []
    for _, dtype in _COLUMNS:
        column = np.frombuffer(data, dtype, n, at)
        columns.append(column)
        at += column.nbytes
    return Latest(*columns)


def encode(latest: Latest) -> bytes:
    """Inverse of `decode` (for tests and rehearsals)."""
    parts = [np.uint32(len(latest)).tobytes()]
    parts += [np.ascontiguousarray(getattr(latest, name), dtype).tobytes() for name, dtype in _COLUMNS]
    return b"".join(parts)


def join(blocks: list[Latest]) -> Latest:
    """All rows of the blocks."""
    if not blocks:
        return decode(b"\0\0\0\0")
    return Latest(*(np.concatenate([getattr(b, f.name) for b in blocks]) for f in fields(Latest)))


def keys(latest: Latest) -> NDArray[np.int64]:
    """One number per series: station << 16 | quantity."""
    return latest.station.astype(np.int64) << 16 | latest.quantity.astype(np.int64)


def changed(new: Latest, old: Latest | None) -> NDArray[np.bool_]:
    """Mask of rows of `new` that `old` has not, or has with another time, value, grade or silence."""
    if old is None or len(old) == 0:
        return np.ones(len(new), bool)
    new_keys, old_keys = keys(new), keys(old)
    if len(new_keys) == len(old_keys) and np.array_equal(new_keys, old_keys):
        at: Any = slice(None)
        known = np.ones(len(new), bool)
    else:
        order = np.argsort(old_keys, kind="stable")
        found = np.minimum(np.searchsorted(old_keys, new_keys, sorter=order), len(old_keys) - 1)
        at = order[found]
        known = old_keys[at] == new_keys
    same = (old.time_ms[at] == new.time_ms) & (old.grade[at] == new.grade) & (old.silent[at] == new.silent)
    same &= (old.value[at] == new.value) | (np.isnan(old.value[at]) & np.isnan(new.value))
    return ~(known & same)


def within(division: NDArray[np.bytes_], scopes: tuple[str, ...]) -> NDArray[np.bool_]:
    """Mask of division codes (dtype S12) that start with one of the scopes."""
    mask = np.zeros(len(division), bool)
    if not len(division):
        return mask
    letters = np.ascontiguousarray(division).view(np.uint8).reshape(len(division), -1)
    for scope in scopes:
        prefix = np.frombuffer(scope.encode()[: letters.shape[1]], np.uint8)
        mask |= (letters[:, : len(prefix)] == prefix).all(axis=1)
    return mask
