from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from odoo.addons.mail.tests.common import MailCase

from .portal_common import PortalCase

URL = "/my/access"


@tagged("post_install", "-at_install")
class TestAccessGrant(PortalCase, MailCase):
    """Somebody else looks along: from one day until another, and no further."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("en_US")
        cls.viewer = cls._create_resident("viewer", "The Bookkeeper")
        for user in (cls.resident, cls.other, cls.past, cls.viewer):
            user.lang = "en_US"
        cls.today = fields.Date.context_today(cls.contract)

    def _give(self, **values):
        return self.env["onergy.access.grant"].create(
            {
                "contract_id": self.contract.id,
                "partner_id": self.viewer.partner_id.id,
                "name": "The Bookkeeper",
                "email": "viewer@example.com",
                "date_from": self.today,
                **values,
            }
        )

    def _sees(self, user=None):
        """The contracts and homes that a user may read."""
        user = user or self.viewer
        self.env.flush_all()
        self.env.invalidate_all()
        return (
            self.env["onergy.contract"].with_user(user).search([]),
            self.env["onergy.connection"].with_user(user).search([]),
        )

    def _post(self, login="resident", url=URL, **values):
        return self.post_as(
            login,
            url,
            {
                "contract_id": self.contract.id,
                "name": "My daughter",
                "email": "daughter@example.com",
                "date_from": str(self.today),
                **values,
            },
        )

    # ------------------------------------------------------------------ rules

    def test_open_from_the_first_day_until_the_last(self):
        nothing = (self.env["onergy.contract"], self.env["onergy.connection"])
        self.assertEqual(self._sees(), nothing)
        self._give(
            date_from=self.today + timedelta(days=1),
            date_to=self.today + timedelta(days=3),
        )
        self.assertEqual(self._sees(), nothing, "not before the first day")
        for days, seen in ((1, True), (3, True), (4, False)):
            with freeze_time(f"{self.today + timedelta(days=days)} 12:00:00"):
                self.assertEqual(
                    self._sees(), (self.contract, self.home) if seen else nothing, days
                )

    def test_revoked_is_closed_at_once(self):
        grant = self._give()
        self.assertEqual(self._sees(), (self.contract, self.home))
        grant.action_revoke()
        self.assertFalse(self._sees()[0])
        self.assertEqual(grant.state, "revoked")
        with self.assertRaises(AccessError):
            self.contract.with_user(self.viewer).read(["name"])

    def test_shows_no_money_and_no_contact_data(self):
        self._give()
        self.contract.advance_ids = [
            fields.Command.create({"date_from": "2025-02-01", "amount": 90})
        ]
        contract = self.contract.with_user(self.viewer)
        self.assertFalse(contract.advance_ids)
        self.assertFalse(contract.current_advance_amount)
        for name in ("email", "phone", "debtor_number", "bank_account_id", "note"):
            with self.subTest(name), self.assertRaises(AccessError):
                contract.read([name])
        for user in (self.viewer, self.other, self.past):
            with self.assertRaises(AccessError):
                contract.with_user(user).write({"date_end": self.today})
            with self.assertRaises(AccessError):
                self.contract.grant_ids.with_user(user).write({"date_to": False})
        self.assertFalse(
            self.env["onergy.access.grant"].with_user(self.other).search([])
        )

    def test_earlier_days_are_not_shown(self):
        self._give(date_from=self.today - timedelta(days=10))
        first = self.contract.with_user(self.viewer)._get_first_visible_day()
        self.assertEqual(first, self.today - timedelta(days=10))
        for user in (self.resident, *self.staff.values()):
            self.assertEqual(
                self.contract.with_user(user).sudo()._get_first_visible_day(),
                self.contract.date_start,
            )
        self.assertFalse(self.contract.with_user(self.other)._get_first_visible_day())

    # ------------------------------------------------------------------ pages

    def test_pages_of_a_shared_home(self):
        self._give()
        query = f"?contract_id={self.contract.id}"
        self.assertIn("Dorpsstraat 1", self.open_as("viewer", "/my"))
        page = self.open_as("viewer", f"/my/data{query}")
        self.assertIn("Dorpsstraat 1", page)
        for secret in ("Resident One", self.contract.name, "IBAN", "Report a move"):
            self.assertNotIn(secret, page)
        for url in ("/my/finance", "/my/requests/new", "/my/move", URL):
            with self.subTest(url):
                self.open_as("viewer", f"{url}{query}", 404)
                self.open_as("viewer", f"{url}{query}&shared=1", 404)
        self.post_as(
            "viewer",
            "/my/move",
            {"kind": "move_out", "contract_id": self.contract.id},
            404,
        )
        self.post_as("viewer", URL, {"contract_id": self.contract.id}, 404)
        self.open_as("other", f"/my/data{query}", 404)
        self.contract.grant_ids.date_from = self.today - timedelta(days=9)
        self.contract.grant_ids.date_to = self.today - timedelta(days=1)
        self.open_as("viewer", f"/my/data{query}", 404)

    def test_holder_gives_and_revokes(self):
        self.assertIn("Nobody but you", self.open_as("resident", URL))
        page = self._post(date_to=str(self.today + timedelta(days=30))).text
        self.assertIn("gets an e-mail", page)
        grant = self.contract.grant_ids
        self.assertEqual((grant.name, grant.state), ("My daughter", "active"))
        user = grant.partner_id.user_ids
        self.assertTrue(user._is_portal())
        self.assertEqual(self._sees(user), (self.contract, self.home))
        mail = self.env["mail.mail"].search(
            [("res_id", "=", grant.id), ("model", "=", grant._name)]
        )
        self.assertEqual(mail.email_to, "daughter@example.com")
        self.assertIn("/web/signup", mail.body_html)
        self.assertNotIn("signup", self.open_as("resident", URL))
        self.post_as("resident", f"{URL}/{grant.id}/revoke", {})
        self.assertEqual(grant.state, "revoked")
        log = grant.message_ids.tracking_value_ids
        self.assertTrue(log)

    def test_who_has_a_login_keeps_it(self):
        self.viewer.partner_id.onergy_viewer = True
        self._post(email="VIEWER@example.com")
        self.assertEqual(self.contract.grant_ids.partner_id, self.viewer.partner_id)

    def _get_mail(self, grant):
        return self.env["mail.mail"].search(
            [("res_id", "=", grant.id), ("model", "=", grant._name)]
        )

    def test_a_login_that_only_resembles_the_address_gets_nothing(self):
        """Typed ``_`` and ``%`` are characters of an address, not patterns."""
        self.other.login = "jan.smit@example.com"
        for email in ("jan_smit@example.com", "%smit@example.com"):
            with self.subTest(email):
                self._post(email=email)
                grant = self.contract.grant_ids.filtered(lambda g: g.email == email)  # noqa: B023
                self.assertNotEqual(grant.partner_id, self.other.partner_id)
                self.assertEqual(grant.partner_id.user_ids.login, email)

    def test_an_address_that_nobody_confirmed_gets_nothing(self):
        """A customer of another kind may write any address on Odoo's own page."""
        self.post_as(
            "viewer",
            "/my/address/submit",
            {
                "partner_id": self.viewer.partner_id.id,
                "name": "The Bookkeeper",
                "email": "daughter@example.com",
                "phone": "+31 30 000 0000",
                "street": "Kerkstraat 1",
                "city": "Utrecht",
                "zip": "3511 AA",
                "country_id": self.env.ref("base.nl").id,
                "use_delivery_as_billing": "true",
                "verify_address_values": "",
            },
        )
        self.assertEqual(self.viewer.email, "daughter@example.com")
        self._post()
        user = self.contract.grant_ids.partner_id.user_ids
        self.assertEqual(user.login, "daughter@example.com")
        self.assertNotEqual(user, self.viewer)

    def test_no_token_goes_to_another_address_than_the_accounts_own(self):
        """Who has the mailbox of an old login name does not get the account."""
        viewer = self._create_resident("daughter@example.com", "Daughter")
        self.assertFalse(viewer.log_ids)
        viewer.email = "moved@example.com"
        self._post()
        grant = self.contract.grant_ids
        self.assertEqual(grant.partner_id, viewer.partner_id)
        body = self._get_mail(grant).body_html
        self.assertNotIn("token", body)
        self.assertIn("/my", body)

    def test_nobody_learns_who_works_here(self):
        """An employee is somebody's daughter too; he is given nothing else."""
        clerk = new_test_user(
            self.env, "clerk@example.com", "onergy_residents.group_customer_service"
        )
        other = self.env["res.company"].create({"name": "Another supplier"})
        clerk.write({"company_ids": [(6, 0, other.ids)], "company_id": other.id})
        closed = self._create_resident("closed@example.com", "Closed")
        closed.active = False
        for user in (clerk, closed):
            page = self._post(email=user.login).text
            with self.subTest(user.login):
                self.assertIn("gets an e-mail", page)
                grant = self.contract.grant_ids.filtered(
                    lambda g, user=user: g.email == user.login
                )
                self.assertEqual(grant.partner_id, user.partner_id)
                self.assertNotIn("token", self._get_mail(grant).body_html)
        self.assertEqual(clerk.company_ids, other)
        self.assertFalse(closed.active)

    def test_nobody_can_flood_a_mailbox(self):
        for number in range(5):
            self._post(name=f"Name {number}", email="victim@example.com")
        self.assertEqual(len(self.contract.grant_ids), 5)
        page = self._post(email="victim@example.com").text
        self.assertIn("too often today", page)
        # Nor who uses two accounts.
        page = self._post(
            "other", email="Victim@Example.com", contract_id=self.other_contract.id
        ).text
        self.assertIn("too often today", page)
        self.assertEqual(len(self.contract.grant_ids), 5)

    def test_nobody_can_write_to_many_mailboxes(self):
        grant = self._give()
        values = grant.copy_data({"contract_id": self.contract.id})[0]
        values["partner_id"] = self.viewer.partner_id.id
        self.env["onergy.access.grant"].with_user(self.resident).sudo().create(
            [{**values, "email": f"n{number}@example.com"} for number in range(19)]
        ).action_revoke()
        self.assertIn("gets an e-mail", self._post(email="n19@example.com").text)
        self.assertIn("too often today", self._post(email="n20@example.com").text)
        with freeze_time(fields.Datetime.now() + timedelta(days=1, minutes=5)):
            self.assertIn("gets an e-mail", self._post(email="n20@example.com").text)

    def test_days_are_those_of_here_wherever_he_is(self):
        """A viewer chooses his own time zone; not by it the days he may look."""
        nothing = (self.env["onergy.contract"], self.env["onergy.connection"])
        grant = self._give(date_from=self.today + timedelta(days=1))
        with freeze_time(f"{self.today} 12:00:00"):
            self.viewer.tz = "Pacific/Kiritimati"
            self.assertEqual(self._sees(), nothing)
            self.assertEqual(grant.with_user(self.viewer).state, "future")
        grant.write(
            {
                "date_from": self.today - timedelta(days=9),
                "date_to": self.today - timedelta(days=1),
            }
        )
        with freeze_time(f"{self.today} 08:00:00"):
            self.viewer.tz = "Pacific/Pago_Pago"
            self.assertEqual(self._sees(), nothing)
            self.assertEqual(grant.with_user(self.viewer).state, "expired")
        self._post(date_from=str(self.today))
        viewer = (self.contract.grant_ids - grant).partner_id.user_ids
        self.assertEqual(viewer.tz, "Europe/Amsterdam")

    def test_errors_are_clear(self):
        yesterday = self.today - timedelta(days=1)
        for values, complaint in (
            ({"name": ""}, "Fill in the name"),
            ({"email": "daughter"}, "not an e-mail address"),
            ({"date_from": "x"}, "Fill in a date, for example"),
            ({"date_to": str(yesterday)}, "still to come"),
        ):
            with self.subTest(complaint):
                self.assertIn(complaint, self._post(**values).text)
        self.assertFalse(self.contract.grant_ids)

    def test_not_for_the_home_of_another(self):
        for login in ("other", "past"):
            self.post_as(login, URL, {"contract_id": self.contract.id}, 404)
        grant = self._give()
        for login in ("other", "past", "viewer"):
            self.post_as(login, f"{URL}/{grant.id}/revoke", {})
        for user in self.staff.values():
            self.post_as(user.login, f"{URL}/{grant.id}/revoke", {})
        self.assertEqual(grant.state, "active")
        self.authenticate(None, None)
        self.assertIn("/web/login", self.url_open(URL).url)

    def test_clerk_gives_it_for_him(self):
        wizard = (
            self.env["onergy.access.give"]
            .with_user(self.staff["customer_service"])
            .create(
                {
                    "contract_id": self.contract.id,
                    "name": "My daughter",
                    "email": "daughter@example.com",
                }
            )
        )
        wizard.action_give()
        self.assertEqual(self.contract.grant_ids.state, "active")
        wizard.email = "nothing"
        with self.assertRaises(UserError):
            wizard.action_give()
        for role in ("metering", "accountant"):
            with self.assertRaises(AccessError):
                self.contract.grant_ids.with_user(self.staff[role]).action_revoke()
