"""The frame of JT/T 808: flags, escapes, check byte, header (808-2013 §4.4, 808-2019 §4.4)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import xor

from ....base.errors import FieldError
from .._layout import LayoutError, hex_of

FLAG = 0x7E
LONGEST_BODY = 1023  # ten bits
_MOST_HEADER = 21  # 2019 with packet fields
LONGEST_FRAME = 2 * (_MOST_HEADER + LONGEST_BODY + 1) + 2  # every byte escaped


@dataclass(slots=True)
class Frame:
    """One frame: message id, body, and what its header says. `version` is None in frames before 2019."""

    id: int
    phone: str
    serial: int
    body: bytes
    encryption: int = 0
    version: int | None = None
    total: int = 0
    number: int = 0

    @property
    def edition(self) -> int:
        """2019 when the header says so, else 2013 (2011 has the same header)."""
        return 2013 if self.version is None else 2019


def unescape(data: bytes) -> bytes:
    """`data` (between the flags) without escapes; LayoutError `bad_escape` for a 7D that is none."""
    if 0x7D not in data:
        return data
    parts = data.split(b"\x7d")
    out = [parts[0]]
    for part in parts[1:]:
        if part[:1] == b"\x01":
            out.append(b"\x7d" + part[1:])
        elif part[:1] == b"\x02":
            out.append(b"\x7e" + part[1:])
        else:
            raise LayoutError("bad_escape", f"7D is followed by {part[:1].hex() or 'nothing'}")
    return b"".join(out)


def parse(data: bytes) -> Frame:
    """The frame whose bytes stand between two flags; LayoutError `bad_escape`, `bad_length`, `bad_checksum`."""
    plain = unescape(data)
    if len(plain) < 13:
        raise LayoutError("bad_length", f"{len(plain)} bytes; a frame has at least 13")
    found = reduce(xor, plain)
    props = plain[2] << 8 | plain[3]
    version, at, width = (plain[4], 5, 10) if props & 0x4000 else (None, 4, 6)
    start = at + width + 2 + (4 if props & 0x2000 else 0)
    body, wanted = plain[start:-1], props & 0x3FF
    if len(plain) < start + 1 or len(body) != wanted:
        raise LayoutError("bad_length", f"the header says {wanted} bytes of body, {max(len(plain) - 1 - start, 0)} are there")
    if found:
        raise LayoutError("bad_checksum", f"check byte {plain[-1]:02X}, computed {found ^ plain[-1]:02X}")
    total = number = 0
    if props & 0x2000:
        total, number = int.from_bytes(plain[start - 4 : start - 2], "big"), int.from_bytes(plain[start - 2 : start], "big")
        if not 1 <= number <= total:
            raise LayoutError("bad_field", f"packet {number} of {total}")
    serial = int.from_bytes(plain[at + width : at + width + 2], "big")
    phone = plain[at : at + width].hex()
    return Frame(plain[0] << 8 | plain[1], phone, serial, body, props >> 10 & 7, version, total, number)


def build(frame: Frame) -> bytes:
    """The bytes of one frame, flags included; FieldError when a field does not fit."""
    width = 6 if frame.version is None else 10
    phone = hex_of(frame.phone.rjust(2 * width, "0"), "phone")
    if len(phone) != width:
        raise FieldError("phone", frame.phone, f"最多 {2 * width} 位数字", f"must have at most {2 * width} digits")
    if len(frame.body) > LONGEST_BODY:
        raise FieldError("body", len(frame.body), "正文最长 1023 字节", "a body has at most 1023 bytes")
    props = len(frame.body) | (frame.encryption & 7) << 10 | bool(frame.total) << 13 | (frame.version is not None) << 14
    head = frame.id.to_bytes(2, "big") + props.to_bytes(2, "big") + (b"" if frame.version is None else bytes((frame.version,))) + phone
    head += (frame.serial & 0xFFFF).to_bytes(2, "big")
    if frame.total:
        head += frame.total.to_bytes(2, "big") + frame.number.to_bytes(2, "big")
    plain = head + frame.body
    plain += bytes((reduce(xor, plain),))
    return b"\x7e" + plain.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + b"\x7e"
