"""One connection's worth of GB/T 26875.3: cutting by length, finding ``@@`` again, confirmations and denials."""

from __future__ import annotations

import datetime as dt
import struct
from dataclasses import dataclass
from typing import Any

from ...codec import Broken, Columns, Message, Stream
from .._layout import LayoutError, Reader
from . import names as n
from .profile import Profile, profile
from .samples import of_unit
from .units import read_unit, time_bytes, time_of

PROTOCOL = "gb26875"
START, END = b"@@", b"##"
HEAD = struct.Struct("<2s2sBB6s6s6sHB")  # start, serial, version, time, source, target, length, command
SHORTEST = 30
LONGEST_UNIT = 1024


@dataclass(slots=True)
class Head:
    """The control unit of a frame (clause 7.3)."""

    serial: bytes
    main: int
    user: int
    time: bytes
    source: bytes
    target: bytes
    length: int
    command: int


def head_of(data: bytes) -> Head:
    """The control unit at the begin of `data` (27 bytes at least)."""
    return Head(*HEAD.unpack_from(data)[1:])


def frame_of(head: Head, unit: bytes = b"") -> bytes:
    """The bytes of a frame."""
    data = HEAD.pack(START, head.serial, head.main, head.user, head.time, head.source, head.target, len(unit), head.command) + unit
    return data + bytes((sum(data[2:]) & 0xFF,)) + END


def reply(head: Head, command: int, now_ms: int = 0) -> bytes:
    """Confirmation (3) or denial (6) of a frame: its serial, the addresses swapped, an empty unit, time `now_ms` (0: the frame's own)."""
    time = head.time
    if now_ms:
        time = time_bytes(dt.datetime.fromtimestamp(now_ms // 1000, dt.UTC).isoformat(), "time")
    return frame_of(Head(head.serial, head.main, head.user, time, head.target, head.source, 0, command))


class GbStream(Stream):
    """A fire-alarm transmission device's bytes. Option ``profile``: the name of a vendor profile."""

    def __init__(self, options: dict[str, Any] | None = None):
        self.profile: Profile = profile((options or {}).get("profile", "standard"))
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Message | Broken]:
        """See `Stream`."""
        self._held += data
        return self._cut(False)

    def flush(self) -> list[Message | Broken]:
        """See `Stream`."""
        return self._cut(True)

    @property
    def holds(self) -> bool:
        """Whether bytes wait for the rest of their frame."""
        return bool(self._held)

    def columns(self, data: bytes) -> Columns:
        """See `Stream`; part states by the compiled kernel of `fast`."""
        from .fast import columns

        return columns(data, self)

    def _cut(self, over: bool) -> list[Message | Broken]:
        out: list[Message | Broken] = []
        held = bytes(self._held)
        at = junk = 0  # junk: where bytes began that belong to no frame
        why = ("garbage", "no start mark")
        while True:
            start = held.find(START, at)
            if start < 0:
                at = len(held) if over or held[-1:] != b"@" else len(held) - 1
                break
            size = self._size(held, start)
            if size is None:  # not all there yet
                if not over:
                    at = start
                    break
                why, at = ("truncated", "the frame is not complete"), start + 1
            elif isinstance(size, str):
                why, at = ("bad_length", size), start + 1
            else:
                if start > junk:
                    out.append(Broken(PROTOCOL, *why, held[junk:start]))
                out.append(self._one(held[start : start + size]))
                at = junk = start + size
                why = ("garbage", "no start mark")
        if at > junk:
            out.append(Broken(PROTOCOL, *why, held[junk:at]))
        self._held = bytearray(held[at:])
        return out

    def _size(self, held: bytes, start: int) -> int | str | None:
        """Length of the frame that begins here; None when more bytes are needed; words when it is none."""
        if len(held) - start < HEAD.size:
            return None
        length = held[start + 24] | held[start + 25] << 8
        if length > LONGEST_UNIT:
            return f"unit of {length} bytes; 1024 at most"
        if len(held) - start < SHORTEST + length:
            return None
        end = held[start + 28 + length : start + 30 + length]
        return SHORTEST + length if end == END else f"no ## behind a unit of {length} bytes"

    def _one(self, raw: bytes) -> Message | Broken:
        head = head_of(raw)
        computed = sum(raw[2:-3]) & 0xFF
        if computed != raw[-3]:
            answer = reply(head, 6, self.received_ms) if head.command == 2 else b""
            return Broken(PROTOCOL, "bad_checksum", f"sum {raw[-3]:02X}, computed {computed:02X}", raw, answer)
        fields = self._header(head)
        answer = reply(head, 3, self.received_ms) if head.command == 2 else b""
        try:
            if head.length:
                read_unit(Reader(raw[27:-3], "little", 0, {"analogs": self.profile.analogs}), fields, self.profile.short_units)
        except LayoutError as error:
            return Broken(PROTOCOL, error.code, error.detail, raw, answer)  # well carried, badly filled: sending it again helps nobody
        name = n.TYPES.get(fields["type"], f"type_{fields['type']}") if "type" in fields else n.COMMANDS.get(head.command, "command")
        station = str(fields["source"])
        return Message(PROTOCOL, name, station, fields, of_unit(station, fields, self.profile), answer, raw)

    def _header(self, head: Head) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "serial": int.from_bytes(head.serial, self.profile.serial_order),
            "version": f"{head.main}.{head.user}",
            "time": time_of(head.time),
            "source": head.source[::-1].hex(),
            "target": head.target[::-1].hex(),
            "length": head.length,
            "command": head.command,
            "command_text": n.COMMANDS.get(head.command, "reserved" if head.command < 128 else "user"),
        }
        if fields["time"] is None and any(head.time):
            fields["time_raw"] = "0x" + head.time.hex()
        return fields
