"""A clerk's day begins at the page Today, and does not need a mouse."""

import re

from playwright.sync_api import expect


def test_clerk_opens_his_work_by_keyboard(visitor, site):
    clerk = visitor()
    clerk.login(*site.logins["clerk"])
    page = clerk.go("/odoo/onergy-today")
    cards = page.locator(".o_kanban_record:not(.o_kanban_ghost)")
    expect(cards.first).to_be_visible()
    page.locator(".o_searchview_input").focus()
    page.keyboard.press("ArrowDown")
    first = cards.first
    expect(first).to_be_focused()
    style = "getComputedStyle(element)"
    seen = f"element => {style}.outlineStyle !== 'none' || {style}.boxShadow !== 'none'"
    assert first.evaluate(seen), "it cannot be seen which card is chosen"
    page.keyboard.press("ArrowRight")
    second = cards.nth(1)
    expect(second).to_be_focused()
    waiting = int(second.locator(".display-6").inner_text())
    clerk.picture("95-vandaag-met-toetsen")
    page.keyboard.press("Enter")
    expect(page).not_to_have_url(re.compile(r"/onergy-today$"))
    expect(page.locator(".o_breadcrumb")).to_contain_text("Vandaag")
    rows = page.locator(".o_data_row, .o_kanban_record:not(.o_kanban_ghost)")
    expect(rows).to_have_count(waiting)
    page.keyboard.press("Escape")
    # The way back: Odoo's own shortcut to the breadcrumb before this one.
    page.keyboard.press("Alt+b")
    expect(page).to_have_url(re.compile(r"/odoo/onergy-today$"))
