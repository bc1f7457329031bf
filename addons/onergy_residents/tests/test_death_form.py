import re
import time
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged

from .portal_common import PortalCase

DEATH = "/onergy/death"


@tagged("post_install", "-at_install")
class TestDeathForm(PortalCase):
    """Heirs tell without a login that an account holder has died."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("en_US")
        for user in (cls.resident, *cls.staff.values()):
            user.lang = "en_US"
        cls.requests = cls.env["onergy.request"]

    def _send(self, seconds=10, login=None, **values):
        """Fill in the form as a person who takes some seconds."""
        self.authenticate(login, login)
        page = self.url_open(DEATH).text
        token = re.search(r'name="token" value="([^"]+)"', page)[1]
        now = time.time()
        with patch("odoo.addons.onergy_residents.controllers.request.time") as clock:
            clock.time.return_value = now + seconds
            return self.url_open(
                DEATH,
                {
                    "csrf_token": self.csrf_token(),
                    "token": token,
                    "deceased": "Resident One",
                    "zip": "1234ab",
                    "number": "1",
                    "name": "Daughter",
                    "email": "daughter@example.com",
                    **values,
                },
            ).text

    def test_becomes_a_request_of_its_own_kind(self):
        day = fields.Date.context_today(self.requests) - timedelta(days=3)
        page = self._send(date_death=str(day), text="The key goes back in May.")
        self.assertIn("We are sorry for your loss", page)
        record = self.requests.search([])
        self.assertEqual((record.category, record.channel), ("death", "public"))
        self.assertEqual(record.subject, "Death of Resident One")
        self.assertEqual(record.date_death, day)
        self.assertEqual(
            record.date_deadline, record._get_deadline(record.company_id, "death")
        )
        self.assertEqual(record.email_from, "daughter@example.com")
        self.assertFalse(record.partner_id, "a person decides whom it is about")
        for text in ("Resident One", "1234ab 1", "The key goes back in May."):
            self.assertIn(text, record.description)
        mail = self.env["mail.mail"].sudo().search([("res_id", "=", record.id)])
        self.assertEqual(mail.email_to, "daughter@example.com")
        self.assertIn("We received your message", mail.subject)
        self.assertIn("sorry for your loss", mail.body_html)
        self.assertNotIn("Resident One", mail.body_html)
        self.assertNotIn("Death of", self.open_as("resident", "/my/requests"))

    def test_says_the_same_of_any_address_and_name(self):
        """Neither the page nor what is kept tells whether we know somebody."""
        known = self._send()
        unknown = self._send(deceased="Nobody", zip="9999 ZZ", number="77")

        def without_token(page):
            return re.sub(r'(csrf_token|token)[^>]*|"[0-9a-f]{40,}[^"]*"', "", page)

        self.assertEqual(without_token(known), without_token(unknown))
        self.assertEqual(self.requests.search_count([]), 2)

    def test_errors_are_clear_and_nothing_is_lost(self):
        page = self._send(deceased="", zip="", number="", name="", email="")
        for complaint in (
            "the name of the person who has died",
            "Fill in the postcode",
            "Fill in the house number",
            "Fill in your name",
            "so that we can answer you",
        ):
            self.assertIn(complaint, page)
        tomorrow = fields.Date.context_today(self.requests) + timedelta(days=2)
        for values, complaint in (
            ({"email": "daughter@"}, "not an e-mail address"),
            ({"date_death": "lately"}, "not after today"),
            ({"date_death": str(tomorrow)}, "not after today"),
            ({"text": "x" * 10001}, "This is too long"),
        ):
            with self.subTest(complaint):
                page = self._send(**values)
                self.assertIn(complaint, page)
                self.assertIn('value="Daughter"', page)
                self.assertIn('aria-invalid="true"', page)
        self.assertFalse(self.requests.search_count([]))

    def test_a_telephone_number_is_enough(self):
        self.assertIn("sorry for your loss", self._send(email="", phone="0301234567"))
        record = self.requests.search([])
        self.assertEqual(record.phone, "0301234567")
        self.assertFalse(record.email_from)
        self.assertFalse(
            self.env["mail.mail"].sudo().search([("res_id", "=", record.id)])
        )

    def test_robots_and_floods_are_kept_out(self):
        self.assertIn("We received your message", self._send(website_url="http://spam"))
        self.assertIn("please send it again", self._send(seconds=1))
        self.assertIn("please send it again", self._send(token="forged"))
        self.assertFalse(self.requests.search_count([]))
        for _number in range(5):
            self._send()
        self.assertIn("Try again in an hour", self._send())
        self.assertEqual(self.requests.search_count([]), 5)

    def test_needs_the_token_of_the_session(self):
        self.authenticate(None, None)
        response = self.url_open(DEATH, {"csrf_token": "wrong", "deceased": "X"})
        self.assertEqual(response.status_code, 400)
        self.assertFalse(self.requests.search_count([]))

    def test_switched_off_with_the_contact_form(self):
        self.assertIn(DEATH, self.open_as(None, "/onergy/contact"))
        self.assertIn(DEATH, self.open_as(None, "/web/login"))
        self.env.company.onergy_contact_form = False
        self.assertNotIn('name="deceased"', self.open_as(None, DEATH))
        self.assertNotIn(DEATH, self.open_as(None, "/web/login"))
        self.authenticate(None, None)
        response = self.url_open(DEATH, {"csrf_token": self.csrf_token()})
        self.assertEqual(response.status_code, 404)

    def test_others_who_open_it(self):
        """A neighbour with a login and staff send the same form; none sees more."""
        for login in ("resident", *(user.login for user in self.staff.values())):
            with self.subTest(login):
                self.assertIn("sorry for your loss", self._send(login=login))
                self.requests.search([]).unlink()
        self.assertFalse(self.env["onergy.move"].search([]))

    def test_not_offered_in_the_other_forms(self):
        page = self.open_as("resident", "/my/requests/new")
        self.assertNotIn('value="death"', page)
        self.authenticate("resident", "resident")
        page = self.url_open(
            "/my/requests/new",
            {
                "csrf_token": self.csrf_token(),
                "category": "death",
                "subject": "x",
                "text": "y",
            },
        ).text
        self.assertIn("Choose what your question is about", page)
