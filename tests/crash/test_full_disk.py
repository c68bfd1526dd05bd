"""The data folder on a small disk of its own that really runs full: refused before anything breaks, and back by itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from crash.ops import Sender, conditions, get, stored_times, until

from anlan.engines.folders import Folders
from anlan.engines.postgres import PORT

pytestmark = [pytest.mark.crash, pytest.mark.stack]
SIZE_MB, LIMIT_GB = 700, 0.1


@pytest.fixture
def small_disk():
    """A folder on a tmpfs of its own; needs root."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("a small disk can be mounted by root on Linux only")
    folder = Path(tempfile.mkdtemp(prefix="anlan-disk-"))
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "none", str(folder)], capture_output=True, text=True)
    if done.returncode:
        folder.rmdir()
        pytest.skip(f"mounting is forbidden here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def fill(folder: Path, leave_bytes: int) -> None:
    """Somebody else's file takes all room but so many bytes."""
    with (folder / "somebody-elses").open("ab") as file:
        free = os.statvfs(folder)
        left = free.f_bavail * free.f_frsize - leave_bytes
        try:
            while left > 0:
                left -= file.write(bytes(min(left, 1 << 20)))
                file.flush()
        except OSError:
            pass


def test_a_disk_that_runs_full(stack, small_disk):
    one = stack(2, small_disk / "数据", ANLAN_DISK_MIN_GB=str(LIMIT_GB), ANLAN_LOG_GB="0.05", ANLAN_HUNG_S="8")
    info = one.start()
    url = f"postgresql:///anlan?host={Folders(one.data).sockets}&port={PORT}&user=anlan"
    sender = Sender(info)
    clock = iter(range(int(time.time() * 1000) - 100_000, 1 << 62))
    assert until(lambda: sender.send(next(clock)) == 200)

    fill(small_disk, int(LIMIT_GB * 0.8e9))  # below the limit, engines still have room
    assert until(lambda: sender.send(next(clock)) == 503, 10)
    assert sender.last[1]["code"] == "collect.disk_full" and sender.last[1]["zh"] and sender.last[1]["en"]
    assert until(lambda: "engines.disk" in conditions(url), 15)
    assert any(c["code"] == "engines.disk" for c in get(info, "/system/conditions")["conditions"])
    assert get(info, "/system/health")["disk"]["ok"] is False
    told = json.loads(one.anlan("doctor", "--data", str(one.data), "--json").stdout)
    disk = next(c for c in told["checks"] if c["name"] == "disk")
    assert disk["state"] == "fail" and disk["zh"] and disk["en"]
    (small_disk / "somebody-elses").unlink()
    assert until(lambda: sender.send(next(clock)) == 200, 20), "it did not go on by itself"
    assert until(lambda: "engines.disk" not in conditions(url), 15)

    fill(small_disk, 0)  # now really full: engines may break
    sender.send(next(clock))
    until(lambda: sender.send(next(clock), timeout=2) == 200, 15)
    (small_disk / "somebody-elses").unlink()
    assert until(lambda: sender.send(next(clock), timeout=10) == 200, 60), "it did not recover"
    assert until(lambda: set(stored_times(url, sender.device["station"])) >= set(sender.acked), 40), "answered and lost"
    rows = stored_times(url, sender.device["station"])
    assert len(rows) == len(set(rows))
