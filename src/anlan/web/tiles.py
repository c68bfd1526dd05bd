"""Vector tiles of points: stations, sites. Made on request, kept by data version."""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections import OrderedDict

import numpy as np
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse
from ninja import Router

from ..issue.models import HazardWarning, Proposal
from ..register.models import Site
from ..register.scope import Asker, scoped
from . import mvt
from .errors import not_found
from .map import STATES, View

router = Router(tags=["map"])
FRESH_S = 10.0  # grades in tiles may be this old; the live ones come by the stream
KEPT_BYTES = 32 * 1024 * 1024  # of tiles kept
MAX_ZOOM = 22

_lock = threading.Lock()
_kept = [0]  # bytes in `_tiles`
_points: OrderedDict[tuple[str, tuple[str, ...]], tuple[float, str, mvt.Points]] = OrderedDict()
_tiles: OrderedDict[tuple[str, str, int, int, int], bytes] = OrderedDict()


def _station_points(asker: Asker) -> tuple[str, mvt.Points]:
    view = View(asker)
    at = np.flatnonzero(view.mine)
    x, y = mvt.mercator(view.table.lon[at], view.table.lat[at])
    grade, state = view.grade[at].astype(np.int64), view.state(at).astype(np.int64)
    number = view.table.number[at].astype(np.int64)
    stamp = hashlib.blake2b(view.table.version.encode() + grade.tobytes() + state.tobytes() + repr(asker.scopes).encode(), digest_size=8)
    points = mvt.Points(
        x,
        y,
        number,
        {
            "grade": (grade, [0, 1, 2, 3, 4]),
            "kind": (view.table.kind[at].astype(np.int64), list(view.table.kinds)),
            "state": (state, list(STATES)),
        },
        grade * 4 + (state == 2) * 2 + (state != 3),
    )
    return stamp.hexdigest(), points


def _site_points(asker: Asker) -> tuple[str, mvt.Points]:
    rows = list(scoped(Site.objects.all(), asker).order_by("id").values_list("id", "kind", "lon", "lat", "key_target"))
    grades: dict[str, int] = {}
    for model, states in ((Proposal, ("open", "claimed")), (HazardWarning, ("issued",))):
        found = scoped(model.objects.filter(state__in=states), asker).values_list("site_id", "grade")  # type: ignore[attr-defined]
        for site, grade in found:
            grades[site] = max(grade, grades.get(site, 0))
    facts = scoped(Site.objects.all(), asker).aggregate(n=Count("id"), at=Max("updated_at"))
    kinds = sorted({r[1] for r in rows})
    lon, lat = np.array([r[2] for r in rows], float), np.array([r[3] for r in rows], float)
    grade = np.array([grades.get(r[0], 0) for r in rows], np.int64)
    key = np.array([r[4] for r in rows], np.int64)
    x, y = mvt.mercator(lon, lat)
    stamp = hashlib.blake2b(f"{facts}{asker.scopes}".encode() + grade.tobytes(), digest_size=8).hexdigest()
    points = mvt.Points(
        x,
        y,
        np.arange(1, len(rows) + 1),
        {
            "id": (np.arange(len(rows)), [r[0] for r in rows]),
            "grade": (grade, [0, 1, 2, 3, 4]),
            "kind": (np.array([kinds.index(r[1]) for r in rows], np.int64), list(kinds)),
            "key": (key, [0, 1]),
        },
        grade * 2 + key,
    )
    return stamp, points


LAYERS = {"stations": _station_points, "sites": _site_points}


def points_of(name: str, asker: Asker) -> tuple[str, mvt.Points]:
    """Version and points of a layer for the asker's area, at most `FRESH_S` old."""
    place = (name, asker.scopes)
    with _lock:
        held = _points.get(place)
    if held and time.monotonic() - held[0] < FRESH_S:
        return held[1], held[2]
    version, points = LAYERS[name](asker)
    with _lock:
        _points[place] = (time.monotonic(), version, points)
        while len(_points) > 32:
            _points.popitem(last=False)
    return version, points


def tile_bytes(name: str, version: str, points: mvt.Points, z: int, x: int, y: int) -> bytes:
    """The gzipped tile, from the cache or made now."""
    place = (name, version, z, x, y)
    with _lock:
        if place in _tiles:
            _tiles.move_to_end(place)
            return _tiles[place]
    data = gzip.compress(mvt.tile(name, points, z, x, y), 4, mtime=0)
    with _lock:
        if place not in _tiles:
            _tiles[place] = data
            _kept[0] += len(data)
        while _kept[0] > KEPT_BYTES and len(_tiles) > 1:
            _kept[0] -= len(_tiles.popitem(last=False)[1])
    return data


@router.get("/tiles/{layer}/{int:z}/{int:x}/{int:y}.mvt", summary="Vector tile of points: stations, sites")
def vector_tile(request: HttpRequest, layer: str, z: int, x: int, y: int) -> HttpResponse:
    """One tile; the source layer has the layer's name. ETag by data version."""
    if layer not in LAYERS or not (0 <= z <= MAX_ZOOM and 0 <= x < 1 << z and 0 <= y < 1 << z):
        raise not_found("瓦片 tile", f"{layer}/{z}/{x}/{y}")
    version, points = points_of(layer, request.asker)  # type: ignore[attr-defined]
    tag = f'"{version}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=5", "Vary": "Cookie, Authorization"}
    if request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=304, headers=headers)
    data = tile_bytes(layer, version, points, z, x, y)
    return HttpResponse(data, content_type="application/vnd.mapbox-vector-tile", headers={**headers, "Content-Encoding": "gzip"})
