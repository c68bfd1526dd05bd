"""Terrain tiles from a height model: 256 px PNG in terrarium coding, for MapLibre's ``raster-dem``.

The model is ``terrain.npz`` in the data folder: ``elevation`` float32 (rows from north to south,
metres; NaN: none) and ``bounds`` [west, south, east, north] in degrees (WGS-84). Terrarium coding
(Mapzen/Tilezen, public): height = R·256 + G + B/256 − 32768 m.
"""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from django.http import HttpRequest, HttpResponse
from ninja import Router
from numpy.typing import NDArray
from PIL import Image

from ..base import settings as conf
from .errors import not_found

router = Router(tags=["map"])
SIZE = 256
MIN_ZOOM, MAX_ZOOM = 8, 14


@dataclass(frozen=True, slots=True)
class Terrain:
    """A height model: elevation in metres, rows from the north; bounds in degrees; version names its file."""

    elevation: NDArray[np.float32]
    bounds: tuple[float, float, float, float]
    version: str


_lock = threading.Lock()
_held: list[Terrain] = []


def path() -> Path:
    """Where the height model is."""
    return conf.data_folder() / "terrain.npz"


def terrain() -> Terrain | None:
    """The height model, read again when its file changed; None when there is none or it cannot be read."""
    try:
        facts = path().stat()
    except OSError:
        return None
    version = f"{facts.st_mtime_ns:x}-{facts.st_size:x}"
    with _lock:
        if _held and _held[0].version == version:
            return _held[0]
        try:
            with np.load(path(), allow_pickle=False) as file:
                elevation = np.asarray(file["elevation"], np.float32)
                west, south, east, north = (float(v) for v in file["bounds"])
        except (OSError, ValueError, KeyError):
            return None
        if elevation.ndim != 2 or min(elevation.shape) < 2 or not (west < east and south < north):
            return None
        _held[:] = [Terrain(elevation, (west, south, east, north), version)]
        tile_png.cache_clear()
        return _held[0]


def description() -> dict[str, Any] | None:
    """What the map needs to know of the terrain; None when there is none."""
    model = terrain()
    if model is None:
        return None
    return {
        "tiles": f"/api/terrain/{{z}}/{{x}}/{{y}}.png?v={model.version}",
        "encoding": "terrarium",
        "tile_size": SIZE,
        "bounds": list(model.bounds),
        "minzoom": MIN_ZOOM,
        "maxzoom": MAX_ZOOM,
        "lowest_m": float(np.nanmin(model.elevation)),
        "highest_m": float(np.nanmax(model.elevation)),
    }


def sample(model: Terrain, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heights in metres at lon/lat (bilinear; the edge value outside the model; 0 where there is none)."""
    west, south, east, north = model.bounds
    rows, columns = model.elevation.shape
    u = np.clip((lon - west) / (east - west) * (columns - 1), 0, columns - 1)
    v = np.clip((north - lat) / (north - south) * (rows - 1), 0, rows - 1)
    i, j = np.minimum(v.astype(int), rows - 2), np.minimum(u.astype(int), columns - 2)
    a, b = v - i, u - j
    e = np.nan_to_num(model.elevation)
    return e[i, j] * (1 - a) * (1 - b) + e[i + 1, j] * a * (1 - b) + e[i, j + 1] * (1 - a) * b + e[i + 1, j + 1] * a * b


def terrarium(height: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Heights in metres as terrarium RGB (…, 3)."""
    code = np.clip(np.round((height + 32768.0) * 256.0), 0, 2**24 - 1).astype(np.int64)
    return np.stack([code >> 16, code >> 8 & 255, code & 255], axis=-1).astype(np.uint8)


@lru_cache(maxsize=512)
def tile_png(version: str, z: int, x: int, y: int) -> bytes | None:
    """The PNG of a tile; None where it lies wholly outside the model."""
    model = _held[0]
    world = 1 << z
    columns = (x + (np.arange(SIZE) + 0.5) / SIZE) / world
    rows = (y + (np.arange(SIZE) + 0.5) / SIZE) / world
    lon = columns * 360 - 180
    lat = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * rows))))
    west, south, east, north = model.bounds
    if lon[-1] < west or lon[0] > east or lat[0] < south or lat[-1] > north:
        return None
    grid_lon, grid_lat = np.meshgrid(lon, lat)
    out = io.BytesIO()
    Image.fromarray(terrarium(sample(model, grid_lon, grid_lat)), "RGB").save(out, "PNG", compress_level=6)
    return out.getvalue()


@router.get("/terrain/{int:z}/{int:x}/{int:y}.png", summary="Terrain tile (terrarium PNG); 404 where there is none")
def terrain_tile(request: HttpRequest, z: int, x: int, y: int) -> HttpResponse:
    """One tile of the height model, for ``raster-dem`` sources."""
    model = terrain()
    data = tile_png(model.version, z, x, y) if model and 0 <= z <= 16 and 0 <= x < 1 << z and 0 <= y < 1 << z else None
    if data is None:
        raise not_found("地形瓦片 terrain tile", f"{z}/{x}/{y}")
    return HttpResponse(data, content_type="image/png", headers={"Cache-Control": "private, max-age=86400"})
