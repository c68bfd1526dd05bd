"""The screens of the ui as a test sees them: what a person would do, by `data-testid` (Playwright, sync)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, expect

ROOT = Path(__file__).resolve().parents[2]
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
FLAGS = ["--no-sandbox", "--enable-unsafe-swiftshader", "--use-angle=swiftshader"]  # WebGL 2 without a graphics card
NOISE = ("GPU stall", "GroupMarker", "Failed to load resource")


def launch(playwright: Playwright) -> Browser:
    """A headless Chromium: the one that `tools/find_chromium.py` finds (or installs)."""
    spec = importlib.util.spec_from_file_location("find_chromium", ROOT / "tools" / "find_chromium.py")
    assert spec and spec.loader
    finder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(finder)
    return playwright.chromium.launch(executable_path=finder.find(), args=FLAGS)


class Screen:
    """One browser window on the platform; `faults` collects what the page complained about."""

    def __init__(self, browser: Browser, base: str, size: dict[str, int] | None = None, lang: str = "zh"):
        self.base, self.faults = base, []  # type: ignore[var-annotated]
        self.context = browser.new_context(viewport=size or DESK)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.page.add_init_script(f"localStorage.getItem('anlan.lang') || localStorage.setItem('anlan.lang', '{lang}')")
        self.page.on("pageerror", lambda e: self.faults.append(str(e)))
        self.page.on("console", self._heard)

    def _heard(self, message: Any) -> None:
        if message.type == "error" and not any(n in message.text for n in NOISE):
            self.faults.append(message.text)

    def by(self, name: str) -> Any:
        """The element of a test id."""
        return self.page.get_by_test_id(name)

    def open(self, path: str) -> Screen:
        """Go to a path of the platform."""
        self.page.goto(self.base + path)
        return self

    def log_in(self, user: str, password: str) -> Screen:
        """Log in and wait for the first page."""
        self.open("/login")
        self.by("username").fill(user)
        self.by("password").fill(password)
        self.by("login").click()
        self.page.wait_for_function("location.pathname !== '/login'", timeout=25_000)
        return self

    def map_ready(self) -> Screen:
        """The map has drawn everything."""
        self.page.wait_for_function("window.__ready === true", timeout=30_000)
        return self

    def choose(self, kind: str, subject: str = "") -> Screen:
        """Open a matter of the desk's queue (the first of its kind, or the one named)."""
        item = self.page.locator(f'[data-testid="queue-{kind}"]' + (f'[data-id="{subject}"]' if subject else "")).first
        item.locator(".open").click()
        return self

    def sign(self) -> Screen:
        """Sign the proposal that is open: two presses."""
        self.by("sign").click()
        expect(self.by("sign")).to_have_attribute("data-armed", "true")
        self.by("sign").click()
        expect(self.by("signed")).to_be_visible(timeout=15_000)
        return self

    def decline(self, reason: str) -> Screen:
        """Decide not to sign, with the reason."""
        self.by("decline").click()
        self.by("decline-text").fill(reason)
        self.by("decline-send").click()
        expect(self.by("declined")).to_be_visible(timeout=15_000)
        return self

    def answer(self, accept: bool = True) -> Screen:
        """Phone: answer the call that is shown."""
        self.by("accept" if accept else "refuse").click()
        if not accept:
            self.by("refuse-send").click()
        expect(self.by("answered")).to_be_visible(timeout=15_000)
        return self

    def close(self) -> None:
        """Close the window."""
        self.context.close()
