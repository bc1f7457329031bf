from odoo.exceptions import AccessError
from odoo.tests import tagged

from .portal_common import PortalCase

PAGES = (
    "/my",
    "/my/data",
    "/my/onergy-account",
    "/my/finance",
    "/my/invoices",
    "/my/payment",
    "/my/privacy",
)


@tagged("post_install", "-at_install")
class TestPortalAccess(PortalCase):
    """Every page of the portal against everybody who may try to open it."""

    def test_resident_sees_his_own_home(self):
        for url in PAGES:
            with self.subTest(url=url):
                page = self.open_as("resident", url)
                self.assertNotIn("Dorpsstraat 2", page)
                self.assertNotIn("Resident Two", page)
                self.assertNotIn("Resident Past", page)
        self.assertIn("Dorpsstraat 1", self.open_as("resident", "/my"))

    def test_past_tenant_sees_his_own_period_only(self):
        page = self.open_as("past", "/my/data")
        self.assertIn(self.past_contract.name, page)
        self.assertIn("31 januari 2025", page)
        for url in PAGES:
            with self.subTest(url=url):
                page = self.open_as("past", url)
                self.assertNotIn("Resident One", page)
                self.assertNotIn(self.contract.name, page)

    def test_visitor_has_to_log_in(self):
        for url in PAGES:
            with self.subTest(url=url):
                self.authenticate(None, None)
                response = self.url_open(url, allow_redirects=False)
                self.assertEqual(response.status_code, 303)
                self.assertIn("/web/login", response.headers["Location"])

    def test_staff_are_not_shown_homes_of_residents(self):
        for user in self.staff.values():
            for url in PAGES:
                with self.subTest(user=user.login, url=url):
                    page = self.open_as(user.login, url)
                    self.assertNotIn("Dorpsstraat", page)
                    self.assertNotIn("Resident One", page)

    def test_home_of_another_is_not_found(self):
        for url in (
            "/my/data",
            "/my/finance",
            "/my/onergy-account",
            "/my/payment",
            "/my/privacy",
            "/my",
        ):
            for contract in (self.other_contract, self.past_contract):
                with self.subTest(url=url, contract=contract.name):
                    self.open_as("resident", f"{url}?contract_id={contract.id}", 404)
            with self.subTest(url=url):
                self.open_as("resident", f"{url}?contract_id=1x", 404)

    def test_odoos_address_pages_are_closed_to_residents(self):
        self.authenticate("resident", "resident")
        for url in ("/my/account", "/my/addresses", "/my/address"):
            with self.subTest(url=url):
                response = self.url_open(url)
                self.assertTrue(response.url.endswith("/my/data"), response.url)
        response = self.url_open(
            "/my/address/submit",
            {
                "csrf_token": self.csrf_token(),
                "partner_id": self.resident.partner_id.id,
                "name": "Somebody Else",
                "email": "thief@example.com",
            },
        )
        self.assertEqual(response.status_code, 403)
        self.assertEqual(self.resident.email, "resident@example.com")
        self.assertEqual(self.resident.name, "Resident One")

    def test_no_address_without_confirmation(self):
        user = self.resident.with_user(self.resident)
        for values in ({"email": "thief@example.com"}, {"name": "Somebody Else"}):
            with self.subTest(values=values), self.assertRaises(AccessError):
                user.write(values)
        self.assertEqual(self.resident.email, "resident@example.com")
        user.write({"tz": "Europe/Amsterdam"})

    def test_who_looks_along_confirms_an_address_as_well(self):
        """Access is given to an address: nobody may take one that is not his."""
        viewer = self._create_resident("viewer", "Somebody Else")
        self.env["onergy.access.grant"].create(
            {
                "contract_id": self.contract.id,
                "partner_id": viewer.partner_id.id,
                "name": "Somebody Else",
                "email": "viewer@example.com",
            }
        )
        with self.assertRaises(AccessError):
            viewer.with_user(viewer).write({"email": "victim@example.com"})
        self.assertEqual(viewer.email, "viewer@example.com")
        form = {
            "partner_id": viewer.partner_id.id,
            "name": "Somebody Else",
            "phone": "+31 30 000 0000",
            "street": "Kerkstraat 1",
            "city": "Utrecht",
            "zip": "3511 AA",
            "country_id": self.env.ref("base.nl").id,
            "use_delivery_as_billing": "true",
            "verify_address_values": "",
        }
        for email in ("victim@example.com", ""):
            self.post_as("viewer", "/my/address/submit", {**form, "email": email})
            with self.subTest(email=email):
                self.assertEqual(viewer.email, "viewer@example.com")
        self.post_as(
            "viewer", "/my/address/submit", {**form, "email": "Viewer@example.com"}
        )
        self.assertEqual(viewer.street, "Kerkstraat 1")

    def test_phone_number_of_a_resident_changes_on_the_page_only(self):
        """By RPC it would change without a line in the log and without Payt."""
        user = self.resident.with_user(self.resident)
        with self.assertRaises(AccessError):
            user.write({"phone": "+31 6 12345678"})
        self.assertFalse(self.resident.phone)

    def test_number_of_queries(self):
        """Pages must not slow down with the number of bills or of homes."""
        self.authenticate("resident", "resident")
        for url in PAGES:
            self.url_open(url)  # templates and caches
        budgets = {
            "/my": 32,
            "/my/data": 13,
            "/my/onergy-account": 11,
            "/my/finance": 37,
            "/my/payment": 23,
            "/my/privacy": 23,
        }
        for url, budget in budgets.items():
            with self.subTest(url=url), self.assertQueryCount(budget):
                self.assertEqual(self.url_open(url).status_code, 200)

    def test_no_way_round_the_pages(self):
        """A portal user may call ``read`` himself; fields must keep their secrets."""

        def read(user, record, names):
            return record.with_user(user).read(names)[0]

        self.contract.note = "<p>Internal</p>"
        for name in ("note",):
            with self.subTest(field=name), self.assertRaises(AccessError):
                read(self.resident, self.contract, [name])
        # Who lives there now is not the past tenant's business.
        with self.assertRaises(AccessError):
            read(self.past, self.contract, ["partner_id"])
        for name in ("current_partner_id", "current_contract_id", "contract_ids"):
            with self.subTest(field=name):
                try:
                    values = read(self.past, self.home, [name])
                except AccessError:
                    continue
                self.assertNotIn("Resident One", str(values))
                self.assertNotIn(
                    self.contract.id, [values[name], *(values[name] or [])]
                )
