"""The worker process: takes its fair share of the lanes, keeps them running, gives them up in order.

A lane belongs to the process that holds its advisory lock. Every worker holds a shared lock of its own kind, so that all
know how many are alive; each takes up to lanes / workers (rounded up) and gives back what is more. A killed worker's
connections end and with them its locks: another worker takes over within about a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from math import ceil, exp
from typing import Any

import psycopg
import structlog

from ..base import settings
from ..base.clock import now_ms
from ..base.errors import AnlanError
from ..collect import hours
from ..engines.beat import heartbeat
from ..engines.nats import connect_for_ever
from ..engines.processes import announce_ready
from . import warm
from .commit import ACTOR, KEEPALIVE, Committer, Fenced
from .foresight import Foresight
from .identity import LogReplaced
from .lane import Lane
from .puller import EngineAway
from .records import Predict
from .stage import detectors

log = structlog.get_logger("anlan.worker")
ALIVE_SPACE = 0x414E4C57  # shared advisory lock that every living worker holds
BEAT_S, AWAY_S = 0.5, 0.1  # between two beats; while the database is away
SETTINGS_S = 5.0  # how long being ready waits for the first settings
FLOOD_S = 3.0  # time constant of the mean rate that is held against HOT_INDEX_RATE


class Worker:
    """All lanes of this process."""

    def __init__(self, predict: Predict, database_url: str = "", nats_url: str = ""):
        self.url = database_url or settings.get("DATABASE_URL")
        self.nats_url = nats_url
        self.lanes: dict[int, asyncio.Task[None]] = {}
        self.running: dict[int, Lane] = {}
        self.judges = detectors()
        self.foresight = Foresight(self.url, predict)
        self._stop = asyncio.Event()
        self._control: psycopg.Connection[Any] | None = None
        self._hour = self._last_rows = 0
        self._last_beat = time.monotonic()
        self._rate, self._flood = 0.0, False
        self._ready = False
        self._began = time.monotonic()

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT (or `stop`)."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(name, self.stop)
        beats = loop.create_task(heartbeat())
        self.client = await connect_for_ever(self.nats_url, "anlan-worker", disconnected_cb=self._log_went, pending_size=64 * 1024 * 1024)
        while not self._stop.is_set():
            pause = BEAT_S
            try:
                alive = await asyncio.to_thread(self._beat)
                await self._share(alive)
            except psycopg.Error as error:
                log.warning("database away", error=_line(error))
                self._control, pause = None, AWAY_S
            else:
                self._tell_ready()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)
        beats.cancel()
        await asyncio.gather(*(self._give_up(lane) for lane in list(self.lanes)))
        await asyncio.to_thread(self.foresight.close)
        await self.client.close()
        if self._control:
            self._control.close()

    def stop(self) -> None:
        """Ask `run` to end in order: last batch, snapshots, locks."""
        self._stop.set()

    async def _log_went(self) -> None:
        for lane in self.running.values():
            if lane.puller:
                lane.puller.fail(EngineAway("NATS", "connection lost"))

    # -- sharing ---------------------------------------------------------------------------------------------------

    def _beat(self) -> int:
        """Once in half a second, in a thread: how many workers live; partitions, indexes, live flags."""
        if self._control is None or self._control.closed:
            self._control = psycopg.connect(self.url, autocommit=True, connect_timeout=3, application_name="anlan-worker", **KEEPALIVE)
            self._control.execute("select pg_advisory_lock_shared(%s, 0)", (ALIVE_SPACE,))
        run = self._control.execute
        now = now_ms()
        if now // hours.HOUR_MS != self._hour:
            hours.ensure_hours(self._control, now, indexed=not self._flood)
            self._hour = now // hours.HOUR_MS
        self._watch_rate()
        self._mark_live()
        row = run(
            "select count(*) from pg_locks where locktype = 'advisory' and classid = %s and objid = 0 and granted "
            "and database = (select oid from pg_database where datname = current_database())",
            (ALIVE_SPACE,),
        ).fetchone()
        return int(row[0]) if row else 1

    async def _share(self, alive: int) -> None:
        lanes = settings.get("LANES")
        share = ceil(lanes / max(alive, 1))
        for lane in [lane for lane, task in self.lanes.items() if task.done()]:
            del self.lanes[lane]
        for lane in sorted(self.lanes)[share:]:
            log.info("giving a lane to another worker", lane=lane)
            await self._give_up(lane)
        for lane in range(lanes):
            if len(self.lanes) >= share:
                break
            if lane not in self.lanes and (committer := await asyncio.to_thread(self._take, lane)):
                self.lanes[lane] = asyncio.create_task(self._run_lane(lane, committer))

    def _take(self, lane: int) -> Committer | None:
        committer = Committer(self.url, lane, self.judges)
        if committer.lock():
            return committer
        committer.close()
        return None

    async def _run_lane(self, lane: int, committer: Committer) -> None:
        """One holding of a lane; ends (and frees the lane) on any error of the database."""
        work = self.running[lane] = Lane(self.client, lane, committer, self.judges, self.foresight)
        try:
            await work.run()
        except (psycopg.Error, Fenced, LogReplaced) as error:
            log.warning("lane interrupted", lane=lane, error=_line(error))
        except Exception:
            log.exception("lane failed", lane=lane)
            await asyncio.sleep(1)
        finally:
            self.running.pop(lane, None)
            await asyncio.to_thread(work.close)

    async def _give_up(self, lane: int) -> None:
        task = self.lanes.pop(lane)
        if lane in self.running:
            await self.running[lane].stop()
        await asyncio.wait([task], timeout=20)

    # -- side work -------------------------------------------------------------------------------------------------

    def _watch_rate(self) -> None:
        """Keep the mean rate of the last seconds; drop the hot indexes while it is a flood."""
        rows, now = sum(lane.rows for lane in list(self.running.values())), time.monotonic()
        passed = max(now - self._last_beat, 0.1)
        rate = max(rows - self._last_rows, 0) / passed
        self._last_rows, self._last_beat = rows, now
        self._rate += (rate - self._rate) * (1 - exp(-passed / FLOOD_S))
        flood = self._rate > settings.get("HOT_INDEX_RATE")
        if flood and self._control and (dropped := hours.drop_hot_indexes(self._control)):
            log.info("hot hours go without index", rate=round(self._rate), dropped=dropped)
        self._flood = flood

    def _mark_live(self) -> None:
        """Stations that report for the first time become live in the register."""
        for lane in list(self.running.values()):
            numbers = list(lane.begun)
            if not numbers or self._control is None:
                continue
            with self._control.transaction():
                self._control.execute(f"set local lock_timeout = '500ms'; select set_config('anlan.actor', '{ACTOR}', true)")
                self._control.execute("update register_station set live = true where number = any(%s) and not live", (numbers,))
            lane.begun.difference_update(numbers)

    def _tell_ready(self) -> None:
        """Once: all lanes of this worker's share are held and replayed."""
        held = [self.running.get(lane) for lane in self.lanes]
        if self._ready or not all(lane is not None and lane.replayed.is_set() for lane in held):
            return
        settled = all(lane is not None and lane.stage.table.version for lane in held)
        if not settled and time.monotonic() - self._began < SETTINGS_S:
            return  # the desk is about to announce the lanes' settings
        self._ready = True
        log.info("worker ready", lanes=sorted(self.running))
        announce_ready(lanes=sorted(self.running))


def _line(error: Exception) -> str:
    return (error.en if isinstance(error, AnlanError) else str(error).strip()).splitlines()[0] if str(error).strip() else repr(error)


def main(predict: Predict) -> int:
    """Run a worker until it is told to stop."""
    warm.ready()
    with asyncio.Runner() as runner:
        runner.run(Worker(predict).run())
    return 0
