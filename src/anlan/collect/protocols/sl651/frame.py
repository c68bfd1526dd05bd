"""The two framings of SL 651-2014 (6.4 ASCII, 6.5 HEX/BCD): header, length, check, and how to find the next frame again."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ....base.errors import FieldError
from .._crc import TABLE
from .._split import Garbage
from .._split import Splitter as Base

STX, SYN, ETX, ETB, ENQ, EOT, ACK, NAK, ESC, SOH = 0x02, 0x16, 0x03, 0x17, 0x05, 0x04, 0x06, 0x15, 0x1B, 0x01
NAMES = {STX: "STX", SYN: "SYN", ETX: "ETX", ETB: "ETB", ENQ: "ENQ", EOT: "EOT", ACK: "ACK", NAK: "NAK", ESC: "ESC"}
CODES = {name: code for code, name in NAMES.items()}
UP_ENDS, DOWN_ENDS = frozenset((ETX, ETB)), frozenset((ENQ, EOT, ACK, NAK, ESC))
HEX_HEAD, TEXT_HEAD = 14, 24  # bytes up to and with STX or SYN
_HEX_DIGITS = frozenset(b"0123456789ABCDEFabcdef")


_BEGIN = re.compile(rb"\x7e(?:\x7e|\Z)|\x01(?:[0-9A-Fa-f]{22}|[0-9A-Fa-f]{0,21}\Z)")


def crc16(data: bytes) -> int:
    """CRC-16 with x16+x15+x2+1, reflected, begun with FFFF (the Modbus sum; here sent high byte first)."""
    crc = 0xFFFF
    table = TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


@dataclass(slots=True)
class Frame:
    """One whole frame with a right check: header fields as sent, the body between STX/SYN and the end character."""

    text: bool
    down: bool
    center: int
    address: bytes
    password: str
    function: int
    multi: bool
    total: int
    number: int
    body: bytes
    end: int
    crc: int
    raw: bytes


def station_text(address: bytes) -> str:
    """A station's five address bytes as people write them: ten digits, or area code and number (6.2.3.2)."""
    digits = address.hex().upper()
    if address[0] == 0 or not digits[:6].isdigit():
        return digits
    return f"{digits[:6]}{int.from_bytes(address[3:], 'big'):05d}"


def station_bytes(text: str) -> bytes:
    """The five bytes of a station address; FieldError when it is neither of the two forms."""
    try:
        if len(text) == 10:
            return bytes.fromhex(text)
        if len(text) in (11, 12) and text.isdigit() and int(text[6:]) < 65536:
            return bytes.fromhex(text[:6]) + int(text[6:]).to_bytes(2, "big")
    except ValueError:
        pass
    raise FieldError("station", text, "应为 10 位站址，或 6 位区划码加 5 位编号", "must be 10 digits, or a 6-digit area code and 5 digits")


class Splitter(Base[Frame]):
    """The frames of SL 651; an unfinished one is held up to `longest` bytes."""

    def __init__(self, longest: int):
        super().__init__()
        self._longest = longest

    def _scan(self, last: bool) -> list[Frame | Garbage]:
        data = bytes(self._held)
        out: list[Frame | Garbage] = []
        at = junk = 0
        reason: tuple[str, str] | None = None
        while at < len(data):
            start = _start(data, at)
            got = _read(data, start) if start < len(data) else None
            if got is None:  # unfinished, or nothing that begins a frame
                if start >= len(data) or not last:
                    at = start
                    break
                reason = reason or ("incomplete", f"frame of {_wanted(data, start)} ends after {len(data) - start} bytes · 帧不完整")
                at = start + 1
            elif isinstance(got, Frame):
                if start > junk:
                    out.append(Garbage.of(data[junk:start], reason))
                out.append(got)
                at = junk = start + len(got.raw)
                reason = None
            elif got[2]:  # a whole frame, refused
                if start > junk:
                    out.append(Garbage.of(data[junk:start], reason))
                at = junk = start + got[2]
                out.append(Garbage(got[0], got[1], data[start:at]))
                reason = None
            else:
                reason = reason or (got[0], got[1])
                at = start + 1
        keep = len(data) if last else at
        if len(data) - keep > self._longest:
            keep = len(data)
        if keep > junk:
            out.append(Garbage.of(data[junk:keep], reason))
        self._held = bytearray(data[max(keep, junk) :])
        return out


def _start(data: bytes, at: int) -> int:
    """The next place where a frame may begin (its head may be cut); len(data) when there is none."""
    found = _BEGIN.search(data, at)
    return found.start() if found else len(data)


def _wanted(data: bytes, at: int) -> str:
    size = _size(data, at)
    return f"{size[0]} bytes" if size else "unknown length"


def _size(data: bytes, at: int) -> tuple[int, bool] | None:
    """Whole length of the frame at `at` and whether it goes down; None while the head is not whole or is wrong."""
    if data[at] == SOH:
        if len(data) < at + TEXT_HEAD or data[at + 23] not in (STX, SYN):
            return None
        word = int(data[at + 19 : at + 23], 16)
        return TEXT_HEAD + (word & 0xFFF) + 5, word >> 12 == 8
    if len(data) < at + HEX_HEAD or data[at + 13] not in (STX, SYN):
        return None
    word = data[at + 11] << 8 | data[at + 12]
    # table 22: the length of a packet may use all 16 bits, then the frame goes up
    return HEX_HEAD + (word & 0xFFF if word >> 12 in (0, 8) else word) + 3, word >> 12 == 8


def _read(data: bytes, at: int) -> Frame | tuple[str, str, int] | None:
    """The frame at `at`; None when it is cut; else code, detail and how many bytes to leave out (0: only the start)."""
    text = data[at] == SOH
    head = TEXT_HEAD if text else HEX_HEAD
    if len(data) < at + head:
        return None
    size = _size(data, at)
    if size is None:
        return "bad_start", f"STX or SYN expected, got {data[at + head - 1]:02X} · 正文起始符错", 0
    whole, down = size
    if len(data) < at + whole:
        return None
    raw = data[at : at + whole]
    tail = 4 if text else 2
    end = raw[-tail - 1]
    if end not in (DOWN_ENDS if down else UP_ENDS):
        return "bad_end", f"end character {end:02X} at the place that the length tells · 结束符错", 0
    return _checked(raw, text, down, end, tail, head)


def _checked(raw: bytes, text: bool, down: bool, end: int, tail: int, head: int) -> Frame | tuple[str, str, int]:
    crc = crc16(raw[:-tail])
    if text:
        sent = int(raw[-4:], 16) if all(b in _HEX_DIGITS for b in raw[-4:]) else -1
    else:
        sent = raw[-2] << 8 | raw[-1]
    if sent != crc:
        shown = raw[-tail:].hex().upper() if not text else raw[-4:].decode("latin-1")
        return "bad_checksum", f"CRC {shown}, computed {crc:04X} · 校验错", len(raw)
    fields = bytes.fromhex(raw[1:19].decode()) if text else raw[2:11]
    center, address = (fields[5], fields[:5]) if down else (fields[0], fields[1:6])
    multi = raw[head - 1] == SYN
    body = raw[head : -tail - 1]
    total = number = 0
    if multi:
        size = 6 if text else 3
        packet = body[:size]
        if len(packet) < size or (text and not all(b in _HEX_DIGITS for b in packet)):
            return "bad_packet", "packet numbers are missing · 缺少包号", len(raw)
        word = int(packet, 16) if text else int.from_bytes(packet, "big")
        total, number, body = word >> 12, word & 0xFFF, body[size:]
        if not 1 <= number <= total:
            return "bad_packet", f"packet {number} of {total} · 包号错", len(raw)
    return Frame(text, down, center, address, fields[6:8].hex().upper(), fields[8], multi, total, number, body, end, crc, raw)


def build(
    text: bool, down: bool, center: int, address: bytes, password: bytes, function: int, body: bytes, end: int, packet: int = -1
) -> bytes:
    """A whole frame; `packet` is total and number as 24 bits, or -1. FieldError when the body is too long."""
    if packet >= 0:
        body = (b"%06X" % packet if text else packet.to_bytes(3, "big")) + body
    if len(body) > 0xFFF:
        raise FieldError("body", len(body), "正文最长 4095 字节，请分包", "a body has at most 4095 bytes; split it in packets")
    fields = (address + bytes((center,)) if down else bytes((center,)) + address) + password + bytes((function,))
    fields += (len(body) | (0x8000 if down else 0)).to_bytes(2, "big")
    start = bytes((STX if packet < 0 else SYN,))
    if text:
        raw = b"\x01" + fields.hex().upper().encode() + start + body + bytes((end,))
        return raw + b"%04X" % crc16(raw)
    raw = b"\x7e\x7e" + fields + start + body + bytes((end,))
    return raw + crc16(raw).to_bytes(2, "big")
