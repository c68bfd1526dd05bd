"""One reading from the socket into the log, on the real engines."""

from __future__ import annotations

import pytest

from .gateway_kit import GatewayProcess, Raw, message, register, stored

pytestmark = pytest.mark.stack


def test_puback_means_the_reading_is_in_the_log(real_db, nats, tmp_path):
    device = register(1)[0]
    with GatewayProcess(tmp_path / "网关", real_db, nats) as gateway, Raw(gateway.at("mqtt")) as client:
        assert client.connect(device) == (0, 0)
        reading = message({"displacement": 12.5, "rainfall": 1})
        client.publish(f"up/{device['client_id']}", reading, pid=17)
        assert client.receive() == (0x40, b"\x00\x11")
        assert sorted(stored(nats)) == [(device["station"], 1, reading["t"], 0.0125), (device["station"], 4, reading["t"], 0.001)]
        assert gateway.stop() == 0
