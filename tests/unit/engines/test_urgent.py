"""Urgent handlers (pipeline mode) and the order of events behind a failed one, on a real PostgreSQL."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest


@pytest.fixture
def subscribed():
    """Subscribe handlers for one test only."""
    from anlan.engines import outbox

    before, urgent = {kind: dict(found) for kind, found in outbox._HANDLERS.items()}, set(outbox._URGENT)
    yield outbox.on
    outbox._HANDLERS.clear()
    outbox._HANDLERS.update(before)
    outbox._URGENT.clear()
    outbox._URGENT.update(urgent)


def told(*events):
    """Emit (type, subject, payload) in one transaction."""
    from anlan.engines.outbox import acting, emit

    with acting("system:test"):
        for number, (kind, subject, payload) in enumerate(events):
            emit(kind, subject, payload, key=f"{kind}:{subject}:{number}:{time.monotonic_ns()}")


def organisations():
    from anlan.register.models import Organisation

    return sorted(Organisation.objects.values_list("name", flat=True))


def test_urgent_goes_first_keeps_its_effects_once_and_emits(real_db, subscribed):
    from anlan.engines.dispatch import drain
    from anlan.engines.models import Inbox, Outbox
    from anlan.engines.outbox import emit, one
    from anlan.register.models import Organisation

    seen = []

    @subscribed("test.thing.made")
    def slow(event):
        seen.append(f"slow {event.subject}")

    @subscribed("test.thing.made", urgent=True)
    def quick(event):
        assert one("select count(*) from register_organisation where name = %s", [event.subject]) == (0,)
        Organisation.objects.bulk_create([Organisation(id=f"org-{event.subject}", name=event.subject)])
        emit("test.thing.followed", event.subject, {"n": 1})
        seen.append(f"quick {event.subject}")

    told(("test.thing.made", "a", {}), ("test.thing.made", "b", {}))
    assert drain() == 4
    assert seen == ["quick a", "quick b", "slow a", "slow b"]
    Outbox.objects.update(dispatched_at=None)  # as if the mark was lost in a crash
    drain()
    assert organisations() == ["a", "b"]
    assert Inbox.objects.count() == 4
    assert Outbox.objects.filter(type="test.thing.followed").count() == 2


def test_djangos_own_statements_know_what_they_changed(real_db, subscribed):
    from anlan.engines.dispatch import drain
    from anlan.engines.models import FailedEvent
    from anlan.engines.outbox import run
    from anlan.register.models import Organisation

    counts = []

    @subscribed("test.thing.made", urgent=True)
    def quick(event):
        run("update register_organisation set kind = 'sent ahead' where name = %s", [event.subject])
        row = Organisation.objects.select_for_update().get(name=event.subject)
        row.name = "renamed"
        row.save(update_fields=["name"])  # raises when no row is changed
        counts.append(Organisation.objects.filter(kind="sent ahead").update(kind="x"))
        counts.append(Organisation.objects.filter(name="nobody").update(kind="x"))
        counts.append(Organisation.objects.get_or_create(id="org-new", defaults={"name": "new"})[1])
        counts.append(Organisation.objects.filter(name="new").delete()[0])

    from anlan.engines.outbox import acting

    with acting("system:test"):
        Organisation.objects.create(id="org-a", name="a")
    told(("test.thing.made", "a", {}))
    drain()
    assert not FailedEvent.objects.exists(), FailedEvent.objects.get().error
    assert counts == [1, 0, True, 1]
    assert organisations() == ["renamed"]


@pytest.mark.parametrize("fault", ["python", "sql", "late sql", "orm after late sql", "orm", "constraint at the commit"])
def test_urgent_that_fails_keeps_nothing_and_is_retried(real_db, subscribed, fault):
    from anlan.engines.dispatch import drain, retry_due
    from anlan.engines.models import FailedEvent, Inbox
    from anlan.engines.outbox import one, run
    from anlan.register.models import Organisation

    broken = [True]

    @subscribed("test.thing.made", urgent=True)
    def fragile(event):
        Organisation.objects.bulk_create([Organisation(id="org-a", name=event.subject)])
        if not broken[0]:
            return
        if fault == "python":
            raise ValueError("not today")
        if fault == "sql":
            one("select 1 / 0")
        if "late sql" in fault:
            run("select 1 / 0")
        if "orm" in fault:
            Organisation.objects.bulk_create([Organisation(id="org-a", name="once more")])
        if fault == "constraint at the commit":
            run("insert into engines_inbox (event_id, handler, handled_at) values (-1, 'x', %s)", [datetime.now(UTC)])

    told(("test.thing.made", "a", {}))
    drain()
    assert organisations() == []
    assert Inbox.objects.count() == 0
    assert FailedEvent.objects.get().attempts == 1
    broken[0] = False
    assert retry_due(datetime.now(UTC) + timedelta(seconds=5)) == 1
    assert organisations() == ["a"]
    assert not FailedEvent.objects.exists()


def test_deadlock_of_an_urgent_handler_is_tried_again_at_once(real_db, subscribed):
    from anlan.engines.dispatch import drain
    from anlan.engines.models import FailedEvent
    from anlan.engines.outbox import run

    tries = []

    @subscribed("test.thing.made", urgent=True)
    def unlucky(event):
        tries.append(event.id)
        if len(tries) < 3:
            run("do $$ begin raise exception 'x' using errcode = 'deadlock_detected'; end $$")

    told(("test.thing.made", "a", {}))
    drain()
    assert len(tries) == 3
    assert not FailedEvent.objects.exists()


def running(url):
    from anlan.engines.dispatch import Dispatcher

    dispatcher = Dispatcher(url)
    thread = threading.Thread(target=dispatcher.run)
    thread.start()
    until(lambda: dispatcher.active)
    return dispatcher, thread


def until(true, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def test_announced_events_of_any_length_reach_all_handlers_in_order(real_db, subscribed):
    from anlan.engines.models import Outbox

    quick, slow = [], []

    @subscribed("test.thing.made", urgent=True)
    def first(event):
        quick.append((event.subject, len(event.payload["text"])))

    @subscribed("test.thing.made")
    def second(event):
        slow.append((event.subject, len(event.payload["text"])))

    dispatcher, thread = running(real_db)
    lengths = [3, 30_000, 5, 2_700, 8_000, 1]  # in Chinese characters of three bytes: most are too long for a notification
    try:
        for turn in range(4):
            told(*[("test.thing.made", f"{turn}.{n}", {"text": "水" * length}) for n, length in enumerate(lengths)])
        until(lambda: len(slow) == 24)
        until(lambda: not Outbox.objects.filter(dispatched_at=None).exists())
    finally:
        dispatcher.stop()
        thread.join(5)
    expected = [(f"{turn}.{n}", length) for turn in range(4) for n, length in enumerate(lengths)]
    assert quick == expected
    assert slow == expected


def test_flood_of_events_is_given_once_each(real_db, subscribed):
    from anlan.engines.models import Inbox, Outbox

    quick, slow = [], []

    @subscribed("test.thing.made", urgent=True)
    def first(event):
        quick.append(event.id)

    @subscribed("test.thing.made")
    def second(event):
        slow.append(event.id)

    dispatcher, thread = running(real_db)
    try:
        for _ in range(6):
            told(*[("test.thing.made", str(n), {}) for n in range(150)])
        until(lambda: not Outbox.objects.filter(dispatched_at=None).exists(), 30)
    finally:
        dispatcher.stop()
        thread.join(5)
    assert sorted(slow) == sorted(Outbox.objects.values_list("id", flat=True))
    assert slow == sorted(slow)
    assert sorted(set(quick)) == sorted(slow)
    assert Inbox.objects.count() == 1800


@pytest.mark.parametrize("urgent", [False, True])
def test_later_events_of_a_subject_wait_behind_the_failed_one(real_db, subscribed, urgent):
    from anlan.engines.dispatch import drain, retry_due
    from anlan.engines.models import FailedEvent

    done, broken = [], [True]

    @subscribed("test.thing.made", "test.thing.moved", urgent=urgent)
    def fragile(event):
        if broken[0] and event.subject == "a" and event.payload["n"] == 1:
            raise ValueError("not today")
        done.append((event.subject, event.payload["n"]))

    told(("test.thing.made", "a", {"n": 1}), ("test.thing.made", "b", {"n": 1}), ("test.thing.moved", "a", {"n": 2}))
    drain()
    told(("test.thing.moved", "a", {"n": 3}), ("test.thing.moved", "b", {"n": 2}))
    drain()
    assert done == [("b", 1), ("b", 2)]
    assert sorted(FailedEvent.objects.values_list("attempts", flat=True)) == [0, 0, 1]
    later = datetime.now(UTC) + timedelta(seconds=5)
    assert retry_due(later) == 1  # the one that failed; those behind it still wait
    assert FailedEvent.objects.get(attempts=2)
    broken[0] = False
    assert [retry_due(later), retry_due(later), retry_due(later), retry_due(later)] == [1, 1, 1, 0]
    assert done[2:] == [("a", 1), ("a", 2), ("a", 3)]
    assert not FailedEvent.objects.exists()


def test_a_failed_event_given_up_holds_nothing_back(real_db, subscribed):
    from anlan.engines.dispatch import drain, retry_due
    from anlan.engines.models import FailedEvent

    done = []

    @subscribed("test.thing.moved")
    def broken(event):
        if event.payload["n"] == 1:
            raise ValueError("never")
        done.append(event.payload["n"])

    told(("test.thing.moved", "a", {"n": 1}), ("test.thing.moved", "a", {"n": 2}))
    drain()
    for _ in range(12):
        retry_due(datetime.now(UTC) + timedelta(days=1))
    assert done == [2]
    assert FailedEvent.objects.get().retry_at is None
    told(("test.thing.moved", "a", {"n": 3}))
    drain()
    assert done == [2, 3]
