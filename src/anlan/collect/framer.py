"""The framer: readings of all connections become few large frames in the log, answered in bulk.

A lane's open frame is five growing columns (no object per reading). It is cut when `frame_ms`
have passed since its first row, or when it has `frame_rows`; while `OUTSTANDING` frames of the lane
are on their way it only grows, so load makes frames larger and not more of them (the log syncs once
per message). Receipts are settled when the log has acknowledged the frames that hold their rows.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from array import array
from collections.abc import Awaitable, Callable
from typing import Protocol

import numpy as np

from ..base.block import MAGIC, ROW_BYTES, ReadingBlock
from ..base.clock import now_ms
from .metrics import Histogram

_HEAD = struct.Struct("<8sIIq")
OUTSTANDING = 4  # frames of a lane on their way (measured: more does not help, the log syncs one by one)
LARGEST_FRAME = 40_000  # rows a message, 0.9 MB: below the log's default largest message (1 MiB)
AHEAD_MS = 1000  # a reading this far ahead of our clock is counted: the device's clock is off, or ours
MOST_ROWS = 400_000  # rows held here before connections are paused (9 MB of columns)

Publish = Callable[[int, str, bytes], Awaitable[None]]


class Owner(Protocol):
    """Whoever must be told that a receipt is settled (a connection)."""

    def settled(self, receipt: Receipt) -> None:
        """All that the receipt stood for is durable."""
        ...


class Receipt:
    """What one chunk of input waits for: frames and dead letters. `left` 0 means all durable.

    It is made with one hold by the reader, which `release` gives up after the chunk was handled.
    """

    __slots__ = ("answer", "left", "owner", "since")

    def __init__(self, owner: Owner, answer: bytes | bytearray = b""):
        self.owner, self.answer, self.left, self.since = owner, answer, 1, time.monotonic()

    def release(self) -> None:
        """One of the things waited for is durable (or the reader is done)."""
        self.left -= 1
        if not self.left:
            self.owner.settled(self)


class Columns:
    """The open frame of one lane. Rows are appended column by column; quality is filled when cut."""

    __slots__ = ("mark", "quality", "quantity", "receipts", "since", "station", "time", "value")

    def __init__(self) -> None:
        self.time, self.value, self.station = array("q"), array("d"), array("i")
        self.quantity, self.quality = array("h"), array("B")
        self.receipts: list[Receipt] = []
        self.mark = 0
        self.since = 0.0

    def add(self, time_ms: int, value: float, station: int, quantity: int, quality: int) -> None:
        """Append one row with its quality."""
        if quality:
            self._fill_quality()
            self.quality.append(quality)
        self.time.append(time_ms)
        self.value.append(value)
        self.station.append(station)
        self.quantity.append(quantity)

    def extend(self, block: ReadingBlock) -> None:
        """Append the rows of a block (checked by the caller)."""
        self._fill_quality()
        self.time.frombytes(np.ascontiguousarray(block.time_ms).tobytes())
        self.value.frombytes(np.ascontiguousarray(block.value).tobytes())
        self.station.frombytes(np.ascontiguousarray(block.station).tobytes())
        self.quantity.frombytes(np.ascontiguousarray(block.quantity).tobytes())
        self.quality.frombytes(np.ascontiguousarray(block.quality).tobytes())

    def _fill_quality(self) -> None:
        missing = len(self.time) - len(self.quality)
        if missing:
            self.quality.frombytes(bytes(missing))

    def frames(self, received_ms: int) -> list[bytes]:
        """The rows as one or more ``ANLANRB1`` messages of at most `LARGEST_FRAME` rows."""
        self._fill_quality()
        columns = (self.time, self.value, self.station, self.quantity, self.quality)
        n = len(self.time)
        out = []
        for at in range(0, n, LARGEST_FRAME):
            rows = min(LARGEST_FRAME, n - at)
            whole = rows == n
            body = b"".join((c if whole else c[at : at + rows]).tobytes() for c in columns)
            out.append(_HEAD.pack(MAGIC, rows, 0, received_ms) + body)
        return out


class Framer:
    """Frames of all lanes. `publish(lane, message id, frame)` returns when the log has the frame.

    `publish` must not fail: it retries under the same id for as long as the log is away.
    """

    def __init__(self, lanes: int, publish: Publish, frame_ms: float = 2.0, frame_rows: int = 500):
        self.lanes = [Columns() for _ in range(lanes)]
        self._publish = publish
        self._frame_s, self._frame_rows = frame_ms / 1000, frame_rows
        self._busy = [0] * lanes
        self._timers: list[asyncio.TimerHandle | None] = [None] * lanes
        self._epoch, self._count = secrets.token_hex(6), 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: list[Callable[[], None]] = []
        self._loop = asyncio.get_running_loop()
        self.held_back = False
        self.rows_held = 0
        self.rows_total = self.frames_total = self.ahead_total = 0
        self.took = Histogram()

    @property
    def full(self) -> bool:
        """Whether connections should stop reading until `when_room` calls them."""
        return self.held_back or self.rows_held >= MOST_ROWS

    def hold_back(self, hold: bool) -> None:
        """While set, nothing more goes to the log (its disk runs out) and nobody who waits is answered."""
        self.held_back = hold
        if not hold:
            for number, lane in enumerate(self.lanes):
                if lane.mark:
                    self._due(number)
            self._call_waiting()

    def when_room(self, resume: Callable[[], None]) -> None:
        """Call `resume` once, when half of the room is free again."""
        self._waiting.append(resume)

    def join(self, receipt: Receipt) -> None:
        """Tie `receipt` to all rows appended to any lane since the last `join`."""
        for number, lane in enumerate(self.lanes):
            n = len(lane.time)
            if n > lane.mark:
                if not lane.mark:
                    lane.since = time.monotonic()
                self.rows_held += n - lane.mark
                self.rows_total += n - lane.mark
                lane.mark = n
                receipt.left += 1
                lane.receipts.append(receipt)
                self._due(number)

    def _due(self, number: int) -> None:
        """Cut the lane's frame now, or see to it that it will be."""
        if self.held_back or self._busy[number] >= OUTSTANDING:
            return
        lane = self.lanes[number]
        left = lane.since + self._frame_s - time.monotonic()
        if lane.mark >= self._frame_rows or left <= 0:
            self._cut(number)
        elif self._timers[number] is None:
            self._timers[number] = self._loop.call_later(left, self._ring, number)

    def _ring(self, number: int) -> None:
        self._timers[number] = None
        if self.lanes[number].mark and self._busy[number] < OUTSTANDING and not self.held_back:
            self._cut(number)

    def _cut(self, number: int) -> None:
        timer = self._timers[number]
        if timer is not None:
            timer.cancel()
            self._timers[number] = None
        lane, self.lanes[number] = self.lanes[number], Columns()
        self._busy[number] += 1
        task = self._loop.create_task(self._send(number, lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, number: int, lane: Columns) -> None:
        start = time.monotonic()
        rows, now = len(lane.time), now_ms()
        self.ahead_total += int(np.count_nonzero(np.frombuffer(lane.time, np.int64) > now + AHEAD_MS))
        for frame in lane.frames(now):
            self._count += 1
            self.frames_total += 1
            await self._publish(number, f"{self._epoch}-{self._count}", frame)
        self.took.add(time.monotonic() - start)
        self._busy[number] -= 1
        self.rows_held -= rows
        for receipt in lane.receipts:
            receipt.release()
        if self.lanes[number].mark:
            self._due(number)
        self._call_waiting()

    def _call_waiting(self) -> None:
        if self._waiting and not self.held_back and self.rows_held < MOST_ROWS // 2:
            waiting, self._waiting = self._waiting, []
            for resume in waiting:
                resume()

    async def drain(self, timeout_s: float) -> bool:
        """Send all that is held; whether it was all durable within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for number, lane in enumerate(self.lanes):
                if lane.mark and self._busy[number] < OUTSTANDING and not self.held_back:
                    self._cut(number)
            if not self._tasks:
                return not any(lane.mark for lane in self.lanes)
            await asyncio.wait(self._tasks, timeout=max(0.0, deadline - time.monotonic()), return_when=asyncio.FIRST_COMPLETED)
        return not self._tasks and not any(lane.mark for lane in self.lanes)


assert _HEAD.size == 24 and ROW_BYTES == 8 + 8 + 4 + 2 + 1  # the wire form of base.block
