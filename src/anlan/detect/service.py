"""Detect's part in the desk: compile and publish the lanes' settings when the register changed (Django side)."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

import psycopg
import structlog

from ..base import settings
from ..engines.nats import connected, lane_stream, lane_subject
from ..engines.reconcile import every
from . import config

log = structlog.get_logger("anlan.detect")
COMPILE_AT_LEAST_S = 60.0  # validity of a threshold may begin or end without any write
_last = {"compiled": 0.0}


@every(0.5)
def publish_if_changed(now: datetime) -> int:
    """Compile when the register has changed (or a minute has passed), write and announce new versions; how many."""
    url = settings.get("DATABASE_URL")
    with psycopg.connect(url) as connection:
        changed = connection.execute("delete from detect_registerchange").rowcount
        if changed or time.monotonic() - _last["compiled"] > COMPILE_AT_LEAST_S or not _last["compiled"]:
            tables = config.compile_lanes(connection, settings.get("LANES"), now)
            versions = config.store_changed(connection, tables)
            _last["compiled"] = time.monotonic()
            if versions:
                log.info("settings compiled", versions=versions, series=[len(t) for t in tables])
        connection.commit()
        newest = connection.execute("select lane, max(version) from detect_laneconfig group by lane").fetchall()
    due = [(lane, version) for lane, version in newest if _told.get(lane) != version]
    if due:
        asyncio.run(_announce(due))
    return len(due)


_told: dict[int, int] = {}


async def _announce(versions: list[tuple[int, int]]) -> None:
    """Put the newest version of each lane into its log (the same message id twice is one message; a repeat does no harm)."""
    async with connected(name="anlan-settings") as client:
        stream = client.jetstream(timeout=5)
        for lane, version in versions:
            await stream.publish(
                lane_subject(lane),
                config.control("config", version=version),
                stream=lane_stream(lane),
                headers={"Nats-Msg-Id": f"config-{lane}-{version}"},
            )
            _told[lane] = version
