"""The pure parts of the web room: tiles, thinning, latest values, terrain coding."""

from __future__ import annotations

import time

import mapbox_vector_tile
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anlan.base.errors import AnlanError, EngineAway, FieldError


def points(lon, lat, grade):
    from anlan.web import mvt

    n = len(lon)
    x, y = mvt.mercator(np.asarray(lon, float), np.asarray(lat, float))
    return mvt.Points(
        x, y, np.arange(1, n + 1),
        {"grade": (np.asarray(grade, np.int64), list(range(5))), "kind": (np.arange(n) % 2, ["裂缝", "gnss"])}, np.asarray(grade, np.int64),
    )  # fmt: skip


def test_a_tile_decodes_to_what_went_in():
    from anlan.web import mvt

    # tile 12/3346/1784 spans 114.08203…114.16992 E: its middle is at x = 2048
    west = 3346 / 4096 * 360 - 180
    middle = west + 360 / 4096 / 2
    north = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * 1784.5 / 4096))))
    data = mvt.tile("stations", points([middle, middle + 40], [north, north], [4, 0]), 12, 3346, 1784)
    found = mapbox_vector_tile.decode(data, default_options={"y_coord_down": True})["stations"]
    assert found["extent"] == 4096
    assert [f["id"] for f in found["features"]] == [1], "the second lies outside"
    assert found["features"][0]["properties"] == {"grade": 4, "kind": "裂缝"}
    assert found["features"][0]["geometry"] == {"type": "Point", "coordinates": [2048, 2048]}


def test_an_empty_tile_is_empty():
    from anlan.web import mvt

    assert mvt.tile("stations", points([], [], []), 5, 1, 1) == b""
    assert mvt.tile("stations", points([10.0], [10.0], [0]), 14, 1, 1) == b""


@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90), st.integers(0, 4)), max_size=60), st.integers(0, 16))
def test_any_points_give_a_readable_tile(rows, z):
    from anlan.web import mvt

    lon, lat, grade = ([r[i] for r in rows] for i in range(3))
    data = mvt.tile("s", points(lon, lat, grade), z, (1 << z) // 2, (1 << z) // 2, thin_below=0)
    _, px, py = mvt.inside(points(lon, lat, grade), z, (1 << z) // 2, (1 << z) // 2)
    decoded = mapbox_vector_tile.decode(data, default_options={"y_coord_down": True}) if data else {"s": {"features": []}}
    assert [tuple(f["geometry"]["coordinates"]) for f in decoded["s"]["features"]] == list(zip(px.tolist(), py.tolist(), strict=True))


def test_thinning_keeps_the_worst_of_each_cell():
    from anlan.web import mvt

    px, py, rank = np.array([1, 2, 3, 40]), np.array([1, 2, 3, 40]), np.array([0, 4, 1, 0])
    assert sorted(mvt.thin(px, py, rank, 16).tolist()) == [1, 3]
    assert mvt.thin(px, py, rank, 16).tolist()[-1] == 1, "the worst is drawn last, on top"


def test_fifty_thousand_points(capsys):
    from anlan.web import mvt

    rng = np.random.default_rng(1)
    many = points(rng.uniform(114.08, 114.16, 50_000), rng.uniform(22.53, 22.6, 50_000), rng.integers(0, 5, 50_000))
    began = time.perf_counter()
    data = mvt.tile("stations", many, 11, 1673, 892)
    print(f"50,000 points in one tile: {(time.perf_counter() - began) * 1000:.0f} ms, {len(data) / 1024:.0f} kB")
    assert len(mapbox_vector_tile.decode(data)["stations"]["features"]) > 40_000


# thinning of series


def test_thinning_keeps_peaks_and_breaks_at_gaps():
    from anlan.web.thin import thin

    t = np.r_[np.arange(5000), np.arange(9000, 14_000)].astype(np.int64) * 60_000
    v = np.sin(np.arange(10_000) / 500)
    v[1234], v[7777] = 9.0, -9.0
    out = thin(t, v, np.zeros(10_000, np.uint8), 500)
    assert out.thinned and len(out.time_ms) <= 520
    assert np.nanmax(out.high) == 9.0 and np.nanmin(out.low) == -9.0
    assert out.gaps.tolist() == [[4999 * 60_000, 9000 * 60_000]]
    inside = (out.time_ms > 4999 * 60_000) & (out.time_ms < 9000 * 60_000)
    assert inside.sum() == 1 and np.isnan(out.value[inside]).all()
    assert (np.diff(out.time_ms) > 0).all()


def test_a_short_series_is_left_alone_and_bad_readings_are_not_drawn():
    from anlan.web.thin import thin

    out = thin(np.array([0, 1000, 2000]), np.array([1.0, 99.0, 3.0]), np.array([0, 2, 1], np.uint8))
    assert not out.thinned and out.time_ms.tolist() == [0, 1000, 2000]
    assert np.isnan(out.value[1]) and out.quality.tolist() == [0, 2, 1]
    assert len(thin(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.uint8)).time_ms) == 0


@given(
    st.lists(st.tuples(st.integers(1, 10**7), st.floats(allow_nan=True, allow_infinity=True), st.integers(0, 4)), min_size=1, max_size=200),
    st.integers(2, 50),
)
def test_thinning_any_series(rows, wanted):
    from anlan.web.thin import thin

    t = np.cumsum([r[0] for r in rows])
    v, q = np.array([r[1] for r in rows]), np.array([r[2] for r in rows], np.uint8)
    out = thin(t, v, q, wanted)
    good = np.isfinite(v) & (q != 2) & (q != 3)
    assert len(out.value) == len(out.low) == len(out.high) == len(out.quality) == len(out.time_ms)
    assert (np.diff(out.time_ms) > 0).all()
    assert np.isfinite(out.low).any() == good.any()
    if good.any():
        assert np.nanmin(out.low) == v[good].min() and np.nanmax(out.high) == v[good].max()
    for before, after in out.gaps:
        between = (out.time_ms > before) & (out.time_ms < after)
        assert np.isnan(out.value[between]).all() and between.sum() == 1


# latest values


def latest(stations, values, grade=0):
    from anlan.collect.store import Latest

    n = len(stations)
    return Latest(
        np.array(stations, np.int32), np.ones(n, np.int16), np.arange(n, dtype=np.int64), np.array(values, float),
        np.zeros(n, np.uint8), np.full(n, grade, np.int8), np.zeros(n, np.uint8),
    )  # fmt: skip


def test_changes_are_found_with_and_without_new_series():
    from anlan.web.latest import changed

    old, new = latest([3, 1, 2], [1.0, np.nan, 3.0]), latest([3, 1, 2], [1.0, np.nan, 4.0])
    assert changed(new, old).tolist() == [False, False, True]
    assert changed(old, None).all()
    more = latest([3, 1, 2, 9], [1.0, np.nan, 3.0, 5.0])
    assert changed(more, old).tolist() == [False, False, False, True]


def test_scope_is_a_prefix():
    from anlan.web.latest import within

    codes = np.array([b"440303001", b"440303002001", b"440304", b""], "S12")
    assert within(codes, ("440303",)).tolist() == [True, True, False, False]
    assert within(codes, ("440303002", "440304")).tolist() == [False, True, True, False]
    assert within(codes, ("",)).all() and not within(codes, ()).any()


# terrain and errors


def test_terrarium_heights_come_back():
    from anlan.web.terrain import Terrain, sample, terrarium

    rgb = terrarium(np.array([[0.0, 943.7, -10.25]])).astype(float)
    assert np.allclose(rgb[..., 0] * 256 + rgb[..., 1] + rgb[..., 2] / 256 - 32768, [[0.0, 943.7, -10.25]], atol=1 / 256)
    model = Terrain(np.array([[10.0, 20.0], [30.0, 40.0]], np.float32), (114.0, 22.0, 115.0, 23.0), "v")
    assert sample(model, np.array([114.0, 115.0, 114.5]), np.array([23.0, 22.0, 22.5])).tolist() == [10.0, 40.0, 25.0]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (FieldError("a", 1, "坏", "bad"), 400),
        (EngineAway("x", "y"), 503),
        (AnlanError("register.no_right", "无", "no"), 403),
        (AnlanError("issue.already_signed", "已", "done"), 409),
        (AnlanError("web.not_found", "无", "no"), 404),
        (AnlanError("web.no_login", "无", "no"), 401),
        (AnlanError("x.disk_full", "满", "full", retry=True), 503),
        (AnlanError("x.other", "错", "bad"), 400),
    ],
)
def test_errors_have_their_status(error, status, migrated):
    from anlan.web.errors import status_of

    assert status_of(error) == status
