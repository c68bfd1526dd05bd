"""What every detector found by the scan must do."""

import numpy as np
import pytest

from anlan.base.plugin import scan
from anlan.base.quantity import BY_NUMBER
from anlan.detect.contract import Detector, Findings, Rows, SeriesTable

FOUND = scan("anlan.detect.detectors", Detector)
KINDS = ["displacement", "crack_width", "tilt", "rainfall", "water_level", "water_depth", "gas_concentration", "displacement"]
HOUR = 3_600_000
T0 = 1_790_000_000_000
NAMES = sorted(FOUND)


def table(order=None):
    kinds = KINDS if order is None else [KINDS[i] for i in order]
    limits = {
        "displacement": (0.02, 0.05, 0.1, 0.2),
        "water_level": (1.0, 2.0, 3.0, 4.0),
        "water_depth": (0.1, 0.2, 0.3, 0.5),
        "gas_concentration": (0.01, None, 0.02, 0.05),
    }
    rows = []
    for slot, name in enumerate(kinds):
        if name in limits:
            rows.append({"slot": slot, "level": limits[name], "id": f"t-{name}-{slot if order is None else order[slot]}"})
        if name == "water_level":
            rows.append({"slot": slot, "mode": "rate", "window_ms": 3 * HOUR, "level": (0.2, 0.4, 0.6, 0.8), "id": "t-rise"})
        if name == "rainfall":
            rows.append({"slot": slot, "mode": "sum", "window_ms": HOUR, "level": (0.01, 0.02, 0.04, 0.06), "id": "t-rain"})
    return SeriesTable.of(kinds, interval_ms=HOUR, thresholds=rows)


def stream(seed=3, hours=260):
    """Quiet, then an event in every series, then back; rows in time order."""
    rng = np.random.default_rng(seed)
    slot, time_ms, value = [], [], []
    for h in range(hours):
        for s, name in enumerate(KINDS):
            if rng.random() < 0.03:
                continue
            wave = max(0.0, 1 - abs(h - 150) / 60)
            x = {
                "displacement": 1e-4 * rng.normal() + 2e-5 * h + (0.3 / max(0.3, (230 - h)) if h < 230 else 0.6),
                "crack_width": 1e-4 * rng.normal() + 1e-5 * h,
                "tilt": 1e-4 * rng.normal(),
                "rainfall": 0.002 * round(10 * wave * rng.random()),
                "water_level": 0.5 + 4 * wave + 0.01 * rng.normal(),
                "water_depth": max(0.0, 0.7 * wave - 0.2),
                "gas_concentration": 0.06 * wave,
            }[name]
            slot.append(s), time_ms.append(T0 + h * HOUR + 1000 * s), value.append(x)
    return np.array(slot), np.array(time_ms), np.array(value)


def play(detector, tab, slot, time_ms, value, cut, quality=None, late=None, tick=True, between=None):
    """Feed in blocks of `cut` hours, a tick after each hour; all findings as comparable tuples."""
    state, said = detector.allocate(tab), []
    hour = (time_ms - T0) // HOUR
    extra = np.zeros(len(slot), np.uint8)
    quality = extra if quality is None else quality
    late = extra if late is None else late
    for h in range(int(hour.max()) + 1):
        now = np.flatnonzero(hour == h)
        if tick:
            said += tuples(detector.tick(state, T0 + h * HOUR, tab))
        for part in np.array_split(now, cut) if len(now) else []:
            if len(part):
                said += tuples(detector.step(state, Rows.of(slot[part], time_ms[part], value[part], quality[part], late[part]), tab))
        if between:
            state = between(state)
    return said, state


def tuples(f: Findings):
    assert len(f.slot) == len(f.time_ms) == len(f.grade) == len(f.score) == len(f.evidence) == len(f.kind)
    return list(zip(f.slot, f.time_ms, f.grade, f.kind, [tuple(np.round(e, 12)) for e in f.evidence], strict=True))


def same_state(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k], equal_nan=a[k].dtype.kind == "f") for k in a)


def test_some_are_found():
    assert {"quality", "threshold", "silence", "rain"} <= set(FOUND)


@pytest.mark.parametrize("name", NAMES)
def test_one_block_or_ten(name):
    one, state_one = play(FOUND[name], table(), *stream(), cut=1)
    ten, state_ten = play(FOUND[name], table(), *stream(), cut=10)
    assert one == ten
    assert same_state(state_one, state_ten)


@pytest.mark.parametrize("name", NAMES)
def test_same_input_same_answer_and_something_is_said(name):
    said = play(FOUND[name], table(), *stream(), cut=2)[0]
    assert said == play(FOUND[name], table(), *stream(), cut=2)[0]
    if name in ("threshold", "rain", "slope"):
        assert any(grade > 0 for _, _, grade, _, _ in said)


@pytest.mark.parametrize("name", NAMES)
def test_station_order_does_not_matter(name):
    order = [5, 2, 7, 0, 3, 6, 1, 4]
    slot, time_ms, value = stream()
    place = np.argsort(order)
    a = play(FOUND[name], table(), slot, time_ms, value, cut=1)[0]
    b = play(FOUND[name], table(order), place[slot], time_ms, value, cut=1)[0]
    assert sorted((s, t, g) for s, t, g, _, _ in a) == sorted((order[s], t, g) for s, t, g, _, _ in b)


@pytest.mark.parametrize("name", NAMES)
def test_no_look_ahead(name):
    slot, time_ms, value = stream()
    cut = T0 + 170 * HOUR
    before = time_ms < cut
    whole = [f for f in play(FOUND[name], table(), slot, time_ms, value, cut=1)[0] if f[1] < cut]
    assert [f for f in play(FOUND[name], table(), slot[before], time_ms[before], value[before], cut=1)[0] if f[1] < cut] == whole


@pytest.mark.parametrize("name", NAMES)
def test_save_and_load_midway(name):
    def through_bytes(state):
        return {k: np.frombuffer(v.tobytes(), v.dtype).reshape(v.shape).copy() for k, v in state.items()}

    assert play(FOUND[name], table(), *stream(), cut=1)[0] == play(FOUND[name], table(), *stream(), cut=1, between=through_bytes)[0]


@pytest.mark.parametrize("name", NAMES)
def test_state_is_plain_arrays_by_row(name):
    state = FOUND[name].allocate(table())
    assert state["slot"].dtype == np.int32 and (np.diff(state["slot"]) >= 0).all()
    for key, array in state.items():
        assert type(array) is np.ndarray and array.shape[0] == len(state["slot"]), key
        assert array.dtype.kind in "iuf"
    empty = FOUND[name].allocate(SeriesTable.of([]))
    assert len(FOUND[name].step(empty, Rows.of([], [], []), SeriesTable.of([]))) == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_nan_in_is_no_alarm_out(name, odd):
    tab = table()
    slot, time_ms, _ = stream(hours=80)
    said = play(FOUND[name], tab, slot, time_ms, np.full(len(slot), odd), cut=1)[0]
    assert all(FOUND[name].hazard == "device" and g <= 1 for _, _, g, _, _ in said)


@pytest.mark.parametrize("name", NAMES)
def test_bad_and_missing_quality_raise_nothing_and_suspect_alone_no_red(name):
    slot, time_ms, value = stream()
    for quality in (2, 3):
        said = play(FOUND[name], table(), slot, time_ms, value, cut=1, quality=np.full(len(slot), quality, np.uint8))[0]
        assert all(FOUND[name].hazard == "device" for f in said)
    said = play(FOUND[name], table(), slot, time_ms, value, cut=1, quality=np.ones(len(slot), np.uint8))[0]
    assert all(g < 4 for _, _, g, _, _ in said)


@pytest.mark.parametrize("name", NAMES)
def test_late_rows_never_break_it(name):
    slot, time_ms, value = stream()
    late = np.zeros(len(slot), np.uint8)
    rng = np.random.default_rng(1)
    some = rng.choice(len(slot), 60, replace=False)
    moved = time_ms.copy()
    for i in some:
        late[i], moved[i] = 1, max(T0, time_ms[i] - 5 * HOUR)
    state = FOUND[name].allocate(table())
    for part in np.array_split(np.arange(len(slot)), 40):
        findings = FOUND[name].step(state, Rows.of(slot[part], moved[part], value[part], None, late[part]), table())
        for grade, evidence in zip(findings.grade, findings.evidence, strict=True):
            assert 0 <= grade <= 4 and len(evidence) == len(FOUND[name].evidence)


@pytest.mark.parametrize("name", NAMES)
def test_words_in_both_languages(name):
    d = FOUND[name]
    assert d.zh and d.en and d.evidence
    for _, _, grade, _, evidence in play(d, table(), *stream(), cut=1)[0]:
        zh, en = d.describe(grade, evidence)
        assert zh and en and "nan" not in zh.lower() and en.isascii()
        for gate in d.gates(grade, evidence):
            assert gate.zh and gate.en


@pytest.mark.parametrize("name", NAMES)
def test_hazard_is_named_for_every_quantity(name):
    assert all(FOUND[name].hazard_of(n) for n in BY_NUMBER)


def test_quality_on_real_low_cost_sensors(shared):
    """MEMS records with 9 g spikes, stuck and runaway counters: nothing crashes, some samples are marked."""
    import csv

    rows = list(csv.DictReader((shared / "data" / "slopes" / "iot_mems_stations_A.csv").open()))
    names = sorted({r["station"] for r in rows})
    tab = SeriesTable.of(["acceleration"] * len(names), interval_ms=24 * HOUR)
    value = np.array([float(r["accz"] or "nan") * 9.80665 for r in rows])
    slot = [names.index(r["station"]) for r in rows]
    said = Rows.of(slot, [T0 + i * 1000 for i in range(len(rows))], value)
    FOUND["quality"].step(FOUND["quality"].allocate(tab), said, tab)
    assert len(said) > 100 and (said.quality[np.isnan(value)] == 2).all()


def test_street_depth_with_real_faults_is_not_red_by_one_sample(shared):
    """A street sensor with jumps of up to 2.5 m (cars, webs): a lone jump is suspect and never red."""
    import csv

    rows = list(csv.DictReader((shared / "data" / "hydro" / "floodnet_daily_gentle_beetle_202306.csv").open()))
    dist = np.array([float(r["dist_mm"] or "nan") for r in rows]) / 1e3
    depth = np.nanmedian(dist) - dist
    tab = SeriesTable.of(["water_depth"], thresholds=[{"slot": 0, "level": (0.1, 0.15, 0.3, 0.5), "persistence_n": 2, "id": "t"}])
    state = FOUND["threshold"].allocate(tab)
    said = FOUND["threshold"].step(state, Rows.of(np.zeros(len(rows)), T0 + 60_000 * np.arange(len(rows)), depth), tab)
    lone = np.flatnonzero((depth[1:-1] > 0.5) & (depth[:-2] < 0.1) & (depth[2:] < 0.1)) + 1
    at = {(t - T0) // 60_000 for t, g in zip(said.time_ms, said.grade, strict=True) if g == 4}
    assert not at & set(lone.tolist())
