"""Village loudspeakers, sirens and outdoor terminals: a device command each; what the device answers becomes receipts.

A broadcast gives device coverage only and never counts as anybody's confirmation.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...base.grade import Grade
from ..contract import Channel, Hands, Message, Outcome


class Loudspeaker(Channel):
    """Loudspeakers and sirens by MQTT command."""

    name = "loudspeaker"
    zh, en = "大喇叭", "loudspeaker"
    serves = ("device",)
    rank = 10
    local = True
    broadcast = True
    exercise = False
    waits_s = ()

    def address_of(self, addresses: dict[str, str]) -> str:
        """The device id."""
        return addresses.get("device", "")

    def deliver(self, messages: Sequence[Message], hands: Hands) -> list[Outcome]:
        """One command for each device: sirens on or off, others play the text."""
        return [self._one(message, hands) for message in messages]

    def _one(self, message: Message, hands: Hands) -> Outcome:
        over = message.kind == "lift"
        if message.device_kind == "siren":
            action = "siren_off" if over else "siren_on"
        else:
            action = "play"
        payload = {
            "title": message.title,
            "text": message.text,
            "grade": Grade(message.grade).word,
            "kind": message.kind,
            "repeat": 1 if over else 3,
        }
        return Outcome("taken", provider_id=hands.command(message.address, action, payload, message.cause))
