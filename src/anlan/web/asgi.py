"""The ASGI application: ``/api/stream`` here, everything else to Django in threads."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import parse_qs

from ..base import settings as conf
from ..engines import project
from ..engines.beat import heartbeat
from .bridge import Bridge, Receive, Scope, Send, headers_environ, refuse

KEEP_ALIVE_S = 10.0
LONGEST_S = 1800.0  # a stream ends after this and resumes, so that a closed account stops seeing


class Application:
    """One web process: the hub of streams and the bridge to Django."""

    def __init__(self) -> None:
        project.setup()
        from django.core.wsgi import get_wsgi_application

        from .pages import security_headers, site
        from .stream import Hub

        self.bridge = Bridge(site(get_wsgi_application()))
        self.hub = Hub(conf.get("DATABASE_URL") or "postgresql:///anlan")
        self.headers = [(k.lower().encode(), v.encode()) for k, v in security_headers()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["path"] == "/api/stream" and scope["method"] == "GET":
            await self._stream(scope, receive, send)
        else:
            await self.bridge(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.hub.start()
                self._beats = asyncio.create_task(heartbeat())
                await send({"type": "lifespan.startup.complete"})
            else:
                self._beats.cancel()
                await self.hub.stop()
                self.bridge.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        from django.db import Error

        from .stream import Client

        environ = headers_environ(scope)
        try:
            asker = await self.bridge.run(asker_of_request, environ)
        except Error:
            await refuse(send, 503, "engines.away", "数据库暂不可用，稍后自动重试", "the database is away; try again")
            return
        if asker is None:
            await refuse(send, 401, "web.no_login", "请先登录，或令牌已失效", "log in first, or the token is no longer valid")
            return
        client = Client(asker)
        headers = [*self.headers, (b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            await self.hub.join(client, last_event_id(environ, scope))
            await _write(client, gone, send)
        finally:
            self.hub.leave(client)
            gone.cancel()


def last_event_id(environ: dict[str, Any], scope: Scope) -> int | None:
    """The id to resume after: header ``Last-Event-ID``, else ``?last=``; None when there is none or it is no number."""
    given = environ.get("HTTP_LAST_EVENT_ID") or (parse_qs(scope["query_string"].decode("latin1")).get("last") or [""])[0]
    return int(given) if given.isdecimal() and len(given) < 19 else None


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _write(client: Any, gone: asyncio.Future[None], send: Send) -> None:
    end = time.monotonic() + LONGEST_S
    getter: asyncio.Future[Any] | None = None
    while not gone.done() and not client.closed and time.monotonic() < end:
        getter = getter or asyncio.ensure_future(client.queue.get())
        await asyncio.wait((getter, gone), timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
        if getter.done():
            parts = [getter.result()[1]]
            getter = None
            while not client.queue.empty():
                parts.append(client.queue.get_nowait()[1])
            await send({"type": "http.response.body", "body": b"".join(parts), "more_body": True})
        elif not gone.done():
            await send({"type": "http.response.body", "body": b": keep-alive\n\n", "more_body": True})
    if getter is not None:
        getter.cancel()
    if not gone.done():
        await send({"type": "http.response.body", "body": b"retry: 1000\n\n"})


def asker_of_request(environ: dict[str, Any]) -> Any:
    """The asker of a raw request's session cookie or bearer token, else None (in a thread; touches the database)."""
    from http.cookies import CookieError, SimpleCookie

    from django.contrib.auth import get_user
    from django.contrib.sessions.backends.db import SessionStore
    from django.http import HttpRequest

    from .auth import asker_of_user
    from .tokens import asker_of_token

    kind, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return asker_of_token(token.strip())
    try:
        cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get("sessionid")
    except CookieError:
        return None
    if cookie is None:
        return None
    request = HttpRequest()
    request.session = SessionStore(cookie.value)
    return asker_of_user(get_user(request))


def application() -> Application:
    """Factory for uvicorn."""
    return Application()
