"""What Payt and Odoo had open on a day, and who sends the invoices."""

from datetime import date

from freezegun import freeze_time

from odoo.tests import tagged

from .common import PaytCommon


@tagged("post_install", "-at_install")
class TestAsOf(PaytCommon):
    def setUp(self):
        super().setUp()
        self.move = self.invoice(100.0)
        self.push()
        # The invoice was at Payt on the day that it was made.
        self.env.cr.execute(
            "UPDATE payt_invoice SET create_date = '2025-06-01' WHERE move_id = %s",
            [self.move.id],
        )

    def get_open(self, day):
        """(Odoo, Payt, kind) of the invoice on a day, or None when nothing is open."""
        self.env.flush_all()
        query = self.env["payt.difference"]._get_open_amounts(
            self.company, date.fromisoformat(day)
        )
        for move_id, odoo, payt, kind in self.env.execute_query(query):
            if move_id == self.move.id:
                return float(odoo), float(payt), kind
        return None

    def pay_at_bank(self, day, amount):
        with freeze_time(day):
            self.env["account.payment.register"].with_context(
                active_model="account.move", active_ids=self.move.ids
            ).create({"payment_date": day, "amount": amount})._create_payments()

    def receive_online(self, day, amount):
        """An online payment that Payt reported for a day and nobody booked."""
        transaction = (
            self.env["payt.transaction"]
            .sudo()
            .create(
                {
                    "connection_id": self.connection.id,
                    "payt_id": f"T{day}",
                    "currency_id": self.company.currency_id.id,
                    "amount": amount,
                    "status": "paid",
                    "state": "attention",
                    "paid_date": f"{day} 10:00:00",
                }
            )
        )
        self.env["payt.transaction.line"].sudo().create(
            {
                "transaction_id": transaction.id,
                "payt_id": f"L{day}",
                "invoice_id": self.move.payt_invoice_ids.id,
                "amount": amount,
                "payment_date": day,
            }
        )

    def test_before_it_was_made(self):
        self.assertIsNone(self.get_open("2025-05-31"))

    def test_both_the_same(self):
        self.assertEqual(self.get_open("2025-06-30"), (100.0, 100.0, "amount"))

    def test_paid_at_the_bank_later(self):
        """On the day nothing was paid yet, whatever happened afterwards."""
        self.pay_at_bank("2025-07-10", 40.0)
        self.assertEqual(self.get_open("2025-06-30"), (100.0, 100.0, "amount"))
        self.assertEqual(self.get_open("2025-07-10"), (60.0, 60.0, "amount"))

    def test_paid_online_and_not_booked(self):
        """The difference of the day: Payt has the money, the books have not."""
        self.receive_online("2025-06-20", 30.0)
        self.assertEqual(self.get_open("2025-06-19"), (100.0, 100.0, "amount"))
        self.assertEqual(self.get_open("2025-06-20"), (100.0, 70.0, "amount"))

    def test_not_at_payt_yet(self):
        self.env.cr.execute(
            "UPDATE payt_invoice SET create_date = '2025-07-01' WHERE move_id = %s",
            [self.move.id],
        )
        self.assertEqual(self.get_open("2025-06-30"), (100.0, 0.0, "missing"))

    def test_today_is_what_payt_says(self):
        self.move.payt_invoice_ids.sudo().open_amount = 55.0
        today = self.env["payt.difference"].env.cr.now().date().isoformat()
        self.assertEqual(self.get_open(today), (100.0, 55.0, "amount"))

    def test_settled_is_left_out(self):
        self.pay_at_bank("2025-07-10", 100.0)
        self.assertIsNone(self.get_open("2025-07-31"))

    def test_credit_note(self):
        self.move = self.invoice(25.0, move_type="out_refund")
        self.push()
        self.env.cr.execute("UPDATE payt_invoice SET create_date = '2025-06-01'")
        self.assertEqual(self.get_open("2025-06-30"), (-25.0, -25.0, "amount"))

    def test_who_sends(self):
        """Odoo keeps quiet where Payt sends, and only for what belongs there."""
        old = self.invoice(10.0, invoice_date="2024-12-01")
        both = self.move | old
        self.assertFalse(both._onergy_sent_elsewhere())
        self.connection.send_mode = "payt"
        self.assertEqual(both._onergy_sent_elsewhere(), self.move)
