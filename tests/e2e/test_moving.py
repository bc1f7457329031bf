"""Who leaves, who comes next, and the owner of many homes: portal and back office."""

import io
import re
from datetime import date, timedelta

import pytest
from openpyxl import load_workbook
from support import html_of

# The smallest picture that is one.
PHOTO = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
#: Days since the last day: long enough for the final bill to be worked out.
DAYS_AGO = 8

# A tenant whose meter a person has to read; the home has an owner.
TENANT = """
contract = env["onergy.contract"].search(
    [("state", "=", "running"), ("role", "=", "tenant"), ("complex_id.code", "=", "LK"),
     ("partner_id.user_ids", "=", False), ("date_end", "=", False),
     ("connection_id.placement_ids.date_to", "=", False)], order="id desc", limit=1)
home = contract.connection_id
"""
PREPARE_HOME = """
home.owner_id = env["res.partner"].create(
    {"name": "Verhuur Lindelaan", "is_company": True})
meter = home.placement_ids.filtered(lambda p: not p.date_to).meter_id.filtered(
    lambda m: m.medium == "heat")[:1]
home.placement_ids.meter_id.read_mode = "refused"
"""
MOVE = "move = env['onergy.move'].search([('contract_id', '=', {})])\n"
FINAL_RUN = "env['onergy.settlement.run']._cron_final_bills()"


@pytest.mark.parametrize("width", ["1280", "390"])
def test_from_notice_to_final_bill(site, visitor, mailbox, width):
    email = f"verhuizer-{width}@bewoner.example"
    login = site.make_resident(email, "contract.partner_id", TENANT)
    contract, meter, serial = site.values(
        "contract.id",
        "meter.id",
        "meter.serial",
        given=f"contract = env['res.users'].search([('login', '=', {email!r})])"
        ".partner_id.onergy_contract_ids\nhome = contract.connection_id" + PREPARE_HOME,
    )
    last_day = date.today() - timedelta(days=DAYS_AGO)
    resident = visitor(width)
    resident.login(*login)
    tell_that_i_move(resident, last_day)
    fill_in_reading(resident, site, meter, serial, last_day)
    send(resident, width)
    site.send_mail()
    assert "Dorpsweg 5" in html_of(mailbox.to(email, "verhuizing"))
    carry_out(visitor, site, contract, width)
    look_inside(site, contract, last_day, width)
    site.send_mail()
    assert "eindafrekening" in html_of(mailbox.to(email, "geregeld"))
    see_no_later_data(resident, site, contract, meter, last_day)


def next_question(page):
    page.get_by_role("button", name="Volgende").click()


def tell_that_i_move(resident, last_day):
    page = resident.go("/my/move")
    resident.picture("move-01-begin")
    resident.assert_fits()
    page.get_by_text("Ik ga verhuizen").click()
    next_question(page)
    next_question(page)
    page.get_by_role("alert").first.wait_for()
    resident.picture("move-02-datum-fout")
    page.get_by_label("Uw laatste dag").fill(str(last_day))
    next_question(page)
    page.get_by_label("Straat en huisnummer").fill("Dorpsweg 5")
    page.get_by_label("Postcode").fill("4321 ab")
    page.get_by_label("Plaats").fill("Nieuwdorp")
    resident.picture("move-03-adres")
    resident.assert_fits()
    next_question(page)
    if resident.width == "390":
        page.get_by_text("Ik weet wie hier komt wonen").click()
        page.get_by_label("Naam", exact=True).fill("De volgende bewoner")
        page.get_by_label("E-mailadres").fill("volgende@bewoner.example")
    else:
        page.get_by_text("Dat weet ik niet").click()
    resident.picture("move-04-wie-volgt")
    resident.assert_fits()
    next_question(page)


def fill_in_reading(resident, site, meter, serial, last_day):
    """First a number that cannot be, then the right one with a photo."""
    page = resident.page
    field = page.get_by_label(re.compile(serial))
    field.fill("abc")
    next_question(page)
    page.locator("[aria-invalid=true]").first.wait_for()
    resident.picture("move-05-stand-fout")
    reading = site.value(
        f"env['onergy.reading'].search([('meter_id', '=', {meter}), "
        f"('moment', '<=', '{last_day} 23:59:59')], order='moment desc', limit=1).value"
    )
    field.fill(f"{float(reading):.3f}".replace(".", ","))
    page.locator("input[type=file]").first.set_input_files(
        {"name": "meter.png", "mimeType": "image/png", "buffer": PHOTO}
    )
    resident.picture("move-06-stand")
    resident.assert_fits()
    next_question(page)


def send(resident, width):
    page = resident.page
    page.get_by_role("heading", name="Klopt dit?").wait_for()
    resident.picture("move-07-nakijken")
    resident.assert_fits()
    text = page.inner_text("main")
    assert "4321 AB" in text
    assert ("De volgende bewoner" in text) == (width == "390")
    page.get_by_role("button", name="Ja, versturen").click()
    page.get_by_role("status").first.wait_for()
    resident.picture("move-08-verstuurd")


def carry_out(visitor, site, contract, width):
    clerk = visitor("1280")
    clerk.login(*site.logins["clerk"])
    number = site.value("move.name", given=MOVE.format(contract))
    page = clerk.go("/odoo/moves")
    page.locator(".o_data_row", has_text=number).locator(".o_data_cell").first.click()
    page.get_by_text("Wat er gaat gebeuren").wait_for()
    clerk.picture(f"move-09-medewerker-{width}")
    assert "Dorpsweg 5" in page.locator("[name=preview]").first.inner_text()
    page.get_by_role("button", name="Uitvoeren", exact=True).click()
    page.locator(".o_arrow_button_current[data-value=done]").wait_for()
    clerk.picture(f"move-10-uitgevoerd-{width}")


def look_inside(site, contract, last_day, width):
    """The contract ended, the next began, the reading is kept, the bill is made."""
    ended, next_payer, vacancy_payer, stored, deadline = site.values(
        "move.contract_id.date_end",
        "move.next_contract_id.partner_id.name",
        "move.vacancy_contract_id.partner_id.name",
        "all(r.is_stored and r.photo for r in move.closing_reading_ids)",
        "move.final_deadline",
        given=MOVE.format(contract),
    )
    assert ended == str(last_day)
    if width == "390":
        assert (next_payer, vacancy_payer) == ("De volgende bewoner", "False")
    else:
        assert (next_payer, vacancy_payer) == ("False", "Verhuur Lindelaan")
    assert stored == "True"
    assert deadline == str(last_day + timedelta(days=42))
    site.python(FINAL_RUN)
    final = site.value("move.final_settlement_id.date_to", given=MOVE.format(contract))
    assert final == str(last_day), "the final bill was not worked out"


def see_no_later_data(resident, site, contract, meter, last_day):
    """He still logs in, and sees nothing of the days after his last."""
    page = resident.go("/my")
    resident.picture("move-11-oud-bewoner")
    resident.assert_fits()
    later, at_end = site.values(
        "later.value",
        "end.value",
        given=f"Reading = env['onergy.reading']\nof = [('meter_id', '=', {meter})]\n"
        "later = Reading.search(of, order='moment desc', limit=1)\n"
        f"end = Reading.search(of + [('moment', '<=', '{last_day} 23:59:59')], "
        "order='moment desc', limit=1)",
    )
    assert float(later) > float(at_end), "the demo has nothing to hide"
    page = resident.go(f"/my/heating?contract_id={contract}")
    resident.picture("move-12-verwarming")
    assert f"{float(later):.3f}".replace(".", ",") not in page.inner_text("main")
    days = page.evaluate(
        "[...document.querySelectorAll('.o_onergy_chart')]"
        ".map((chart) => chart.dataset.chart).join()"
    )
    assert str(last_day + timedelta(days=1)) not in days
    assert site.value(f"env['onergy.contract'].browse({contract}).state") == "ended"


# ---------------------------------------------------------------------- landlord

LANDLORD = """
site = env["onergy.complex"].search([("code", "=", "BH")])
landlord = site.owner_id
"""
HOMES = """
homes = env["onergy.connection"].search([("complex_id", "=", site.id)], order="id")
let = homes.filtered(lambda home: home.current_contract_id.role == "tenant"
    and not home.current_contract_id.date_end)
first, second = let[{offset}], let[{offset} + 1]
"""


@pytest.mark.parametrize("width", ["1280", "390"])
def test_landlord_sends_a_sheet(site, visitor, tmp_path, width):
    email = f"verhuurder-{width}@bewoner.example"
    given = LANDLORD + HOMES.format(offset=int(width == "390") * 2)
    partner = "env['res.partner'].create({'name': 'Verhuur', 'parent_id': landlord.id})"
    login = site.make_resident(email, partner, given)
    first, second = site.values(
        "first.house_number", "second.house_number", given=given
    )
    landlord = visitor(width)
    landlord.login(*login)
    day = date.today() + timedelta(days=20)
    path = tmp_path / "woningen.xlsx"
    fill_in_sheet(landlord, path, first, second, day)
    upload(landlord, path)
    page = landlord.page
    lines = page.locator("tbody tr")
    assert lines.count() == 4
    # Line, column and remedy of what is wrong.
    assert "stoppen" in lines.nth(1).inner_text()
    assert "Schrijf start of stop" in lines.nth(2).inner_text()
    assert "niet als die van u" in lines.nth(3).inner_text()
    landlord.picture("landlord-2-nakijken")
    landlord.assert_fits()
    page.get_by_role("button", name=re.compile("versturen", re.IGNORECASE)).click()
    page.get_by_role("status").first.wait_for()
    landlord.picture("landlord-3-verstuurd")
    moves = (
        "env['onergy.move'].search([('channel', '=', 'sheet'), "
        f"('partner_id.email', '=', {email!r})])"
    )
    count, end = site.values(f"len({moves})", f"{moves}.date_end")
    assert (count, end) == ("1", str(day - timedelta(days=1)))
    upload(landlord, path)
    assert "Al bekend" in page.locator("tbody tr").first.inner_text()


def fill_in_sheet(landlord, path, first, second, day):
    page = landlord.go("/my/homes")
    landlord.picture("landlord-1-woningen")
    landlord.assert_fits()
    with page.expect_download() as download:
        page.locator("a[href='/my/homes/template']").click()
    book = load_workbook(io.BytesIO(download.value.path().read_bytes()))
    sheet = book.active
    typed = f"{day:%d-%m-%Y}"
    rows = {row[1].value: row for row in sheet.iter_rows(min_row=2)}
    assert {first, second} <= rows.keys()
    places = [[cell.value for cell in rows[number]][:3] for number in (first, second)]
    sheet.delete_rows(2, sheet.max_row)
    for place, action, when in (
        (places[0], "start", typed),
        (places[1], "stop", typed),
        (places[1], "misschien", typed),
        (["9999 ZZ", "1", None], "stop", typed),
    ):
        sheet.append([*place, action, when])
    book.save(path)


def upload(landlord, path):
    page = landlord.go("/my/homes")
    page.locator("#onergy_sheet").set_input_files(path)
    page.get_by_role("button", name="Bestand controleren").click()
    page.wait_for_url(re.compile("/my/homes/sheet/"))
