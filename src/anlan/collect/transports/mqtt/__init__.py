"""MQTT 3.1.1 for devices: a listener, not a broker (what is offered and what not: ``docs/mqtt.md``)."""

from __future__ import annotations

import asyncio
import socket

from ...contract import CONNECT_S, MOST_STRANGERS, STALL_S, Front, Transport
from ...directory import Device
from .connection import Connection


class Mqtt(Transport):
    """Devices publish to ``up/<client id>``, hear ``down/<client id>``, answer on ``reply/<client id>``."""

    name = "mqtt"
    setting = "MQTT_PORT"
    default_port = 1883

    def __init__(self) -> None:
        self.open: set[Connection] = set()
        self.by_client: dict[str, Connection] = {}
        self.strangers = 0
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self, front: Front, listener: socket.socket) -> None:
        """Serve on `listener`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(front, self), sock=listener, ssl=front.tls)
        self._sweeper = loop.create_task(self._sweep())

    async def stop_accepting(self) -> None:
        """No new connections, no more input."""
        if self._server is not None:
            self._server.close()
        for connection in self.open:
            connection.pause("stop")

    async def close(self) -> None:
        """Close every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self.open):
            connection.leave()
        await asyncio.sleep(0)

    def connections(self) -> int:
        """Open connections now."""
        return len(self.open)

    def dismiss(self, device: Device) -> None:
        """Close the line of a device that may no longer talk."""
        connection = self.by_client.get(device.client_id)
        if connection is not None:
            connection.leave()

    @property
    def crowded(self) -> bool:
        """Whether too many connections have not said who they are."""
        return self.strangers >= MOST_STRANGERS

    async def _sweep(self) -> None:
        """Once a second: end what is too slow or silent."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1)
            now = loop.time()
            for connection in list(self.open):
                connection.check(now, CONNECT_S, STALL_S)
