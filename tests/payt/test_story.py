"""The whole story with real servers: bill → Payt → paid → portal, and back again.

Odoo, the simulator and Chromium run for real; the scheduled jobs are started by hand,
so that the test waits for nothing.
"""

import contextlib
import re

import pytest
from payt_server import PaytServer
from payt_server.oauth import STATIC_TOKEN
from payt_server.state import ADMINISTRATION

ADDONS = ["onergy_residents", "onergy_payt", "report_weasyprint"]
SECRET = "story-webhook-secret"
PASSWORD = "een lang wachtwoord voor de test"
VIEWPORTS = {"1280": (1280, 900), "390": (390, 844)}

SET_UP = """
from odoo.tests.common import new_test_user
company = env.company
company.name = "Warmte Voorbeeld"
site = env["onergy.complex"].create({{"name": "Voorbeeld", "code": "V"}})
home = env["onergy.connection"].create({{
    "complex_id": site.id, "street": "Voorbeeldstraat", "house_number": "1",
    "zip": "3511 AA", "city": "Utrecht"}})
resident = new_test_user(env, "bewoner", "base.group_portal", name="Eerste bewoner",
    email="bewoner@example.com", lang="nl_NL", password={password!r})
resident.partner_id.write({{
    "street": "Voorbeeldstraat 1", "zip": "3511 AA", "city": "Utrecht",
    "country_id": env.ref("base.nl").id}})
contract = env["onergy.contract"].create({{
    "connection_id": home.id, "partner_id": resident.partner_id.id,
    "date_start": "2025-01-01"}})
clerk = new_test_user(env, "beheerder", "onergy_residents.group_manager",
    name="Beheerder", email="beheerder@example.com", lang="nl_NL",
    password={password!r})
connection = env["payt.connection"].create({{
    "company_id": company.id, "environment": "custom", "api_base_url": {payt!r},
    "app_base_url": {payt!r}, "administration_id": {administration!r},
    "api_token": {token!r}, "start_date": "2025-01-01", "send_mode": "payt",
    "webhook_secret": {secret!r}, "user_id": clerk.id}})
connection.action_create_clearing_journal()
connection.action_go_live()
move = env["account.move"].create({{
    "move_type": "out_invoice", "partner_id": resident.partner_id.id,
    "invoice_date": "2025-06-01", "invoice_date_due": "2025-06-15",
    "onergy_contract_id": contract.id, "onergy_move_kind": "advance",
    "invoice_line_ids": [(0, 0, {{
        "name": "Voorschot juni", "price_unit": 95.0, "tax_ids": [(5, 0, 0)]}})]}})
move.action_post()
print("STORY", move.id, move.name, connection.webhook_key, sep="|")
"""


class Story:
    def __init__(self, payt, shell, address, number, name):
        self.payt, self.shell, self.address = payt, shell, address
        self.move_id, self.name = number, name

    def job(self, name):
        self.shell.run(
            f"env.ref('onergy_payt.ir_cron_payt_{name}').method_direct_trigger()"
        )

    def look(self, expression):
        code = f"move = env['account.move'].browse({self.move_id})\n"
        return self.shell.run(f"{code}print({expression})").strip().splitlines()[-1]

    def webhooks_arrive(self):
        """Payt calls; Odoo answers at once and reads what it is about."""
        made = self.payt.webhooks.flush()
        assert made and {delivery["status"] for delivery in made} == {200}, made
        self.job("event")


@pytest.fixture(scope="module")
def story(dev, postgres):
    template = dev.ensure_template(postgres, ADDONS)
    with contextlib.ExitStack() as stack:
        payt = stack.enter_context(PaytServer(rate_limit=0))
        database = stack.enter_context(
            dev.temporary_database(postgres, template, "payt")
        )
        shell = stack.enter_context(dev.OdooShell(postgres, database, "payt-shell"))
        printed = shell.run(
            SET_UP.format(
                payt=payt.address,
                administration=ADMINISTRATION,
                token=STATIC_TOKEN,
                secret=SECRET,
                password=PASSWORD,
            )
        )
        number, name, key = re.search(r"STORY\|(\d+)\|(.+)\|(\S+)", printed).groups()
        address = stack.enter_context(
            dev.odoo_server(
                postgres, database, extra=["--max-cron-threads=0"], log="payt-server"
            )
        )
        payt.webhooks.configure(
            {
                "subscriptions": [
                    {"url": f"{address}/payt/webhook/{key}", "secret": SECRET}
                ]
            }
        )
        yield Story(payt, shell, address, int(number), name)


@pytest.fixture
def person(chromium, artifacts):
    """Open a browser window of some width; each has his own cookies."""
    contexts = []

    def make(width="1280"):
        size = dict(zip(("width", "height"), VIEWPORTS[width], strict=True))
        context = chromium.new_context(viewport=size, locale="nl-NL")
        context.set_default_timeout(20000)
        contexts.append(context)
        page = context.new_page()
        page.picture = lambda name: page.screenshot(
            path=artifacts / f"payt-{name}-{width}.png", full_page=True
        )
        return page

    yield make
    for context in contexts:
        context.close()


def log_in(page, story, login):
    page.goto(f"{story.address}/web/login")
    page.fill("input[name=login]", login)
    page.fill("input[name=password]", PASSWORD)
    page.click("form.oe_login_form button[type=submit]")
    page.wait_for_url(re.compile(r"/(my|odoo)(?!.*login)"))


def finance(page, story, name):
    """The resident's page; returns what it says about payment."""
    page.goto(f"{story.address}/my/finance")
    page.picture(name)
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0, f"{overflow} px too wide"
    return page.inner_text("#wrap")


def test_the_whole_story(story, person):
    visitor, resident, phone = person(), person(), person("390")
    log_in(resident, story, "bewoner")
    log_in(phone, story, "bewoner")

    # Posted: the bill waits, then it is at Payt, with its PDF.
    assert story.look("move.payt_status") == "waiting"
    story.job("push")
    with story.payt.locked() as state:
        stored = state.find("invoices", invoice_number=story.name)
        assert state.files[stored["checksum"]].startswith(b"%PDF")
    (mail,) = story.payt.control_send_unsent({})["mailbox"]
    assert mail["to"] == "bewoner@example.com"
    story.payt.state.events.clear()

    # The link in the mail opens the payment page; he pays.
    visitor.goto(mail["url"])
    visitor.picture("site-bill")
    assert "Simulator" in visitor.inner_text("body")
    visitor.click("text=Betalen met iDEAL")
    visitor.click("text=Annuleren")
    assert "Nu betalen" in visitor.inner_text("main")
    visitor.click("text=Betalen met iDEAL")
    visitor.click("text=Betaling gelukt")
    assert "is betaald" in visitor.inner_text("main")

    # Payt calls; the payment is booked and the portal says so.
    story.webhooks_arrive()
    assert story.look("move.payment_state") == "paid"
    text = finance(resident, story, "paid")
    assert "Payt-meldingen" in text
    assert "Betaald" in text
    finance(phone, story, "paid")

    # The bank takes the money back: the bill is open again, and it is explained.
    (payment,) = [
        row
        for row in story.payt.state.psp_transactions.values()
        if row["status"] == "paid"
    ]
    story.payt.control_take_back({"id": payment["id"], "reversal_code": "MD06"})
    story.webhooks_arrive()
    assert story.look("move.payment_state") == "not_paid"
    text = finance(resident, story, "charged-back")
    assert "is teruggegaan" in text
    assert "Nu betalen" in text
    finance(phone, story, "charged-back")

    # Payt reminds; the portal shows which step it is.
    story.payt.control_phase({"invoice_number": story.name, "phase": "reminder_1"})
    story.webhooks_arrive()
    assert "Herinnering gestuurd" in finance(resident, story, "reminded")
    finance(phone, story, "reminded")

    # "Pay now" leads to the very page that Payt's mail showed.
    link = resident.get_attribute("#onergy_payt a.btn-primary", "href")
    assert link == mail["url"]


def test_a_conversation(story, person):
    resident, phone, clerk = person(), person("390"), person()
    log_in(resident, story, "bewoner")
    log_in(phone, story, "bewoner")
    resident.goto(f"{story.address}/my/timeline")
    resident.fill("#timeline_text", "Mag ik volgende week betalen?")
    resident.select_option("#timeline_bill", label=story.name)
    resident.click("text=Versturen")
    assert "uw bericht ontvangen" in resident.inner_text("#wrap")
    story.shell.run(
        "message = env['payt.message'].search([('kind', '=', 'in')], limit=1)\n"
        "env['payt.answer.wizard'].with_context(default_message_id=message.id)"
        ".create({'body': 'Ja, dat is goed.'}).action_send()"
    )
    story.job("push")
    assert [
        row["content"]
        for row in story.payt.state.messages.values()
        if row["sender_type"] == "creditor"
    ] == ["Ja, dat is goed."]
    for page in (resident, phone):
        page.goto(f"{story.address}/my/timeline")
        assert "Ja, dat is goed." in page.inner_text("#wrap")
        page.picture("timeline")
    resident.click("text=Mijn facturen op papier houden")
    assert "op papier ontvangen" in resident.inner_text("#wrap")

    log_in(clerk, story, "beheerder")
    clerk.goto(f"{story.address}/odoo/payt")
    clerk.wait_for_selector(".o_kanban_record:not(.o_kanban_ghost)")
    clerk.picture("overview")
    clerk.goto(f"{story.address}/odoo/account.move/{story.move_id}")
    clerk.wait_for_selector(".o_form_view .oe_stat_button")
    clerk.picture("invoice")
    assert "Herinnering 1" in clerk.inner_text(".o_form_view")
    for name, action in (
        ("queue", "payt_operation_action"),
        ("transactions", "payt_transaction_action"),
        ("messages", "payt_message_action"),
        ("invoices", "payt_invoice_action"),
        ("differences", "payt_difference_action"),
    ):
        number = story.look(f"env.ref('onergy_payt.{action}').id")
        clerk.goto(f"{story.address}/odoo/action-{number}")
        clerk.wait_for_selector(".o_data_row, .o_view_nocontent")
        clerk.picture(f"list-{name}")
    clerk.goto(f"{story.address}/odoo/payt")
    clerk.wait_for_selector(".o_kanban_record:not(.o_kanban_ghost)")
    clerk.click(".o_kanban_record:not(.o_kanban_ghost)")
    clerk.wait_for_selector(".o_form_view")
    clerk.picture("connection")
