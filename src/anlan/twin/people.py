"""The twin's people: each logs in and acts through the same HTTP API as everybody else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson

RETRIES, WAIT_S = 40, 0.25  # a process that was restarted is back within this time


class Actor:
    """One person at a keyboard or phone; calls are repeated while a process restarts (all of them are idempotent)."""

    def __init__(self, client: httpx.AsyncClient, name: str, account: dict[str, str]):
        self.client, self.name, self.account = client, name, account
        self.person = account["person"]
        self._token = ""

    async def _headers(self) -> dict[str, str]:
        if not self._token:
            answer = await self._send(
                "POST", "/api/token", {"username": self.account["username"], "password": self.account["password"]}, {}
            )
            self._token = str(answer["token"])
        return {"Authorization": f"Bearer {self._token}"}

    async def get(self, path: str) -> Any:
        """The answer of a GET."""
        return await self._send("GET", path, None, await self._headers())

    async def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer of a POST."""
        return await self._send("POST", path, body or {}, await self._headers())

    async def _send(self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Any:
        for attempt in range(RETRIES):
            try:
                answer = await self.client.request(method, path, json=body, headers=headers)
                if answer.status_code < 500:
                    break
            except httpx.TransportError:
                if attempt == RETRIES - 1:
                    raise
            await asyncio.sleep(WAIT_S)
        if answer.status_code >= 400:
            raise Refused(method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def events(self) -> AsyncIterator[tuple[int, str, dict[str, Any]]]:
        """The live stream for ever, resumed after every break: event id, type, data."""
        last = 0
        while True:
            try:
                headers = await self._headers() | {"Last-Event-ID": str(last)}
                async with self.client.stream("GET", "/api/stream", headers=headers, timeout=httpx.Timeout(10, read=30)) as stream:
                    async for number, kind, data in _parse(stream):
                        last = max(last, number)
                        yield number, kind, data
            except httpx.HTTPError:
                await asyncio.sleep(WAIT_S)


class Refused(Exception):
    """The platform refused what an actor asked."""

    def __init__(self, method: str, path: str, status: int, text: str):
        super().__init__(f"{method} {path}: {status} {text[:300]}")
        self.status = status
        self.code = ""
        with contextlib.suppress(ValueError, AttributeError):
            self.code = str(orjson.loads(text).get("code", ""))


async def _parse(stream: httpx.Response) -> AsyncIterator[tuple[int, str, dict[str, Any]]]:
    """Server-sent events of a stream: id (0 without), type, data."""
    number, kind, data = 0, "message", ""
    async for line in stream.aiter_lines():
        if not line:
            if data:
                parsed = orjson.loads(data)
                yield number, kind, parsed if isinstance(parsed, dict) else {"value": parsed}
            number, kind, data = 0, "message", ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            number = int(value)
        elif name == "event":
            kind = value
        elif name == "data":
            data += value
