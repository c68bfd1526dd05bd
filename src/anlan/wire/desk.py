"""The desk process: event handlers, reconcilers, and the ticks that move time in the lanes.

In: the outbox and the clock. Out: handlers' effects, reconcilers' effects, one tick a second in every
lane. Any number of desks may run; one dispatches and ticks, each reconciler runs on one of them, and a second desk's
ticks (while the database is away) do no harm: a tick carries the time, the log drops those with the same id.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable

import orjson
import structlog
from django.db import transaction
from nats.js import JetStreamContext

from ..base import settings as conf
from ..base.clock import ClockWatch, SystemClock, machine_ms, now_ms
from ..base.errors import EngineAway
from ..engines import conditions
from ..engines.beat import heartbeat
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


async def tick_for_ever(stopping: asyncio.Event, ticks_here: Callable[[], bool], watch: ClockWatch) -> None:
    """Publish a tick to each lane each second while `ticks_here` says so; the id is the second, so that two desks make one tick.

    A clock set back goes on in the ticks by the old time until `watch` believes the new one; ids then differ from the old ones.
    """
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
        step = watch.look()
        if step:
            log.error("the machine's clock has stepped", ms=step)
            await asyncio.to_thread(tell_step, step)
        if not ticks_here():
            await wait_second(stopping)
            continue
        ms = now_ms() + watch.lag_ms
        try:
            await asyncio.gather(*(publish(stream, lane, ms, watch.epoch) for lane in lanes))
            lost = 0
        except Exception as error:  # log away: a missed tick is replaced by the next one
            lost += 1
            if lost in (1, 30):
                log.warning("no tick", error=str(error) or type(error).__name__)
            if lost % 3 == 0:
                with contextlib.suppress(Exception):
                    await ensure_lanes_async()
        await wait_second(stopping)
    await client.close()


async def publish(stream: JetStreamContext, lane: int, ms: int, epoch: int) -> None:
    """One lane's tick; the log drops a second one of the same second and clock `epoch`."""
    second = f"tick-{lane}-{ms // 1000}" + (f"-{epoch}" if epoch else "")
    await stream.publish(lane_subject(lane), tick(ms), stream=lane_stream(lane), headers={"Nats-Msg-Id": second})


async def wait_second(stopping: asyncio.Event) -> None:
    """Until the next full second (or the stop)."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), TICK_S - machine_ms() % 1000 / 1000 + 0.005)


def tell_step(ms: int) -> None:
    """Put the step of the clock on the screens (until an administrator has seen to it)."""
    from django.db import Error, connection

    seconds, trust = abs(ms) / 1000, float(conf.get("CLOCK_TRUST_S")) / 60
    ahead = f"服务器时钟突然前跳 {seconds:.0f} 秒：期限会提前到点，设备失联从现在重新计时。请核对 NTP。"
    back = f"服务器时钟被回拨 {seconds:.0f} 秒：读数与研判仍按原时间走 {trust:.0f} 分钟，期限相应推迟。请核对 NTP。"
    ahead_en = f"the server's clock jumped {seconds:.0f} s forward: deadlines fall early, waits for silent devices begin anew. Check NTP."
    back_en = (
        f"the server's clock was set back {seconds:.0f} s: readings go by the old time {trust:.0f} min, deadlines fall late. Check NTP."
    )
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            conditions.say(cursor.execute, "engines.clock", ahead if ms > 0 else back, ahead_en if ms > 0 else back_en, SystemClock().now())
    except Error as error:
        log.warning("the step could not be stored", error=str(error).strip())
    finally:
        connection.close()


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
        ticks = asyncio.create_task(tick_for_ever(stopping, lambda: not dispatcher.standby, ClockWatch()))
        beats = asyncio.create_task(heartbeat(lambda: all(thread.is_alive() for thread in threads)))
        announce_ready()
        await stopping.wait()
        leave_within(LEAVE_S)
        beats.cancel()
        await asyncio.wait({ticks}, timeout=2)

    try:
        asyncio.run(main())
    finally:
        dispatcher.stop()
        runner.stop()
        for thread in threads:
            thread.join(8)
