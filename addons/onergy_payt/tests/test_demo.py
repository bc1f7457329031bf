from odoo import fields
from odoo.tests import tagged

from .common import PaytCommon


@tagged("post_install", "-at_install")
class TestDemo(PaytCommon):
    """The demo supplier talks to nobody until somebody wants it to."""

    def test_the_demo_connection_waits_for_a_person(self):
        self.connection.active = False
        today = fields.Date.context_today(self.env.user)
        move = self.invoice(95.0, invoice_date=today, invoice_date_due=today)
        self.assertFalse(move.payt_invoice_id)
        demo = self.env["onergy.demo"].with_company(self.company)
        connection = demo.sudo()._load_payt(today)
        self.assertFalse(connection.is_live)
        self.assertTrue(connection.journal_id)
        self.assertEqual(move.payt_invoice_id.connection_id, connection)
        self.run_cron("push")
        self.run_cron("pull")
        self.assertEqual(self.payt.counts.total(), 0)
        self.assertIn(
            '"amount_total": "95.00"', self.operations(self.mirror(move)).preview
        )

    def test_starting_the_simulator_puts_the_demo_on_it(self):
        self.connection.active = False
        today = fields.Date.context_today(self.env.user)
        move = self.invoice(95.0, invoice_date=today, invoice_date_due=today)
        demo = self.env["onergy.demo"].with_company(self.company).sudo()
        connection = demo._load_payt(today)
        connection.send_pdf = False
        demo.connect_payt_simulator(self.payt.address)
        self.assertTrue(connection.is_live)
        self.run_cron("push")
        self.assertTrue(self.at_payt(move))
