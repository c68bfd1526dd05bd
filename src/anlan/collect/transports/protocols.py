"""The ports of the device protocols: JT/T 808, SL 651, HJ 212, GB/T 26875.3. Closed until their setting opens them.

Who is who: a JT/T 808 terminal registers, gets a fresh code (kept hashed with the device) and authenticates with it; before that
nothing else is taken. SL 651 and HJ 212 devices say a password with every message; GB/T 26875.3 has none, so its port
belongs in a network of its own.
"""

from __future__ import annotations

from typing import Any

from ...base.clock import now_ms
from ...register.credentials import hash_secret, make_secret
from ..codec import Message
from ..directory import Device
from ..faults import Fault
from ._protocol import ProtocolTcp, SaidTcp, Talk

_SET_CODE = "update register_device set secret_hash = %s, updated_at = to_timestamp(%s / 1000.0) where client_id = %s and enabled"


class Jt808Tcp(ProtocolTcp):
    """Vehicle terminals, JT/T 808."""

    name = "jt808"
    protocol = "jt808"
    setting = "JT808_PORT"
    default_port = 8603

    def numbers(self, said: str) -> tuple[str, ...]:
        """The phone as it is sent (12 or 20 digits), or without its leading zeros."""
        return (said, said.lstrip("0")) if said.startswith("0") and said.lstrip("0") else (said,)

    async def meet(self, talk: Talk, message: Message) -> Device | None:
        """Register, authenticate; anything else is refused (808-2013 §8.5 to 8.8)."""
        device = await self.find(talk, message.device)
        if message.name == "register":
            await self._register(talk, message, device)
        elif message.name == "authenticate" and device is not None:
            code = str(message.fields.get("auth_code", "")).encode()
            login = await talk.front.logins.check(device.client_id, None, code, talk.address.rpartition(":")[0])
            if login.device is not None:
                if any(key.startswith("alarm.") for key in device.feeds):
                    talk.stream.options["every_alarm"] = True  # type: ignore[attr-defined]  # so that each alarm also ends
                talk.welcome(message.device, device)
                return device
            word = "collect.too_many_logins" if login.limited else "collect.wrong_credential"
            talk.refuse(message, Fault(word, login.reason), device.client_id)
            talk.write(self._failed(talk, message))
        elif device is None:
            talk.refuse(message, Fault("collect.unknown_device", repr(message.device)[:80]))
            talk.write(self._failed(talk, message))
        else:
            talk.refuse(message, Fault("collect.not_authenticated", message.device), device.client_id)
            talk.write(self._failed(talk, message))
        return None

    async def _register(self, talk: Talk, message: Message, device: Device | None) -> None:
        """0x8100: a fresh code for a known terminal, stored (hashed) before it is told."""
        result, code = 4, ""
        if device is not None:
            named = device.username not in ("", device.client_id)  # the user name is the terminal id, where one was given
            if named and message.fields.get("terminal_id") != device.username:
                result = 2
            elif talk.front.line is not None:
                code, result = make_secret(), 0
                # 144 random bits: nobody guesses them, whatever the cost of the hash (see register.credentials)
                await talk.front.line.rows(_SET_CODE, (hash_secret(code, n=2), now_ms(), device.client_id))
                await talk.front.directory.renew(device.client_id)
        if result:
            talk.refuse(message, Fault("collect.unknown_device", repr(message.device)[:80]), device.client_id if device else "")
        answer: dict[str, Any] = {"ack_serial": message.fields["serial"], "result": result}
        talk.write(self._down(talk, message, "register_answer", answer | ({"auth_code": code} if code else {})))

    def _failed(self, talk: Talk, message: Message) -> bytes:
        said = {"ack_serial": message.fields["serial"], "ack_message": message.fields["message_id"], "result": 1}
        return self._down(talk, message, "answer", said)

    def _down(self, talk: Talk, message: Message, name: str, fields: dict[str, Any]) -> bytes:
        version = message.fields.get("protocol_version")
        head = {"phone": message.device, "serial": 0, **({} if version is None else {"protocol_version": version})}
        return self.codec.encode({"name": name, **head, **fields})


class Sl651Tcp(SaidTcp):
    """Hydrological stations, SL 651."""

    name = "sl651"
    protocol = "sl651"
    setting = "SL651_PORT"
    default_port = 8604
    password = "password"


class Hj212Tcp(SaidTcp):
    """Environmental data loggers, HJ 212."""

    name = "hj212"
    protocol = "hj212"
    setting = "HJ212_PORT"
    default_port = 8605
    password = "PW"


class Gb26875Tcp(SaidTcp):
    """Fire-alarm transmission devices, GB/T 26875.3."""

    name = "gb26875"
    protocol = "gb26875"
    setting = "GB26875_PORT"
    default_port = 8606
