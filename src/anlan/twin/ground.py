"""The schematic ground of a demo district: outlines and terrain drawn from a seed, never copied.

Real outlines are imported by the user (``anlan import-outlines``); these are marked schematic on
screen. Coordinates WGS-84, heights in metres.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPoint, Point, Polygon, mapping

from ..base.block import partition_of

CENTER = (114.135, 22.562)  # lon, lat: about the middle of Luohu
HALF = (0.075, 0.040)  # half size in degrees


def seed_of(*parts: object) -> np.random.Generator:
    """A generator whose stream depends only on the parts."""
    return np.random.default_rng(partition_of("|".join(map(str, parts)), 2**31))


def district_outline(seed: int) -> Polygon:
    """A rounded, uneven outline around `CENTER` (schematic)."""
    rng = seed_of("outline", seed)
    angle = np.linspace(0, 2 * np.pi, 73)[:-1]
    wave = sum(rng.uniform(0.02, 0.08) * np.cos(k * angle + rng.uniform(0, 6.28)) for k in range(2, 8))
    x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.8 * (1 + wave)
    y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.8 * (1 + wave)
    return Polygon([(round(CENTER[0] + HALF[0] * a, 6), round(CENTER[1] + HALF[1] * b, 6)) for a, b in zip(x, y, strict=True)])


def cells(outline: Polygon, count: int, rng: np.random.Generator, rounds: int = 4) -> list[Polygon]:
    """`count` schematic cells of an outline: Voronoi of seeds, evened by Lloyd's relaxation."""
    if count == 1:
        return [outline]
    points = points_in(outline, count, rng)
    found: list[Polygon] = []
    for _ in range(rounds):
        regions = shapely.voronoi_polygons(MultiPoint(points), extend_to=outline)
        parts = [region.intersection(outline) for region in regions.geoms]
        found = [max(getattr(p, "geoms", [p]), key=lambda g: g.area) for p in parts if not p.is_empty]
        points = [f.centroid for f in found]
    found.sort(key=lambda f: (f.centroid.x, f.centroid.y))
    return found


def points_in(area: Polygon, count: int, rng: np.random.Generator) -> list[Point]:
    """`count` random points inside `area`."""
    x0, y0, x1, y1 = area.bounds
    out: list[Point] = []
    shapely.prepare(area)
    while len(out) < count:
        xs, ys = rng.uniform(x0, x1, 4 * count), rng.uniform(y0, y1, 4 * count)
        inside = shapely.contains_xy(area, xs, ys)
        out += [Point(round(x, 6), round(y, 6)) for x, y in zip(xs[inside], ys[inside], strict=True)]
    return out[:count]


def geojson(shape: Any) -> dict[str, Any]:
    """GeoJSON geometry with 6 decimals (0.1 m)."""
    return dict(mapping(shapely.set_precision(shape, 1e-6)))


def terrain(seed: int, size: tuple[int, int] = (360, 640)) -> tuple[NDArray[np.float32], tuple[float, float, float, float]]:
    """Heights (rows from north to south) and bounds [west, south, east, north] of a hilly schematic ground.

    Sums of smoothed noise at halving wavelengths (fractal terrain, Fournier et al. 1982), higher to the east.
    """
    rng = seed_of("terrain", seed)
    rows, columns = size
    height = np.zeros(size)
    for octave in range(2, 8):
        n = 2**octave
        coarse = rng.normal(0, 1, (n, 2 * n))
        yi, xi = np.linspace(0, n - 1, rows), np.linspace(0, 2 * n - 1, columns)
        height += _bilinear(coarse, yi, xi) * 0.52 ** (octave - 2)
    east = np.linspace(0, 1, columns)[None, :] ** 1.6
    north = np.linspace(1, 0.35, rows)[:, None]
    height = 25 + 60 * np.maximum(height, 0) * (0.15 + east) + 420 * east * north * np.clip(0.5 + 0.35 * height, 0, None)
    bounds = (CENTER[0] - HALF[0] * 1.6, CENTER[1] - HALF[1] * 1.7, CENTER[0] + HALF[0] * 1.6, CENTER[1] + HALF[1] * 1.7)
    return height.astype(np.float32), bounds


def _bilinear(grid: NDArray[np.float64], y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """`grid` at fractional rows `y` and columns `x`, smoothed by the cubic fade 3t^2 - 2t^3."""
    y0, x0 = np.minimum(y.astype(int), grid.shape[0] - 2), np.minimum(x.astype(int), grid.shape[1] - 2)
    fy, fx = y - y0, x - x0
    fy, fx = (fy * fy * (3 - 2 * fy))[:, None], (fx * fx * (3 - 2 * fx))[None, :]
    top = grid[np.ix_(y0, x0)] * (1 - fx) + grid[np.ix_(y0, x0 + 1)] * fx
    low = grid[np.ix_(y0 + 1, x0)] * (1 - fx) + grid[np.ix_(y0 + 1, x0 + 1)] * fx
    return np.asarray(top * (1 - fy) + low * fy)


def height_at(heights: NDArray[np.float32], bounds: tuple[float, float, float, float], lon: float, lat: float) -> float:
    """Height (m) of the nearest cell."""
    west, south, east, north = bounds
    row = int(np.clip((north - lat) / (north - south) * heights.shape[0], 0, heights.shape[0] - 1))
    column = int(np.clip((lon - west) / (east - west) * heights.shape[1], 0, heights.shape[1] - 1))
    return float(heights[row, column])
