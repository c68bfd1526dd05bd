"""From ASGI to the synchronous house: each request runs in a fixed pool of threads.

Django's own ASGI handler makes a new thread, and so a new database connection, per request; a fixed
pool keeps its connections warm (one per thread that is really used).
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any
from urllib.parse import quote

import orjson

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Environ = dict[str, Any]

THREADS = 8
LARGEST_BODY = 64 * 1024 * 1024  # an Excel ledger of 85,000 rows is about 8 MB
_CHUNK = 256 * 1024


def headers_environ(scope: Scope) -> Environ:
    """The request's headers in CGI names (``HTTP_ACCEPT``, ``CONTENT_TYPE`` …)."""
    found: Environ = {}
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin1").upper().replace("-", "_")
        if name not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            name = f"HTTP_{name}"
        value = raw_value.decode("latin1")
        joiner = "; " if name == "HTTP_COOKIE" else ","
        found[name] = f"{found[name]}{joiner}{value}" if name in found else value
    return found


def environ_of(scope: Scope, body: IO[bytes], length: int) -> Environ:
    """The WSGI environment of an ASGI request whose body has been read."""
    host, port = scope.get("server") or ("localhost", 80)
    environ = headers_environ(scope)
    environ.update(
        {
            "REQUEST_METHOD": scope["method"],
            "SCRIPT_NAME": "",
            "PATH_INFO": scope["path"].encode("utf-8", "surrogateescape").decode("latin1"),
            "QUERY_STRING": scope["query_string"].decode("latin1"),
            "SERVER_NAME": str(host),
            "SERVER_PORT": str(port or 80),
            "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
            "REMOTE_ADDR": (scope.get("client") or ("", 0))[0],
            "RAW_URI": quote(scope["path"]),
            "CONTENT_LENGTH": str(length),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": scope.get("scheme", "http"),
            "wsgi.input": body,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
    )
    return environ


async def read_body(receive: Receive, largest: int = LARGEST_BODY) -> tuple[IO[bytes], int] | None:
    """The whole body (on disk above 1 MB) and its length; None when it is larger than allowed or the client left."""
    body = tempfile.SpooledTemporaryFile(max_size=1024 * 1024)  # noqa: SIM115 - closed by the caller
    length = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            body.close()
            return None
        chunk = message.get("body", b"")
        length += len(chunk)
        if length > largest:
            body.close()
            return None
        body.write(chunk)
        if not message.get("more_body"):
            body.seek(0)
            return body, length


class Bridge:
    """An ASGI application around a WSGI one."""

    def __init__(self, wsgi: Callable[[Environ, Any], Iterable[bytes]], threads: int = THREADS):
        self.wsgi = wsgi
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="web")

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """`function(*args)` in a thread of the pool."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, function, *args)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        given = await read_body(receive)
        if given is None:
            await refuse(
                send, 413, "web.too_large", "请求过大（上限 64 MB），请分批上传", "request too large (limit 64 MB); send it in parts"
            )
            return
        body, length = given
        loop = asyncio.get_running_loop()
        try:
            await self.run(self._respond, scope, body, length, loop, send)
        finally:
            body.close()

    def _respond(self, scope: Scope, body: IO[bytes], length: int, loop: asyncio.AbstractEventLoop, send: Send) -> None:
        head: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            head["status"] = int(status.split(" ", 1)[0])
            head["headers"] = [(k.lower().encode("latin1"), v.encode("latin1")) for k, v in headers]
            return None

        result = self.wsgi(environ_of(scope, body, length), start_response)
        try:
            chunks = list(result) if isinstance(result, (list, tuple)) else None
            if chunks is not None or getattr(result, "streaming", None) is False:
                self._say(loop, _whole(send, head, b"".join(chunks if chunks is not None else result)))
                return
            self._say(loop, send({"type": "http.response.start", **head}))
            for chunk in result:
                for at in range(0, len(chunk), _CHUNK):
                    self._say(loop, send({"type": "http.response.body", "body": chunk[at : at + _CHUNK], "more_body": True}))
            self._say(loop, send({"type": "http.response.body", "body": b""}))
        finally:
            close = getattr(result, "close", None)
            if close:
                close()

    @staticmethod
    def _say(loop: asyncio.AbstractEventLoop, message: Any) -> None:
        asyncio.run_coroutine_threadsafe(message, loop).result()

    def close(self) -> None:
        """Let the threads end."""
        self.pool.shutdown(wait=False, cancel_futures=True)


async def _whole(send: Send, head: dict[str, Any], body: bytes) -> None:
    await send({"type": "http.response.start", **head})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, status: int, code: str, zh: str, en: str) -> None:
    """A short JSON refusal."""
    body = orjson.dumps({"code": code, "zh": zh, "en": en, "retry": status == 503})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 503:
        headers.append((b"retry-after", b"2"))
    await _whole(send, {"status": status, "headers": headers}, body)
