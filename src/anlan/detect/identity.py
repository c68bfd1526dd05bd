"""Whether the log is the one that this lane's cursor was counted in, and where to go on when it is not.

A log is told by when its stream was made and by when it stored the message at the cursor. Three ways to lose it: its
folder is gone (another stream), its folder is an older copy (the stream is known, the message is not), it was emptied
(messages before the cursor are gone, which does no harm). In the first all that is there is new; in the second what it
stored after the last message we worked is new.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..base.errors import AnlanError, EngineAway
from ..engines.nats import lane_stream

ASK_S = 2.0


class LogReplaced(AnlanError):
    """The log is another one now; the lane starts anew and goes on in it."""

    def __init__(self, lane: int):
        zh, en = f"车道 {lane} 的消息日志被替换，重新开始。", f"the log of lane {lane} was replaced; the lane starts anew."
        super().__init__("detect.log_replaced", zh, en, retry=True)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database knows of the log that a lane was worked from."""

    cursor: int
    log: str = ""
    mark_seq: int = 0
    mark_ns: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`same`, or else go on after message `resume` of log `log`; `first` and `last` are what it holds."""

    same: bool
    log: str
    resume: int
    first: int
    last: int


async def _ask(client: Any, subject: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    from nats.errors import Error

    try:
        answer = await client.request(subject, json.dumps(body).encode() if body else b"", timeout=ASK_S)
        found: dict[str, Any] = json.loads(answer.data)
    except (TimeoutError, OSError, ValueError, Error) as error:
        raise EngineAway("NATS", str(error) or type(error).__name__) from None
    return found


async def judge(client: Any, lane: int, known: Standing) -> Verdict:
    """Compare the log of `lane` with what is known; EngineAway when it does not answer (or has no such stream yet)."""
    stream = lane_stream(lane)
    facts = await _ask(client, f"$JS.API.STREAM.INFO.{stream}")
    if "error" in facts:
        raise EngineAway("NATS", f"{stream}: {facts['error'].get('description')}")
    log, first, last = str(facts["created"]), int(facts["state"]["first_seq"]), int(facts["state"]["last_seq"])
    if known.log and known.log != log:
        return Verdict(False, log, max(first - 1, 0), first, last)
    stands = known.cursor <= last
    if stands and known.mark_seq >= first and known.mark_ns:
        found = await _ask(client, f"$JS.API.STREAM.MSG.GET.{stream}", {"seq": known.mark_seq})
        if "message" in found:
            stands = abs(nanoseconds(found["message"]["time"]) - known.mark_ns) < 1000  # the text may be rounded
    if stands:
        return Verdict(True, log, known.cursor, first, last)
    if not known.mark_ns:
        return Verdict(False, log, max(first - 1, 0), first, last)
    return Verdict(False, log, await _before(client, stream, known.mark_ns, last), first, last)


async def _before(client: Any, stream: str, mark_ns: int, last: int) -> int:
    """The last message that the log stored at or before `mark_ns` (ns since 1970): what comes after it is new."""
    low, high = 0, last
    while low < high:  # times grow with the sequence
        middle = (low + high + 1) // 2
        found = await _ask(client, f"$JS.API.STREAM.MSG.GET.{stream}", {"seq": middle})
        old = "message" not in found or nanoseconds(found["message"]["time"]) <= mark_ns
        low, high = (middle, high) if old else (low, middle - 1)
    return low


def nanoseconds(text: str) -> int:
    """UTC nanoseconds since 1970 of an RFC 3339 time with up to nine decimals (as JetStream writes it)."""
    whole, _, rest = text.rstrip("Z").partition(".")
    return int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()) * 1_000_000_000 + int(rest.ljust(9, "0")[:9] or 0)
