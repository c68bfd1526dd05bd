"""One lane's transactions: rows, findings, letters, latest values, snapshots and the cursor commit together or not at all.

The fence: the cursor moves from exactly the sequence this worker last saw there. When it does not (`Fenced`), another
worker has the lane, or the database forgot what it had not yet written before a crash: the lane starts again from its
snapshots. Runs in a thread; psycopg errors are the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg

from ..base.block import ReadingBlock
from ..base.clock import from_ms, now_ms
from ..base.errors import AnlanError
from ..collect import store
from ..engines import conditions
from ..engines.memory import give_back
from . import arrays, config, records
from .contract import Detector, SeriesTable
from .identity import Standing, Verdict
from .stage import Raised

LOCK_SPACE = 0x414E4C
ACTOR = "system:worker"
_MOVE = "update collect_lanecursor set seq = %s where lane = %s and seq = %s"
_MOVE_AND_MARK = "update collect_lanecursor set seq = %s, mark_seq = %s, mark_ns = %s where lane = %s and seq = %s"
_SNAPSHOT = (
    "insert into detect_snapshot (partition, lane, seq, config_version, data) values (%s, %s, %s, %s, %s) "
    "on conflict (partition) do update set lane = excluded.lane, seq = excluded.seq, "
    "config_version = excluded.config_version, data = excluded.data"
)


class Fenced(AnlanError):
    """The lane's cursor is not where this worker left it."""

    def __init__(self, lane: int, seq: int):
        super().__init__(
            "detect.fenced",
            f"车道 {lane} 的游标不在 {seq}：另一工作进程已接管，或数据库回退到崩溃前；从快照重新开始。",
            f"lane {lane}: the cursor is not at {seq}: another worker took over, or the database went back to before a crash; "
            "the lane starts again from its snapshots.",
            retry=True,
        )


@dataclass(slots=True)
class Snapshot:
    """State of a partition after message `seq`, copied and not yet compressed."""

    partition: int
    seq: int
    data: bytes


@dataclass(slots=True)
class Batch:
    """What one transaction stores: everything that messages up to `seq` brought."""

    seq: int
    table: SeriesTable
    blocks: list[ReadingBlock] = field(default_factory=list)
    raised: list[Raised] = field(default_factory=list)
    letters: list[records.Letter] = field(default_factory=list)
    latest: list[tuple[int, bytes]] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    mark: tuple[int, int] = (0, 0)  # sequence of the last message and when the log stored it (ns); see `identity`
    partitions: list[int] | None = None  # set: these are all there are now; snapshots and latest of others go

    def urgent(self) -> bool:
        """Whether somebody waits for it: a finding, a letter, a change of settings."""
        return bool(self.raised or self.letters or self.snapshots or self.partitions is not None)

    def matters(self) -> bool:
        """Whether anything but the cursor would be written."""
        return bool(self.blocks or self.raised or self.letters or self.latest or self.snapshots or self.partitions is not None)


@dataclass(slots=True)
class Restored:
    """Where a lane stands in the database."""

    known: Standing
    table: SeriesTable
    snapshots: list[tuple[int, int, bytes]]  # partition, seq, data; by seq


class Committer:
    """The database side of one lane, on its own connection, which also holds the lane's advisory lock."""

    def __init__(self, url: str, lane: int, judges: list[Detector]):
        self.lane, self.judges = lane, {judge.name: judge for judge in judges}
        self.connection = psycopg.connect(url, autocommit=True, connect_timeout=3, application_name=f"anlan-lane-{lane}", **KEEPALIVE)
        self.connection.execute("set synchronous_commit = off; set jit = off")
        self.cursor_seq = 0

    def lock(self) -> bool:
        """Try to become the lane's owner; the lock ends with the connection."""
        row = self.connection.execute("select pg_try_advisory_lock(%s, %s)", (LOCK_SPACE, self.lane)).fetchone()
        return row == (True,)

    def restore(self) -> Restored:
        """Cursor, settings and snapshots of the lane."""
        self.connection.execute("insert into collect_lanecursor (lane, seq) values (%s, 0) on conflict do nothing", (self.lane,))
        known = self.standing()
        self.cursor_seq = known.cursor
        rows = self.connection.execute(
            "select partition, seq, data, config_version from detect_snapshot where lane = %s order by seq, partition",
            (self.lane,),
            binary=True,
        ).fetchall()
        version = max((r[3] for r in rows), default=0)
        table = config.load(self.connection, self.lane, version) if version else arrays.empty_table()
        if table is None:
            table, rows = arrays.empty_table(), []
        return Restored(known, table, [(r[0], r[1], bytes(r[2])) for r in rows if r[3] == version])

    def standing(self) -> Standing:
        """The cursor, and which log it was counted in."""
        sql = "select seq, log, mark_seq, mark_ns from collect_lanecursor where lane = %s"
        row = self.connection.execute(sql, (self.lane,)).fetchone()
        return Standing(*row) if row else Standing(0)

    def adopt(self, verdict: Verdict) -> None:
        """Go on in another log from ``verdict.resume`` on, keeping all state; a first log is only noted."""
        run, lost = self.connection.execute, not verdict.same
        with self.connection.transaction():
            run(
                "update collect_lanecursor set seq = %s, log = %s, mark_seq = case when %s then 0 else mark_seq end where lane = %s",
                (verdict.resume, verdict.log, lost, self.lane),
            )
            if lost:
                run("update detect_snapshot set seq = %s where lane = %s", (verdict.resume, self.lane))
                zh, en = _lost(self.lane, self.cursor_seq, verdict)
                conditions.say(run, "detect.log_lost", zh, en, from_ms(now_ms()), str(self.lane))
        self.cursor_seq = verdict.resume

    def missed(self, first: int, last: int) -> None:
        """Messages that were answered are no longer in the log and were never worked: people must know."""
        zh = f"车道 {self.lane} 的消息 {first}–{last} 在研判前已从日志中消失，其中读数丢失。请检查 NATS 磁盘与 ANLAN_LOG_GB/LOG_HOURS。"
        en = (
            f"messages {first}-{last} of lane {self.lane} went from the log before they were worked: their readings are lost. "
            "Check the disk of NATS, ANLAN_LOG_GB and ANLAN_LOG_HOURS."
        )
        with self.connection.transaction():
            conditions.say(self.connection.execute, "detect.log_missed", zh, en, from_ms(now_ms()), f"{self.lane}:{last}")

    def commit(self, batch: Batch) -> None:
        """Store the batch; Fenced when the cursor is elsewhere. On any error the connection is not used again.

        Four answers are waited for: the cursor's with all that must be known, two of COPY, and COMMIT's with all other writes.
        """
        snapshots = [(s.partition, s.seq, arrays.compressed(s.data)) for s in batch.snapshots]
        copied = store.copy_bytes(ReadingBlock.concat(batch.blocks)) if batch.blocks else b""
        where = self._begin(batch)
        if copied:
            with self.connection.cursor().copy(store.COPY_IN) as copy:
                copy.write(copied)
        with self.connection.pipeline():
            self._write(batch, where, snapshots)
            self.connection.execute("commit")
        self.cursor_seq = batch.seq
        if batch.partitions is not None:  # a table went and another came
            batch.snapshots, snapshots = [], []
            give_back()

    def _begin(self, batch: Batch) -> dict[int, records.Place]:
        """Open the transaction, move the cursor; the places of what was raised."""
        run = self.connection.execute
        with self.connection.pipeline():
            run("begin")
            if batch.raised or batch.letters:
                run("select set_config('synchronous_commit', 'on', true), set_config('anlan.actor', %s, true)", (ACTOR,), prepare=True)
            marked = batch.mark[0] == batch.seq
            values = (batch.seq, *(batch.mark if marked else ()), self.lane, self.cursor_seq)
            moved = run(_MOVE_AND_MARK if marked else _MOVE, values, prepare=True)
            found = records.places(self.connection, [r.station for r in batch.raised])
        if moved.rowcount != 1:
            run("rollback")
            raise Fenced(self.lane, self.cursor_seq)
        return found

    def _write(self, batch: Batch, where: dict[int, records.Place], snapshots: list[tuple[int, int, bytes]]) -> None:
        """Everything of the batch but its readings."""
        run, now = self.connection.execute, from_ms(now_ms())
        if batch.raised:
            records.write_findings(self.connection, batch.raised, self.judges, batch.table, now, where)
        if batch.letters:
            records.write_letters(self.connection, self.lane, batch.letters, now)
        store.write_latest(self.connection.cursor(), batch.latest, now_ms())
        if batch.partitions is not None:
            run("delete from detect_snapshot where lane = %s and not partition = any(%s)", (self.lane, batch.partitions))
        for partition, seq, data in snapshots:
            run(_SNAPSHOT, (partition, self.lane, seq, batch.table.version, data), binary=True)

    def close(self) -> None:
        """Give the lane up."""
        self.connection.close()


def _lost(lane: int, cursor: int, verdict: Verdict) -> tuple[str, str]:
    return (
        f"车道 {lane} 的消息日志已丢失或被替换（原游标 {cursor}，现有 {verdict.first}–{verdict.last}），已从 {verdict.resume + 1} 继续。"
        "此前已确认而未入库的读数可能丢失；请查明 NATS 数据目录的变动。",
        f"the message log of lane {lane} was lost or replaced (the cursor was {cursor}, the log holds {verdict.first}-{verdict.last}); "
        f"work goes on from {verdict.resume + 1}. Readings answered but not yet stored may be lost; find out what happened to the data "
        "folder of NATS.",
    )


KEEPALIVE: dict[str, Any] = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2}
