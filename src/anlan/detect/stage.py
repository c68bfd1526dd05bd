"""Pure core of a lane: blocks and ticks in, rows to store and findings out; state in arrays.

No clock, no I/O. Deterministic, and the same however the readings are cut into blocks. The state of a partition is a
slice of every array (series are sorted by partition), so it is saved and restored by itself. What a reading meets, in
order: its series (unknown: stored, not judged), the ring of 16 times (equal: dropped; older: stored, not judged), the
detectors by (rank, name); rank 0 may lower its quality, which is then what is stored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.block import ReadingBlock
from ..base.failure import Lookback
from ..base.plugin import scan
from ..collect.store import Latest
from . import arrays, rekey
from .contract import BAD, GOOD, MUTE, Detector, Findings, Rows, SeriesTable, State
from .kernels import NONE, REPEAT, RING, UNKNOWN, accept, newest
from .overrule import QUALITY_BAD, Ruling, Rulings

log = logging.getLogger("anlan.detect")
LOOKBACKS_PER_TICK = 16  # forecasts asked for by one detector in one tick; the rest asks again at the next
NO_KIND = 0


@dataclass(slots=True)
class Raised:
    """One finding of a detector about a series; `reading_ms` is the reading it rests on (None: there is none)."""

    detector: str
    slot: int
    station: int
    quantity: int
    time_ms: int
    grade: int
    previous: int
    score: float
    kind: int
    evidence: tuple[float, ...]
    reading_ms: int | None
    note: tuple[str, str] = ("", "")  # said instead of the detector's own sentence
    cause: str = ""  # a record beside the reading on which it rests (a person's overrule)


@dataclass(slots=True)
class Outcome:
    """What one step or tick gives: rows to store, findings, look-backs to forecast, counts."""

    store: ReadingBlock = field(default_factory=ReadingBlock.empty)
    raised: list[Raised] = field(default_factory=list)
    lookbacks: list[Lookback] = field(default_factory=list)
    touched: list[int] = field(default_factory=list)  # partitions with new values
    begun: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))  # stations that report for the first time
    repeats: int = 0
    unknown: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    failed: list[tuple[str, str]] = field(default_factory=list)  # detector, error


def detectors() -> list[Detector]:
    """Every detector found, in the order in which they judge."""
    return sorted(scan("anlan.detect.detectors", Detector).values(), key=lambda d: (d.rank, d.name))  # type: ignore[type-abstract]


class Stage:
    """The state of all partitions of one lane under one series table."""

    def __init__(self, table: SeriesTable, judges: list[Detector]):
        self.judges = judges
        self._named = {judge.name: judge for judge in judges}
        self.states: dict[str, State] = {}
        self.open: dict[int, dict[tuple[str, int], int]] = {}  # slot -> (detector, kind) -> grade now standing
        self.rulings = Rulings()
        self._place(table)
        self.states = self._fresh(table)

    # -- blocks and ticks ------------------------------------------------------------------------------------------

    def step(self, block: ReadingBlock) -> Outcome:
        """Take the block's rows in order."""
        n = len(block)
        slot, late = np.empty(n, np.int32), np.empty(n, np.uint8)
        base, table = self.states["lane"], self.table
        apart = accept(
            block.station,
            block.quantity,
            block.time_ms,
            self.first,
            self.lowest,
            table.station,
            table.quantity,
            base["ring"],
            base["head"],
            slot,
            late,
        )
        judged: Any = slice(None) if apart == 0 else slot >= 0
        rows = Rows(slot[judged], block.time_ms[judged], block.value[judged].copy(), block.quality[judged].copy(), late[judged])
        outcome = Outcome()
        if len(rows):
            rows.ruled = self.rulings.mark(rows)
            said = rows.quality.copy() if rows.ruled is not None else rows.quality
            if rows.ruled is not None:
                rows.quality[rows.ruled >= BAD] = QUALITY_BAD
            for judge in self.judges:
                self._ask(judge, outcome, lambda j=judge: j.step(self.states[j.name], rows, table), tick=False)  # type: ignore[misc]
            if rows.ruled is not None:
                rows.quality[rows.ruled == MUTE] = said[rows.ruled == MUTE]
            raw = block.value[judged]
            begun = np.empty(len(rows), np.int32)
            count = newest(rows.slot, rows.time_ms, raw, rows.quality, base["time"], base["value"], base["quality"], begun)
            outcome.begun = table.station[begun[:count]]
            outcome.touched = np.flatnonzero(np.bincount(table.partition[rows.slot])).tolist()
        outcome.store = ReadingBlock(block.station, block.quantity, block.time_ms, block.value, rows.quality, block.received_ms)
        if apart:
            outcome.store.quality = block.quality.copy()
            outcome.store.quality[judged] = rows.quality
            outcome.store = outcome.store.take(slot != REPEAT)
            outcome.repeats = int((slot == REPEAT).sum())
            outcome.unknown = block.station[slot == UNKNOWN]
        return outcome

    def tick(self, now_ms: int) -> Outcome:
        """Time has reached `now_ms` (UTC)."""
        outcome = Outcome()
        if self.rulings.expire(now_ms):
            self._place_rulings()
        for judge in self.judges:
            state = self.states[judge.name]
            self._ask(judge, outcome, lambda j=judge, s=state: j.tick(s, now_ms, self.table), tick=True)  # type: ignore[misc]
            for position in judge.open_slots(state)[:LOOKBACKS_PER_TICK].tolist():
                lookback = judge.lookback(state, position, self.table)
                if lookback is not None:
                    outcome.lookbacks.append(lookback)
        return outcome

    def overrule(self, ruling: Ruling, now_ms: int, withdrawn: bool) -> Outcome | None:
        """Obey a person's ruling from here on (the same again: nothing); None when the lane has no such series."""
        slots = self._slots_of(ruling.station, ruling.quantity)
        if not slots:
            return None
        outcome = Outcome()
        held = self.rulings.rows.get(ruling.id)
        if withdrawn and held is not None:
            del self.rulings.rows[ruling.id]
            for judge in self.judges if held.verdict == MUTE else []:
                for slot in slots:
                    judge.unmuted(self.states[judge.name], slot, now_ms)
        elif not withdrawn and held is None:
            self.rulings.rows[ruling.id] = ruling
            self._forget(ruling, slots, now_ms, outcome)
        self._place_rulings()
        outcome.touched = [int(self.table.partition[slots[0]])]
        return outcome

    def _forget(self, ruling: Ruling, slots: list[int], now_ms: int, outcome: Outcome) -> None:
        """What the judges made of the readings in question so far is void; findings that rest on it are taken back."""
        span, fresh = (ruling.from_ms, ruling.to_ms), self._fresh(self.table)
        seen = [s for s in slots if ruling.verdict == MUTE or int(self.states["lane"]["time"][s]) >= ruling.from_ms]
        for slot in seen:
            for judge in self.judges:
                if ruling.verdict == BAD and judge.hazard_of(int(self.table.quantity[slot])) == "device":
                    continue
                judge.overruled(self.states[judge.name], slot, ruling.verdict, span, now_ms, fresh[judge.name])
            for (name, kind), grade in sorted(self.open.get(slot, {}).items()):
                device = self._named[name].hazard_of(int(self.table.quantity[slot])) == "device"
                if ruling.verdict == MUTE or (ruling.verdict == BAD and not device) or (ruling.verdict == GOOD and name == "quality"):
                    outcome.raised.append(self._taken_back(ruling, slot, name, kind, grade, now_ms))
            self._stands(slot)

    def _taken_back(self, ruling: Ruling, slot: int, name: str, kind: int, grade: int, now_ms: int) -> Raised:
        del self.open[slot][name, kind]
        zh, en = {GOOD: ("数据有效", "the readings are good"), BAD: ("数据无效", "the readings are bad"), MUTE: ("静默", "muted")}[
            ruling.verdict
        ]
        station, quantity = int(self.table.station[slot]), int(self.table.quantity[slot])
        note = (f"人工裁定{zh}，撤回该研判", f"taken back: a person ruled that {en}")
        return Raised(name, slot, station, quantity, now_ms, 0, grade, 0.0, kind, (), None, note, ruling.id)

    def _slots_of(self, station: int, quantity: int) -> list[int]:
        """Slots of a station's series (quantity 0: all)."""
        if quantity:
            slot = self.slot_of(station, quantity)
            return [slot] if slot >= 0 else []
        at = station - self.lowest
        first = int(self.first[at]) if 0 <= at < len(self.first) else -1
        slots: list[int] = []
        while 0 <= first < len(self.table) and self.table.station[first] == station:
            slots.append(first)
            first += 1
        return slots

    def _place_rulings(self) -> None:
        self.rulings.place(len(self.table), self._slots_of)

    def _inside(self, a: int, b: int) -> Callable[[int], bool]:
        return lambda station: any(a <= slot < b for slot in self._slots_of(station, 0))

    def _ask(self, judge: Detector, outcome: Outcome, call: Any, *, tick: bool) -> None:
        """Run one detector; its failure is reported and does not stop the lane."""
        try:
            found: Findings = call()
        except Exception as error:
            log.exception("detector %s failed", judge.name)
            outcome.failed.append((judge.name, f"{type(error).__name__}: {error}"))
            return
        if not len(found):
            return
        kinds = found.kind or [NO_KIND] * len(found)
        last = self.states["lane"]["time"]
        rows = zip(found.slot, found.time_ms, found.grade, found.score, kinds, found.evidence, strict=True)
        for slot, time_ms, grade, score, kind, evidence in rows:
            standing = self.open.setdefault(slot, {})
            previous = standing.pop((judge.name, kind), 0)
            if grade > 0:
                standing[judge.name, kind] = grade
            self._stands(slot)
            reading = time_ms if not tick else int(last[slot])
            outcome.raised.append(
                Raised(
                    judge.name,
                    slot,
                    int(self.table.station[slot]),
                    int(self.table.quantity[slot]),
                    time_ms,
                    grade,
                    previous,
                    score,
                    kind,
                    evidence,
                    None if reading == NONE else reading,
                )
            )

    def _stands(self, slot: int) -> None:
        """Bring the worst grade and the silence of a series up to what stands open."""
        standing = self.open.get(slot, {})
        quantity = int(self.table.quantity[slot])
        graded = (g for (d, _), g in standing.items() if self._named[d].hazard_of(quantity) != "device")
        self.grade[slot] = max(graded, default=0)
        self.silent[slot] = any(d == "silence" for d, _ in standing)
        if not standing:
            self.open.pop(slot, None)

    # -- configuration ---------------------------------------------------------------------------------------------

    def configure(self, table: SeriesTable) -> None:
        """Go over to another series table; series that stay keep all their state."""
        fresh, old, old_table = self._fresh(table), self.states, self.table
        moved = rekey.slots(old_table, table)
        for name, state in fresh.items():
            rekey.move(old[name], state, moved)
        self.open = {int(moved[s]): standing for s, standing in self.open.items() if moved[s] >= 0}
        self._place(table)
        self.states = fresh

    def _place(self, table: SeriesTable) -> None:
        """The index from station number to its first row, and the bounds of partitions."""
        self.table = table
        self.lowest = int(table.station.min()) if len(table) else 0
        span = int(table.station.max()) - self.lowest + 1 if len(table) else 0
        self.first = np.full(span, -1, np.int32)
        self.first[table.station[::-1] - self.lowest] = np.arange(len(table) - 1, -1, -1, dtype=np.int32)
        self.partitions: list[int] = np.unique(table.partition).tolist()
        self.grade, self.silent = np.zeros(len(table), np.int8), np.zeros(len(table), np.uint8)
        for slot in list(self.open):
            self._stands(slot)
        self._place_rulings()

    def _fresh(self, table: SeriesTable) -> dict[str, State]:
        n = len(table)
        lane: State = {
            "slot": np.arange(n, dtype=np.int32),
            "ring": np.full((n, RING), NONE, np.int64),
            "head": np.zeros(n, np.uint8),
            "time": np.full(n, NONE, np.int64),
            "value": np.full(n, np.nan),
            "quality": np.zeros(n, np.uint8),
        }
        return {"lane": lane} | {judge.name: judge.allocate(table) for judge in self.judges}

    def bounds(self, partition: int) -> tuple[int, int]:
        """First slot of a partition and the one after its last."""
        a, b = np.searchsorted(self.table.partition, [partition, partition + 1])
        return int(a), int(b)

    # -- saving ----------------------------------------------------------------------------------------------------

    def save(self, partition: int) -> bytes:
        """The partition's state, copied but not yet compressed (see `arrays.compressed`)."""
        a, b = self.bounds(partition)
        out: arrays.Arrays = {}
        for name, state in self.states.items():
            i, j = np.searchsorted(state["slot"], [a, b])
            out |= {f"{name}/{key}": column[i:j] for key, column in state.items() if key != "slot"}
        standing = [
            [int(self.table.station[s]), int(self.table.quantity[s]), d, k, g]
            for s in sorted(self.open)
            if a <= s < b
            for (d, k), g in sorted(self.open[s].items())
        ]
        meta = {"version": self.table.version, "rows": b - a, "open": standing, "rulings": self.rulings.saved(self._inside(a, b))}
        return arrays.raw(meta, out)

    def load(self, partition: int, data: bytes) -> None:
        """Put the saved state in place of the partition's (saved under the same table; arrays that this program shapes
        otherwise start fresh)."""
        meta, saved = arrays.unpacked(data)
        a, b = self.bounds(partition)
        if meta["rows"] != b - a:
            log.error("partition %s: its snapshot has %s series, the table %s; starts fresh", partition, meta["rows"], b - a)
            return
        for name, state in self.states.items():
            i, j = np.searchsorted(state["slot"], [a, b])
            columns = {key: saved.get(f"{name}/{key}") for key in state if key != "slot"}
            if all(c is not None and c.shape == state[k][i:j].shape and c.dtype == state[k].dtype for k, c in columns.items()):
                for key, column in columns.items():
                    state[key][i:j] = column
            else:
                log.warning("partition %s: state of %s has another form now; starts fresh", partition, name)
        self.open = {s: standing for s, standing in self.open.items() if not a <= s < b}
        self.grade[a:b] = self.silent[a:b] = 0
        for station, quantity, detector, kind, grade in meta["open"]:
            slot = self.slot_of(station, quantity)
            if slot >= 0 and detector in self._named:
                self.open.setdefault(slot, {})[detector, kind] = grade
                self._stands(slot)
        self.rulings.load(meta.get("rulings", []), self._inside(a, b))
        self._place_rulings()

    def slot_of(self, station: int, quantity: int) -> int:
        """Slot of a series, -1 when there is none."""
        at = station - self.lowest
        slot = int(self.first[at]) if 0 <= at < len(self.first) else -1
        while 0 <= slot < len(self.table) and self.table.station[slot] == station:
            if self.table.quantity[slot] == quantity:
                return slot
            slot += 1
        return -1

    def latest(self, partition: int) -> Latest:
        """Newest value of each series of the partition that has ever reported, with the worst grade standing."""
        a, b = self.bounds(partition)
        lane = self.states["lane"]
        seen = np.flatnonzero(lane["time"][a:b] != NONE) + a
        return Latest(
            self.table.station[seen],
            self.table.quantity[seen],
            lane["time"][seen],
            lane["value"][seen],
            lane["quality"][seen],
            self.grade[seen],
            self.silent[seen],
        )

    def reported(self) -> NDArray[np.int32]:
        """Numbers of the stations that have ever reported."""
        return np.unique(self.table.station[self.states["lane"]["time"] != NONE])
