"""HTTP push for devices: ``POST /v1/readings``, answered 200 only when the readings are durable.

Basic authentication with client id and secret, or ``Authorization: Bearer <client id>:<secret>``; the
body is the JSON of MQTT. ``GET /healthz`` and ``GET /metrics`` (Prometheus text) are for the operator.
Devices sold for ThingsBoard post to ``/api/v1/<client id>:<secret>/telemetry``, their access token being that pair.
Served by uvicorn inside the gateway's own loop.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import re
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import orjson
import uvicorn

from ...base import settings as conf
from ...base.clock import now_ms
from ...base.errors import EngineAway
from .. import foreign
from ..contract import MAX_MESSAGE, STALL_S, Front, Transport
from ..directory import Device
from ..faults import Fault
from ..framer import Receipt
from ..metrics import health, render

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_TOKEN = re.compile(r"/api/v1/([^/]+:[^/]+)/(telemetry|attributes)")
DURABLE_S = 25.0  # how long a request waits for the log before it is told to come again
SENTENCES = {
    401: ("collect.wrong_credential", "需要设备号与密钥。", "client id and secret are required."),
    404: ("collect.no_such_path", "没有此地址；请使用 POST /v1/readings。", "no such address; use POST /v1/readings."),
    405: ("collect.no_such_method", "请使用 POST。", "use POST."),
    408: ("collect.too_slow", "请求体未在 30 秒内到齐。", "the body did not arrive within 30 s."),
    503: (
        "engines.away",
        "消息日志或数据库暂不可用，未确认任何数据，请稍后重发。",
        "the log or the database is away; nothing was acknowledged, send again later.",
    ),
}


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the gateway stops it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process's signals alone."""
        yield


class _Waiter:
    """Owner of a receipt that a request waits for."""

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settled(self, receipt: Receipt) -> None:
        """All is durable."""
        if not self.done.done():
            self.done.set_result(None)


class Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, fault: Fault | None = None, retry_s: int = 0):
        super().__init__(status)
        self.status, self.fault, self.retry_s = status, fault, retry_s


class HttpPush(Transport):
    """Devices and gateways that can only do HTTP."""

    name = "http"
    setting = "PUSH_PORT"
    default_port = 8601

    async def start(self, front: Front, listener: socket.socket) -> None:
        """Serve on `listener`."""
        self.front = front
        tls = {"ssl_certfile": conf.get("TLS_CERT"), "ssl_keyfile": conf.get("TLS_KEY") or None} if front.tls else {}
        config = uvicorn.Config(
            self.app,
            interface="asgi3",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=75,
            limit_concurrency=2000,
            h11_max_incomplete_event_size=16 * 1024,
            timeout_graceful_shutdown=3,
            **tls,
        )
        self._server = _Server(config)
        self._task = asyncio.get_running_loop().create_task(self._server.serve(sockets=[listener]))

        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    async def _sweep(self) -> None:
        """Cut off connections that never ask anything (uvicorn waits for a request's head for ever)."""
        since: dict[Any, float] = {}
        while True:
            await asyncio.sleep(5)
            now = asyncio.get_running_loop().time()
            idle = [c for c in self._server.server_state.connections if getattr(c, "cycle", None) is None]
            since = {c: since.get(c, now) for c in idle}
            for connection, began in since.items():
                if now - began > STALL_S and connection.transport is not None:
                    self.front.count("http_idle_closed_total")
                    connection.transport.abort()

    async def stop_accepting(self) -> None:
        """No new requests; those under way are finished."""
        self._server.should_exit = True

    async def close(self) -> None:
        """Wait for the last answers."""
        self._sweeper.cancel()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._task, 5)

    def connections(self) -> int:
        """Open connections now."""
        return len(self._server.server_state.connections)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            return
        method, path = scope["method"], scope["path"]
        try:
            if path == "/metrics" and method == "GET":
                await _answer(send, 200, render(self.front).encode(), "text/plain; version=0.0.4; charset=utf-8")
            elif path == "/healthz" and method == "GET":
                facts = health(self.front)
                await _answer(send, 200 if facts["ok"] else 503, orjson.dumps(facts))
            elif path != "/v1/readings" and _TOKEN.fullmatch(path) is None:
                raise Refused(404)
            elif method != "POST":
                raise Refused(405)
            else:
                await self._readings(scope, receive, send)
        except Refused as refused:
            await _refuse(send, refused)

    async def _readings(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.front.count("http_requests_total")
        address = (scope.get("client") or ("local", 0))[0]
        headers = dict(scope["headers"])
        other = _TOKEN.fullmatch(scope["path"])  # ThingsBoard's device API: the access token is in the path
        device = await self._who(b"Bearer " + other[1].encode() if other else headers.get(b"authorization", b""), address)
        body = await self._body(headers, receive, device)
        if other and other[2] == "attributes":
            await _answer(send, 200, b"")  # facts about the device, no readings
            return
        if other:
            body = foreign.telemetry(body, now_ms())
        if self.front.problem:
            raise Refused(503, Fault("collect.disk_full"), retry_s=30)
        if self.front.framer.full or self.front.stopping:
            raise Refused(503, retry_s=2)
        waiter = _Waiter()
        receipt = Receipt(waiter)
        before = self.front.framer.rows_total
        try:
            topic = "/api/v1/telemetry" if other else "/v1/readings"
            faults = self.front.take(device, body, receipt, "http", topic, self.front.window())
        finally:
            self.front.framer.join(receipt)
            receipt.release()
        taken = self.front.framer.rows_total - before
        try:
            await asyncio.wait_for(waiter.done, DURABLE_S)
        except TimeoutError:
            raise Refused(503, retry_s=5) from None
        if faults and faults[0].code in ("collect.bad_json", "collect.too_many"):
            raise Refused(400, faults[0])
        rejected = sum(f.count for f in faults)
        status = 200 if taken or not faults else 422
        await _answer(send, status, orjson.dumps({"accepted": taken, "rejected": rejected, "faults": [f.as_dict() for f in faults]}))

    async def _who(self, given: bytes, address: str) -> Device:
        scheme, _, value = given.partition(b" ")
        try:
            text = base64.b64decode(value, validate=True) if scheme.lower() == b"basic" else value.strip()
            client_id, colon, secret = text.partition(b":")
            name = client_id.decode()
        except (binascii.Error, UnicodeDecodeError):
            raise Refused(401) from None
        if scheme.lower() not in (b"basic", b"bearer") or not colon or not name:
            raise Refused(401)
        try:
            login = await self.front.logins.check(name, None, secret, address)
        except EngineAway:
            raise Refused(503, retry_s=5) from None
        if login.device is not None:
            return login.device
        fault = Fault("collect.too_many_logins" if login.limited else "collect.wrong_credential", f"{login.reason}: {name[:80]!r}")
        self.front.stranger(fault, "http", f"{address}:0", name)
        if login.limited:
            raise Refused(429, fault, retry_s=60)
        raise Refused(401)

    async def _body(self, headers: dict[bytes, bytes], receive: Receive, device: Device) -> bytes:
        announced = headers.get(b"content-length", b"0")
        parts, size = [], int(announced) if announced.isdigit() else 0
        if size <= MAX_MESSAGE:
            size = 0
            try:
                async with asyncio.timeout(STALL_S):
                    while True:
                        message = await receive()
                        if message["type"] == "http.disconnect":
                            raise Refused(408)
                        size += len(message.get("body", b""))
                        parts.append(message.get("body", b""))
                        if size > MAX_MESSAGE or not message.get("more_body"):
                            break
            except TimeoutError:
                raise Refused(408) from None
        if size > MAX_MESSAGE:
            fault = Fault("collect.too_large", str(size))
            self.front.refuse([fault], device, b"", None, "http", "/v1/readings")
            raise Refused(413, fault)
        return b"".join(parts)


async def _refuse(send: Send, refused: Refused) -> None:
    if refused.fault is not None:
        body = {"code": refused.fault.code, "zh": refused.fault.zh, "en": refused.fault.en}
    else:
        code, zh, en = SENTENCES[refused.status]
        body = {"code": code, "zh": zh, "en": en}
    extra = []
    if refused.status == 401:
        extra.append((b"www-authenticate", b'Basic realm="anlan"'))
    if refused.status in (408, 413):
        extra.append((b"connection", b"close"))
    if refused.retry_s:
        extra.append((b"retry-after", str(refused.retry_s).encode()))
    await _answer(send, refused.status, orjson.dumps(body), extra=extra)


async def _answer(
    send: Send, status: int, body: bytes, kind: str = "application/json", extra: list[tuple[bytes, bytes]] | None = None
) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode()), *(extra or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
