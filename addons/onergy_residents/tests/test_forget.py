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
        lines = [str(record.read()) for record in records.sudo()]
        if "message_ids" in records._fields:
            messages = records.message_ids
            lines += messages.mapped("body")
            lines += [str(value.read()) for value in messages.sudo().tracking_value_ids]
        return " ".join(lines)

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
