"""The worker against the real engines: what is published is stored and judged once, also after restarts and hand-overs."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import numpy as np
import psycopg
import pytest

from anlan.base.block import ReadingBlock
from anlan.base.clock import now_ms
from anlan.collect import store
from anlan.detect import config
from anlan.detect.overrule import ruling_of
from anlan.detect.stage import Stage, detectors
from anlan.detect.worker import Worker
from anlan.engines.nats import connected, lane_subject

STATIONS = 40


def register(url: str, stations: int = STATIONS) -> dict[str, int]:
    """Sites, stations, series and one signed threshold, through Django; station code -> number."""
    from anlan.engines.outbox import acting
    from anlan.register.models import Person, Series, Site, Station, Threshold

    with acting("system:test"):
        person = Person.objects.create(name="测试")
        for i in range(stations):
            site = Site.objects.create(code=f"S{i}", name=f"坡{i}", kind="slope", lon=114, lat=22, division_code="440303")
            station = Station(
                id=f"station-K{i}", code=f"K{i}", number=1000 + i, name=f"测点{i}", kind="crack_meter", site=site, lon=114, lat=22,
                interval_s=1, division_code="440303",
            )  # fmt: skip
            station.save(force_insert=True)
            Series.objects.create(station=station, quantity=5)
        Threshold.objects.create(
            quantity="water_level", station_kind="crack_meter", blue=10, yellow=20, orange=30, red=40, source="test",
            valid_from=datetime(2020, 1, 1, tzinfo=UTC), signed_by=person,
        )  # fmt: skip
    with psycopg.connect(url) as connection:
        return dict(connection.execute("select code, number from register_station").fetchall())


def publish_settings(url: str) -> list[tuple[int, int]]:
    with psycopg.connect(url) as connection:
        return config.store_changed(connection, config.compile_lanes(connection, 2, datetime.now(UTC)))


@asynccontextmanager
async def working(url: str, log: str, n: int = 1):
    """n workers in this process, ended in order."""
    workers = [Worker(lambda lookback: [], url, log) for _ in range(n)]
    tasks = [asyncio.create_task(w.run()) for w in workers]
    try:
        await until(lambda: all(w._ready for w in workers))
        yield workers
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.gather(*tasks)


async def until(true, seconds: float = 90.0) -> None:  # a cold cache compiles the kernels first
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited too long"
        await asyncio.sleep(0.05)


def ask(url: str, sql: str, *values):
    with psycopg.connect(url) as connection:
        return connection.execute(sql, values).fetchall()


class Sender:
    """Publishes frames to the lanes as the gateway does."""

    def __init__(self, client, lanes: dict[int, int]):
        self.stream, self.lanes, self.count, self.sent = client.jetstream(timeout=30), lanes, 0, []

    async def frame(self, lane: int, station, time_ms, value) -> None:
        block = ReadingBlock.of(station, np.full(len(station), 5), time_ms, value, received_ms=now_ms())
        self.count += 1
        await self.stream.publish(lane_subject(lane), block.to_bytes(), headers={"Nats-Msg-Id": f"t-{lane}-{self.count}"})
        self.sent += list(zip(station, time_ms, strict=True))

    async def settings(self, versions) -> None:
        for lane, version in versions:
            await self.stream.publish(lane_subject(lane), config.control("config", version=version))

    async def tick(self, ms: int) -> None:
        for lane in (0, 1):
            await self.stream.publish(lane_subject(lane), config.control("tick", now_ms=ms))

    async def some(self, rounds: int, start: int, rng) -> None:
        """One reading of every station a round, in random order, with a repeat now and then."""
        for i in range(rounds):
            for lane in (0, 1):
                mine = [s for s, p in self.lanes.items() if p % 2 == lane]
                rng.shuffle(mine)
                times = [start + i * 1000] * len(mine)
                await self.frame(lane, mine, times, (rng.normal(5, 5, len(mine)) + 30 * (rng.random(len(mine)) < 0.05)).tolist())


def lanes_of(url: str) -> dict[int, int]:
    return dict(ask(url, "select st.number, si.partition from register_station st join register_site si on si.id = st.site_id"))


def offline(url: str, log: str) -> set[tuple]:
    """Findings of one uninterrupted run over the whole log."""

    async def messages(lane: int) -> list[bytes]:
        from anlan.detect.puller import Puller

        async with connected(log) as client:
            puller, out = Puller(client, lane, 1), []
            await puller.open()
            while taken := await puller.take(1.0):
                out += [data for _, data in taken]
            await puller.close()
            return out

    import json

    from anlan.detect.arrays import empty_table

    found = set()
    for lane in (0, 1):
        stage = Stage(empty_table(), detectors())
        for data in asyncio.run(messages(lane)):
            if data == b"garbage":
                continue
            if data[:8] != config.CONTROL:
                outcome = stage.step(ReadingBlock.from_bytes(data))
            else:
                message = json.loads(data[8:])
                if message["kind"] == "config":
                    with psycopg.connect(url) as connection:
                        stage.configure(config.load(connection, lane, message["version"]))
                    continue
                outcome = stage.overrule(*ruling_of(message)) if message["kind"] == "overrule" else stage.tick(message["now_ms"])
            found |= {(f"station-K{r.station - 1000}", r.detector, r.time_ms, r.grade, r.previous) for r in outcome.raised}
    return found


def stored_findings(url: str) -> set[tuple]:
    sql = "select station_id, detector, at, grade, (evidence->>'previous')::int from detect_finding"
    return {(r[0], r[1], round(r[2].timestamp() * 1000), r[3], r[4]) for r in ask(url, sql)}


@pytest.mark.stack
def test_published_is_stored_judged_and_announced(real_db, nats):
    numbers = register(real_db)
    versions = publish_settings(real_db)
    assert len(versions) == 2 and publish_settings(real_db) == []
    start = now_ms() - 60_000

    async def play():
        async with connected(nats) as client, working(real_db, nats) as workers:
            sender = Sender(client, lanes_of(real_db))
            await sender.settings(versions)
            await sender.some(30, start, np.random.default_rng(1))
            await sender.frame(0, [4242], [start], [1.0])
            await sender.stream.publish(lane_subject(0), b"garbage")
            await sender.tick(start + 31_000)
            await until(lambda: ask(real_db, "select count(*) from reading")[0][0] == len(sender.sent))
            await until(lambda: len(ask(real_db, "select 1 from collect_deadletter")) == 2)
            await until(lambda: ask(real_db, "select count(*) from register_station where live")[0][0] == STATIONS)
            assert not any(task.done() for w in workers for task in w.lanes.values())
            return sender.sent

    sent = asyncio.run(play())
    assert sorted(ask(real_db, "select station, time_ms from reading")) == sorted(sent)
    assert stored_findings(real_db) == offline(real_db, nats) and len(stored_findings(real_db)) > 5
    events = ask(real_db, "select subject, type, payload->>'grade' from engines_outbox where type like 'detect.%%'")
    assert {e[0] for e in events} == {r[0] for r in ask(real_db, "select id from detect_finding")}
    cause = ask(real_db, "select cause from detect_finding where detector = 'threshold' limit 1")[0][0]
    assert cause[0].startswith("read-") and cause[1].startswith("threshold-")
    assert {r[0] for r in ask(real_db, "select code from collect_deadletter")} == {"detect.unknown_series", "detect.bad_message"}
    with psycopg.connect(real_db) as connection:
        latest = store.latest(connection)
        assert len(latest) == STATIONS and set(latest.station.tolist()) == set(numbers.values())
        rows = store.readings(connection, 1000, 5, start, now_ms())
        assert len(rows) == 30 and (np.diff(rows.time_ms) == 1000).all()


@pytest.mark.stack
def test_restarts_hand_over_and_change_of_settings(real_db, nats):
    register(real_db)
    versions = publish_settings(real_db)
    start = now_ms() - 600_000
    rng = np.random.default_rng(2)

    async def play():
        async with connected(nats) as client:
            sender = Sender(client, lanes_of(real_db))
            await sender.settings(versions)

            async def all_stored():
                await until(lambda: ask(real_db, "select count(*) from reading")[0][0] == len(sender.sent))

            async with working(real_db, nats, 2) as (one, two):
                await until(lambda: [len(one.running), len(two.running)] == [1, 1])
                await sender.some(10, start, rng)
                await all_stored()
                one.stop()  # the other takes over
                await until(lambda: len(two.running) == 2)
                await sender.some(10, start + 10_000, rng)
                await all_stored()
            await sender.some(10, start + 20_000, rng)  # nobody works
            with psycopg.connect(real_db) as connection:
                connection.execute("select set_config('anlan.actor', 'system:test', true)")
                connection.execute("update register_station set interval_s = 2 where number = 1003")
            await sender.settings(publish_settings(real_db))
            await sender.some(10, start + 30_000, rng)
            async with working(real_db, nats) as (one,):
                await all_stored()
                for lane in list(one.running.values()):  # the database connection goes away in mid-work
                    lane.committer.connection.close()
                await sender.some(10, start + 40_000, rng)
                await all_stored()
            return sender.sent

    sent = asyncio.run(play())
    assert sorted(ask(real_db, "select station, time_ms from reading")) == sorted(sent)
    assert stored_findings(real_db) == offline(real_db, nats)
