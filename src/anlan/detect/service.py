"""Detect's part in the desk: compile and publish the lanes' settings when the register changed."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import psycopg
import structlog

from ..base import settings
from ..base.clock import SystemClock
from ..engines.memory import give_back
from ..engines.nats import connected, lane_stream, lane_subject
from ..engines.reconcile import every
from . import config, overrules

log = structlog.get_logger("anlan.detect")
_NEXT = """
select min(t) from (select valid_from t from register_threshold where signed_by_id is not null and valid_from > %(at)s
union all select valid_to from register_threshold where signed_by_id is not null and valid_to > %(at)s) times
"""
LOOK_S = 10.0  # a look without a notice: for what was not heard


class Publisher:
    """Watches the register on a connection of its own; keeps what it compiled and announced last."""

    def __init__(self) -> None:
        self.connection: psycopg.Connection[Any] | None = None
        self.compiled_at = datetime.min.replace(tzinfo=UTC)  # house time up to which thresholds' validity is compiled
        self.next: datetime | None = None  # when the validity of a threshold begins or ends next
        self.told: dict[int, int] = {}  # lane -> version announced by this process
        self._heard = True
        self._looked = 0.0

    def stirred(self) -> bool:
        """Whether the register announced a change, a validity begins or ends, or nobody has looked for long. No query."""
        connection = self.connection
        if self._heard or connection is None or connection.closed or time.monotonic() - self._looked >= LOOK_S:
            return True
        try:
            connection.pgconn.consume_input()
            while connection.pgconn.notifies() is not None:
                self._heard = True
        except psycopg.Error:
            self._heard = True
        now = SystemClock().now()
        return self._heard or now < self.compiled_at or (self.next is not None and now >= self.next)

    def _hears(self, _: psycopg.Notify) -> None:
        self._heard = True

    def run(self, now: datetime) -> int:
        """Compile, store and announce what changed; how many lanes were told."""
        url = settings.get("DATABASE_URL")
        if self.connection is None or self.connection.closed or self.connection.broken:
            self.connection = psycopg.connect(url, autocommit=True, application_name="anlan-settings")
            self.connection.add_notify_handler(self._hears)
            self.connection.execute("listen anlan_settings")
        self._heard, done = False, False
        try:
            told = self._look(now)
            done = True
            return told
        finally:
            self._heard, self._looked = self._heard or not done, time.monotonic()

    def _look(self, now: datetime) -> int:
        assert self.connection is not None
        with self.connection.transaction():
            changed = self.connection.execute("delete from detect_registerchange").rowcount
            if self._validity_moved(now) or changed:
                self._compile(now)
                changed = True
        newest = self.connection.execute("select lane, max(version) from detect_laneconfig group by lane").fetchall()
        due = [(lane, version) for lane, version in newest if self.told.get(lane) != version]
        if due:
            asyncio.run(self._announce(due))
        if changed:
            self.connection.close()  # its server process has grown with the register; the next look opens another
            give_back()
        return len(due)

    def _validity_moved(self, now: datetime) -> bool:
        """Whether nothing is compiled yet, or the validity of a signed threshold began or ended since."""
        assert self.connection is not None
        row = self.connection.execute(_NEXT, {"at": self.compiled_at}).fetchone()
        self.next = row[0] if row else None
        return self.compiled_at.year == 1 or now < self.compiled_at or (self.next is not None and now >= self.next)

    def _compile(self, now: datetime) -> None:
        assert self.connection is not None
        tables = config.compile_lanes(self.connection, settings.get("LANES"), now)
        versions = config.store_changed(self.connection, tables)
        row = self.connection.execute(_NEXT, {"at": now}).fetchone()
        self.compiled_at, self.next = now, row[0] if row else None
        if versions:
            log.info("settings compiled", versions=versions, series=[len(t) for t in tables])

    async def _announce(self, versions: list[tuple[int, int]]) -> None:
        """Put the newest version of each lane into its log (a repeat does no harm: lanes take newer versions only)."""
        async with connected(name="anlan-settings") as client:
            stream = client.jetstream(timeout=5)
            for lane, version in versions:
                await stream.publish(
                    lane_subject(lane),
                    config.control("config", version=version),
                    stream=lane_stream(lane),
                    headers={"Nats-Msg-Id": f"config-{lane}-{version}"},
                )
                self.told[lane] = version


_publisher = Publisher()


@every(0.5, when=lambda: _publisher.stirred())
def publish_if_changed(now: datetime) -> int:
    """Bring the lanes' settings up to the register (by the house's clock); how many lanes were told."""
    return _publisher.run(SystemClock().now())


@every(0.5)
def tell_overrules(now: datetime) -> int:
    """Tell the lanes what people said against the judges; how many messages."""
    return overrules.tell_lanes(SystemClock().now())
