"""The frame of HJ 212: ``##``, four digits of length, the data segment, four hex digits of its own CRC, CR LF (6.3, annex A)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ....base.errors import FieldError
from .._crc import TABLE
from .._split import Garbage
from .._split import Splitter as Base

LONGEST_SEGMENT = 9999  # what four digits can say; the standard's limit is 1024, devices of 2025 send more
_HEX = re.compile(rb"[0-9A-Fa-f]{4}")


def crc212(data: bytes) -> int:
    """The check of annex A: the register's high byte is XORed with each byte and the low byte is dropped, then eight shifts with A001."""
    crc = 0xFFFF
    table = TABLE
    for byte in data:
        crc = table[crc >> 8 ^ byte]
    return crc


def crc_modbus(data: bytes) -> int:
    """CRC-16/Modbus, which some field software sends by mistake."""
    crc = 0xFFFF
    table = TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


@dataclass(slots=True)
class Frame:
    """A whole frame with a right check."""

    segment: bytes
    crc: str
    lenient: bool
    raw: bytes


class Splitter(Base[Frame]):
    """The frames of HJ 212; what fails leaves its first byte out and the search goes on."""

    def __init__(self, lenient: bool = False):
        super().__init__()
        self._lenient = lenient

    def _scan(self, last: bool) -> list[Frame | Garbage]:
        data = bytes(self._held)
        out: list[Frame | Garbage] = []
        at = junk = 0
        reason: tuple[str, str] | None = None
        while at < len(data):
            start = data.find(b"##", at)
            if start < 0:
                at = len(data) - (data[-1:] == b"#" and not last)
                break
            got = self._read(data, start)
            if got is None and not last:
                at = start
                break
            if isinstance(got, Frame):
                _waste(out, data[junk:start], reason)
                out.append(got)
                at = junk = start + len(got.raw)
                reason = None
            else:
                reason = reason or got or ("incomplete", f"frame ends after {len(data) - start} bytes · 帧不完整")
                at = start + 1
        _waste(out, data[junk:at], reason)
        self._held = bytearray(data[max(at, junk) :])
        return out

    def _read(self, data: bytes, at: int) -> Frame | tuple[str, str] | None:
        """The frame at `at`; None when it is cut; else code and detail."""
        head = data[at + 2 : at + 6]
        if not head.isdigit():
            return (
                ("bad_length", f"length {head.decode('latin-1')!r} · 数据段长度错") if len(head) == 4 or head.strip(b"0123456789") else None
            )
        if len(head) < 4:
            return None
        size = int(head)
        end = at + 6 + size
        inside = data.find(b"##", at + 2, end + 4)
        if inside >= 0:
            return "bad_length", f"another frame begins after {inside - at} of {size} bytes · 数据段长度与内容不符"
        if len(data) < end + 4:
            return None
        segment, sent = data[at + 6 : end], data[end : end + 4]
        if not _HEX.match(sent):
            return "bad_length", f"no CRC after the {size} bytes that the length tells · 数据段长度与内容不符"
        right = crc212(segment) == int(sent, 16)
        lenient = not right and self._lenient and crc_modbus(segment) in (int(sent, 16), int(sent[2:] + sent[:2], 16))
        if not right and not lenient:
            return "bad_checksum", f"CRC {sent.decode()}, computed {crc212(segment):04X} · 校验错"
        after = end + 4
        after += 2 if data[after : after + 2] == b"\r\n" else data[after : after + 1] in (b"\n", b"\r")
        return Frame(segment, sent.decode().upper(), lenient, data[at:after])


def _waste(out: list[Frame | Garbage], raw: bytes, reason: tuple[str, str] | None) -> None:
    if raw.strip(b"\r\n \0"):
        out.append(Garbage.of(raw, reason))


def build(segment: bytes) -> bytes:
    """A frame around a data segment; FieldError when it is too long."""
    if len(segment) > LONGEST_SEGMENT:
        raise FieldError("CP", len(segment), "数据段过长，请分包", "the data segment is too long; split it in packets")
    return b"##%04d" % len(segment) + segment + b"%04X\r\n" % crc212(segment)
