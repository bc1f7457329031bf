from odoo.exceptions import ValidationError
from odoo.tests import Form, TransactionCase, tagged

from odoo.addons import onergy_residents

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

    def test_uninstalling_puts_the_way_of_signing_up_back(self):
        params = self.env["ir.config_parameter"]
        self.assertEqual(params.get_param("auth_signup.invitation_scope"), "b2b")
        for before in ("b2c", "b2b", False):
            params.set_param("auth_signup.invitation_scope", before)
            onergy_residents.pre_init_hook(self.env)
            params.set_param("auth_signup.invitation_scope", "b2b")
            onergy_residents.uninstall_hook(self.env)
            with self.subTest(before):
                self.assertEqual(
                    params.get_param("auth_signup.invitation_scope"), before
                )
        left = params.search([("key", "=like", "onergy_residents.%")])
        self.assertFalse(left.filtered(lambda p: "invitation" in p.key))
