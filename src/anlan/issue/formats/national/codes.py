"""Words of the national format: colours, event codes in daily use, provinces. Facts, kept open.

Event codes: the government's classification of the emergency platform (shape: class, kind, letter, two
digits), those most used in warnings. An unknown code is kept and shown, never refused.
Provinces: GB/T 2260, first two digits.
"""

from __future__ import annotations

COLOURS = {"Red": "红", "Orange": "橙", "Yellow": "黄", "Blue": "蓝"}
EVENTS = {
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
PROVINCES = frozenset(
    [
        "11",
        "12",
        "13",
        "14",
        "15",
        "21",
        "22",
        "23",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "37",
        "41",
        "42",
        "43",
        "44",
        "45",
        "46",
        "50",
        "51",
        "52",
        "53",
        "54",
        "61",
        "62",
        "63",
        "64",
        "65",
        "71",
        "81",
        "82",
    ]
)
STATUS = ("Actual", "Test", "Exercise", "Draft")
MSG_TYPE = ("Alert", "Update", "Cancel", "Ack", "Error")
SCOPE = ("Public", "Restricted", "Private")
SEVERITY = (*COLOURS, "Unknown")
METHODS = ("SMS", "LED", "SPEAKER", "TV", "BROADCAST", "WEB", "PHONE", "FAX")
