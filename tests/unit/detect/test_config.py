"""Settings of the lanes: which threshold applies, when a new version is published."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from anlan.detect import config
from anlan.detect.puller import Puller
from anlan.engines.nats import connected

pytestmark = pytest.mark.stack
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def register() -> None:
    from anlan.engines.outbox import acting
    from anlan.register.models import Person, Series, Site, Station, Threshold

    with acting("system:test"):
        signer = Person.objects.create(name="签发人")
        site = Site.objects.create(code="A", name="A", kind="slope", lon=114, lat=22, division_code="440303")
        for i, enabled in ((1, True), (2, True), (3, False)):
            station = Station(
                id=f"station-{i}",
                code=str(i),
                number=i,
                name=str(i),
                kind="gnss",
                site=site,
                lon=114,
                lat=22,
                enabled=enabled,
                interval_s=7,
            )
            station.save(force_insert=True)
            Series.objects.create(station=station, quantity=1, low=-2 if i == 1 else None)

        def limit(blue, **more):
            base = {"quantity": "displacement", "blue": blue, "source": "t", "valid_from": NOW - timedelta(days=1), "signed_by": signer}
            return Threshold.objects.create(**(base | more)).id

        one = Station.objects.get(code="1")
        limit(1, station_kind="gnss")
        limit(2, site=site, version=1)
        limit(3, site=site, version=2)
        limit(4, station=one)
        limit(5, station=one, signed_by=None)  # not signed
        limit(6, station=one, valid_from=NOW + timedelta(days=1))  # not yet
        limit(7, station=one, valid_to=NOW - timedelta(hours=1))  # no longer
        limit(8, station_kind="gnss", mode="rate", window_s=3600)
        limit(9, station_kind="other")
        limit(10, station_kind="gnss", quantity="tilt")


def test_narrowest_signed_and_valid_threshold_wins(real_db):
    register()
    with psycopg.connect(real_db) as connection:
        (table,) = config.compile_lanes(connection, 1, NOW)
        later = config.compile_lanes(connection, 1, NOW + timedelta(days=2))[0]
    assert table.station.tolist() == [1, 2] and table.low.tolist() == [-2, -100] and table.interval_ms.tolist() == [7000, 7000]
    rows = table.thresholds
    assert list(zip(rows.slot.tolist(), rows.mode.tolist(), rows.level[:, 0].tolist(), strict=True)) == [
        (0, 0, 4.0), (0, 2, 8.0), (1, 0, 3.0), (1, 2, 8.0),
    ]  # fmt: skip
    assert rows.window_ms.tolist() == [0, 3_600_000, 0, 3_600_000]
    assert later.thresholds.level[:, 0].tolist()[0] in (4.0, 6.0)


def test_published_once_and_again_only_after_a_change(real_db, nats, monkeypatch):
    from anlan.detect import service

    monkeypatch.setattr(service, "_publisher", service.Publisher())
    register()
    assert service.publish_if_changed(NOW) == 2
    assert service.publish_if_changed(NOW) == 0
    with psycopg.connect(real_db) as connection:
        connection.execute("select set_config('anlan.actor', 'system:test', true)")
        connection.execute("update register_station set name = 'other'")  # nothing that a lane needs
        connection.execute("update register_site set partition = 0")
    service.publish_if_changed(NOW)
    with psycopg.connect(real_db) as connection:
        connection.execute("select set_config('anlan.actor', 'system:test', true)")
        connection.execute("update register_station set interval_s = 9 where number = 1")
    assert service.publish_if_changed(NOW) == 1

    async def told():
        async with connected(nats) as client:
            puller = Puller(client, 0, 1)
            await puller.open()
            taken = await puller.take(2.0)
            await puller.close()
            return [json.loads(data[8:])["version"] for _, data in taken]

    service._publisher.connection.close()
    versions = asyncio.run(told())
    assert versions == sorted(set(versions)) and len(versions) >= 2


def test_a_hundred_thousand_series_compile_in_time(real_db):
    """Also a guard against Python work per series: the bound is generous for a loaded machine."""
    import time

    register()
    with psycopg.connect(real_db, autocommit=True) as connection:
        connection.execute("select set_config('anlan.actor', 'system:test', false)")
        connection.execute(
            "insert into register_station (id, division_code, created_at, updated_at, cause, code, number, name, name_en, kind, site_id, "
            "lon, lat, interval_s, enabled, live) select 'station-b' || i, '', now(), now(), '{}', 'b' || i, i, '', '', 'gnss', "
            "(select id from register_site), 114, 22, 60, true, false from generate_series(10, 100009) i"
        )
        connection.execute("insert into register_series (station_id, quantity) select id, 1 from register_station where number >= 10")
        started = time.monotonic()
        (table,) = config.compile_lanes(connection, 1, NOW)
        took = time.monotonic() - started
    print(f"compiled in {took:.2f} s")
    assert len(table) == 100_002 and len(table.thresholds.slot) == 200_004 and took < 6
