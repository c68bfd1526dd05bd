"""`anlan up` as its user sees it: start, kill -9 of anything, Ctrl-C, start again."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.crash, pytest.mark.stack]


def descendants(stack) -> list[psutil.Process]:
    return psutil.Process(stack.process.pid).children(recursive=True)


def gone(processes: list[psutil.Process], within_s: float) -> list[psutil.Process]:
    return psutil.wait_procs(processes, timeout=within_s)[1]


def test_start_kill_each_stop_and_resume(stack):
    one = stack(devices=2)
    info = one.start()
    assert {"http", "token", "mqtt", "push", "frame", "devices", "pids"} <= set(info)
    assert {"client_id", "username", "password", "topic", "station", "quantity"} <= set(info["devices"][0])
    assert info["pids"]["postgres"]
    assert info["pids"]["nats"]

    refused = stack(data=one.data)
    with pytest.raises(AssertionError, match="already up"):
        refused.start()

    for name, limit in ((n, 30) for n in ("worker", "gateway", "web", "desk", "nats", "postgres")):
        before = one.pids()
        os.kill(before[name], signal.SIGKILL)
        start = time.monotonic()
        while one.pids().get(name) in (before[name], None):
            assert time.monotonic() - start < limit, f"{name} did not come back within {limit} s"
            time.sleep(0.05)
    time.sleep(1)
    assert set(one.pids()) == {*info["pids"], "up"}

    family = descendants(one)
    assert len(family) >= len(info["pids"])
    assert one.stop() == 0
    assert gone(family, 15) == [], "Ctrl-C left something running"

    again = one.start()
    assert [d["password"] for d in again["devices"]] == [d["password"] for d in info["devices"]]
    assert again["mqtt"] == info["mqtt"]


def test_kill_9_of_the_supervisor_leaves_nothing_and_data_resumes(stack):
    one = stack()
    one.start()
    family = descendants(one)
    os.kill(one.process.pid, signal.SIGKILL)
    one.stop()
    assert gone(family, 20) == []
    one.start()


def test_stop_while_starting_leaves_nothing(stack):
    import subprocess
    import sys

    one = stack()
    process = subprocess.Popen(
        [sys.executable, "-m", "anlan", "up", "--data", str(one.data)],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=one.environment,
    )
    time.sleep(2.0)
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    process.send_signal(signal.SIGINT)
    assert process.wait(90) == 0
    assert gone(family, 15) == []


def test_a_taken_port_is_named(stack):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        one = stack(ANLAN_MQTT_PORT=str(port))
        with pytest.raises(AssertionError, match=f"{port}.*ANLAN_MQTT_PORT.*{os.getpid()}"):
            one.start()
    assert not Path(one.data / "run" / "up.json").exists()
