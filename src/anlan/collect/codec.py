"""The role of a protocol: a sans-IO codec, bytes in and messages out, messages in and bytes out.

A codec never sees a socket, a clock or the database. It decodes a byte stream cut anywhere, finds
the next message again after garbage, keeps at most `LONGEST` unread bytes, and proposes the answer
that its standard demands; the transport sends that answer only after the readings are durable.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..base.errors import FieldError
from ..base.plugin import scan

if TYPE_CHECKING:  # `anlan decode` starts without NumPy
    import numpy as np
    from numpy.typing import NDArray

LONGEST = 64 * 1024  # bytes a stream may hold without a whole message before they are given up as garbage


@dataclass(slots=True)
class Sample:
    """One reading as the protocol tells it: `key` is the device's own name of the value (element, factor, part).

    `time_ms` is UTC milliseconds, `value` is SI in `unit` (UCUM), `quantity` a name of `base.quantity` or "" when
    the device's register has to say what the key measures. `quality` is a number of `base.block.Quality`.
    """

    station: str
    key: str
    quantity: str
    time_ms: int
    value: float
    unit: str
    quality: int = 0


@dataclass(slots=True)
class Message:
    """One whole message: its name in the standard, everything it says, its readings, and the answer due to it.

    `fields` hold the header too, in the standard's units, times ISO 8601 with zone; `device` is who says it is
    talking (phone, station address, MN, source address); `part` is (number, total) of a lone sub-package.
    """

    protocol: str
    name: str
    device: str
    fields: dict[str, Any]
    samples: list[Sample] = field(default_factory=list)
    answer: bytes = b""
    raw: bytes = b""
    part: tuple[int, int] | None = None


@dataclass(slots=True)
class Broken:
    """Bytes that are no message: a code (`bad_checksum`, `bad_length`, `bad_field`, `garbage` …), the detail, the bytes.

    `answer` is what the standard demands for it (a denial), empty for silence.
    """

    protocol: str
    code: str
    detail: str
    raw: bytes = b""
    answer: bytes = b""


@dataclass(slots=True)
class Columns:
    """Readings as columns: row i is of ``devices[device[i]]`` under ``keys[key[i]]`` (key, quantity, unit of `Sample`).

    `said` are the messages and broken bytes that did not go the fast way (their readings are in the rows too).
    """

    devices: list[str]
    keys: list[tuple[str, str, str]]
    device: NDArray[np.int32]
    key: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    said: list[Message | Broken] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.value)

    @classmethod
    def of(cls, said: list[Message | Broken]) -> Columns:
        """The readings of messages."""
        import numpy as np

        devices: dict[str, int] = {}
        keys: dict[tuple[str, str, str], int] = {}
        samples = [sample for one in said if isinstance(one, Message) for sample in one.samples]
        return cls(
            device=np.array([devices.setdefault(s.station, len(devices)) for s in samples], np.int32),
            key=np.array([keys.setdefault((s.key, s.quantity, s.unit), len(keys)) for s in samples], np.int32),
            time_ms=np.array([s.time_ms for s in samples], np.int64),
            value=np.array([s.value for s in samples], np.float64),
            quality=np.array([s.quality for s in samples], np.uint8),
            devices=list(devices),
            keys=list(keys),
            said=said,
        )

    def joined(self, other: Columns) -> Columns:
        """These rows, then the other's."""
        import numpy as np

        if not len(other):
            self.said += other.said
            return self
        return Columns(
            self.devices + other.devices,
            self.keys + other.keys,
            np.concatenate([self.device, other.device + len(self.devices)]).astype(np.int32),
            np.concatenate([self.key, other.key + len(self.keys)]).astype(np.int32),
            np.concatenate([self.time_ms, other.time_ms]),
            np.concatenate([self.value, other.value]),
            np.concatenate([self.quality, other.quality]),
            self.said + other.said,
        )


class Stream(ABC):
    """What one connection (or one file) has said so far; holds the unread rest and unfinished sub-packages.

    `received_ms` is when the bytes about to be fed came (UTC milliseconds), set by the transport before `feed`; 0: not
    known. A codec uses it to doubt a device's clock and to tell the time in an answer, never as a reading's time.
    """

    received_ms: int = 0

    @abstractmethod
    def feed(self, data: bytes) -> list[Message | Broken]:
        """Everything that became whole with these bytes, in order. Never raises for any bytes."""

    def flush(self) -> list[Message | Broken]:
        """A datagram or a line is over: the unread rest is `Broken` and forgotten; unfinished sub-packages stay."""
        return []

    def end(self) -> list[Message | Broken]:
        """The connection is over: what is left of it (an unfinished message is `Broken`)."""
        return self.flush()

    def columns(self, data: bytes) -> Columns:
        """`feed` for bulk: the same readings as columns; protocols with a compiled way override it."""
        return Columns.of(self.feed(data))


class Codec(ABC):
    """One protocol. ``name`` is its word on the command line; ``text`` says that its frames are text lines."""

    name: str
    zh: str
    en: str
    text: bool = False

    @abstractmethod
    def stream(self, options: dict[str, Any] | None = None) -> Stream:
        """A new stream. `options` are the device's settings in this protocol (a vendor profile, a lenient sum)."""

    @abstractmethod
    def encode(self, message: dict[str, Any]) -> bytes:
        """The bytes of a message: `name` or number of the message, and its fields as `Message.fields` has them.

        Both directions, so that the twin can speak as a device. FieldError names a field that is missing or out of range.
        """


def codecs() -> dict[str, Codec]:
    """All protocols found, by name."""
    return scan("anlan.collect.protocols", Codec)  # type: ignore[type-abstract]


def codec(name: str) -> Codec:
    """The protocol of this name; FieldError lists what there is otherwise."""
    found = codecs()
    if name not in found:
        words = ", ".join(sorted(found))
        raise FieldError(
            "protocol", name, f"没有此协议；可用：{words}", f"no protocol of this name; known: {words}", code="collect.no_protocol"
        )
    return found[name]
