"""A resident and what is his: his bank account, his consent, his own data."""

import csv
import io
import json
import re
import zipfile
from datetime import date

import pytest
from support import html_of

PAYER = """
contract = env["onergy.contract"].search(
    [("state", "=", "running"), ("payment_method", "=", "direct_debit"),
     ("partner_id.user_ids", "=", False), ("mandate_ids.state", "=", "active")],
    order="id", limit=1)
"""
# Whoever stole a mailbox changes the e-mail address first: the old one is told too.
EMAIL_CHANGED = """
env["onergy.email.change"].create({{
    "user_id": env["res.users"].search([("login", "=", {login!r})]).id,
    "email_old": {old!r}, "email_new": {login!r}, "state": "done",
    "date_done": __import__("datetime").datetime.now()}})
"""
MANDATES = """
mandates = env["onergy.mandate"].search(
    [("partner_id.email", "=", {login!r})], order="id")
"""
PERIOD_IS_OVER = "mandates[-1].valid_from = '2020-01-01'"
NEW_ACCOUNT = "NL91 ABNA 0417 1643 00"


@pytest.mark.parametrize("width", ["1280", "390"])
def test_another_bank_account(site, visitor, mailbox, width):
    email, old = f"betaler-{width}@bewoner.example", f"oud-adres-{width}@example.com"
    login = site.make_resident(email, "contract.partner_id", PAYER)
    site.python(EMAIL_CHANGED.format(login=email, old=old))
    payer = visitor(width)
    payer.login(*login)
    give_account(payer, "NL00 FOUT 0123 4567 89", "verkeerd")
    assert payer.page.locator("[aria-invalid=true]").count() >= 3
    payer.picture("payment-2-fouten")
    payer.assert_fits()
    give_account(payer, NEW_ACCOUNT, login[1], agree=True)
    payer.page.get_by_role("status").first.wait_for()
    payer.picture("payment-3-gegeven")
    payer.assert_fits()
    # Told at both addresses; the old account is used until the period is over.
    for address in (email, old):
        assert "4300" in html_of(mailbox.to(address, "bankrekening")), address
    assert states(site, email) == "['active', 'pending']"
    site.python(MANDATES.format(login=email) + PERIOD_IS_OVER)
    site.run_cron("onergy_residents.ir_cron_mandate")
    assert states(site, email) == "['replaced', 'active']"
    now = payer.go("/my/payment").locator("section", has_text="4300").first
    assert "Nu" in now.inner_text()
    payer.picture("payment-4-in-gebruik")
    stop_direct_debit(payer, site, mailbox, email, old)


def give_account(payer, iban, password, agree=False):
    page = payer.go("/my/payment")
    payer.picture("payment-1-betaalwijze")
    payer.assert_fits()
    page.fill("#onergy_new_iban", iban)
    if agree:
        page.get_by_label(re.compile("Ja, ik geef deze toestemming")).check()
    page.fill("#onergy_mandate_password", password)
    page.get_by_role("button", name="Toestemming geven").click()
    page.wait_for_load_state()


def states(site, email):
    return site.value("mandates.mapped('state')", given=MANDATES.format(login=email))


def stop_direct_debit(payer, site, mailbox, email, old):
    """First told what it means; then it stops and both addresses hear of it."""
    page = payer.page
    page.get_by_role("link", name="Automatische incasso stoppen").click()
    page.get_by_text("Wat dit voor u betekent").wait_for()
    payer.picture("payment-5-stoppen")
    payer.assert_fits()
    page.get_by_role("button", name="Ja, automatische incasso stoppen").click()
    page.get_by_role("status").first.wait_for()
    payer.picture("payment-6-gestopt")
    assert states(site, email) == "['replaced', 'revoked']"
    method = "mandates[-1].contract_id.payment_method"
    assert site.value(method, given=MANDATES.format(login=email)) == "bank_transfer"
    for address in (email, old):
        assert mailbox.to(address, "gestopt")


# ----------------------------------------------------------------------- privacy

RESIDENT = f"""
contract = env["onergy.contract"].search(
    [("state", "=", "running"), ("complex_id.code", "=", "LK"),
     ("partner_id.user_ids", "=", False),
     ("date_start", "<", "{date.today().year}-01-01"),
     ("connection_id.placement_ids.date_to", "=", False)], order="id desc", limit=1)
"""
BASIS = """
env["onergy.complex"].search([("code", "=", "LK")]).write(
    {{"daily_basis": {basis!r}, "daily_basis_note": "Artikel 7"}})
"""
CONSENTS = """
consents = env["onergy.consent"].search([("partner_id.email", "=", {login!r})])
"""


@pytest.fixture
def consent_is_the_basis(site):
    """Days are shown with the resident's own consent only."""
    site.python(BASIS.format(basis="consent"))
    yield
    site.python(BASIS.format(basis="contract"))


@pytest.mark.parametrize("width", ["1280", "390"])
def test_days_only_with_consent(site, visitor, consent_is_the_basis, width):
    email = f"privacy-{width}@bewoner.example"
    resident = visitor(width)
    resident.login(*site.make_resident(email, "contract.partner_id", RESIDENT))
    page = resident.go("/my/heating")
    assert page.get_by_role("link", name="Dag", exact=True).count() == 0
    resident.picture("privacy-1-per-maand")
    resident.assert_fits()
    page.get_by_role("link", name="Uw verbruik per dag zien").click()
    resident.picture("privacy-2-toestemming")
    resident.assert_fits()
    days = page.get_by_role("group", name=re.compile("per dag"))
    days.get_by_role("button", name="Ja, dat mag").click()
    page.get_by_role("status").first.wait_for()
    resident.picture("privacy-3-gegeven")
    page = resident.go("/my/heating?view=day")
    assert page.get_by_role("link", name="Dag", exact=True).count() == 1
    assert page.locator("#onergy_chart_day").count() == 1
    resident.picture("privacy-4-per-dag")
    page = resident.go("/my/privacy")
    days.get_by_role("button", name="Toestemming intrekken").click()
    page.get_by_role("status").first.wait_for()
    page = resident.go("/my/heating?view=day")
    assert page.get_by_role("link", name="Dag", exact=True).count() == 0
    assert page.locator("#onergy_chart_day").count() == 0
    # Both days stay on record: when he said yes, and when he took it back.
    given, withdrawn = site.values(
        "bool(consents.date_given)",
        "bool(consents.date_withdrawn)",
        given=CONSENTS.format(login=email),
    )
    assert (given, withdrawn) == ("True", "True")
    download_data(resident, site, email)
    ask_deletion(resident, site, email)


def download_data(resident, site, email):
    page = resident.go("/my/privacy")
    page.fill("#onergy_download_password", "verkeerd")
    page.get_by_role("button", name="Mijn gegevens downloaden").click()
    page.locator("#onergy_download_password[aria-invalid=true]").wait_for()
    resident.picture("privacy-5-verkeerd-wachtwoord")
    page.fill("#onergy_download_password", "Radiator-en-theepot-7")
    with page.expect_download() as download:
        page.get_by_role("button", name="Mijn gegevens downloaden").click()
    content = download.value.path().read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        files = {
            name: archive.read(name).decode("utf-8-sig") for name in archive.namelist()
        }
    persons = next(text for name, text in files.items() if "person.json" in name)
    assert json.loads(persons)[0]["email"] == email
    consents = next(text for name, text in files.items() if "consents.csv" in name)
    (row,) = csv.DictReader(io.StringIO(consents), delimiter=";")
    assert row["withdrawn"], row


def ask_deletion(resident, site, email):
    page = resident.go("/my/privacy")
    page.get_by_role("button", name="Vragen om mijn gegevens te verwijderen").click()
    page.locator("#onergy_confirm[aria-invalid=true]").wait_for()
    page.fill("#onergy_reason", "Ik wil dat u niets bewaart.")
    page.get_by_label("Ja, ik wil dat mijn gegevens worden verwijderd").check()
    page.get_by_role("button", name="Vragen om mijn gegevens te verwijderen").click()
    page.get_by_role("button", name="Mijn verzoek intrekken").wait_for()
    resident.picture("privacy-6-verwijderen")
    resident.assert_fits()
    asked = f"env['onergy.erasure'].search([('partner_id.email', '=', {email!r})])"
    assert site.value(f"{asked}.reason") == "Ik wil dat u niets bewaart."
    page.get_by_role("button", name="Mijn verzoek intrekken").click()
    page.get_by_text("Wij verwijderen niets").wait_for()
