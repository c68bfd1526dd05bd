"""Pure: carry state over from one series table to another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .contract import SeriesTable, State


def _series_keys(table: SeriesTable) -> NDArray[np.int64]:
    return table.station.astype(np.int64) << 16 | table.quantity.astype(np.int64)


def slots(old: SeriesTable, new: SeriesTable) -> NDArray[np.int32]:
    """For each slot of the old table its slot in the new one, -1 when the series is gone."""
    keys = _series_keys(new)
    order = np.argsort(keys, kind="stable")
    wanted = _series_keys(old)
    if not len(keys):
        return np.full(len(wanted), -1, np.int32)
    at = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    found = order[at].astype(np.int32)
    found[keys[found] != wanted] = -1
    return found


def _names(state: State, slot: NDArray[Any]) -> NDArray[Any]:
    """One sortable name a row: (slot, key)."""
    names = np.zeros(len(slot), [("slot", np.int64), ("key", np.int64)])
    names["slot"] = slot
    if "key" in state:
        names["key"] = state["key"]
    return names


def move(old: State, new: State, moved: NDArray[np.int32]) -> None:
    """Copy the rows of `old` into those rows of `new` that name the same series (and key); `moved` as `slots` gives it.

    Arrays whose dtype or trailing shape differs stay fresh.
    """
    target = moved[old["slot"]] if len(moved) else np.empty(0, np.int32)
    stay = np.flatnonzero(target >= 0)
    if not len(stay) or not len(new["slot"]):
        return
    both = np.concatenate([_names({k: old[k][stay] for k in old if k == "key"}, target[stay]), _names(new, new["slot"])])
    order = np.lexsort((np.arange(len(both)), both["key"], both["slot"]))
    same = np.flatnonzero(both[order[1:]] == both[order[:-1]])
    source, goal = order[same], order[same + 1]
    pair = (source < len(stay)) & (goal >= len(stay))
    source, goal = stay[source[pair]], goal[pair] - len(stay)
    for name, column in new.items():
        there = old.get(name)
        if name not in ("slot", "key") and there is not None and there.dtype == column.dtype and there.shape[1:] == column.shape[1:]:
            column[goal] = there[source]
