"""One connection's worth of JT/T 808: cutting frames, joining sub-packages, reading bodies, proposing answers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from ...codec import LONGEST, Broken, Columns, Message, Stream
from .._layout import LayoutError, Reader, Writer, read, write
from . import names as n
from .messages import MESSAGES, NUMBERS, UNANSWERED
from .samples import of_message
from .wire import LONGEST_FRAME, Frame, build, parse

PROTOCOL = "jt808"
MOST_SETS = 8  # unfinished sets of sub-packages a connection may keep
MOST_BYTES = 1024 * 1024  # bytes all of them together
LISTED = 60  # packet numbers named in a message or asked for again at once


@dataclass(slots=True)
class Parts:
    """A set of sub-packages on its way: raw frames by number."""

    total: int
    first: int
    got: dict[int, bytes] = field(default_factory=dict)
    size: int = 0

    def missing(self, most: int = LISTED) -> list[int]:
        """The numbers not there yet, at most `most`."""
        out: list[int] = []
        number = 1
        while number <= self.total and len(out) < most:
            if number not in self.got:
                out.append(number)
            number += 1
        return out


class Jt808Stream(Stream):
    """A terminal's (or a platform's) bytes. Options: ``lenient_items``, ``every_alarm``, ``auth_code`` (for the proposed answer)."""

    def __init__(self, options: dict[str, Any] | None = None):
        self.options = options or {}
        self._held = bytearray()
        self._begun = False  # a flag was seen
        self._sets: dict[tuple[str, int, int], Parts] = {}
        self._serial = -1

    def feed(self, data: bytes) -> list[Message | Broken]:
        """See `Stream`."""
        self._held += data
        if b"\x7e" not in data:
            return self._too_long()
        *whole, rest = bytes(self._held).split(b"\x7e")
        self._held = bytearray(rest)
        out: list[Message | Broken] = []
        for piece in whole:
            if not self._begun:
                self._begun = True
                if piece:
                    out.append(Broken(PROTOCOL, "garbage", f"{len(piece)} bytes before the first flag", piece))
            elif piece:
                out += self._one(piece)
        return out + self._too_long()

    def flush(self) -> list[Message | Broken]:
        """See `Stream`."""
        held, self._held = bytes(self._held), bytearray()
        out: list[Message | Broken] = []
        if held:
            out.append(Broken(PROTOCOL, "truncated" if self._begun else "garbage", f"{len(held)} bytes without an end flag", held))
        self._begun = False
        return out

    @property
    def holds(self) -> bool:
        """Whether bytes wait for the end of their frame."""
        return bool(self._held)

    def columns(self, data: bytes) -> Columns:
        """See `Stream`; positions by the compiled kernel of `fast`."""
        from .fast import columns

        return columns(data, self)

    def _too_long(self) -> list[Message | Broken]:
        if len(self._held) <= (LONGEST_FRAME if self._begun else LONGEST):
            return []
        held, self._held, self._begun = bytes(self._held), bytearray(), False
        return [Broken(PROTOCOL, "garbage", f"{len(held)} bytes without an end flag", held)]

    def _one(self, piece: bytes) -> list[Message | Broken]:
        raw = b"\x7e" + piece + b"\x7e"
        try:
            frame = parse(piece)
            if frame.total:
                return self._part(frame, raw)
            return [self._message(frame, raw)]
        except LayoutError as error:
            return [Broken(PROTOCOL, error.code, error.detail, raw)]

    # Sub-packages -------------------------------------------------------------------------------

    def _part(self, frame: Frame, raw: bytes) -> list[Message | Broken]:
        key = (frame.phone, frame.id, frame.serial - frame.number + 1 & 0xFFFF)
        parts = self._sets.pop(key, None)
        if parts is None or parts.total != frame.total:
            parts = Parts(frame.total, key[2])
        parts.size += len(raw) - len(parts.got.get(frame.number, b""))
        parts.got[frame.number] = raw
        if len(parts.got) == parts.total:
            return [self._joined(frame, parts, raw)]
        self._sets[key] = parts  # the newest is last
        answer = self._answered(frame, 0) if frame.id < 0x8000 else b""
        missing = parts.missing() if frame.number == parts.total else []
        if missing and frame.id < 0x8000:
            answer = self.down("resend_request", frame, {"first_serial": parts.first, "missing": missing})
        fields = header(frame) | {"packets_there": len(parts.got), "missing": parts.missing(10), "body": frame.body.hex()}
        said = Message(PROTOCOL, name_of(frame.id), frame.phone, fields, [], answer, raw, (frame.number, frame.total))
        return [said, *self._dropped()]

    def _joined(self, frame: Frame, parts: Parts, raw: bytes) -> Message:
        frames = [parse(parts.got[number][1:-1]) for number in range(1, parts.total + 1)]
        whole = Frame(frame.id, frame.phone, frame.serial, b"".join(f.body for f in frames), frame.encryption, frame.version)
        message = self._message(whole, b"".join(parts.got[number] for number in sorted(parts.got)))
        message.fields["packets"] = parts.total
        message.fields["first_serial"] = parts.first
        return message

    def _dropped(self) -> list[Broken]:
        out = []
        most = int(self.options.get("most_bytes", MOST_BYTES))
        while len(self._sets) > 1 and (len(self._sets) > MOST_SETS or sum(p.size for p in self._sets.values()) > most):
            out.append(self._drop(next(iter(self._sets))))
        if sum(p.size for p in self._sets.values()) > most:
            out.append(self._drop(next(iter(self._sets))))
        return out

    def _drop(self, key: tuple[str, int, int]) -> Broken:
        parts = self._sets.pop(key)
        detail = f"{len(parts.got)} of {parts.total} packets of {key[1]:#06x} given up: too many unfinished sets"
        return Broken(PROTOCOL, "parts_dropped", detail, b"".join(parts.got[i] for i in sorted(parts.got)))

    # Bodies and answers -------------------------------------------------------------------------

    def _message(self, frame: Frame, raw: bytes) -> Message:
        fields = header(frame)
        name, layout = MESSAGES.get(frame.id, ("", None))
        if layout is None or frame.encryption:
            fields["body"] = frame.body.hex()
        else:
            read(layout, Reader(frame.body, "big", frame.edition, self.options), fields)
            if frame.id == 0x0100 and frame.version is None and len(frame.body) < 37:
                fields["edition"] = 2011  # the only message that tells it
        samples = of_message(frame.phone, fields, n.ALARMS if self.options.get("every_alarm") else None)
        return Message(PROTOCOL, name or name_of(frame.id), frame.phone, fields, samples, self._answer(frame, fields), raw)

    def _answer(self, frame: Frame, fields: dict[str, Any]) -> bytes:
        if frame.id == 0x0004 and self.received_ms:
            at = dt.datetime.fromtimestamp(self.received_ms // 1000, dt.UTC).isoformat()
            return self.down("time", frame, {"time": at})
        if frame.id >= 0x8000 or frame.id in UNANSWERED:
            return b""
        if frame.id == 0x0100:
            code = str(self.options.get("auth_code", frame.phone))
            return self.down("register_answer", frame, {"ack_serial": frame.serial, "result": 0, "auth_code": code})
        if frame.id == 0x0801 and "media_id" in fields:
            return self.down("media_answer", frame, {"media_id": fields["media_id"]})
        return self._answered(frame, 0 if frame.id in MESSAGES else 3)

    def _answered(self, frame: Frame, result: int) -> bytes:
        return self.down("answer", frame, {"ack_serial": frame.serial, "ack_message": f"0x{frame.id:04x}", "result": result})

    def down(self, name: str, to: Frame, fields: dict[str, Any]) -> bytes:
        """A message to the terminal of `to`, in its edition, with this stream's next serial."""
        self._serial = self._serial + 1 & 0xFFFF
        w = Writer("big", to.edition)
        write(MESSAGES[NUMBERS[name]][1], w, fields)
        return build(Frame(NUMBERS[name], to.phone, self._serial, bytes(w.data), version=to.version))


def header(frame: Frame) -> dict[str, Any]:
    """What the header says."""
    fields: dict[str, Any] = {
        "message_id": f"0x{frame.id:04x}",
        "edition": frame.edition,
        "body_length": len(frame.body),
        "encryption": frame.encryption,
        "phone": frame.phone,
        "serial": frame.serial,
    }
    if frame.version is not None:
        fields["protocol_version"] = frame.version
    if frame.total:
        fields["packet"] = {"number": frame.number, "total": frame.total}
    return fields


def name_of(number: int) -> str:
    """The name of a message id; ``0x…`` of one that is in no table."""
    return MESSAGES[number][0] if number in MESSAGES else f"0x{number:04x}"
