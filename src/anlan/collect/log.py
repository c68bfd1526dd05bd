"""The gateway's line to the message log: publish a frame until the log says it has it.

``Nats-Msg-Id`` makes the repeat of a publish harmless inside the log's window (two minutes); after
a longer outage a frame may be stored twice, and the worker knows the repeats by station, quantity and time.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..base.clock import now_ms

RETRY_S = 1.0  # a publish not acknowledged by then is sent again under the same id
PAUSE_S = 0.05  # between two tries while the log refuses


class LogLine:
    """Publishes frames to ``anlan.lane.<n>``; `memory` answers when the log has the frame, before its sync."""

    def __init__(self, client: Any, memory: bool = False):
        self.client = client
        self.memory = memory
        self.retries = 0
        self.away_since_ms = 0
        self._background: set[asyncio.Task[None]] = set()

    async def publish(self, lane: int, message_id: str, frame: bytes) -> None:
        """Return when the frame is durable (memory: when the log was handed it); never fails, only waits."""
        if not self.memory:
            await self._until_stored(lane, message_id, frame)
            return
        task = asyncio.get_running_loop().create_task(self._until_stored(lane, message_id, frame))
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        while not task.done():
            try:
                await self.client.flush(timeout=1)
                return
            except Exception:
                await asyncio.sleep(PAUSE_S)

    async def _until_stored(self, lane: int, message_id: str, frame: bytes) -> None:
        subject, headers = f"anlan.lane.{lane}", {"Nats-Msg-Id": message_id, "Nats-Expected-Stream": f"LANE_{lane}"}
        while True:
            try:
                answer = await self.client.request(subject, frame, timeout=RETRY_S, headers=headers)
                if b'"error"' not in answer.data and answer.data:
                    self.away_since_ms = 0
                    return
            except asyncio.CancelledError:
                raise
            except Exception as error:  # every way a log can be away: time-out, closed, no responder, buffer full
                if "closed" in type(error).__name__.lower() and self.client.is_closed:
                    await asyncio.sleep(RETRY_S)
            self.retries += 1
            self.away_since_ms = self.away_since_ms or now_ms()
            await asyncio.sleep(PAUSE_S)

    @property
    def connected(self) -> bool:
        """Whether the line stands now."""
        return bool(self.client.is_connected)

    async def close(self) -> None:
        """Wait shortly for what is under way, then hang up."""
        if self._background:
            await asyncio.wait(self._background, timeout=2)
        await self.client.close()
