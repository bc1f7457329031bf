import re
from datetime import timedelta

from dateutil.relativedelta import relativedelta

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import format_date

from .portal_common import PortalCase


@tagged("post_install", "-at_install")
class TestPortalFinance(PortalCase):
    """What a resident sees of his advances, bills and payments."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.today = fields.Date.context_today(cls.env.user)
        cls.env["onergy.advance"].create(
            [
                {"contract_id": cls.contract.id, "amount": amount, "date_from": date}
                for amount, date in (
                    (135, "2025-02-01"),
                    (150, "2026-01-01"),
                    (175, cls.today + relativedelta(months=1, day=1)),
                )
            ]
        )

    def _bill(self, amount, due_in=14, contract=None, kind="advance", refund=False):
        contract = contract or self.contract
        bill = self.env["account.move"].create(
            {
                "move_type": "out_refund" if refund else "out_invoice",
                "partner_id": contract.partner_id.id,
                "invoice_date": self.today + timedelta(days=due_in - 14),
                "invoice_date_due": self.today + timedelta(days=due_in),
                "onergy_contract_id": contract.id,
                "onergy_move_kind": kind,
                "invoice_payment_term_id": False,
                "invoice_line_ids": [
                    Command.create(
                        {
                            "name": "Heat",
                            "price_unit": amount,
                            "tax_ids": [Command.clear()],
                        }
                    )
                ],
            }
        )
        bill.action_post()
        return bill

    def _pay(self, bill, amount=None):
        values = {"amount": amount} if amount else {}
        return (
            self.env["account.payment.register"]
            .with_context(active_model="account.move", active_ids=bill.ids)
            .create(values)
            ._create_payments()
        )

    def _book_payment(self, amount, partner=None):
        """Book money from the bank that no bill is matched with (negative: back)."""
        partner = partner or self.resident.partner_id
        journal = self.env["account.journal"].search(
            [("type", "=", "bank"), ("company_id", "=", self.env.company.id)], limit=1
        )
        receivable = partner.property_account_receivable_id
        move = self.env["account.move"].create(
            {
                "journal_id": journal.id,
                "date": self.today,
                "line_ids": [
                    Command.create(
                        {
                            "account_id": journal.default_account_id.id,
                            "balance": amount,
                        }
                    ),
                    Command.create(
                        {
                            "account_id": receivable.id,
                            "partner_id": partner.id,
                            "balance": -amount,
                        }
                    ),
                ],
            }
        )
        move.action_post()

    def _balance(self, user):
        user.partner_id.invalidate_recordset(["credit"])
        return user.partner_id._onergy_get_balance(self.env.company)

    def _text(self, page):
        """Return the text of the page as a person reads it, on one line."""
        main = page[page.index("<main") : page.index("</main")]
        return " ".join(re.sub(r"<[^>]+>", " ", main).replace("\xa0", " ").split())

    def _row(self, page, bill):
        start = page.index(f'data-bill="{bill.id}"')
        return page[start : page.index("</tr>", start)]

    def test_advance_and_its_history(self):
        text = self._text(self.open_as("resident", "/my/finance"))
        for amount in ("135,00", "150,00", "175,00"):
            self.assertIn(amount, text)
        values = self.contract._get_advance(self.today)
        self.assertEqual(values.amount, 150)

    def test_next_advance_is_the_bill_that_is_out(self):
        self._bill(123.45, due_in=5)
        self.assertIn("123,45", self._text(self.open_as("resident", "/my")))

    def test_balance_counts_every_payment(self):
        bill = self._bill(100)
        self._bill(42.80, kind="settlement")
        self.assertEqual(self._balance(self.resident), 142.80)
        self._book_payment(50)
        self.assertEqual(self._balance(self.resident), 92.80)
        self.assertIn("92,80", self._text(self.open_as("resident", "/my/finance")))
        self._book_payment(-20)
        self._bill(10, refund=True)
        self.assertEqual(self._balance(self.resident), 102.80)
        payments = self.resident.partner_id._onergy_get_payments(self.env.company)
        self.assertEqual([payment["amount"] for payment in payments], [-20, 50])
        self.assertEqual(bill._onergy_get_portal_status(), "open")
        # Nothing of this is another's.
        self.assertEqual(self._balance(self.other), 0)
        payments = self.other.partner_id._onergy_get_payments(self.env.company)
        self.assertEqual(payments, [])

    def test_too_much_paid_is_said_in_words(self):
        self._book_payment(50)
        text = self._text(self.open_as("resident", "/my/finance"))
        self.assertRegex(text, r"0,00.*50,00")
        self.assertNotIn("-50,00", text)

    def test_state_of_a_bill(self):
        bills = {
            "open": self._bill(100),
            "overdue": self._bill(101, due_in=-1),
            "paid": self._bill(102),
            "partial": self._bill(103),
            "refund_open": self._bill(104, refund=True),
        }
        due_today = self._bill(105, due_in=0)
        payment = self._pay(bills["paid"])
        self._pay(bills["partial"], 3)
        for status, bill in bills.items():
            with self.subTest(status=status):
                expected = {status}
                if status == "paid" and not payment.move_id:
                    expected = {"processing"}
                if status == "partial" and not payment.move_id:
                    # Without an outstanding account Odoo leaves the bill untouched.
                    expected = {"open", "partial", "processing"}
                self.assertIn(bill._onergy_get_portal_status(), expected)
        self.assertEqual(due_today._onergy_get_portal_status(), "open")
        page = self.open_as("resident", "/my/invoices")
        # The state is in words, not in colour alone.
        self.assertIn("o_onergy_badge_late", self._row(page, bills["overdue"]))
        self.assertRegex(
            self._text("<main>" + self._row(page, bills["overdue"]) + "</main"),
            r"\d{4} .*101,00.* \w+",
        )

    def test_payment_shows_its_bill(self):
        bill = self._bill(100)
        self._pay(bill)
        (payment,) = self.resident.partner_id._onergy_get_payments(self.env.company)
        self.assertEqual(payment["amount"], 100)
        self.assertEqual(payment["bills"], [bill.name])

    def test_overdue_bill_asks_for_attention(self):
        page = self.open_as("resident", "/my")
        self.assertIn("o_onergy_step_ok", page)
        self.assertNotIn("o_onergy_step_urgent", page)
        self._bill(66.60, due_in=-1)
        page = self.open_as("resident", "/my")
        self.assertIn("o_onergy_step_urgent", page)
        text = self._text(page)
        self.assertIn("66,60", text)
        # Whoever pays by direct debit has not been late himself.
        self.contract.payment_method = "direct_debit"
        debit_text = self._text(self.open_as("resident", "/my"))
        self.assertIn("66,60", debit_text)
        self.assertNotEqual(debit_text, text)

    def test_bill_can_be_downloaded_by_its_payer_only(self):
        bill = self._bill(100)
        url = f"/my/invoices/{bill.id}"
        row = self._row(self.open_as("resident", "/my/finance"), bill)
        self.assertIn(f"{url}?report_type=pdf&amp;download=true", row)
        self.assertIn(bill.name, self.open_as("resident", url))
        for login in ("other", "past"):
            with self.subTest(login=login):
                self.assertNotIn(bill.name, self.open_as(login, url))
                self.assertNotIn(bill.name, self.open_as(login, "/my/invoices"))
        self.authenticate(None, None)
        self.assertNotIn(bill.name, self.url_open(url).text)

    def test_bills_of_one_home_at_a_time(self):
        second = self._create_contract(
            self._create_connection("9"), self.resident, "2025-03-01"
        )
        first_bill = self._bill(111.11)
        second_bill = self._bill(222.22, contract=second)
        page = self.open_as("resident", f"/my/finance?contract_id={second.id}")
        self.assertIn(f'data-bill="{second_bill.id}"', page)
        self.assertNotIn(f'data-bill="{first_bill.id}"', page)
        # What he owes is one sum for all homes.
        self.assertIn("333,33", self._text(page))
        # The tabs keep the choice.
        self.assertIn(f"/my/data?contract_id={second.id}", page)

    def test_account_number_is_masked(self):
        bank = self.env["res.partner.bank"].create(
            {
                "partner_id": self.resident.partner_id.id,
                "acc_number": "NL91 ABNA 0417 1643 00",
            }
        )
        self.contract.bank_account_id = bank
        for url in ("/my/finance", "/my/data"):
            with self.subTest(url=url):
                page = self.open_as("resident", url)
                self.assertIn("4300", page)
                self.assertNotIn("1643", page)

    def test_direct_debit_without_account_is_a_problem(self):
        self.contract.payment_method = "direct_debit"
        self.assertIn("o_onergy_step_urgent", self.open_as("resident", "/my/finance"))

    def test_no_advance_after_the_end(self):
        self.contract.advance_ids.filtered(lambda a: a.date_from > self.today).unlink()
        first_of_month = self.today + relativedelta(months=1, day=1)
        date = format_date(
            self.env, first_of_month, lang_code="nl_NL", date_format="d MMMM y"
        )
        for url in ("/my", "/my/finance"):
            self.assertIn(date, self._text(self.open_as("resident", url)))
        self.contract.date_end = self.today
        for url in ("/my", "/my/finance"):
            self.assertNotIn(date, self._text(self.open_as("resident", url)))

    def test_pages_do_not_slow_down_with_the_number_of_bills(self):
        self.authenticate("resident", "resident")
        urls = ("/my", "/my/finance")
        counts = {}
        self._bill(9, due_in=-1)
        for _round in range(2):
            for url in urls:
                self.url_open(url)
                before = self.cr.sql_log_count
                self.url_open(url)
                counts.setdefault(url, []).append(self.cr.sql_log_count - before)
            for number in range(6):
                self._bill(10 + number, due_in=-number)
        for url, (first, second) in counts.items():
            # A query per bill would be six more.
            self.assertLess(second, first + 6, url)
