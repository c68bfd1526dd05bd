"""The twin's devices on real sockets: sensors that report, loudspeakers and sirens that play.

Each device is one MQTT connection of its own with its own credential. A sensor keeps what was not
acknowledged and sends it again after a reconnect, as a real logger does; it never skips.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import aiomqtt
import numpy as np
import orjson
from numpy.typing import NDArray

from ..base.clock import now_ms

BACKLOG_ROWS = 500  # readings in one message when a sensor empties its memory


@dataclass(frozen=True, slots=True)
class Credential:
    """How one device logs in: address of the listener, client id, user name, password."""

    host: str
    port: int
    client_id: str
    username: str
    password: str


@dataclass(slots=True)
class Sensor:
    """A sensor and what it will measure: `time_ms` (UTC, rising) and one column per key, SI."""

    login: Credential
    time_ms: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]
    sent: int = 0  # readings acknowledged so far


@dataclass(slots=True)
class Speaker:
    """A loudspeaker or siren. ``behaviour``: ``plays``, ``fails`` or ``deaf`` (hears, never answers)."""

    login: Credential
    behaviour: str = "plays"
    heard: list[dict[str, object]] = field(default_factory=list)


@dataclass(slots=True)
class Fleet:
    """All devices of a story; `run` until cancelled or every sensor has sent everything."""

    sensors: list[Sensor]
    speakers: list[Speaker]
    clock: Callable[[], int] = now_ms
    connected: int = 0

    @property
    def acknowledged(self) -> int:
        """Readings that were answered by the platform."""
        return sum(s.sent * len(s.values) for s in self.sensors)

    async def run(self) -> None:
        """Connect everything (spread over a second or two) and keep it going."""
        async with asyncio.TaskGroup() as group:
            for i, speaker in enumerate(self.speakers):
                group.create_task(self._for_ever(partial(self._play, speaker), i * 0.01))
            for i, sensor in enumerate(self.sensors):
                group.create_task(self._for_ever(partial(self._report, sensor), i * 0.004))

    async def _for_ever(self, session: Callable[[], Awaitable[bool]], delay: float) -> None:
        await asyncio.sleep(delay)
        wait = 0.2
        while True:
            try:
                if await session():
                    return
            except (aiomqtt.MqttError, OSError, TimeoutError):
                await asyncio.sleep(wait)
                wait = min(wait * 2, 5.0)
            else:
                wait = 0.2

    def _client(self, login: Credential, clean: bool) -> aiomqtt.Client:
        return aiomqtt.Client(
            login.host,
            login.port,
            identifier=login.client_id,
            username=login.username,
            password=login.password,
            clean_session=clean,
            keepalive=60,
        )

    async def _report(self, sensor: Sensor) -> bool:
        """One connection of a sensor; True when it has nothing left to say."""
        async with self._client(sensor.login, True) as client:
            self.connected += 1
            try:
                while sensor.sent < len(sensor.time_ms):
                    due = int(np.searchsorted(sensor.time_ms, self.clock(), side="right"))
                    if due <= sensor.sent:
                        await asyncio.sleep(0.05)
                        continue
                    end = min(due, sensor.sent + BACKLOG_ROWS)
                    await client.publish(f"up/{sensor.login.client_id}", _payload(sensor, sensor.sent, end), qos=1, timeout=20)
                    sensor.sent = end
            finally:
                self.connected -= 1
        return True

    async def _play(self, speaker: Speaker) -> bool:
        """One connection of a loudspeaker: hear a command, answer ``playing`` then ``done``."""
        me = speaker.login.client_id
        async with self._client(speaker.login, False) as client:
            self.connected += 1
            try:
                await client.subscribe(f"down/{me}", qos=1)
                async for message in client.messages:
                    command = orjson.loads(bytes(message.payload))  # type: ignore[arg-type]
                    speaker.heard.append(command)
                    if speaker.behaviour == "deaf":
                        continue
                    states = ["failed"] if speaker.behaviour == "fails" else ["playing", "done"]
                    for state in states:
                        answer = {"id": command["id"], "state": state, "coverage": 1.0 if state != "failed" else 0.0}
                        await client.publish(f"reply/{me}", orjson.dumps(answer), qos=1, timeout=20)
                        await asyncio.sleep(0.2)
            finally:
                self.connected -= 1
        return False


def _payload(sensor: Sensor, start: int, end: int) -> bytes:
    """The native payload of readings `start` to `end`: one object, or a list of them."""
    rows = [
        {"t": int(sensor.time_ms[i]), "v": {key: float(column[i]) for key, column in sensor.values.items() if np.isfinite(column[i])}}
        for i in range(start, end)
    ]
    return orjson.dumps(rows[0] if len(rows) == 1 else rows)
