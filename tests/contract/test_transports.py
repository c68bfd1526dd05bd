"""What every transport found by the scan must do."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "unit"))
from collect.gateway_kit import GatewayProcess, Raw, message, register, stored, until

from anlan.base.plugin import scan
from anlan.base.settings import SETTINGS
from anlan.collect.contract import Transport

FOUND = scan("anlan.collect.transports", Transport)


@pytest.mark.parametrize("name", sorted(FOUND))
def test_says_what_it_is(name):
    transport = FOUND[name]
    assert SETTINGS[transport.setting].type is int and transport.default_port > 1023 and transport.__doc__
    assert len({t.default_port for t in FOUND.values()}) == len({t.setting for t in FOUND.values()}) == len(FOUND)


@pytest.mark.stack
def test_rubbish_on_every_port_disturbs_nobody_and_a_stop_is_clean(real_db, nats, tmp_path):
    device = register(1, prefix="calm")[0]
    opened = {f"ANLAN_{t.setting}": "0" for t in FOUND.values()}
    with GatewayProcess(tmp_path, real_db, nats, **opened) as gateway, Raw(gateway.at("mqtt")) as client:
        client.connect(device)
        for name in FOUND:
            for rubbish in (b"\0" * 5000, b"\xff" * 5000, b"GET / HTTP/9.9\r\n\r\n", bytes(range(256)) * 20):
                with socket.create_connection(gateway.at(name), timeout=5) as stranger:
                    stranger.sendall(rubbish)
        client.publish("up/calm-0", message({"tilt": 1}))
        assert client.receive() == (0x40, b"\0\1")
        assert until(lambda: len(stored(nats)) == 1)
        addresses = dict(gateway.addresses)
        start = time.monotonic()
        assert gateway.stop() == 0 and time.monotonic() - start < 8
        assert client.receive() is None
        for name in FOUND:
            with pytest.raises(OSError):
                socket.create_connection(gateway.at(name), timeout=1)
        assert "Traceback" not in gateway.log()
        gateway.start()
        assert {n: gateway.addresses[n] for n in FOUND} == {n: addresses[n] for n in FOUND}
