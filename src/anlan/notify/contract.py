"""The role of a channel: take messages to recipients and say honestly what became of each.

A channel says only that *it* took a message (fact ``channel``). That a device got it, a person confirmed
or acted are later facts with their own receipts. Errors never hold credentials. A ``local`` channel
works inside the caller's transaction (it only writes rows, by the hands given to it) and is called at
once; others talk to the world and are called by the sending loop.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Message:
    """One message for one recipient. `expires_at` is aware; `kind` is that of the warning (issue … lift) or ``call``."""

    notice: str
    recipient: str
    recipient_name: str
    address: str
    title: str
    text: str
    kind: str
    grade: int
    exercise: bool
    warning: str
    expires_at: datetime
    cause: tuple[str, ...] = ()
    attempt: int = 1
    device_kind: str = ""
    link: str = ""  # a household's own page
    callback: str = ""  # where a gateway reports what became of it


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message: taken or failed, with the reason in both languages and whether to try again."""

    state: Literal["taken", "failed"]
    zh: str = ""
    en: str = ""
    retry: bool = False
    provider_id: str = ""


@dataclass(frozen=True, slots=True)
class Hands:
    """What a local channel may do: `command(device_id, action, payload, cause) -> id` sends a device command."""

    command: Callable[[str, str, dict[str, Any], tuple[str, ...]], str]


TAKEN = Outcome("taken")


class Channel(ABC):
    """One way to reach recipients. `name` is stable; `serves` are kinds of recipient (household, person, device).

    ``rank`` orders channels of one recipient (small first); ``also``: used beside the first one, not instead of it;
    ``waits_s``: seconds before each further attempt (its length is the number of retries).
    """

    name: str
    zh: str
    en: str
    serves: tuple[str, ...] = ()
    rank: int = 50
    also: bool = False
    local: bool = False
    broadcast: bool = False
    exercise: bool = True
    waits_s: tuple[float, ...] = (5, 15, 60, 180, 600)

    @abstractmethod
    def address_of(self, addresses: dict[str, str]) -> str:
        """The address to use, from what the register knows (phone, email, person, household, link, device); empty: not reachable."""

    @abstractmethod
    def deliver(self, messages: Sequence[Message], hands: Hands) -> list[Outcome]:
        """One outcome for each message, in order; never raises for a fault of the world."""
