"""The doctor's checks, and that each can fail."""

from __future__ import annotations

import json
import shutil
import socket
from types import SimpleNamespace

import pytest

from anlan import cli
from anlan.engines import doctor


def test_report_is_complete_and_json(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("ANLAN_DATABASE_URL", raising=False)
    code = cli.main(["doctor", "--data", str(tmp_path / "新"), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert code == (1 if found["state"] == "fail" else 0)
    names = {check["name"] for check in found["checks"]}
    assert {"versions", "disk", "clock", "ports", "fsync"} <= names
    assert all(check["en"] and check["zh"] for check in found["checks"] if check["state"] != "ok")
    assert not (tmp_path / "新").exists()


@pytest.mark.parametrize(("free", "state"), [(0.5e9, "fail"), (5e9, "warn"), (500e9, "ok")])
def test_disk(tmp_path, monkeypatch, free, state):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert doctor.disk(tmp_path).state == state


def test_slow_sync_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "fsync_times", lambda at: [20.0, 30.0])
    assert doctor.sync(tmp_path).state == "warn"
    monkeypatch.undo()
    assert len(doctor.fsync_times(tmp_path, 3)) == 3


def test_a_fixed_port_that_is_taken_fails(monkeypatch):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        monkeypatch.setenv("ANLAN_MQTT_PORT", str(holder.getsockname()[1]))
        assert doctor.ports(False).state == "fail"
        assert doctor.ports(True).state == "ok"


def test_unsynchronised_clock_warns(monkeypatch):
    monkeypatch.setattr(doctor, "clock_synchronised", lambda: False)
    assert doctor.clock().state == "warn"


def test_database_away_fails(monkeypatch):
    monkeypatch.setenv("ANLAN_DATABASE_URL", "postgresql://127.0.0.1:9/x")
    assert doctor.database().state == "fail"


def test_killed_supervisor_is_told(tmp_path):
    from anlan.engines.folders import Folders, write_json

    folders = Folders(tmp_path)
    folders.run.mkdir(parents=True)
    write_json(folders.run / "pids.json", {"up": {"pid": 2**22 + 5, "since": 0}})
    assert "killed" in doctor.processes(folders).seen


def test_both_languages_and_what_was_started_again(tmp_path, capsys, monkeypatch):
    from anlan.base.clock import now_ms
    from anlan.engines.folders import Folders, write_json

    monkeypatch.delenv("ANLAN_DATABASE_URL", raising=False)
    folders = Folders(tmp_path)
    folders.run.mkdir(parents=True)
    write_json(folders.run / "faults.json", {"worker": {"why": "hung", "at_ms": now_ms(), "times": 3}})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0.5e9))
    assert cli.main(["doctor", "--data", str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert "磁盘 disk" in text and "已停止接收读数" in text and "no longer taken" in text
    assert "worker: hung, 3x" in text and "一天内重启过" in text


def test_every_check_has_a_chinese_name(tmp_path, monkeypatch):
    from anlan.engines.commands.doctor import NAMES

    monkeypatch.delenv("ANLAN_DATABASE_URL", raising=False)
    assert [c.name for c in doctor.checks(tmp_path) if c.name not in NAMES] == []
