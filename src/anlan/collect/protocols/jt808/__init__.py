"""JT/T 808-2011/2013/2019: vehicle terminals. Covered clause by clause: docs/protocols/jt808.md."""

from __future__ import annotations

from typing import Any

from ....base.errors import FieldError
from ...codec import Codec
from .._layout import Writer, hex_of, write
from .messages import MESSAGES, NUMBERS
from .stream import Jt808Stream
from .wire import LONGEST_BODY, Frame, build


class Jt808(Codec):
    """Vehicle terminals and the platform they talk to, both directions."""

    name = "jt808"
    zh = "道路运输车辆卫星定位系统终端 JT/T 808"
    en = "Vehicle terminals, JT/T 808"

    def stream(self, options: dict[str, Any] | None = None) -> Jt808Stream:
        """A new stream; options: ``lenient_items``, ``every_alarm``, ``auth_code``, ``most_bytes``."""
        return Jt808Stream(options)

    def encode(self, message: dict[str, Any]) -> bytes:
        """The frame of a message, or its frames one after another when the body is longer than one frame takes.

        `name` is a name or id (``"position"``, ``0x0200``, ``"0x0200"``); `phone`, `serial`, `edition` (2011, 2013, 2019),
        `protocol_version` and the fields of the body as `Message.fields` has them; `body` (hex) stands for all of them
        where no layout is known. FieldError names what is missing or out of range.
        """
        number = _number(message.get("name", message.get("message_id")))
        version = message.get("protocol_version", 1 if message.get("edition") == 2019 else None)
        edition = 2019 if version is not None else int(message.get("edition", 2013))
        if "body" in message:
            body = hex_of(message["body"], "body")
        elif number in MESSAGES:
            w = Writer("big", edition)
            write(MESSAGES[number][1], w, message)
            body = bytes(w.data)
        else:
            raise FieldError("name", message.get("name"), "未知消息须给出 body（十六进制）", "an unknown message needs its body (hex)")
        if "phone" not in message:
            raise FieldError("phone", None, "缺少终端手机号", "is missing")
        frame = Frame(number, str(message["phone"]), int(message.get("serial", 0)), body, int(message.get("encryption", 0)), version)
        packet = message.get("packet")
        if packet:
            frame.number, frame.total = packet["number"], packet["total"]
        return build(frame) if len(body) <= LONGEST_BODY else _packets(frame)


def _number(name: Any) -> int:
    if isinstance(name, int) and 0 <= name <= 0xFFFF:
        return name
    if isinstance(name, str):
        if name in NUMBERS:
            return NUMBERS[name]
        try:
            return int(name, 16) & 0xFFFF
        except ValueError:
            pass
    raise FieldError("name", name, "没有此消息；可用 0x0200 之类的编号", "no such message; an id such as 0x0200 will do")


def _packets(frame: Frame) -> bytes:
    pieces = [frame.body[i : i + LONGEST_BODY] for i in range(0, len(frame.body), LONGEST_BODY)]
    return b"".join(
        build(Frame(frame.id, frame.phone, frame.serial + i, piece, frame.encryption, frame.version, len(pieces), i + 1))
        for i, piece in enumerate(pieces)
    )
