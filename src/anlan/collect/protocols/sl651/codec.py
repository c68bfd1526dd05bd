"""SL 651-2014: streams of hydrological stations to messages, and the acknowledgements that their modes demand."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Any

from ...codec import LONGEST, Codec, Columns, Message, Stream
from .._split import Bad, SplitStream
from . import binary, encode, text
from .frame import EOT, ESC, ETX, NAK, NAMES, Frame, Splitter, build, station_text
from .tables import FUNCTIONS
from .values import BEIJING, SUSPECT, Body

MOST_SETS, MOST_BYTES = 8, 2 << 20  # unfinished sets of packets, and bytes in them, that one connection may hold


class Sl651(Codec):
    """Hydrological stations after SL 651-2014.

    Options of a device: ``stay_online`` (true: acknowledgements end with ESC, so that the station stays on line ten minutes; false: EOT),
    ``mode`` (``M1``: no acknowledgements), ``clock_ahead_s`` and ``clock_behind_s`` (how far the station's clock may be off before its
    readings are marked suspect; 0: not judged).
    """

    name = "sl651"
    zh = "水文监测数据通信规约 SL 651-2014"
    en = "Hydrological monitoring data, SL 651-2014"

    def stream(self, options: dict[str, Any] | None = None) -> Stream:
        """A new stream."""
        return Sl651Stream(options or {})

    def encode(self, message: dict[str, Any]) -> bytes:
        """The bytes of a report or a command; fields as `Message.fields` has them (docs/protocols/sl651.md)."""
        return encode.frame(message)


class Sl651Stream(SplitStream[Frame]):
    """One connection: unread bytes and unfinished sets of packets."""

    protocol = "sl651"
    _total = 2

    def __init__(self, options: dict[str, Any]):
        super().__init__(Splitter(LONGEST))
        self._stay = bool(options.get("stay_online", False))
        self._acknowledges = options.get("mode", "M2") != "M1"
        self.ahead = float(options.get("clock_ahead_s", 600))
        self.behind = float(options.get("clock_behind_s", 3600))

    def columns(self, data: bytes) -> Columns:
        """See `Stream`; reports by the compiled kernel of `fast`."""
        from .fast import columns

        return columns(data, self)

    def _message(self, frame: Frame) -> Message:
        fields = header(frame)
        station = station_text(frame.address)
        zh = FUNCTIONS.get(frame.function, ("扩展功能", ""))[0]
        message = Message("sl651", f"{frame.function:02X} {zh}", station, fields, raw=frame.raw)
        data: bytes | None = frame.body
        if frame.multi:
            data = self._gather(frame, message)
        if data is not None and not (frame.down and frame.multi and not data):
            body = Body(fields, station=station)
            (text.read if frame.text else binary.read)(body, frame, data)
            self._doubt(body)
            message.samples = body.samples
        if not frame.down and self._acknowledges:
            message.answer = self._answer(frame, message)
        return message

    def _gather(self, frame: Frame, message: Message) -> bytes | None:
        """The whole body when this packet completes its set, else None; a command's packet is whole by itself."""
        message.fields["packet"] = {"number": frame.number, "total": frame.total}
        if frame.down or frame.total == 1:
            return frame.body
        message.fields["body_bytes"] = len(frame.body)
        key = (station_text(frame.address), frame.function, frame.total)
        packets = self._sets.setdefault(key, {})
        packets[frame.number] = frame.body
        if len(packets) < frame.total:
            message.part = (frame.number, frame.total)
            message.fields["missing"] = frame.total - len(packets)
            if frame.number == 1 and not frame.text:
                with contextlib.suppress(Bad):
                    binary.opening(Body(message.fields), frame, frame.body)
            self._shed()
            return None
        del self._sets[key]
        return b"".join(packets[n] for n in range(1, frame.total + 1))

    def _shed(self) -> None:
        """Oldest sets are given up when there are too many of them, or too much in them."""
        while len(self._sets) > MOST_SETS or sum(len(p) for s in self._sets.values() for p in s.values()) > MOST_BYTES:
            del self._sets[next(iter(self._sets))]

    def _doubt(self, body: Body) -> None:
        """Say how far the station's clock is off, and mark its readings when that is too far."""
        if not self.received_ms or body.sent is None:
            return
        off = body.sent.timestamp() - self.received_ms / 1000
        if (self.ahead and off > self.ahead) or (self.behind and off < -self.behind):
            body.fields["clock_suspect"] = True
            body.fields["clock_offset_s"] = round(off)
            for sample in body.samples:
                sample.quality = max(sample.quality, SUSPECT)

    def _answer(self, frame: Frame, message: Message) -> bytes:
        """The acknowledgement of modes M2 and M3 (6.3.1.2): none for 2F, for answers to queries, or in the middle of a set."""
        if not 0x30 <= frame.function <= 0x36 and not (frame.multi and frame.total > 1):
            return b""
        if not frame.multi:
            return self._acknowledge(frame, message, -1, ESC if self._stay else EOT)
        if message.part is None:
            return self._acknowledge(frame, message, frame.total << 12 | frame.total, ESC if self._stay else EOT)
        if frame.end != ETX:
            return b""
        packets = self._sets.get((message.device, frame.function, frame.total), {})
        first = next((n for n in range(1, frame.total + 1) if n not in packets), 0)
        return self._acknowledge(frame, message, frame.total << 12 | first, NAK) if first else b""

    def _acknowledge(self, frame: Frame, message: Message, packet: int, end: int) -> bytes:
        """Serial of the report and the centre's time: when the bytes came, else the station's own time given back."""
        if self.received_ms:
            time = datetime.fromtimestamp(self.received_ms / 1000, BEIJING)
            digits = time.strftime("%y%m%d%H%M%S")
        else:
            digits = "".join(c for c in str(message.fields.get("send_time", "2000-01-01T00:00:00"))[2:19] if c.isdigit())
        serial = int(message.fields.get("serial", 0))
        body = b"%04X" % serial + digits.encode() if frame.text else serial.to_bytes(2, "big") + bytes.fromhex(digits)
        password = bytes.fromhex(frame.password)
        return build(frame.text, True, frame.center, frame.address, password, frame.function, body, end, packet)


def header(frame: Frame) -> dict[str, Any]:
    """The header as fields."""
    zh, en = FUNCTIONS.get(frame.function, ("扩展功能", "extended function"))
    return {
        "framing": "ASCII" if frame.text else "HEX",
        "direction": "down" if frame.down else "up",
        "center": frame.center,
        "station": station_text(frame.address),
        "password": frame.password,
        "function": f"{frame.function:02X}",
        "function_zh": zh,
        "function_en": en,
        "length": len(frame.body) + ((6 if frame.text else 3) if frame.multi else 0),
        "start": "SYN" if frame.multi else "STX",
        "end": NAMES[frame.end],
        "crc": f"{frame.crc:04X}",
    }
