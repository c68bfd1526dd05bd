"""MQTT 3.1.1 for devices: a listener, not a broker (what is offered and what not: ``docs/mqtt.md``)."""

from __future__ import annotations

from ...contract import Front
from ...directory import Device
from .._listener import Listener
from .connection import Connection


class Mqtt(Listener[Connection]):
    """Devices publish to ``up/<client id>``, hear ``down/<client id>``, answer on ``reply/<client id>``."""

    name = "mqtt"
    setting = "MQTT_PORT"
    default_port = 1883

    def __init__(self) -> None:
        super().__init__()
        self.by_client: dict[str, Connection] = {}

    def peer(self, front: Front) -> Connection:
        """See `Listener`."""
        return Connection(front, self)

    def lines(self, device: Device) -> list[Connection]:
        """See `Listener`."""
        connection = self.by_client.get(device.client_id)
        return [] if connection is None else [connection]
