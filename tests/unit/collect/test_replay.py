"""Replay of CSV files through the real gateway."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from anlan.base.errors import FieldError
from anlan.collect.replay import read_rows

from .gateway_kit import stored

pytestmark = pytest.mark.stack


def replay(house, device, path, *more: str) -> subprocess.CompletedProcess[str]:
    host, port = house.gateway.at("mqtt")
    who = ["--address", f"{host}:{port}", "--client-id", device["client_id"], "--username", device["username"]]
    environment = {**os.environ, "ANLAN_DEVICE_SECRET": device["secret"]}
    return subprocess.run(
        [sys.executable, "-m", "anlan", "replay", str(path), *who, *more],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_file_goes_through_the_socket_at_its_speed(house, tmp_path):
    device = house.device()
    path = tmp_path / "记录.csv"
    path.write_text("time,crack_mm,rain,note\n2026-01-01 00:00:02,2,,x\n2026-01-01 00:00:00,1,0.5,y\n2026-01-01T08:00:04+08:00,3,,\n")
    start = time.monotonic()
    done = replay(house, device, path, "--speed", "4", "--column", "crack_mm=displacement", "--column", "rain=rainfall")
    assert done.returncode == 0 and "3" in done.stdout, done.stderr
    assert time.monotonic() - start >= 1.0
    base = 1_767_225_600_000
    rows = sorted(row[1:] for row in stored(house.log) if row[0] == device["station"])
    assert rows == [(1, base, 0.001), (1, base + 2000, 0.002), (1, base + 4000, 0.003), (4, base, 0.0005)]


def test_as_fast_as_answered_and_moved_to_now(house, tmp_path):
    device = house.device()
    path = tmp_path / "fast.csv"
    path.write_text("time,tilt\n" + "".join(f"{1_600_000_000_000 + i * 60_000},{i}\n" for i in range(500)))
    assert replay(house, device, path, "--speed", "0", "--shift").returncode == 0
    times = [row[2] for row in stored(house.log) if row[0] == device["station"]]
    assert len(times) == 500 and 0 <= time.time() * 1000 - max(times) < 20_000


def test_a_wrong_secret_is_said(house, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("time,tilt\n2026-01-01,1\n")
    done = replay(house, {**house.device(), "secret": "no"}, path)
    assert done.returncode == 1 and "collect.wrong_credential" in done.stderr


@pytest.mark.parametrize(
    ("text", "words"), [("tilt\n1\n", "no such column"), ("time,tilt\nyesterday,1\n", "line 2"), ("", "no such column")]
)
def test_files_that_cannot_be_read(tmp_path, text, words):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(FieldError, match=words):
        read_rows(path)
