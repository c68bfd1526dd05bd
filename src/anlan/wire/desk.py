"""The desk process: event handlers, reconcilers, and the ticks that move time in the lanes.

In: the outbox and the clock. Out: handlers' effects, reconcilers' effects, one tick a second in every
lane. Any number of desks may run; one dispatches, each reconciler runs on one of them, and a second desk's
ticks do no harm (a tick carries the time; the log drops those with the same id).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time

import orjson
import structlog

from ..base import settings as conf
from ..base.clock import now_ms
from ..base.errors import EngineAway
from ..engines.dispatch import Dispatcher
from ..engines.nats import connect, ensure_lanes_async, lane_stream, lane_subject
from ..engines.processes import announce_ready
from ..engines.reconcile import Runner

CONTROL = b"ANLANCT1"
TICK_S = 1.0
SWITCH_S = 0.0005  # a busy reconciler lets the dispatcher go on after this (Python's own 5 ms would be paid at each answer of the database)
LEAVE_S = 9.0  # a handler or reconciler stuck on an engine that is gone is left to its transaction's roll-back
log = structlog.get_logger("anlan.desk")


def tick(ms: int) -> bytes:
    """The control message that tells a lane the time (UTC ms)."""
    return CONTROL + orjson.dumps({"kind": "tick", "now_ms": ms})


def leave_within(seconds: float) -> None:
    """End this process in `seconds` whatever its threads are waiting for (nothing is lost: transactions roll back)."""
    watchdog = threading.Timer(seconds, os._exit, [1])
    watchdog.daemon = True
    watchdog.start()


async def tick_for_ever(stopping: asyncio.Event) -> None:
    """Publish a tick to each lane each second; the id is the second, so that two desks make one tick."""
    client = None
    while client is None:
        if stopping.is_set():
            return
        with contextlib.suppress(EngineAway):
            client = await connect(name="anlan-desk")
    stream = client.jetstream(timeout=1)
    lanes = range(int(conf.get("LANES")))
    lost = 0
    while not stopping.is_set():
        ms = now_ms()
        try:
            for lane in lanes:
                second = f"tick-{lane}-{ms // 1000}"
                await stream.publish(lane_subject(lane), tick(ms), stream=lane_stream(lane), headers={"Nats-Msg-Id": second})
            lost = 0
        except Exception as error:  # log away: a missed tick is replaced by the next one
            lost += 1
            if lost in (1, 30):
                log.warning("no tick", error=str(error) or type(error).__name__)
            if lost % 10 == 0:
                with contextlib.suppress(Exception):
                    await ensure_lanes_async()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), TICK_S - time.time() % 1 + 0.005)
    await client.close()


def serve() -> None:
    """Run dispatcher, reconcilers and ticks until SIGTERM or SIGINT. Needs `setup` and `load_services`."""
    sys.setswitchinterval(SWITCH_S)
    dispatcher, runner = Dispatcher(), Runner()
    threads = [threading.Thread(target=part.run, name=name) for name, part in (("dispatch", dispatcher), ("reconcile", runner))]
    for thread in threads:
        thread.start()

    async def main() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        ticks = asyncio.create_task(tick_for_ever(stopping))
        announce_ready()
        await stopping.wait()
        leave_within(LEAVE_S)
        await asyncio.wait({ticks}, timeout=2)

    try:
        asyncio.run(main())
    finally:
        dispatcher.stop()
        runner.stop()
        for thread in threads:
            thread.join(8)
