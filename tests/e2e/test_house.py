"""Rights, language, keyboard and screen reader, bad input and a killed web process, on the real stack."""

from __future__ import annotations

import contextlib
import os
import re
import signal

import pytest
from playwright.sync_api import expect

from .conftest import until

pytestmark = [pytest.mark.e2e, pytest.mark.stack]
PAGES = ("/", "/monitor", "/reach", "/command", "/hazards", "/duty", "/ledgers/site", "/system")
# what every page must hold for a screen reader and a keyboard (the checks of axe's rules of the same names)
BASICS = """() => {
  const faults = []
  const seen = e => e.offsetParent !== null || getComputedStyle(e).position === 'fixed'
  const name = e => (e.getAttribute('aria-label') || e.getAttribute('title') || e.textContent || '').trim()
    || [...(e.labels ?? [])].map(l => l.textContent.trim()).join('') || e.getAttribute('placeholder') || ''
  for (const e of document.querySelectorAll('button, a[href], input, select, textarea, [role=button]'))
    if (seen(e) && !name(e)) faults.push('no name: ' + e.outerHTML.slice(0, 120))
  for (const e of document.querySelectorAll('img')) if (!e.hasAttribute('alt')) faults.push('img without alt')
  for (const e of document.querySelectorAll('[onclick]:not(button):not(a)')) faults.push('click without role')
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id)
  if (new Set(ids).size !== ids.length) faults.push('double ids: ' + ids.filter((v, i) => ids.indexOf(v) !== i))
  if (document.querySelectorAll('main').length !== 1) faults.push('not one main landmark')
  if (!document.documentElement.lang) faults.push('no language')
  if (!document.title) faults.push('no title')
  for (const e of document.querySelectorAll('[tabindex]')) if (e.tabIndex > 0) faults.push('positive tabindex')
  for (const t of document.querySelectorAll('table')) if (!t.querySelector('th')) faults.push('table without heads')
  return faults
}"""


@pytest.mark.parametrize("path", PAGES)
def test_every_page_names_its_controls_in_both_languages(visit, path):
    page = visit("commander", path)
    page.wait_for_timeout(600)
    assert page.evaluate(BASICS) == []
    assert page.evaluate("document.documentElement.lang").startswith("zh")
    page.get_by_test_id("lang").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")  # the names in Latin letters are fetched first
    page.wait_for_timeout(300)
    headings = page.evaluate("[...document.querySelectorAll('.tabs a, h1, th, .seg button')].map(e => e.textContent.trim())")
    left = [h for h in headings if re.search(r"[\u4e00-\u9fff]", h) and "试验" not in h]
    page.get_by_test_id("lang").click()
    assert left == [], "Chinese words on the English page"


def test_no_page_is_wider_than_the_screen(visit):
    page = visit("commander", "/")
    for size in ((1440, 900), (1280, 800)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        for path in PAGES:
            page.goto(path)
            page.wait_for_timeout(400)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, f"{path} at {size}"
    page.set_viewport_size({"width": 1440, "height": 900})


def test_a_ledger_is_edited_and_remembers_who(visit, house):
    page = visit("registrar", f"/ledgers/site/{house.facts['site']}")
    page.get_by_test_id("edit").click()
    field = page.get_by_test_id("field-name_en")
    field.fill("Trial Rd tunnel")
    page.get_by_test_id("save").click()
    expect(page.get_by_test_id("history")).to_contain_text("Trial Rd tunnel")
    assert house.api(f"/ledgers/site/{house.facts['site']}")["row"]["name_en"] == "Trial Rd tunnel"


def test_who_may_not_edit_sees_no_button(visit, house):
    page = visit("duty", f"/ledgers/site/{house.facts['site']}")
    expect(page.get_by_test_id("ledger-detail")).to_be_visible()
    expect(page.get_by_test_id("edit")).to_have_count(0)


def test_another_street_sees_nothing_of_this_one(visit, house, visitors):
    page = visit("other-street", "/ledgers/site")
    expect(page.locator("main")).to_contain_text("试验易涝点 2")
    expect(page.locator("main")).not_to_contain_text("下穿通道")
    assert page.evaluate(f"fetch('/api/ledgers/site/{house.facts['site']}').then(r => r.status)") in (403, 404)
    assert page.evaluate(f"fetch('/api/sites/{house.facts['site']}').then(r => r.status)") in (403, 404)
    names = page.evaluate("fetch('/api/map/stations').then(r => r.json()).then(s => s.code)")
    assert names and "FLOOD-1-01" not in names
    assert page.evaluate("fetch('/api/desk/queue').then(r => r.json())") == []
    visitors["other-street"].said.clear()  # the requests refused on purpose


def test_malformed_data_stand_on_the_system_page_with_their_reason(visit, house):
    page = visit("keeper", "/system")
    expect(page.get_by_test_id("health")).to_be_visible()
    house.push("DEV-FLOOD-3", b'{"t": 17, "v": {"water_depth": 0.', b"\xff\xfe nonsense")
    expect(page.get_by_test_id("letters")).to_contain_text("DEV-FLOOD-3", timeout=20_000)
    letter = page.get_by_test_id("letters").locator("li").filter(has_text="DEV-FLOOD-3").first
    letter.locator("summary").click()
    expect(letter.locator("pre")).to_be_visible()
    before = len(house.api("/letters"))
    letter.locator("[data-testid^=letter-done-]").click()
    until(lambda: len(house.api("/letters")) < before, 10, "the letter is closed")
    house.depth(0.013, device="DEV-FLOOD-3")


def test_a_killed_web_process_is_said_and_comes_back_with_the_data(visit, house, visitors):
    page = visit("duty", "/")
    until(lambda: page.evaluate("window.__ready === true"), 40, "the map is drawn")
    page.evaluate("window.__notReloaded = true")

    def struck() -> bool:  # a single kill is over before the strip is due (1.5 s): strike until it is seen
        with contextlib.suppress(ProcessLookupError):
            os.kill(house.stack.pids()["web"], signal.SIGKILL)
        return bool(page.get_by_test_id("line-lost").is_visible())

    until(struck, 20, "the lost line is said")
    house.depth(0.16, 0.17, device="DEV-FLOOD-5")  # the gateway goes on: nothing is lost
    expect(page.get_by_test_id("line-lost")).to_have_count(0, timeout=60_000)
    card = page.get_by_test_id("queue-proposal")
    expect(card.filter(has_text="试验易涝点 5 · 建议橙")).to_be_visible(timeout=30_000)
    assert page.evaluate("window.__notReloaded")
    visitors["duty"].said.clear()  # refused requests of the outage
