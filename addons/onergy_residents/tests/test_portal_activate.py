import re
from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.tests import tagged

from odoo.addons.mail.tests.common import MockEmail

from .portal_common import PortalCase

URL = "/onergy/activate"
PASSWORD = "three red bikes"


@tagged("post_install", "-at_install")
class TestPortalActivate(MockEmail, PortalCase):
    """The first login of a resident, with the code of his letter."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["ir.config_parameter"].set_param("auth_password_policy.minlength", 8)
        cls.newcomer = cls.env["res.partner"].create({"name": "Newcomer"})
        cls.env["onergy.contract"].create(
            {
                "connection_id": cls._create_connection("3").id,
                "partner_id": cls.newcomer.id,
                "date_start": "2025-01-01",
            }
        )
        issued = cls.env["onergy.access.code"]._issue(cls.newcomer, "letter")
        ((cls.access_code, cls.code),) = issued.items()
        cls.user = cls.access_code.user_id

    def _enter_code(self, login=None, code=None):
        login = self.user.login if login is None else login
        return self.post_as(
            None, URL, {"login": login, "code": self.code if code is None else code}
        )

    def _enter_password(self, password=PASSWORD, confirm=None, email="", again=None):
        with self.mock_mail_gateway():
            response = self.url_open(
                f"{URL}/password",
                {
                    "csrf_token": self.csrf_token(),
                    "password": password,
                    "password_confirm": password if confirm is None else confirm,
                    "email": email,
                    "email_confirm": email if again is None else again,
                },
            )
        return response

    def test_from_letter_to_overview(self):
        # As a person types it: small letters, spaces, an O for a zero.
        typed = self.code.lower().replace("-", " ").replace("0", "o")
        response = self._enter_code(code=f" {typed} ")
        self.assertTrue(response.url.endswith(f"{URL}/password"), response.url)
        response = self._enter_password(email="newcomer@example.com")
        self.assertTrue(response.url.endswith("/my"), response.url)
        self.assertIn("Dorpsstraat 3", response.text)
        self.assertEqual(self.access_code.state, "used")
        # The address is asked to be confirmed before it counts.
        self.assertIn("newcomer@example.com", response.text)
        self.assertFalse(self.newcomer.email)
        self.assertEqual(
            [mail["email_to"][0] for mail in self._mails], ["newcomer@example.com"]
        )
        self.authenticate(None, None)
        self.authenticate(self.user.login, PASSWORD)

    def test_same_answer_to_all_that_can_be_wrong(self):
        self.assertTrue(self.access_code)
        pages = set()
        wrong = [
            (self.user.login, "AAAA-BBBB-CCCC-DDDD"),
            ("nobody", "AAAA-BBBB-CCCC-DDDD"),
            ("resident", self.code),
            ("nobody", self.code),
        ]
        for login, code in wrong:
            response = self._enter_code(login, code)
            self.assertTrue(response.url.endswith(URL), response.url)
            # A token of another second is another token.
            text = re.sub(r"[0-9a-f]{40}o[0-9]+", "", response.text)
            for typed in (login, code):
                text = text.replace(f'value="{typed}"', "")
            pages.add(text[text.index("<main") : text.index("</main")])
        self.assertEqual(len({len(page) for page in pages}), 1)

    def test_code_works_once(self):
        self._enter_code()
        self._enter_password()
        response = self._enter_code()
        self.assertIn('id="onergy_code_error"', response.text)

    def test_expired_code(self):
        with freeze_time(self.access_code.date_expiry + timedelta(days=1)):
            self.assertIn('id="onergy_code_error"', self._enter_code().text)

    def test_blocked_after_many_tries(self):
        for _attempt in range(10):
            self._enter_code(code="AAAA-BBBB-CCCC-DDDD")
        self.assertIn('id="onergy_code_error"', self._enter_code().text)

    def test_empty_fields_are_named(self):
        page = self._enter_code("", "").text
        for field in ("login", "code"):
            self.assertRegex(
                page, rf'aria-describedby="[^"]*onergy_{field}_error"', field
            )

    def test_errors_of_the_second_step_keep_the_code(self):
        self._enter_code()
        cases = [
            (("", ""), "password"),
            (("short", "short"), "password"),
            ((PASSWORD, "other"), "password_confirm"),
            ((PASSWORD, PASSWORD, "no address"), "email"),
            ((PASSWORD, PASSWORD, "a@example.com", "b@example.com"), "email_confirm"),
        ]
        for args, field in cases:
            with self.subTest(field=field, args=args):
                page = self._enter_password(*args).text
                self.assertIn(f'id="onergy_{field}_error"', page)
                self.assertNotIn(PASSWORD, page)
                self.assertEqual(self.access_code.state, "active")
        self.assertTrue(self._enter_password().url.endswith("/my"))

    def test_second_step_needs_the_first(self):
        self.authenticate(None, None)
        for response in (self.url_open(f"{URL}/password"), self._enter_password()):
            self.assertTrue(response.url.endswith(URL), response.url)
        self.assertEqual(self.access_code.state, "active")

    def test_second_step_cannot_wait_forever(self):
        self._enter_code()
        with freeze_time(fields.Datetime.add(fields.Datetime.now(), minutes=31)):
            response = self._enter_password()
        self.assertTrue(response.url.endswith(URL), response.url)

    def test_code_revoked_between_the_steps(self):
        self._enter_code()
        self.access_code.action_revoke()
        self.assertTrue(self._enter_password().url.endswith(URL))

    def test_pages_are_not_kept_or_framed(self):
        self.authenticate(None, None)
        response = self.url_open(URL)
        self.assertEqual(response.headers["Cache-Control"], "no-store")
        self.assertEqual(response.headers["X-Frame-Options"], "SAMEORIGIN")
        self.assertEqual(
            self.url_open(URL, {"login": "x", "code": "y"}).status_code, 400
        )

    def test_who_is_logged_in_has_no_use_for_it(self):
        self.authenticate("resident", "resident")
        self.assertTrue(self.url_open(URL).url.endswith("/my"))

    def test_login_page_leads_to_it(self):
        self.assertIn(f'href="{URL}"', self.open_as(None, "/web/login"))
