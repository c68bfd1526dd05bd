"""Dead letters: what could not be taken, kept with its reason before the device is answered.

Letters of one (code, device, minute) are one row with a count, so a broken device cannot flood the
table. They are committed in groups; while the database is away they go to the spool on disk, and
from there into the database later. Each new row makes the event ``collect.letter.added``.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from ..base.clock import now_ms
from ..base.errors import EngineAway
from ..base.ids import derived_id, new_id
from .database import Line
from .faults import Fault
from .framer import Receipt
from .spool import Spool, SpoolFull

PAYLOAD_KEPT = 64 * 1024
GROUP_S, AWAY_S = 0.02, 1.0  # between two commits; between two spool writes while the database is away

_ADD = """
insert into collect_deadletter (id, division_code, created_at, updated_at, cause, code, source, device, topic, payload, zh, en, count)
values (%(id)s, %(division)s, to_timestamp(%(at_ms)s / 1000.0), to_timestamp(%(at_ms)s / 1000.0), '{}', %(code)s, %(source)s,
        %(device)s, %(topic)s, %(payload)s, %(zh)s, %(en)s, %(count)s)
on conflict (id) do """
_COUNT = _ADD + "update set count = collect_deadletter.count + excluded.count, updated_at = excluded.updated_at"
_ONCE = _ADD + "nothing"
_EVENT = """
insert into engines_outbox (key, type, subject, division_code, payload, cause, created_at)
values ('collect.letter.added:' || %(id)s, 'collect.letter.added', %(id)s, %(division)s,
        jsonb_build_object('code', %(code)s::text, 'device', %(device)s::text), '{}', to_timestamp(%(at_ms)s / 1000.0))
on conflict (key) do nothing"""


@dataclass(slots=True)
class _Open:
    row: dict[str, Any]
    count: int = 0


@dataclass(slots=True)
class _Group:
    letters: dict[tuple[str, str, str, int], _Open] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)


class Letters:
    """Takes letters at any rate; settles receipts when their letters are durable."""

    def __init__(self, line: Line, spool: Spool, noticed: Callable[[str, Fault], None] = lambda device, fault: None):
        self._line, self._spool, self._noticed = line, spool, noticed
        self._group = _Group()
        self._wake = asyncio.Event()
        self._spooled = True  # look once at the start
        self.total = 0
        self.by_code: dict[str, int] = {}
        self.problem = ""

    def add(
        self,
        fault: Fault,
        *,
        source: str,
        device: str = "",
        division: str = "",
        topic: str = "",
        payload: bytes = b"",
        receipt: Receipt | None = None,
    ) -> None:
        """Keep one fault with what it was found in; `receipt` waits for it. `device` is a client id."""
        at_ms = now_ms()
        self.total += fault.count
        self.by_code[fault.code] = self.by_code.get(fault.code, 0) + fault.count
        key = (fault.code, source, device or topic, at_ms // 60_000)
        entry = self._group.letters.get(key)
        if entry is None:
            entry = self._group.letters[key] = _Open(
                {
                    "division": division,
                    "at_ms": at_ms,
                    "code": fault.code,
                    "source": source,
                    "device": _clean(device),
                    "topic": _clean(topic),
                    "payload": bytes(payload[:PAYLOAD_KEPT]),
                    "zh": _clean(fault.zh),
                    "en": _clean(fault.en),
                }
            )
        entry.count += fault.count
        if receipt is not None:
            receipt.left += 1
            self._group.receipts.append(receipt)
        if device:
            self._noticed(device, fault)
        self._wake.set()

    async def run(self) -> None:
        """Commit groups for ever."""
        while True:
            if self._spooled:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), AWAY_S)
            else:
                await self._wake.wait()
            await self.flush()
            await asyncio.sleep(AWAY_S if self._spooled else GROUP_S)

    async def flush(self) -> None:
        """Make all that is held durable now, in the database or else in the spool."""
        group, self._group = self._group, _Group()
        self._wake.clear()
        rows = [{**entry.row, "count": entry.count, "id": derived_id("dead", *key)} for key, entry in group.letters.items()]
        try:
            if self._spooled:
                await self._take_up()
            if rows:
                await self._store_all(rows)
        except EngineAway:
            if not await self._to_spool(rows):
                self._put_back(group)
                return
        for receipt in group.receipts:
            receipt.release()

    async def _store_all(self, rows: list[dict[str, Any]]) -> None:
        """All rows, or, should the database refuse one, each alone: one bad row must not stop the others for ever."""
        try:
            await self._store(rows, _COUNT)
        except psycopg.Error:
            for row in rows:
                try:
                    await self._store([row], _COUNT)
                except psycopg.Error as error:
                    self.problem = f"letter {row['code']} of {row['device']!r}: {error}"

    async def _store(self, rows: list[dict[str, Any]], sql: str) -> None:
        async with self._line.transaction() as connection:
            cursor = connection.cursor()
            await cursor.executemany(sql, rows)
            await cursor.executemany(_EVENT, rows)

    async def _to_spool(self, rows: list[dict[str, Any]]) -> bool:
        kept = [{**row, "id": new_id("dead"), "payload": base64.b64encode(row["payload"]).decode()} for row in rows]
        if not kept:
            self._spooled = True
            return True
        try:
            await asyncio.to_thread(self._spool.append, kept)
        except SpoolFull as error:
            self.problem = f"spool: {error}"
            return False
        self.problem, self._spooled = "", True
        return True

    async def _take_up(self) -> None:
        """Bring the spool into the database; each file's rows once."""
        for path in await asyncio.to_thread(self._spool.take):
            rows = await asyncio.to_thread(self._spool.read, path)
            for row in rows:
                row["payload"] = base64.b64decode(row["payload"])
            for at in range(0, len(rows), 500):
                await self._store(rows[at : at + 500], _ONCE)
            await asyncio.to_thread(path.unlink, True)
        self._spooled = False

    def _put_back(self, group: _Group) -> None:
        """Nothing could be kept: hold it (nobody is answered) and try again."""
        for key, entry in group.letters.items():
            have = self._group.letters.get(key)
            if have is None:
                self._group.letters[key] = entry
            else:
                have.count += entry.count
        self._group.receipts += group.receipts
        self._spooled = True
        self._wake.set()


def _clean(text: str) -> str:
    """PostgreSQL's text holds no U+0000 and no lone surrogates."""
    return text.replace("\0", "\\0").encode(errors="replace").decode()[:2000]
