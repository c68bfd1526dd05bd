"""Terminal parameters (808-2013 table 12, 808-2019 table 13, JT/T 1078 table 2): id, name, length, unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....base.errors import FieldError
from .._layout import Field, Reader, Writer, bytes_of, hex_of, text_of

_TABLE = """
01 heartbeat_interval 4 s|02 tcp_ack_timeout 4 s|03 tcp_retries 4|04 udp_ack_timeout 4 s|05 udp_retries 4|06 sms_ack_timeout 4 s
07 sms_retries 4|10 main_apn t|11 main_user t|12 main_password t|13 main_server t|14 backup_apn t|15 backup_user t
16 backup_password t|17 backup_server t|18 tcp_port 4|19 udp_port 4|1A ic_server t|1B ic_tcp_port 4|1C ic_udp_port 4
1D ic_backup_server t|20 report_strategy 4|21 report_scheme 4|22 report_interval_no_driver 4 s|23 slave_apn t|24 slave_user t
25 slave_password t|26 slave_server t|27 report_interval_sleep 4 s|28 report_interval_emergency 4 s|29 report_interval 4 s
2C report_distance 4 m|2D report_distance_no_driver 4 m|2E report_distance_sleep 4 m|2F report_distance_emergency 4 m
30 turn_angle 4 deg|31 fence_radius 2 m|32 forbidden_hours x|40 platform_phone t|41 reset_phone t|42 factory_reset_phone t
43 sms_phone t|44 sms_alarm_phone t|45 answer_strategy 4|46 longest_call 4 s|47 longest_calls_month 4 s|48 listen_phone t
49 privileged_sms t|50 alarm_mask 4 x|51 alarm_sms 4 x|52 alarm_photo 4 x|53 alarm_photo_kept 4 x|54 key_alarms 4 x
55 top_speed 4 km/h|56 overspeed_time 4 s|57 longest_drive 4 s|58 longest_drive_day 4 s|59 shortest_rest 4 s|5A longest_stop 4 s
5B overspeed_warning_gap 2 (0.1km/h)|5C fatigue_warning_gap 2 s|5D collision 2 x|5E rollover_angle 2 deg|64 photo_timer 4 x
65 photo_distance 4 x|70 image_quality 4|71 brightness 4|72 contrast 4|73 saturation 4|74 chroma 4|80 odometer 4 (0.1km)
81 province 2|82 city 2|83 plate t|84 plate_color 1|90 gnss_mode 1 x|91 gnss_baud 1 x|92 gnss_output 1 x|93 gnss_sampling 4 s
94 gnss_upload 1 x|95 gnss_upload_setting 4|100 can1_sampling 4 ms|101 can1_upload 2 s|102 can2_sampling 4 ms|103 can2_upload 2 s
110 can_id x
"""
PARAMS: dict[int, tuple[str, str, int, str]] = {}  # id -> (name, kind: text/hex/number/word, length, unit)
for _entry in _TABLE.replace("\n", "|").split("|"):
    _words = _entry.split()
    if _words:
        _kind = {"t": "text", "x": "hex"}.get(_words[2], "number")
        _unit = _words[3] if len(_words) > 3 else ""
        if _unit == "x":
            _kind, _unit = "word", ""
        PARAMS[int(_words[0], 16)] = (_words[1], _kind, int(_words[2]) if _kind in ("number", "word") else 0, _unit)
IDS = {name: key for key, (name, *_) in PARAMS.items()}


class Params(Field):
    """So many parameters (a byte says how many): id (4), length (1), value.

    Shown by name with the unit behind the number (``"30 s"``), words of bits as ``"0x0000000a"``; a parameter that is
    not in the tables, or has another length there, as hex under its id (``"0x00000075": "0x…"``).
    """

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        n, found = r.number(1, self.name), {}
        seen = 0
        while seen < n:
            key = r.number(4, self.name)
            data = r.take(r.number(1, self.name), f"parameter {key:#06x}")
            name, shown = _shown(key, data)
            if name in found:
                name, shown = f"{key:#010x}#{seen}", "0x" + data.hex()
            found[name] = shown
            seen += 1
        out[self.name] = found

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        params = given.get(self.name, {})
        if not isinstance(params, Mapping):
            raise FieldError(self.name, params, "应为参数表", "must be a table of parameters")
        w.number(len(params), 1, self.name)
        for name, value in params.items():
            key, data = _bytes(name, value)
            if len(data) > 255:
                raise FieldError(name, value, "最长 255 字节", "must fit in 255 bytes")
            w.number(key, 4, name)
            w.data += bytes((len(data),)) + data


def _shown(key: int, data: bytes) -> tuple[str, Any]:
    name, kind, size, unit = PARAMS.get(key, ("", "hex", 0, ""))
    if kind == "text":
        text = text_of(data)
        if bytes_of(text, name) == data:
            return name, text
    elif kind in ("number", "word") and len(data) == size:
        value = int.from_bytes(data, "big")
        return name, f"0x{data.hex()}" if kind == "word" else f"{value} {unit}" if unit else value
    elif kind == "hex" and name:
        return name, "0x" + data.hex()
    return f"{key:#010x}", "0x" + data.hex()


def _bytes(name: str, value: Any) -> tuple[int, bytes]:
    if name not in IDS:
        try:
            return int(name.split("#")[0], 16), hex_of(str(value).removeprefix("0x"), name)
        except ValueError:
            raise FieldError("params", name, "没有此参数", "no such parameter") from None
    key = IDS[name]
    _, kind, size, unit = PARAMS[key]
    if kind == "text":
        return key, bytes_of(value, name)
    if kind in ("hex", "word"):
        return key, hex_of(str(value).removeprefix("0x"), name)
    try:
        number = value if isinstance(value, int) else int(str(value).removesuffix(unit))
        return key, number.to_bytes(size, "big")
    except (ValueError, OverflowError):
        raise FieldError(name, value, f"应为 {size} 字节的整数（{unit}）", f"must be a whole number of {size} bytes ({unit})") from None


class ParamIds(Field):
    """The ids asked for (0x8106): a byte says how many; shown by name or as ``0x…``."""

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        keys = [r.number(4, self.name) for _ in range(r.number(1, self.name))]
        out[self.name] = [PARAMS[key][0] if key in PARAMS else f"{key:#010x}" for key in keys]

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        wanted = self.need(given)
        w.number(len(wanted), 1, self.name)
        for name in wanted:
            try:
                w.number(IDS[name] if name in IDS else int(name, 16), 4, self.name)
            except (TypeError, ValueError):
                raise FieldError(self.name, name, "没有此参数", "no such parameter") from None
