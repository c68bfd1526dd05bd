"""Frames written one a line become answers, one a line: what ``anlan decode`` prints, without socket or database.

A line that starts with ``{``, ``##`` or ``$`` is text (its end stands for CR LF), any other is hex. Sub-packages are
kept from line to line, so that a set on consecutive lines is answered whole on its last line; nothing else is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO

import orjson

from ..base.clock import now_ms
from .codec import Broken, Codec, Message, Sample, Stream

LONGEST_LINE = 4 << 20  # bytes of a line that are looked at; a longer one is answered and skipped
_BOM = b"\xef\xbb\xbf"
_QUALITY = ("good", "suspect", "bad", "missing", "estimated")  # base.block.Quality, which needs NumPy


def lines_of(source: BinaryIO) -> Iterator[bytes | None]:
    """The lines of a byte stream without their ends, spaces around them and a byte-order mark; None for one too long."""
    first = True
    while line := source.readline(LONGEST_LINE + 2):
        whole = line.endswith(b"\n") or len(line) < LONGEST_LINE + 2
        while not whole:
            rest = source.readline(1 << 16)
            whole = not rest or rest.endswith(b"\n")
            line = b""
        if first and line.startswith(_BOM):
            line = line[3:]
        first = False
        yield line.strip() if line else None


def bytes_of(line: bytes) -> bytes | None:
    """The bytes that a line stands for; None when it is neither text of a protocol nor hex."""
    if line.startswith((b"{", b"##", b"$")):
        return line + b"\r\n"
    try:
        return bytes.fromhex(line.decode("ascii"))
    except ValueError:
        return None


def iso_utc(time_ms: int) -> str | None:
    """UTC milliseconds as ISO 8601; None when no calendar has that time."""
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return None


def _reading(sample: Sample) -> dict[str, Any]:
    finite = math.isfinite(sample.value)
    return {
        "station": sample.station,
        "key": sample.key,
        "quantity": sample.quantity,
        "time": iso_utc(sample.time_ms),
        "value": sample.value if finite else None,
        "unit": sample.unit,
        "quality": _QUALITY[sample.quality],
    }


def _refused(code: str, detail: str) -> dict[str, Any]:
    return {"ok": False, "error": code, "detail": detail}


def shown(message: Message, text: bool) -> dict[str, Any]:
    """A message as the answer to its line."""
    fields = dict(message.fields)
    if message.part is not None:
        fields.setdefault("packet", {"number": message.part[0], "total": message.part[1]})
    answer = message.answer
    return {
        "ok": True,
        "protocol": message.protocol,
        "message": message.name,
        "fields": fields,
        "readings": [_reading(s) for s in message.samples],
        "answer": answer.decode("utf-8", "replace").rstrip("\r\n") if text else answer.hex().upper(),
    }


class Decoder:
    """Lines in, answers out, in order; never raises for a line."""

    def __init__(self, codec: Codec, options: dict[str, Any] | None = None):
        self._codec, self._options = codec, dict(options or {})
        self._stream: Stream = codec.stream(self._options)

    def answer(self, line: bytes | None) -> dict[str, Any]:
        """The one answer to a line."""
        if line is None:
            return _refused("too_long", f"a line may have {LONGEST_LINE} bytes · 行过长")
        if not line:
            return _refused("empty", "the line is empty · 空行")
        data = bytes_of(line)
        if data is None:
            why = "odd number of hex digits · 十六进制位数为奇数" if len(line) % 2 else "not hexadecimal · 不是十六进制"
            return _refused("bad_hex", why)
        try:
            self._stream.received_ms = now_ms()
            return self._one(self._stream.feed(data) + self._stream.flush())
        except Exception as error:  # a fault of the codec is an answer too, so that every line has one
            self._stream = self._codec.stream(self._options)
            return _refused("codec_fault", f"{type(error).__name__}: {error}")

    def _one(self, found: list[Message | Broken]) -> dict[str, Any]:
        broken = next((f for f in found if isinstance(f, Broken)), None)
        if broken is not None:
            return _refused(broken.code, broken.detail)
        if not found:
            return _refused("incomplete", "no whole frame in the line · 不是一个完整的帧")
        if len(found) > 1:
            return _refused("many_frames", f"{len(found)} frames in one line, one is expected · 一行内有多个帧")
        message = found[0]
        assert isinstance(message, Message)
        return shown(message, self._codec.text)


def as_json(answer: dict[str, Any]) -> bytes:
    """One line of JSON; numbers that JSON has not are null."""
    return orjson.dumps(answer, default=_plain, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)


def _plain(value: object) -> object:
    return bytes(value).hex().upper() if isinstance(value, bytes | bytearray | memoryview) else str(value)
