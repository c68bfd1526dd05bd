"""Thinned memory of a series: four rings of 48, each holding means of 1, 4, 16 and 64 readings.

3,000 readings are looked back on with 192 numbers. Values are float32 relative to the series' first
value, times int32 seconds relative to its first time: 1 s and 1e-7 of the excursion are fine enough to fit on.
"""

# mypy: allow-untyped-defs
from __future__ import annotations

import numpy as np
from numba import njit

LEVELS, RING, RATIO = 4, 48, 4


def allocate(n: int) -> dict[str, np.ndarray]:
    """The arrays of `n` series (pages are touched only when used)."""
    return {
        "count": np.zeros(n, np.int64),
        "origin_ms": np.zeros(n, np.int64),
        "origin": np.zeros(n),
        "tier_s": np.zeros((n, LEVELS, RING), np.int32),
        "tier": np.zeros((n, LEVELS, RING), np.float32),
        "sum_s": np.zeros((n, LEVELS)),
        "sum": np.zeros((n, LEVELS)),
    }


@njit(cache=True)
def push(r, t_ms, value, count, origin_ms, origin, tier_s, tier, sum_s, sum_x):
    """Add one reading to series r; False when it is not at least a second newer than the last."""
    n = count[r]
    if n == 0:
        origin_ms[r], origin[r] = t_ms, value
    seconds = (t_ms - origin_ms[r]) // 1000
    at = np.int64(np.uint64(n) % np.uint64(RING))
    if n > 0 and seconds <= tier_s[r, 0, at - 1 if at > 0 else RING - 1]:
        return False
    s, x = float(seconds), value - origin[r]
    tier_s[r, 0, at], tier[r, 0, at] = seconds, x
    n += 1
    count[r] = n
    size = 1
    for level in range(1, LEVELS):
        sum_s[r, level] += s
        sum_x[r, level] += x
        size *= RATIO
        if n % size:
            break
        s, x = sum_s[r, level] / RATIO, sum_x[r, level] / RATIO
        sum_s[r, level] = sum_x[r, level] = 0.0
        at = (n // size - 1) % RING
        tier_s[r, level, at], tier[r, level, at] = s, x
    return True


@njit(cache=True)
def last(r, k, count, tier_s, tier):
    """Seconds and value of the k-th newest reading (1 is the newest); k <= RING."""
    at = (count[r] - k) % RING
    return tier_s[r, 0, at], tier[r, 0, at]


@njit(cache=True)
def assemble(r, count, tier_s, tier):
    """Look-back of series r, oldest first: hours before now, value relative to now, readings per sample."""
    t, x, w = np.empty(LEVELS * RING), np.empty(LEVELS * RING), np.empty(LEVELS * RING)
    n, k = count[r], 0
    newest_s, newest = last(r, 1, count, tier_s, tier)
    upper, size = n, 1  # readings with index below `upper` are still to be covered
    for level in range(LEVELS):
        held = n // size
        first = max(held - RING, 0)
        coarse = size * RATIO
        if level < LEVELS - 1 and first > 0:  # begin where a sample of the next tier ends
            first = (first * size + coarse - 1) // coarse * RATIO
        for index in range(upper // size - 1, first - 1, -1):
            at = index % RING
            t[k], x[k], w[k] = (tier_s[r, level, at] - newest_s) / 3600.0, tier[r, level, at] - newest, size
            k += 1
        upper, size = first * size, coarse
        if upper <= 0:
            break
    return t[:k][::-1].copy(), x[:k][::-1].astype(np.float64), w[:k][::-1].copy()
