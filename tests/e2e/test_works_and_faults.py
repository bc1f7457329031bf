"""A fault is reported, told to the building and solved; help for who is new."""

import re

import pytest
from support import html_of

NEIGHBOUR = """
contract = env["onergy.contract"].search([
    ("state", "=", "running"), ("complex_id.code", "=", "LK"),
    ("partner_id.email", "!=", False), ("partner_id.user_ids", "=", False)],
    order="id desc", limit=1)
"""
LAST_NOTICE = "env['onergy.notice'].search([], order='id desc', limit=1)"
NEW_COLLEAGUE = """
from odoo.tests.common import new_test_user
new_test_user(env, "nieuwe-collega", "onergy_residents.group_customer_service",
    name="Nieuwe collega", email="nieuw@example.com", lang="nl_NL",
    password="een lang wachtwoord")
"""


@pytest.mark.parametrize("width", ["1280", "390"])
def test_from_fault_to_solved(site, visitor, mailbox, width):
    resident = visitor(width)
    resident.login(*site.logins["resident"])
    request = report_fault(resident)
    clerk = visitor("1280")
    clerk.login(*site.logins["clerk"])
    publish_notice(clerk, site, request, width)
    neighbour = site.value("contract.partner_id.email", given=NEIGHBOUR)
    site.run_cron("onergy_residents.ir_cron_notice")
    site.send_mail()
    assert "Wat niet werkt" in html_of(mailbox.to(neighbour, f"Storing {width}"))
    see_outage(resident, width)
    solve(clerk, site)
    page = resident.go(f"/my/requests/{request}")
    assert "opgelost" in page.inner_text("main")
    resident.picture("works-4-opgelost")
    assert f"Storing {width}" not in resident.go("/my").inner_text("main")


def report_fault(resident):
    page = resident.go("/my/notices")
    resident.picture("works-1-berichten")
    page.get_by_role("link", name="Storing melden").click()
    page.get_by_role("button", name="Storing melden").click()
    page.get_by_text("Kies wat er mis is").wait_for()
    resident.picture("works-2-storing-fout")
    resident.assert_fits()
    page.get_by_label("Geen verwarming", exact=True).check()
    page.fill("#onergy_text", "Sinds vanmorgen, in alle kamers.")
    page.get_by_role("button", name="Storing melden").click()
    page.wait_for_url(re.compile(r"/my/requests/\d+"))
    return int(re.search(r"/my/requests/(\d+)", page.url)[1])


def publish_notice(clerk, site, request, width):
    """The clerk finds it on the page Today and tells the building."""
    page = clerk.go("/odoo/onergy-today")
    card = page.locator(".o_kanban_record", has_text="Gemelde storingen")
    card.wait_for()
    clerk.picture("works-5-vandaag")
    card.click()
    page.locator(".o_kanban_view, .o_list_view").first.wait_for()
    page.locator(".o_switch_view.o_list").click()
    row = page.locator(".o_data_row", has_text="Geen verwarming").first
    row.locator("input[type=checkbox]").check()
    page.get_by_role("button", name="Maak hier een bericht van").click()
    page.locator(".o_form_view").wait_for()
    title = ".oe_title .o_field_widget[name=name]"
    page.locator(f"{title} input, {title} textarea").first.fill(f"Storing {width}")
    page.get_by_role("button", name="Publiceren en bewoners berichten").click()
    page.locator(".modal-footer .btn-primary").click()
    page.locator(".o_arrow_button_current[data-value=published]").wait_for()
    clerk.picture("works-6-gepubliceerd")
    notice = f"env['onergy.request'].browse({request}).notice_id.state"
    assert site.value(notice) == "published"


def see_outage(resident, width):
    page = resident.go("/my")
    page.locator(".o_onergy_step_urgent", has_text=f"Storing {width}").wait_for()
    resident.picture("works-3-overzicht")
    resident.assert_fits()
    page.get_by_role("link", name="Lees meer").first.click()
    page.locator("article", has_text=f"Storing {width}").wait_for()


def solve(clerk, site):
    page = clerk.page
    page.get_by_role("button", name="Het is voorbij").click()
    page.locator(".o_arrow_button_current[data-value=solved]").wait_for()
    assert site.value(f"{LAST_NOTICE}.state") == "solved"


@pytest.mark.parametrize("width", ["1280", "390"])
def test_resident_is_shown_round(site, visitor, width):
    resident = visitor(width)
    resident.login(*site.logins["resident"])
    page = resident.go("/my/help")
    resident.picture("help-1-uitleg")
    resident.assert_fits()
    page.get_by_role("button", name="Leid mij rond").click()
    for tab in ("data", "account", "finance", "requests", "home"):
        page.locator(".o_tour_pointer").wait_for()
        if tab == "finance":
            resident.picture("help-2-rondleiding")
        page.locator(f"#onergy_tab_{tab} a").click()
    page.locator(".o_tour_pointer").wait_for(state="detached")
    assert not resident.errors


def test_new_colleague_is_shown_round(site, visitor):
    site.python(NEW_COLLEAGUE)
    colleague = visitor("1280")
    page = colleague.login("nieuwe-collega", "een lang wachtwoord")
    colleague.go("/odoo/onergy-today")
    page.locator(".o_tour_pointer").wait_for()
    page.locator(".o_kanban_record").first.hover()
    colleague.picture("help-3-collega")
    page.locator(".o_kanban_record:not(.o_kanban_ghost)").first.click()
    page.locator(".o_menu_sections").wait_for()
    colleague.go("/odoo/onergy-today")
    user = "env['res.users'].search([('login', '=', 'nieuwe-collega')])"
    site.python(f"{user}.with_user({user}).switch_tour_enabled(False)")
    colleague.go("/odoo/onergy-today")
    page.locator(".o_kanban_record").first.wait_for()
    page.wait_for_timeout(1500)
    assert page.locator(".o_tour_pointer").count() == 0
