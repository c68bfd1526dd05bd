"""Small compiled helpers shared by detectors (not a plug-in: the scan skips names with ``_``)."""

# mypy: allow-untyped-defs
from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def position(slots: NDArray[np.int32], slot: int) -> int:
    """First position of `slot` in the ascending `slots`, -1 when it is not watched."""
    n = len(slots)
    if slot < n and slots[slot] == slot and (slot == 0 or slots[slot - 1] != slot):
        return slot
    low, high = 0, n
    while low < high:
        middle = (low + high) >> 1
        if slots[middle] < slot:
            low = middle + 1
        else:
            high = middle
    return low if low < n and slots[low] == slot else -1


def columns(n: int, width: int) -> tuple[NDArray, ...]:
    """Empty output columns for `n` findings: slot, time_ms, grade, score, kind, evidence."""
    return (
        np.empty(n, np.int32),
        np.empty(n, np.int64),
        np.empty(n, np.int8),
        np.empty(n),
        np.empty(n, np.int64),
        np.empty((n, width)),
    )
