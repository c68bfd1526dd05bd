"""Outbox, dispatcher, audit trail on a real PostgreSQL."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest


@pytest.fixture
def subscribed():
    """Subscribe handlers for one test only."""
    from anlan.engines import outbox

    before = {kind: dict(found) for kind, found in outbox._HANDLERS.items()}
    yield outbox.on
    outbox._HANDLERS.clear()
    outbox._HANDLERS.update(before)


def test_each_handler_once_and_in_order(db, subscribed):
    from anlan.engines.dispatch import drain
    from anlan.engines.models import Outbox
    from anlan.engines.outbox import acting, emit

    seen = []

    @subscribed("test.thing.made")
    def first(event):
        seen.append(("first", event.subject))

    @subscribed("test.thing.made", "test.thing.kept")
    def second(event):
        seen.append(("second", event.subject))

    with acting("system:test"):
        emit("test.thing.made", "a")
        emit("test.thing.made", "a")  # the same fact: one event
        emit("test.thing.kept", "b", {"n": 1})
    assert drain() == 2
    assert seen == [("first", "a"), ("second", "a"), ("second", "b")]
    Outbox.objects.update(dispatched_at=None)  # as if the mark was lost in a crash
    drain()
    assert len(seen) == 3


def test_failing_handler_keeps_nothing_and_is_retried(real_db, subscribed):
    from anlan.engines.dispatch import drain, retry_due
    from anlan.engines.models import FailedEvent, Inbox, Outbox
    from anlan.engines.outbox import acting, emit
    from anlan.register.models import Organisation

    broken = [True]

    @subscribed("test.thing.made")
    def fragile(event):
        Organisation.objects.create(name=event.subject)
        if broken[0]:
            raise ValueError("not today")

    with acting("system:test"):
        emit("test.thing.made", "a")
        emit("test.thing.made", "b")
    drain()
    assert Organisation.objects.count() == 0
    assert Inbox.objects.count() == 0
    assert Outbox.objects.filter(dispatched_at=None).count() == 0
    failure = FailedEvent.objects.order_by("id")[0]
    assert failure.attempts == 1
    assert "not today" in failure.error
    assert retry_due() == 0  # not before its time
    broken[0] = False
    assert retry_due(datetime.now(UTC) + timedelta(seconds=5)) == 2
    assert FailedEvent.objects.count() == 0
    assert sorted(Organisation.objects.values_list("name", flat=True)) == ["a", "b"]


def test_gives_up_after_ten_attempts(real_db, subscribed):
    from anlan.engines.dispatch import drain, retry_due
    from anlan.engines.models import FailedEvent
    from anlan.engines.outbox import acting, emit

    @subscribed("test.thing.made")
    def broken(event):
        raise ValueError("never")

    with acting("system:test"):
        emit("test.thing.made", "a")
    drain()
    for _ in range(20):
        retry_due(datetime.now(UTC) + timedelta(days=1))
    failure = FailedEvent.objects.get()
    assert (failure.attempts, failure.retry_at) == (10, None)


def test_dispatcher_hears_within_milliseconds_and_second_stands_by(real_db, subscribed):
    from anlan.engines.dispatch import Dispatcher
    from anlan.engines.outbox import acting, emit

    took: list[float] = []

    @subscribed("test.thing.made")
    def clocked(event):
        took.append(time.perf_counter() - event.payload["at"])

    dispatchers = [Dispatcher(real_db), Dispatcher(real_db)]
    threads = [threading.Thread(target=d.run) for d in dispatchers]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    for n in range(20):
        with acting("system:test"):
            emit("test.thing.made", str(n), {"at": time.perf_counter()})
        time.sleep(0.01)
    for _ in range(100):
        if len(took) == 20:
            break
        time.sleep(0.02)
    assert [d.active for d in dispatchers].count(True) == 1
    active = dispatchers.pop(0) if dispatchers[0].active else dispatchers.pop(1)
    active.stop()
    for _ in range(150):
        if dispatchers[0].active:
            break
        time.sleep(0.02)
    assert dispatchers[0].active, "the stand-by did not take over"
    dispatchers[0].stop()
    for thread in threads:
        thread.join(5)
    assert len(took) == 20
    assert sorted(took)[10] < 0.1


def test_ledger_write_needs_an_actor_and_is_audited(real_db):
    from django.db import DatabaseError

    from anlan.engines.models import AuditEntry
    from anlan.engines.outbox import acting
    from anlan.register.models import Division, Organisation

    with pytest.raises(DatabaseError, match="without an actor"):
        Organisation.objects.create(name="nobody's")
    with acting("person-1"):
        org = Organisation.objects.create(name="old", division_code="440303")
        Division.objects.create(code="440303", name="罗湖区", level="county")
    with acting("person-2"):
        org.name = "new"
        org.save()
    with acting("person-3"):
        Organisation.objects.get(id=org.id).delete()
    entries = list(AuditEntry.objects.filter(row=org.id).order_by("id").values_list("actor", "action", "before__name", "after__name"))
    assert entries == [("person-1", "INSERT", None, "old"), ("person-2", "UPDATE", "old", "new"), ("person-3", "DELETE", "new", None)]
    assert AuditEntry.objects.get(row="440303").table == "register_division"


def test_inner_actor_does_not_leak(real_db):
    from anlan.engines.models import AuditEntry
    from anlan.engines.outbox import acting
    from anlan.register.models import Organisation

    with acting("outer"):
        with acting("inner"):
            one = Organisation.objects.create(name="one")
        two = Organisation.objects.create(name="two")
    actors = dict(AuditEntry.objects.values_list("row", "actor"))
    assert actors == {one.id: "inner", two.id: "outer"}


def test_bulk_load_is_audited_and_fast(real_db):
    from anlan.base.ids import new_id
    from anlan.engines.models import AuditEntry
    from anlan.engines.outbox import acting
    from anlan.register.models import Organisation

    rows = [Organisation(id=new_id("org"), name=f"n{i}") for i in range(20_000)]
    start = time.perf_counter()
    with acting("system:import"):
        Organisation.objects.bulk_create(rows, batch_size=5_000)
    assert AuditEntry.objects.count() == 20_000
    assert time.perf_counter() - start < 30
    assert AuditEntry.objects.exclude(after=None).count() == 0
    with acting("system:import"):
        Organisation.objects.update(kind="x")
    assert AuditEntry.objects.filter(action="UPDATE", before__kind="department").count() == 20_000


def test_append_only_tables_refuse_change(real_db):
    from django.db import DatabaseError, connection, transaction

    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_trigger where tgname = 'anlan_append_only'")
        assert cursor.fetchone()[0] >= 3
        cursor.execute("create table t (id int); create trigger anlan_append_only after update or delete on t for each row "
                       "execute function anlan_append_only(); insert into t values (1)")  # fmt: skip
        for change in ("update t set id = 2", "delete from t"):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                cursor.execute(change)
        cursor.execute("delete from t where id = 7")  # nothing is changed, nothing refused


def test_migrating_twice_changes_nothing(real_db):
    from anlan.engines.database import migrate
    from anlan.engines.ledger import attach

    assert migrate() == []
    assert attach() == 0


def test_tables_of_another_version_are_said_at_the_start_and_not_page_by_page(db):
    from django.db import connection

    from anlan.base.errors import AnlanError
    from anlan.engines.database import check_schema

    check_schema()
    with connection.cursor() as cursor:
        cursor.execute("alter table register_team drop column members")
    with pytest.raises(AnlanError) as caught:
        check_schema()
    assert caught.value.code == "engines.schema_differs" and "register_team.members" in caught.value.zh
