"""What ends a contract besides moving: the account holder dies, the home is sold."""

from datetime import date, timedelta

import pytest
from support import html_of

ONE = """
contract = env["onergy.contract"].search(
    [("state", "=", "running"), ("role", "=", {role!r}), ("date_end", "=", False),
     ("partner_id.user_ids", "=", False), ("complex_id.code", "=", {code!r}),
     ("invoice_delivery", "=", "email")], order="id desc", limit=1)
home = contract.connection_id
"""
BY_ID = "contract = env['onergy.contract'].browse({})\npayer = contract.partner_id\n"
MOVE = BY_ID + "move = env['onergy.move'].search([('contract_id', '=', {})])\n"


@pytest.mark.parametrize("width", ["1280", "390"])
def test_the_account_holder_has_died(site, visitor, mailbox, width):
    """Heirs without a login write; from then on all post is for them."""
    email, heir = f"erflater-{width}@bewoner.example", f"erfgenaam-{width}@example.com"
    given = ONE.format(role="tenant", code="LK")
    login = site.make_resident(email, "contract.partner_id", given)
    contract, name, postcode, number, method = site.values(
        "contract.id",
        "contract.partner_id.name",
        "contract.connection_id.zip",
        "contract.connection_id.house_number",
        "contract.payment_method",
        given=f"contract = env['res.users'].search([('login', '=', {email!r})])"
        ".partner_id.onergy_contract_ids",
    )
    tell_of_a_death(visitor(width), name, postcode, number, heir)
    clerk = visitor("1280")
    clerk.login(*site.logins["clerk"])
    arrange_death(clerk, name, width)
    now = ("payer.name", "payer.email", "contract.payment_method", "contract.date_end")
    found = site.values(*now, given=BY_ID.format(contract))
    assert found == [f"Erven van {name}", heir, "bank_transfer", "False"]
    site.send_mail()
    assert "geregeld" in html_of(mailbox.to(heir))
    assert not may_log_in(visitor(width), login), "the login of the deceased is open"
    # Reported of the wrong person: all of it goes back.
    clerk.page.get_by_role("button", name="Ongedaan maken").click()
    clerk.page.locator(".modal-footer .btn-primary").click()
    clerk.page.locator(".o_arrow_button_current:not([data-value=done])").wait_for()
    clerk.picture(f"death-06-ongedaan-{width}")
    found = site.values(*now, given=BY_ID.format(contract))
    assert found == [name, email, method, "False"]
    assert may_log_in(visitor(width), login)


def tell_of_a_death(heir, name, postcode, number, email):
    page = heir.go("/onergy/death")
    heir.assert_fits()
    page.get_by_role("button", name="Versturen").click()
    page.locator("[aria-invalid=true]").first.wait_for()
    heir.picture("death-01-fouten")
    heir.assert_fits()
    page.get_by_label("Naam van degene die is overleden").fill(name)
    page.get_by_label("Postcode van de woning").fill(postcode)
    page.get_by_label("Huisnummer en toevoeging").fill(number)
    page.get_by_label("Uw naam").fill("De erfgenaam")
    page.get_by_label("E-mailadres").fill(email)
    heir.picture("death-02-ingevuld")
    # Filled in faster than this is by a robot.
    page.wait_for_timeout(3500)
    page.get_by_role("button", name="Versturen").click()
    page.get_by_role("status").first.wait_for()
    heir.picture("death-03-verstuurd")
    heir.assert_fits()


def arrange_death(clerk, name, width):
    page = clerk.go("/odoo/onergy-requests")
    row = page.locator(
        ".o_data_row, .o_kanban_record", has_text=f"Overlijden van {name}"
    )
    row.first.click()
    page.get_by_role("button", name="Verhuizing maken").click()
    page.get_by_text("Wat er gaat gebeuren").wait_for()
    page.locator(".o_form_button_save").click()
    page.get_by_role("button", name="Uitvoeren", exact=True).wait_for()
    clerk.picture(f"death-04-medewerker-{width}")
    assert f"Erven van {name}" in page.locator("[name=preview]").first.inner_text()
    page.get_by_role("button", name="Uitvoeren", exact=True).click()
    page.locator(".o_arrow_button_current[data-value=done]").wait_for()
    clerk.picture(f"death-05-uitgevoerd-{width}")


def may_log_in(person, login):
    page = person.go("/web/login")
    page.fill("input[name=login]", login[0])
    page.fill("input[name=password]", login[1])
    page.click("form.oe_login_form button[type=submit]")
    page.wait_for_load_state("networkidle")
    return page.url.endswith("/my")


@pytest.mark.parametrize("width", ["1280", "390"])
def test_the_home_is_sold(site, visitor, width):
    """The owner who lives there sells; the buyer takes over contract and home."""
    email = f"verkoper-{width}@bewoner.example"
    given = (
        ONE.format(role="owner_occupier", code="LK")
        + "home.owner_id = contract.partner_id\n"
    )
    login = site.make_resident(email, "contract.partner_id", given)
    contract = site.value(
        "contract.id",
        given=f"contract = env['res.users'].search([('login', '=', {email!r})])"
        ".partner_id.onergy_contract_ids",
    )
    last_day = date.today() + timedelta(days=20)
    seller = visitor(width)
    seller.login(*login)
    sell(seller, last_day)
    clerk = visitor("1280")
    clerk.login(*site.logins["clerk"])
    number = site.value("move.name", given=MOVE.format(contract, contract))
    page = clerk.go("/odoo/moves")
    page.locator(".o_data_row", has_text=number).locator(".o_data_cell").first.click()
    page.get_by_text("Wat er gaat gebeuren").wait_for()
    clerk.picture(f"sale-04-medewerker-{width}")
    page.get_by_role("button", name="Uitvoeren", exact=True).click()
    page.locator(".o_arrow_button_current[data-value=done]").wait_for()
    found = site.values(
        "contract.date_end",
        "move.next_contract_id.partner_id.name",
        "move.next_contract_id.date_start",
        "move.next_contract_id.role",
        "contract.connection_id.owner_id.name",
        given=MOVE.format(contract, contract),
    )
    first_day = str(last_day + timedelta(days=1))
    assert found == [str(last_day), "De koper", first_day, "owner_occupier", "De koper"]
    page = seller.go("/my/move")
    seller.picture("sale-05-na-afloop")
    seller.assert_fits()


def sell(seller, last_day):
    page = seller.go("/my/move")
    page.get_by_text("Ik heb mijn woning verkocht").click()
    seller.picture("sale-01-begin")
    next_question(page)
    page.locator("input[type=date]").first.fill(str(last_day))
    next_question(page)
    page.get_by_label("Straat en huisnummer").fill("Dorpsweg 7")
    page.get_by_label("Postcode").fill("4321 AB")
    page.get_by_label("Plaats").fill("Nieuwdorp")
    next_question(page)
    page.locator("input[type=radio][value=resident]").check()
    page.get_by_label("Naam", exact=True).fill("De koper")
    page.get_by_label("E-mailadres").fill("koper@bewoner.example")
    seller.picture("sale-02-wie-koopt")
    seller.assert_fits()
    next_question(page)
    page.get_by_role("heading", name="Klopt dit?").wait_for()
    seller.picture("sale-03-nakijken")
    seller.assert_fits()
    assert "De koper" in page.inner_text("main")
    page.get_by_role("button", name="Ja, versturen").click()
    page.get_by_role("status").first.wait_for()


def next_question(page):
    page.get_by_role("button", name="Volgende").click()
