"""Everybody can use it: axe-core finds no serious fault on the main pages, and the deciding actions work without a mouse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from .screens import DESK, PHONE, ROOT, Screen
from .test_ui_on_mock import browser, mock  # noqa: F401  (fixtures)

pytestmark = pytest.mark.e2e
AXE = ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = (
    "/?k=proposal&id=prop-1",
    "/monitor",
    "/monitor/site-LH-B-0417",
    "/reach",
    "/command",
    "/hazards",
    "/orders",
    "/duty",
    "/trace/warn-1",
    "/ledgers",
    "/system",
    "/login",
)
PHONES = ("/phone", "/h/token")
# the map itself is a picture of what the lists say in words
FIND = """async () => {
  const r = await axe.run(document, {resultTypes: ['violations'], exclude: [], rules: {region: {enabled: false}}})
  return r.violations.filter(v => ['serious', 'critical'].includes(v.impact))
    .map(v => `${v.impact} ${v.id}: ${v.nodes.length} x ${v.nodes[0].html.slice(0, 160)} | ${v.nodes[0].failureSummary.slice(0, 200)}`)
}"""


@pytest.fixture(autouse=True)
def axe_is_there() -> None:
    assert AXE.is_file(), "axe-core is missing: run tools/build_ui.py --force"


def settle(page: Page) -> None:
    """Wait until nothing more is being fetched and the first picture stands."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(400)


def faults(page: Page) -> list[str]:
    """What axe-core calls serious or critical here."""
    page.add_script_tag(path=str(AXE))
    return list(page.evaluate(FIND))


@pytest.fixture(params=["dark", "light"])
def theme(request: pytest.FixtureRequest) -> Iterator[str]:
    yield request.param


def test_no_serious_fault_on_the_desk_pages(browser: Browser, mock: str, theme: str) -> None:  # noqa: F811
    screen = Screen(browser, mock, DESK)
    screen.page.add_init_script(f"localStorage.setItem('anlan.theme', '{theme}')")
    found = {}
    for path in PAGES:
        screen.open(path)
        settle(screen.page)
        if here := faults(screen.page):
            found[path] = here
    screen.close()
    assert not found, "\n".join(f"{path}: {line}" for path, lines in found.items() for line in lines)


def test_no_serious_fault_on_the_phone(browser: Browser, mock: str) -> None:  # noqa: F811
    screen = Screen(browser, mock, PHONE, lang="en")
    found = {}
    for path in PHONES:
        screen.open(path)
        settle(screen.page)
        if here := faults(screen.page):
            found[path] = here
        if path == "/phone":
            screen.by("open-doors").click()
            settle(screen.page)
            if here := faults(screen.page):
                found["doors"] = here
    screen.close()
    assert not found, "\n".join(f"{path}: {line}" for path, lines in found.items() for line in lines)


def tab_to(page: Page, name: str, most: int = 60) -> None:
    """Press Tab until the control of this test id has the focus, and see that the focus can be seen."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.dataset?.testid ?? ''") == name:
            width = page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
            assert width >= 2, f"{name}: the focus cannot be seen"
            return
    raise AssertionError(f"{name} is not reached by {most} presses of Tab")


def test_claim_and_sign_without_a_mouse(browser: Browser, mock: str) -> None:  # noqa: F811
    screen = Screen(browser, mock).open("/?k=proposal&id=prop-1")
    page = screen.page
    expect(screen.by("sign")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    tab_to(page, "claim-prop-1")
    page.keyboard.press("Enter")
    expect(page.locator('[data-id="prop-1"] .who')).to_be_visible()
    tab_to(page, "sign")
    page.keyboard.press("Enter")
    expect(screen.by("sign")).to_have_attribute("data-armed", "true")
    page.keyboard.press("Enter")
    expect(screen.by("signed")).to_be_visible(timeout=15_000)
    screen.close()


def test_escape_closes_a_form_then_the_panel(browser: Browser, mock: str) -> None:  # noqa: F811
    screen = Screen(browser, mock).open("/?k=proposal&id=prop-1")
    page = screen.page
    tab_to(page, "decline", 120)
    page.keyboard.press("Enter")
    expect(screen.by("decline-text")).to_be_focused()
    page.keyboard.press("Escape")
    expect(screen.by("decline-text")).to_have_count(0)
    expect(screen.by("sign")).to_be_visible()
    screen.close()


def test_doors_are_answered_without_a_network(browser: Browser, mock: str) -> None:  # noqa: F811
    screen = Screen(browser, mock, PHONE).open("/phone")
    screen.by("open-doors").click()
    door = screen.by("door-6")
    expect(door).to_be_visible()
    screen.context.set_offline(True)
    door.locator(".absent").click()
    expect(screen.by("doors-kept")).to_be_visible()
    door.locator(".acted").click()  # changed one's mind: the newest answer counts, one thing waits
    assert len(screen.page.evaluate("JSON.parse(localStorage.getItem('anlan.kept'))")) == 1
    screen.context.set_offline(False)
    expect(screen.by("doors-kept")).to_have_count(0, timeout=20_000)
    screen.page.reload()
    screen.by("open-doors").click()
    expect(screen.by("door-6")).to_have_attribute("data-said", "acted")
    screen.close()
