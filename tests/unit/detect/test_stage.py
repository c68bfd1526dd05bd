"""The lane core: repeats and lateness, block-split invariance, save and restore, change of settings."""

from __future__ import annotations

import itertools
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anlan.base.block import ReadingBlock
from anlan.detect.arrays import compressed, empty_table, table_bytes, table_from
from anlan.detect.contract import Detector, Findings, SeriesTable
from anlan.detect.kernels import RING
from anlan.detect.stage import Stage, detectors

from .lanes import T0, stream, table

STATIONS = range(1, 13)


class Told:
    """What a run gave: stored rows, findings, look-backs."""

    def __init__(self):
        self.rows, self.raised, self.looked, self.said = [], [], [], []

    def take(self, outcome):
        block = outcome.store
        self.rows += list(zip(block.station.tolist(), block.quantity.tolist(), block.time_ms.tolist(), block.quality.tolist(), strict=True))
        self.said += [(r.station, r.quantity, r.detector, r.kind, r.time_ms, r.grade, r.previous) for r in outcome.raised]
        self.raised += [repr(astuple(r)) for r in outcome.raised]
        self.looked += [(b.slot, b.time_ms.tobytes(), b.value.tobytes()) for b in outcome.lookbacks]
        assert not outcome.failed

    def same(self, other):
        return self.rows == other.rows and sorted(self.raised) == sorted(other.raised) and self.looked == other.looked


def drive(stage, block, cuts, told, ticks=(), begin=0):
    """Feed rows `begin`.. in pieces cut at `cuts`; a tick falls after each row number in `ticks`."""
    edges = sorted({begin, len(block), *(c for c in cuts if begin < c < len(block)), *(t for t in ticks if begin < t < len(block))})
    for a, b in itertools.pairwise(edges):
        told.take(stage.step(block.take(slice(a, b))))
        if b in ticks:
            told.take(stage.tick(T0 + b * 2500))
    return told


def state_of(stage):
    return {p: stage.save(p) for p in stage.partitions}


def test_ring_against_plain_python():
    rng = np.random.default_rng(3)
    times = (T0 + rng.integers(0, 60, 3000)).tolist()
    stage, kept, judged = Stage(table([5], (1,)), []), [], []
    for t in times:
        outcome = stage.step(ReadingBlock.of([5], [1], [t], [0.0]))
        kept.append(len(outcome.store))
        judged.append(outcome.touched != [])
    ring: list[int] = []
    for t, k, j in zip(times, kept, judged, strict=True):
        repeat = t in ring
        late = len(ring) == RING and t < min(ring) and not repeat
        assert k == (not repeat) and j == (not repeat and not late)
        if j:
            ring = sorted([*ring, t])[-RING:]


def test_unknown_series_is_stored_and_counted():
    stage = Stage(table([1, 2]), detectors())
    outcome = stage.step(ReadingBlock.of([1, 77, 1, 2**31 - 1], [1, 1, 9, 1], [T0] * 4, [0.0] * 4))
    assert len(outcome.store) == 4 and sorted(outcome.unknown.tolist()) == [1, 77, 2**31 - 1]
    empty = Stage(empty_table(), detectors())
    assert len(empty.step(ReadingBlock.of([1], [1], [T0], [0.0])).store) == 1
    assert empty.tick(T0).raised == []


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(1, 1999), max_size=60))
def test_block_split_invariance(seed, cuts):
    block, ticks = stream(seed, STATIONS, 2000), set(range(100, 2000, 100))
    whole, pieces = Stage(table(STATIONS), detectors()), Stage(table(STATIONS), detectors())
    a, b = drive(whole, block, [], Told(), ticks), drive(pieces, block, cuts, Told(), ticks)
    assert a.same(b) and state_of(whole) == state_of(pieces)
    assert len(a.raised) > 10


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 1999))
def test_save_and_restore_is_as_if_nothing_happened(seed, at):
    block, ticks = stream(seed, STATIONS, 2000), set(range(100, 2000, 100))
    straight = Stage(table(STATIONS), detectors())
    expected = drive(straight, block, [at], Told(), ticks)
    first, told = Stage(table(STATIONS), detectors()), Told()
    drive(first, block.take(slice(0, at)), [], told, ticks - {at})
    if at in ticks:
        told.take(first.tick(T0 + at * 2500))
    second = Stage(table(STATIONS), detectors())
    for partition in first.partitions:
        second.load(partition, compressed(first.save(partition)))
    drive(second, block, [], told, ticks, begin=at)
    assert told.same(expected) and state_of(second) == state_of(straight)


def test_partitions_saved_at_different_points_meet_again():
    """A replay from the lowest snapshot, each partition's state put in at its own point (see `Lane._replay`)."""
    block, ticks = stream(4, STATIONS, 3000), set(range(100, 3000, 100))
    straight = Stage(table(STATIONS), detectors())
    saved, points = {}, {0: 500, 1: 1300, 2: 1300, 3: 2100}
    told, at = Told(), 0
    for point in (500, 1300, 2100, 3000):
        drive(straight, block.take(slice(0, point)), [], told, ticks, begin=at)
        if point in ticks:
            told.take(straight.tick(T0 + point * 2500))
        saved |= {p: compressed(straight.save(p)) for p, where in points.items() if where == point}
        at = point
    again = Stage(table(STATIONS), detectors())
    for start, end in ((500, 1300), (1300, 2100), (2100, 3000)):
        for p, where in points.items():
            if where == start:
                again.load(p, saved[p])
        drive(again, block.take(slice(0, end)), [], Told(), ticks, begin=start)
        if end in ticks:
            again.tick(T0 + end * 2500)
    assert state_of(again) == state_of(straight)


def test_change_of_settings_keeps_what_stays():
    block, ticks = stream(8, STATIONS, 3000), set(range(100, 3000, 100))
    straight, moved = Stage(table(STATIONS), detectors()), Stage(table(STATIONS), detectors())
    a, b = drive(straight, block.take(slice(0, 1500)), [], Told(), ticks), drive(moved, block.take(slice(0, 1500)), [], Told(), ticks)
    moved.configure(table(range(1, 40), version=2))  # more stations between the old ones in every partition
    mine = block.take(np.isin(block.station, [*STATIONS]))
    drive(straight, mine, [], a, ticks, begin=1500)
    drive(moved, mine, [], b, ticks, begin=1500)
    assert sorted(a.said) == sorted(b.said) and a.rows == b.rows
    moved.configure(table(STATIONS, version=3))
    assert [stage.latest(1).to_bytes() for stage in (moved,)] == [straight.latest(1).to_bytes()]
    moved.configure(table([3], version=4))
    moved.configure(empty_table())
    assert moved.partitions == [] and moved.open == {}


def test_table_survives_its_bytes():
    one = table(STATIONS)
    two = table_from(table_bytes(one))
    assert table_bytes(two) == table_bytes(one) and two.thresholds.id == one.thresholds.id


def test_latest_shows_value_grade_and_silence():
    stage = Stage(table([4], (1,)), detectors())
    for i in range(20):
        stage.step(ReadingBlock.of([4], [1], [T0 + i * 10_000], [0.0]))
    stage.step(ReadingBlock.of([4], [1], [T0 + 200_000], [0.6]))
    latest = stage.latest(0)
    assert latest.value.tolist() == [0.6] and latest.time_ms.tolist() == [T0 + 200_000] and latest.silent.tolist() == [0]
    for s in range(0, 7_200, 20):
        stage.tick(T0 + 200_000 + s * 1000)
    assert stage.latest(0).silent.tolist() == [1]


class Broken(Detector):
    name, hazard = "broken", "test"

    def allocate(self, table):
        return {"slot": np.arange(len(table), dtype=np.int32)}

    def step(self, state, rows, table):
        raise RuntimeError("boom")

    def describe(self, grade, evidence):
        return "", ""


def test_a_failing_detector_does_not_stop_the_lane():
    stage = Stage(table([1]), [Broken()])
    outcome = stage.step(ReadingBlock.of([1], [1], [T0], [1.0]))
    assert len(outcome.store) == 1 and outcome.failed == [("broken", "RuntimeError: boom")]


class Marks(Detector):
    """Quality first: what it lowers is stored and seen by the next."""

    name, hazard, rank = "aa_marks", "quality", 0

    def allocate(self, table):
        return {"slot": np.arange(len(table), dtype=np.int32), "n": np.zeros(len(table))}

    def step(self, state, rows, table):
        rows.quality[rows.value > 5] = 2
        rows.value[:] = 0
        return Findings()

    def describe(self, grade, evidence):
        return "", ""


def test_lowered_quality_is_stored_with_the_raw_value():
    stage = Stage(table([1], (1,)), [Marks()])
    frame = ReadingBlock.of([1, 1, 8], [1, 1, 1], [T0, T0 + 1, T0], [9.0, 1.0, 9.0])
    stored = stage.step(ReadingBlock.from_bytes(frame.to_bytes())).store
    assert stored.quality.tolist() == [2, 0, 0] and stored.value.tolist() == [9.0, 1.0, 9.0]
    assert stage.latest(1).quality.tolist() == [0]


def test_duplicate_rows_name_rejects_nothing_else():
    with pytest.raises(ValueError, match="ANLANAR1"):
        table_from(b"nonsense")


def test_warm_compiles_all_that_a_published_table_needs():
    """A table as it comes out of the database must meet the kernels that `warm` made: compiling takes seconds, a lane would stand still."""
    from anlan.detect import arrays, kernels, warm
    from anlan.detect.detectors import _slope, quality, silence, threshold

    def compiled() -> dict[str, int]:
        found = (kernels.accept, kernels.newest, _slope.step, quality._step, silence._step, silence._tick, threshold._step)
        return {str(kernel): len(kernel.overloads) for kernel in found}

    warm.warm()
    before = compiled()
    plain = SeriesTable.of(["displacement", "water_level"], interval_ms=60_000, thresholds=[{"slot": 1, "level": (1.0, 2.0, 3.0, 4.0)}])
    for sites in (["a"], ["ab"], ["abcd"]):  # the length of the head moves the arrays behind it
        stage = Stage(arrays.table_from(arrays.table_bytes(replace(plain, sites=sites))), detectors())
        stage.step(ReadingBlock.of(plain.station, plain.quantity, np.full(2, 1_700_000_000_000), np.ones(2)))
        stage.tick(1_700_000_001_000)
    assert compiled() == before
