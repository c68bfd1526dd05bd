"""A bureau's own outlines of divisions from GeoJSON: the coordinate system must be named, there is no default."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import shapely
from shapely.geometry import mapping, shape

from ..base.division import level, normalise
from ..base.errors import AnlanError, FieldError
from ..base.geo import SOURCE_CRS, to_wgs84
from ..engines.outbox import acting, emit
from .models import Division
from .sheets import bad_file

CODE_KEYS = ("code", "adcode", "gb", "division_code", "区划代码")  # gb: 156 and the code, as the national map service writes it
NAME_KEYS = ("name", "NAME", "qh", "名称")


def import_outlines(data: bytes, filename: str, source_crs: str, *, actor: str) -> dict[str, Any]:
    """Store the outlines of a FeatureCollection; ``{accepted, rejected, reasons: [{feature, field, value, zh, en}]}``.

    A feature is matched by its code (`CODE_KEYS`), else by the name of a registered division. A division
    that is not registered is made when the feature has code and name. Outlines from here are not
    schematic any more. Raises ``register.bad_file`` for no GeoJSON and FieldError for the system.
    """
    if source_crs not in SOURCE_CRS:
        raise FieldError(
            "source_crs",
            source_crs,
            f"必须注明坐标系：{'、'.join(SOURCE_CRS)}",
            f"the coordinate system must be named: one of {', '.join(SOURCE_CRS)}",
            code="register.no_crs",
        )
    try:
        features = json.loads(data)["features"]
        assert isinstance(features, list)
    except (ValueError, KeyError, TypeError, AssertionError):
        raise bad_file(filename, "不是 GeoJSON FeatureCollection", "is no GeoJSON FeatureCollection") from None
    accepted, reasons = 0, []
    with acting(actor):
        for i, feature in enumerate(features):
            try:
                _take(feature, source_crs)
                accepted += 1
            except AnlanError as error:
                reasons.append({"feature": i + 1, **error.facts, "zh": error.zh, "en": error.en})
        if accepted:
            emit(
                "register.division.imported",
                "division",
                {"ledger": "division", "updated": accepted},
                key=f"register.outlines:{_print(data)}",
            )
    return {"accepted": accepted, "rejected": len(reasons), "reasons": reasons}


def _print(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()


def _take(feature: Any, source_crs: str) -> None:
    """Store one feature's outline; FieldError says what is wrong with it."""
    properties = (feature.get("properties") if isinstance(feature, dict) else None) or {}
    row = _division(properties)
    try:
        outline = shape(feature["geometry"])
    except (KeyError, TypeError, ValueError, AttributeError, shapely.errors.ShapelyError):
        outline = None
    if outline is None or outline.geom_type not in ("Polygon", "MultiPolygon") or outline.is_empty:
        raise FieldError("geometry", row.code, "应为 Polygon 或 MultiPolygon", "must be a Polygon or MultiPolygon")
    west, south, east, north = outline.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise FieldError(
            "geometry", row.code, "超出经纬度范围，请先转为十进制度", "is beyond longitude and latitude; convert it to degrees first"
        )

    def convert(points: Any) -> Any:
        return np.column_stack(to_wgs84(points[:, 0], points[:, 1], source_crs))

    outline = shapely.transform(outline, convert)
    outline = outline if outline.is_valid else shapely.make_valid(outline)
    if outline.geom_type not in ("Polygon", "MultiPolygon"):
        raise FieldError("geometry", row.code, "边界自相交，无法修复", "crosses itself and cannot be repaired")
    centre = outline.representative_point()
    row.geometry, row.schematic = dict(mapping(shapely.set_precision(outline, 1e-7))), False
    row.lon, row.lat = round(centre.x, 6), round(centre.y, 6)
    row.save()


def _division(properties: dict[str, Any]) -> Division:
    text = next((str(properties[k]) for k in CODE_KEYS if properties.get(k)), "")
    name = next((str(properties[k]).strip() for k in NAME_KEYS if properties.get(k)), "")
    if text:
        code = normalise(text[3:] if text.startswith("156") and len(text) in (9, 15) else text)
        row = Division.objects.filter(code=code).first()
        if row is None and not name:
            raise FieldError("code", code, "没有此区划，又没有名称", "no such division, and no name to make it")
        return row or Division(code=code, name=name, level=level(code))
    found = list(Division.objects.filter(name=name)[:2]) if name else []
    if len(found) != 1:
        raise FieldError("name", name, "无法认出是哪个区划，请给出 code 属性", "cannot tell which division; give the property 'code'")
    return found[0]
