"""The web inbox: people see it when logged in, households by their own signed link.

The message is taken as soon as it is stored: opening the page gives the fact "device", pressing the button
"confirmed". A household is reached here only when it is known to have its link: it has opened it before.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..contract import TAKEN, Channel, Hands, Message, Outcome


class Inbox(Channel):
    """Web inbox."""

    name = "inbox"
    zh, en = "网页收件箱", "web inbox"
    serves = ("person", "household")
    rank = 10
    local = True

    def address_of(self, addresses: dict[str, str]) -> str:
        """People by their id; a household only when it has its link (``link``)."""
        return addresses.get("person") or (addresses.get("household", "") if addresses.get("link") else "")

    def deliver(self, messages: Sequence[Message], hands: Hands) -> list[Outcome]:
        """Stored with the notice itself."""
        return [TAKEN] * len(messages)
