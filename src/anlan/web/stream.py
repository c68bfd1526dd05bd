"""The live stream's hub: new outbox rows and changed values, from PostgreSQL to every open browser.

One connection LISTENs, one reads rows, one reads latest values (only while somebody watches). An
event comes with the announcement of its commit (one too long for that is read by its id), is made into bytes once,
and given to every client whose area it lies in. When the database goes, clients hear ``event: stale`` and the hub
reconnects, then catches up from the outbox; clients drop repeats by id.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import orjson
import psycopg
from prometheus_client import Counter, Gauge

from ..base.clock import now_ms, story_speed
from ..collect.store import Latest
from ..engines.outbox import announced
from ..register.scope import Asker
from .latest import changed, join, take, within
from .stations import TABLE_SQL, StationTable, table_of

log = logging.getLogger("anlan.web.stream")
CLIENTS = Gauge("anlan_web_stream_clients", "open event streams")
SENT = Counter("anlan_web_stream_events", "events read from the outbox for the streams")
DROPPED = Counter("anlan_web_stream_dropped", "streams closed because the client was too slow")

QUEUE = 1000  # events a client may lag before it is closed (it resumes with Last-Event-ID)
OVERLAP_IDS, OVERLAP_S = 1000, 60  # how far back a resume looks for rows that committed out of order
REPLAY = 2000  # events a resume sends at most; beyond it the client is told to reload
VALUES_S = 2.0
MOST_VALUES = 5000  # rows of one `values` event
SHORT = {"t": "station", "q": "quantity", "v": "value", "at_ms": "time_ms", "quality": "quality", "grade": "grade", "silent": "silent"}
RETRY_S = (0.5, 1, 2, 5)
_KEEP: dict[str, Any] = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "connect_timeout": 5}
_ROW = "select id, type, subject, division_code, payload::text, payload->>'person', created_at from engines_outbox "


def frame(event: str, data: Any, number: int | None = None) -> bytes:
    """One server-sent event."""
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {event}\ndata: ".encode() + orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z) + b"\n\n"


class Client:
    """One open stream: what its person may see, and what waits to be sent."""

    def __init__(self, asker: Asker):
        self.asker = asker
        self.queue: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(QUEUE)
        self.closed = False
        self.values_waiting = False

    def sees(self, division: str, person: str | None) -> bool:
        """Whether an event of this area, or about this person, is for them."""
        if person is not None and person == self.asker.person_id:
            return True
        if not division:
            return "" in self.asker.scopes or "admin" in self.asker.rights
        return division.startswith(self.asker.scopes) if self.asker.scopes else False

    def put(self, number: int, data: bytes) -> None:
        """Queue a frame (`number` 0 for what has no id); a client that is too slow is closed."""
        if self.closed:
            return
        try:
            self.queue.put_nowait((number, data))
        except asyncio.QueueFull:
            self.closed = True
            DROPPED.inc()


class Hub:
    """All streams of this process. `run()` is its life; `join`/`leave` are called by `asgi`."""

    def __init__(self, database_url: str):
        self.url = database_url
        self.clients: set[Client] = set()
        self.live = False
        self.last_id = -1  # not yet known
        self._notes: list[str] = []
        self._wake = asyncio.Event()
        self._ids: list[int] = []
        self._failed: Exception | None = None
        self._reader: psycopg.AsyncConnection[Any] | None = None
        self._reading = asyncio.Lock()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin listening (inside a running loop)."""
        self._tasks = [asyncio.create_task(self._run(self._listen, "listen")), asyncio.create_task(self._run(self._values, "values"))]

    async def stop(self) -> None:
        """Close every stream and connection."""
        self.close_clients()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def close_clients(self) -> None:
        """Tell every open stream to end (browsers reconnect by themselves)."""
        self._stopping = True
        for client in self.clients:
            client.closed = True
            with suppress(asyncio.QueueFull):
                client.queue.put_nowait((0, b"retry: 1000\n\n"))

    # joining

    async def join(self, client: Client, last: int | None) -> None:
        """Add a stream; with `last` the rows after it are queued first (with an overlap)."""
        self.clients.add(client)
        CLIENTS.set(len(self.clients))
        client.put(0, b"retry: 1000\n\n" + frame("hello", {"live": self.live, "last": max(self.last_id, 0)}))
        if last is None or self._reader is None:
            if not self.live:
                client.put(0, frame("stale", {"retry_ms": int(RETRY_S[0] * 1000)}))
            return
        try:
            await self._replay(client, last)
        except psycopg.Error as error:
            log.warning("resume failed: %s", error)
            client.put(0, frame("reset", {"reason": "resume failed"}))

    async def _replay(self, client: Client, last: int) -> None:
        rows = await self._fetch(
            _ROW + "where id > %s and (id > %s or created_at > (select max(created_at) from engines_outbox where id <= %s) - "
            "make_interval(secs => %s)) order by id limit %s",
            [last - OVERLAP_IDS, last, last, OVERLAP_S, REPLAY + 1],
        )
        if len(rows) > REPLAY or last > max(self.last_id, rows[-1][0] if rows else 0):
            client.put(0, frame("reset", {"reason": "too far behind", "last": self.last_id}))
            return
        for row in rows:
            if client.sees(row[3], row[5]):
                client.put(row[0], _event(row))

    def leave(self, client: Client) -> None:
        """Forget a stream."""
        self.clients.discard(client)
        CLIENTS.set(len(self.clients))

    def tell(self, data: bytes) -> None:
        """Give a frame without id to everybody."""
        for client in list(self.clients):
            client.put(0, data)

    # the database side

    async def _run(self, part: Callable[[], Any], name: str) -> None:
        tries = 0
        while not self._stopping:
            began = time.monotonic()
            try:
                await part()
            except asyncio.CancelledError:
                raise
            except (psycopg.Error, OSError, ValueError) as error:
                log.warning("stream %s lost the database: %s", name, str(error).strip().splitlines()[:1])
            if time.monotonic() - began > 10:
                tries = 0
            wait = RETRY_S[min(tries, len(RETRY_S) - 1)]
            tries += 1
            if name == "listen":
                self.live, self._reader = False, None
                self.tell(frame("stale", {"retry_ms": int(wait * 1000)}))
            await asyncio.sleep(wait)

    async def _fetch(self, sql: str, values: list[Any]) -> list[Any]:
        if self._reader is None:
            raise psycopg.OperationalError("no connection")
        async with self._reading:
            cursor = await self._reader.execute(sql, values)
            return await cursor.fetchall()

    async def _listen(self) -> None:
        listener = await psycopg.AsyncConnection.connect(self.url, autocommit=True, application_name="anlan-web-listen", **_KEEP)
        reader = await psycopg.AsyncConnection.connect(self.url, autocommit=True, application_name="anlan-web-events", **_KEEP)
        loop = asyncio.get_running_loop()
        descriptor = listener.fileno()
        try:
            await listener.execute("listen anlan_event")
            self._reader, self._failed = reader, None
            loop.add_reader(descriptor, self._readable, listener)
            self._readable(listener)  # what libpq has taken in already
            await self._catch_up()
            self.live = True
            self.tell(frame("live", {"last": self.last_id}))
            self._take()
            while True:
                await self._pump()
        finally:
            loop.remove_reader(descriptor)
            self._reader = None
            await asyncio.gather(listener.close(), reader.close(), return_exceptions=True)

    def _readable(self, listener: psycopg.AsyncConnection[Any]) -> None:
        try:
            listener.pgconn.consume_input()
            while (note := listener.pgconn.notifies()) is not None:
                self._notes.append(note.extra.decode())
        except psycopg.Error as error:
            self._failed = error
        if self.live and not self._failed:
            self._take()
        if self._ids or self._failed:
            self._wake.set()

    def _take(self) -> None:
        """Give on what the announcements bring; those without their event leave its number to be read."""
        notes, self._notes = self._notes, []
        rows = []
        for number, columns in map(announced, notes):
            self.last_id = max(self.last_id, number)
            if not self.clients:
                continue
            if columns is None:
                self._ids.append(number)
            else:
                subject, division, payload = columns["subject"], columns["division_code"], columns["payload"]
                rows.append((number, columns["type"], subject, division, payload, payload.get("person"), columns["at"]))
        self._fan_out(rows)

    async def _pump(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), 15)
        except TimeoutError:
            await self._fetch("select 1", [])  # notices a dead connection
            return
        self._wake.clear()
        if self._failed is not None:
            raise self._failed
        ids, self._ids = self._ids, []
        if ids:
            self._fan_out(await self._fetch(_ROW + "where id = any(%s) order by id", [ids]))

    async def _catch_up(self) -> None:
        newest = (await self._fetch("select coalesce(max(id), 0) from engines_outbox", []))[0][0]
        if self.last_id >= 0 and self.clients:
            rows = await self._fetch(_ROW + "where id > %s order by id limit %s", [self.last_id - OVERLAP_IDS, REPLAY + OVERLAP_IDS])
            if newest - self.last_id > REPLAY:
                self.tell(frame("reset", {"reason": "too far behind", "last": newest}))
            else:
                self._fan_out(rows)
        self.last_id = max(newest, self.last_id) if newest >= self.last_id - OVERLAP_IDS else newest

    def _fan_out(self, rows: list[Any]) -> None:
        for row in rows:
            data = _event(row)
            SENT.inc()
            for client in list(self.clients):
                if client.sees(row[3], row[5]):
                    client.put(row[0], data)

    # live values

    async def _values(self) -> None:
        while not self.clients:
            await asyncio.sleep(VALUES_S)
            if self._stopping:
                return
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True, application_name="anlan-web-values", **_KEEP) as reader:
            watch = _Watch(reader)
            idle = 0
            while idle < 30 and not self._stopping:
                await asyncio.sleep(VALUES_S)
                idle = 0 if self.clients else idle + 1
                if self.clients:
                    await self._send_values(watch)

    async def _send_values(self, watch: _Watch) -> None:
        fresh = await watch.step()
        if fresh is None or not len(fresh):
            return
        made: dict[tuple[str, ...], bytes] = {}
        for client in list(self.clients):
            if client.queue.qsize() > QUEUE // 2:
                continue  # values can be skipped, events cannot
            scopes = client.asker.scopes
            if scopes not in made:
                made[scopes] = watch.frame(fresh, scopes)
            if made[scopes]:
                client.put(0, made[scopes])


class _Watch:
    """What the last look at the latest values saw."""

    def __init__(self, reader: psycopg.AsyncConnection[Any]):
        self.reader = reader
        self.written: dict[int, int] = {}
        self.blocks: dict[int, Latest] = {}
        self.table: StationTable | None = None
        self.table_at = -1e9
        self.first = True

    async def step(self) -> Latest | None:
        """Rows that changed since the last step; None for the first (browsers have just fetched it all)."""
        await self._refresh_table()
        cursor = await self.reader.execute("select partition, written_ms from collect_latestblock")
        stale = [p for p, written in await cursor.fetchall() if self.written.get(p) != written]
        if not stale:
            return None
        binary = self.reader.cursor(binary=True)
        await binary.execute("select partition, written_ms, data from collect_latestblock where partition = any(%s)", [stale])
        fresh = []
        for partition, written, data in await binary.fetchall():
            block = Latest.from_bytes([data])
            fresh.append(take(block, changed(block, self.blocks.get(partition))))
            self.written[partition], self.blocks[partition] = written, block
        first, self.first = self.first, False
        return None if first else join(fresh)

    async def _refresh_table(self) -> None:
        if time.monotonic() - self.table_at < 30:
            return
        binary = self.reader.cursor(binary=True)
        await binary.execute(TABLE_SQL)
        self.table, self.table_at = table_of(await binary.fetchone(), ""), time.monotonic()

    def frame(self, fresh: Latest, scopes: tuple[str, ...]) -> bytes:
        """The `values` event for these scopes; empty when nothing of it is theirs."""
        table = self.table
        if table is None:
            return b""
        at, known = table.positions(fresh.station)
        mine = take(fresh, known & within(table.division[at], scopes) if len(table.number) else known)
        if not len(mine):
            return b""
        total = len(mine)
        if total > MOST_VALUES:  # graded and silent rows first, then the newest
            order = np.lexsort((-mine.time_ms, -mine.silent.astype(np.int8), -mine.grade))[:MOST_VALUES]
            mine = take(mine, order)
        clock = {"now_ms": now_ms(), "speed": story_speed()}
        columns = {short: np.ascontiguousarray(getattr(mine, name)) for short, name in SHORT.items()}
        return frame("values", {**columns, "changed": total, "sent": len(mine), "clock": clock})


def _event(row: Any) -> bytes:
    number, event_type, subject, division, payload, _, at = row
    body = orjson.Fragment(payload.encode()) if isinstance(payload, str) else payload
    data = {"subject": subject, "payload": body, "division_code": division, "at": at}
    return frame(event_type, data, number)
