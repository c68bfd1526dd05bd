"""The supervisor with small children: restart, back-off, failure to start, leftovers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from anlan.base.errors import AnlanError
from anlan.engines.folders import Folders, write_json
from anlan.engines.processes import CONFINE, Child, Supervisor, announce_ready, end_leftovers

READY = "import os, time, pathlib; pathlib.Path(os.environ['ANLAN_READY_FILE']).write_text('{\"n\": 1}'); time.sleep(60)"


def python(code: str):
    return lambda: [sys.executable, "-I", str(CONFINE), "15", "plain", str(os.getpid()), "--", sys.executable, "-c", code]


@pytest.fixture
def supervisor(tmp_path):
    made = Supervisor(Folders(tmp_path / "数据").make())
    yield made
    made.stop_all()
    made.folders.forget_sockets()


def test_a_killed_child_is_back_at_once_and_a_crashing_one_more_slowly(supervisor):
    steady, crashing = Child("steady", python(READY)), Child("crashing", python(READY.replace("sleep(60)", "sleep(.01)")))
    supervisor.start_stage([steady, crashing])
    assert supervisor.facts("steady") == {"n": 1}
    first = supervisor.pids()["steady"]
    os.kill(first, signal.SIGKILL)
    watcher = threading.Timer(3.0, supervisor._ask_stop)
    watcher.start()
    supervisor.watch()
    assert supervisor.pids()["steady"] != first
    assert steady.restarts == 1
    assert 2 <= crashing.restarts <= 5, "back-off: at once, 0.2, 0.4, 0.8, 1.6 s"


def test_a_child_that_cannot_start_is_told_with_its_words(supervisor):
    with pytest.raises(AnlanError) as caught:
        supervisor.start_stage([Child("bad", python("import sys; sys.exit('the cat sat on the cable')"))])
    assert "the cat sat on the cable" in caught.value.en
    assert "bad" in caught.value.zh


def test_a_child_that_ignores_the_stop_is_killed(supervisor):
    stubborn = Child("stubborn", python("import signal; signal.signal(15, signal.SIG_IGN)\n" + READY), grace_s=0.5)
    supervisor.start_stage([stubborn])
    pid = supervisor.pids()["stubborn"]
    supervisor.stop_all()
    assert not psutil.pid_exists(pid)


def test_leftovers_are_ended_but_never_a_stranger_with_the_same_number(tmp_path):
    folders = Folders(tmp_path).make()
    mine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    threading.Thread(target=mine.wait, daemon=True).start()
    rows = {
        "worker": {"pid": mine.pid, "since": psutil.Process(mine.pid).create_time()},
        "web": {"pid": stranger.pid, "since": 1.0},
    }
    write_json(folders.run / "pids.json", rows)
    try:
        assert end_leftovers(folders) == ["worker"]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
        folders.forget_sockets()


def test_announcing_without_a_supervisor_does_nothing(monkeypatch, tmp_path):
    monkeypatch.delenv("ANLAN_READY_FILE", raising=False)
    announce_ready(port=1)
    monkeypatch.setenv("ANLAN_READY_FILE", str(tmp_path / "x.ready"))
    announce_ready(port=1)
    assert '"port": 1' in (tmp_path / "x.ready").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_child_dies_with_its_parent(tmp_path):
    sleeper = "import time; time.sleep(60)"
    code = (
        "import subprocess, os, sys, time\n"
        f"confined = [sys.executable, '-I', {str(CONFINE)!r}, '15', 'plain', str(os.getpid()), '--']\n"
        f"child = subprocess.Popen([*confined, sys.executable, '-c', {sleeper!r}], start_new_session=True)\n"
        "print(child.pid, flush=True)\ntime.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = psutil.Process(int(parent.stdout.readline()))
    while "confine" in " ".join(child.cmdline()):
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    assert psutil.wait_procs([child], timeout=5)[1] == []
