"""Latest values as columns: what changed, whose they are. Pure (the blobs are read by `collect.store.Latest`)."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..collect.store import Latest

NAMES = tuple(f.name for f in fields(Latest))


def take(latest: Latest, index: NDArray[Any]) -> Latest:
    """The rows of `index` (mask or positions)."""
    return Latest(*(getattr(latest, name)[index] for name in NAMES))


def columns(latest: Latest) -> dict[str, NDArray[Any]]:
    """The columns by name, each contiguous (as orjson wants them)."""
    return {name: np.ascontiguousarray(getattr(latest, name)) for name in NAMES}


def join(blocks: list[Latest]) -> Latest:
    """All rows of the blocks."""
    if not blocks:
        return Latest.from_bytes([])
    return Latest(*(np.concatenate([getattr(b, name) for b in blocks]) for name in NAMES))


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
