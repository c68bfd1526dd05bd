"""Room on the data folder's disk: who may still write, and what people are told when it runs out.

Below DISK_MIN_GB the gateway answers nobody (devices keep their readings and resend), so that database and log never meet
a full disk by our own doing; from `AGAIN` times that on it goes on. The desk puts it on every screen (`collect.service`).
"""

from __future__ import annotations

import os
from pathlib import Path

from ..base import settings as conf

AGAIN = 1.2  # so that it does not flicker at the limit
CODE = "engines.disk"


def free_gb(folder: Path) -> float:
    """GB (10^9 bytes) that may still be written in `folder` (or the nearest parent that exists); OSError when it cannot be told."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize / 1e9


def too_little(free: float, was: bool = False) -> bool:
    """Whether `free` GB are below DISK_MIN_GB; with `was` (it has been so) below `AGAIN` times that."""
    limit = float(conf.get("DISK_MIN_GB"))
    return limit > 0 and free < limit * (AGAIN if was else 1.0)


def words(free: float) -> tuple[str, str]:
    """The sentence for people, Chinese and English."""
    limit = float(conf.get("DISK_MIN_GB"))
    return (
        f"数据盘只剩 {free:.2f} GB（下限 {limit:g} GB）：已停止接收读数，设备会保留并重发。请立即清理或扩容，恢复后自动继续。",
        f"only {free:.2f} GB left on the data disk (limit {limit:g} GB): readings are no longer taken, devices keep and resend them. "
        "Make room now; it goes on by itself.",
    )
