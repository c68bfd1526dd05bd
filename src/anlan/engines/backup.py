"""One consistent archive of an installation, taken while it runs, and its restore.

The archive (tar): ``manifest.json``, ``database.dump`` (pg_dump of one snapshot), ``lane_<n>.log`` (what the
database has not yet worked in, and what its state snapshots need to replay: from the lowest snapshot
sequence of the lane to its end), and the small secret files. The log is read after the database's
snapshot, so every reading that was acknowledged before the backup began is in one or the other.
A restored lane gets the old sequence numbers, so the cursors in the database fit it.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import struct
import subprocess
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

import anlan

from ..base import settings as conf
from ..base.clock import SystemClock
from ..base.errors import AnlanError
from .attach import Engines, attached
from .nats import connected, lane_config, lane_stream, lane_subject
from .postgres import binaries

FORMAT = 1
SECRETS = ("secret.key", "token", "test-devices.json", "cap-signing.pem")
_RECORD = struct.Struct("<QII")  # sequence, length of headers (JSON), length of data
FETCH = 256
_NEEDED = """
select c.lane, least(c.seq, coalesce((select min(s.seq) from detect_snapshot s where s.lane = c.lane), 0)) from collect_lanecursor c
"""


@dataclass(frozen=True, slots=True)
class Logged:
    """One message of a lane as kept in an archive."""

    seq: int
    headers: dict[str, str]
    data: bytes


def pack_messages(messages: Iterator[Logged]) -> Iterator[bytes]:
    """Messages as records (uncompressed)."""
    for message in messages:
        headers = json.dumps(message.headers).encode()
        yield _RECORD.pack(message.seq, len(headers), len(message.data)) + headers + message.data


def unpack_messages(data: bytes) -> Iterator[Logged]:
    """Inverse of `pack_messages`; AnlanError ``engines.bad_archive`` when it ends in the middle of a record."""
    at = 0
    while at < len(data):
        if at + _RECORD.size > len(data):
            raise bad_archive("a lane's log is cut off")
        seq, head, body = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if at + head + body > len(data):
            raise bad_archive("a lane's log is cut off")
        yield Logged(seq, json.loads(data[at : at + head]), data[at + head : at + head + body])
        at += head + body


def bad_archive(why: str) -> AnlanError:
    """The error of an archive that cannot be used."""
    return AnlanError(
        "engines.bad_archive", f"备份文件不可用：{why}。请换一个备份文件。", f"this archive cannot be used: {why}. Take another one."
    )


async def read_lane(client: Any, lane: int, first: int) -> AsyncIterator[Logged]:
    """The messages of a lane from `first` to its end as of now."""
    from nats.js.api import ConsumerConfig, DeliverPolicy

    stream = client.jetstream(timeout=10)
    state = (await stream.stream_info(lane_stream(lane))).state
    if state.messages == 0 or state.last_seq < first:
        return
    config = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=max(first, 1), inactive_threshold=60)
    config.ack_policy = "none"  # type: ignore[assignment]
    pull = await stream.pull_subscribe(lane_subject(lane), stream=lane_stream(lane), config=config)
    while True:
        for message in await pull.fetch(FETCH, timeout=10):
            seq = message.metadata.sequence.stream
            yield Logged(seq, dict(message.headers or {}), message.data)
            if seq >= state.last_seq:
                await pull.unsubscribe()
                return


async def _dump_lane(url: str, lane: int, first: int, target: Path) -> int:
    count = 0
    async with connected(url, "anlan-backup") as client:
        with target.open("wb") as raw, zstandard.ZstdCompressor(3).stream_writer(raw) as out:
            async for message in read_lane(client, lane, first):
                for record in pack_messages(iter([message])):
                    out.write(record)
                count += 1
    return count


def _run(program: str, *arguments: str, stdin: Any = subprocess.DEVNULL) -> None:
    done = subprocess.run([str(binaries() / program), *arguments], capture_output=True, text=True, stdin=stdin)
    if done.returncode:
        raise AnlanError("engines.dump", f"{program} 失败：{done.stderr.strip()[-800:]}", f"{program} failed: {done.stderr.strip()[-800:]}")


def _dump_database(engines: Engines, target: Path) -> dict[int, int]:
    """pg_dump of one snapshot; lane to the first sequence that its restored state needs."""
    import psycopg

    with psycopg.connect(engines.database_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        snapshot = connection.execute("select pg_export_snapshot()").fetchone()
        rows = connection.execute(_NEEDED).fetchall()
        assert snapshot
        _run(
            "pg_dump",
            "--format=custom",
            "--compress=1",
            f"--snapshot={snapshot[0]}",
            f"--file={target}",
            f"--dbname={engines.database_url}",
        )
    needed = {int(lane): int(seq) + 1 for lane, seq in rows}
    return {lane: needed.get(lane, 1) for lane in range(int(conf.get("LANES")))}


def backup(file: Path, data: Path | None = None) -> dict[str, Any]:
    """Write the archive (mode 0600, whole or not at all); its manifest. Works while the installation runs."""
    file = file.expanduser().resolve()
    with attached(data) as engines, tempfile.TemporaryDirectory(dir=file.parent, prefix=".anlan-backup-") as folder:
        work = Path(folder)
        needed = _dump_database(engines, work / "database.dump")
        messages = {
            lane: asyncio.run(_dump_lane(engines.nats_url, lane, first, work / f"lane_{lane}.log")) for lane, first in needed.items()
        }
        manifest = {
            "format": FORMAT,
            "anlan": anlan.__version__,
            "at": SystemClock().now().isoformat(),
            "lanes": {str(lane): {"first": needed[lane], "messages": messages[lane]} for lane in needed},
            "partitions": int(conf.get("PARTITIONS")),
        }
        (work / "manifest.json").write_text(json.dumps(manifest, indent=1))
        draft = work / "archive.tar"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(handle, "wb") as out, tarfile.open(fileobj=out, mode="w") as tar:
            for name in ("manifest.json", "database.dump", *(f"lane_{lane}.log" for lane in needed)):
                tar.add(work / name, name)
            for name in SECRETS:
                if (engines.folders.data / name).exists():
                    tar.add(engines.folders.data / name, f"secrets/{name}")
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(file)
    return {**manifest, "file": str(file), "bytes": file.stat().st_size}


def read_manifest(file: Path) -> dict[str, Any]:
    """The manifest of an archive; AnlanError when it is none, or made by a newer version."""
    try:
        with tarfile.open(file) as tar:
            names = set(tar.getnames())
            member = tar.extractfile("manifest.json")
            manifest: dict[str, Any] = json.loads(member.read()) if member else {}
    except (OSError, tarfile.TarError, KeyError, ValueError) as error:
        raise bad_archive(str(error)) from None
    lacking = {"database.dump", *(f"lane_{lane}.log" for lane in manifest.get("lanes", {}))} - names
    if manifest.get("format") != FORMAT or lacking:
        raise bad_archive(f"format {manifest.get('format')}, lacking {sorted(lacking)}")
    return manifest


def _refuse_full(engines: Engines) -> None:
    import psycopg

    with psycopg.connect(engines.database_url) as connection:
        row = connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone()
    if row and row[0]:
        raise AnlanError(
            "engines.not_empty",
            "目标已有数据，恢复会覆盖它，已拒绝。请用 --data 指定一个新的目录（或一个空的数据库）。",
            "the target already holds data and would be overwritten: refused. Give a new folder with --data (or an empty database).",
        )


def _forget_log(engines: Engines) -> None:
    """The lanes are in a new log under their old numbers: the cursors fit it, its identity is not that of the archive."""
    import psycopg

    with psycopg.connect(engines.database_url) as connection:
        connection.execute("update collect_lanecursor set log = '', mark_seq = 0, mark_ns = 0")


def _work_folder(engines: Engines) -> tempfile.TemporaryDirectory[str]:
    """A place for the unpacked archive in the data folder (made when only the engines are there)."""
    return tempfile.TemporaryDirectory(dir=engines.folders.make().data, prefix=".restore-")


async def _refuse_full_log(url: str, lanes: int) -> None:
    """An attached log may serve a living installation: its lanes are never replaced while they hold messages."""
    from nats.js.errors import NotFoundError

    async with connected(url, "anlan-restore") as client:
        for lane in range(lanes):
            with contextlib.suppress(NotFoundError):
                if (await client.jetstream(timeout=5).stream_info(lane_stream(lane))).state.messages:
                    raise AnlanError(
                        "engines.log_not_empty",
                        f"ANLAN_NATS_URL 上的流 {lane_stream(lane)} 已有消息，恢复会替换它，已拒绝。请换一个空的 NATS，或先删除这些流。",
                        f"stream {lane_stream(lane)} at ANLAN_NATS_URL holds messages and would be replaced: refused. "
                        "Use an empty NATS, or remove the streams first.",
                    )


async def _fill_lane(url: str, lane: int, lanes: int, first: int, messages: Iterator[Logged]) -> int:
    """Make the lane anew with its old sequence numbers and publish its messages; how many."""
    from nats.js.errors import NotFoundError

    count = 0
    async with connected(url, "anlan-restore") as client:
        stream = client.jetstream(timeout=10)
        with contextlib.suppress(NotFoundError):
            await stream.delete_stream(lane_stream(lane))
        made = False
        for message in messages:
            if not made:
                await stream.add_stream(lane_config(lane, lanes, first_seq=message.seq))
                made = True
            answer = await stream.publish(lane_subject(lane), message.data, stream=lane_stream(lane), headers=message.headers)
            if answer.seq != message.seq:
                raise bad_archive(f"lane {lane} has a gap before message {message.seq}")
            count += 1
        if not made:
            await stream.add_stream(lane_config(lane, lanes, first_seq=first))
    return count


def restore(file: Path, data: Path | None = None) -> dict[str, Any]:
    """Bring an archive back into an empty folder (or an empty attached database); its manifest.

    The next ``up`` migrates it to the present version. Refused when the target holds data.
    """
    manifest = read_manifest(file)
    lanes = {int(lane): row for lane, row in manifest["lanes"].items()}
    with attached(data, create=True) as engines, _work_folder(engines) as folder:
        if engines.running and not conf.get("DATABASE_URL"):
            raise AnlanError("engines.already_up", "请先停止正在运行的安澜。", "stop the running installation first.")
        _refuse_full(engines)
        if conf.get("NATS_URL"):
            asyncio.run(_refuse_full_log(engines.nats_url, len(lanes)))
        work = Path(folder)
        with tarfile.open(file) as tar:
            tar.extractall(work, filter="data")
        _run("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={engines.database_url}", str(work / "database.dump"))
        for lane, row in lanes.items():
            packed = (work / f"lane_{lane}.log").read_bytes()
            with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)) as reader:
                messages = unpack_messages(reader.read())
            filled = asyncio.run(_fill_lane(engines.nats_url, lane, len(lanes), row["first"], messages))
            if filled != row["messages"]:
                raise bad_archive(f"lane {lane}: {filled} messages of {row['messages']}")
        _forget_log(engines)
        for name in SECRETS:
            kept = work / "secrets" / name
            if kept.exists() and not (engines.folders.data / name).exists():
                kept.chmod(0o600)
                kept.rename(engines.folders.data / name)
    return manifest
