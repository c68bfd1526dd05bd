"""Thinning of a long series for a chart: bands that keep every peak, gaps that are never bridged. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MISSING = 3  # quality code of the row that marks a gap
GAP_RHYTHMS = 3.0  # a pause of more than three reporting intervals is a gap, as for the silence detector's first look


@dataclass(slots=True)
class Thinned:
    """A series for a chart: times (UTC ms) rising, value (mean of a bucket), lowest, highest, worst quality.

    In `value`, `low` and `high` a NaN row stands inside every gap, so that no line is drawn across it.
    `gaps` are [last before, first after] in UTC ms. `thinned` tells whether buckets hold more than one reading.
    """

    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    quality: NDArray[np.uint8]
    gaps: NDArray[np.int64]
    thinned: bool


def find_gaps(time_ms: NDArray[np.int64], interval_ms: float) -> NDArray[np.intp]:
    """Positions i where the pause between reading i and i + 1 is a gap (more than `GAP_RHYTHMS` intervals)."""
    if len(time_ms) < 2:
        return np.zeros(0, np.intp)
    steps = np.diff(time_ms)
    rhythm = max(float(np.median(steps)), interval_ms)
    return np.flatnonzero(steps > GAP_RHYTHMS * rhythm)


def _starts(time_ms: NDArray[np.int64], after_gap: NDArray[np.intp], points: int) -> NDArray[np.intp]:
    """First position of each bucket: equal spans of time, cut at gaps as well."""
    n = len(time_ms)
    if n <= points:
        return np.arange(n)
    span = max(int(time_ms[-1] - time_ms[0]), 1)
    bucket = (time_ms - time_ms[0]) * points // (span + 1)
    segment = np.zeros(n, np.int64)
    segment[after_gap] = 1
    number = np.cumsum(segment)
    return np.flatnonzero(np.r_[True, (np.diff(bucket) != 0) | (np.diff(number) != 0)])


def thin(
    time_ms: NDArray[np.int64], value: NDArray[np.float64], quality: NDArray[np.uint8], points: int = 2000, interval_ms: float = 0.0
) -> Thinned:
    """At most about `points` buckets (plus one row per gap) of a series with rising times.

    Bad and missing readings (quality 2, 3) and NaN take no part in mean and bands; a bucket of only such
    readings has NaN. A bucket's time is that of its last reading, its quality the worst of its readings.
    """
    n = len(time_ms)
    if n == 0:
        none = np.zeros(0)
        return Thinned(np.zeros(0, np.int64), none, none, none, np.zeros(0, np.uint8), np.zeros((0, 2), np.int64), False)
    cuts = find_gaps(time_ms, interval_ms)
    starts = _starts(time_ms, cuts + 1, points)
    ends = np.r_[starts[1:], n] - 1
    good = np.isfinite(value) & (quality != 2) & (quality != MISSING)
    counts = np.add.reduceat(good.astype(np.int64), starts)
    total = np.add.reduceat(np.where(good, value, 0.0), starts)
    mean = np.divide(total, counts, out=np.full(len(starts), np.nan), where=counts > 0)
    low = np.minimum.reduceat(np.where(good, value, np.inf), starts)
    high = np.maximum.reduceat(np.where(good, value, -np.inf), starts)
    low[counts == 0] = high[counts == 0] = np.nan
    worst = np.maximum.reduceat(quality, starts)
    places = np.searchsorted(ends, cuts, "left") + 1
    middles = (time_ms[cuts] + time_ms[cuts + 1]) // 2 if len(cuts) else np.zeros(0, np.int64)

    def with_gaps(column: NDArray[Any], filler: Any) -> NDArray[Any]:
        return np.insert(column, places, filler) if len(cuts) else column

    gaps = np.stack([time_ms[cuts], time_ms[cuts + 1]], axis=1) if len(cuts) else np.zeros((0, 2), np.int64)
    return Thinned(
        with_gaps(time_ms[ends], middles),
        with_gaps(mean, np.nan),
        with_gaps(low, np.nan),
        with_gaps(high, np.nan),
        with_gaps(worst, MISSING),
        gaps,
        len(starts) < n,
    )
