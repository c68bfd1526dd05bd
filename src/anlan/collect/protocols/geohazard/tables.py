"""What universal geo-hazard monitors send: sensors by class and method, units as sent, commands, warning levels.

Sources: the data commune page of the national monitoring platform and payloads of live devices; meanings that were
only seen, not read in a standard, are marked in docs/protocols/geohazard.md.
"""

from __future__ import annotations

# (class_method, field): quantity, SI unit, factor, offset; field "value" also stands for a bare number
_MM, _DEG, _MG = 1e-3, 0.017453292519943295, 9.80665e-3
FIELDS: dict[tuple[str, str], tuple[str, str, float, float]] = {
    ("L1_LF", "value"): ("crack_width", "m", _MM, 0),
    **{("L1_GP", f"gpsTotal{a}"): ("displacement", "m", _MM, 0) for a in "XYZ"},
    **{("L1_SW", f"disps{a}"): ("displacement", "m", _MM, 0) for a in "XYZ"},
    **{("L1_JS", f"g{a}"): ("acceleration", "m/s2", _MG, 0) for a in "XYZ"},
    **{("L1_QJ", a): ("tilt", "rad", _DEG, 0) for a in ("X", "Y", "Z", "angle")},
    ("L1_QJ", "AZI"): ("heading", "rad", _DEG, 0),
    ("L1_QJ", "trend"): ("heading", "rad", _DEG, 0),
    ("L2_YL", "value"): ("force", "N", 1e3, 0),
    ("L3_YL", "value"): ("rainfall", "m", _MM, 0),
    ("L3_YL", "totalValue"): ("rainfall_total", "m", _MM, 0),
    ("L3_HS", "value"): ("soil_moisture", "1", 0.01, 0),
    ("L3_TW", "value"): ("temperature", "K", 1, 273.15),
    ("L3_QW", "value"): ("temperature", "K", 1, 273.15),
    ("L3_SY", "value"): ("pore_pressure", "Pa", 1e3, 0),
    ("S1_ZT", "ext_power_volt"): ("voltage", "V", 1, 0),
    ("S1_ZT", "solar_volt"): ("voltage", "V", 1, 0),
    ("S1_ZT", "battery_dump_energy"): ("battery_charge", "1", 0.01, 0),
    ("S1_ZT", "temp"): ("temperature", "K", 1, 273.15),
    ("S1_ZT", "humidity"): ("relative_humidity", "1", 0.01, 0),
    ("S1_ZT", "signal_4g"): ("signal_strength", "1", 1, 0),
}
METHODS = {
    "LF": "裂缝", "GP": "GNSS", "SW": "深部位移", "JS": "加速度", "QJ": "倾角", "ZD": "振动", "YL": "应力/雨量", "HS": "含水率",
    "TW": "土温", "SY": "孔隙水压力", "QW": "气温", "NW": "泥位", "ZT": "设备状态",
}  # fmt: skip
COMMANDS = frozenset(
    (
        "reqtime",
        "settime",
        "getstatus",
        "reboot",
        "getsensorID",
        "sample",
        "setsensortime",
        "setsensorattr",
        "setworkmode",
        "meteorologicalearlywarning",
        "upgrade",
        "alarm",
        "broadcast",
    )
)
LEVELS = {"0": "red", "1": "orange", "2": "yellow", "3": "blue", "4": "none"}  # meteorologicalearlywarning
ENVELOPES = {1: "plain", 2: "with times", 3: "file", 4: "firmware"}
