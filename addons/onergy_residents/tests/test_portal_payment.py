from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged

from odoo.addons.mail.tests.common import MockEmail

from .portal_common import PortalCase

URL = "/my/payment"
OLD, NEW = "NL91ABNA0417164300", "NL20INGB0001234567"
FORM = {"iban": NEW, "holder": "R. One", "agree": "1", "password": "resident"}


@tagged("post_install", "-at_install")
class TestPortalPayment(MockEmail, PortalCase):
    """A resident gives, changes and revokes the permission to collect."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for contract in (cls.contract, cls.other_contract):
            contract.write(
                {
                    "bank_account_id": cls.env["res.partner.bank"]
                    .create({"acc_number": OLD, "partner_id": contract.partner_id.id})
                    .id,
                    "payment_method": "direct_debit",
                }
            )
        cls.mandate = cls.contract.mandate_ids
        cls.other_mandate = cls.other_contract.mandate_ids

    def _post(self, path, values=None, login="resident", status=200):
        with self.mock_mail_gateway():
            return self.post_as(login, URL + path, values or {}, status).text

    def _pending(self):
        return self.contract._get_mandate("pending")

    def test_new_account_is_announced_and_can_be_cancelled(self):
        page = self._post("/mandate", FORM)
        self.assertIn('role="status"', page)
        pending = self._pending()
        self.assertEqual(pending.holder_name, "R. One")
        self.assertEqual(pending.signed_how, "portal")
        self.assertEqual(pending.signed_by_id, self.resident)
        self.assertIn("4567", page)
        self.assertNotIn(NEW, page)
        self.assertIn("4567", self._mails[0]["body"])
        finance = self.open_as("resident", "/my/finance")
        self.assertIn(self.mandate.name, finance)
        self.assertIn("4567", finance)
        self._post("/cancel")
        self.assertEqual(pending.state, "cancelled")
        self.assertEqual(self.mandate.state, "active")
        # The page he left open in another tab does no harm.
        page = self._post("/cancel")
        self.assertIn('role="status"', page)

    def test_what_is_wrong_stands_at_the_field(self):
        for field, value in [
            ("iban", "NL00ABNA0417164300"),
            ("iban", OLD),
            ("holder", " "),
            ("agree", ""),
            ("password", "wrong"),
            ("password", ""),
        ]:
            with self.subTest(field=field, value=value):
                page = self._post("/mandate", {**FORM, field: value})
                ids = {
                    "iban": "new_iban",
                    "password": "mandate_password",
                }
                self.assertIn(f'id="onergy_{ids.get(field, field)}_error"', page)
                self.assertFalse(self._pending())
                # What he typed is still there, except the password.
                if field != "iban":
                    self.assertIn(f'value="{NEW}"', page)

    def test_direct_debit_is_stopped_after_what_it_means_was_said(self):
        page = self.open_as("resident", f"{URL}/revoke")
        self.assertIn("4300", page)
        self.assertEqual(self.mandate.state, "active")
        page = self._post("/revoke")
        self.assertEqual(self.mandate.state, "revoked")
        self.assertEqual(self.contract.payment_method, "bank_transfer")
        self.assertIn(self.mandate.name, page)
        self.assertIn("/my/payment", self.open_as("resident", "/my/finance"))
        # Nothing to stop any more: back to the page.
        self.authenticate("resident", "resident")
        response = self.url_open(f"{URL}/revoke")
        self.assertTrue(response.url.endswith(URL))
        self._post("/revoke")
        self.assertEqual(
            self.mandate.date_end, fields.Date.context_today(self.env.user)
        )

    def test_nobody_reaches_the_mandate_of_another(self):
        home = {"contract_id": self.other_contract.id}
        for path, values in [("/mandate", FORM), ("/cancel", {}), ("/revoke", {})]:
            for login in ("resident", "past"):
                with self.subTest(path=path, login=login):
                    values = {**values, "password": login}
                    self._post(path, {**values, **home}, login, status=404)
        for path in ("", "/revoke"):
            self.open_as(
                "resident", f"{URL}{path}?contract_id={home['contract_id']}", 404
            )
        self.assertEqual(self.other_contract.mandate_ids, self.other_mandate)
        self.assertEqual(self.other_mandate.state, "active")

    def test_rights_keep_each_to_his_own_mandates(self):
        """Whatever page or call asks: the record rule decides."""
        Mandate = self.env["onergy.mandate"]
        draft = Mandate._draft(self.contract, NEW, "R. One")
        for user, own in (
            (self.resident, self.mandate),
            (self.other, self.other_mandate),
            (self.past, Mandate),
        ):
            with self.subTest(user.login):
                self.assertEqual(Mandate.with_user(user).search([]), own)
                for hidden in (self.mandate | self.other_mandate | draft) - own:
                    with self.assertRaises(AccessError):
                        hidden.with_user(user).read(["name"])
        with self.assertRaises(AccessError):
            self.mandate.with_user(self.env.ref("base.public_user")).read(["name"])

    def test_past_tenant_sees_no_form_and_cannot_send_one(self):
        page = self.open_as("past", URL)
        self.assertNotIn("/my/payment/mandate", page)
        self.assertNotIn("4300", page)
        page = self._post("/mandate", {**FORM, "password": "pastxxxx"}, "past")
        self.assertFalse(self.past_contract.mandate_ids)
        self.assertFalse(self._pending())

    def test_visitors_and_staff(self):
        for path in ("", "/revoke"):
            self.authenticate(None, None)
            response = self.url_open(URL + path, allow_redirects=False)
            self.assertIn("/web/login", response.headers["Location"])
        for path in ("/mandate", "/cancel", "/revoke"):
            self._post(path, FORM, None)
        for user in self.staff.values():
            with self.subTest(user=user.login):
                page = self.open_as(user.login, URL)
                self.assertNotIn(self.mandate.name, page)
                self._post(
                    "/mandate", {**FORM, "password": user.login}, user.login, 404
                )
                self._post("/revoke", {}, user.login)
        self.assertEqual(self.mandate.state, "active")
        self.assertFalse(self._pending())

    def test_form_of_another_site_is_refused(self):
        self.authenticate("resident", "resident")
        response = self.url_open(f"{URL}/revoke", {"csrf_token": "forged"})
        self.assertEqual(response.status_code, 400)
        self.assertEqual(self.mandate.state, "active")

    def test_page_costs_the_same_for_every_length_of_history(self):
        self.open_as("resident", URL)
        mandates = self.env["onergy.mandate"]
        for number in range(3):
            mandates.create(
                {
                    "contract_id": self.contract.id,
                    "bank_account_id": self.contract.bank_account_id.id,
                    "signed_how": "recorded",
                    "signed_date": f"202{number}-01-01",
                    "state": "revoked",
                    "date_end": f"202{number}-02-01",
                }
            )
        mandates = mandates.with_user(self.resident)
        self.env.flush_all()
        self.env.invalidate_all()
        domain = [("contract_id", "=", self.contract.id)]
        mandates.search(domain).mapped("account_digits")
        self.env.invalidate_all()
        # Rules of the contract, mandates, their accounts.
        with self.assertQueryCount(4):
            self.assertEqual(len(mandates.search(domain).mapped("account_digits")), 4)
