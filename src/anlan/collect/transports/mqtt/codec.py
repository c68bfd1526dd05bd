"""MQTT 3.1.1 on the wire, without sockets: split bytes into packets, read them, build answers.

`Splitter` takes bytes in any pieces. `read_*` check everything the standard lets a receiver check
and raise `BadPacket`; the numbers in comments are the standard's own ([MQTT-x.y.z-n]).
"""

from __future__ import annotations

from dataclasses import dataclass

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 10, 11, 12, 13, 14
ACCEPTED, BAD_VERSION, BAD_CLIENT_ID, UNAVAILABLE, BAD_LOGIN, NOT_AUTHORISED = range(6)  # CONNACK codes, table 3.1
PINGRESP_PACKET = b"\xd0\x00"
REFUSED = 0x80  # SUBACK: failure


class BadPacket(Exception):
    """The bytes are no MQTT 3.1.1; the connection must be closed ([MQTT-4.8.0-1])."""


class TooLarge(BadPacket):
    """A packet above the limit; `size` is what it announced."""

    def __init__(self, size: int):
        super().__init__(f"{size}")
        self.size = size


class BadVersion(BadPacket):
    """A CONNECT of another protocol level: answered with CONNACK 1."""


class Splitter:
    """Cuts a byte stream into (first byte, rest) packets, whatever the pieces it comes in.

    After a fault `error` is set, the packets before it are still handed out, and nothing after.
    """

    __slots__ = ("_held", "error", "limit")

    def __init__(self, limit: int):
        self.limit = limit
        self._held = b""
        self.error: BadPacket | None = None

    @property
    def waiting(self) -> int:
        """Bytes held of a packet that is not complete yet."""
        return len(self._held)

    @property
    def first(self) -> int:
        """First byte of the packet that is not complete yet; -1 without one."""
        return self._held[0] if self._held else -1

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The packets completed by `data`."""
        if self.error is not None:
            return []
        buffer = self._held + data if self._held else data
        found: list[tuple[int, bytes]] = []
        at, n, limit = 0, len(buffer), self.limit
        while n - at >= 2:
            length = buffer[at + 1]
            start = at + 2
            if length > 127:
                length &= 127
                shift = 7
                while start < n:
                    byte = buffer[start]
                    start += 1
                    length |= (byte & 127) << shift
                    if byte < 128:
                        break
                    shift += 7
                    if shift > 21:
                        self.error = BadPacket("remaining length of more than four bytes")
                        break
                else:
                    break
                if self.error is not None:
                    break
            if length > limit:
                self.error = TooLarge(length)
                break
            end = start + length
            if end > n:
                break
            found.append((buffer[at], buffer[start:end]))
            at = end
        self._held = b"" if self.error is not None else buffer[at:]
        return found


@dataclass(frozen=True, slots=True)
class Connect:
    """A CONNECT packet."""

    client_id: str
    clean: bool
    keep_alive_s: int
    username: str | None
    password: bytes | None
    will_topic: str | None


class _Reader:
    """Fields of a packet body in turn."""

    __slots__ = ("at", "body")

    def __init__(self, body: bytes):
        self.body, self.at = body, 0

    def raw(self, n: int) -> bytes:
        if self.at + n > len(self.body):
            raise BadPacket("packet ends inside a field")
        self.at += n
        return self.body[self.at - n : self.at]

    def number(self, n: int = 2) -> int:
        return int.from_bytes(self.raw(n), "big")

    def binary(self) -> bytes:
        return self.raw(self.number())

    def text(self) -> str:
        return decode_text(self.binary())

    @property
    def left(self) -> int:
        return len(self.body) - self.at


def decode_text(data: bytes) -> str:
    """A UTF-8 field; ill-formed text, surrogates and U+0000 are refused ([MQTT-1.5.3-1], [MQTT-1.5.3-2])."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise BadPacket("ill-formed UTF-8") from None
    if "\0" in text:
        raise BadPacket("U+0000 in a string")
    return text


def read_connect(head: int, body: bytes) -> Connect:
    """A CONNECT; `BadVersion` for another level, `BadPacket` for any breach of section 3.1."""
    if head & 15:
        raise BadPacket("reserved flags of CONNECT")  # [MQTT-2.2.2-2]
    r = _Reader(body)
    protocol, level = r.binary(), r.number(1)
    if protocol not in (b"MQTT", b"MQIsdp"):
        raise BadPacket("protocol name")  # [MQTT-3.1.2-1]
    if protocol != b"MQTT" or level != 4:
        raise BadVersion(f"protocol level {level}")  # [MQTT-3.1.2-2]
    flags, keep_alive = r.number(1), r.number()
    will, will_qos, named, secret = flags & 4, flags >> 3 & 3, flags & 0x80, flags & 0x40
    if flags & 1:
        raise BadPacket("reserved connect flag")  # [MQTT-3.1.2-3]
    if will_qos == 3 or (not will and flags & 0x38):
        raise BadPacket("will flags")  # [MQTT-3.1.2-13..15]
    if secret and not named:
        raise BadPacket("password without user name")  # [MQTT-3.1.2-22]
    client_id = r.text()
    will_topic = None
    if will:
        will_topic = r.text()
        r.binary()
    username = r.text() if named else None
    password = r.binary() if secret else None
    if r.left:
        raise BadPacket("bytes after the last field of CONNECT")
    return Connect(client_id, bool(flags & 2), keep_alive, username, password, will_topic)


def read_publish(head: int, body: bytes) -> tuple[str, int, int, bytes]:
    """Topic, QoS, packet identifier (0 at QoS 0) and payload of a PUBLISH."""
    qos = head >> 1 & 3
    if qos == 3:
        raise BadPacket("QoS 3")  # [MQTT-3.3.1-4]
    if qos == 0 and head & 8:
        raise BadPacket("DUP at QoS 0")  # [MQTT-3.3.1-2]
    r = _Reader(body)
    topic = r.text()
    if not topic or "+" in topic or "#" in topic:
        raise BadPacket("topic name empty or with wildcards")  # [MQTT-3.3.2-2], [MQTT-4.7.3-1]
    pid = r.number() if qos else 0
    if qos and not pid:
        raise BadPacket("packet identifier 0")  # [MQTT-2.3.1-1]
    return topic, qos, pid, body[r.at :]


def read_ack(head: int, body: bytes) -> int:
    """The packet identifier of a PUBACK."""
    if head & 15 or len(body) != 2:
        raise BadPacket("PUBACK")
    return int.from_bytes(body, "big")


def read_subscribe(head: int, body: bytes) -> tuple[int, list[tuple[str, int]]]:
    """Packet identifier and (filter, QoS) pairs of a SUBSCRIBE."""
    if head & 15 != 2:
        raise BadPacket("flags of SUBSCRIBE")  # [MQTT-3.8.1-1]
    r = _Reader(body)
    pid, pairs = r.number(), []
    while r.left:
        topic, qos = r.text(), r.number(1)
        if qos > 2:
            raise BadPacket("requested QoS")  # [MQTT-3.8.3-4]
        pairs.append((_filter(topic), qos))
    if not pid or not pairs:
        raise BadPacket("SUBSCRIBE without identifier or filter")  # [MQTT-2.3.1-1], [MQTT-3.8.3-3]
    return pid, pairs


def read_unsubscribe(head: int, body: bytes) -> tuple[int, list[str]]:
    """Packet identifier and filters of an UNSUBSCRIBE."""
    if head & 15 != 2:
        raise BadPacket("flags of UNSUBSCRIBE")  # [MQTT-3.10.1-1]
    r = _Reader(body)
    pid, filters = r.number(), []
    while r.left:
        filters.append(_filter(r.text()))
    if not pid or not filters:
        raise BadPacket("UNSUBSCRIBE without identifier or filter")  # [MQTT-3.10.3-2]
    return pid, filters


def _filter(topic: str) -> str:
    """A topic filter, its wildcards in lawful places ([MQTT-4.7.1-2], [MQTT-4.7.1-3], [MQTT-4.7.3-1])."""
    levels = topic.split("/")
    if not topic or any(("#" in level or "+" in level) and len(level) > 1 for level in levels) or "#" in levels[:-1]:
        raise BadPacket("topic filter")
    return topic


def read_empty(head: int, body: bytes) -> None:
    """PINGREQ or DISCONNECT: no flags, no body ([MQTT-3.14.1-1])."""
    if head & 15 or body:
        raise BadPacket("flags or body of an empty packet")


def connack(code: int, session_present: bool = False) -> bytes:
    """A CONNACK; session present only with code 0 ([MQTT-3.2.2-4])."""
    return bytes((0x20, 2, int(session_present and code == ACCEPTED), code))


def suback(pid: int, codes: list[int]) -> bytes:
    """A SUBACK with one code per filter, in their order ([MQTT-3.9.3-1])."""
    return packet(0x90, pid.to_bytes(2, "big") + bytes(codes))


def unsuback(pid: int) -> bytes:
    """An UNSUBACK."""
    return b"\xb0\x02" + pid.to_bytes(2, "big")


def puback(pid: int) -> bytes:
    """A PUBACK."""
    return b"\x40\x02" + pid.to_bytes(2, "big")


def publish(topic: str, payload: bytes, qos: int, pid: int = 0, dup: bool = False) -> bytes:
    """A PUBLISH downwards; DUP only at QoS 1, RETAIN never ([MQTT-3.3.1-2], [MQTT-3.3.1-9])."""
    head = 0x30 | qos << 1 | (8 if dup and qos else 0)
    identifier = pid.to_bytes(2, "big") if qos else b""
    return packet(head, field(topic.encode()) + identifier + payload)


def field(data: bytes) -> bytes:
    """A length-prefixed field."""
    return len(data).to_bytes(2, "big") + data


def packet(head: int, body: bytes) -> bytes:
    """Fixed header (first byte, remaining length) and body."""
    n, length = len(body), b""
    while True:
        n, digit = divmod(n, 128)
        length += bytes((digit | (128 if n else 0),))
        if not n:
            return bytes((head,)) + length + body
