"""One running stack through hung processes, an emptied and an older log, steps of the clock: nothing answered is lost."""

from __future__ import annotations

import os
import shutil
import signal
import time
import urllib.request
from pathlib import Path

import psutil
import psycopg
import pytest
from crash.ops import Sender, conditions, get, stored_times, until

from anlan.engines.folders import Folders
from anlan.engines.postgres import PORT

pytestmark = [pytest.mark.crash, pytest.mark.stack]


def database(stack) -> str:
    return f"postgresql:///anlan?host={Folders(stack.data).sockets}&port={PORT}&user=anlan"


def lane_counts(stack) -> dict[int, int]:
    with psycopg.connect(database(stack)) as connection:
        return dict(connection.execute("select lane, seq from collect_lanecursor").fetchall())


def all_stored(stack, sender: Sender, seconds: float = 30) -> bool:
    """Whether everything this sender was answered for is stored, once."""
    wanted = sorted(sender.acked)

    def mine() -> list[int]:
        return [t for t in stored_times(database(stack), sender.device["station"]) if t in set(wanted)]

    until(lambda: mine() == wanted, seconds)
    return mine() == wanted


@pytest.fixture(scope="module")
def house():
    from stack import RunningStack

    shift = Path(os.environ.get("TMPDIR", "/tmp")) / f"anlan-shift-{os.getpid()}"
    shift.write_text("0")
    one = RunningStack(3, None, ANLAN_HUNG_S="8", ANLAN_CLOCK_SHIFT=str(shift))
    one.shift = shift
    try:
        one.start()
        yield one
    finally:
        one.remove()
        shift.unlink()


def house_ms(house) -> int:
    """What the shifted clock says."""
    return time.time_ns() // 1_000_000 + int(house.shift.read_text())


@pytest.mark.parametrize("name", ["worker", "gateway", "desk", "web", "nats", "postgres"])
def test_a_hung_process_is_started_again(house, name):
    before = house.pids()[name]
    victim = psutil.Process(before)
    victim.send_signal(signal.SIGSTOP)
    assert until(lambda: house.pids().get(name) not in (None, before), 25), f"{name} was not replaced"
    assert not psutil.pid_exists(before) or psutil.Process(before).status() == psutil.STATUS_ZOMBIE
    sender = Sender(house.info)
    assert until(lambda: sender.send(house_ms(house)) == 200, 25)
    if name == "worker":
        assert "hung" in (house.data / "run" / "faults.json").read_text()


def test_a_clock_set_back_or_forward_stops_nothing(house):
    sender = Sender(house.info, 1)
    assert until(lambda: sender.send(house_ms(house)) == 200)
    real = time.time_ns() // 1_000_000
    for shift in (-3_600_000, 0, 3_600_000):
        house.shift.write_text(str(shift))
        time.sleep(1.5)
        before = until(lambda: lane_counts(house))
        for _ in range(3):  # the device's own clock is right all the time
            real = max(real + 1, time.time_ns() // 1_000_000)
            assert sender.send(real) == 200, sender.last
        assert sender.last[1]["rejected"] == 0
        assert until(lambda b=before: all(seq > b[lane] for lane, seq in lane_counts(house).items()), 15), "ticks stand still"
    assert all_stored(house, sender)
    assert until(lambda: "engines.clock" in conditions(database(house)), 5)
    shown = get(house.info, "/system/conditions")
    assert any(c["code"] == "engines.clock" and c["zh"] and c["en"] for c in shown["conditions"])
    house.shift.write_text("0")


def restart(house, sender: Sender, between=lambda: None) -> None:
    house.stop()
    between()
    sender.info = house.start()


def seen_to(house) -> None:
    """The administrator has seen to everything (the API's way)."""
    for row in get(house.info, "/system/conditions")["conditions"]:
        address = f"{house.info['http']}/api/system/conditions/{row['id']}/done"
        headers = {"Authorization": f"Bearer {house.info['token']}", "Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(address, b"{}", headers, method="POST"), timeout=10).close()
    assert not conditions(database(house))


def test_a_log_deleted_at_run_time_is_noticed_and_everything_after_it_is_judged(house):
    sender = Sender(house.info, 2)
    assert until(lambda: sender.send(house_ms(house)) == 200, 30)
    assert all_stored(house, sender)
    seen_to(house)
    nats = psutil.Process(house.pids()["nats"])
    nats.suspend()  # nothing is written while the folder goes
    shutil.rmtree(house.data / "nats" / "store")
    nats.kill()
    for _ in range(10):
        assert until(lambda: sender.send(house_ms(house), timeout=30) == 200, 60)
    assert all_stored(house, sender)
    assert until(lambda: "detect.log_lost" in conditions(database(house)))


def test_a_log_deleted_while_stopped(house):
    """The new log has grown past the old cursor before a worker looks: still told from the old one."""
    sender = Sender(house.info, 2)
    assert until(lambda: sender.send(house_ms(house)) == 200, 30)
    assert all_stored(house, sender)
    seen_to(house)
    restart(house, sender, lambda: shutil.rmtree(house.data / "nats" / "store"))
    for _ in range(10):
        assert until(lambda: sender.send(house_ms(house)) == 200, 30)
    assert all_stored(house, sender)
    assert "detect.log_lost" in conditions(database(house))


@pytest.mark.nightly
def test_an_older_copy_of_the_log_is_noticed(house, tmp_path):
    sender, store = Sender(house.info, 2), house.data / "nats" / "store"
    assert until(lambda: sender.send(house_ms(house)) == 200, 30)
    assert all_stored(house, sender)
    seen_to(house)
    restart(house, sender, lambda: shutil.copytree(store, tmp_path / "older"))
    for _ in range(30):
        sender.send(house_ms(house))
    assert all_stored(house, sender)
    time.sleep(6)  # the cursor alone (ticks) is written each five seconds

    def put_back() -> None:
        shutil.rmtree(store)
        shutil.copytree(tmp_path / "older", store)

    restart(house, sender, put_back)
    for _ in range(10):
        assert until(lambda: sender.send(house_ms(house)) == 200, 30)
    assert all_stored(house, sender)
    assert "detect.log_lost" in conditions(database(house))


def test_the_number_of_lanes_cannot_be_changed(house):
    house.stop()
    house.environment["ANLAN_LANES"] = "3"
    try:
        with pytest.raises(AssertionError, match=r"ANLAN_LANES=3.*made with 2"):
            house.start()
    finally:
        del house.environment["ANLAN_LANES"]
