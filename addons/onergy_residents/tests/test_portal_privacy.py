import io
import json
import zipfile

from odoo.exceptions import AccessError
from odoo.tests import tagged

from odoo.addons.mail.tests.common import MockEmail

from .portal_common import PortalCase

URL = "/my/privacy"


@tagged("post_install", "-at_install")
class TestPortalPrivacy(MockEmail, PortalCase):
    """Consents, a copy of one's data and the wish to have them deleted."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daily = cls.env.ref("onergy_residents.consent_purpose_daily")
        cls.tips = cls.env.ref("onergy_residents.consent_purpose_tips")

    def _post(self, path, values=None, login="resident", status=200):
        with self.mock_mail_gateway():
            return self.post_as(login, URL + path, values or {}, status)

    def _give(self, purpose, login="resident", status=200, **values):
        return self._post(
            "/consent", {"purpose": purpose.id, "give": 1, **values}, login, status
        )

    def _consents(self):
        return self.env["onergy.consent"].search([])

    def test_a_resident_does_not_delete_his_login_past_us(self):
        """Odoo's own way would archive the payer of a contract that runs."""
        viewer = self._create_resident("viewer", "No Resident")
        form = 'action="/my/deactivate_account"'
        self.assertNotIn(form, self.open_as("resident", "/my/security"))
        self.assertIn(URL, self.open_as("resident", "/my/security"))
        self.assertIn(form, self.open_as("viewer", "/my/security"))
        for user in (self.resident, viewer):
            login = user.login
            values = {"validation": login, "password": login.ljust(8, "x")}
            response = self.post_as(login, "/my/deactivate_account", values)
            with self.subTest(login):
                self.assertEqual(user.active, user == self.resident)
                self.assertEqual(URL in response.url, user == self.resident)
        self.assertEqual(self.resident.login, "resident")
        self.assertTrue(self.resident.partner_id.active)

    # ------------------------------------------------------------------ consent

    def test_consent_is_given_and_taken_back(self):
        before = self._consents()
        page = self._give(self.daily).text
        self.assertIn('role="status"', page)
        consent = self._consents() - before
        self.assertEqual(consent.partner_id, self.resident.partner_id)
        self.assertEqual(consent.contract_id, self.contract)
        self.assertEqual(consent.channel, "portal")
        self.assertEqual(consent.given_by_id, self.resident)
        # He agreed to what he read, in his own language.
        self.assertIn(consent.text, page)
        self.assertTrue(self.contract.daily_readings_allowed)
        self._post("/consent", {"purpose": self.daily.id})
        self.assertEqual(consent.state, "withdrawn")
        self.assertFalse(self.contract.daily_readings_allowed)
        # Taking back what is not there is no mistake.
        self._post("/consent", {"purpose": self.daily.id})

    def test_days_are_on_offer_where_consent_is_their_basis(self):
        offered = f'id="onergy_purpose_{self.daily.id}"'
        self.assertIn(offered, self.open_as("resident", URL))
        self.site.daily_basis = "none"
        self.assertNotIn(offered, self.open_as("resident", URL))
        self._give(self.daily, status=404)

    def test_consent_for_the_home_of_another_is_not_found(self):
        before = self._consents()
        for contract in (self.other_contract, self.past_contract):
            self._give(self.daily, status=404, contract_id=contract.id)
        for purpose in ("", "0", "x"):
            self._post("/consent", {"purpose": purpose, "give": 1}, status=404)
        for user in self.staff.values():
            self._give(self.tips, user.login, 404)
        self.assertEqual(self._consents(), before)

    # ------------------------------------------------------------------ download

    def _download(self, login, password=None):
        # Test users get a password of at least eight characters.
        password = password or login.ljust(8, "x")
        return self._post("/download", {"password": password}, login)

    def _read(self, response):
        self.assertEqual(response.headers["Content-Type"], "application/zip")
        self.assertIn("no-store", response.headers["Cache-Control"])
        archive = zipfile.ZipFile(io.BytesIO(response.content))
        return {n: archive.read(n).decode() for n in archive.namelist()}

    def test_download_of_ones_own_data(self):
        files = self._read(self._download("resident"))
        everything = "".join(files.values())
        self.assertIn("Resident One", everything)
        self.assertIn(self.contract.name, everything)
        for text in ("Resident Two", "Resident Past", self.past_contract.name):
            self.assertNotIn(text, everything)
        contracts = json.loads(files["contracts.json"])
        self.assertEqual([row["number"] for row in contracts], [self.contract.name])

    def test_past_tenant_gets_his_own_period(self):
        files = self._read(self._download("past"))
        everything = "".join(files.values())
        self.assertIn(self.past_contract.name, everything)
        self.assertNotIn(self.contract.name, everything)
        self.assertNotIn("Resident One", everything)

    def test_download_asks_the_password(self):
        for password in ("wrong", " "):
            response = self._download("resident", password)
            self.assertIn("text/html", response.headers["Content-Type"])
            self.assertIn('id="onergy_download_password_error"', response.text)

    # ------------------------------------------------------------------ deletion

    def test_deletion_is_asked_and_taken_back(self):
        page = self._post("/erasure", {"reason": "Because"}).text
        self.assertIn('id="onergy_confirm_error"', page)
        self.assertIn("Because", page)
        self._post("/erasure", {"reason": "Because", "confirm": 1})
        erasure = self.env["onergy.erasure"].search(
            [("partner_id", "=", self.resident.partner_id.id)]
        )
        self.assertEqual(erasure.reason, "Because")
        self.assertEqual(erasure.state, "new")
        page = self.open_as("resident", URL)
        self.assertIn("/my/privacy/erasure/cancel", page)
        self._post("/erasure/cancel", login="other")
        self.assertEqual(erasure.state, "new")
        self._post("/erasure/cancel")
        self.assertEqual(erasure.state, "cancelled")

    def test_how_long_data_are_kept_stands_on_the_page(self):
        self.env.company.onergy_keep_billing_years = 9
        self.assertIn("9 jaar", self.open_as("resident", URL))

    # ------------------------------------------------------------------ others

    def test_rights_keep_each_to_his_own_consents(self):
        Consent = self.env["onergy.consent"]
        purpose = self.env["onergy.consent.purpose"].search(
            [("is_per_home", "=", False)], limit=1
        )
        given = Consent.create(
            [
                {"partner_id": user.partner_id.id, "purpose_id": purpose.id}
                for user in (self.resident, self.other)
            ]
        )
        for user, own in (
            (self.resident, given[0]),
            (self.other, given[1]),
            (self.past, Consent),
        ):
            with self.subTest(user.login):
                self.assertEqual(Consent.with_user(user).search([]), own)
                for hidden in given - own:
                    with self.assertRaises(AccessError):
                        hidden.with_user(user).read(["text"])

    def test_visitors_and_staff_get_nothing(self):
        self.authenticate(None, None)
        response = self.url_open(URL, allow_redirects=False)
        self.assertIn("/web/login", response.headers["Location"])
        for path in ("/consent", "/download", "/erasure", "/erasure/cancel"):
            response = self._post(path, {"confirm": 1}, None)
            self.assertIn("/web/login", response.url)
        for user in self.staff.values():
            with self.subTest(user=user.login):
                self._post("/download", {"password": user.login}, user.login, 404)
                self._post("/erasure", {"confirm": 1}, user.login, 404)
        self.assertFalse(self.env["onergy.erasure"].search([]))

    def test_form_of_another_site_is_refused(self):
        self.authenticate("resident", "resident")
        for path in ("/consent", "/download", "/erasure"):
            response = self.url_open(URL + path, {"csrf_token": "forged"})
            self.assertEqual(response.status_code, 400)
