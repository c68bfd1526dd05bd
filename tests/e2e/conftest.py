"""One real platform and one real Chromium for all browser tests; missing either is a failure, never a skip."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from stack import RunningStack

from .screens import DESK, ROOT, launch

# said by the software renderer and by the browser itself when a request is refused on purpose or the server is away
NOISE = re.compile(
    r"GPU stall|GL Driver Message|Automatic fallback to software WebGL|net::ERR_(CONNECTION|INCOMPLETE|NETWORK|EMPTY|ABORTED)"
)


def until(what: Callable[[], Any], seconds: float = 30, said: str = "") -> Any:
    """The first true answer of `what`; AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {said or what}")


@dataclass
class House:
    """The running platform, its people's password and its devices' secret."""

    stack: RunningStack
    http: str
    host: str
    port: int
    facts: dict[str, str]
    speaker: Any = None
    allowed: list[str] = field(default_factory=list)

    def api(self, path: str) -> Any:
        """An API answer for the administrator."""
        import httpx

        answer = httpx.get(f"{self.http}/api{path}", headers={"Authorization": f"Bearer {self.stack.info['token']}"}, timeout=20)
        answer.raise_for_status()
        return answer.json()

    def push(self, device: str, *payloads: bytes | dict[str, Any]) -> None:
        """Readings (or anything) of one device over MQTT, each acknowledged."""
        import aiomqtt

        async def send() -> None:
            async with aiomqtt.Client(
                self.host, self.port, identifier=device, username=device, password=self.facts["secret"], timeout=20
            ) as client:
                for p in payloads:
                    await client.publish(f"up/{device}", p if isinstance(p, bytes) else json.dumps(p).encode(), qos=1)

        with ThreadPoolExecutor(1) as apart:  # Playwright keeps a loop of its own in the test's thread
            apart.submit(lambda: asyncio.run(send())).result(60)

    def depth(self, *metres: float, device: str = "DEV-FLOOD-1") -> None:
        """Depth readings a second apart, the last one now."""
        now = int(time.time() * 1000)  # the device's own clock
        self.push(device, *({"t": now - 1000 * (len(metres) - 1 - i), "v": {"water_depth": m}} for i, m in enumerate(metres)))


def loudspeaker(house: House) -> Any:
    """The twin's loudspeaker on its real connection, in a thread of its own."""
    from anlan.twin.fleet import Credential, Fleet, Speaker

    speaker = Speaker(Credential(house.host, house.port, "SPK-1", "SPK-1", house.facts["secret"]))
    threading.Thread(target=lambda: asyncio.run(Fleet([], [speaker]).run()), daemon=True).start()
    return speaker


@pytest.fixture(scope="package")
def house() -> Iterator[House]:
    """`anlan up` on a temporary folder with the small place in it and every gauge reporting."""
    assert (ROOT / "src/anlan/web/static/index.html").is_file(), "the ui is not built: run tools/build_ui.py"
    stack = RunningStack()
    try:
        info = stack.start()
        environment = {**stack.environment, "ANLAN_DATA": str(stack.data)}
        script = str(Path(__file__).with_name("place.py"))
        made = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=120)
        assert made.returncode == 0, made.stderr
        host, _, port = info["mqtt"].rpartition(":")
        house = House(stack, info["http"], host, int(port), json.loads(made.stdout.splitlines()[-1]))
        house.speaker = loudspeaker(house)
        for n in range(1, 8):
            house.depth(0.01, 0.012, device=f"DEV-FLOOD-{n}")
        until(lambda: house.api("/map/stations")["live"] == 7, 30, "seven live stations")
        yield house
    finally:
        stack.remove()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium: ``ANLAN_CHROMIUM``, else the one that tools/find_chromium.py finds; fails when there is none."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        try:
            chromium = launch(play)
        except SystemExit as none:
            pytest.fail(str(none))
        yield chromium
        chromium.close()


class Visitor:
    """A person at a browser: a page that is logged in, and what its console said."""

    def __init__(self, browser: Any, house: House, user: str, size: dict[str, int]):
        self.house, self.user, self.said = house, user, []
        place = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai"}
        self.context = browser.new_context(base_url=house.http, viewport=size, reduced_motion="reduce", **place)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", lambda m: m.type == "error" and self.said.append(f"{m.text} {m.location.get('url', '')}"))
        self.page.on("pageerror", lambda e: self.said.append(f"page error: {e}"))

    def log_in(self) -> Any:
        """Through the log-in page."""
        self.page.goto("/login")
        self.page.get_by_test_id("username").fill(self.user)
        self.page.get_by_test_id("password").fill(self.house.facts["password"])
        self.page.get_by_test_id("login").click()
        self.page.wait_for_url(lambda url: not url.endswith("/login"))
        return self.page

    def errors(self) -> list[str]:
        """Console errors that are not noise."""
        return [s for s in self.said if not NOISE.search(s)]


@pytest.fixture(scope="module")
def visitors(browser: Any, house: House) -> Iterator[dict[str, Visitor]]:
    """Those logged in so far, by user name; closed at the end."""
    known: dict[str, Visitor] = {}
    yield known
    for v in known.values():
        v.context.close()


@pytest.fixture
def visit(browser: Any, house: House, visitors: dict[str, Visitor]) -> Iterator[Callable[..., Any]]:
    """``visit("commander", "/")`` gives that person's page there; afterwards no console may have complained."""
    asked: list[Visitor] = []

    def go(user: str, path: str = "/", size: dict[str, int] = DESK) -> Any:
        if user not in visitors:
            visitors[user] = Visitor(browser, house, user, size)
            visitors[user].log_in()
        one = visitors[user]
        one.said.clear()
        asked.append(one)
        one.page.goto(path)
        return one.page

    yield go
    complaints = {v.user: v.errors() for v in asked if v.errors()}
    assert not complaints, complaints
