"""The supervisor: child processes started in order, watched, started again when one dies, stopped in order.

No Django here. Every child runs through `confine` (it ends when the supervisor ends, even by kill -9
on Linux) in its own session, so that Ctrl-C reaches the supervisor alone, which then stops the
children in reverse order. A dead child is started again at once, then after 0.2, 0.4 … 5 s while it
keeps dying young. A child that lives and does nothing (its heartbeat stands still, see
`engines.beat`; an engine does not answer) is killed and started again.
Logs go to ``<data>/logs/<name>.log``; process ids to ``<data>/run/pids.json``.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson
import psutil
import structlog

from ..base import settings as conf
from ..base.clock import now_ms
from ..base.errors import AnlanError
from .folders import Folders, write_json
from .memory import MALLOC, release_code
from .postgres import CONFINE

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
STEADY_S = 10.0  # a child that lived this long starts again without a pause
LOG_BYTES = 20 * 1024 * 1024  # a log longer than this is turned over (one old one is kept) when its process starts
PROBE_S = 5.0  # engines are asked this often
GAP_S = 5.0  # a supervisor that stood still so long (suspended machine) judges nobody by that time
log = structlog.get_logger("anlan.up")


class Stopped(Exception):
    """A stop was asked for while starting."""


def announce_ready(**facts: Any) -> None:
    """Called by a child when it serves: writes the file its supervisor waits for (if it has one); gives back what only the start needed."""
    release_code()
    name = os.environ.get("ANLAN_READY_FILE")
    if name:
        write_json(Path(name), {"pid": os.getpid(), **facts})


@dataclass
class Child:
    """One process to keep running.

    ``ready`` tells whether it serves (default: its ready file is there). ``prepare`` runs before each
    start. ``command`` is already confined for engines, else it is confined here. ``answers`` asks an engine whether it
    is at work; a child that ``beats`` runs `beat.heartbeat`. Others are only watched for their end.
    """

    name: str
    command: Callable[[], list[str]]
    environment: dict[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] | None = None
    prepare: Callable[[], None] | None = None
    stop_signal: int = signal.SIGTERM
    grace_s: float = 10.0
    ready_s: float = 60.0
    answers: Callable[[], bool] | None = None
    beats: bool = False
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 0.0
    again_at: float = 0.0
    restarts: int = 0
    heard: float = 0.0  # when it last gave a sign of life (monotonic)
    beat: int = 0
    hung: bool = False

    @property
    def alive(self) -> bool:
        """Whether it runs now."""
        return self.process is not None and self.process.poll() is None


def anlan_command(*arguments: str) -> Callable[[], list[str]]:
    """The confined command of ``python -m anlan <arguments>``."""

    def command() -> list[str]:
        program = [sys.executable, "-m", "anlan", *arguments]
        return [sys.executable, "-I", str(CONFINE), str(int(signal.SIGTERM)), "plain", str(os.getpid()), "--", *program]

    return command


class Supervisor:
    """Starts stages of children one after another, watches them, stops them in reverse."""

    def __init__(self, folders: Folders):
        self.folders = folders
        self.stages: list[list[Child]] = []
        self.stopping = False
        self.hung_s = float(conf.get("HUNG_S"))
        self._looked = self._asked = 0.0
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)

    def catch_signals(self) -> None:
        """SIGINT, SIGTERM and SIGHUP ask for the ordered stop; SIGCHLD wakes the watch."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _ask_stop(self, *_: object) -> None:
        self.stopping = True

    def _pause(self, seconds: float) -> None:
        """Sleep, but wake for a signal."""
        with contextlib.suppress(OSError):
            select.select([self._wake_read], [], [], max(seconds, 0))
            os.read(self._wake_read, 4096)

    @property
    def children(self) -> list[Child]:
        """All children, in the order of their start."""
        return [child for stage in self.stages for child in stage]

    def pids(self) -> dict[str, int]:
        """Name to process id of what runs."""
        return {child.name: child.process.pid for child in self.children if child.process and child.alive}

    def ready_file(self, child: Child) -> Path:
        """The file that `announce_ready` writes."""
        return self.folders.run / f"{child.name}.ready"

    def beat_file(self, child: Child) -> Path:
        """The file that `beat.beat` touches."""
        return self.folders.run / f"{child.name}.beat"

    def facts(self, name: str) -> dict[str, Any]:
        """What a child announced when it was ready."""
        with contextlib.suppress(OSError, ValueError):
            facts: dict[str, Any] = orjson.loads((self.folders.run / f"{name}.ready").read_bytes())
            return facts
        return {}

    def _log_file(self, child: Child) -> IO[bytes]:
        path = self.folders.logs / f"{child.name}.log"
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path.open("ab")

    def spawn(self, child: Child) -> None:
        """Start one child (not waiting until it is ready)."""
        self.ready_file(child).unlink(missing_ok=True)
        self.beat_file(child).unlink(missing_ok=True)
        if child.prepare:
            child.prepare()
        told = {"ANLAN_READY_FILE": str(self.ready_file(child)), "ANLAN_BEAT_FILE": str(self.beat_file(child)), "PYTHONUNBUFFERED": "1"}
        environment = {**MALLOC, **os.environ, **child.environment, **told}
        with self._log_file(child) as output:
            child.process = subprocess.Popen(
                child.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
            )
        child.started, child.again_at = time.monotonic(), 0.0
        child.heard = child.started + child.ready_s  # a start has its own time
        with contextlib.suppress(OSError):  # a full disk: nobody can read it, everything goes on
            self._write_pids()

    def _write_pids(self) -> None:
        rows = {}
        for name, pid in {"up": os.getpid(), **self.pids()}.items():
            with contextlib.suppress(psutil.Error):
                rows[name] = {"pid": pid, "since": psutil.Process(pid).create_time()}
        write_json(self.folders.run / "pids.json", rows)

    def start_stage(self, children: list[Child]) -> None:
        """Start children together and wait until all are ready; AnlanError with the end of a log when one fails."""
        self.stages.append(children)
        for child in children:
            self.spawn(child)
        for child in children:
            deadline = time.monotonic() + child.ready_s
            while not self._is_ready(child):
                if self.stopping:
                    raise Stopped
                if not child.alive:
                    raise self._failed(child, f"ended with {child.process.poll() if child.process else '?'}")
                if time.monotonic() > deadline:
                    raise self._failed(child, f"not ready after {child.ready_s:.0f} s")
                self._pause(0.02)

    def _is_ready(self, child: Child) -> bool:
        return child.ready() if child.ready else self.ready_file(child).exists()

    def _failed(self, child: Child, why: str) -> AnlanError:
        path = self.folders.logs / f"{child.name}.log"
        tail = ""
        with contextlib.suppress(OSError):
            tail = path.read_bytes()[-1500:].decode(errors="replace").strip()
        return AnlanError(
            "engines.child_failed",
            f"进程 {child.name} 未能启动（{why}）。日志：{path}",
            f"process {child.name} did not start ({why}). End of {path}:\n{tail}",
            child=child.name,
        )

    def watch(self, each_second: Callable[[], None] | None = None) -> None:
        """Keep everything running until a stop is asked for."""
        while not self.stopping:
            now = time.monotonic()
            self._end_hung(now)
            for child in self.children:
                if child.alive:
                    continue
                if not child.again_at:
                    self._note_death(child, now)
                if child.again_at <= now:
                    child.restarts += 1
                    try:
                        self.spawn(child)
                    except OSError as error:  # disk full, too many processes: try again later
                        log.error("cannot start", child=child.name, error=str(error))
                        child.again_at = now + LONGEST_PAUSE_S
            if each_second:
                each_second()
            waiting = [child.again_at - now for child in self.children if child.again_at]
            self._pause(min([1.0, *waiting]))

    def _end_hung(self, now: float) -> None:
        """Kill children that gave no sign of life for HUNG_S; `watch` starts them again."""
        if now - self._looked > GAP_S:
            for child in self.children:
                child.heard = max(child.heard, now)
        probe = now - self._asked >= min(PROBE_S, self.hung_s / 4)
        self._looked, self._asked = now, now if probe else self._asked
        for child in self.children if self.hung_s > 0 else []:
            if not child.alive or not child.process or not (child.answers or child.beats):
                continue
            if self._gives_sign(child, probe):
                child.heard = now
            elif now - child.heard > self.hung_s:
                log.error("process hangs, killed", child=child.name, silent_s=round(now - child.heard, 1))
                child.hung = True
                child.process.kill()
                child.process.wait()

    def _gives_sign(self, child: Child, probe: bool) -> bool:
        """Whether the heartbeat has moved, or the engine answered just now."""
        if child.answers:
            return probe and child.answers()
        with contextlib.suppress(OSError):
            last, child.beat = child.beat, self.beat_file(child).stat().st_mtime_ns
            return last != child.beat
        return False

    def _note_fault(self, child: Child, why: str) -> None:
        """Leave word for the screens (`<data>/run/faults.json`: name to what happened last and how often)."""
        path = self.folders.run / "faults.json"
        rows: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            rows = orjson.loads(path.read_bytes())
        times = int(rows.get(child.name, {}).get("times", 0)) + 1
        with contextlib.suppress(OSError):
            write_json(path, {**rows, child.name: {"why": why, "at_ms": now_ms(), "times": times}})

    def _note_death(self, child: Child, now: float) -> None:
        young = now - child.started < STEADY_S
        code = child.process.returncode if child.process else None
        child.pause = min(max(child.pause * 2, SHORTEST_PAUSE_S), LONGEST_PAUSE_S) if young and child.restarts else 0.0
        child.again_at = now + child.pause
        self._note_fault(child, "hung" if child.hung else f"ended ({code})")
        child.hung = False
        log.warning("process ended, starting it again", child=child.name, code=code, after_s=round(now - child.started, 1))

    def stop_stage(self) -> None:
        """Stop the children of the last stage; kill what does not go in its grace time."""
        stage = self.stages.pop()
        for child in stage:
            if child.alive and child.process:
                child.process.send_signal(child.stop_signal)
        for child in stage:
            if child.process is None:
                continue
            try:
                child.process.wait(child.grace_s)
            except subprocess.TimeoutExpired:
                log.warning("process did not stop, killed", child=child.name)
                child.process.kill()
                child.process.wait()
            self.ready_file(child).unlink(missing_ok=True)
            self.beat_file(child).unlink(missing_ok=True)

    def stop_all(self) -> None:
        """Stop all children, last stage first."""
        self.stopping = True
        while self.stages:
            self.stop_stage()
        (self.folders.run / "pids.json").unlink(missing_ok=True)


def end_leftovers(folders: Folders, wait_s: float = 6.0) -> list[str]:
    """End what a killed supervisor left running (the caller holds the data folder's lock); their names."""
    try:
        rows = orjson.loads((folders.run / "pids.json").read_bytes())
    except (OSError, ValueError):
        return []
    left: dict[str, psutil.Process] = {}
    for name, row in rows.items():
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(row["pid"])
            if abs(process.create_time() - row["since"]) < 0.01 and process.pid != os.getpid():
                left[name] = process
    for name, process in left.items():
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
    _, alive = psutil.wait_procs(list(left.values()), timeout=wait_s)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=2)
    return sorted(left)
