"""HJ 212-2017, HJ/T 212-2005 and frames of 2025 (unknown commands stay raw): monitoring and control of pollution sources."""

from __future__ import annotations

import re
from typing import Any

from ...codec import Codec, Columns, Message, Stream
from .._split import Bad, SplitStream
from . import encode
from .frame import Frame, Splitter, build
from .readings import parameters, samples, when, words
from .tables import COMMANDS, EXE_RETURNS, QN_RETURNS, SYSTEMS

MOST_SETS, MOST_PARTS = 8, 4096  # unfinished sets of packets, and packets in one set, that a connection may hold
_HEAD = re.compile(rb"\A(.*?)(?:;|\A)CP=(.*)\Z", re.S)
_KEYS = frozenset(("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO"))
_UP = frozenset((2011, 2021, 2031, 2041, 2051, 2061, 2071, 2072, 2081, 3015, 3018, 3019, 3020))


class Hj212(Codec):
    """Pollution and gas monitors after HJ 212.

    Options of a device: ``lenient_crc`` (accept the Modbus CRC that some field software sends), ``units`` (factor code: unit, where a
    device sends another unit than the tables'), ``login`` (false: a 9021 is not answered).
    """

    name = "hj212"
    zh = "污染物在线监控（监测）系统数据传输标准 HJ 212"
    en = "Pollution monitoring data, HJ 212"
    text = True

    def stream(self, options: dict[str, Any] | None = None) -> Stream:
        """A new stream."""
        return Hj212Stream(options or {})

    def encode(self, message: dict[str, Any]) -> bytes:
        """The bytes of a message; fields as `Message.fields` has them (docs/protocols/hj212.md)."""
        return encode.frame(message)


class Hj212Stream(SplitStream[Frame]):
    """One connection: unread bytes and unfinished sets of packets."""

    protocol = "hj212"
    _total = 3

    def __init__(self, options: dict[str, Any]):
        self.lenient = bool(options.get("lenient_crc", False))
        super().__init__(Splitter(self.lenient))
        self.units: dict[str, str] = dict(options.get("units") or {})
        self._login = bool(options.get("login", True))

    def columns(self, data: bytes) -> Columns:
        """See `Stream`; data by the compiled kernel of `fast`."""
        from .fast import columns

        return columns(data, self)

    def _message(self, frame: Frame) -> Message:
        fields = header(frame)
        command = int(fields["CN"])
        zh, en = COMMANDS.get(command, ("未知命令", "unknown command"))
        fields["command_zh"], fields["command_en"] = zh, en
        message = Message("hj212", f"{fields['CN']} {zh}", fields["MN"], fields, raw=frame.raw)
        if "PNUM" in fields and fields["PNUM"] > 1 and not self._whole(message):
            return message
        try:
            message.samples = samples(fields, command, self.units)
        except Bad:
            if command in COMMANDS:
                raise
            fields["raw"] = words(frame.segment)
        _explain(fields)
        message.answer = self._answer(fields, command)
        return message

    def _whole(self, message: Message) -> bool:
        """Put a packet to its set; True when the set is whole (then the fields are those of all packets)."""
        fields = message.fields
        number, total = fields["PNO"], fields["PNUM"]
        key = (fields["MN"], fields["CN"], fields.get("QN", ""), total)
        parts = self._sets.setdefault(key, {})
        parts[number] = {"cp": fields["cp"], "factors": fields["factors"]}
        if len(parts) < total:
            message.part = (number, total)
            while len(self._sets) > MOST_SETS or sum(map(len, self._sets.values())) > MOST_PARTS:
                del self._sets[next(iter(self._sets))]
            return False
        del self._sets[key]
        cp: dict[str, Any] = {}
        factors: dict[str, dict[str, str]] = {}
        for n in sorted(parts):
            cp.update(parts[n]["cp"])
            for code, values in parts[n]["factors"].items():
                factors.setdefault(code, {}).update(values)
        fields["cp"], fields["factors"] = cp, factors
        return True

    def _answer(self, fields: dict[str, Any], command: int) -> bytes:
        """9014 to data, 9013 to a notice, 9022 to a login, when the Flag asks for it (or a login of 2005 has none)."""
        wanted = fields.get("flag", {}).get("need_ack", False)
        carries = bool(fields["cp"] or fields["factors"])
        if command == 9021 and self._login:
            return _reply(fields, "9022", "Logon=1")
        if not wanted or command >= 9000:
            return b""
        if command in (1013, 2072):
            return _reply(fields, "9013", "")
        if command in _UP and carries and _is_data(fields):
            return _reply(fields, "9014", "")
        return b""


def _is_data(fields: dict[str, Any]) -> bool:
    """Whether it is sent up: a request for data has the same CN but only a period in its CP."""
    return (
        bool(fields["factors"])
        or not set(fields["cp"]) <= {"BeginTime", "EndTime", "PolId", "InfoId", "VaseNo"}
        or "VaseNo" in fields["cp"]
    )


def _reply(fields: dict[str, Any], command: str, cp: str) -> bytes:
    version = fields.get("flag", {}).get("version", 1)
    head = f"QN={fields['QN']};" if "QN" in fields else ""
    head += f"ST=91;CN={command};" + (f"PW={fields['PW']};" if "PW" in fields else "")
    return build(f"{head}MN={fields['MN']};Flag={version << 2};CP=&&{cp}&&".encode("gb18030"))


def _explain(fields: dict[str, Any]) -> None:
    """Words for the numbers of answers."""
    for key, table in (("QnRtn", QN_RETURNS), ("ExeRtn", EXE_RETURNS)):
        if key in fields["cp"]:
            fields[f"{key}_zh"] = table.get(str(fields["cp"][key]), "")


def header(frame: Frame) -> dict[str, Any]:
    """The segment as fields. Bad names what is missing or wrong."""
    found = _HEAD.match(frame.segment)
    if found is None:
        raise Bad("CP is missing · 缺少 CP")
    head, cp = found[1].decode("latin-1"), found[2]
    if len(cp) < 4 or not cp.startswith(b"&&") or not cp.endswith(b"&&"):
        raise Bad("CP is not closed by && · CP 未以 && 结束")
    fields: dict[str, Any] = {"length": len(frame.segment), "crc": frame.crc}
    if frame.lenient:
        fields["lenient_crc"] = True
    for item in filter(None, head.split(";")):
        key, equals, value = item.partition("=")
        if not equals:
            raise Bad(f"{item!r} is not KEY=VALUE · 字段格式错")
        key = key.strip()
        (fields if key in _KEYS else fields.setdefault("header", {}))[key] = value.strip()
    for key in ("ST", "MN", "CN"):
        if not fields.get(key):
            raise Bad(f"{key} is missing · 缺少 {key}")
    if not _digits(fields["CN"]):
        raise Bad(f"CN {fields['CN']!r} is no number · CN 不是数字")
    if fields.get("ST") in SYSTEMS:
        fields["system_zh"] = SYSTEMS[fields["ST"]]
    qn = fields.get("QN", "")
    if len(qn) == 17:
        fields["time"] = when(qn, "QN")
    _flag(fields)
    fields["cp"], fields["factors"] = parameters(cp[2:-2], fields["CN"])
    return fields


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _flag(fields: dict[str, Any]) -> None:
    """Bits of Flag (6.3.3): version, packets, answer; and the packet numbers."""
    value = fields.get("Flag")
    if value not in (None, ""):
        if not _digits(str(value)) or int(value) > 255:
            raise Bad(f"Flag {value!r} · Flag 错")
        bits = int(value)
        fields["flag"] = {"version": bits >> 2, "split": bool(bits & 2), "need_ack": bool(bits & 1)}
        fields["edition"] = {0: "2005", 1: "2017", 2: "2025"}.get(bits >> 2, "unknown")
    if "PNUM" in fields or "PNO" in fields:
        for key in ("PNUM", "PNO"):
            if not _digits(str(fields.get(key, ""))):
                raise Bad(f"{key} {fields.get(key)!r} · 包号错")
            fields[key] = int(fields[key])
        if fields["PNUM"] > MOST_PARTS or (fields["PNUM"] and not 1 <= fields["PNO"] <= fields["PNUM"]):
            raise Bad(f"packet {fields['PNO']} of {fields['PNUM']} · 包号错")
