"""Words and codes of the national format: colours, events, divisions. Facts, kept open (sources: ``data/README.md``).

`WORDS` are the short words of the codes in daily use, as they stand in headlines; `events` is the whole classification
(shape: class, kind, letter, two digits). An unknown event code is kept and shown, never refused.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import Literal

COLOURS = {"Red": "红", "Orange": "橙", "Yellow": "黄", "Blue": "蓝"}
WORDS = {
    "11A01": "洪水",
    "11A02": "内涝",
    "11A51": "山洪",
    "11B01": "台风",
    "11B03": "暴雨",
    "11B04": "暴雪",
    "11B05": "寒潮",
    "11B06": "大风",
    "11B07": "沙尘暴",
    "11B09": "高温",
    "11B14": "雷电",
    "11B15": "冰雹",
    "11B16": "霜冻",
    "11B17": "大雾",
    "11B19": "霾",
    "11B20": "雷雨大风",
    "11B21": "道路结冰",
    "11B22": "干旱",
    "11B25": "森林火险",
    "11B29": "重污染",
    "11B37": "地质灾害",
    "11C02": "地震",
    "11D01": "滑坡",
    "11D02": "泥石流",
    "12D02": "危化品泄漏",
    "12P12": "城市生命线",
    "12S00": "踩踏",
}
STATUS = ("Actual", "Test", "Exercise", "Draft")
MSG_TYPE = ("Alert", "Update", "Cancel", "Ack", "Error")
SCOPE = ("Public", "Restricted", "Private")
SEVERITY = (*COLOURS, "Unknown")
METHODS = ("SMS", "LED", "SPEAKER", "TV", "BROADCAST", "WEB", "PHONE", "FAX")


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(f"data/{name}").read_text("utf-8")


@cache
def events() -> dict[str, str]:
    """Event code to name, all that are known."""
    return {row["code"]: row["name"] for row in csv.DictReader(_read("events.csv").splitlines())}


@cache
def _divisions() -> dict[str, str]:
    """County (six digits) to its towns and streets as runs (``001-004 100``)."""
    return dict(line.split(":") for line in _read("divisions.txt").splitlines())


def _among(number: int, runs: str) -> bool:
    for run in runs.split():
        first, _, last = run.partition("-")
        if int(first) <= number <= int(last or first):
            return True
    return False


@cache
def _prefectures() -> frozenset[str]:
    return frozenset(code[:4] for code in _divisions())


def division(code: str) -> Literal["known", "unknown", "newer", "shape"]:
    """What is known of a code of 6, 9 or 12 digits: ``newer`` means that its prefecture is, but not the county or street.

    Counties and streets come and go with the years, and our table is of one; communities (digits 10 to 12) are not in it.
    """
    if not code.isdigit() or len(code) not in (6, 9, 12):
        return "shape"
    parts = _divisions().get(code[:6])
    if parts is None:
        return "newer" if code[:4] in _prefectures() else "unknown"
    if code[6:].strip("0") == "":
        return "known"
    return "known" if _among(int(code[6:9]), parts) else "newer"
