"""A standing pull from one lane of the log: every message once, in order, from a sequence on; a gap ends it.

One inbox, a pull of 200 messages renewed before it is used up, an ephemeral consumer without acknowledgements (the
cursor in the database says how far the lane is worked; the stream keeps by age and size). Delivery to the client may
lose messages (slow consumer, reconnect): then the sequence has a gap, `LogGap` is raised and the lane starts anew.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

from nats.errors import Error as NatsError

from ..base.errors import AnlanError, EngineAway
from ..engines.nats import lane_stream

PULL = 200
EXPIRES_S = 30
HIGH_WATER = 800  # messages waiting here before no more are asked for
HIGH_BYTES = 64 * 1024 * 1024
QUIET_S = 45  # a standing pull that heard nothing for so long (not even its expiry) is dead


class LogGap(AnlanError):
    """The next message of the lane is not the one that follows; start again from the snapshot."""

    def __init__(self, lane: int, expected: int, got: int):
        super().__init__(
            "detect.log_gap",
            f"车道 {lane} 的日志序号不连续：应为 {expected}，收到 {got}；从快照重新开始。",
            f"lane {lane}: expected message {expected}, got {got}; the lane starts again from its snapshot.",
            retry=True,
        )


class Puller:
    """Messages (sequence, data) of a lane from `start` on; use `open`, then `take`, then `close`."""

    def __init__(self, client: Any, lane: int, start: int):
        self.client, self.lane, self.next = client, lane, max(start, 1)
        self.waiting: deque[tuple[int, bytes]] = deque()
        self.mark = (0, 0)  # last message taken: its sequence, and when the log stored it (ns since 1970)
        self._stored: deque[tuple[int, int]] = deque()
        self.waiting_bytes = 0
        self.skipped = 0  # messages that the log no longer had when it was opened
        self._asked = 0
        self._first = True
        self._error: AnlanError | None = None
        self._wake = asyncio.Event()
        self._consumer = ""
        self._heard = 0.0

    async def open(self) -> None:
        """Make the consumer and ask for the first messages; EngineAway when the log does not answer."""
        stream = lane_stream(self.lane)
        self._inbox = self.client.new_inbox()
        self._subscription = await self.client.subscribe(self._inbox, cb=self._on_message, pending_msgs_limit=100_000)
        request = {
            "stream_name": stream,
            "config": {
                "deliver_policy": "by_start_sequence",
                "opt_start_seq": self.next,
                "ack_policy": "none",
                "replay_policy": "instant",
                "inactive_threshold": 120_000_000_000,
                "mem_storage": True,
                "num_replicas": 1,
                "max_waiting": 16,
            },
        }
        try:
            answer = await self.client.request(f"$JS.API.CONSUMER.CREATE.{stream}", json.dumps(request).encode(), timeout=3)
        except (TimeoutError, NatsError, OSError) as error:
            raise EngineAway("NATS", f"{stream}: {error or type(error).__name__}") from None
        reply = json.loads(answer.data)
        if "error" in reply:
            raise EngineAway("NATS", f"{stream}: {reply['error'].get('description')}")
        self._consumer = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{reply['name']}"
        self._delete = f"$JS.API.CONSUMER.DELETE.{stream}.{reply['name']}"
        self._heard = asyncio.get_running_loop().time()
        await self._ask()

    async def _ask(self) -> None:
        room = len(self.waiting) < HIGH_WATER and self.waiting_bytes < HIGH_BYTES
        if room and self._asked <= PULL // 2:
            self._asked += PULL
            body = b'{"batch":%d,"expires":%d}' % (PULL, EXPIRES_S * 1_000_000_000)
            await self.client.publish(self._consumer, body, reply=self._inbox)

    async def _on_message(self, message: Any) -> None:
        self._heard = asyncio.get_running_loop().time()
        if not message.reply.startswith("$JS.ACK."):
            await self._on_status(message)
            return
        token = message.reply.split(".")  # $JS.ACK.[domain.account.]stream.consumer.delivered.SEQUENCE.…
        seq, stored = (int(token[5]), int(token[7])) if len(token) == 9 else (int(token[7]), int(token[9]))
        self._asked -= 1
        if seq != self.next:
            if not self._first:
                self.fail(LogGap(self.lane, self.next, seq))
                return
            self.skipped = seq - self.next
        self._first, self.next = False, seq + 1
        self.waiting.append((seq, message.data))
        self._stored.append((seq, stored))
        self.waiting_bytes += len(message.data)
        self._wake.set()
        if self._asked <= PULL // 2:
            await self._ask()

    async def _on_status(self, message: Any) -> None:
        """408: the pull expired (normal when quiet); anything else ends the puller."""
        status = (message.headers or {}).get("Status", "")
        if status in ("408", "404"):
            pending = (message.headers or {}).get("Nats-Pending-Messages", "0")
            self._asked = max(self._asked - int(pending), 0)
            await self._ask()
        elif status not in ("100",):
            self.fail(EngineAway("NATS", f"{lane_stream(self.lane)}: {status} {(message.headers or {}).get('Description', '')}"))

    def fail(self, error: AnlanError) -> None:
        """End the puller: `take` gives what has come so far, then raises."""
        self._error = self._error or error
        self._wake.set()

    async def take(self, wait_s: float, most: int = 400, most_bytes: int = 16 * 1024 * 1024) -> list[tuple[int, bytes]]:
        """All that has come (at most `most`), waiting up to `wait_s` seconds for the first; empty when nothing came.

        Raises LogGap or EngineAway when the stream of messages broke.
        """
        if not self.waiting and not self._error:
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), wait_s)
            except TimeoutError:
                if asyncio.get_running_loop().time() - self._heard > QUIET_S:
                    raise EngineAway("NATS", f"{lane_stream(self.lane)}: no word for {QUIET_S} s") from None
        taken: list[tuple[int, bytes]] = []
        size = 0
        while self.waiting and len(taken) < most and size < most_bytes:
            taken.append(self.waiting.popleft())
            size += len(taken[-1][1])
        while self._stored and taken and self._stored[0][0] <= taken[-1][0]:
            self.mark = self._stored.popleft()
        self.waiting_bytes -= size
        if self._error and not taken:
            raise self._error
        await self._ask()
        return taken

    def put_back(self, messages: list[tuple[int, bytes]]) -> None:
        """Give back messages at the front, to be taken again."""
        self.waiting.extendleft(reversed(messages))
        self.waiting_bytes += sum(len(data) for _, data in messages)

    async def close(self) -> None:
        """Give the consumer back."""
        try:
            await self._subscription.unsubscribe()
            await self.client.publish(self._delete, b"")
        except (NatsError, OSError, AttributeError):
            pass
