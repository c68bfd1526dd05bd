"""Backup under load, restore elsewhere: nothing that was acknowledged is missing, cursors fit the log."""

from __future__ import annotations

import asyncio
import tarfile

import psycopg
import pytest

from anlan.base.block import ReadingBlock
from anlan.engines.attach import attached
from anlan.engines.backup import Logged, pack_messages, unpack_messages
from anlan.engines.nats import connected, lane_stream, lane_subject

pytestmark = [pytest.mark.crash, pytest.mark.stack]
T0 = 1_795_000_000_000


def test_records_round_trip_and_a_cut_is_seen():
    from anlan.base.errors import AnlanError

    messages = [Logged(7, {"Nats-Msg-Id": "安-1"}, b"\x00data"), Logged(8, {}, b"")]
    data = b"".join(pack_messages(iter(messages)))
    assert list(unpack_messages(data)) == messages
    with pytest.raises(AnlanError, match="cut off"):
        list(unpack_messages(data[:-3]))


async def publish(url: str, lane: int, stations: int, frames: int, start: int) -> int:
    async with connected(url) as client:
        stream = client.jetstream()
        for n in range(frames):
            block = ReadingBlock.of([stations], [5], [T0 + (start + n) * 1000], [1.0])
            await stream.publish(lane_subject(lane), block.to_bytes(), headers={"Nats-Msg-Id": f"t-{lane}-{start + n}"})
        return int((await stream.stream_info(lane_stream(lane))).state.last_seq)


def readings(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("select (select count(*) from reading) + (select coalesce(sum(rows), 0) from reading_packed)").fetchone()
        assert row
        return int(row[0])


def test_backup_while_running_then_restore(stack, tmp_path, monkeypatch):
    for name in ("ANLAN_DATABASE_URL", "ANLAN_NATS_URL"):  # the session's own engines are not meant here
        monkeypatch.delenv(name, raising=False)
    one = stack(devices=4)
    info = one.start()
    archive = tmp_path / "备份.tar"
    with attached(one.data) as engines:
        assert engines.running
        with psycopg.connect(engines.database_url) as connection:
            row = connection.execute(
                "select s.number, t.partition % 2 from register_station s join register_site t on t.id = s.site_id"
            ).fetchone()
        number, lane = row
        asyncio.run(publish(engines.nats_url, lane, number, 50, 0))
        done = one.anlan("backup", str(archive), "--json")
        assert done.returncode == 0, done.stderr
    assert one.stop() == 0

    assert archive.stat().st_mode & 0o077 == 0
    with tarfile.open(archive) as tar:
        assert {"manifest.json", "database.dump", "lane_0.log", "lane_1.log", "secrets/token"} <= set(tar.getnames())

    refused = one.anlan("restore", str(archive))
    assert refused.returncode == 1
    assert "already holds data" in refused.stderr

    two = stack(devices=4)
    done = two.anlan("restore", str(archive))
    assert done.returncode == 0, done.stderr
    again = two.start()
    assert [d["password"] for d in again["devices"]] == [d["password"] for d in info["devices"]]
    assert again["token"] == info["token"]
    with attached(two.data) as engines:
        asyncio.run(publish(engines.nats_url, lane, number, 10, 50))
        for _ in range(600):
            if readings(engines.database_url) == 60:
                break
            asyncio.run(asyncio.sleep(0.1))
        assert readings(engines.database_url) == 60


def test_nonsense_is_refused(stack, tmp_path):
    file = tmp_path / "x.tar"
    file.write_bytes(b"no archive")
    one = stack()
    done = one.anlan("restore", str(file))
    assert done.returncode == 1
    assert "cannot be used" in done.stderr
    done = one.anlan("backup", str(tmp_path / "y.tar"))
    assert done.returncode == 1
    assert "holds no installation" in done.stderr
