"""Streams of framed messages: bytes in any pieces to frames and garbage, frames to messages or their faults."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from ..codec import Broken, Message, Stream


class _Framed(Protocol):
    raw: bytes


F = TypeVar("F", bound=_Framed)


class Bad(Exception):
    """A frame that says something impossible; the text names the field."""


@dataclass(slots=True)
class Garbage:
    """Bytes that are no frame, with the reason."""

    code: str
    detail: str
    raw: bytes

    @classmethod
    def of(cls, raw: bytes, reason: tuple[str, str] | None) -> Garbage:
        """Bytes passed over; without a `reason` (code, detail) nothing in them begins a frame."""
        code, detail = reason or ("garbage", f"{len(raw)} bytes that begin no frame · 不是帧")
        return cls(code, detail, raw)


class Splitter(ABC, Generic[F]):
    """Bytes in any pieces to frames and garbage; holds at most one unfinished frame."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def waiting(self) -> int:
        """Bytes held that are no whole frame yet."""
        return len(self._held)

    def feed(self, data: bytes) -> list[F | Garbage]:
        """Everything that became whole."""
        self._held += data
        return self._scan(False)

    def flush(self) -> list[F | Garbage]:
        """No more bytes will come: what is left."""
        return self._scan(True)

    @abstractmethod
    def _scan(self, last: bool) -> list[F | Garbage]:
        """What the held bytes contain; `last`: an unfinished frame is garbage."""


class SplitStream(Stream, Generic[F]):
    """One connection: unread bytes, and sets of packets by a key that begins with the device and has their total at `_total`."""

    protocol: ClassVar[str]
    _total: ClassVar[int]

    def __init__(self, split: Splitter[F]):
        self._split = split
        self._sets: dict[tuple[Any, ...], dict[int, Any]] = {}

    def feed(self, data: bytes) -> list[Message | Broken]:
        """Everything that became whole with these bytes."""
        return self._read(self._split.feed(data))

    def flush(self) -> list[Message | Broken]:
        """What is left of a line or a connection."""
        return self._read(self._split.flush())

    @property
    def waiting(self) -> int:
        """Bytes held that are no whole frame yet."""
        return self._split.waiting

    def end(self) -> list[Message | Broken]:
        """What is left; packets of unfinished sets are counted as broken."""
        out = self.flush()
        for key, packets in self._sets.items():
            out.append(Broken(self.protocol, "incomplete_set", f"{len(packets)} of {key[self._total]} packets of {key[0]} · 分包不全"))
        self._sets.clear()
        return out

    def _read(self, found: Sequence[F | Garbage]) -> list[Message | Broken]:
        return [self._broken(f) if isinstance(f, Garbage) else self._one(f) for f in found]

    def _broken(self, garbage: Garbage) -> Broken:
        return Broken(self.protocol, garbage.code, garbage.detail, garbage.raw)

    def _one(self, frame: F) -> Message | Broken:
        try:
            return self._message(frame)
        except Bad as error:
            return Broken(self.protocol, "bad_field", str(error), frame.raw)

    @abstractmethod
    def _message(self, frame: F) -> Message:
        """What a whole frame says; raises Bad."""
