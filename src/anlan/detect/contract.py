"""The role of a detector, and the tables it works on.

A detector holds state as arrays whose first axis is *its own* series (the rows of `SeriesTable`
it watches, in the order of `State["slot"]`), and advances by pure functions:

- `allocate(table)` makes fresh state for a table (rows are found by `state["slot"]`, sorted; a detector that
  holds several rows per series adds `state["key"]`, int64, so that (slot, key) names a row for ever);
- `step(state, rows, table)` takes accepted rows in order (row by row semantics: one block or ten
  must give the same) and returns findings;
- `tick(state, now_ms, table)` is called for each clock tick in the lane (about once a second):
  silence, persistence by time, and costly fits where a cheap gate is open.

State arrays are changed in place and must be plain NumPy arrays of fixed dtype; the stage saves,
restores and re-keys them by (station, quantity, key) when the register changes; an array whose trailing
shape differs between two configurations starts fresh. Detectors run in the order of (`rank`, `name`). `rows` is
the stage's own copy: rank 0 (quality) lowers ``rows.quality`` and rebases ``rows.value`` in place, so
that all later detectors see a continuous series; the raw value with the lowered quality is what is stored.
No clock, no randomness but a seed derived from the series, no I/O. The same code runs live, in the
hindcast and over history.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..base.errors import FieldError
from ..base.quantity import quantity

if TYPE_CHECKING:  # the desk compiles settings with these tables and shall not load Numba for it
    from ..base.failure import Lookback

State = dict[str, NDArray[Any]]
GOOD, BAD, MUTE = 1, 2, 3  # what a person may say of readings against the judges (see `detect.overrule`)


@dataclass(slots=True)
class SeriesTable:
    """All series of a lane as columns, sorted by (partition, station, quantity).

    ``slot`` is the row number. Columns (length N): station int32, quantity int16, partition int16,
    site int32 (number of the site inside this table), interval_ms int64, low/high float64 (plausible
    range, SI), noise float64 (NaN: estimate it), kind int16 (index into `kinds`, station kinds).
    ``thresholds``: one row per threshold that applies to a series (see `ThresholdRows`).
    ``sites`` are site codes; ``version`` is the config version.
    """

    version: int
    station: NDArray[np.int32]
    quantity: NDArray[np.int16]
    partition: NDArray[np.int16]
    site: NDArray[np.int32]
    interval_ms: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    noise: NDArray[np.float64]
    kind: NDArray[np.int16]
    kinds: list[str]
    sites: list[str]
    thresholds: ThresholdRows

    def __len__(self) -> int:
        return len(self.station)

    @classmethod
    def of(
        cls,
        quantities: list[str],
        *,
        interval_ms: int | list[int] = 0,
        noise: float | list[float] = np.nan,
        thresholds: list[dict[str, Any]] | None = None,
        version: int = 1,
    ) -> SeriesTable:
        """A table of one series per station, all of one site and partition: for rehearsals, benches and tests."""
        n = len(quantities)
        numbers = {name: quantity(name) for name in set(quantities)}
        return cls(
            version=version,
            station=np.arange(n, dtype=np.int32),
            quantity=np.array([numbers[q].number for q in quantities], np.int16),
            partition=np.zeros(n, np.int16),
            site=np.zeros(n, np.int32),
            interval_ms=np.ascontiguousarray(np.broadcast_to(np.asarray(interval_ms, np.int64), n)),
            low=np.array([numbers[q].low for q in quantities], np.float64),
            high=np.array([numbers[q].high for q in quantities], np.float64),
            noise=np.ascontiguousarray(np.broadcast_to(np.asarray(noise, np.float64), n)),
            kind=np.zeros(n, np.int16),
            kinds=["station"],
            sites=["site"],
            thresholds=ThresholdRows.of(thresholds or []),
        )


@dataclass(slots=True)
class ThresholdRows:
    """Thresholds resolved to series, as columns sorted by slot (M rows; a series may have several).

    slot int32, mode int8 (0 above, 1 below, 2 rate SI/hour, 3 sum), window_ms int64, level
    float64[M, 4] (blue, yellow, orange, red; NaN: not raised), hysteresis float64 (share),
    persistence_ms int64, persistence_n int32, id list[str] (threshold ids, for the cause).
    """

    slot: NDArray[np.int32]
    mode: NDArray[np.int8]
    window_ms: NDArray[np.int64]
    level: NDArray[np.float64]
    hysteresis: NDArray[np.float64]
    persistence_ms: NDArray[np.int64]
    persistence_n: NDArray[np.int32]
    id: list[str]

    @classmethod
    def of(cls, rows: list[dict[str, Any]]) -> ThresholdRows:
        """From dictionaries: slot, mode (name or number), levels (4 of them, None allowed), and optionally the rest, with an id."""
        rows = sorted(rows, key=lambda r: r["slot"])
        modes = {"above": 0, "below": 1, "rate": 2, "sum": 3}
        levels = [[np.nan if x is None else x for x in r["level"]] for r in rows]
        return cls(
            np.array([r["slot"] for r in rows], np.int32),
            np.array([modes.get(r.get("mode", "above"), r.get("mode")) for r in rows], np.int8),
            np.array([r.get("window_ms", 0) for r in rows], np.int64),
            np.array(levels, np.float64).reshape(-1, 4),
            np.array([r.get("hysteresis", 0.05) for r in rows], np.float64),
            np.array([r.get("persistence_ms", 0) for r in rows], np.int64),
            np.array([r.get("persistence_n", 1) for r in rows], np.int32),
            [r.get("id", f"threshold-{i}") for i, r in enumerate(rows)],
        )


@dataclass(slots=True)
class Rows:
    """Accepted readings for the detectors: slot int32, time_ms int64, value float64, quality uint8.

    Repeats are gone and times rise within a series, but for rows marked late: a row older
    than the series' newest carries ``late`` = 1 (uint8). Values that are
    NaN or of quality BAD or MISSING never raise anything.
    """

    slot: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    late: NDArray[np.uint8]
    ruled: NDArray[np.uint8] | None = None  # GOOD, BAD or MUTE where a person overruled the judges, else 0

    def __len__(self) -> int:
        return len(self.slot)

    @classmethod
    def of(cls, slot: Any, time_ms: Any, value: Any, quality: Any = None, late: Any = None) -> Rows:
        """From any sequences; copies, so that detectors may change them; quality GOOD and on time when not given."""
        n = len(slot)
        return cls(
            np.array(slot, np.int32),
            np.array(time_ms, np.int64),
            np.array(value, np.float64),
            np.zeros(n, np.uint8) if quality is None else np.array(quality, np.uint8),
            np.zeros(n, np.uint8) if late is None else np.array(late, np.uint8),
        )


@dataclass(slots=True)
class Findings:
    """Findings as columns: slot, time_ms (of the reading or tick), grade (0 clears), score, kind, evidence.

    ``kind`` tells apart what one detector may say of one series at one time (e.g. the row key of a threshold); it is
    part of the finding's id and of "the open finding" it replaces: (slot, detector, kind).
    ``evidence`` is float64[n, k] in the order of the detector's `evidence` names. Findings are few;
    they become records with sentences by `Detector.describe` outside the hot path.
    """

    slot: list[int] = field(default_factory=list)
    time_ms: list[int] = field(default_factory=list)
    grade: list[int] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    evidence: list[tuple[float, ...]] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, count: int, *columns: NDArray[Any]) -> Findings:
        """The first `count` rows of kernel output: slot, time_ms, grade, score, kind, evidence[n, k]."""
        slot, time_ms, grade, score, kind, evidence = (c[:count].tolist() for c in columns)
        return cls(slot, time_ms, grade, score, [tuple(e) for e in evidence], kind)

    def add(self, slot: int, time_ms: int, grade: int, score: float, *evidence: float, kind: int = 0) -> None:
        """Append one finding."""
        self.kind.append(int(kind))
        self.slot.append(int(slot))
        self.time_ms.append(int(time_ms))
        self.grade.append(int(grade))
        self.score.append(float(score))
        self.evidence.append(tuple(float(e) for e in evidence))

    def __len__(self) -> int:
        return len(self.slot)


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition of a grade, as shown in "why not red": value against limit, in `unit`, and whether it holds."""

    name: str
    zh: str
    en: str
    value: float
    limit: float
    ok: bool
    unit: str = ""


def watched(table: SeriesTable, quantities: tuple[str, ...]) -> NDArray[np.int32]:
    """Slots of the table whose quantity is one of these (all when empty), ascending."""
    if not quantities:
        return np.arange(len(table), dtype=np.int32)
    numbers = [quantity(name).number for name in quantities]
    return np.flatnonzero(np.isin(table.quantity, numbers)).astype(np.int32)


class Detector(ABC):
    """One way of judging series. Stateless itself: all state is in the arrays.

    ``rank``: order in which the stage calls detectors (quality 0, others 10).
    ``name``: stable id; ``hazard``: slope, flood, rain, device ... ; ``quantities``: names it watches
    (empty: all); ``evidence``: names (with unit, e.g. ``velocity_m_per_h``) of the evidence columns.
    """

    name: str
    hazard: str
    rank: int = 10
    quantities: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    zh: str = ""
    en: str = ""

    @abstractmethod
    def allocate(self, table: SeriesTable) -> State:
        """Fresh state; must hold ``slot`` int32 (sorted slots it watches); other arrays share its first axis."""

    @abstractmethod
    def step(self, state: State, rows: Rows, table: SeriesTable) -> Findings:
        """Take rows in order; change `state` in place; return findings (grade changes and updates)."""

    def tick(self, state: State, now_ms: int, table: SeriesTable) -> Findings:
        """Time has reached `now_ms` (UTC); default: nothing."""
        return Findings()

    @abstractmethod
    def describe(self, grade: int, evidence: tuple[float, ...]) -> tuple[str, str]:
        """One sentence of evidence in Chinese and English."""

    def warm(self) -> None:
        """Compile kernels that three ordinary readings would not reach (called once at a worker's start; default: nothing)."""
        return

    def hazard_of(self, quantity_number: int) -> str:
        """The hazard of a finding about a series of this quantity (default: the detector's own)."""
        return self.hazard

    def gates(self, grade: int, evidence: tuple[float, ...]) -> list[Gate]:
        """The conditions behind the grade, in the order in which they were asked (default: none)."""
        return []

    def causes(self, kind: int, evidence: tuple[float, ...], table: SeriesTable) -> list[str]:
        """Ids of the records, beside readings, on which a finding rests (e.g. the threshold's)."""
        return []

    def overruled(self, state: State, slot: int, verdict: int, span: tuple[int, int], now_ms: int, fresh: State) -> None:
        """A person overruled readings of a series (`span`: UTC ms, end not included) at `now_ms`.

        `fresh` is newly allocated state. Default: after BAD and MUTE the series is judged anew.
        """
        if verdict != GOOD:
            i, j = np.searchsorted(state["slot"], [slot, slot + 1])
            for name, column in state.items():
                if name not in ("slot", "key"):
                    column[i:j] = fresh[name][i:j]

    def unmuted(self, state: State, slot: int, now_ms: int) -> None:
        """A mute of the series ended before its time (default: nothing)."""
        return

    def open_slots(self, state: State) -> NDArray[np.int64]:
        """Positions in `state` that ask for a forecast since the last call of `lookback` (default: none)."""
        return np.empty(0, np.int64)

    def lookback(self, state: State, position: int, table: SeriesTable) -> Lookback | None:
        """What a forecaster needs of one series; also marks it as served."""
        return None


def check_threshold(mode: str, of: str, window_ms: int, levels: tuple[float | None, ...]) -> None:
    """Refuse a threshold that no detector could honour: FieldError names field, value and remedy.

    ``levels`` are blue, yellow, orange, red in SI; they must worsen in order and lie inside the quantity's range.
    """
    q = quantity(of)
    if mode not in ("above", "below", "rate", "sum"):
        raise FieldError("mode", mode, "应为 above、below、rate 或 sum", "use above, below, rate or sum", code="detect.bad_threshold")
    if mode == "sum" and q.kind != "increment":
        raise FieldError(
            "mode", mode, f"累计只用于增量（雨量），{q.zh}不是", f"sum needs increments; {of} is none", code="detect.bad_threshold"
        )
    if mode == "sum" and not 600_000 <= window_ms <= 72 * 3_600_000:
        raise FieldError("window_s", window_ms / 1e3, "累计时窗应为 10 分钟至 72 小时", "from 600 to 259200", code="detect.bad_threshold")
    if mode == "rate" and window_ms < 60_000:
        raise FieldError("window_s", window_ms / 1e3, "变化率时窗应不少于 60 秒", "at least 60 for a rate", code="detect.bad_threshold")
    given = [x for x in levels if x is not None]
    if not given or any(x != x for x in given):
        raise FieldError("levels", levels, "至少给出一级阈值", "give at least one level", code="detect.bad_threshold")
    if sorted(given, reverse=mode == "below") != given:
        raise FieldError("levels", levels, "各级应逐级加重（蓝→红）", "levels must worsen from blue to red", code="detect.bad_threshold")
    if mode in ("above", "below") and not all(q.low <= x <= q.high for x in given):
        raise FieldError(
            "levels", levels, f"超出{q.zh}量程 {q.low:g}–{q.high:g} {q.unit}，请检查单位",
            f"outside the range of {of} in {q.unit}: check the unit",
            code="detect.bad_threshold",
        )  # fmt: skip
