"""The ui alone, on its own mock server: what a person can do, with and without the network. Node is the one that builds the ui."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from .screens import PHONE, ROOT, Screen, launch

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = launch(playwright)
        yield found
        found.close()


def build_ui() -> Any:
    """tools/build_ui.py as a module: it knows where Node is, or gets it."""
    spec = importlib.util.spec_from_file_location("build_ui", ROOT / "tools" / "build_ui.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def mock() -> Iterator[str]:
    builder = build_ui()
    assert builder.is_current(), "the ui is not built, or not from these sources: run tools/build_ui.py"
    builder.link_dist()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([builder.find_node(), "dev/mock.mjs", str(port)], cwd=ROOT / "ui", stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


def test_the_desk_signs_without_a_page_change(browser: Browser, mock: str) -> None:
    desk = Screen(browser, mock)
    desk.page.request.post(f"{mock}/api/mock/trouble", data={})  # trouble of the house itself is said on every screen
    desk.open("/").map_ready()
    expect(desk.by("demo-label")).to_be_visible()
    strip = desk.by("condition-engines.disk")
    expect(strip).to_contain_text("磁盘剩 3 GB")
    strip.get_by_role("button").click()
    expect(strip).to_have_count(0)
    address = desk.page.url.partition("?")[0]
    desk.choose("proposal", "prop-1")
    expect(desk.by("consequence")).to_contain_text("126")
    desk.by("claim-prop-1").click()
    expect(desk.page.locator('[data-id="prop-1"] .who')).to_be_visible()
    desk.sign()
    assert desk.page.url.partition("?")[0] == address
    drawn = "window.__map.querySourceFeatures('reach').filter(f => f.properties.state === 'played').length"
    desk.page.wait_for_function(f"{drawn} >= 5", timeout=20_000)  # circles fill as receipts come in
    assert desk.faults == []
    desk.close()


def test_one_press_signs_nothing(browser: Browser, mock: str) -> None:
    desk = Screen(browser, mock).open("/?k=proposal&id=prop-1")
    desk.by("sign").click()
    desk.page.wait_for_timeout(5_600)
    expect(desk.by("sign")).to_have_attribute("data-armed", "false")
    desk.close()


def test_keyboard_walks_the_queue_and_english_fits(browser: Browser, mock: str) -> None:
    desk = Screen(browser, mock, lang="en").open("/")
    first = desk.page.locator('[data-testid="queue"] .open').first
    first.focus()
    desk.page.keyboard.press("ArrowDown")
    desk.page.keyboard.press("Enter")
    expect(desk.by("queue-call").locator(".open")).to_have_attribute("aria-current", "true")
    wide = desk.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    desk.by("lang").click()
    expect(desk.by("nav-desk")).to_contain_text("一张图")
    desk.close()


def test_a_lost_line_is_said_and_the_picture_stays(browser: Browser, mock: str) -> None:
    desk = Screen(browser, mock).open("/")
    expect(desk.by("queue-proposal").first).to_be_visible()
    desk.context.set_offline(True)
    desk.page.evaluate("window.dispatchEvent(new Event('offline'))")
    expect(desk.by("line-lost")).to_be_visible(timeout=40_000)
    expect(desk.by("queue-proposal").first).to_be_visible()
    desk.context.set_offline(False)
    expect(desk.by("line-lost")).to_be_hidden(timeout=40_000)
    desk.close()


def test_an_answer_without_network_is_kept_and_sent(browser: Browser, mock: str) -> None:
    phone = Screen(browser, mock, PHONE).open("/phone")
    expect(phone.by("countdown")).to_be_visible()
    box = phone.by("accept").bounding_box()
    assert box and box["height"] >= 56 and box["y"] > PHONE["height"] / 2  # in the thumb zone
    phone.context.set_offline(True)
    phone.answer()
    expect(phone.by("kept")).to_be_visible()
    asked = "http" + mock.removeprefix("http") + "/api/calls?mine=1"
    assert b'"state":"calling"' in urllib.request.urlopen(asked).read()
    phone.context.set_offline(False)
    expect(phone.by("kept")).to_be_hidden(timeout=20_000)
    assert b'"state":"answered"' in urllib.request.urlopen(asked).read()
    phone.close()


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/monitor/site-LH-B-0417", "chart-inverse"),
        ("/reach/warn-1", "door-list"),
        ("/command/inc-1", "orders"),
        ("/hazards", "hazard-detail"),
        ("/duty", "case-detail"),
        ("/trace/case-1", "trace-page"),
        ("/ledgers/site/site-3", "history"),
        ("/system", "letters"),
        ("/h/token", "known"),
    ],
)
def test_every_page_opens_without_a_fault(browser: Browser, mock: str, path: str, seen: str) -> None:
    page = Screen(browser, mock).open(path)
    expect(page.by(seen)).to_be_visible(timeout=15_000)
    assert page.faults == []
    page.close()


def test_an_import_is_tried_before_it_is_stored(browser: Browser, mock: str) -> None:
    page = Screen(browser, mock).open("/ledgers/site")
    page.by("import").click()
    page.by("import-file").set_input_files({"name": "sites.csv", "mimeType": "text/csv", "buffer": "编码,名称\nA,B\n".encode()})
    expect(page.by("import-go")).to_be_disabled()
    page.by("import-dry").click()
    expect(page.by("import-result")).to_contain_text("12")
    expect(page.by("import-go")).to_be_enabled()
    page.close()


def test_a_standing_order_is_signed_and_ended_by_keyboard(browser: Browser, mock: str) -> None:
    desk = Screen(browser, mock).open("/")
    desk.by("nav-orders").click()
    expect(desk.by("order-order-1")).to_contain_text("红色即响")
    expect(desk.by("order-order-0")).to_have_count(0)  # an ended version is not among those in force
    desk.by("order-add").press("Enter")
    expect(desk.by("order-title")).to_be_focused()
    desk.by("order-title").fill("橙色即播")
    desk.by("order-area").select_option("440303")
    desk.by("order-sign").press("Enter")
    expect(desk.by("order-failed")).to_be_visible()  # it would do nothing
    desk.by("order-does-play").press("Space")
    desk.by("order-sign").press("Enter")
    expect(desk.by("order-sign")).to_have_attribute("data-armed", "true")
    expect(desk.by("order-order-3")).to_have_count(0)  # one press signs nothing
    desk.by("order-sign").press("Enter")
    expect(desk.by("order-order-3")).to_contain_text("橙色即播")
    desk.by("order-end-order-3").press("Enter")
    expect(desk.by("order-reason")).to_be_focused()
    expect(desk.by("order-end-send")).to_be_disabled()
    desk.by("order-reason").fill("汛期结束")
    desk.by("order-end-send").press("Enter")
    expect(desk.by("order-order-3")).to_have_count(0)
    desk.by("orders-ended").click()
    expect(desk.by("order-order-3")).to_have_attribute("data-state", "ended")
    desk.page.set_viewport_size(PHONE)
    assert desk.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert desk.faults == []
    desk.close()
