"""The gateway's lines to PostgreSQL (psycopg, no Django): they come back by themselves.

Every transaction names its author for the audit trail (``anlan.actor``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg

from ..base.errors import EngineAway

ACTOR = "system:gateway"
LIVELY: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}  # a dead host is noticed in 20 s
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, OSError)  # the database cannot be reached now


class Line:
    """One connection, opened when first used and again after it broke; one transaction at a time."""

    def __init__(self, url: str, *, fast: bool = False):
        self.url = url
        self._options = f"-c application_name=anlan-gateway -c anlan.actor={ACTOR}" + (" -c synchronous_commit=off" if fast else "")
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()
        self.up = False

    async def _open(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                self.url, autocommit=True, options=self._options, prepare_threshold=3, **LIVELY
            )
        return self._connection

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """One transaction; EngineAway when the database is away (nothing was stored)."""
        async with self._lock:
            try:
                connection = await self._open()
                async with connection.transaction():
                    yield connection
                self.up = True
            except AWAY as error:
                self.up = False
                await self._drop()
                raise EngineAway("PostgreSQL", str(error).strip()[:200] or type(error).__name__) from None

    async def rows(self, sql: str, values: tuple[Any, ...] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of one statement in its own transaction."""
        async with self.transaction() as connection:
            cursor = await connection.execute(sql, values, prepare=True)
            return await cursor.fetchall() if cursor.description else []

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.close()

    async def close(self) -> None:
        """Hang up."""
        async with self._lock:
            await self._drop()


async def listen(url: str, channels: tuple[str, ...], heard: Callable[[str, str], None], joined: Callable[[], None]) -> None:
    """Call ``heard(channel, payload)`` for each notification, for ever; ``joined()`` after each (re)connect.

    What was announced while the line was down is lost: `joined` must look for itself.
    """
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(url, autocommit=True, **LIVELY) as connection:
                for channel in channels:
                    await connection.execute(f"listen {channel}")
                joined()
                async for notice in connection.notifies():
                    heard(notice.channel, notice.payload)
        except AWAY:
            pass
        await asyncio.sleep(0.2)
