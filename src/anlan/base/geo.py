"""Geometry and coordinate systems: CGCS2000/WGS-84 inside, GCJ-02 and BD-09 at the edge only.

GCJ-02 forward formula: the public obfuscation polynomial on the Krasovsky 1940 ellipsoid
(a = 6378245 m, e2 = 0.00669342162296594323), as in eviltransform; the inverse here is a
fixed-point iteration (5 rounds, below 1 mm). All functions take and give degrees, arrays
or scalars.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import FieldError

A, EE = 6378245.0, 0.00669342162296594323
EARTH_RADIUS_M = 6371008.8  # mean radius, IUGG
SOURCE_CRS = ("wgs84", "cgcs2000", "gcj02", "bd09")
Pair = tuple[NDArray[np.float64], NDArray[np.float64]]


def _shift(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Pair:
    x, y = lon - 105.0, lat - 35.0
    wave = (20 * np.sin(6 * x * np.pi) + 20 * np.sin(2 * x * np.pi)) * 2 / 3
    dlat = (
        -100
        + 2 * x
        + 3 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * np.sqrt(np.abs(x))
        + wave
        + (20 * np.sin(y * np.pi) + 40 * np.sin(y / 3 * np.pi)) * 2 / 3
        + (160 * np.sin(y / 12 * np.pi) + 320 * np.sin(y * np.pi / 30)) * 2 / 3
    )
    dlon = (
        300
        + x
        + 2 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * np.sqrt(np.abs(x))
        + wave
        + (20 * np.sin(x * np.pi) + 40 * np.sin(x / 3 * np.pi)) * 2 / 3
        + (150 * np.sin(x / 12 * np.pi) + 300 * np.sin(x / 30 * np.pi)) * 2 / 3
    )
    rad = np.radians(lat)
    magic = 1 - EE * np.sin(rad) ** 2
    dlat = dlat * 180 / (A * (1 - EE) / (magic * np.sqrt(magic)) * np.pi)
    dlon = dlon * 180 / (A / np.sqrt(magic) * np.cos(rad) * np.pi)
    return dlon, dlat


def wgs84_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """WGS-84 to GCJ-02 (China only; the caller decides whether it applies)."""
    x, y = np.asarray(lon, float), np.asarray(lat, float)
    dx, dy = _shift(x, y)
    return x + dx, y + dy


def gcj02_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """GCJ-02 to WGS-84 by fixed-point iteration, below 1 mm."""
    x, y = np.asarray(lon, float), np.asarray(lat, float)
    wx, wy = x, y
    for _ in range(5):
        gx, gy = wgs84_to_gcj02(wx, wy)
        wx, wy = wx - (gx - x), wy - (gy - y)
    return wx, wy


def bd09_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """BD-09 to GCJ-02 (the published offset formula, about 0.1 m)."""
    x, y = np.asarray(lon, float) - 0.0065, np.asarray(lat, float) - 0.006
    k = np.pi * 3000 / 180
    z = np.hypot(x, y) - 0.00002 * np.sin(y * k)
    theta = np.arctan2(y, x) - 0.000003 * np.cos(x * k)
    return z * np.cos(theta), z * np.sin(theta)


def to_wgs84(lon: ArrayLike, lat: ArrayLike, source_crs: str) -> Pair:
    """Coordinates of a named source system as WGS-84; FieldError for an unknown name."""
    if source_crs in ("wgs84", "cgcs2000"):
        return np.asarray(lon, float), np.asarray(lat, float)
    if source_crs == "gcj02":
        return gcj02_to_wgs84(lon, lat)
    if source_crs == "bd09":
        return gcj02_to_wgs84(*bd09_to_gcj02(lon, lat))
    raise FieldError(
        "source_crs", source_crs, f"应为 {'/'.join(SOURCE_CRS)}", f"must be one of {', '.join(SOURCE_CRS)}", code="base.unknown_crs"
    )


def distance_m(lon1: ArrayLike, lat1: ArrayLike, lon2: ArrayLike, lat2: ArrayLike) -> NDArray[np.float64]:
    """Great-circle distance in metres (haversine, mean earth radius)."""
    p1, p2 = np.radians(np.asarray(lat1, float)), np.radians(np.asarray(lat2, float))
    dl = np.radians(np.asarray(lon2, float) - np.asarray(lon1, float))
    h = np.sin((p2 - p1) / 2) ** 2 + np.cos(p1) * np.cos(p2) * np.sin(dl / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(h)))
