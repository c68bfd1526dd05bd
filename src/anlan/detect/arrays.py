"""Pure: named NumPy arrays as one compressed run of bytes, and back; series tables by the same form.

Form: magic ``ANLANAR1``, uint32 length of the JSON head, head (``meta``, and name, dtype, shape of each array), then the
arrays one after another; all after the magic is one zstd frame.
"""

from __future__ import annotations

import struct
from dataclasses import fields
from typing import Any

import numpy as np
import orjson
import zstandard
from numpy.typing import NDArray

from .contract import SeriesTable, ThresholdRows

MAGIC = b"ANLANAR1"
Arrays = dict[str, NDArray[Any]]


def raw(meta: dict[str, Any], arrays: Arrays) -> bytes:
    """The form before compression: a plain copy of the arrays (fast; what must not see later changes)."""
    head = orjson.dumps({"meta": meta, "arrays": [[name, a.dtype.str, list(a.shape)] for name, a in arrays.items()]})
    return b"".join([struct.pack("<I", len(head)), head, *(np.ascontiguousarray(a).tobytes() for a in arrays.values())])


def compressed(data: bytes) -> bytes:
    """Compress what `raw` gave (lets other threads run)."""
    return MAGIC + zstandard.ZstdCompressor(level=1).compress(data)


def unpacked(data: bytes) -> tuple[dict[str, Any], Arrays]:
    """Inverse of `compressed`; ValueError when it is something else."""
    if data[:8] != MAGIC:
        raise ValueError("not a run of arrays (ANLANAR1)")
    body = zstandard.ZstdDecompressor().decompress(data[8:])
    (length,) = struct.unpack_from("<I", body)
    head, at = orjson.loads(body[4 : 4 + length]), 4 + length
    arrays: Arrays = {}
    for name, kind, shape in head["arrays"]:
        dtype, count = np.dtype(kind), int(np.prod(shape))
        arrays[name] = np.frombuffer(body, dtype, count, at).reshape(shape)
        at += dtype.itemsize * count
    return head["meta"], arrays


_COLUMNS = ("station", "quantity", "partition", "site", "interval_ms", "low", "high", "noise", "kind")
_LIMITS = tuple(f.name for f in fields(ThresholdRows) if f.name != "id")
_TYPES = (np.int32, np.int16, np.int16, np.int32, np.int64, np.float64, np.float64, np.float64, np.int16)


def table_bytes(table: SeriesTable) -> bytes:
    """A series table with its thresholds, ready for `LaneConfig.data`."""
    arrays = {name: getattr(table, name) for name in _COLUMNS}
    arrays |= {f"t.{name}": getattr(table.thresholds, name) for name in _LIMITS}
    meta = {"version": table.version, "kinds": table.kinds, "sites": table.sites, "ids": table.thresholds.id}
    return compressed(raw(meta, arrays))


def table_from(data: bytes) -> SeriesTable:
    """Inverse of `table_bytes`."""
    meta, read = unpacked(data)
    arrays = {name: a.copy() for name, a in read.items()}  # aligned and writeable: for other kinds Numba would compile again
    limits = ThresholdRows(**{name: arrays[f"t.{name}"] for name in _LIMITS}, id=meta["ids"])
    columns: dict[str, Any] = {name: arrays[name] for name in _COLUMNS}
    return SeriesTable(version=meta["version"], **columns, kinds=meta["kinds"], sites=meta["sites"], thresholds=limits)


def no_thresholds() -> ThresholdRows:
    """A table of no thresholds."""
    return ThresholdRows(
        np.empty(0, np.int32),
        np.empty(0, np.int8),
        np.empty(0, np.int64),
        np.empty((0, 4)),
        np.empty(0),
        np.empty(0, np.int64),
        np.empty(0, np.int32),
        [],
    )


def empty_table() -> SeriesTable:
    """The table before any configuration: no series, version 0."""
    columns: dict[str, Any] = {name: np.empty(0, dtype) for name, dtype in zip(_COLUMNS, _TYPES, strict=True)}
    return SeriesTable(version=0, **columns, kinds=[], sites=[], thresholds=no_thresholds())
