"""The processes of one installation, in the order of their start: engines, schema, rooms.

`Stack(data).start()` returns when everything serves; `run()` keeps it so until a signal; `stop()` leaves
nothing behind. Used by ``anlan up`` and ``anlan demo``; no Django in this process.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import orjson

from ..base import settings as conf
from ..base.errors import AnlanError
from ..engines import installed
from ..engines.folders import Folders, write_json
from ..engines.memory import release_code
from ..engines.nats import EmbeddedNats, ensure_lanes, free_port
from ..engines.postgres import EmbeddedPostgres
from ..engines.processes import Child, Supervisor, anlan_command, end_leftovers

# setting, what the JSON line calls it, the port tried first
PORTS = (("HTTP_PORT", "http", 8600), ("MQTT_PORT", "mqtt", 1883), ("PUSH_PORT", "push", 8601), ("FRAME_PORT", "frame", 8602))
ROOM_PROCESSES = ("gateway", "worker", "desk", "web")  # each is `python -m anlan <verb>`


def port_holder(port: int) -> str:
    """Who listens on a port, as far as this user may know."""
    import psutil

    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN and connection.pid:
                return f"{psutil.Process(connection.pid).name()} ({connection.pid})"
    return "?"


def last_ports(folders: Folders) -> dict[str, int]:
    """The ports of the last start, so that devices find their server again."""
    with contextlib.suppress(OSError, ValueError):
        ports: dict[str, int] = orjson.loads((folders.data / "ports.json").read_bytes())
        return ports
    return {}


def choose_ports(folders: Folders) -> dict[str, int]:
    """Setting name to port: the setting when given (AnlanError when taken), else last time's, else the usual one, else a free one."""
    bind, last = str(conf.get("BIND")), last_ports(folders)
    chosen = {}
    for setting, _, first in PORTS:
        wanted = int(conf.get(setting))
        port = free_port(wanted or last.get(setting) or first, bind)
        if wanted and port != wanted:
            holder = port_holder(wanted)
            raise AnlanError(
                "wire.port_taken",
                f"端口 {bind}:{wanted}（ANLAN_{setting}）已被 {holder} 占用。请停止它，或换一个端口，或置 0 自动选择。",
                f"port {bind}:{wanted} (ANLAN_{setting}) is held by {holder}. Stop it, choose another port, or set 0 to find a free one.",
                port=wanted,
            )
        chosen[setting] = port
    write_json(folders.data / "ports.json", {**last, **chosen})
    return chosen


class Stack:
    """One running installation in `data`; `environment` is added for all its processes."""

    def __init__(
        self,
        data: Path | None = None,
        devices: int = 0,
        environment: dict[str, str] | None = None,
        says: Callable[[str], None] | None = None,
    ):
        self.folders = Folders(data or conf.data_folder())
        self.devices = devices
        self.environment = {**(environment or {}), "ANLAN_DATA": str(self.folders.data)}
        self.says = says or (lambda text: None)
        self.supervisor = Supervisor(self.folders)
        self.info: dict[str, Any] = {}
        self._lock: IO[str] | None = None
        self._bind = str(conf.get("BIND"))

    def start(self) -> dict[str, Any]:
        """Start all; the facts of the JSON line. Raises AnlanError (all stopped again) or `Stopped`."""
        self.folders.make()
        self._lock = self.folders.lock()
        try:
            left = end_leftovers(self.folders)
            if left:
                self.says(f"已结束上次遗留的进程 · ended what was left running: {', '.join(left)}")
            self._start_engines()
            prepared = self._prepare()
            ports = self._start_rooms()
            self.info = {**self._addresses(ports), **prepared, "data": str(self.folders.data), "pids": self.supervisor.pids()}
            write_json(self.folders.run / "up.json", {k: v for k, v in self.info.items() if k not in ("token", "devices", "login")})
        except BaseException:
            self.stop()
            raise
        release_code()
        return self.info

    def _start_engines(self) -> None:
        engines = []
        url = str(conf.get("DATABASE_URL"))
        if not url:
            server = EmbeddedPostgres(self.folders)
            self.says("启动 PostgreSQL · starting PostgreSQL")
            server.prepare()
            engines.append(Child("postgres", server.command, {}, server.answers, server.clean_stale, 2, 30.0, answers=server.alive))
            url = server.url()
        log_url = str(conf.get("NATS_URL"))
        if not log_url:
            log = self._nats()
            engines.append(Child("nats", log.command, {}, log.answers, log.prepare, answers=log.alive))
            log_url = log.url
        self.environment.update({"ANLAN_DATABASE_URL": url, "ANLAN_NATS_URL": log_url})
        if engines:
            self.supervisor.start_stage(engines)
        if not conf.get("DATABASE_URL"):
            server.create_database()
        installed.check_url(url)
        ensure_lanes(log_url)

    def _nats(self) -> EmbeddedNats:
        ports = last_ports(self.folders)
        log = EmbeddedNats(self.folders, free_port(ports.get("NATS", 0)))
        write_json(self.folders.data / "ports.json", {**ports, "NATS": log.port})
        return log

    def _prepare(self) -> dict[str, Any]:
        """Migrate and make first things in a process of its own, so that the supervisor stays small."""
        self.says("检查数据库结构 · checking the schema")
        done = subprocess.run(
            [sys.executable, "-m", "anlan", "prepare", "--devices", str(self.devices)],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        with (self.folders.logs / "prepare.log").open("ab") as log:
            log.write(done.stderr)
        if done.returncode:
            detail = done.stderr.decode(errors="replace").strip()[-1500:]
            raise AnlanError(
                "wire.prepare_failed",
                f"数据库准备失败，日志：{self.folders.logs / 'prepare.log'}",
                f"preparing the database failed:\n{detail}",
            )
        facts: dict[str, Any] = orjson.loads(done.stdout.splitlines()[-1])
        return facts

    def _start_rooms(self) -> dict[str, int]:
        """Start the rooms' processes; the ports. A port that somebody took since it was found free is chosen again."""
        self.says("启动网关、研判、值守台与网页 · starting gateway, worker, desk and web")
        for attempt in range(4):
            ports = choose_ports(self.folders)
            self.environment.update({f"ANLAN_{name}": str(port) for name, port in ports.items()})
            try:
                rooms = [Child(n, anlan_command(n), dict(self.environment), ready_s=120.0, beats=True) for n in ROOM_PROCESSES]
                self.supervisor.start_stage(rooms)
                return ports
            except AnlanError as error:
                if "port_taken" not in error.en or attempt == 3:
                    raise
                self.supervisor.stop_stage()
        raise AssertionError("unreachable")

    def add(self, *children: Child) -> None:
        """Start further processes with this installation's environment and wait until they are ready."""
        for child in children:
            child.environment = {**self.environment, **child.environment}
        self.supervisor.start_stage(list(children))

    def _addresses(self, ports: dict[str, int]) -> dict[str, Any]:
        host = "127.0.0.1" if self._bind in ("0.0.0.0", "::", "localhost") else self._bind
        host = f"[{host}]" if ":" in host else host
        found: dict[str, Any] = {}
        for setting, name, _ in PORTS:
            address = f"{host}:{ports[setting]}"
            found[name] = f"http://{address}" if name in ("http", "push") else address
        return found

    def run(self) -> None:
        """Keep all running until SIGINT or SIGTERM."""
        self.supervisor.watch()

    def stop(self) -> None:
        """Stop everything, in reverse order, and let go of the data folder (nothing, if it was never ours)."""
        if self._lock is None:
            return
        self.supervisor.stop_all()
        (self.folders.run / "up.json").unlink(missing_ok=True)
        if not conf.get("DATABASE_URL"):
            with contextlib.suppress(OSError):
                for path in sorted(self.folders.sockets.rglob("*"), reverse=True):
                    path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
                self.folders.sockets.rmdir()
        self._lock.close()
        self._lock = None


def reachable(address: str, timeout_s: float = 1.0) -> bool:
    """Whether somebody listens at ``host:port``."""
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), timeout=timeout_s):
        return True
    return False
