"""`anlan doctor`: is this machine fit, is this installation well, and what to do if not.

Each check is a function that returns a `Check`; limits are the sizes measured in docs/performance.md or
the engines' own demands, named here with their reason.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil

import anlan

from ..base import settings as conf
from ..base.clock import from_ms, now_ms
from ..base.errors import AnlanError
from . import room
from .folders import Folders
from .nats import binary
from .postgres import binaries, root_mode

FREE_GB_FAIL, FREE_GB_WARN = 1.0, 10.0  # PostgreSQL stops at a full disk; its log and the message log want some room
FSYNC_WARN_MS = 10.0  # every answer to a device waits for one; docs/performance.md counts with a few ms
MEMORY_GB_WARN = 2.0  # the platform takes about 0.5 GB, 0.9 GB with 85,000 sensors
FILES_WARN = 4096  # one open file a device connection
FSYNCS = 60
PORTS = (("HTTP_PORT", 8600), ("MQTT_PORT", 1883), ("PUSH_PORT", 8601), ("FRAME_PORT", 8602))
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


@dataclass(frozen=True, slots=True)
class Check:
    """One result: state ``ok``, ``warn`` or ``fail``; what was seen; what to do (empty when ok), Chinese and English."""

    name: str
    state: str
    seen: str
    zh: str = ""
    en: str = ""


def versions() -> Check:
    """Python, PostgreSQL and NATS."""
    seen = [f"anlan {anlan.__version__}", f"Python {platform.python_version()}"]
    try:
        if not conf.get("DATABASE_URL"):
            program = str(binaries() / "postgres")
            seen.append(subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip())
        if not conf.get("NATS_URL"):
            seen.append(subprocess.run([binary(), "--version"], capture_output=True, text=True).stdout.strip())
    except AnlanError as error:
        return Check("versions", "fail", ", ".join(seen), error.zh, error.en)
    return Check("versions", "ok", ", ".join(seen))


def machine() -> Check:
    """Cores and memory."""
    memory = psutil.virtual_memory().total / 1e9
    seen = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.1f} GB"
    if memory < MEMORY_GB_WARN:
        return Check("machine", "warn", seen, f"内存不足 {MEMORY_GB_WARN} GB，请增加", f"less than {MEMORY_GB_WARN} GB of memory: add some")
    return Check("machine", "ok", seen)


def user() -> Check:
    """Who runs this, and how the database gets along with it."""
    mode = root_mode()
    how = {"plain": "ordinary user", "namespace": "root; PostgreSQL in a user namespace"}.get(mode, f"root; PostgreSQL as {mode[5:]}")
    if mode.startswith("user:"):
        return Check("user", "warn", how, "建议用普通用户运行", "better run as an ordinary user")
    return Check("user", "ok", how)


def files() -> Check:
    """How many files (connections) a process may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES_WARN:
        return Check(
            "open files", "warn", f"{soft} (hard {hard})", f"请设置 ulimit -n {FILES_WARN} 或更大", f"set ulimit -n {FILES_WARN} or more"
        )
    return Check("open files", "ok", str(soft))


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def folder(data: Path) -> Check:
    """Whether the data folder can be written."""
    at = _existing(data)
    if not os.access(at, os.W_OK):
        return Check("data folder", "fail", str(data), f"{at} 不可写：请换 --data", f"{at} is not writable: choose another --data")
    return Check("data folder", "ok", str(data))


def disk(data: Path) -> Check:
    """Room on the data folder's disk."""
    free = shutil.disk_usage(_existing(data)).free / 1e9
    wanted = max(FREE_GB_WARN, float(conf.get("LOG_GB")))
    if room.too_little(free):
        return Check("disk", "fail", f"{free:.2f} GB free", *room.words(free))
    if free < FREE_GB_FAIL:
        return Check("disk", "fail", f"{free:.1f} GB free", "磁盘将满：立即清理或扩容", "the disk is nearly full: make room now")
    if free < wanted:
        zh, en = f"不足 {wanted:.0f} GB：扩容，或减小 ANLAN_LOG_GB", f"less than {wanted:.0f} GB: add disk, or lower ANLAN_LOG_GB"
        return Check("disk", "warn", f"{free:.1f} GB free", zh, en)
    return Check("disk", "ok", f"{free:.1f} GB free")


def fsync_times(at: Path, count: int = FSYNCS) -> list[float]:
    """Milliseconds of `count` writes of 4 KiB, each made durable."""
    took = []
    with tempfile.TemporaryFile(dir=at) as file:
        for _ in range(count):
            start = time.perf_counter()
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - start) * 1000)
    return took


def sync(data: Path) -> Check:
    """How fast the disk makes a write durable."""
    try:
        took = sorted(fsync_times(_existing(data)))
    except OSError as error:
        return Check("fsync", "fail", str(error), "数据目录不可写", "the data folder cannot be written")
    seen = f"median {statistics.median(took):.2f} ms, worst of {len(took)} {took[-1]:.1f} ms"
    if statistics.median(took) > FSYNC_WARN_MS:
        return Check("fsync", "warn", seen, "磁盘同步慢：请用本地 SSD", "slow sync slows every answer to a device: use a local SSD")
    return Check("fsync", "ok", seen)


def clock_synchronised() -> bool | None:
    """Whether the kernel says that the clock is disciplined (Linux); None when it cannot be told."""
    if sys.platform != "linux":
        return None
    buffer = ctypes.create_string_buffer(256)  # struct timex with modes 0: read only
    state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    return None if state < 0 else state != TIME_ERROR


def clock() -> Check:
    """Whether the clock can be trusted: readings are judged by it."""
    seen = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    synchronised = clock_synchronised()
    if synchronised is False:
        return Check(
            "clock",
            "warn",
            f"{seen}, not synchronised",
            "请启用时间同步 (chrony 或 systemd-timesyncd)",
            "turn on chrony or systemd-timesyncd",
        )
    return Check("clock", "ok", seen if synchronised is None else f"{seen}, synchronised")


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((str(conf.get("BIND")), port))
        except OSError:
            return True
    return False


def ports(running: bool) -> Check:
    """Whether the ports that devices and people use are free (or ours)."""
    if running:
        return Check("ports", "ok", "held by this installation")
    fixed = [int(conf.get(name)) for name, _ in PORTS if conf.get(name) and _taken(int(conf.get(name)))]
    usual = [first for name, first in PORTS if not conf.get(name) and _taken(first)]
    if fixed:
        return Check("ports", "fail", f"taken: {fixed}", "请停止占用者或更换 ANLAN_*_PORT", "stop what holds them, or change ANLAN_*_PORT")
    if usual:
        return Check("ports", "warn", f"taken: {usual}", "将改用其他空闲端口", "other free ports will be used; fix them with ANLAN_*_PORT")
    return Check("ports", "ok", "free")


def processes(folders: Folders) -> Check:
    """What of this installation runs."""
    try:
        rows: dict[str, Any] = orjson.loads((folders.run / "pids.json").read_bytes())
    except (OSError, ValueError):
        return Check("processes", "ok", "not running")
    dead = [name for name, row in rows.items() if not psutil.pid_exists(row["pid"])]
    if "up" in dead:
        return Check("processes", "warn", "not running (it was killed)", "运行 `anlan up` 恢复", "run `anlan up`; it resumes with the data")
    seen = ", ".join(f"{name} {row['pid']}" for name, row in rows.items())
    if dead:
        return Check("processes", "warn", seen, f"{dead} 正在重启；见 {folders.logs}", f"{dead} start again; see {folders.logs}")
    return Check("processes", "ok", seen)


def database() -> Check:
    """The attached database, when one is set."""
    import psycopg

    url = str(conf.get("DATABASE_URL"))
    if not url:
        return Check("database", "ok", "embedded")
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            version = connection.info.server_version // 10000
    except psycopg.Error as error:
        return Check("database", "fail", str(error).strip(), "检查 ANLAN_DATABASE_URL 与网络", "check ANLAN_DATABASE_URL and the network")
    if version < 16:
        return Check("database", "fail", f"PostgreSQL {version}", "需要 PostgreSQL 16 以上", "PostgreSQL 16 or newer is needed")
    return Check("database", "ok", f"PostgreSQL {version}")


def restarts(folders: Folders) -> Check:
    """What the supervisor had to start again."""
    try:
        rows: dict[str, Any] = orjson.loads((folders.run / "faults.json").read_bytes())
    except (OSError, ValueError):
        return Check("restarts", "ok", "none")
    seen = ", ".join(
        f"{name}: {row['why']}, {row['times']}x, last {from_ms(row['at_ms']):%Y-%m-%d %H:%M:%S} UTC" for name, row in rows.items()
    )
    recent = [name for name, row in rows.items() if now_ms() - row["at_ms"] < 86_400_000]
    if recent:
        zh, en = f"{recent} 一天内重启过：见 {folders.logs}", f"{recent} had to be started again within a day: see {folders.logs}"
        return Check("restarts", "warn", seen, zh, en)
    return Check("restarts", "ok", seen)


def installation(data: Path) -> Check:
    """Whether the settings are those that the running (or attached) installation was made with; what stands on its screens."""
    import psycopg

    from .attach import database_of
    from .installed import check

    folders = Folders(data)
    if not conf.get("DATABASE_URL") and not (folders.run / "up.json").exists():
        return Check("installation", "ok", "not running, not asked")
    try:
        with database_of(data) as url, psycopg.connect(url, connect_timeout=5) as connection:
            check(connection)
            rows = connection.execute("select code, zh, en from engines_condition where until is null order by since").fetchall()
    except AnlanError as error:
        return Check("installation", "fail", error.code, error.zh, error.en)
    except psycopg.Error as error:
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        zh, en = "数据库不应答：看 logs/postgres.log 与磁盘", "the database does not answer: see logs/postgres.log and the disk"
        return Check("installation", "fail", line, zh, en)
    if rows:
        return Check("installation", "warn", ", ".join(r[0] for r in rows), " ".join(r[1] for r in rows), " ".join(r[2] for r in rows))
    return Check("installation", "ok", "as installed")


def checks(data: Path | None = None) -> Iterator[Check]:
    """All checks in order."""
    folders = Folders(data or conf.data_folder())
    running = (folders.run / "up.json").exists()
    steps: list[Callable[[], Check]] = [versions, machine, user, files, database, clock]
    steps += [lambda: folder(folders.data), lambda: disk(folders.data), lambda: sync(folders.data)]
    steps += [lambda: ports(running), lambda: processes(folders), lambda: restarts(folders), lambda: installation(folders.data)]
    for step in steps:
        yield step()


def report(data: Path | None = None) -> dict[str, Any]:
    """All checks as one JSON-ready object with the worst state."""
    found = list(checks(data))
    worst = max(("ok", "warn", "fail").index(check.state) for check in found)
    return {"state": ("ok", "warn", "fail")[worst], "checks": [asdict(check) for check in found]}
