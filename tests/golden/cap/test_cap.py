"""Verdicts on alert messages: our own samples here, the shared ones (real feeds, the schema itself) where they are at hand."""

import copy
import csv
import json
import os
import random
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lxml import etree

from anlan.base.errors import FieldError
from anlan.base.grade import Grade
from anlan.issue import trust
from anlan.issue.contract import AlertDraft
from anlan.issue.formats.cap12.schema import faults
from anlan.issue.messages import check, formats, safe_parse

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("ANLAN_SHARED", ROOT.parent / "shared"))
CAP = SHARED / "data/cap"
needs_shared = pytest.mark.skipif(not CAP.is_dir(), reason=f"no shared CAP samples at {CAP}; set ANLAN_SHARED")
SENT = datetime(2026, 6, 14, 6, 34, tzinfo=UTC)
RING = ((114.15, 22.55), (114.16, 22.55), (114.16, 22.56), (114.15, 22.55))


def draft(**changes):
    values = {
        "identifier": "anlan.warn-01",
        "sender": "anlan@example.org",
        "sent": SENT,
        "status": "Actual",
        "msg_type": "Alert",
        "event_code": "11D01",
        "category": "Geo",
        "grade": Grade.RED,
        "words": ("滑坡", "landslide"),
        "headline": ("示例区应急管理局发布滑坡红色预警", "Red landslide warning"),
        "description": ("裂缝计与 GNSS 同时加速。", "Crack meter and GNSS speed up."),
        "instruction": ("立即撤离。", "Leave now."),
        "effective": SENT,
        "expires": SENT + timedelta(hours=12),
        "area_name": ("示例社区", "Sample community"),
        "geocodes": ("440303001001",),
        "polygons": (RING,),
        "sender_name": ("示例区应急管理局", "Sample bureau"),
    }
    return AlertDraft(**{**values, **changes})


def written(**changes) -> bytes:
    return formats()["cap12"].write(draft(**changes))


def broken(old: str, new: str, **changes):
    data = written(**changes).decode()
    assert old in data, old
    return check(data.replace(old, new, 1).encode())


def rules_of(verdict, level="error"):
    return {f.rule for f in verdict.findings if f.level == level}


def test_what_we_write_is_valid_and_carries_everything():
    verdict = check(written())
    assert verdict.valid and not verdict.findings, verdict
    root = safe_parse(written())
    text = {etree.QName(e).localname: e.text for e in root.iter()}
    assert text["sent"] == "2026-06-14T14:34:00+08:00"
    assert text["severity"] == "Extreme" and text["polygon"].startswith("22.55000,114.15000 ")
    assert b"440303001001" in written() and b"colour" in written()


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("anlan.warn-01<", "anlan warn<", "R01"),
        ("anlan@example.org<", "a,b<", "R01"),
        ("<msgType>Alert", "<msgType>Update", "R04"),
        ("<scope>Public</scope>", "<scope>Restricted</scope>", "R05"),
        ("<scope>Public</scope>", "<scope>Public</scope><restriction>police</restriction>", "R05"),
        ("<scope>Public</scope>", "<scope>Private</scope>", "R05"),
        ("22.55000,114.15000</polygon>", "22.57,114.15</polygon>", "R06"),
        ("<polygon>22.55000,114.15000 22.55000,114.16000 22.56000,114.16000 ", "<polygon>1,1 2,2 1,2 2,1 1,1</polygon><polygon>", "R06"),
        ("<polygon>22.55000,114.15000 22.55000,114.16000", "<polygon>22.55000,114.15000", "R06"),
        ("<polygon>22.55000,114.15000", "<polygon>114.15000,22.55000", "R07"),
        ("<polygon>22.55000,114.15000", "<polygon>north", "R07"),
        ("<geocode>", "<circle>22.5,114.1</circle><geocode>", "R07"),
        ("</area>", "<ceiling>100</ceiling></area>", "R08"),
        ("</area>", "<altitude>200</altitude><ceiling>100</ceiling></area>", "R08"),
        ("</area>", "<altitude>-2</altitude></area>", "R08"),
        ("<expires>2026-06-15", "<expires>2026-06-13", "R09"),
        ("<parameter>", "<resource><resourceDesc>x</resourceDesc><mimeType>jpeg</mimeType></resource><parameter>", "XSD"),
        ("<area>", "<resource><resourceDesc>x</resourceDesc><mimeType>jpeg</mimeType></resource><area>", "R11"),
        ("<area>", "<resource><resourceDesc>x</resourceDesc><mimeType>a/b</mimeType><uri>map.png</uri></resource><area>", "R11"),
        ("<area>", "<resource><resourceDesc>x</resourceDesc><mimeType>a/b</mimeType><derefUri>%%</derefUri></resource><area>", "R11"),
        ("<parameter>", "<web>www.example.org</web><parameter>", "R12"),
        ("<status>Actual", "<status>Exercise", "R13"),
        ("<severity>Extreme", "<severity>Red", "XSD"),
        ("+08:00</sent>", "Z</sent>", "XSD"),
        ("<certainty>Unknown", "<certainty>Very Likely", "XSD"),
    ],
)  # fmt: skip
def test_each_fault_is_an_error_with_its_rule(old, new, rule):
    verdict = broken(old, new)
    assert rule in rules_of(verdict), verdict.findings
    assert not verdict.valid
    assert all(f.zh and f.en for f in verdict.findings)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("Crack meter", "&lt;b&gt;Crack&lt;/b&gt; meter", "R17"),
        ("<category>Geo", "<category>Met", "R16"),
        ("<polygon>22.55000,114.15000 22.55000,114.16000 22.56000,114.16000 22.55000,114.15000", "<polygon>", "R06"),
    ],
)
def test_warnings_are_kept_but_do_not_reject(old, new, rule):
    verdict = broken(old, new)
    assert verdict.valid and rule in rules_of(verdict, "warning"), verdict.findings


def test_self_reference_and_bad_references():
    def verdict(text):
        return check(written().decode().replace("<info>", f"<references>{text}</references><info>", 1).encode())

    assert "R19" in rules_of(verdict("anlan@example.org,anlan.warn-01,2026-06-14T14:34:00+08:00"), "warning")
    assert "R03" in rules_of(verdict("anlan.warn-00"))
    assert "R19" in rules_of(verdict("a,b,2027-01-01T00:00:00+08:00"), "warning")


def test_the_writer_refuses_what_its_own_check_would():
    with pytest.raises(FieldError) as raised:
        written(msg_type="Update")
    assert "references" in raised.value.en
    with pytest.raises(FieldError):
        written(polygons=(((0, 0), (1, 1), (0, 1), (1, 0), (0, 0)),))


def test_update_refers_to_the_first_message():
    data = written(msg_type="Update", references=(("anlan@example.org", "anlan.warn-00", SENT - timedelta(hours=1)),))
    assert check(data).valid and b"anlan@example.org,anlan.warn-00,2026-06-14T13:34:00+08:00" in data


@pytest.mark.parametrize(
    "attack",
    [
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:%d/x">]><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">&x;</alert>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:%d/x.dtd"><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"/>',
        b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><i:include xmlns:i="http://www.w3.org/2001/XInclude" href="http://127.0.0.1:%d/"/></alert>',
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:%d/x">]><a>&x;</a>'.encode("utf-16"),
    ],
)
def test_attacks_are_refused_without_any_network_access(attack):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = str(server.getsockname()[1])
        data = attack.replace(b"%d", port.encode()).replace("%d".encode("utf-16")[2:], port.encode("utf-16")[2:])
        assert not check(data).valid
        with pytest.raises(TimeoutError):
            server.accept()


def test_entity_bomb_and_nonsense_are_one_sentence_each():
    bomb = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>'
    for data in (bomb, b"", b"\xff\xfe", b"<a>", b"hello", b"<a/>", b"x" * 10_000_001):
        verdict = check(data)
        assert not verdict.valid and len(verdict.findings) == 1


def _certificate(name: str, key, issuer: str = ""):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer or name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(by).public_key(key.public_key()).serial_number(7)
    return builder.not_valid_before(SENT - timedelta(days=1)).not_valid_after(SENT + timedelta(days=30)).sign(key, hashes.SHA256())


def _signed(name: str):
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(name, key).public_bytes(serialization.Encoding.PEM)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return trust.sign(written(), pem, certificate), certificate


def test_signatures_are_believed_only_when_pinned(tmp_path, monkeypatch):
    monkeypatch.setenv("ANLAN_DATA", str(tmp_path))
    message, certificate = _signed("bureau")
    unpinned = check(message)
    assert unpinned.valid and unpinned.signature == "untrusted" and [f.rule for f in unpinned.findings] == ["SIG"], "anybody can make one"
    (tmp_path / "trust").mkdir()
    pin = tmp_path / "trust" / "anlan@example.org.pem"
    pin.write_bytes(certificate)
    assert check(message).valid and not check(message).findings, "valid when sent, though it has run out since"
    assert "SIG" in rules_of(check(message.replace(b"Leave now.", b"Stay.    ")))
    other, _ = _signed("stranger")
    assert "SIG" in rules_of(check(other)), "another signer than the pinned one"
    assert "SIG" in rules_of(check(written())), "a sender with a pin must sign"
    odd = message.replace(b"</ds:Transforms>", b'<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"/></ds:Transforms>')
    assert "SIG" in rules_of(check(odd))
    twice = message.replace(b"</alert>", message[message.index(b"<ds:Signature") : message.index(b"</alert>")] + b"</alert>")
    assert "SIG" in rules_of(check(twice))


def test_one_megabyte_in_under_a_second():
    import math
    import time

    ring = tuple((114 + math.cos(i / 20000 * math.tau) / 9, 22 + math.sin(i / 20000 * math.tau) / 9) for i in range(20000))
    data = written(polygons=((*ring, ring[0]),))
    assert len(data) > 700_000
    began = time.perf_counter()
    assert check(data).valid
    assert time.perf_counter() - began < 1


def test_national_round():
    national = formats()["national12379"]
    alert = draft(identifier="44030341600000_20260614143400", sender="44030341600000", headline=("示例区应急管理局发布滑坡红色预警", ""))
    data = national.write(alert)
    verdict = check(data)
    assert verdict.valid and verdict.format == "national12379", verdict

    def errors(old, new):
        text = data.decode()
        assert old in text
        return rules_of(check(text.replace(old, new, 1).encode()))

    assert "N01" in errors("<senderCode>4403", "<senderCode>4404")
    assert "N02" in errors("440303001001<", "990303001001<")
    assert "N03" in errors("<eventType>11D01", "<eventType>LANDSLIDE")
    assert "N04" in errors("<msgType>Alert", "<msgType>Cancel")
    assert "N06" in errors("滑坡红色", "滑坡橙色")
    assert "N06" in errors("发布滑坡", "发布暴雨")
    assert "N06" in errors("<headline>示例区应急管理局", "<headline>另一市气象台")
    assert "N07" in errors("<expires>2026-06-15", "<expires>2026-06-12")
    assert "N00" in errors("<severity>Red", "<severity>Extreme")
    unknown = check(data.replace(b"11D01", b"11Z77"))
    assert unknown.valid and "N09" in rules_of(unknown, "warning")
    drill = data.decode().replace("裂缝计", "演练：裂缝计")
    assert check(drill.encode()).valid and "N08" in rules_of(check(drill.encode(), outgoing=True))


@needs_shared
def test_shared_messages_all_get_the_right_verdict():
    wrong = []
    for row in csv.DictReader((CAP / "manifest.csv").open()):
        verdict = check((CAP / row["file"]).read_bytes())
        want = row["expected"].upper() in ("OK", "OK-WITH-FINDINGS", "NATIONAL-OK")
        if verdict.valid != want or (row["expected"] == "OK-WITH-FINDINGS" and not verdict.findings):
            wrong.append((row["file"], row["expected"], verdict.findings))
    assert not wrong


@needs_shared
def test_ours_and_mutants_agree_with_the_schema_itself():
    schema = etree.XMLSchema(etree.parse(CAP / "CAP-v1.2.xsd"))
    assert schema.validate(safe_parse(written()))
    seed, roots = random.Random(20261123), []
    for path in sorted(CAP.glob("*.xml")):
        try:
            root = safe_parse(path.read_bytes())
        except ValueError:
            continue
        if len(etree.tostring(root)) < 30_000:
            roots.append(root)
            assert schema.validate(root) == (not faults(root)), path
    values = [
        "",
        " ",
        "x",
        " Actual",
        "2020-13-01T00:00:00+08:00",
        "2020-01-01T00:00:00+14:01",
        "12",
        ".5",
        "1e3",
        "e_n",
        "a b",
        "/%zz",
        "::",
    ]
    for _ in range(800):
        root = copy.deepcopy(seed.choice(roots))
        elements = [e for e in root.iter() if isinstance(e.tag, str) and "xmldsig" not in e.tag]
        element, act = seed.choice(elements), seed.randrange(5)
        parent = element.getparent()
        if act == 0 and parent is not None:
            parent.remove(element)
        elif act == 1 and parent is not None:
            parent.insert(seed.randrange(len(parent) + 1), copy.deepcopy(element))
        elif act == 2:
            element.text = seed.choice(values)
        elif act == 3:
            element.tag = seed.choice(elements).tag
        else:
            element.set("x", "1")
        assert schema.validate(root) == (not faults(root)), etree.tostring(element)[:200]


def test_command_prints_one_json_line_per_file(tmp_path):
    good, bad = tmp_path / "good.xml", tmp_path / "bad.xml"
    good.write_bytes(written())
    bad.write_text("<a/>")
    done = subprocess.run(
        [sys.executable, "-m", "anlan", "cap", "check", str(good), str(bad), str(tmp_path / "none.xml"), "--json"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["valid"] for r in rows] == [True, False, False] and done.returncode == 1
    assert rows[2]["findings"][0]["rule"] == "FILE"
