from datetime import date

from dateutil.relativedelta import relativedelta

from odoo import fields
from odoo.tests import TransactionCase, tagged

from .common import OnergyCommon

IBAN = "NL91ABNA0417164300"


@tagged("post_install", "-at_install")
class TestForget(OnergyCommon, TransactionCase):
    """What is left of a past resident when the books need him no longer."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.today = fields.Date.today()

    def _get_texts(self, records):
        """Return all that these records and their chatter say, as one text."""
        self.env.flush_all()
        self.env.invalidate_all()
        # Values only: a field may well be called a secret.
        lines = [str(list(vals.values())) for vals in records.sudo().read()]
        if "message_ids" in records._fields:
            messages = records.message_ids
            lines += messages.mapped("body")
            lines += [str(value.read()) for value in messages.sudo().tracking_value_ids]
        return " ".join(lines)

    def _is_to_go(self):
        lines = self.env["onergy.purge"]._preview(self.company)
        return bool(lines.filtered(lambda line: line.kind == "resident").count)

    # ------------------------------------------------------------------ when

    def test_years_count_from_the_end_of_the_year(self):
        """AWR article 52(4): what ended in January is kept until New Year as well."""
        year = self.today.year - 7
        for last_day, is_gone in (
            (date(year, 1, 1), False),
            (date(year - 1, 12, 31), True),
            (date(year - 1, 1, 1), True),
        ):
            with self.subTest(last_day):
                self.contract.date_start = date(year - 2, 1, 1)
                self.contract.date_end = last_day
                self.assertEqual(self._is_to_go(), is_gone)
                # The same day that he is told when he asks.
                until = self.resident._onergy_get_books_until()
                self.assertEqual(until < self.today, is_gone)

    def test_each_company_has_books_of_its_own(self):
        other = self.env["res.company"].create(
            {"name": "Other supplier", "onergy_keep_billing_years": 10}
        )
        site = self.env["onergy.complex"].create(
            {"name": "Other", "code": "O", "company_id": other.id}
        )
        home = self.connection.copy({"complex_id": site.id})
        year = self.today.year
        self.contract.date_start = date(year - 12, 1, 1)
        self.contract.date_end = date(year - 11, 12, 31)
        contract = self._create_contract(
            home, self.resident, date(year - 12, 1, 1), date(year - 9, 6, 1)
        )
        self.assertEqual(contract.company_id, other)
        self.assertFalse(self._is_to_go())
        self.assertEqual(
            self.resident._onergy_get_books_until(), date(year + 1, 12, 31)
        )
        contract.date_end = date(year - 11, 6, 1)
        self.assertTrue(self._is_to_go())

    # ------------------------------------------------------------------ what

    def test_the_account_number_goes(self):
        """Odoo only archives a bank account: its number has to be overwritten."""
        banks = self.env["res.partner.bank"].with_context(active_test=False)
        account = banks.create(
            {
                "acc_number": IBAN,
                "acc_holder_name": "First resident",
                "partner_id": self.resident.id,
                "note": "Of his wife",
            }
        )
        self.contract.bank_account_id = account
        archived = account.copy({"acc_number": "NL20INGB0001234567", "active": False})
        self.contract.date_end = self.today - relativedelta(years=9)
        self.contract.date_start = self.today - relativedelta(years=10)
        self.resident._onergy_anonymise()
        left = banks.search([("partner_id", "=", self.resident.id)])
        text = self._get_texts(left) + self._get_texts(self.resident)
        for secret in (IBAN, "NL20INGB0001234567", "First resident", "wife"):
            with self.subTest(secret):
                self.assertNotIn(secret, text)
        self.assertFalse(left.filtered("active"))
        self.assertLessEqual(account | archived, left)
