"""From a reading on the socket to a finished task, seen and done in real browsers. The tests of this file go in order."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from .conftest import until
from .screens import PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.stack]


def drawn(page) -> None:
    """Wait until the map is idle (no `wait_for_function`: the page's policy forbids eval)."""
    until(lambda: page.evaluate("window.__ready === true"), 40, "the map is drawn")


def test_wrong_password_is_said(browser, house):
    context = browser.new_context(base_url=house.http)
    page = context.new_page()
    page.goto("/")
    expect(page).to_have_url(re.compile(r"/login"))
    page.get_by_test_id("username").fill("duty")
    page.get_by_test_id("password").fill("wrong")
    page.get_by_test_id("login").click()
    expect(page.get_by_test_id("login-error")).to_be_visible()
    context.close()


def test_one_map_shows_the_stations_and_waits(visit, house):
    page = visit("duty")
    drawn(page)
    assert page.evaluate("!!window.__map.getCanvas().getContext('webgl2')")
    expect(page.get_by_text("此刻无事待决")).to_be_visible()
    expect(page.get_by_test_id("data-age")).to_contain_text("前")
    expect(page.get_by_test_id("offline-count")).to_contain_text("/ 7")
    columns = page.evaluate("fetch('/api/map/stations').then(r => r.json())")
    assert sorted(columns["state"]) == ["ok"] * 7


def test_a_reading_over_its_threshold_becomes_a_card_by_itself(visit, house):
    visit("commander")
    page = visit("duty")
    drawn(page)
    page.evaluate("window.__notReloaded = true")
    house.depth(0.20, 0.29, 0.31)
    card = page.get_by_test_id("queue-proposal")
    expect(card).to_be_visible(timeout=15_000)
    expect(card).to_contain_text("试验路下穿通道")
    expect(card).to_contain_text("建议红", timeout=15_000)
    assert page.evaluate("window.__notReloaded")
    page.locator("[data-testid^=claim-]").click()
    expect(card).to_contain_text("我已认领")
    expect(page.get_by_role("button", name="需指挥长权限")).to_be_disabled()


def test_the_commander_signs_on_the_same_page_by_keyboard(visit, house):
    page = visit("commander")
    drawn(page)
    expect(page.get_by_test_id("sign")).to_be_visible()
    expect(page.get_by_test_id("consequence")).to_contain_text("6 户")
    expect(page.get_by_test_id("panel")).to_contain_text("cm")
    page.locator("body").press("Home")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.dataset?.testid") == "sign":
            break
    focus = page.evaluate(
        "(() => { const e = document.activeElement, s = getComputedStyle(e); return [e.dataset.testid, s.outlineStyle, s.outlineWidth] })()"
    )
    assert focus[0] == "sign", "the sign button is not reached by Tab"
    assert focus[1] != "none" and focus[2] != "0px", f"focus is not visible: {focus}"
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("sign")).to_have_attribute("data-armed", "true")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("signed")).to_be_visible(timeout=15_000)
    expect(page).to_have_url(re.compile(r"/\?k="))
    assert until(lambda: [w for w in house.api("/warnings") if w["grade"] == 4], 10)


def test_the_reach_page_fills_with_the_receipts_of_the_loudspeaker(visit, house):
    until(lambda: house.speaker.heard, 20, "the loudspeaker heard the command")
    warning = house.api("/warnings")[0]["id"]
    page = visit("duty", f"/reach/{warning}")
    expect(page.get_by_test_id("reach-page")).to_be_visible()

    def played() -> int:
        channels = house.api(f"/warnings/{warning}/reach")["channels"]
        return next((c["played"] for c in channels if c["name"] == "loudspeaker"), 0)

    until(lambda: played() == 1, 20, "the loudspeaker's own word")
    reach = house.api(f"/warnings/{warning}/reach")
    assert reach["listed"]["households"] == 6
    assert reach["facts"]["confirmed"] == 0, "a loudspeaker is never a confirmation"
    for words in ("大喇叭 1/1", "101", "601", "网页收件箱"):
        expect(page.get_by_test_id("reach-page")).to_contain_text(words, timeout=20_000)


def test_the_responsible_person_answers_on_the_phone(visit, house):
    page = visit("secretary", "/phone", PHONE)  # the site's own person is called first
    expect(page.get_by_test_id("call")).to_contain_text("试验路下穿通道", timeout=20_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "the phone page is wider than the phone"
    button = page.get_by_test_id("accept")
    assert button.bounding_box()["height"] >= 56
    button.click()
    expect(page.get_by_test_id("answered")).to_contain_text("我去")
    steps = house.api(f"/warnings/{house.api('/warnings')[0]['id']}/reach")["chain"]["steps"]
    assert [s for s in steps if s["state"] == "answered"], steps


def test_a_task_is_accepted_and_done_on_the_phone(visit, house):
    page = visit("secretary", "/phone", PHONE)
    page.get_by_test_id("tab-tasks").click()
    cards = page.locator("[data-testid^=task-task-]")
    expect(cards.first).to_be_visible()
    task = cards.first.get_attribute("data-testid").removeprefix("task-")
    card = page.get_by_test_id(f"task-{task}")
    card.get_by_test_id("task-accept").click()
    card.get_by_test_id("task-done").click()
    card.get_by_test_id("task-text").fill("挡车设施已放下")
    card.get_by_test_id("task-send").click()
    expect(card).to_have_count(0)
    assert until(lambda: house.api(f"/tasks/{task}")["state"] == "done", 10)
    desk = visit("duty", "/command")
    expect(desk.locator("main")).to_contain_text("试验路下穿通道")


def test_lifting_opens_the_hazard_and_its_loop_is_worked_in_the_browser(visit, house):
    house.depth(*[0.01] * 6)
    warning = house.api("/warnings")[0]["id"]
    page = visit("commander", f"/?k=warning&id={warning}")
    page.get_by_test_id("lift").click()
    page.get_by_test_id("lift-text").fill("积水已退")
    page.get_by_test_id("lift-send").click()
    until(lambda: house.api(f"/warnings/{warning}")["state"] != "issued", 15, "lifted")
    hazard = until(lambda: house.api("/hazards"), 15, "the hazard behind the warning")
    hazard = (hazard if isinstance(hazard, list) else hazard["rows"])[0]["id"]
    page = visit("supervisor", f"/hazards/{hazard}")
    expect(page.get_by_test_id("hazard-detail")).to_be_visible()
    page.get_by_test_id("hazard-grade").click()
    page.get_by_test_id("hazard-note").fill("一般隐患")
    page.get_by_test_id("hazard-send").click()
    expect(page.get_by_test_id("hazard-order")).to_be_visible()
    assert house.api(f"/hazards/{hazard}")["state"] == "graded"


def test_the_trace_leads_back_to_the_reading(visit, house):
    hazards = house.api("/hazards")
    hazard = (hazards if isinstance(hazards, list) else hazards["rows"])[0]["id"]
    page = visit("supervisor", f"/trace/{hazard}")
    expect(page.get_by_test_id("trace-page")).to_be_visible()
    kinds = page.evaluate("[...document.querySelectorAll('tr[data-kind]')].map(r => r.dataset.kind)")
    assert {"read", "find", "prop", "warn", "haz"} <= set(kinds), kinds
    row = page.locator("tr[data-kind=read] a").first
    row.click()
    expect(page).to_have_url(re.compile("/trace/read-"))
