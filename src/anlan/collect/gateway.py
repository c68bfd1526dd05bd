"""The gateway process: device sockets → frames → log → answers; commands down. No Django.

It goes on without the database (with what it knows; dead letters on the spool) and holds its answers
without the log. Several gateways may run side by side; a device has its line at one of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import json
import os
import signal
import socket
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from ..base import settings as conf
from ..base.errors import EngineAway
from ..base.plugin import scan
from ..engines import room
from ..engines.beat import heartbeat
from ..engines.nats import connect_for_ever
from .contract import Front, Transport, bind, tls_context
from .database import Line, listen
from .directory import Device, Directory
from .downlink import Downlink
from .framer import Framer
from .letters import Letters
from .log import LogLine
from .logins import Logins
from .rawlog import RawLog
from .spool import Spool
from .states import States

WATCH_S = 1.0
DRAIN_S = 5.0  # how long a stop waits for the log
PENDING_BYTES = 64 * 1024 * 1024  # frames held by the log's client while it reconnects


def gateway_name(data: Path) -> str:
    """The same name after every restart: host and data folder."""
    return f"{socket.gethostname()}-{hashlib.blake2b(str(data).encode(), digest_size=4).hexdigest()}"


class Gateway:
    """All parts joined; `run` returns after SIGTERM or SIGINT."""

    def __init__(self, database_url: str, nats_url: str, data: Path):
        self.database_url, self.nats_url, self.data = database_url, nats_url, data
        self.transports = list(scan("anlan.collect.transports", Transport).values())  # type: ignore[type-abstract]
        self.addresses: dict[str, str] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, ready_file: str = "") -> int:
        """Serve until told to stop; 0."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        tls = tls_context()
        listeners = self._bind()
        starting = loop.create_task(self._start(listeners, tls))
        stopped = loop.create_task(stop.wait())
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return 0
        front = starting.result()
        gc.collect()
        gc.freeze()
        self._announce(ready_file)
        await stopped
        await self._stop(front)
        return 0

    def _bind(self) -> list[tuple[Transport, socket.socket]]:
        """A listener per transport; with free choice the port of the last time, so that devices find a restarted gateway."""
        path = self.data / "run" / "gateway-ports.json"
        last: dict[str, int] = {}
        with contextlib.suppress(OSError, ValueError):
            last = {str(k): int(v) for k, v in json.loads(path.read_text()).items()}
        found = []
        self.transports = [t for t in self.transports if conf.get(t.setting) >= 0]  # -1: not wanted
        for transport in self.transports:
            before = [last[transport.name]] if transport.name in last else []
            found.append((transport, bind(conf.get("BIND"), conf.get(transport.setting), *before, transport.default_port)))
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({t.name: listener.getsockname()[1] for t, listener in found}))
        return found

    async def _start(self, listeners: list[tuple[Transport, socket.socket]], tls: Any) -> Front:
        directory = Directory(self.database_url, conf.get("LANES"))
        quick, sure, words = Line(self.database_url, fast=True), Line(self.database_url), Line(self.database_url)
        client = await connect_for_ever(self.nats_url, "anlan-gateway", pending_size=PENDING_BYTES)
        log = LogLine(client, memory=conf.get("DURABILITY") == "memory")
        states = States(words, gateway_name(self.data))
        letters = Letters(words, Spool(self.data / "spool"), states.noticed)
        framer = Framer(directory.lanes, log.publish, conf.get("FRAME_MS"), conf.get("FRAME_ROWS"))
        front = Front(directory, Logins(directory), framer, letters, states, Downlink(quick, sure, letters), tls)
        front.log, front.transports, self._lines = log, self.transports, (quick, sure, words)
        front.line, front.raw = sure, RawLog(self.data / "raw", conf.get("RAW_MB") << 20, int(conf.get("RAW_HOURS") * 3_600_000))
        front.past_ms, front.future_ms = int(conf.get("PAST_DAYS") * 86_400_000), int(conf.get("FUTURE_S") * 1000)
        directory.changed = lambda device: self._changed(front, device)
        await self._first_load(directory, front.downlink)
        self._spawn(directory.keep_fresh(), letters.run(), states.run(), front.downlink.run(), front.downlink.run_answers())
        self._spawn(front.raw.run(), self._listen(front), heartbeat(), self._watch(front))
        for transport, listener in listeners:
            await transport.start(front, listener)
            host, port = listener.getsockname()[:2]
            self.addresses[transport.name] = f"{host}:{port}"
        return front

    async def _first_load(self, directory: Directory, downlink: Downlink) -> None:
        said = False
        while True:
            try:
                await directory.load()
                await downlink.load_sessions()
                return
            except EngineAway as away:
                if not said:
                    _say("waiting", zh=away.zh, en=away.en)
                    said = True
                await asyncio.sleep(0.3)

    async def _listen(self, front: Front) -> None:
        first = True

        def joined() -> None:
            nonlocal first
            if not first:
                front.directory.suspect_all()
            first = False
            front.downlink.call_all()

        def heard(channel: str, payload: str) -> None:
            if channel == "anlan_command":
                front.downlink.call(payload)
            else:
                front.directory.heard(payload)

        await listen(self.database_url, ("anlan_register", "anlan_command"), heard, joined)

    async def _watch(self, front: Front) -> None:
        """Once a second: room on the disk, steps of the clock."""
        while True:
            try:
                free = room.free_gb(self.data)
            except OSError as error:
                free = 0.0
                _say("disk", error=str(error))
            short = room.too_little(free, bool(front.problem))
            if short != bool(front.problem):
                zh, en = room.words(free)
                front.problem = f"{zh}|{en}" if short else ""
                front.framer.hold_back(short)
                _say("disk short" if short else "disk well", free_gb=round(free, 3))
            if step := front.watch.look():
                _say("clock stepped", ms=step)
            await asyncio.sleep(WATCH_S)

    def _changed(self, front: Front, device: Device) -> None:
        """A device with a line was changed: disabled ones are cut off."""
        if not device.enabled:
            for transport in self.transports:
                transport.dismiss(device)

    def _spawn(self, *works: Coroutine[Any, Any, None]) -> None:
        for work in works:
            self._tasks.append(asyncio.get_running_loop().create_task(_for_ever(work)))

    def _announce(self, ready_file: str) -> None:
        facts = {"pid": os.getpid(), **self.addresses}
        if ready_file:
            draft = Path(f"{ready_file}.{os.getpid()}")
            draft.write_text(json.dumps(facts))
            draft.rename(ready_file)
        _say("ready", **facts)

    async def _stop(self, front: Front) -> None:
        """Take nothing more, store and answer what is held, close."""
        front.stopping = True
        for transport in self.transports:
            await transport.stop_accepting()
        whole = await front.framer.drain(DRAIN_S)
        with contextlib.suppress(EngineAway):
            await front.letters.flush()
            await front.downlink.flush()
        if front.raw is not None:
            await asyncio.to_thread(front.raw.flush)
        await asyncio.sleep(0.05)  # the last answers leave the sockets
        for transport in self.transports:
            await transport.close()
        with contextlib.suppress(EngineAway):
            await front.states.flush()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for line in self._lines:
            await line.close()
        front.logins.close()
        if front.log is not None:
            await front.log.close()
        _say("stopped", whole=whole, readings=front.framer.rows_total)


async def _for_ever(work: Coroutine[Any, Any, None]) -> None:
    """A background part must not die silently: the process ends, the supervisor starts it again."""
    try:
        await work
    except asyncio.CancelledError:
        raise
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        os._exit(70)


def _say(event: str, **facts: Any) -> None:
    with contextlib.suppress(OSError):  # a full disk takes no log lines either
        print(json.dumps({"gateway": event, **facts}, ensure_ascii=False), file=sys.stderr, flush=True)


def main(ready_file: str = "") -> int:
    """Run a gateway with the settings of the environment."""
    gateway = Gateway(
        conf.get("DATABASE_URL") or "postgresql:///anlan", conf.get("NATS_URL") or "nats://127.0.0.1:4222", conf.data_folder()
    )
    try:
        import uvloop
    except ImportError:
        return asyncio.run(gateway.run(ready_file))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(gateway.run(ready_file))
