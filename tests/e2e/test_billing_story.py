"""A year-end by two colleagues, and a resident who changes his advance.

The demo supplier's VvE has its bills of the year still to come: a clerk works them out
and looks at them, a manager approves, the job posts them, and they go out by e-mail.
"""

import re

import pytest
from support import html_of

SETTLEMENT_JOB = "onergy_billing.ir_cron_settlement"

#: The demo has a run of this complex that waits; the story starts before it.
START_OVER = """
site = env["onergy.complex"].search([("code", "=", "WL")])
waiting = env["onergy.settlement.run"].search(
    [("complex_ids", "in", site.ids), ("state", "=", "checked")])
waiting.action_cancel()
env["res.users"].search([("login", "in", {logins!r})]).tour_enabled = False
"""
LAST_RUN = "run = env['onergy.settlement.run'].search([], order='id desc', limit=1)"
RUN = "run = env['onergy.settlement.run'].browse({})\n"


def log_in(visitor, site, role):
    person = visitor("1280")
    # The first page of the back office builds its bundle.
    person.context.set_default_navigation_timeout(180_000)
    person.context.set_default_timeout(60_000)
    person.login(*site.logins[role])
    return person


def test_year_end_by_two_users(site, visitor, mailbox):
    logins = [site.logins[role][0] for role in ("clerk", "manager")]
    site.python(START_OVER.format(logins=logins))
    clerk = log_in(visitor, site, "clerk")
    select_and_work_out(clerk)
    run = site.value("run.id", given=LAST_RUN)
    look_at_an_address(clerk, site, run)
    assert not clerk.page.get_by_role("button", name="Goedkeuren en boeken").count()
    manager = log_in(visitor, site, "manager")
    approve(manager, run)
    see_it_being_posted(manager, site, run)
    send(manager, site, mailbox, run)


def select_and_work_out(clerk):
    page = clerk.go("/odoo/settlement-runs/new")
    page.get_by_label("Complexen").fill("Waterlelie")
    page.get_by_role("option", name=re.compile("De Waterlelie")).first.click()
    clerk.picture("80-jaarafrekening-kiezen")
    page.get_by_role("button", name="Berekenen", exact=True).click()
    page.get_by_role("radio", name="Goed te keuren", checked=True).wait_for()
    clerk.picture("81-jaarafrekening-berekend")


def look_at_an_address(clerk, site, run):
    """The list of addresses, and one of them line by line."""
    page = clerk.page
    expected = site.value("run.settlement_count", given=RUN.format(run))
    page.locator("button[name=action_view_settlements]").first.click()
    page.locator(".o_data_row").first.wait_for()
    assert page.locator(".o_data_row").count() == int(expected)
    clerk.picture("82-jaarafrekening-adressen")
    page.locator(".o_data_row .o_data_cell").first.click()
    page.locator(".o_field_widget[name=line_ids] .o_data_row").first.wait_for()
    clerk.picture("83-jaarafrekening-adres")
    page.go_back()
    page.go_back()
    page.get_by_role("button", name="Opnieuw berekenen").wait_for()


def approve(manager, run):
    page = manager.go(f"/odoo/settlement-runs/{run}")
    page.get_by_role("button", name="Goedkeuren en boeken").click()
    manager.picture("84-goedkeuren")
    page.locator(".modal footer .btn-primary").click()
    page.locator(".o_field_onergy_run_progress").wait_for()
    manager.picture("85-wordt-geboekt")


def see_it_being_posted(manager, site, run):
    """The page follows the job by itself."""
    site.run_cron(SETTLEMENT_JOB)
    manager.page.get_by_role("radio", name="Klaar", checked=True).wait_for()
    manager.picture("86-geboekt")
    states, moves, contracts = site.values(
        "set(run.settlement_ids.mapped('state'))",
        "len(run.settlement_ids.move_id)",
        "len(run.settlement_ids.contract_id)",
        given=RUN.format(run),
    )
    assert "posted" in states
    assert moves == contracts


def send(manager, site, mailbox, run):
    page = manager.page
    page.get_by_role("button", name=re.compile("e-mail")).click()
    page.locator(".o_notification, .modal").first.wait_for()
    manager.picture("87-versturen")
    site.run_cron("account.ir_cron_account_move_send")
    site.send_mail()
    sent = site.value(
        "len(run.settlement_ids.move_id.filtered('is_move_sent'))",
        given=RUN.format(run),
    )
    assert int(sent), "no bill was sent"
    recipients = {address for to, _message in mailbox.messages for address in to}
    assert len(recipients) > 1, recipients


@pytest.mark.parametrize("width", ["1280", "390"])
def test_resident_changes_his_advance(site, visitor, mailbox, width):
    resident = visitor(width)
    resident.login(*site.logins["resident"])
    page = resident.go("/my/finance")
    page.get_by_role("link", name="Uw voorschot wijzigen").click()
    resident.picture("90-voorschot")
    resident.assert_fits()
    low, high = choose_bounds(page)
    # A phone and a desktop choose differently.
    wanted = round((low + high) / 2) + (1 if width == "390" else 2)
    try_amount(page, wanted)
    effect = page.locator("#onergy_effect")
    assert "Op uw jaarafrekening" in effect.inner_text()
    resident.picture("91-gevolg")
    resident.assert_fits()
    effect.get_by_role("button", name=re.compile("Betaal dit vanaf")).click()
    page.get_by_text("Gelukt.").wait_for()
    resident.picture("92-gewijzigd")
    resident.assert_fits()
    history = page.locator("section", has_text="Uw voorschotten").last.inner_text()
    assert f"{wanted},00" in history
    site.send_mail()
    login = site.logins["resident"][0]
    assert f"{wanted},00" in html_of(mailbox.to(login, "voorschot"))
    ask_for_too_little(resident, site, low)


def choose_bounds(page):
    """(lowest, highest) amount that the page offers."""
    text = page.locator("dd", has_text=" t/m ").first.inner_text()
    found = re.findall(r"(\d[\d.]*),(\d\d)", text)
    return [float(f"{euros.replace('.', '')}.{cents}") for euros, cents in found[:2]]


def try_amount(page, amount):
    page.fill("#onergy_amount", f"{amount}")
    page.get_by_role("button", name="Bekijk wat dit betekent").click()
    page.locator("#onergy_effect").wait_for()


def ask_for_too_little(resident, site, low):
    """Outside the bounds it becomes a question; the advance stays as it is."""
    page = resident.page
    page.goto(page.url.replace("done=changed", "done="))
    try_amount(page, int(low) - 10)
    resident.picture("93-buiten-de-grenzen")
    page.get_by_role("button", name="Verstuur dit als vraag").click()
    page.locator(".o_onergy_step_ok").wait_for()
    resident.picture("94-vraag")
    category, channel = site.values(
        "request.category",
        "request.channel",
        given="request = env['onergy.request'].search([], order='id desc', limit=1)",
    )
    assert (category, channel) == ("advance", "portal")
