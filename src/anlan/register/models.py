"""The register's tables: resources here, people in `people`, what is watched in `objects`; import all from here."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from ..engines.records import Ledger, Record, label
from .objects import NO_SECRET, SITE_KINDS, STATION_NUMBERS, Device, DeviceSeries, Series, Site, Station, Threshold
from .people import Division, Grid, Household, Leave, Organisation, Person, Post, Responsibility, Tenure

__all__ = [
    "NO_SECRET",
    "SITE_KINDS",
    "STATION_NUMBERS",
    "Depot",
    "DeskNote",
    "Device",
    "DeviceSeries",
    "Division",
    "Grid",
    "Household",
    "Leave",
    "Organisation",
    "Person",
    "Post",
    "Responsibility",
    "Series",
    "Shelter",
    "Site",
    "Station",
    "Team",
    "Tenure",
    "Threshold",
]

L = label


class Team(Record):
    """A rescue team with its strength and where it is now."""

    KIND = "team"
    NATURAL: ClassVar[tuple[str, ...]] = ("name", "division_code")
    name = models.TextField(verbose_name=L("队伍", "Team"))
    kind = models.CharField(max_length=20, verbose_name=L("类别", "Kind"))
    leader = models.ForeignKey(Post, null=True, blank=True, on_delete=models.SET_NULL, verbose_name=L("队长", "Leader"))
    members = models.IntegerField(default=0, verbose_name=L("人数", "Members"))
    state = models.CharField(max_length=12, default="ready", verbose_name=L("状态", "State"))
    lon = models.FloatField()
    lat = models.FloatField()
    seen_at = models.DateTimeField(null=True, blank=True)
    LEDGER = Ledger(
        "救援队伍",
        "Teams",
        ("name", "kind", "members", "state", "division_code"),
        ("kind", "state"),
        ("name",),
        ("name",),
        ("name", "kind", "leader", "members", "lon", "lat", "division_code"),
    )


class Shelter(Record):
    """A place of refuge with its capacity and who is in it now."""

    KIND = "shelter"
    NATURAL: ClassVar[tuple[str, ...]] = ("name", "division_code")
    name = models.TextField(verbose_name=L("避灾点", "Shelter"))
    capacity = models.IntegerField(verbose_name=L("容量", "Capacity"))
    occupancy = models.IntegerField(default=0, verbose_name=L("在点", "Occupancy"))
    lon = models.FloatField()
    lat = models.FloatField()
    LEDGER = Ledger(
        "避灾安置点",
        "Shelters",
        ("name", "capacity", "occupancy", "division_code"),
        (),
        ("name",),
        ("name",),
        ("name", "capacity", "occupancy", "lon", "lat", "division_code"),
    )


class Depot(Record):
    """A store of material."""

    KIND = "depot"
    NATURAL: ClassVar[tuple[str, ...]] = ("name", "division_code")
    name = models.TextField(verbose_name=L("物资库", "Depot"))
    stock = models.JSONField(default=dict, blank=True, verbose_name=L("库存", "Stock"))
    lon = models.FloatField()
    lat = models.FloatField()
    LEDGER = Ledger(
        "应急物资", "Depots", ("name", "stock", "division_code"), (), ("name",), ("name",), ("name", "lon", "lat", "division_code")
    )


class DeskNote(models.Model):
    """A key/value of this installation kept in the database (first log-ins shown, demo seed, schema facts)."""

    key = models.TextField(primary_key=True)
    value = models.JSONField(default=dict)
