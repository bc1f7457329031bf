from odoo.exceptions import ValidationError
from odoo.tests import Form, TransactionCase, tagged

from .common import OnergyCommon


@tagged("post_install", "-at_install")
class TestSettings(OnergyCommon, TransactionCase):
    def test_validity_of_codes(self):
        settings = Form(self.env["res.config.settings"])
        self.assertEqual(settings.onergy_access_code_days, 180)
        settings.onergy_access_code_days = 30
        settings.save().execute()
        codes = self.env["onergy.access.code"]._issue(self.resident, "letter")
        [code] = codes
        self.assertEqual((code.date_expiry - code.issued_date.date()).days, 30)

    def test_codes_do_not_live_for_ever_nor_die_at_once(self):
        for days in (0, -1, 731):
            with self.subTest(days=days), self.assertRaises(ValidationError):
                self.env["res.config.settings"].create(
                    {"onergy_access_code_days": days}
                )
