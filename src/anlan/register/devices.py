"""Test devices: N sensors, each on a site and station of its own, for load tests and acceptance.

Site codes differ, so that they spread over the partitions. They are ordinary rows of the register,
named and coded ``TEST-…`` so that nobody takes them for real ones.
"""

from __future__ import annotations

import math
from typing import Any

from .credentials import make_secret
from .models import Device
from .provision import provision

DIVISION = "440303"
CENTRE = (114.13, 22.56)  # WGS-84, degrees; the devices stand in a grid of 0.001 degrees (about 100 m)
PITCH = 0.001


def provision_test_devices(
    count: int, quantity: str = "water_level", actor: str = "system:prepare", prefix: str = "TEST"
) -> list[dict[str, Any]]:
    """Register `count` test devices (again: with new secrets) and return how each logs in and publishes.

    Each row: ``client_id, username, password, topic, station`` (the station's code), ``number`` (its
    number on the hot path) and ``quantity`` (the payload key; SI unit).
    """
    codes = [f"{prefix}-{n:05d}" for n in range(1, count + 1)]
    clients = [f"{code.lower()}" for code in codes]
    passwords = [make_secret() for _ in codes]
    side = math.ceil(math.sqrt(count)) or 1
    lon = [CENTRE[0] + (n % side - side / 2) * PITCH for n in range(count)]
    lat = [CENTRE[1] + (n // side - side / 2) * PITCH for n in range(count)]
    names = [f"测试 {code}" for code in codes]
    place = {"lon": lon, "lat": lat}
    done = provision(
        actor=actor,
        sites={"code": codes, "name": names, "kind": ["other"] * count, "division_code": [DIVISION] * count, **place},
        stations={"code": codes, "name": names, "kind": ["test"] * count, "site": codes, "interval_s": [60.0] * count, **place},
        devices={"client_id": clients, "secret": passwords, "name": names, "site": codes, **place},
        series={"station": codes, "quantity": [quantity] * count, "device": clients},
    )
    return [
        {
            "client_id": client,
            "username": client,
            "password": password,
            "topic": f"up/{client}",
            "station": code,
            "number": done.numbers[code],
            "quantity": quantity,
        }
        for code, client, password in zip(codes, clients, passwords, strict=True)
    ]


def still_registered(devices: list[dict[str, Any]]) -> bool:
    """Whether the register still has all these devices, enabled."""
    clients = [device["client_id"] for device in devices]
    return Device.objects.filter(client_id__in=clients, enabled=True).count() == len(clients)
