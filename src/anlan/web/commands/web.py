"""``anlan web``: the HTTP API, live stream, tiles and ui."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...base import settings as conf
from ...base.errors import AnlanError

HELP = ("网页与接口服务", "serve the web pages and the API")
FIRST_PORT = 8600
GRACE_S = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options; the settings give the defaults."""
    parser.add_argument("--port", type=int, default=None, help="port; 0 finds a free one, 8600 first")
    parser.add_argument("--bind", default=None, help="address to listen on")


def listen(bind: str, port: int) -> socket.socket:
    """A listening socket: the asked port, or 8600 or the next free one; AnlanError when the asked one is taken."""
    wanted = [port] if port else [*range(FIRST_PORT, FIRST_PORT + 1), 0]
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    last: OSError | None = None
    for candidate in wanted:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((bind, candidate))
            made.listen(1024)
            made.set_inheritable(True)
            return made
        except OSError as error:
            made.close()
            last = error
    raise AnlanError(
        "web.port_taken",
        f"端口 {bind}:{port} 无法监听（{last}）；换一个 ANLAN_HTTP_PORT，或停掉占用它的程序",
        f"cannot listen on {bind}:{port} ({last}); choose another ANLAN_HTTP_PORT or stop what holds it",
    )


def say_ready(address: str) -> None:
    """Write the readiness file, if the supervisor asked for one (whole, by rename)."""
    name = os.environ.get("ANLAN_READY_FILE")
    if name:
        part = Path(f"{name}.part")
        part.write_text(json.dumps({"address": address, "http": address, "pid": os.getpid()}))
        part.rename(name)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C; then end open streams and leave."""
    import uvicorn

    from ..asgi import Application

    logging.basicConfig(level=str(conf.get("LOG_LEVEL")).upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("django.request").setLevel(logging.ERROR)  # a 401 is no warning
    bind = args.bind or conf.get("BIND")
    sock = listen(bind, conf.get("HTTP_PORT") if args.port is None else args.port)
    shown = f"[{bind}]" if ":" in bind else bind
    address = f"http://{'127.0.0.1' if bind in ('0.0.0.0', '::') else shown}:{sock.getsockname()[1]}"
    app = Application()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.leave)
            await super().startup(sockets)
            say_ready(address)
            logging.getLogger("anlan.web").info("ready at %s", address)

        def leave(self) -> None:
            app.hub.close_clients()
            self.force_exit = self.should_exit
            self.should_exit = True

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=64 * 1024,
    )
    Server(config).run(sockets=[sock])
    return 0
