"""Recorded nights are cut and turned right, and are no need."""

from pathlib import Path

import numpy as np
import pytest

from anlan.twin.night import FAIL_H, NIGHT_H
from anlan.twin.records import recorded

LIVE = [
    {"code": "SLOPE-0417-01", "quantity": "crack_width"},
    {"code": "SLOPE-0001-01", "quantity": "crack_width"},
    {"code": "FLOOD-001-01", "quantity": "water_depth"},
    {"code": "FLOOD-002-01", "quantity": "water_depth"},
]


def test_without_a_folder_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANLAN_SHARED", raising=False)
    assert recorded(LIVE) == {}


def test_the_records_end_where_the_story_wants_them(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANLAN_SHARED", str(shared))
    tracks = recorded(LIVE)
    assert set(tracks) == {row["code"] for row in LIVE}
    slope = tracks["SLOPE-0417-01"]
    assert FAIL_H - 2 < slope.t_h[-1] <= FAIL_H and np.all(np.diff(slope.t_h) > 0)
    assert slope.value[-1] - slope.value[0] > 0.005  # metres
    flood = tracks["FLOOD-001-01"]
    assert flood.t_h[flood.value.argmax()] == pytest.approx(3.4, abs=0.1) and 1.0 < flood.value.max() < 3.0
    assert all(t.t_h[-1] <= NIGHT_H for t in tracks.values())
