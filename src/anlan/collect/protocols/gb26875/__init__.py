"""GB/T 26875.3-2011: user information transmission devices of fire alarm systems. Covered: docs/protocols/gb26875.md."""

from __future__ import annotations

from typing import Any

from ....base.errors import FieldError
from ...codec import Codec
from .._layout import Writer, hex_of
from .names import COMMANDS
from .profile import profile
from .stream import LONGEST_UNIT, GbStream, Head, frame_of
from .units import NUMBERS, time_bytes, write_unit

_COMMANDS = {name: number for number, name in COMMANDS.items()}


class Gb26875(Codec):
    """Fire-alarm transmission devices and the monitoring centre, both directions."""

    name = "gb26875"
    zh = "消防用户信息传输装置 GB/T 26875.3"
    en = "Fire-alarm transmission devices, GB/T 26875.3"

    def stream(self, options: dict[str, Any] | None = None) -> GbStream:
        """A new stream; option ``profile``: the name of a vendor profile. FieldError for one that there is not."""
        return GbStream(options)

    def encode(self, message: dict[str, Any]) -> bytes:
        """The frame of a message.

        `name` is that of a type (``"part_state"``) or of a command without a unit (``"confirm"``); `type` and `command` (numbers) stand
        above it; `serial`, `version`, `time` (ISO 8601), `source`, `target` (12 hex digits), `objects` (or `count` and `data` as hex for
        a type that is in no table), `profile`. FieldError names what is missing or out of range.
        """
        name = str(message.get("name", ""))
        kind = message.get("type", NUMBERS.get(name, _user(name)))
        command = message.get("command")
        if command is None:
            command = _COMMANDS.get(name, 2 if kind is None or kind not in range(61, 92) else 4 if kind < 89 else 1)
        if kind is None and name not in _COMMANDS and "command" not in message:
            raise FieldError("name", name, f"没有此消息；可用：{'、'.join(NUMBERS)}", f"no such message; known: {', '.join(NUMBERS)}")
        unit = b""
        if kind is not None:
            w = Writer("little")
            write_unit(w, {**message, "type": kind})
            unit = bytes(w.data)
        if len(unit) > LONGEST_UNIT:
            raise FieldError("objects", len(unit), "应用数据单元最长 1024 字节", "the unit has at most 1024 bytes")
        return frame_of(_head(message, command), unit)


def _user(name: str) -> int | None:
    digits = name.removeprefix("type_")
    return int(digits) if digits != name and digits.isdecimal() else None


def _head(message: dict[str, Any], command: int) -> Head:
    serial = message.get("serial", 0)
    main, _, user = str(message.get("version", "1.1")).partition(".")
    w = Writer("little")
    for value, size, what in ((serial, 2, "serial"), (int(main), 1, "version"), (int(user or 0), 1, "version"), (command, 1, "command")):
        w.number(value, size, what)
    order = profile(message.get("profile", "standard")).serial_order
    raw = message.get("time_raw")
    time = hex_of(raw.removeprefix("0x"), "time") if raw else time_bytes(message.get("time"), "time")
    return Head(
        serial.to_bytes(2, order), int(main), int(user or 0), time, _address(message, "source"), _address(message, "target"), 0, command
    )


def _address(message: dict[str, Any], what: str) -> bytes:
    data = hex_of(str(message.get(what, "0")).rjust(12, "0"), what)
    if len(data) != 6:
        raise FieldError(what, message[what], "应为 6 字节（12 位十六进制）", "must be 6 bytes (12 hex digits)")
    return data[::-1]
