"""Compiled loops of the lane: which series a row belongs to, repeats, lateness, newest values.

The ring of a series holds its 16 newest accepted times, rising from ``head`` round to ``head - 1`` (NONE: not used yet).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

RING = 16
NONE = np.iinfo(np.int64).min
UNKNOWN, REPEAT, TOO_LATE = -1, -2, -3


@njit(cache=True, nogil=True)
def accept(
    station: NDArray[Any],
    quantity: NDArray[Any],
    time_ms: NDArray[Any],
    first: NDArray[Any],
    lowest: int,
    table_station: NDArray[Any],
    table_quantity: NDArray[Any],
    ring: NDArray[Any],
    head: NDArray[Any],
    slot: NDArray[Any],
    late: NDArray[Any],
) -> int:
    """Set `slot` (or UNKNOWN, REPEAT, TOO_LATE) and `late` of each row, in order; returns how many are not to be judged."""
    apart = 0
    for i in range(len(station)):
        at = np.int64(station[i]) - lowest
        s = -1
        if 0 <= at < len(first) and first[at] >= 0:
            j = first[at]
            while j < len(table_station) and table_station[j] == station[i]:
                if table_quantity[j] == quantity[i]:
                    s = j
                    break
                j += 1
        late[i] = 0
        if s < 0:
            slot[i] = UNKNOWN
            apart += 1
            continue
        t, h = time_ms[i], head[s]
        newest = (h + RING - 1) % RING
        if t > ring[s, newest]:
            ring[s, h] = t
            head[s] = (h + 1) % RING
            slot[i] = s
            continue
        k = 0  # how many places back the row belongs
        same = False
        while k < RING:
            there = ring[s, (h + 2 * RING - 1 - k) % RING]
            if there == t:
                same = True
                break
            if there < t:
                break
            k += 1
        if same or k == RING:
            slot[i] = REPEAT if same else TOO_LATE
            apart += 1
            continue
        for m in range(RING - 1, k, -1):  # forget the oldest; the older ones move back by one place
            ring[s, (h + 2 * RING - 1 - m) % RING] = ring[s, (h + 2 * RING - m) % RING]
        ring[s, (h + 2 * RING - 1 - k) % RING] = t
        slot[i] = s
        late[i] = 1
    return apart


@njit(cache=True, nogil=True)
def newest(
    slot: NDArray[Any],
    time_ms: NDArray[Any],
    value: NDArray[Any],
    quality: NDArray[Any],
    last_time: NDArray[Any],
    last_value: NDArray[Any],
    last_quality: NDArray[Any],
    begun: NDArray[Any],
) -> int:
    """Keep the newest reading of each series (by its own time); slots that had none go to `begun`, returns how many."""
    n = 0
    for i in range(len(slot)):
        s = slot[i]
        if last_time[s] == NONE:
            begun[n] = s
            n += 1
        if time_ms[i] > last_time[s]:
            last_time[s] = time_ms[i]
            last_value[s] = value[i]
            last_quality[s] = quality[i]
    return n
