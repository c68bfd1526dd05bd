"""Record ids: a kind, a dash, and 26 signs; sortable by time, or derived from what they name.

A *new* id is a ULID (48 bits of UTC milliseconds, 80 random bits, Crockford base 32).
A *derived* id is the BLAKE2b-128 of its parts, so that a repeat of the same fact gets the
same id (rule: a replay after a crash is no second finding). A reading has no row of its
own id; `reading_id` names it by station number, quantity number and time.
"""

from __future__ import annotations

import hashlib
import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _encode(number: int) -> str:
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def new_id(kind: str, now_ms: int | None = None, entropy: bytes | None = None) -> str:
    """A fresh id of this kind; `now_ms` and 10 bytes of `entropy` may be handed in for tests."""
    ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    return f"{kind}-{_encode(ms << 80 | int.from_bytes(entropy or os.urandom(10), 'big'))}"


def derived_id(kind: str, *parts: object) -> str:
    """The id of the fact named by `parts`: equal parts, equal id, on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return f"{kind}-{_encode(int.from_bytes(digest, 'big'))}"


def kind_of(record_id: str) -> str:
    """The kind part of an id (``find`` of ``find-01H…``)."""
    return record_id.partition("-")[0]


def reading_id(station: int, quantity: int, time_ms: int) -> str:
    """The name of one reading as a cause: ``read-<station number>.<quantity number>.<UTC ms>``."""
    return f"read-{station}.{quantity}.{time_ms}"


def parse_reading_id(text: str) -> tuple[int, int, int]:
    """Inverse of `reading_id`; raises ValueError for anything else."""
    station, quantity, time_ms = text.removeprefix("read-").split(".")
    return int(station), int(quantity), int(time_ms)
