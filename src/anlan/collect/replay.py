"""Replay of a CSV file through a real socket, at a chosen speed: a small MQTT QoS 1 client of its own.

The file has a header row; `time` is ISO 8601 (UTC when it names no zone) or UTC milliseconds, every other
column that holds numbers is a key of the device. Rows are sent in order of time, ``speed`` times as fast
as they were measured (0: as fast as the answers come); with `shift` their times are moved so that the first
one (or, sent at once, the last one) is now. What is not answered is sent again after a reconnect.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from ..base.clock import now_ms
from ..base.errors import AnlanError, FieldError
from .transports.mqtt import codec

WINDOW = 50  # messages on their way
ANSWER_S = 30.0  # an answer that takes longer means a new connection


@dataclass(frozen=True, slots=True)
class Target:
    """Where to and as whom."""

    host: str
    port: int
    client_id: str
    username: str
    secret: str


def read_rows(path: Path, columns: dict[str, str] | None = None, time_column: str = "time") -> list[tuple[int, dict[str, float]]]:
    """(UTC ms, values by key) in order of time. `columns` maps column to key (default: all numeric ones, by their name).

    Raises FieldError with the line number for a time that cannot be read; empty and non-numeric cells are left out.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FieldError(
            "file", str(path), f"无法读取：{error}", f"cannot be read: {error}; it must be UTF-8", code="collect.bad_file"
        ) from None
    reader = csv.DictReader(text.splitlines())
    if not reader.fieldnames or time_column not in reader.fieldnames:
        raise FieldError(
            "time",
            time_column,
            f"没有此列；有 {reader.fieldnames}",
            f"no such column; there are {reader.fieldnames}",
            code="collect.bad_file",
        )
    rows = []
    for record in reader:
        at = _time(record[time_column], reader.line_num)
        wanted = columns or {name: name for name in reader.fieldnames if name != time_column}
        values = {key: v for column, key in wanted.items() if (v := _number(record.get(column))) is not None}
        if values:
            rows.append((at, values))
    return sorted(rows, key=lambda row: row[0])


def _time(text: str, line: int) -> int:
    text = (text or "").strip()
    if text.lstrip("-").isdigit() and len(text) >= 9:
        return int(text)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise FieldError(
            "time",
            text,
            f"第 {line} 行的时间应为 ISO 8601 或毫秒",
            f"time in line {line} must be ISO 8601 or milliseconds",
            code="collect.bad_file",
        ) from None
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


class Replay:
    """One replay; `run` returns the number of messages answered."""

    def __init__(self, target: Target, rows: list[tuple[int, dict[str, float]]], speed: float, shift: bool):
        self.target, self.rows, self.speed = target, rows, speed
        self._offset = 0
        if shift and rows:
            self._offset = now_ms() - rows[0 if speed else -1][0]
        self._waiting: dict[int, bytes] = {}
        self.answered = 0

    def _messages(self) -> Iterator[tuple[float, bytes]]:
        """(seconds after the start, payload)."""
        first = self.rows[0][0] if self.rows else 0
        for at, values in self.rows:
            due = (at - first) / 1000 / self.speed if self.speed else 0.0
            yield due, orjson.dumps({"t": at + self._offset, "v": values})

    async def run(self, progress: Callable[[int, int], None] = lambda done, total: None) -> int:
        """Send everything; AnlanError when the log-in is refused."""
        start, messages, pid = time.monotonic(), list(self._messages()), 0
        sent = 0
        while sent < len(messages) or self._waiting:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
                reader, writer = await self._open()
                try:
                    for old, payload in self._waiting.items():
                        writer.write(self._publish(old, payload, True))
                    while sent < len(messages) or self._waiting:
                        while sent < len(messages) and len(self._waiting) < WINDOW:
                            due, payload = messages[sent]
                            if start + due > time.monotonic():
                                break
                            pid = pid % 65535 + 1
                            self._waiting[pid] = payload
                            writer.write(self._publish(pid, payload, False))
                            sent += 1
                        await self._hear(reader, start + messages[sent][0] if sent < len(messages) else None)
                        progress(self.answered, len(messages))
                finally:
                    writer.close()
            if sent < len(messages) or self._waiting:
                await asyncio.sleep(0.3)
        return self.answered

    async def _hear(self, reader: asyncio.StreamReader, next_due: float | None) -> None:
        """Wait for one answer, or for the next message's time."""
        if not self._waiting:
            await asyncio.sleep(max(0.0, (next_due or 0.0) - time.monotonic()))
            return
        wait = ANSWER_S
        if next_due is not None and len(self._waiting) < WINDOW:
            wait = max(0.001, next_due - time.monotonic())
        try:
            async with asyncio.timeout(wait):
                answer = await reader.readexactly(4)
        except TimeoutError:
            if wait == ANSWER_S:
                raise
            return
        if answer[0] == 0x40 and self._waiting.pop(int.from_bytes(answer[2:], "big"), None) is not None:
            self.answered += 1

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        t = self.target
        reader, writer = await asyncio.open_connection(t.host, t.port)
        body = codec.field(b"MQTT") + b"\x04\xc2\x00\x00" + b"".join(codec.field(x.encode()) for x in (t.client_id, t.username, t.secret))
        writer.write(codec.packet(0x10, body))
        answer = await asyncio.wait_for(reader.readexactly(4), ANSWER_S)
        if answer[3] == codec.UNAVAILABLE:
            writer.close()
            raise ConnectionError("unavailable")
        if answer[3]:
            writer.close()
            raise AnlanError(
                "collect.wrong_credential",
                f"{t.client_id} 登录被拒（CONNACK {answer[3]}）。请核对设备号、用户名和密钥。",
                f"log-in of {t.client_id} refused (CONNACK {answer[3]}). Check client id, user name and secret.",
            )
        return reader, writer

    def _publish(self, pid: int, payload: bytes, dup: bool) -> bytes:
        return codec.publish(f"up/{self.target.client_id}", payload, 1, pid, dup)
