"""The database or the log is away: what is known goes on, nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import time

import psycopg
import pytest

from .gateway_kit import GatewayProcess, letters, message, register, stored, subscribe, until

pytestmark = pytest.mark.stack


@contextlib.contextmanager
def away(postgres, database: str):
    """The database takes no connections for a while (and ends those it has)."""
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f'alter database "{name}" with allow_connections false')
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
        try:
            yield
        finally:
            admin.execute(f'alter database "{name}" with allow_connections true')


def test_the_gateway_goes_on_without_the_database(house, postgres):
    device, other, siren = house.device(), house.device(), house.device("siren")
    topic = f"up/{device['client_id']}"
    spool = house.gateway.folder / "spool"
    with house.client() as client, house.client() as horn:
        client.connect(device)
        horn.connect(siren)
        horn.send(subscribe(f"down/{siren['client_id']}"))
        assert horn.receive()[0] == 0x90
        with away(postgres, house.database):
            client.publish(topic, message({"tilt": 1}), pid=1)
            assert client.receive() == (0x40, b"\0\1")
            client.publish(topic, message({"nonsense": 1, "tilt": 2}), pid=2)
            assert client.receive(10) == (0x40, b"\0\2")
            assert list(spool.iterdir())
            with house.client() as known, house.client() as unknown:
                assert known.connect(other) == (0, 0)
                assert unknown.connect({**other, "client_id": "never-seen"}) == (0, 3)
        wanted = ("collect.unknown_key", device["client_id"], 1)
        assert until(lambda: wanted in letters(house.database), 10)
        assert until(lambda: not list(spool.iterdir()))
        from django.db import connections
        from django.utils import timezone

        from anlan.collect.service import command
        from anlan.register.models import Device

        from .gateway_kit import HOUR

        connections.close_all()
        command(Device.objects.get(pk=siren["id"]), "play", {}, timezone.now() + HOUR)
        assert horn.receive(10)[0] == 0x32
    mine = [row for row in stored(house.log) if row[0] == device["station"]]
    assert len(mine) == 2


def test_what_was_spooled_survives_a_kill(postgres, real_db, nats, tmp_path):
    device = register(1, prefix="spool")[0]
    gateway = GatewayProcess(tmp_path, real_db, nats).start()
    from .gateway_kit import Raw

    with Raw(gateway.at("mqtt")) as client:
        client.connect(device)
        with away(postgres, real_db):
            for pid in range(1, 4):
                client.publish("up/spool-0", {"t": 0, "v": {"tilt": 1}}, pid=pid)
                assert client.receive(10) == (0x40, bytes((0, pid)))
            gateway.kill()
    assert letters(real_db) == []
    with gateway:
        assert until(lambda: letters(real_db) == [("collect.past_time", "spool-0", 3)]), letters(real_db)
    with gateway:
        time.sleep(0.3)
        assert letters(real_db) == [("collect.past_time", "spool-0", 3)]


def test_durability_memory_answers_too(real_db, nats, tmp_path):
    device = register(1, prefix="mem")[0]
    from .gateway_kit import Raw

    with GatewayProcess(tmp_path, real_db, nats, ANLAN_DURABILITY="memory") as gateway, Raw(gateway.at("mqtt")) as client:
        client.connect(device)
        for pid in range(1, 50):
            client.publish("up/mem-0", message({"tilt": pid}), pid=pid)
        assert [client.receive()[1][1] for _ in range(49)] == list(range(1, 50))
        assert until(lambda: len(stored(nats)) == 49)


def test_a_taken_port_is_said(real_db, nats, tmp_path):
    import socket

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        gateway = GatewayProcess(tmp_path, real_db, nats, ANLAN_MQTT_PORT=str(port))
        gateway.start(wait=False)
        assert gateway.process.wait(20) == 1
        assert f"127.0.0.1:{port}" in gateway.log() and "collect.port_taken" in gateway.log()


def test_a_story_runs_in_the_past(real_db, nats, tmp_path):
    """Times of readings, expiries and records follow the house's clock, not the machine's or the database's."""
    from datetime import timedelta

    from anlan.base.clock import from_ms, now_ms
    from anlan.collect.service import command
    from anlan.register.models import Device

    from .gateway_kit import Raw

    device = register(1, prefix="tale")[0]
    now, day = now_ms(), 86_400_000
    with GatewayProcess(tmp_path, real_db, nats, ANLAN_STORY=f"{now}:{now - day}:1") as gateway, Raw(gateway.at("mqtt")) as client:
        client.connect(device)
        client.publish("up/tale-0", {"t": now - day, "v": {"tilt": 1}}, pid=1)
        client.publish("up/tale-0", {"t": now, "v": {"tilt": 1}}, pid=2)
        assert client.receive() == (0x40, b"\0\1") and client.receive() == (0x40, b"\0\2")
        assert [row[2] for row in stored(nats)] == [now - day]
        assert letters(real_db) == [("collect.future_time", "tale-0", 1)]
        client.send(subscribe("down/tale-0"))
        assert client.receive()[0] == 0x90
        row = command(Device.objects.get(pk=device["id"]), "play", {}, from_ms(now - day) + timedelta(hours=1))
        assert client.receive()[0] == 0x32
        row.refresh_from_db()
        assert row.sent_at < from_ms(now - day) + timedelta(hours=1)
