"""A resident's first evening: from the letter to the answer of customer service.

Each step is what a person does in a real browser, on a phone and on a desktop.
Pictures of every page are kept among the artefacts.
"""

import os
import re
import time
from datetime import date, timedelta

import pytest
from support import html_of, link_in

PASSWORD = "Radiator-en-theepot-7"

# Somebody who never logged in, with a meter on the wall.
FIND_RESIDENT = """
contract = env["onergy.contract"].search(
    [("state", "=", "running"), ("role", "=", "tenant"),
     ("partner_id.user_ids", "=", False),
     ("connection_id.placement_ids.date_to", "=", False)],
    order="id", limit=1)
partner = contract.partner_id
partner.email = "oud-{width}@bewoner.example"
"""
ISSUE_CODE = """
partner = env["res.partner"].browse({partner})
[(code, plain)] = env["onergy.access.code"]._issue(partner, "letter").items()
"""
LAST_READING = """
meter = env["onergy.connection"].browse({connection}).placement_ids.filtered(
    lambda placement: not placement.date_to and placement.meter_id.medium == "heat"
).meter_id[:1]
last = env["onergy.reading"].search(
    [("meter_id", "=", meter.id)], order="moment desc", limit=1)
from datetime import UTC
from zoneinfo import ZoneInfo
day = last.moment.replace(tzinfo=UTC).astimezone(ZoneInfo("Europe/Amsterdam")).date()
"""


@pytest.mark.parametrize("width", ["1280", "390"])
def test_from_letter_to_answer(site, visitor, mailbox, readings_folder, width):
    partner, connection = site.values(
        "partner.id",
        "contract.connection_id.id",
        given=FIND_RESIDENT.format(width=width),
    )
    resident = visitor(width)
    # The code is nowhere but on the letter.
    login, code = site.values(
        "code.login", "plain", given=ISSUE_CODE.format(partner=partner)
    )
    activate(resident, login, code)
    look_at_data(resident, site, partner)
    change_email(resident, site, mailbox, partner)
    look_at_finance(resident, site, partner)
    see_new_reading(resident, site, readings_folder, connection)
    ask_and_read_answer(resident, visitor, site, mailbox)


def activate(resident, login, code):
    page = resident.go("/web/login")
    page.get_by_role("link", name="Eerste keer").click()
    resident.picture("01-activeren")
    resident.assert_fits()
    page.fill("#onergy_login", login)
    page.fill("#onergy_code", "AAAA-BBBB-CCCC-DDDD")
    page.get_by_role("button", name="Volgende").click()
    page.locator("[aria-invalid=true]").first.wait_for()
    resident.picture("02-verkeerde-code")
    page.fill("#onergy_login", login)
    page.fill("#onergy_code", code.lower().replace("-", " "))
    page.get_by_role("button", name="Volgende").click()
    page.fill("input[name=password]", PASSWORD)
    page.fill("input[name=password_confirm]", PASSWORD)
    resident.picture("03-wachtwoord")
    resident.assert_fits()
    page.get_by_role("button", name="Opslaan en inloggen").click()
    page.wait_for_url("**/my**")
    resident.picture("04-start")
    resident.assert_fits()


def look_at_data(resident, site, partner):
    page = resident.go("/my/data")
    resident.picture("05-gegevens")
    resident.assert_fits()
    number = site.value(f"env['res.partner'].browse({partner}).debtor_number")
    assert number in page.inner_text("main")


def change_email(resident, site, mailbox, partner):
    new = f"nieuw-{resident.width}@bewoner.example"
    page = resident.go("/my/onergy-account")
    page.fill("#onergy_new_email", new)
    page.fill("#onergy_email_password", PASSWORD)
    page.get_by_role("button", name="E-mailadres wijzigen").click()
    resident.picture("06-account")
    resident.assert_fits()
    site.send_mail()
    confirmation = mailbox.to(new)
    current = f"env['res.partner'].browse({partner}).email"
    assert site.value(current) != new, "changed before it was confirmed"
    resident.go(link_in(confirmation, "/email/confirm"))
    page.get_by_role("button", name="Ja, gebruik dit adres").click()
    page.get_by_text(new).first.wait_for()
    resident.picture("07-email-bevestigd")
    assert site.value(current) == new
    site.send_mail()
    assert mailbox.to(f"oud-{resident.width}@bewoner.example"), (
        "the old address was not told"
    )


def look_at_finance(resident, site, partner):
    page = resident.go("/my/finance")
    resident.picture("08-financieel")
    resident.assert_fits()
    text = page.inner_text("main")
    invoice = site.value(
        "env['account.move'].search([('state', '=', 'posted'), "
        f"('partner_id', '=', {partner})], limit=1).name"
    )
    assert invoice in text
    assert "Voorschot" in text


def see_new_reading(resident, site, folder, connection):
    """A day's file is dropped in the folder; the page shows the reading."""
    serial, value, unit, day = site.values(
        "meter.serial",
        "last.value",
        "last.unit",
        "day",
        given=LAST_READING.format(connection=connection),
    )
    new_day = date.fromisoformat(day) + timedelta(days=1)
    reading = f"{float(value) + 0.125:.3f}"
    path = folder / f"day-{serial}.csv"
    path.write_text(f"serial,date,value,unit\n{serial},{new_day},{reading},{unit}\n")
    # The folder's reader leaves a file alone while it may still be written.
    os.utime(path, (time.time() - 600,) * 2)
    site.python(f"env.company.onergy_reading_folder = {str(folder)!r}")
    site.run_cron("onergy_metering.ir_cron_import_folder")
    page = resident.go("/my/heating")
    page.locator("canvas").first.wait_for()
    page.wait_for_timeout(800)
    resident.picture("09-verwarming")
    resident.assert_fits()
    text = page.inner_text("main")
    assert serial in text
    assert reading.replace(".", ",") in text


def ask_and_read_answer(resident, visitor, site, mailbox):
    page = resident.go("/my/requests/new?category=question")
    subject = f"Mijn radiator wordt niet warm ({resident.width})"
    page.fill("[name=subject], [name=name]", subject)
    page.fill("textarea", "De radiator in de woonkamer blijft koud.")
    resident.picture("10-vraag")
    resident.assert_fits()
    page.locator("main form button[type=submit]").last.click()
    page.wait_for_url(re.compile(r"/my/requests/\d+"))
    resident.picture("11-vraag-verstuurd")

    clerk = visitor("1280")
    clerk.login(*site.logins["clerk"])
    answer_in_backend(clerk, site, subject)
    site.send_mail()
    message = mailbox.to(f"nieuw-{resident.width}@bewoner.example", subject)
    assert "ontlucht" in html_of(message)
    page.reload()
    assert "ontlucht" in page.inner_text("main")
    resident.picture("12-antwoord")
    resident.assert_fits()


def answer_in_backend(clerk, site, subject):
    number = site.value(
        f"env['onergy.request'].search([('subject', '=', {subject!r})]).id"
    )
    page = clerk.go(f"/odoo/onergy-requests/{number}")
    page.get_by_role("button", name="Verzend bericht").click()
    page.locator(
        ".o-mail-Composer textarea, .o-mail-Composer [contenteditable]"
    ).first.fill("Wilt u eerst de radiator ontluchten?")
    clerk.picture("13-antwoorden")
    page.locator(".o-mail-Composer-send").click()
    page.get_by_text("ontluchten").first.wait_for()
