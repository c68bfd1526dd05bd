"""Pure: what a person said of readings against the judges, kept as state of the lane.

A ruling is of a station (one quantity, or 0 for all of them) and a span of *reading* time (UTC ms, end not included):

- ``good``: quality control must take the samples as they are; a jump that it had joined as a re-installation is
  undone when it lies in the span (it was a real movement);
- ``bad``: the samples are bad: stored so, judged by nobody; findings that rest on them are taken back;
- ``mute``: nothing is raised of the station, silence included, and what stands is taken back; what is stored keeps
  its own quality. At its end judging begins anew, so that a state that still holds is raised again.

The newest ruling wins. Rulings come as control messages of the lane and are saved with their partition, so that a
replay is bit-equal; they are forgotten `KEEP_MS` after their end (late readings come until then).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .contract import BAD, GOOD, MUTE, Rows

VERDICTS = {"good": GOOD, "bad": BAD, "mute": MUTE}
KEEP_MS = 86_400_000  # a day: our default for how late a reading may still come
QUALITY_BAD = 2


@dataclass(frozen=True, slots=True)
class Ruling:
    """One ruling: its record's id, station number, quantity number (0: all), span of reading time, verdict."""

    id: str
    station: int
    quantity: int
    from_ms: int
    to_ms: int
    verdict: int


def ruling_of(message: dict[str, Any]) -> tuple[Ruling, int, bool]:
    """Ruling, time of the message (UTC ms) and whether it is withdrawn; KeyError, ValueError or TypeError when it is none."""
    ruling = Ruling(
        str(message["id"]),
        int(message["station"]),
        int(message["quantity"]),
        int(message["from_ms"]),
        int(message["to_ms"]),
        VERDICTS[message["verdict"]],
    )
    return ruling, int(message["at_ms"]), bool(message.get("withdrawn", False))


class Rulings:
    """The rulings that a lane obeys now, in the order in which they came, and the series they touch."""

    def __init__(self) -> None:
        self.rows: dict[str, Ruling] = {}
        self._by_slot: dict[int, list[Ruling]] = {}
        self._touched = np.zeros(0, np.uint8)

    def place(self, size: int, slots_of: Callable[[int, int], list[int]]) -> None:
        """Find the series of every ruling in a table of `size` series; those of stations that are gone are dropped."""
        self._by_slot, self._touched = {}, np.zeros(size, np.uint8)
        for ruling in list(self.rows.values()):
            slots = slots_of(ruling.station, ruling.quantity)
            if not slots:
                del self.rows[ruling.id]
            for slot in slots:
                self._by_slot.setdefault(slot, []).append(ruling)
                self._touched[slot] = 1

    def mark(self, rows: Rows) -> NDArray[np.uint8] | None:
        """The verdict on each row (0: none), None when no row has any."""
        if not self._by_slot:
            return None
        hits = np.flatnonzero(self._touched[rows.slot])
        if not len(hits):
            return None
        marks = np.zeros(len(rows), np.uint8)
        for i in hits.tolist():
            t = int(rows.time_ms[i])
            for ruling in self._by_slot[int(rows.slot[i])]:
                if ruling.from_ms <= t < ruling.to_ms:
                    marks[i] = ruling.verdict
        return marks

    def expire(self, now_ms: int) -> bool:
        """Forget what ended long ago; whether there was any."""
        old = [r.id for r in self.rows.values() if r.to_ms + KEEP_MS < now_ms]
        for key in old:
            del self.rows[key]
        return bool(old)

    def saved(self, of: Callable[[int], bool]) -> list[list[Any]]:
        """The rulings of stations for which `of` holds, JSON-ready, in order."""
        return [list(astuple(r)) for r in self.rows.values() if of(r.station)]

    def load(self, saved: Iterable[list[Any]], of: Callable[[int], bool]) -> None:
        """Put saved rulings in place of those of the same stations."""
        self.rows = {r.id: r for r in self.rows.values() if not of(r.station)} | {row[0]: Ruling(*row) for row in saved}
