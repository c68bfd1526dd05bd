"""SMS or voice by any gateway that takes JSON over HTTP: what it wants is data, a TOML file named by ``ANLAN_GATEWAY``.

Keys: ``url``; ``method`` (POST); ``[headers]``; ``[body]``, any JSON shape whose texts may hold ``{phone}``, ``{text}``, ``{title}``,
``{id}``, ``{attempt}``, ``{grade}``, ``{kind}``, ``{link}`` (a household's own page) and ``{callback}``; ``[answer]`` with
``id`` (dotted path of the gateway's message number) and, where a refusal comes with status 200, ``ok`` (path) and ``ok_is`` (its
value); ``[receipt]`` with ``state`` (path in the call-back) and ``[receipt.states]``, the gateway's words for ``device``,
``confirmed`` and ``failed``. Off while the setting is empty. A 2xx answer is the fact "channel"; the rest comes by call-back.
Each notice has one ``Idempotency-Key``, whatever the attempt. No error holds header, address or body.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from ...base import settings
from ...base.errors import FieldError
from ...base.grade import Grade
from ..contract import Channel, Hands, Message, Outcome

TIMEOUT_S = 10.0  # a gateway that does not answer for ten seconds is tried again later
AT_ONCE = 8
FIELDS = ("phone", "text", "title", "id", "attempt", "grade", "kind", "link", "callback")
FACTS = ("device", "confirmed", "failed")
_FIELD = re.compile(r"\{([a-z]+)\}")


@lru_cache(maxsize=4)
def _read(path: str, stamp: int) -> dict[str, Any]:
    try:
        raw = tomllib.loads(Path(path).read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise _bad("file", "不是有效的 TOML 文件", "is not a valid TOML file") from None
    url = urlsplit(str(raw.get("url", "")))
    if url.scheme not in ("http", "https") or not url.hostname:
        raise _bad("url", "应为 http(s) 地址", "must be an http(s) address")
    if not isinstance(raw.get("body"), dict) or "{phone}" not in repr(raw["body"]) + str(raw["url"]):
        raise _bad("body", "须为表，且某处含 {phone}", "must be a table that holds {phone} somewhere")
    unknown = set(_FIELD.findall(repr(raw["body"]))) - set(FIELDS)
    if unknown:
        raise _bad("body", f"没有字段 {'、'.join(sorted(unknown))}", f"there is no field {', '.join(sorted(unknown))}")
    states = raw.get("receipt", {}).get("states", {})
    if not set(states.values()) <= set(FACTS):
        raise _bad("receipt.states", f"应为 {'、'.join(FACTS)}", f"must be one of {', '.join(FACTS)}")
    return raw


def _bad(field: str, zh: str, en: str) -> FieldError:
    return FieldError(f"ANLAN_GATEWAY {field}", "", zh, en, code="notify.bad_gateway")


def template() -> dict[str, Any]:
    """The gateway's file, read anew when it changed; FieldError says which key cannot be taken."""
    path = Path(str(settings.get("GATEWAY"))).expanduser()
    try:
        return _read(str(path), path.stat().st_mtime_ns)
    except OSError:
        raise _bad("file", "文件读不到", "the file cannot be read") from None


def filled(shape: Any, values: dict[str, str]) -> Any:
    """The shape with the fields of its texts put in (never read as anything but text)."""
    if isinstance(shape, dict):
        return {key: filled(value, values) for key, value in shape.items()}
    if isinstance(shape, list):
        return [filled(value, values) for value in shape]
    return _FIELD.sub(lambda m: values.get(m[1], m[0]), shape) if isinstance(shape, str) else shape


def at(data: Any, path: str) -> Any:
    """The value at a dotted path, None when there is none."""
    for key in path.split(".") if path else []:
        if isinstance(data, list) and key.isdecimal() and int(key) < len(data):
            data = data[int(key)]
        elif isinstance(data, dict):
            data = data.get(key)
        else:
            return None
    return data


class Gateway(Channel):
    """SMS or voice calls to telephones."""

    name = "gateway"
    zh, en = "短信 / 语音", "SMS or voice"
    serves = ("household", "person")
    rank = 20
    also = True

    def address_of(self, addresses: dict[str, str]) -> str:
        """The telephone; empty while no gateway is set."""
        return addresses.get("phone", "") if settings.get("GATEWAY") else ""

    def deliver(self, messages: Sequence[Message], hands: Hands) -> list[Outcome]:
        """A few requests at a time."""
        try:
            raw = template()
        except FieldError as error:
            fault = Outcome("failed", f"网关模板有误：{error.zh}", f"the gateway's template is wrong: {error.en}", retry=True)
            return [fault] * len(messages)
        with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False) as client, ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda m: _send(client, raw, m), messages))

    def understood(self, said: Any) -> str:
        """The fact (device, confirmed, failed) that a call-back's JSON reports, empty for any other state."""
        receipt = template().get("receipt", {})
        state = at(said, str(receipt.get("state", "state")))
        return str(receipt.get("states", {fact: fact for fact in FACTS}).get(str(state), ""))


def _send(client: httpx.Client, raw: dict[str, Any], message: Message) -> Outcome:
    values = {
        "phone": message.address,
        "text": message.text,
        "title": message.title,
        "id": message.notice,
        "attempt": str(message.attempt),
        "grade": Grade(message.grade).word,
        "kind": message.kind,
        "link": message.link,
        "callback": message.callback,
    }
    headers = {str(k): str(v) for k, v in raw.get("headers", {}).items()} | {"Idempotency-Key": message.notice}
    method, url = str(raw.get("method", "POST")), filled(raw["url"], values)
    try:
        answer = client.request(method, url, headers=headers, json=filled(raw["body"], values))
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError) as error:
        kind = type(error).__name__
        return Outcome("failed", f"连不上网关（{kind}）", f"the gateway cannot be reached ({kind})", retry=True)
    return _outcome(answer, raw.get("answer", {}))


def _outcome(answer: httpx.Response, wanted: dict[str, Any]) -> Outcome:
    code = answer.status_code
    try:
        said = answer.json()
    except ValueError:
        said = None
    refused = "ok" in wanted and str(at(said, str(wanted["ok"]))) != str(wanted.get("ok_is", "True"))
    if answer.is_success and not refused:
        return Outcome("taken", provider_id=str(at(said, str(wanted.get("id", ""))) or "")[:200] if wanted.get("id") else "")
    if answer.is_success:
        return Outcome("failed", "网关拒收该消息", "the gateway refused the message")
    again = code >= 500 or code in (401, 403, 408, 425, 429)  # an account can be put right, an address cannot
    return Outcome("failed", f"网关回复 {code}", f"the gateway answered {code}", retry=again)
