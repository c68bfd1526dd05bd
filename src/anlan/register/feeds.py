"""The columns of an import that are no fields: a station's quantities and a device's feeds, which become series."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..base.errors import FieldError
from ..base.quantity import quantity, to_si
from .models import DeviceSeries, Series, Station
from .scope import Asker, area

# Ledger to column to (name in Chinese, in English, example).
EXTRAS: dict[str, dict[str, tuple[str, str, str]]] = {
    "station": {"quantities": ("监测量", "Quantities", "crack_width;tilt")},
    "device": {"feeds": ("监测通道", "Feeds", "测点编码:crack_width[mm]; 键=测点编码:tilt[deg]")},
}
FEED = re.compile(r"^(?:(?P<key>[^=:\[\]]+)=)?(?P<station>[^:\[\]]+):(?P<quantity>[a-z_0-9]+)(?:\[(?P<unit>[^\]]+)\])?$")


class Feeds:
    """What the rows of one import say of quantities and feeds; stored together when the rows are."""

    def __init__(self) -> None:
        self.stations: dict[str, str] = {}  # code to id, of the stations that the asker may feed
        self.series: set[tuple[str, int]] = set()  # (station id, quantity number) to be there
        self.feeds: dict[tuple[str, str], tuple[str, int, str]] = {}  # (device id, key) to (station id, quantity number, unit)

    def load(self, texts: Iterable[str], asker: Asker | None, right: str) -> None:
        """The stations that the `feeds` cells name; who feeds a station speaks for it, hence the right."""
        codes = {m["station"].strip() for text in texts for p in _parts(text) if (m := FEED.match(p))}
        known = Station.objects.filter(code__in=codes)
        if asker is not None:
            known = known.filter(area(asker.rights.get(right, ())))
        self.stations = dict(known.values_list("code", "pk"))

    def parse(self, column: str, text: str) -> list[Any]:
        """One cell: quantity numbers, or (key, station id, quantity number, unit) of each feed; raises FieldError."""
        if column == "feeds":
            return [self._feed(part) for part in _parts(text)]
        return [quantity(part).number for part in _parts(text)]

    def _feed(self, part: str) -> tuple[str, str, int, str]:
        match = FEED.match(part)
        if match is None:
            raise FieldError("feeds", part, "应为 测点编码:监测量[单位]，可加 键=", "must be station:quantity[unit], optionally key=…")
        known, code = quantity(match["quantity"]), match["station"].strip()
        if match["unit"]:
            to_si(0.0, match["unit"], known)
        if code not in self.stations:
            raise FieldError("feeds", part, f"您的辖区内没有测点 {code}，请先登记", f"no station {code} in your area; register it first")
        return (match["key"] or known.name).strip(), self.stations[code], known.number, match["unit"] or ""

    def add(self, pk: str, given: dict[str, Any]) -> None:
        """What the row of the record `pk` gives: a station's quantities, a device's payload keys tied to series."""
        self.series |= {(pk, number) for number in given.get("quantities") or ()}
        for key, station, number, unit in given.get("feeds") or ():
            self.series.add((station, number))
            self.feeds[pk, key] = (station, number, unit)

    def store(self, batch: int) -> None:
        """All of it into the database, inside the caller's transaction; what is there already stays."""
        rows = [Series(station_id=station, quantity=number) for station, number in sorted(self.series)]
        Series.objects.bulk_create(rows, batch_size=batch, ignore_conflicts=True)
        stations = {station for station, _, _ in self.feeds.values()}
        if not stations:
            return
        ids = {(s, q): pk for pk, s, q in Series.objects.filter(station_id__in=stations).values_list("pk", "station_id", "quantity")}
        DeviceSeries.objects.bulk_create(
            [DeviceSeries(device_id=d, key=key, series_id=ids[s, q], unit=u) for (d, key), (s, q, u) in self.feeds.items()],
            batch_size=batch,
            update_conflicts=True,
            unique_fields=["device", "key"],
            update_fields=["series", "unit"],
        )


def _parts(text: str) -> list[str]:
    return [p.strip() for p in re.split(r"[;；,，、]", text) if p.strip()]
