"""Connections that are too slow are ended, with the time limits shortened to a second."""

from __future__ import annotations

import socket
import sys
import time

import pytest

from .gateway_kit import GatewayProcess, Raw, message, register

pytestmark = pytest.mark.stack
IMPATIENT = """
import anlan.collect.transports._listener as l, anlan.collect.transports.http as h
l.CONNECT_S = l.STALL_S = h.STALL_S = 1.0
import os, anlan.collect.gateway as g
raise SystemExit(g.main(os.environ["ANLAN_READY_FILE"]))
"""


def ended(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def test_slow_ones_go_and_the_others_stay(real_db, nats, tmp_path):
    good, stuck, deaf = register(3, prefix="slow")
    gateway = GatewayProcess(tmp_path, real_db, nats)
    gateway.command = [sys.executable, "-c", IMPATIENT]
    with gateway, Raw(gateway.at("mqtt")) as lively:
        lively.connect(good, keep_alive=0)
        silent = {name: socket.create_connection(gateway.at(name)) for name in ("mqtt", "http", "frame")}
        silent["mqtt"].sendall(b"\x10\x40")
        silent["http"].sendall(b"POST /v1/readings HTTP/1.1\r\nhost: ")
        silent["frame"].sendall(b"ANLANFH1\x10")
        half = Raw(gateway.at("mqtt"))
        half.connect(stuck, keep_alive=0)
        half.send(b"\x32\x80\x80\x04")  # announces 64 kB and sends nothing
        mute = Raw(gateway.at("mqtt"))
        mute.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        mute.connect(deaf, keep_alive=0)
        mute.socket.settimeout(2)
        cut = False
        start = time.monotonic()
        while not cut and time.monotonic() - start < 20:
            try:
                mute.socket.sendall(b"\xc0\x00" * 200_000)  # asks and never listens
            except TimeoutError:
                continue
            except OSError:
                cut = True
        assert cut
        assert {name: ended(c, 10) for name, c in silent.items()} == {"mqtt": True, "http": True, "frame": True}
        assert half.receive(5) is None
        lively.publish("up/slow-0", message({"tilt": 1}))
        assert lively.receive() == (0x40, b"\0\1")
