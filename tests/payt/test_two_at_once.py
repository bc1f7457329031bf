"""Two processes on one database: a job that talks with Payt, and somebody else."""

import contextlib
import re
import threading

import pytest
from payt_server import PaytServer
from payt_server.oauth import STATIC_TOKEN
from payt_server.state import ADMINISTRATION

ADDONS = ["onergy_residents", "onergy_payt", "report_weasyprint"]
SECONDS = 3
SET_UP = """
payer = env["res.partner"].create({{
    "name": "Bewoner", "email": "bewoner@example.com", "street": "Voorbeeldstraat 1",
    "zip": "3511 AA", "city": "Utrecht", "country_id": env.ref("base.nl").id}})
connection = env["payt.connection"].create({{
    "company_id": env.company.id, "environment": "custom", "api_base_url": {payt!r},
    "app_base_url": {payt!r}, "administration_id": {administration!r},
    "api_token": {token!r}, "start_date": "2025-01-01", "send_pdf": False}})
connection.action_create_clearing_journal()
connection.action_go_live()
moves = env["account.move"].create([{{
    "move_type": "out_invoice", "partner_id": payer.id, "invoice_date": "2025-06-01",
    "invoice_date_due": "2025-06-15", "invoice_line_ids": [(0, 0, {{
        "name": "Voorschot", "price_unit": 95.0, "tax_ids": [(5, 0, 0)]}})]}}
    for _number in range(3)])
moves.action_post()
print("NAMES", *moves.mapped("name"), sep="|")
"""
JOB = "env.ref('onergy_payt.ir_cron_payt_{}').method_direct_trigger()"
# What a webhook's job and a manager may do while the talk goes on.
MEANWHILE = """
env["payt.connection"].search([]).paper_fee += 1
env["payt.invoice"].search([]).write({"warning": "looked at meanwhile"})
env["payt.cursor"].search([]).write({"last_count": 0})
"""


class Office:
    def __init__(self, payt, job_shell, other_shell):
        self.payt, self.job_shell, self.other_shell = payt, job_shell, other_shell

    def job(self, name, operation):
        """Run a job while Payt is slow, let others work meanwhile, return errors."""
        self.payt.faults.add(
            {"kind": "slow", "operation": operation, "seconds": SECONDS}
        )
        errors, asked = [], self.payt.counts[operation]

        def run():
            try:
                self.job_shell.run(JOB.format(name))
            except Exception as error:  # whatever it is, the test has to show it
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        while thread.is_alive() and self.payt.counts[operation] == asked:
            thread.join(0.05)
        self.other_shell.run(MEANWHILE)
        assert thread.is_alive(), f"nobody waited for {operation}"
        thread.join()
        return errors

    def look(self, expression):
        return self.other_shell.run(f"print({expression})").strip()


@pytest.fixture(scope="module")
def office(dev, postgres):
    template = dev.ensure_template(postgres, ADDONS)
    with contextlib.ExitStack() as stack:
        payt = stack.enter_context(PaytServer(rate_limit=0))
        database = stack.enter_context(
            dev.temporary_database(postgres, template, "two-at-once")
        )
        shells = [
            stack.enter_context(dev.OdooShell(postgres, database, f"payt-{name}"))
            for name in ("job", "other")
        ]
        printed = shells[0].run(
            SET_UP.format(
                payt=payt.address, administration=ADMINISTRATION, token=STATIC_TOKEN
            )
        )
        office = Office(payt, *shells)
        office.names = re.search(r"NAMES\|(.+)", printed)[1].split("|")
        yield office


def test_sending_survives_changes_by_others(office):
    assert not office.job("push", "POST /v1/invoices")
    assert office.look("set(env['payt.operation'].search([]).mapped('state'))") == (
        "{'done'}"
    )
    assert office.look("env['payt.connection'].search([]).paper_fee") == "1.0"
    assert sorted(
        row["invoice_number"] for row in office.payt.state.invoices.values()
    ) == sorted(office.names)


def test_reading_survives_changes_by_others(office):
    office.job_shell.run(JOB.format("pull"))
    for name in office.names:
        office.payt.control_pay({"invoice_number": name})
    assert not office.job("pull", "GET /v1/payments")
    states = office.look("env['account.move'].search([]).mapped('payment_state')")
    assert states.count("'paid'") == len(office.names)
    assert office.look("env['payt.connection'].search([]).paper_fee") == "2.0"
