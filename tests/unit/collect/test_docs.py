"""The device pages say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from anlan.collect.faults import codes

DOCS = Path(__file__).resolve().parents[3] / "docs"
COUNTS = {"1.5": 3, "2.2": 2, "2.3": 7, "3.1": 42, "3.2": 7, "3.3": 18, "3.6": 1, "3.8": 11, "3.9": 2, "3.10": 9, "3.12": 1, "3.14": 4}
COUNTS |= {"4.1": 2, "4.3": 5, "4.4": 1, "4.5": 2, "4.6": 6, "4.7": 8, "4.8": 2, "6.0": 4, "7.0": 2, "7.1": 2}


def test_every_code_is_listed():
    text = (DOCS / "mqtt.md").read_text()
    assert [c for c in codes() if f"| `{c}` |" not in text] == []


def test_every_numbered_statement_is_answered_once():
    """The number of statements per chapter is that of the standard's Appendix B."""
    rows = re.findall(r"^\| MQTT-([\d.-]+) \| (.+?) \| (.+?) \|$", (DOCS / "mqtt.md").read_text(), re.M)
    numbers = [number.replace("3-8.3-4", "3.8.3-4") for number, _, _ in rows]
    assert len(set(numbers)) == len(numbers)
    found: dict[str, int] = {}
    for number in numbers:
        chapter = ".".join(number.split(".")[:2])
        found[chapter] = found.get(chapter, 0) + 1
    assert found == COUNTS


def test_every_file_named_exists():
    here = Path(__file__).parent
    for name in set(re.findall(r"`(test_\w+\.py)`", (DOCS / "mqtt.md").read_text())):
        assert (here / name).exists(), name
