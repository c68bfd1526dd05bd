"""A person overrules the judges: good, bad, mute; taken back; saved and replayed; by HTTP and through the real worker."""

from __future__ import annotations

import asyncio
import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anlan.base.block import ReadingBlock
from anlan.detect.arrays import compressed
from anlan.detect.overrule import KEEP_MS, Ruling, ruling_of
from anlan.detect.stage import Stage, detectors

from .lanes import T0, stream, table
from .test_stage import STATIONS, Told, drive, state_of

GOOD, BAD, MUTE = 1, 2, 3
HOUR = 3_600_000


def one(quantity=5):
    return Stage(table([1], (quantity,)), detectors())


def feed(stage, values, start=T0, quantity=5, step=10_000):
    n = len(values)
    return stage.step(ReadingBlock.of([1] * n, [quantity] * n, [start + i * step for i in range(n)], values))


def grades(outcome):
    return [(r.detector, r.grade, r.previous) for r in outcome.raised]


def test_bad_takes_the_finding_back_and_is_stored_as_bad():
    stage = one()
    assert grades(feed(stage, [0.0, 1.2])) == [("threshold", 2, 0)]
    outcome = stage.overrule(Ruling("over-1", 1, 5, T0 + 10_000, T0 + HOUR, BAD), T0 + 15_000, False)
    assert grades(outcome) == [("threshold", 0, 2)] and outcome.raised[0].cause == "over-1" and "人工" in outcome.raised[0].note[0]
    assert int(stage.grade[0]) == 0 and stage.open == {}
    inside = feed(stage, [2.5, 2.5], T0 + 20_000)
    assert inside.raised == [] and inside.store.quality.tolist() == [2, 2]
    after = feed(stage, [2.5], T0 + HOUR)
    assert grades(after) == [("threshold", 4, 0)] and after.store.quality.tolist() == [0], "the span ends: judged again"


def test_bad_of_a_time_not_yet_reached_leaves_what_stands():
    stage = one()
    feed(stage, [0.0, 1.2])
    assert stage.overrule(Ruling("over-1", 1, 5, T0 + HOUR, T0 + 2 * HOUR, BAD), T0 + 15_000, False).raised == []
    assert int(stage.grade[0]) == 2


def test_good_overrules_the_range_and_the_share_finding():
    stage = one()
    outside = [90_000.0] * 40  # far beyond the range of a water level
    raised = grades(feed(stage, outside))
    assert ("quality", 1, 0) in raised and ("threshold", 4, 0) not in raised
    said = stage.overrule(Ruling("over-1", 1, 5, T0, T0 + HOUR, GOOD), T0 + 400_000, False)
    assert grades(said) == [("quality", 0, 1)]
    inside = feed(stage, [90_000.0, 90_000.0], T0 + 410_000)
    assert grades(inside) == [("threshold", 4, 0)] and inside.store.quality.tolist() == [0, 0]
    later = feed(stage, outside, T0 + HOUR)
    assert ("quality", 1, 0) in grades(later), "after the span quality control doubts again"


def test_good_undoes_a_joined_jump():
    values = [0.001 * (i % 3) for i in range(20)] + [0.2 + 0.001 * (i % 3) for i in range(6)]
    stage = Stage(table([1], (1,), level=0.15), detectors())
    joined = feed(stage, values, quantity=1)
    assert [r.kind for r in joined.raised if r.detector == "quality"] == [1]
    assert "threshold" not in {d for o in stage.open.values() for d, _ in o}, "joined: no movement"
    stage.overrule(Ruling("over-1", 1, 1, T0, T0 + HOUR, GOOD), T0 + 260_000, False)
    seen = feed(stage, [0.201, 0.2], T0 + 270_000, quantity=1)
    assert ("threshold", 1, 0) in grades(seen), "the movement of 0.2 m counts now"


def test_mute_silences_everything_and_ends_by_itself():
    stage = Stage(table([1], (4, 5)), detectors())
    for i in range(12):
        stage.step(ReadingBlock.of([1, 1], [4, 5], [T0 + i * 10_000] * 2, [0.0, 1.2]))
    stage.tick(T0 + 110_000)
    for ms in range(T0 + 130_000, T0 + 300_000, 20_000):
        stage.tick(ms)
    assert {d for o in stage.open.values() for d, _ in o} >= {"threshold", "silence"}
    taken = stage.overrule(Ruling("over-1", 1, 0, T0 + 300_000, T0 + HOUR, MUTE), T0 + 300_000, False)
    assert {(r.detector, r.grade) for r in taken.raised} == {("threshold", 0), ("silence", 0)} and stage.open == {}
    muted = stage.step(ReadingBlock.of([1], [5], [T0 + 310_000], [2.5]))
    assert muted.raised == [] and muted.store.quality.tolist() == [0], "what is stored keeps its quality"
    for ms in range(T0 + 320_000, T0 + HOUR, 20_000):
        assert stage.tick(ms).raised == []
    woken = [grades(stage.tick(ms)) for ms in range(T0 + HOUR, T0 + HOUR + 200_000, 20_000)]
    assert ("silence", 1, 0) in itertools.chain(*woken), "still silent after the mute: raised again"
    assert grades(stage.step(ReadingBlock.of([1], [5], [T0 + HOUR + 1], [2.5])))[-1] == ("threshold", 4, 0)


def test_a_mute_outlasts_ticks_that_stood_still():
    stage = one()
    feed(stage, [0.0] * 12)
    stage.tick(T0 + 120_000)
    stage.overrule(Ruling("over-1", 1, 0, T0 + 120_000, T0 + HOUR, MUTE), T0 + 120_000, False)
    assert stage.tick(T0 + HOUR // 2).raised == [] and stage.tick(T0 + HOUR // 2 + 1000).raised == []
    quiet = [stage.tick(ms).raised for ms in range(T0 + HOUR // 2 + 20_000, T0 + HOUR, 20_000)]
    assert not any(quiet)


def test_withdrawn_mute_judges_from_now_and_the_same_message_twice_is_one():
    stage = one()
    feed(stage, [0.0, 1.2])
    ruling = Ruling("over-1", 1, 0, T0 + 10_000, T0 + HOUR, MUTE)
    assert len(stage.overrule(ruling, T0 + 20_000, False).raised) == 1
    assert stage.overrule(ruling, T0 + 20_000, False).raised == []
    assert stage.overrule(ruling, T0 + 30_000, True).raised == [] and stage.rulings.rows == {}
    assert grades(feed(stage, [1.2], T0 + 40_000)) == [("threshold", 2, 0)]
    assert stage.overrule(ruling, T0 + 50_000, True).raised == []
    assert stage.overrule(Ruling("over-2", 77, 0, T0, T0 + HOUR, MUTE), T0, False) is None, "no such station in this lane"


def test_rulings_are_forgotten_a_day_after_their_end():
    stage = one()
    stage.overrule(Ruling("over-1", 1, 0, T0, T0 + 1000, BAD), T0, False)
    stage.tick(T0 + 1000 + KEEP_MS)
    assert len(stage.rulings.rows) == 1
    stage.tick(T0 + 1001 + KEEP_MS)
    assert stage.rulings.rows == {}


def test_message_is_read_strictly():
    facts = {"id": "o", "station": 1, "quantity": 0, "from_ms": 1, "to_ms": 2, "verdict": "mute", "at_ms": 3}
    assert ruling_of(facts) == (Ruling("o", 1, 0, 1, 2, MUTE), 3, False)
    for bad in ({"verdict": "gone"}, {"station": "x"}, {"at_ms": None}):
        with pytest.raises((KeyError, ValueError, TypeError)):
            ruling_of(facts | bad)


@st.composite
def orders(draw):
    """Rulings that come after some rows; now and then one is withdrawn."""
    out = []
    for i in range(draw(st.integers(1, 5))):
        at = draw(st.integers(1, 18)) * 100
        begin = T0 + draw(st.integers(0, 1200)) * 1000
        ruling = Ruling(
            f"over-{i}", draw(st.sampled_from(list(STATIONS))), draw(st.sampled_from([0, 1, 4, 5])), begin,
            begin + draw(st.integers(1, 900)) * 1000, draw(st.sampled_from([GOOD, BAD, MUTE])),
        )  # fmt: skip
        out.append((at, ruling, False))
        if draw(st.booleans()):
            out.append((min(at + 200, 1900), ruling, True))
    return sorted(out, key=lambda o: (o[0], o[1].id, o[2]))


def play(stage, block, cuts, told, rulings, begin=0, end=2000):
    at = begin
    for point in sorted({end, *(o[0] for o in rulings if begin < o[0] <= end)}):
        drive(stage, block.take(slice(0, point)), cuts, told, set(range(100, 2000, 100)), begin=at)
        if point < 2000 and point % 100 == 0:
            told.take(stage.tick(T0 + point * 2500))
        for order in rulings:
            if order[0] == point:
                told.take(stage.overrule(order[1], T0 + point * 2500, order[2]))
        at = point
    return told


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 500), orders(), st.lists(st.integers(1, 1999), max_size=30), st.integers(1, 18))
def test_same_however_cut_and_restored(seed, rulings, cuts, hundreds):
    block = stream(seed, STATIONS, 2000)
    straight, cut = Stage(table(STATIONS), detectors()), Stage(table(STATIONS), detectors())
    a, b = play(straight, block, [], Told(), rulings), play(cut, block, cuts, Told(), rulings)
    assert a.same(b) and state_of(straight) == state_of(cut)
    first, told = Stage(table(STATIONS), detectors()), Told()
    play(first, block, [], told, rulings, end=hundreds * 100)
    second = Stage(table(STATIONS), detectors())
    for partition in first.partitions:
        second.load(partition, compressed(first.save(partition)))
    play(second, block, [], told, rulings, begin=hundreds * 100)
    assert told.same(a) and state_of(second) == state_of(straight)


def test_no_finding_of_a_muted_station_ever(monkeypatch):
    block = stream(5, STATIONS, 2000)
    stage, told = Stage(table(STATIONS), detectors()), Told()
    stage.overrule(Ruling("over-1", 3, 0, T0 - HOUR, T0 + 10 * HOUR, MUTE), T0, False)
    drive(stage, block, [], told, set(range(100, 2000, 100)))
    assert {s for s, *_ in told.said} >= {2, 4} and 3 not in {s for s, *_ in told.said}


# -- people and lanes ---------------------------------------------------------------------------------------------------


@pytest.fixture
def people(db):
    from small_world import World

    return World()


def test_over_http_with_rights_and_audit(people):
    from django.conf import settings as django
    from django.contrib.auth.hashers import get_hashers, get_hashers_by_algorithm
    from django.test import Client

    from anlan.base.clock import now_ms
    from anlan.detect import overrules
    from anlan.detect.models import Overrule
    from anlan.engines.models import AuditEntry
    from anlan.register.models import Organisation, Series, Station
    from anlan.register.service import create_person, create_post, create_user

    django.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    get_hashers.cache_clear()
    get_hashers_by_algorithm.cache_clear()
    from anlan.engines.outbox import acting

    with acting("system:test"):
        station = Station(
            code="T-1", name="裂缝", kind="crack_meter", site=people.site, lon=114.1, lat=22.5, division_code=people.site.division_code
        )
        station.save()
        Series.objects.create(station=station, quantity=2)
        home = Organisation.objects.create(name="监测中心", division_code="440303")
    clients = {}
    for name, role in (("ana", "analyst"), ("bob", "responder")):
        person = create_person(name, "440303", actor="system:test")
        create_post(f"{name}岗", home, role, "440303", actor="system:test", person=person)
        create_user(person, f"u-{name}", "word-Word-1", actor="system:test")
        clients[name] = Client()
        clients[name].force_login(person.user)

    def post(who, path, body):
        answer = clients[who].post(f"/api{path}", data=json.dumps(body), content_type="application/json")
        return answer.status_code, answer.json()

    end = now_ms() + HOUR
    body = {"verdict": "mute", "to_ms": end, "reason": "检修"}
    assert post("bob", "/stations/T-1/overrules", body)[0] == 403
    for wrong, field in (
        ({"reason": " "}, "reason"), ({"verdict": "none"}, "verdict"), ({"to_ms": 5}, "to_ms"), ({"quantity": "tilt"}, "quantity"),
        ({"to_ms": now_ms() + 40 * 24 * HOUR}, "to_ms"), ({"from_ms": end - 1000}, "to_ms"),
    ):  # fmt: skip
        status, said = post("ana", "/stations/T-1/overrules", body | wrong)
        assert status in (400, 422) and said["field"] == field, (wrong, said)
    status, made = post("ana", f"/stations/{station.pk}/overrules", body)
    assert status == 200 and made["person"] == "ana" and made["obeyed"] is False
    assert AuditEntry.objects.get(row=made["id"]).action == "INSERT" and made["person"] == "ana"
    (row,) = overrules.untold()
    _, data, name = overrules.message(row)
    said = json.loads(data[8:])
    assert said["kind"] == "overrule" and said["verdict"] == "mute" and not said["withdrawn"] and name == f"overrule-{row.id}-set"
    with acting("system:test"):
        Overrule.objects.filter(pk=row.pk).update(told="set")
    assert overrules.untold() == []
    assert post("bob", f"/overrules/{row.id}/withdraw", {"reason": "好了"})[0] == 403
    assert post("ana", f"/overrules/{row.id}/withdraw", {"reason": "好了"})[1]["withdrawn_by"] == "ana"
    assert json.loads(overrules.message(overrules.untold()[0])[1][8:])["withdrawn"] is True
    listed = clients["bob"].get(f"/api/stations/{station.pk}/overrules").json()
    assert listed["may"] is False and [r["id"] for r in listed["rows"]] == [row.id]
    assert clients["ana"].get("/api/stations/nowhere/overrules").status_code == 404


@pytest.mark.stack
def test_real_worker_obeys_and_a_replay_is_the_same(real_db, nats):
    from anlan.base.clock import SystemClock, now_ms
    from anlan.detect import overrules
    from anlan.detect.models import Overrule
    from anlan.engines.nats import connected
    from anlan.engines.outbox import acting
    from anlan.register.models import Person, Station

    from .test_worker import Sender, ask, lanes_of, offline, publish_settings, register, stored_findings, until, working

    register(real_db)
    versions = publish_settings(real_db)
    start = now_ms() - 600_000

    def order(number, verdict, first, last):
        with acting("system:test"):
            Overrule.objects.create(
                station=Station.objects.get(number=number), quantity=5, verdict=verdict, from_ms=start + first * 1000,
                to_ms=start + last * 1000, reason="试", person=Person.objects.first(), division_code="440303",
            )  # fmt: skip
        assert overrules.tell_lanes(SystemClock().now()) == 1

    async def play():
        async with connected(nats) as client:
            sender, rng = Sender(client, lanes_of(real_db)), np.random.default_rng(7)
            await sender.settings(versions)

            async def high(second):
                await sender.frame(lanes_of(real_db)[1000] % 2, [1000], [start + second * 1000], [35.0])

            async def all_stored():
                await until(lambda: ask(real_db, "select count(*) from reading")[0][0] == len(sender.sent))

            async with working(real_db, nats, 1) as (one,):
                await sender.some(10, start, rng)
                await high(20)
                await all_stored()
                await asyncio.to_thread(order, 1000, "bad", 20, 60)
                await sender.some(5, start + 21_000, rng)
                await high(30)
                await all_stored()
                for lane in list(one.running.values()):
                    lane.committer.connection.close()  # in mid-work: snapshots and replay
                await high(40)
                await all_stored()
            await asyncio.to_thread(order, 1001, "mute", 0, 500)  # nobody works
            await high(70)
            async with working(real_db, nats, 1):
                await all_stored()
            return sender.sent

    sent = asyncio.run(play())
    assert len(sent) == ask(real_db, "select count(*) from reading")[0][0]
    assert stored_findings(real_db) == offline(real_db, nats)
    mine = ask(real_db, "select grade, cause from detect_finding where station_id = 'station-K0' and detector = 'threshold' order by at")
    assert any(c[0].startswith("over-") and g == 0 for g, c in mine), mine
    bad = ask(real_db, "select time_ms from reading where station = 1000 and quality = 2 order by 1")
    assert [(t[0] - start) // 1000 for t in bad] == [21, 22, 23, 24, 25, 30, 40]
    assert ask(real_db, "select count(*) from collect_deadletter")[0][0] == 0
