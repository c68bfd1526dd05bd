"""Geo-hazard universal monitors: JSON on the topic ``$dp``, its binary envelope, and ``$cmd=`` text commands."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote

import orjson

from ....base.errors import FieldError
from ...codec import LONGEST, Broken, Codec, Message, Sample, Stream
from .._split import Bad
from .tables import COMMANDS, ENVELOPES, FIELDS, LEVELS, METHODS

_TIME = re.compile(r"\d{4}-\d{1,2}-\d{1,2}[T ]|\d{13}\Z")
_SENSOR = re.compile(r"([A-Z]\d_[A-Za-z]+)_\d+\Z")
_SPACE = b" \t\r\n"
_PIECE = re.compile(rb'["{}\\]')


class Geohazard(Codec):
    """Universal monitors of slopes and mud-rock flows: cracks, GNSS, tilt, rain, soil water.

    Options of a device: ``fields`` (``"L4_NW_1.value"``: [quantity, unit, factor]) for what the tables do not know.
    """

    name = "geohazard"
    zh = "地质灾害普适型监测设备（$dp JSON）"
    en = "Geo-hazard universal monitors ($dp JSON)"
    text = True

    def stream(self, options: dict[str, Any] | None = None) -> Stream:
        """A new stream; an MQTT payload is fed whole and followed by `flush`."""
        return GeohazardStream(options or {})

    def encode(self, message: dict[str, Any]) -> bytes:
        """``points`` (and states without time) as JSON, in an envelope when ``envelope`` is given; ``command`` and ``params`` as text."""
        if "command" in message:
            name = str(message["command"])
            if name not in COMMANDS:
                raise FieldError("command", name, "未知命令", f"unknown command; known: {', '.join(sorted(COMMANDS))}")
            pairs = "".join(f"&{k}={quote(str(v), safe=',:{}[]-. ')}" for k, v in message.get("params", {}).items())
            return f"$cmd={name}{pairs}".encode()
        tree: dict[str, Any] = {}
        for p in message.get("points", ()):
            sensor = tree.setdefault(str(p["device"]), {}).setdefault(p["sensor"], {})
            if p.get("time") is None:
                sensor[p["field"]] = p["value"]
            elif p["field"] == "value" and not p.get("named"):
                sensor[p["time"]] = p["value"]
            else:
                sensor.setdefault(p["time"], {})[p["field"]] = p["value"]
        if not tree:
            raise FieldError("points", message.get("points"), "缺少测点数据", "no points")
        body = orjson.dumps(tree)
        kind = message.get("envelope")
        if kind is None:
            return body
        if kind not in ENVELOPES or len(body) > 0xFFFF:
            raise FieldError("envelope", kind, "类型应为 1–4，长度不超过 65535", "must be 1 to 4, at most 65535 bytes")
        return bytes((kind,)) + len(body).to_bytes(2, "big") + body


class GeohazardStream(Stream):
    """One connection's unread bytes; JSON is found by its braces, the envelope by its length, a command by its line's end."""

    def __init__(self, options: dict[str, Any]):
        self._held = bytearray()
        self._more: dict[str, list[Any]] = dict(options.get("fields") or {})
        self._restart()

    def _restart(self) -> None:
        self._at, self._depth, self._quoted = 0, 0, False

    def feed(self, data: bytes) -> list[Message | Broken]:
        """Everything that became whole with these bytes."""
        self._held += data
        return self._scan(False)

    def flush(self) -> list[Message | Broken]:
        """A payload or a line is over."""
        return self._scan(True)

    def _scan(self, last: bool) -> list[Message | Broken]:
        out: list[Message | Broken] = []
        held = self._held
        while held:
            size = self._whole(last)
            if size is None:
                if last and held.strip(_SPACE):
                    out.append(Broken("geohazard", "incomplete", f"message ends after {len(held)} bytes · 报文不完整", bytes(held)))
                if last or len(held) > LONGEST * 16:  # a payload of MQTT may have 1 MB
                    if not last:
                        out.append(Broken("geohazard", "garbage", f"{len(held)} bytes without an end · 无结束", bytes(held[:256])))
                    held.clear()
                    self._restart()
                break
            raw = bytes(held[:size])
            del held[:size]
            self._restart()
            if raw.strip(_SPACE):
                out.append(self._one(raw))
        return out

    def _whole(self, last: bool) -> int | None:
        """Bytes of the message that the held bytes begin with; None when it is cut."""
        held = self._held
        kind = held[0]
        if kind in ENVELOPES:
            if len(held) < 3 or len(held) < 3 + (held[1] << 8 | held[2]):
                return None
            return 3 + (held[1] << 8 | held[2])
        if kind == 0x24:  # $
            end = held.find(b"\n")
            return end + 1 if end >= 0 else len(held) if last else None
        start = 1 if kind == 0x10 else 0
        if len(held) > start and held[start] == 0x7B:
            return self._braces(start)
        if kind == 0x10 and len(held) == 1:
            return None if not last else 1
        found = re.search(rb"[{$\x01-\x04\x10]", memoryview(held)[1:])
        return found.start() + 1 if found else len(held)

    def _braces(self, start: int) -> int | None:
        """Where the object that begins at `start` ends; goes on where the last look stopped."""
        held, at = self._held, max(self._at, start)
        for found in _PIECE.finditer(memoryview(held)[at:]):
            place, byte = at + found.start(), held[at + found.start()]
            if place < self._at:
                continue
            if byte == 0x5C:
                if self._quoted:
                    self._at = place + 2
            elif byte == 0x22:
                self._quoted = not self._quoted
            elif not self._quoted:
                self._depth += 1 if byte == 0x7B else -1
                if not self._depth:
                    return place + 1
        self._at = max(self._at, len(held))
        return None

    def _one(self, raw: bytes) -> Message | Broken:
        try:
            return self._message(raw)
        except Bad as error:
            return Broken("geohazard", "bad_field", str(error), raw)
        except orjson.JSONDecodeError as error:
            return Broken("geohazard", "bad_json", f"{error} · JSON 错误", raw)

    def _message(self, raw: bytes) -> Message:
        kind = raw[0]
        if kind == 0x24:
            return _command(raw)
        facts: dict[str, Any] = {"topic": "$dp"}
        body = raw
        if kind in ENVELOPES:
            body = raw[3:]
            facts |= {"envelope": kind, "envelope_kind": ENVELOPES[kind], "length": len(body)}
            if kind > 2:
                return Message("geohazard", ENVELOPES[kind], "", facts | {"hex": body.hex().upper()}, raw=raw)
        elif kind == 0x10:
            body = raw[1:]
            facts["control"] = "10"
        elif kind != 0x7B:
            raise Bad(f"{raw[:16].hex().upper()} begins neither JSON, envelope nor command · 不是报文")
        tree = orjson.loads(body)
        if not isinstance(tree, dict) or not tree:
            raise Bad("JSON is no object of devices · JSON 不是设备对象")
        if set(tree) == {"header", "bodies"}:
            return Message("geohazard", "encrypted", str((tree["header"] or {}).get("appId", "")), facts | {"encrypted": tree}, raw=raw)
        return self._points(tree, facts, raw)

    def _points(self, tree: dict[str, Any], facts: dict[str, Any], raw: bytes) -> Message:
        points: list[dict[str, Any]] = []
        message = Message("geohazard", "data", str(next(iter(tree))), facts | {"points": points}, raw=raw)
        for device, sensors in tree.items():
            if not isinstance(sensors, dict):
                raise Bad(f"{device}: no object of sensors · 设备下无测点")
            for sensor, rows in sensors.items():
                if not isinstance(rows, dict):
                    raise Bad(f"{device}.{sensor}: no times or fields · 测点下无时间")
                timed = any(_TIME.match(str(k)) for k in rows)
                for key, value in rows.items() if timed else [(None, rows)]:
                    self._sensor(message, points, (str(device), str(sensor)), key, value)
        return message

    def _sensor(self, message: Message, points: list[dict[str, Any]], who: tuple[str, str], key: str | None, value: Any) -> None:
        """All fields of one sensor at one time (None: now)."""
        at = time_ms(key) if key is not None else self.received_ms
        named = isinstance(value, dict)
        for name, one in value.items() if named else [("value", value)]:
            point = {"device": who[0], "sensor": who[1], "field": name, "time": key and iso(key), "value": one}
            if named and name == "value":
                point["named"] = True
            found = _SENSOR.match(who[1])
            if found and found[1][3:] in METHODS:
                point["zh"] = METHODS[found[1][3:]]
            points.append(point)
            number = _number(one)
            if number is not None and at:
                message.samples.append(self._sample(who, found[1] if found else "", name, at, number))

    def _sample(self, who: tuple[str, str], method: str, field: str, at: int, value: float) -> Sample:
        key = f"{who[1]}.{field}"
        more = self._more.get(key)
        if more:
            quantity, unit, factor = more
            return Sample(who[0], key, str(quantity), at, value * float(factor), str(unit))
        quantity, unit, factor, offset = FIELDS.get((method, field), ("", "1", 1.0, 0.0))
        return Sample(who[0], key, quantity, at, value * factor + offset, unit)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def _time(key: str) -> datetime:
    try:
        if key.isdigit():
            return datetime.fromtimestamp(int(key) / 1000, UTC)
        time = datetime.fromisoformat(key.replace("Z", "+00:00"))
    except (ValueError, OverflowError, OSError):
        raise Bad(f"time {key!r} is no time · 不是时间") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def time_ms(key: str) -> int:
    """UTC milliseconds of a time level; without a zone it is UTC. Bad when it is no time."""
    return round(_time(key).timestamp() * 1000)


def iso(key: str) -> str:
    """The time level as ISO 8601 with zone."""
    return key if key.endswith("Z") else _time(key).isoformat()


def _command(raw: bytes) -> Message:
    """``$cmd=name&key=value…``"""
    text = raw.decode("utf-8", "replace").strip()
    pairs = dict(parse_qsl(text[1:], keep_blank_values=True))
    name = pairs.pop("cmd", "")
    if not name:
        raise Bad(f"{text[:40]!r} has no cmd= · 不是命令")
    fields: dict[str, Any] = {"command": name, "known": name in COMMANDS, "params": pairs}
    if name == "meteorologicalearlywarning" and pairs.get("level") in LEVELS:
        fields["grade"] = LEVELS[pairs["level"]]
    return Message("geohazard", name, pairs.get("deviceid", ""), fields, raw=raw)
