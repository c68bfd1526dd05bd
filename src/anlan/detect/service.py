"""Detect's part in the desk: compile and publish the lanes' settings when the register changed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import psycopg
import structlog

from ..base import settings
from ..base.clock import SystemClock
from ..engines.nats import connected, lane_stream, lane_subject
from ..engines.reconcile import every
from . import config, overrules

log = structlog.get_logger("anlan.detect")
_BEGINS_OR_ENDS = """
select 1 from register_threshold where signed_by_id is not null
and ((valid_from > %(a)s and valid_from <= %(b)s) or (valid_to > %(a)s and valid_to <= %(b)s)) limit 1
"""


class Publisher:
    """Watches the register on a connection of its own; keeps what it compiled and announced last."""

    def __init__(self) -> None:
        self.connection: psycopg.Connection[Any] | None = None
        self.compiled_at = datetime.min.replace(tzinfo=UTC)  # house time up to which thresholds' validity is compiled
        self.told: dict[int, int] = {}  # lane -> version announced by this process

    def run(self, now: datetime) -> int:
        """Compile, store and announce what changed; how many lanes were told."""
        url = settings.get("DATABASE_URL")
        if self.connection is None or self.connection.closed or self.connection.broken:
            self.connection = psycopg.connect(url, autocommit=True, application_name="anlan-settings")
        with self.connection.transaction():
            changed = self.connection.execute("delete from detect_registerchange").rowcount
            if changed or self._validity_moved(now):
                self._compile(now)
        newest = self.connection.execute("select lane, max(version) from detect_laneconfig group by lane").fetchall()
        due = [(lane, version) for lane, version in newest if self.told.get(lane) != version]
        if due:
            asyncio.run(self._announce(due))
        return len(due)

    def _validity_moved(self, now: datetime) -> bool:
        """Whether nothing is compiled yet, or the validity of a signed threshold began or ended since."""
        if self.compiled_at.year == 1 or now < self.compiled_at:
            return True
        assert self.connection is not None
        return self.connection.execute(_BEGINS_OR_ENDS, {"a": self.compiled_at, "b": now}).fetchone() is not None

    def _compile(self, now: datetime) -> None:
        assert self.connection is not None
        tables = config.compile_lanes(self.connection, settings.get("LANES"), now)
        versions = config.store_changed(self.connection, tables)
        self.compiled_at = now
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


@every(0.5)
def publish_if_changed(now: datetime) -> int:
    """Bring the lanes' settings up to the register (by the house's clock); how many lanes were told."""
    return _publisher.run(SystemClock().now())


@every(0.5)
def tell_overrules(now: datetime) -> int:
    """Tell the lanes what people said against the judges; how many messages."""
    return overrules.tell_lanes(SystemClock().now())
