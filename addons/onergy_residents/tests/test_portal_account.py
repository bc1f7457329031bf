import re

from freezegun import freeze_time

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.mail.tests.common import MockEmail

from .portal_common import PortalCase

URL = "/my/onergy-account"
CONFIRM_LINK = re.compile(r"/my/onergy-account/email/confirm\?token=([\w-]+)")


@tagged("post_install", "-at_install")
class TestPortalAccount(MockEmail, PortalCase):
    """A resident changes phone number, password and e-mail address."""

    def setUp(self):
        super().setUp()
        self.hook_calls = []

        def record(partner, old_values):
            self.hook_calls.append((partner.id, old_values))

        self.patch(type(self.env["res.partner"]), "_onergy_contact_changed", record)

    def _ask(self, email, password="resident", login="resident"):
        """Ask for another address; return the page and the mails by address."""
        with self.mock_mail_gateway():
            page = self.post_as(
                login, f"{URL}/email", {"email": email, "password": password}
            ).text
        mails = {mail["email_to"][0]: mail["body"] for mail in self._mails}
        return page, mails

    def _token(self, mails, address="new@example.com"):
        body = next(body for to, body in mails.items() if address in to)
        return CONFIRM_LINK.search(body).group(1)

    def _confirm(self, token):
        with self.mock_mail_gateway():
            return self.post_as(None, f"{URL}/email/confirm", {"token": token}).text

    # ------------------------------------------------------------------ phone

    def test_phone_number_is_saved_in_one_form(self):
        page = self.post_as("resident", f"{URL}/phone", {"phone": "06-12345678"})
        self.assertIn('role="status"', page.text)
        self.assertEqual(self.resident.phone, "+31 6 12345678")
        self.assertEqual(
            self.hook_calls, [(self.resident.partner_id.id, {"phone": False})]
        )
        log = "".join(self.resident.partner_id.message_ids.mapped("body"))
        self.assertIn("+31 6 12345678", log)

    def test_wrong_phone_number_is_explained_at_the_field(self):
        page = self.post_as("resident", f"{URL}/phone", {"phone": "12"}).text
        self.assertRegex(page, r'aria-describedby="[^"]*onergy_phone_number_error')
        self.assertIn('value="12"', page)
        self.assertFalse(self.resident.phone)
        self.assertFalse(self.hook_calls)

    def test_unchanged_phone_number_is_no_news(self):
        self.resident.partner_id.phone = "+31 6 12345678"
        self.post_as("resident", f"{URL}/phone", {"phone": "0612345678"})
        self.assertFalse(self.hook_calls)

    # --------------------------------------------------------------- password

    def test_password(self):
        forms = [
            ({"old": "wrong", "new1": "three bikes", "new2": "three bikes"}, "old"),
            ({"old": "resident", "new1": "three bikes", "new2": "four"}, "new2"),
            ({"old": "resident", "new1": "short", "new2": "short"}, "new1"),
            ({"old": "", "new1": "three bikes", "new2": "three bikes"}, "old"),
        ]
        self.env["ir.config_parameter"].set_param("auth_password_policy.minlength", 8)
        for form, field in forms:
            with self.subTest(field=field, form=form):
                page = self.post_as("resident", f"{URL}/password", form).text
                self.assertIn(f'id="onergy_{field}_error"', page)
        page = self.post_as(
            "resident",
            f"{URL}/password",
            {"old": "resident", "new1": "three bikes", "new2": "three bikes"},
        ).text
        self.assertIn('role="status"', page)
        # He stays logged in, and the new password is the one that counts.
        self.assertIn("onergy_password", self.url_open(URL).text)
        self.authenticate(None, None)
        self.authenticate("resident", "three bikes")

    # ----------------------------------------------------------------- e-mail

    def test_new_address_counts_after_it_is_confirmed(self):
        page, mails = self._ask(" New@Example.com ")
        self.assertIn("new@example.com", page)
        self.assertEqual(self.resident.email, "resident@example.com")
        self.assertFalse(self.hook_calls)
        # The old address is warned, and cannot confirm.
        notice = next(body for to, body in mails.items() if "resident@" in to)
        self.assertFalse(CONFIRM_LINK.search(notice))
        token = self._token(mails)
        # Opening the link changes nothing: mail scanners do that too.
        self.assertIn(
            "new@example.com", self.open_as(None, f"{URL}/email/confirm?token={token}")
        )
        self.assertEqual(self.resident.email, "resident@example.com")
        self.assertIn("new@example.com", self._confirm(token))
        self.assertEqual(self.resident.email, "new@example.com")
        self.assertEqual(self.resident.partner_id.email, "new@example.com")
        self.assertEqual(self.resident.login, "resident")
        self.assertEqual(
            self.hook_calls,
            [(self.resident.partner_id.id, {"email": "resident@example.com"})],
        )
        # Odoo tells the old address that it is done.
        self.assertIn(
            "resident@example.com", [mail["email_to"][0] for mail in self._mails]
        )

    def test_link_works_once(self):
        token = self._token(self._ask("new@example.com")[1])
        self._confirm(token)
        self.resident.partner_id.email = "later@example.com"
        self.assertIn('role="alert"', self._confirm(token))
        self.assertEqual(self.resident.email, "later@example.com")

    def test_link_expires(self):
        token = self._token(self._ask("new@example.com")[1])
        with freeze_time(fields.Datetime.add(fields.Datetime.now(), hours=25)):
            self.assertIn('role="alert"', self._confirm(token))
        self.assertEqual(self.resident.email, "resident@example.com")

    def test_link_cannot_be_forged(self):
        token = self._token(self._ask("new@example.com")[1])
        middle = len(token) // 2
        changed = "A" if token[middle] != "A" else "B"
        for forged in (
            "",
            "x",
            "é",
            token[:-4],
            token[:middle] + changed + token[middle + 1 :],
        ):
            with self.subTest(token=forged):
                self.assertIn('role="alert"', self._confirm(forged))
        self.assertEqual(self.resident.email, "resident@example.com")

    def test_second_wish_replaces_the_first(self):
        first = self._token(self._ask("new@example.com")[1])
        second = self._token(self._ask("newer@example.com")[1], "newer@")
        self.assertIn('role="alert"', self._confirm(first))
        self._confirm(second)
        self.assertEqual(self.resident.email, "newer@example.com")

    def test_login_name_follows_the_address(self):
        self.resident.login = "resident@example.com"
        token = self._token(
            self._ask("new@example.com", login="resident@example.com")[1]
        )
        self._confirm(token)
        self.assertEqual(self.resident.login, "new@example.com")

    def test_login_name_of_another_is_not_taken(self):
        self.resident.login = "resident@example.com"
        self.other.login = "New@example.com"
        token = self._token(
            self._ask("new@example.com", login="resident@example.com")[1]
        )
        self._confirm(token)
        self.assertEqual(self.resident.email, "new@example.com")
        self.assertEqual(self.resident.login, "resident@example.com")

    def test_login_name_that_only_resembles_the_address_is_no_hindrance(self):
        self.resident.login = "resident@example.com"
        self.other.login = "new.me@example.com"
        mails = self._ask("new_me@example.com", login="resident@example.com")[1]
        self._confirm(self._token(mails, "new_me@"))
        self.assertEqual(self.resident.login, "new_me@example.com")

    def test_wrong_input_sends_nothing(self):
        cases = [
            ("new@example.com", "wrong", "onergy_email_password_error"),
            ("new@example.com", "", "onergy_email_password_error"),
            ("no address", "resident", "onergy_new_email_error"),
            ("Resident@example.com", "resident", "onergy_new_email_error"),
        ]
        for email, password, error in cases:
            with self.subTest(email=email, password=password):
                page, mails = self._ask(email, password)
                self.assertIn(f'id="{error}"', page)
                self.assertFalse(mails)

    def test_nobody_can_flood_a_mailbox(self):
        for _attempt in range(3):
            self.assertTrue(self._ask("new@example.com")[1])
        page, mails = self._ask("new@example.com")
        self.assertIn('id="onergy_new_email_error"', page)
        self.assertFalse(mails)
        # Nor one resident many mailboxes.
        for number in range(2):
            self.assertTrue(self._ask(f"n{number}@example.com")[1])
        self.assertFalse(self._ask("n3@example.com")[1])

    def test_nobody_guesses_the_password(self):
        """Whoever finds a browser logged in gets ten tries an hour, on all forms."""
        for number in range(5):
            self._ask("new@example.com", f"guess {number}")
            form = {"old": f"wrong {number}", "new1": "three bikes", "new2": ""}
            form["new2"] = form["new1"]
            page = self.post_as("resident", f"{URL}/password", form).text
            self.assertIn('id="onergy_old_error"', page)
        page, mails = self._ask("new@example.com")
        self.assertIn('id="onergy_email_password_error"', page)
        self.assertFalse(mails)
        form = {"old": "resident", "new1": "three bikes", "new2": "three bikes"}
        page = self.post_as("resident", f"{URL}/password", form).text
        self.assertIn('id="onergy_old_error"', page)
        # It is no matter of others at the same address, and passes.
        self.assertTrue(self._ask("o@example.com", "otherxxx", login="other")[1])
        with freeze_time(fields.Datetime.add(fields.Datetime.now(), hours=1)):
            self.assertTrue(self._ask("new@example.com")[1])

    def _guess_by_rpc(self, password):
        """Change the password by RPC; return what Odoo says is wrong, or None."""
        result = self.opener.post(
            f"{self.base_url()}/web/dataset/call_kw",
            json={
                "jsonrpc": "2.0",
                "params": {
                    "model": "res.users",
                    "method": "change_password",
                    "args": [password, "three bikes"],
                    "kwargs": {},
                },
            },
        ).json()
        return result.get("error", {}).get("data", {}).get("message")

    def test_nobody_guesses_the_password_by_rpc(self):
        """An error undoes what Odoo did, not that it was counted."""
        self.authenticate("resident", "resident")
        with mute_logger("odoo.http"):
            for number in range(10):
                said = self._guess_by_rpc(f"wrong {number}")
                self.assertEqual(said, "Access Denied")
            self.assertIn("too often", self._guess_by_rpc("resident"))
            # One count for all ways.
            page, mails = self._ask("new@example.com")
            self.assertIn("te vaak", page)
            self.assertFalse(mails)
            self.authenticate("other", "otherxxx")
            self.assertFalse(self._guess_by_rpc("otherxxx"))

    def test_nobody_guesses_the_password_on_the_page_of_odoo(self):
        self.authenticate("resident", "resident")
        form = {"new1": "three bikes", "new2": "three bikes"}
        for number in range(10):
            form["old"] = f"wrong {number}"
            page = self.post_as("resident", "/my/security", form).text
            self.assertIn("is-invalid", page)
            self.assertNotIn("te vaak", page)
        form["old"] = "resident"
        page = self.post_as("resident", "/my/security", form).text
        self.assertIn("te vaak", page)
        # He may still log in, whatever somebody tries.
        login = {"login": "resident", "password": "resident"}
        page = self.post_as(None, "/web/login", login)
        self.assertTrue(page.url.endswith("/my"), page.url)

    def test_robots_list_no_page(self):
        """Nor one with a token in its address, or where somebody logs in first."""
        tag = "noindex, nofollow"
        public = [f"{URL}/email/confirm?token=x", "/onergy/activate"]
        public += ["/onergy/contact", "/onergy/death"]
        request = self.env["onergy.request"].create(
            {"subject": "Cold", "partner_id": self.resident.partner_id.id}
        )
        public.append(request._get_share_url())
        for login, urls in ((None, public), ("resident", [URL, "/my/requests"])):
            self.authenticate(login, login)
            for url in urls:
                with self.subTest(url=url):
                    response = self.url_open(url, allow_redirects=False)
                    self.assertEqual(response.status_code, 200)
                    self.assertEqual(response.headers.get("X-Robots-Tag"), tag)
        # What the law asks to publish may be found.
        page = self.url_open("/onergy/accessibility")
        self.assertNotIn("X-Robots-Tag", page.headers)

    def test_forms_are_closed_to_visitors_and_forgers(self):
        for form in ("phone", "password", "email"):
            with self.subTest(form=form):
                self.authenticate(None, None)
                response = self.url_open(
                    f"{URL}/{form}",
                    {"csrf_token": self.csrf_token(), "phone": "0612345678"},
                    allow_redirects=False,
                )
                self.assertEqual(response.status_code, 303)
                self.assertIn("/web/login", response.headers["Location"])
                self.authenticate("resident", "resident")
                response = self.url_open(f"{URL}/{form}", {"phone": "0612345678"})
                self.assertEqual(response.status_code, 400)
        self.assertFalse(self.resident.phone)

    def test_staff_change_nothing_of_a_resident(self):
        """Whoever they name in the form: it is about their own login, with its word."""
        named = {
            "user_id": self.resident.id,
            "partner_id": self.resident.partner_id.id,
            "contract_id": self.contract.id,
            "login": "resident",
        }
        for role, user in self.staff.items():
            with self.subTest(role=role):
                login = user.login
                for password in ("resident", ""):
                    page = self.post_as(
                        login,
                        f"{URL}/email",
                        {"email": "x@example.com", "password": password, **named},
                    ).text
                    self.assertIn("onergy_email_password_error", page)
                    page = self.post_as(
                        login,
                        f"{URL}/password",
                        {
                            "old": password,
                            "new1": "three bikes",
                            "new2": "three bikes",
                            **named,
                        },
                    ).text
                    self.assertIn("onergy_old_error", page)
                _page, mails = self._ask_named(login, f"{role}@new.example", named)
                self.assertNotIn("resident@example.com", "".join(mails))
                self._confirm(self._token(mails, f"{role}@new.example"))
                self.assertEqual(user.email, f"{role}@new.example")
                new = {"old": login, "new1": "three bikes", "new2": "three bikes"}
                page = self.post_as(login, f"{URL}/password", {**new, **named}).text
                self.assertIn('role="status"', page)
        self.assertEqual(self.resident.email, "resident@example.com")
        self.assertFalse(
            self.env["onergy.email.change"].search([("user_id", "=", self.resident.id)])
        )
        self.authenticate("resident", "resident")

    def _ask_named(self, login, email, named):
        with self.mock_mail_gateway():
            page = self.post_as(
                login, f"{URL}/email", {"email": email, "password": login, **named}
            ).text
        return page, {mail["email_to"][0]: mail["body"] for mail in self._mails}

    def test_old_changes_are_forgotten(self):
        Change = self.env["onergy.email.change"]
        with self.mock_mail_gateway():
            change = Change._start(self.resident, "new@example.com")
        Change._gc_changes()
        self.assertTrue(change.exists())
        with freeze_time(fields.Datetime.add(fields.Datetime.now(), days=91)):
            Change._gc_changes()
        self.assertFalse(change.exists())
