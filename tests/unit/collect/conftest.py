"""One gateway for all tests of a module: its own database, its own lanes, devices registered."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from .gateway_kit import GatewayProcess, Raw, register

_NAMES = itertools.count()


@dataclass
class House:
    """A running gateway with its engines' URLs and unused devices."""

    gateway: GatewayProcess
    database: str
    log: str
    sensors: list[dict[str, Any]]
    others: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def device(self, kind: str = "sensor") -> dict[str, Any]:
        """A device that no other test has."""
        return (self.sensors if kind == "sensor" else self.others[kind]).pop()

    def client(self) -> Raw:
        """A new connection to the MQTT port."""
        return Raw(self.gateway.at("mqtt"))

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query in the gateway's database."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(sql, values).fetchall()


@pytest.fixture(scope="module")
def house(postgres: Any, migrated: str, nats_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    from django.db import connections

    name = f"gateway_{next(_NAMES)}"
    connections.close_all()
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f'create database "{name}" template anlan strategy file_copy')
    connections.settings["default"]["NAME"] = name
    connections["default"].settings_dict["NAME"] = name
    asyncio.run(fresh_lanes(nats_server.url))
    sensors = register(40)
    others = {"siren": register(12, "siren", "siren", {}), "collector": register(3, "collector", "hub", {})}
    folder: Path = tmp_path_factory.mktemp("gateway") / "数据"
    with GatewayProcess(folder, postgres.url(name), nats_server.url) as gateway:
        yield House(gateway, postgres.url(name), nats_server.url, sensors, others)
        assert "Traceback" not in gateway.log(), gateway.log()
    connections.close_all()
    connections.settings["default"]["NAME"] = "anlan"
    connections["default"].settings_dict["NAME"] = "anlan"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f'drop database "{name}" with (force)')
    os.environ["ANLAN_DATABASE_URL"] = postgres.url("anlan")


async def fresh_lanes(url: str) -> None:
    from anlan.base.settings import get
    from anlan.engines.nats import connected, ensure_lanes_async, lane_stream

    async with connected(url) as client:
        for lane in range(get("LANES")):
            await client.jetstream().delete_stream(lane_stream(lane))
    await ensure_lanes_async(url)
