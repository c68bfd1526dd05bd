"""Every rule of both formats against messages of our own: one that keeps it at its edge, one that breaks it, and the level.

The table names are those of the rule lists (CAP R01-R21, national N01-N09). R02, R10 and R15 are not in the list.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_cap import draft, written

from anlan.issue.formats.national.codes import WORDS, division, events
from anlan.issue.messages import check, check_together, formats

ROOT = Path(__file__).resolve().parents[3]
LEVELS = ("error", "warning", "advice")
REF = "<references>anlan@example.org,{},{}</references>"
UPDATE = ("<msgType>Alert", "<msgType>Update")


def after_note(text):
    return ("<code>anlan-cap-1</code>", f"<code>anlan-cap-1</code>{text}")


def resource(mime, rest=""):
    return ("<area>", f"<resource><resourceDesc>x</resourceDesc><mimeType>{mime}</mimeType>{rest}</resource><area>")


def before_parameter(text):
    return ("<parameter>", f"{text}<parameter>")


def circle(text):
    return ("<geocode>", f"<circle>{text}</circle><geocode>")


def ring(text):
    start = "<polygon>22.55000,114.15000 22.55000,114.16000 22.56000,114.16000 22.55000,114.15000"
    return (start, f"<polygon>{text}")


OLD = "2026-06-14T10:00:00+08:00"
# rule, level, edits that keep it, edits that break it
CAP = [
    ("R01", "error", [("anlan.warn-01<", "an-lan_7:Ä.1<")], [("anlan.warn-01<", "anlan&amp;1<")]),
    ("R01", "error", [("anlan@example.org<", "2.49.0.1.156<")], [("anlan@example.org<", "<")]),
    ("R03", "error", [UPDATE, after_note(REF.format("a", OLD))], [UPDATE, after_note(REF.format("a", "2026-06-14T10:00:00Z"))]),
    ("R04", "error", [UPDATE, after_note(REF.format("a", OLD))], [("<msgType>Alert", "<msgType>Cancel")]),
    ("R04", "error", [("<msgType>Alert", "<msgType>Ack"), after_note(REF.format("a", OLD))], [("<msgType>Alert", "<msgType>Ack")]),
    (
        "R05", "error",
        [("<scope>Public</scope>", "<scope>Restricted</scope><restriction>police</restriction>")],
        [("<scope>Public</scope>", "<scope>Public</scope><restriction>police</restriction>")],
    ),
    (
        "R05", "error",
        [("<scope>Public</scope>", "<scope>Private</scope><addresses>a@example.org</addresses>")],
        [("<scope>Public</scope>", "<scope>Private</scope><addresses> </addresses>")],
    ),
    ("R06", "error", [ring("1,1 1,2 2,2 1,1")], [ring("1,1 1,2 2,2 1,1.0001")]),
    ("R06", "error", [ring("1,1 1,2 2,2 1,1")], [ring("1,1 1,2 1,1")]),
    ("R06", "error", [ring("0,0 0,2 2,2 2,0 0,0")], [ring("0,0 2,2 0,2 2,0 0,0")]),
    ("R06", "warning", [ring("1,1 1,2 2,2 1,1")], [ring("")]),
    ("R07", "error", [ring("90,1 89,2 88,2 90,1")], [ring("90.1,1 89,2 88,2 90.1,1")]),
    ("R07", "error", [circle("22.5,114.1 0")], [circle("22.5,114.1")]),
    ("R07", "error", [circle("22.5,114.1 1.5")], [circle("22.5 114.1 1")]),
    ("R07", "advice", [ring("1,180 1,179 2,179 1,180")], [ring("1,181 1,179 2,179 1,181")]),
    (
        "R08", "error",
        [("</area>", "<altitude>100</altitude><ceiling>100</ceiling></area>")],
        [("</area>", "<altitude>100</altitude><ceiling>99</ceiling></area>")],
    ),
    ("R08", "error", [("</area>", "<altitude>0</altitude></area>")], [("</area>", "<altitude>-1</altitude></area>")]),
    ("R08", "error", [("</area>", "<altitude>0</altitude></area>")], [("</area>", "<ceiling>10</ceiling></area>")]),
    (
        "R09", "error",
        [("<expires>2026-06-15T02:34:00", "<expires>2026-06-14T14:34:00")],
        [("<expires>2026-06-15T02:34:00", "<expires>2026-06-14T14:33:59")],
    ),
    ("R09", "advice", [], [("<expires>2026-06-15T02:34:00+08:00</expires>", "")]),
    ("R11", "error", [resource("image/png")], [resource("png")]),
    (
        "R11", "error",
        [resource("image/png", "<uri>map.png</uri><derefUri>aGk=</derefUri>")],
        [resource("image/png", "<uri>map.png</uri>")],
    ),
    ("R11", "error", [resource("a/b", "<derefUri>aGk=</derefUri>")], [resource("a/b", "<derefUri>aG!=</derefUri>")]),
    ("R12", "error", [before_parameter("<web>https://example.org/a</web>")], [before_parameter("<web>example.org/a</web>")]),
    ("R13", "error", [("<status>Actual", "<status>Exercise"), after_note("<note>演练</note>")], [("<status>Actual", "<status>Exercise")]),
    (
        "R13", "error",
        [("<msgType>Alert", "<msgType>Error"), after_note("<note>坏</note>" + REF.format("a", OLD))],
        [("<msgType>Alert", "<msgType>Error"), after_note(REF.format("a", OLD))],
    ),
    ("R16", "warning", [], [("GB/T 35561</valueName><value>11D01", "GB/T 35561</valueName><value>11D02")]),
    ("R16", "warning", [], [("<category>Geo", "<category>Met")]),
    ("R17", "warning", [("Crack meter", "Crack &lt; 3 &amp; 4 meter")], [("Crack meter", "Crack&lt;br/&gt; meter")]),
    ("R17", "warning", [("Crack meter", "R&amp;D")], [("Crack meter", "R&amp;amp;D")]),
    (
        "R19", "warning",
        [UPDATE, after_note(REF.format("anlan.warn-00", OLD))],
        [UPDATE, after_note(REF.format("anlan.warn-01", OLD))],
    ),
    ("R19", "warning", [UPDATE, after_note(REF.format("a", OLD))], [UPDATE, after_note(REF.format("a", "2026-06-15T10:00:00+08:00"))]),
    (
        "R20", "warning", [],
        [("裂缝计与 GNSS 同时加速。", "Crack meter and GNSS speed up."), ],
    ),
]  # fmt: skip


def edited(edits, base=None):
    text = re.sub(r">\s+<", "><", (base or written()).decode())
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text.encode()


def found(verdict, rule):
    return {f.level for f in verdict.findings if f.rule == rule}


@pytest.mark.parametrize(("rule", "level", "keeps", "breaks"), CAP)
def test_cap_rule(rule, level, keeps, breaks):
    kept, broken = check(edited(keeps)), check(edited(breaks))
    assert not found(kept, rule) and not found(kept, "XSD"), kept.findings
    assert found(broken, rule) == {level}, broken.findings
    assert broken.valid == (level != "error") or found(broken, "XSD")


def test_r14_a_public_alert_has_an_info_block():
    text = edited([]).decode()
    bare = (text[: text.index("<info>")] + "</alert>").encode()
    assert found(check(bare), "R14") == {"warning"} and check(bare).valid
    assert not found(check(bare.replace(b"Actual", b"System")), "R14") and not found(check(edited([])), "R14")


def test_r18_retired_words():
    broken = check(edited([("<certainty>Unknown", "<certainty>Very Likely")]))
    assert found(broken, "R18") == {"warning"} and found(broken, "XSD") == {"error"}
    assert found(check(edited([before_parameter("<password>x</password>")])), "XSD") == {"error"}
    assert not found(check(edited([("<certainty>Unknown", "<certainty>Likely")])), "R18")


def test_r21_one_name_one_message(tmp_path):
    one = written()
    other, again, third = edited([("Leave now.", "Stay inside.")]), edited([]), edited([("anlan.warn-01<", "anlan.warn-02<")])
    verdicts = list(check_together([one, other, again, third, b"<a/>"]))
    assert [found(v, "R21") for v in verdicts] == [set(), {"error"}, {"advice"}, set(), set()]
    assert [v.valid for v in verdicts] == [True, False, True, True, False]
    paths = []
    for n, data in enumerate((one, other)):
        paths.append(str(tmp_path / f"{n}.xml"))
        Path(paths[-1]).write_bytes(data)

    def run(*more):
        done = subprocess.run(
            [sys.executable, "-m", "anlan", "cap", "check", *paths, "--json", *more], capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "ANLAN_DATA": str(tmp_path)},
        )  # fmt: skip
        return [json.loads(line)["valid"] for line in done.stdout.splitlines()]

    assert run() == [True, True] and run("--together") == [True, False]


# -- the national format ------------------------------------------------------------------------------------------------


def national(edits=(), **changes):
    values = {
        "identifier": "44030341600000_20260614143400",
        "sender": "44030341600000",
        "headline": ("示例区应急管理局发布滑坡红色预警", ""),
    }
    return edited(edits, formats()["national12379"].write(draft(**(values | changes))))


def cancel(*edits):
    return [
        ("<msgType>Alert", "<msgType>Cancel"), ("局发布滑坡", "局解除滑坡"), ("<note></note>", "<note>险情解除</note>"),
        ("<references></references>", "<references>44030341600000_20260614100000</references>"), *edits,
    ]  # fmt: skip


BODY = "<headline>示例区应急管理局"
UNTIL = "<expires>2026-06-15 02:34:00"
NATIONAL = [
    ("N01", "error", [("_20260614143400<", "_20260614143400_3<")], [("_20260614143400<", "_2026061414340<")]),
    ("N01", "error", [], [("<senderCode>44030341600000", "<senderCode>44030441600000")]),
    ("N01", "error", [("_20260614143400<", "_20240229235959<")], [("_20260614143400<", "_20260231143400<")]),
    ("N02", "error", [("440303001001<", "440304000000,330500<")], [("440303001001<", "440303001001,448803000000<")]),
    ("N02", "error", [("440303001001<", "710000<")], [("440303001001<", "44030<")]),
    ("N02", "warning", [("440303001001<", "440303001999<")], [("440303001001<", "440303999001<")]),
    ("N02", "warning", [("440303001001<", "429004<")], [("440303001001<", "440399000000<")]),
    ("N03", "error", [("<eventType>11D01", "<eventType>11D01")], [("<eventType>11D01", "<eventType>11d01")]),
    ("N04", "error", cancel(), [("<msgType>Alert", "<msgType>Cancel")]),
    ("N04", "warning", cancel(), cancel(("<references>44030341600000_20260614100000", "<references>first"))),
    ("N05", "warning", cancel(), cancel(("<note>险情解除</note>", "<note></note>"))),
    ("N06", "error", [], [("滑坡红色", "滑坡橙色")]),
    ("N06", "error", [(BODY, "<headline>示例区气象台")], [(BODY, "<headline>别的县气象台")]),
    ("N06", "error", cancel(), cancel(("局解除滑坡", "局发布滑坡"))),
    ("N07", "error", [(UNTIL, "<expires>2026-06-14 14:34:01")], [(UNTIL, "<expires>2026-06-14 14:34:00")]),
    (
        "N08", "warning",
        [("<status>Actual", "<status>Test"), ("<description>裂缝计", "<description>测试：裂缝计")],
        [("<description>裂缝计", "<description>测试：裂缝计")],
    ),
    ("N09", "warning", [("<eventType>11D01", "<eventType>11D04")], [("<eventType>11D01", "<eventType>11Z77")]),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "level", "keeps", "breaks"), NATIONAL)
def test_national_rule(rule, level, keeps, breaks):
    kept, broken = check(national(keeps)), check(national(breaks))
    assert level not in found(kept, rule) and kept.valid, kept.findings
    assert level in found(broken, rule), broken.findings
    assert broken.valid == (level != "error") or found(broken, rule) == {"error", level}


def test_n08_never_leaves_us():
    trial = national([("<description>裂缝计", "<description>演练：裂缝计")])
    assert found(check(trial, outgoing=True), "N08") == {"error"} and found(check(trial), "N08") == {"warning"}


def test_every_known_event_code_passes_and_the_words_are_among_them():
    assert len(events()) == 498 and sum(c.startswith("1") for c in events()) == 383 and set(WORDS) <= set(events())
    shaped = [c for c in events() if c[2].isalpha()]
    assert len(shaped) > 450
    for code in shaped[::9]:
        verdict = check(national([("<eventType>11D01", f"<eventType>{code}")]))  # the headline may disagree: that is N06
        assert not found(verdict, "N03") and not found(verdict, "N09"), code


def test_divisions_by_name():
    known = {"440303": "known", "440303001": "known", "440303001001": "known", "440303000000": "known", "110000": "known"}
    known |= {"330502": "known", "654026": "known", "810000": "known", "440303999": "newer", "330199": "newer"}
    known |= {"448803": "unknown", "990000": "unknown", "429004": "known", "4403": "shape", "44030a": "shape", "": "shape"}
    assert {code: division(code) for code in known} == known
