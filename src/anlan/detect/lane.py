"""One lane of the log, worked by this process: restore, replay to the cursor, then batch after batch.

Messages are judged as they come. What somebody waits for (a finding, a letter, new settings) commits at once, in a thread while the
next messages are judged; plain readings wait `HOLD_S` for company, because a transaction costs more than the readings in it.
Errors of the database end `run` (the worker starts the lane again from its snapshots); errors of the log only open a
new pull at the next message, the batch in hand stays.
"""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from ..base.block import MAGIC, ReadingBlock
from ..base.errors import AnlanError, EngineAway
from ..engines.nats import lane_subject
from . import config
from .commit import Batch, Committer, Snapshot
from .contract import Detector
from .foresight import Foresight
from .identity import LogReplaced, Standing, judge
from .overrule import ruling_of
from .puller import LogGap, Puller
from .records import Letter
from .stage import Outcome, Stage

log = structlog.get_logger("anlan.lane")
SNAPSHOT_EVERY_S = 0.25  # at most one partition in this time
SNAPSHOT_MESSAGES = 2_000  # a partition is due when a replay would be this long,
SNAPSHOT_ROWS = 1_000_000  # or have so many rows,
SNAPSHOT_AGE_S = 60.0  # or be this old
LATEST_S = 1.0  # latest values of a partition are written at most this often, two partitions a transaction
CURSOR_S = 5.0  # the cursor alone (only ticks came) is written this often
HOLD_ROWS = 20_000  # no gathering beyond this: under load transactions are large anyway
HOLD_S = 0.05  # plain readings gather this long before they are written; they are in the log, and nobody waits for them
PUT_OFF_S = 2.0  # latest values and snapshots wait for a transaction without findings, but never longer
CONFIG_TRIES = 10  # the announcement may be faster than the commit of another desk
NUMBERS = {"tick": "now_ms", "config": "version"}  # the number each control message carries
BATCH_BYTES = 4 * 1024 * 1024  # about 180,000 readings


class Lane:
    """The work on one lane; `replayed` is set when it has caught up with its cursor."""

    def __init__(self, client: Any, lane: int, committer: Committer, judges: list[Detector], foresight: Foresight):
        self.client, self.lane, self.committer, self.foresight = client, lane, committer, foresight
        self.stage: Stage
        self.judges = judges
        self.replayed = asyncio.Event()
        self.stopping = False
        self.rows = 0  # stored by this process
        self.begun: set[int] = set()  # stations that reported for the first time; the worker marks them live
        self.seq = 0  # last message judged
        self.puller: Puller | None = None
        self._batch: Batch | None = None  # judged, not yet submitted
        self._batch_at = 0.0  # when its first message was taken
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"lane-{lane}")
        self._due: dict[int, tuple[int, int, float]] = {}  # partition -> seq, rows, time of its snapshot
        self._dirty: dict[int, float] = {}  # partition -> when its latest block was last written
        self._touched: set[int] = set()
        self._frozen: set[int] = set()  # partitions whose snapshot the replay has not yet reached
        self._last_snapshot = self._last_commit = self._last_plain = 0.0

    # -- life ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until `stop`; raises when the database goes or the lane is fenced off."""
        loop = asyncio.get_running_loop()
        restored = await loop.run_in_executor(self._thread, self.committer.restore)
        lost = await self._check_log(restored.known)
        cursor = self.committer.cursor_seq
        self.stage = Stage(restored.table, self.judges)
        waiting = [(cursor if lost else min(seq, cursor), partition, data) for partition, seq, data in restored.snapshots]
        self.seq = waiting[0][0] if waiting else cursor if lost else 0
        for seq, partition, _ in waiting:
            self._due[partition] = (seq, 0, time.monotonic())
        if lost:
            await self._tell_settings()
        broken = False
        while not self.stopping:
            self.puller = Puller(self.client, self.lane, self.seq + 1)
            try:
                if broken:
                    await self._same_log()
                broken = True
                await self.puller.open()
                await self._replay(waiting, cursor)
                self._frozen = set()
                if not self.replayed.is_set():
                    log.info("lane ready", lane=self.lane, cursor=cursor, series=len(self.stage.table))
                    self.begun |= set(self.stage.reported().tolist())
                    self.replayed.set()
                await self._work()
            except (LogGap, EngineAway) as error:
                log.warning("log interrupted", lane=self.lane, next=self.seq + 1, error=error.en)
                await asyncio.sleep(0.1)
            finally:
                await self.puller.close()
        await self._finish()

    async def stop(self) -> None:
        """Ask `run` to end after the batch in hand, with fresh snapshots."""
        self.stopping = True

    def close(self) -> None:
        """Release thread and connection (and with it the lane)."""
        self._thread.shutdown(wait=True)
        self.committer.close()

    async def _check_log(self, known: Standing) -> bool:
        """Whether the log is another one (or an older copy) than the cursor's; then its new messages are taken, with all state kept."""
        loop = asyncio.get_running_loop()
        while not self.stopping:
            try:
                verdict = await judge(self.client, self.lane, known)
            except EngineAway:
                await asyncio.sleep(0.2)
                continue
            if not verdict.same:
                log.error("the log was lost or replaced", lane=self.lane, cursor=known.cursor, resume=verdict.resume, last=verdict.last)
            if not verdict.same or not known.log:
                await loop.run_in_executor(self._thread, self.committer.adopt, verdict)
            return not verdict.same
        return False

    async def _same_log(self) -> None:
        """Before a new pull: when the log was replaced meanwhile, keep all state and start the lane anew (`LogReplaced`)."""
        known = await asyncio.get_running_loop().run_in_executor(self._thread, self.committer.standing)
        verdict = await judge(self.client, self.lane, known)
        if not verdict.same:
            if self.replayed.is_set():
                await self._finish()
            raise LogReplaced(self.lane)

    async def _tell_settings(self) -> None:
        """The newest settings may have been announced in the log that is gone: announce them in this one."""
        sql, loop = "select max(version) from detect_laneconfig where lane = %s", asyncio.get_running_loop()
        row = await loop.run_in_executor(self._thread, lambda: self.committer.connection.execute(sql, (self.lane,)).fetchone())
        if row and row[0]:
            await self.client.publish(lane_subject(self.lane), config.control("config", version=row[0]))

    # -- replay ----------------------------------------------------------------------------------------------------

    async def _replay(self, waiting: list[tuple[int, int, bytes]], cursor: int) -> None:
        """Judge again, without effect, what lies between the lowest snapshot and the cursor.

        Each partition's state is put in when the replay reaches its snapshot; what was computed for it before is void.
        """
        while True:
            while waiting and waiting[0][0] <= self.seq:
                _, partition, data = waiting.pop(0)
                self.stage.load(partition, data)
            if self.seq >= cursor or self.stopping:
                return
            assert self.puller is not None
            limit = min(waiting[0][0], cursor) if waiting else cursor
            messages = await self.puller.take(1.0, most=min(limit - self.seq, 400))
            within = [m for m in messages if m[0] <= limit]
            if len(within) < len(messages):
                log.error("the log no longer has all messages since the snapshot", lane=self.lane, wanted=self.seq + 1, has=messages[0][0])
                self.puller.put_back(messages[len(within) :])
            self._frozen = {partition for _, partition, _ in waiting}
            rest = within
            while rest:
                rest = await self._digest(rest, Batch(self.seq, self.stage.table), replay=True)
            if len(within) < len(messages):
                self.seq = limit
            await asyncio.sleep(0)

    # -- work ------------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Message after message; one commit is under way while the next batch is judged."""
        assert self.puller is not None
        under_way: asyncio.Future[None] | None = None
        try:
            while not self.stopping:
                messages = await self.puller.take(self._patience(), most_bytes=BATCH_BYTES)
                if messages and messages[0][0] > self.seq + 1:
                    await self._missed(messages[0][0] - 1)
                while True:
                    batch = self._open_batch()
                    messages = await self._digest(messages, batch)
                    if messages or batch.urgent() or not batch.matters() or self._patience() <= 0:
                        under_way = await self._submit(batch, under_way)
                    if not messages:
                        break
                if under_way is not None and under_way.done():
                    under_way.result()
                    under_way = None
        finally:
            if under_way is not None:
                await under_way

    async def _missed(self, last: int) -> None:
        log.error("the log no longer has messages that were not worked", lane=self.lane, first=self.seq + 1, last=last)
        await asyncio.get_running_loop().run_in_executor(self._thread, self.committer.missed, self.seq + 1, last)

    def _open_batch(self) -> Batch:
        """The batch in hand, or a new one."""
        if self._batch is None:
            self._batch, self._batch_at = Batch(self.seq, self.stage.table), time.monotonic()
        return self._batch

    def _patience(self) -> float:
        """Seconds until the batch in hand must be submitted."""
        if self._batch is None:
            return 1.0
        full = sum(map(len, self._batch.blocks)) >= HOLD_ROWS
        return 0.0 if full else max(self._batch_at + HOLD_S - time.monotonic(), 0.0)

    async def _submit(self, batch: Batch, under_way: asyncio.Future[None] | None) -> asyncio.Future[None] | None:
        now = time.monotonic()
        self._batch = None
        if not batch.raised or now - self._last_plain > PUT_OFF_S:  # what a siren waits for carries no other load
            self._add_latest(batch, now)
            self._add_snapshots(batch, now)
            self._last_plain = now
        if not batch.matters() and now - self._last_commit < CURSOR_S:
            return under_way
        if under_way is not None:
            await under_way
        self._last_commit = now
        batch.mark = self.puller.mark if self.puller else (0, 0)
        started = asyncio.get_running_loop().run_in_executor(self._thread, self.committer.commit, batch)
        return asyncio.ensure_future(started)

    async def _finish(self) -> None:
        """Last transaction: the cursor, all latest values, a snapshot of every partition."""
        await self.foresight.drained(self.lane)
        batch = self._open_batch()
        batch.latest = [(p, self.stage.latest(p).to_bytes()) for p in self.stage.partitions]
        batch.snapshots = [Snapshot(p, self.seq, self.stage.save(p)) for p in self.stage.partitions]
        await asyncio.get_running_loop().run_in_executor(self._thread, self.committer.commit, batch)

    def _add_latest(self, batch: Batch, now: float) -> None:
        due = [p for p in self._touched if now - self._dirty.get(p, 0.0) >= LATEST_S]
        for partition in sorted(due, key=lambda p: self._dirty.get(p, 0.0))[:2]:
            batch.latest.append((partition, self.stage.latest(partition).to_bytes()))
            self._dirty[partition] = now
            self._touched.discard(partition)

    def _add_snapshots(self, batch: Batch, now: float) -> None:
        if batch.snapshots or now - self._last_snapshot < SNAPSHOT_EVERY_S:
            return
        for partition in sorted(self.stage.partitions, key=lambda p: self._due.get(p, (0, 0, 0.0))[0]):
            seq, rows, at = self._due.get(partition, (0, 0, 0.0))
            old = self.seq - seq >= SNAPSHOT_MESSAGES or self.rows - rows >= SNAPSHOT_ROWS or now - at >= SNAPSHOT_AGE_S
            if old and seq < self.seq and not self.foresight.pending(self.lane, partition):
                self._snapshot(batch, partition, now)
                return

    def _snapshot(self, batch: Batch, partition: int, now: float) -> None:
        batch.snapshots.append(Snapshot(partition, self.seq, self.stage.save(partition)))
        self._due[partition] = (self.seq, self.rows, now)
        self._last_snapshot = now

    # -- messages --------------------------------------------------------------------------------------------------

    async def _digest(self, messages: list[tuple[int, bytes]], batch: Batch, *, replay: bool = False) -> list[tuple[int, bytes]]:
        """Judge messages into the batch; gives back those after a change of settings (which ends a batch)."""
        blocks: list[ReadingBlock] = []
        for i, (seq, data) in enumerate(messages):
            if data[:8] == MAGIC:
                try:
                    blocks.append(ReadingBlock.from_bytes(data))
                except AnlanError as error:
                    batch.letters.append(Letter(error.code, error.zh, error.en, payload=bytes(data)))
                batch.seq = self.seq = seq
                continue
            self._judge(blocks, batch, replay)
            blocks = []
            batch.seq = self.seq = seq
            if await self._control(data, batch, replay):
                return messages[i + 1 :]
        self._judge(blocks, batch, replay)
        return []

    def _judge(self, blocks: list[ReadingBlock], batch: Batch, replay: bool) -> None:
        if not blocks:
            return
        outcome = self.stage.step(blocks[0] if len(blocks) == 1 else ReadingBlock.concat(blocks))
        self._keep(outcome, batch, replay)
        if len(outcome.store) and not replay:
            batch.blocks.append(outcome.store)
            self.rows += len(outcome.store)
            self.begun |= set(outcome.begun.tolist())

    def _keep(self, outcome: Outcome, batch: Batch, replay: bool) -> None:
        self._touched.update(outcome.touched)
        self._touched.update(int(self.stage.table.partition[r.slot]) for r in outcome.raised)
        lookbacks = [b for b in outcome.lookbacks if int(self.stage.table.partition[b.slot]) not in self._frozen]
        if lookbacks:
            self.foresight.ask(self.lane, self.stage.table, lookbacks)
        if replay:
            return
        batch.raised += outcome.raised
        batch.letters += [
            Letter("detect.detector_failed", f"检测器 {name} 出错：{error}", f"detector {name} failed: {error}")
            for name, error in outcome.failed
        ]
        if len(outcome.unknown):
            numbers = ", ".join(str(n) for n in sorted(set(outcome.unknown.tolist()))[:10])
            batch.letters.append(
                Letter(
                    "detect.unknown_series",
                    f"测点编号 {numbers} 的读数已存储但未研判：名录中无此监测量或测点已停用。请在名录中登记或启用。",
                    f"readings of station numbers {numbers} are stored but not judged: no such series in the register, or the "
                    "station is disabled. Register or enable it.",
                    len(outcome.unknown),
                )
            )

    async def _control(self, data: bytes, batch: Batch, replay: bool) -> bool:
        """Obey a control message; true when the settings changed."""
        kind, number = "?", None
        try:
            message = json.loads(data[8:]) if data[:8] == config.CONTROL else {}
            kind = message.get("kind", "?")
            if kind == "overrule" and (outcome := self.stage.overrule(*ruling_of(message))) is not None:
                self._keep(outcome, batch, replay)
                return False
            number = int(message[NUMBERS[kind]])
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        if kind == "tick" and number is not None:
            self._keep(self.stage.tick(number), batch, replay)
            return False
        if kind == "config" and number is not None:
            return await self._configure(number, batch, replay)
        if not replay:
            batch.letters.append(
                Letter(
                    "detect.bad_message",
                    f"车道 {self.lane} 第 {self.seq} 条消息无法识别（{kind}），已跳过并保存。请检查是谁在向该流发布。",
                    f"message {self.seq} of lane {self.lane} is not known here ({kind}); skipped and kept. See who publishes there.",
                    payload=bytes(data),
                )
            )
        return False

    async def _configure(self, version: int, batch: Batch, replay: bool) -> bool:
        if version <= self.stage.table.version:
            return False
        await self.foresight.drained(self.lane)
        loop = asyncio.get_running_loop()
        for _ in range(CONFIG_TRIES):
            table = await loop.run_in_executor(self._thread, config.load, self.committer.connection, self.lane, version)
            if table is not None:
                break
            await asyncio.sleep(0.1)
        else:
            log.error("settings announced that are not in the database", lane=self.lane, version=version)
            return False
        self.stage.configure(table)
        log.info("settings taken", lane=self.lane, version=version, series=len(table), thresholds=len(table.thresholds.id))
        batch.table, batch.partitions = table, self.stage.partitions
        self._touched = set(self.stage.partitions)
        for partition in self.stage.partitions if not replay else []:
            self._snapshot(batch, partition, time.monotonic())
        return True
