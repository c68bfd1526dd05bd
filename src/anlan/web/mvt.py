"""Mapbox vector tiles of points, in NumPy (Mapbox Vector Tile Specification 2.1).

Every feature is written at the same width: varints are padded with continuation bits to a fixed
length, which protobuf readers take. So a tile is one 2-D byte array filled column by column, without
a loop over points. Compressed, the padding is nearly free.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EXTENT = 4096
BUFFER = 64  # tile units around the tile, so that symbols at the edge are drawn by both neighbours
MAX_LATITUDE = 85.05112877980659  # of Web Mercator (EPSG:3857)


def mercator(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """World position in 0..1 (x from 180° W eastwards, y from the north), Web Mercator."""
    x = (lon + 180.0) / 360.0
    phi = np.radians(np.clip(lat, -MAX_LATITUDE, MAX_LATITUDE))
    y = 0.5 - np.arcsinh(np.tan(phi)) / (2 * np.pi)
    return x, y


@dataclass(slots=True)
class Points:
    """Points of a layer: world x, y (0..1), number (feature id), and attributes.

    `attributes`: name to (index column int, list of values); a value is text or a number.
    `rank`: the larger, the more it deserves to stay when tiles are thinned.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    number: NDArray[np.int64]
    attributes: dict[str, tuple[NDArray[np.int64], list[str | int | float]]]
    rank: NDArray[np.int64]


def inside(points: Points, z: int, tx: int, ty: int) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the points in tile z/tx/ty (with buffer) and their tile coordinates."""
    scale = float(1 << z) * EXTENT
    px = np.floor(points.x * scale).astype(np.int64) - tx * EXTENT
    py = np.floor(points.y * scale).astype(np.int64) - ty * EXTENT
    keep = np.flatnonzero((px >= -BUFFER) & (px < EXTENT + BUFFER) & (py >= -BUFFER) & (py < EXTENT + BUFFER))
    return keep, px[keep], py[keep]


def thin(px: NDArray[np.int64], py: NDArray[np.int64], rank: NDArray[np.int64], cell: int) -> NDArray[np.intp]:
    """One point per `cell` × `cell` tile units: the one of highest rank (the first of equals). Positions, in drawing order."""
    order = np.argsort(-rank, kind="stable")
    key = ((px[order] // cell) << 32) + (py[order] // cell)
    _, first = np.unique(key, return_index=True)
    kept = order[first]
    return kept[np.argsort(rank[kept], kind="stable")]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _value(value: str | int | float) -> bytes:
    if isinstance(value, str):
        return _field(1, value.encode())
    if isinstance(value, int):
        return b"\x28" + _varint(value & 0xFFFFFFFFFFFFFFFF)
    return b"\x19" + struct.pack("<d", value)


def _padded(column: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
    """`column` as varints of exactly `width` bytes."""
    out = np.empty((len(column), width), np.uint8)
    for i in range(width):
        out[:, i] = (column >> (7 * i)) & 0x7F
        if i < width - 1:
            out[:, i] |= 0x80
    return out


def _features(number: NDArray[np.int64], px: NDArray[np.int64], py: NDArray[np.int64], tags: list[tuple[int, NDArray[np.int64]]]) -> bytes:
    n = len(number)

    def constant(*values: int) -> NDArray[np.uint8]:
        return np.broadcast_to(np.array(values, np.uint8), (n, len(values)))

    def zigzag(v: NDArray[np.int64]) -> NDArray[np.int64]:
        return (v << 1) ^ (v >> 63)

    parts = [constant(0x08), _padded(number, 6)]
    if tags:
        parts.append(constant(0x12, 4 * len(tags)))
        for key, index in tags:
            parts += [constant(key), _padded(index, 3)]
    parts += [constant(0x18, 0x01, 0x22, 7, 0x09), _padded(zigzag(px), 3), _padded(zigzag(py), 3)]
    length = sum(p.shape[1] for p in parts)
    if length > 127:
        raise ValueError("too many attributes for a fixed-width feature")
    return np.ascontiguousarray(np.hstack([constant(0x12, length), *parts])).tobytes()


def layer(name: str, points: Points, keep: NDArray[np.intp], px: NDArray[np.int64], py: NDArray[np.int64]) -> bytes:
    """The bytes of one layer with the points `keep` at tile coordinates `px`, `py`; empty when there are none."""
    if not len(keep):
        return b""
    values: list[bytes] = []
    tags: list[tuple[int, NDArray[np.int64]]] = []
    for key, (column, words) in enumerate(points.attributes.values()):
        used, index = np.unique(column[keep], return_inverse=True)
        tags.append((key, index.astype(np.int64).reshape(-1) + len(values)))
        values += [_value(words[int(i)]) for i in used]
    body = [_field(1, name.encode()), _features(points.number[keep], px, py, tags)]
    body += [_field(3, key.encode()) for key in points.attributes]
    body += [_field(4, value) for value in values]
    body += [b"\x28" + _varint(EXTENT), b"\x78\x02"]
    return _field(3, b"".join(body))


def tile(name: str, points: Points, z: int, tx: int, ty: int, thin_below: int = 11, cell: int = 16) -> bytes:
    """The tile z/tx/ty with one layer; below zoom `thin_below` one point per `cell` tile units stays."""
    keep, px, py = inside(points, z, tx, ty)
    if z < thin_below and len(keep):
        chosen = thin(px, py, points.rank[keep], cell)
        keep, px, py = keep[chosen], px[chosen], py[chosen]
    return layer(name, points, keep, px, py)
