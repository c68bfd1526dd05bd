"""Our sender, our key, and CAP that leaves signed: verified by `anlan cap check`, refused when changed."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from anlan.base.errors import AnlanError, FieldError
from anlan.base.grade import Grade
from anlan.engines.backup import SECRETS
from anlan.issue import signing
from anlan.issue.contract import AlertDraft
from anlan.issue.messages import check, formats

ROOT = Path(__file__).resolve().parents[3]
SENT = datetime(2026, 6, 14, 5, 36, tzinfo=UTC)


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("ANLAN_DATA", str(tmp_path))
    monkeypatch.setenv("ANLAN_CAP_SENDER", "yjj@example.gov.cn")
    return tmp_path


def message(sent=SENT):
    return formats()["cap12"].write(
        AlertDraft(
            "warn-1", signing.sender(), sent, "Actual", "Alert", "11D01", "Geo", Grade.RED, ("滑坡", "landslide"),
            ("红色预警", "Red warning"), ("险情", "danger here"), ("撤离", "leave"), sent,
            sent + timedelta(hours=6), ("罗湖区", "Luohu"), ("440303",),
        )
    )  # fmt: skip


@pytest.mark.parametrize("name", ["yjj@example.gov.cn", "emergency.example.gov.cn", "2.49.0.1.156.0", "a+b@x-y.cn"])
def test_a_sender_is_an_identifier(data, monkeypatch, name):
    monkeypatch.setenv("ANLAN_CAP_SENDER", name)
    assert signing.sender() == name and check(message()).valid


@pytest.mark.parametrize(
    "name", ["应急局", "a b@example.org", "a,b@example.org", "a<b@x.org", "a&b@x.org", "nodots", "@x.org", "x@.org", "x" * 121 + ".cn"]
)
def test_what_is_none_is_refused_with_a_remedy(data, monkeypatch, name):
    monkeypatch.setenv("ANLAN_CAP_SENDER", name)
    with pytest.raises(FieldError) as refused:
        signing.sender()
    assert refused.value.facts["field"] == "ANLAN_CAP_SENDER"


def test_without_a_setting_the_sender_is_nobodys_but_stays(data, monkeypatch):
    monkeypatch.delenv("ANLAN_CAP_SENDER")
    first = signing.sender()
    assert first == signing.sender() and first.endswith(".invalid") and check(message()).valid


def test_signed_message_verifies_and_a_changed_one_does_not(data):
    xml = signing.signed(message())
    verdict = check(xml)
    assert verdict.valid and verdict.signature == "good" and signing.signed(message()) == xml
    for old, new in ((b"danger here", b"all is well"), (b"<status>Actual", b"<status>Test"), (b"warn-1", b"warn-2")):
        changed = check(xml.replace(old, new, 1))
        assert not changed.valid and changed.signature == "bad"
    assert check(message()).signature == "none" and not check(message()).valid, "our own sender must sign"


def test_elsewhere_it_is_untrusted_until_pinned(data, tmp_path, monkeypatch):
    xml, certificate = signing.signed(message()), signing.certificate()
    monkeypatch.setenv("ANLAN_DATA", str(tmp_path / "neighbour"))
    (tmp_path / "neighbour" / "trust").mkdir(parents=True)
    assert check(xml).signature == "untrusted" and check(xml).valid, "a signer nobody pinned is a finding, not an error"
    (tmp_path / "neighbour" / "trust" / "yjj@example.gov.cn.pem").write_bytes(certificate)
    assert check(xml).signature == "good" and check(xml).valid
    other = signing.signed(message())  # the neighbour's own key under our name
    monkeypatch.setenv("ANLAN_DATA", str(data))
    assert check(other).signature == "bad" and not check(other).valid
    assert b"PRIVATE" not in certificate


def test_the_key_is_secret_whole_backed_up_and_made_once(data):
    with ThreadPoolExecutor(4) as pool:
        made = {p.read_bytes() for p in pool.map(signing.ensure, [data] * 4)}
    path = data / signing.FILE
    assert len(made) == 1 and stat.S_IMODE(path.stat().st_mode) == 0o600 and signing.FILE in SECRETS
    assert [p.name for p in data.iterdir() if p.name.startswith(".")] == []
    path.write_bytes(b"half")
    with pytest.raises(AnlanError) as damaged:
        signing.certificate()
    assert damaged.value.code == "issue.no_key"


def test_the_certificate_covers_told_times_and_the_pin_follows_the_sender(data, monkeypatch):
    now = datetime.now(UTC)
    assert check(signing.signed(message(now - timedelta(days=700)))).signature == "good"
    assert check(signing.signed(message(now + timedelta(days=3000)))).signature == "good"
    monkeypatch.setenv("ANLAN_CAP_SENDER", "new@example.gov.cn")
    assert check(signing.signed(message())).signature == "good"
    pin = signing.pin_own(data)
    assert pin.read_bytes() == signing.pin_own(data).read_bytes() and pin.read_bytes().count(b"BEGIN") == 1


def test_the_command_says_so(data):
    file = data / "a.xml"
    file.write_bytes(signing.signed(message()))
    done = subprocess.run(
        [sys.executable, "-m", "anlan", "cap", "check", str(file), "--json"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    row = json.loads(done.stdout)
    assert (row["valid"], row["signature"], done.returncode) == (True, "good", 0)
