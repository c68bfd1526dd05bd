"""Old traffic goes in batches, records stay, the audit trail is exported before it goes; fixed settings; conditions."""

from __future__ import annotations

import json
from datetime import timedelta

import psycopg
import pytest
import zstandard

from anlan.base.clock import SystemClock
from anlan.base.errors import AnlanError

DAY = timedelta(days=1)


def outbox(key: str, kind: str, age_days: float, dispatched: bool = True) -> int:
    from anlan.engines.models import Outbox

    at = SystemClock().now() - age_days * DAY
    row = Outbox.objects.create(key=key, type=kind, subject=key, dispatched_at=at if dispatched else None)
    Outbox.objects.filter(pk=row.pk).update(created_at=at)
    return row.pk


def test_dispatched_events_go_and_what_records_show_stays(db, monkeypatch):
    import anlan.respond.timeline  # noqa: F401  (names its lasting events)
    from anlan.engines import trim
    from anlan.engines.models import FailedEvent, Inbox, Outbox

    monkeypatch.setattr(trim, "BATCH", 3)
    old = [outbox(f"o{i}", "collect.device.connected", 100) for i in range(8)]
    for pk in old:
        Inbox.objects.create(event_id=pk, handler="h")
    kept = {outbox("young", "collect.device.connected", 80), outbox("told", "issue.warning.issued", 4000)}
    kept |= {outbox("waits", "collect.device.connected", 100, dispatched=False)}
    failed = outbox("failed", "collect.device.connected", 100)
    FailedEvent.objects.create(event_id=failed, handler="h", error="e")
    trim.trim(SystemClock().now())
    assert set(Outbox.objects.values_list("pk", flat=True)) == kept | {failed}
    assert not Inbox.objects.exists()
    monkeypatch.setenv("ANLAN_OUTBOX_DAYS", "0")
    outbox("ancient", "collect.device.connected", 9999)
    assert trim.trim(SystemClock().now()) == 0, "0 keeps for ever"


def test_events_stay_longer_than_the_log_can_replay(db, monkeypatch):
    from anlan.engines import trim
    from anlan.engines.models import Outbox

    monkeypatch.setenv("ANLAN_OUTBOX_DAYS", "0.01")
    outbox("yesterday", "collect.device.connected", 2.5)
    outbox("older", "collect.device.connected", 3.5)
    trim.trim(SystemClock().now())
    assert list(Outbox.objects.values_list("key", flat=True)) == ["yesterday"]


def test_audit_entries_are_exported_before_they_go(db, monkeypatch, tmp_path):
    from anlan.engines import trim
    from anlan.engines.models import AuditEntry

    monkeypatch.setenv("ANLAN_DATA", str(tmp_path))
    monkeypatch.setattr(trim, "BATCH", 2)
    now = SystemClock().now()
    AuditEntry.objects.all().delete()
    for i, years in enumerate((11, 11, 11, 12, 9)):
        AuditEntry.objects.create(at=now - years * 365.25 * DAY, actor="a", table="t", row=str(i), action="UPDATE", after={"名": i})
    trim.trim(now)
    assert list(AuditEntry.objects.values_list("row", flat=True)) == ["4"]
    found = []
    for file in (tmp_path / "archive").glob("audit-*.ndjson.zst"):
        with file.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as text:
            found += [json.loads(line) for line in text.read().splitlines()]
        assert file.stat().st_mode & 0o077 == 0
    assert sorted(row["row"] for row in found) == ["0", "1", "2", "3"]
    assert all(row["after"] == {"名": int(row["row"])} and row["before"] is None for row in found)


def test_a_disk_that_refuses_the_export_keeps_the_entries(db, monkeypatch, tmp_path):
    from anlan.engines import trim
    from anlan.engines.models import AuditEntry

    (tmp_path / "archive").write_text("a file where the folder should be")
    AuditEntry.objects.all().delete()
    AuditEntry.objects.create(at=SystemClock().now() - 4000 * DAY, actor="a", table="t", row="1", action="DELETE")
    with pytest.raises(OSError):
        trim.export_audit(SystemClock().now(), tmp_path / "archive")
    assert AuditEntry.objects.count() == 1


def test_old_letters_go(db):
    from anlan.collect.models import DeadLetter
    from anlan.collect.service import forget_letters

    for i, days in enumerate((400, 300)):
        letter = DeadLetter.objects.create(code="c", source="mqtt", zh="z", en="e", device=str(i))
        DeadLetter.objects.filter(pk=letter.pk).update(updated_at=SystemClock().now() - days * DAY)
    assert forget_letters(SystemClock().now()) == 1
    assert DeadLetter.objects.get().device == "1"


def test_lanes_and_partitions_are_fixed_at_install(real_db, monkeypatch):
    from anlan.engines import installed

    installed.fix()
    installed.check_url(real_db)
    monkeypatch.setenv("ANLAN_PARTITIONS", "32")
    with pytest.raises(AnlanError, match=r"ANLAN_PARTITIONS=32.*made with 16") as caught:
        installed.check_url(real_db)
    assert "32" in caught.value.zh and "16" in caught.value.zh
    with pytest.raises(AnlanError):
        installed.fix()
    installed.check_url("postgresql://127.0.0.1:9/x")  # a database that is away is not judged


def test_a_condition_is_said_once_ends_and_may_come_again(real_db):
    from anlan.engines import conditions

    now = SystemClock().now()
    with psycopg.connect(real_db, autocommit=True) as connection:
        for _ in range(3):
            conditions.say(connection.execute, "engines.disk", "满", "full", now)
        conditions.say(connection.execute, "detect.log_lost", "丢", "lost", now, "1")
        conditions.end(connection.execute, "engines.disk", now)
        conditions.end(connection.execute, "engines.disk", now)
        conditions.say(connection.execute, "engines.disk", "满", "full", now)
        rows = connection.execute("select code, until is null from engines_condition order by id").fetchall()
        told = connection.execute("select type from engines_outbox where type like 'engines.%' order by id").fetchall()
    assert sorted(rows) == [("detect.log_lost", True), ("engines.disk", False), ("engines.disk", True)]
    assert [t for (t,) in told].count("engines.condition.raised") == 3
    assert [t for (t,) in told].count("engines.condition.ended") == 1
