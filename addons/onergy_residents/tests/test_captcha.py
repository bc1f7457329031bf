import re
import time
from types import SimpleNamespace
from unittest.mock import patch

from odoo.tests import tagged

from .portal_common import PortalCase

#: Odoo's captchas: the parameters that switch one on, and the field it sends.
CAPTCHAS = {
    "google_recaptcha": (
        {"recaptcha_private_key": "secret", "recaptcha_min_score": "0.5"},
        "recaptcha_token_response",
    ),
    "website_cf_turnstile": (
        {"cf.turnstile_secret_key": "secret"},
        "turnstile_captcha",
    ),
}
FORMS = {
    "/onergy/contact": {
        "category": "question",
        "subject": "New home",
        "text": "How do we begin?",
    },
    "/onergy/death": {"deceased": "Resident One", "zip": "1234ab", "number": "1"},
}


@tagged("post_install", "-at_install")
class TestCaptcha(PortalCase):
    """The public forms with a captcha of Odoo; only the call to its maker is mocked.

    Skipped without such a module: ``tests/install`` installs each and runs this.
    """

    def setUp(self):
        super().setUp()
        modules = self.env["ir.module.module"].search(
            [("name", "in", list(CAPTCHAS)), ("state", "=", "installed")]
        )
        if not modules:
            self.skipTest("no captcha module is installed")
        self.env["res.lang"]._activate_lang("en_US")
        self.captchas = modules.mapped("name")
        self.requests = self.env["onergy.request"]

    def _answer(self, url, data, timeout):
        """What the maker of the captcha would say of a token."""
        self.assertRegex(url, "^https://.*/siteverify$")
        self.assertEqual(data["secret"], "secret")
        self.assertTrue(timeout)
        if data["response"] == "slow":
            raise TimeoutError
        found = {
            "right": {"success": True, "action": "onergy_contact", "score": 0.9},
            "elsewhere": {"success": True, "action": "signup", "score": 0.9},
        }.get(
            data["response"],
            {"success": False, "error-codes": ["invalid-input-response"]},
        )
        return SimpleNamespace(json=lambda: found)

    def _send(self, url, **values):
        """Fill in a form as a person who takes some seconds."""
        self.authenticate(None, None)
        page = self.url_open(url).text
        token = re.search(r'name="token" value="([^"]+)"', page)[1]
        now = time.time()
        with (
            patch("odoo.addons.onergy_residents.controllers.request.time") as clock,
            patch("requests.post", self._answer),
        ):
            clock.time.return_value = now + 10
            return self.url_open(
                url,
                {
                    "csrf_token": self.csrf_token(),
                    "token": token,
                    "name": "Visitor",
                    "email": "visitor@example.com",
                    **FORMS[url],
                    **values,
                },
            )

    def test_only_with_the_right_token(self):
        parameters = self.env["ir.config_parameter"].sudo()
        for captcha in self.captchas:
            values, field = CAPTCHAS[captcha]
            for name, value in values.items():
                parameters.set_param(name, value)
            for url in FORMS:
                for token in (None, "", "wrong", "elsewhere", "slow"):
                    with self.subTest(captcha=captcha, url=url, token=token):
                        sent = {} if token is None else {field: token}
                        self.assertGreaterEqual(
                            self._send(url, **sent).status_code, 400
                        )
                        self.assertFalse(self.requests.search_count([]))
                with self.subTest(captcha=captcha, url=url, token="right"):
                    self.assertEqual(
                        self._send(url, **{field: "right"}).status_code, 200
                    )
                    self.requests.search([]).ensure_one().unlink()
            for name in values:
                parameters.set_param(name, False)

    def test_without_keys_it_asks_nothing(self):
        self.assertEqual(self._send("/onergy/contact").status_code, 200)
        self.assertEqual(self.requests.search_count([]), 1)

    def test_reading_a_form_needs_no_token(self):
        for captcha in self.captchas:
            for name, value in CAPTCHAS[captcha][0].items():
                self.env["ir.config_parameter"].sudo().set_param(name, value)
        for url in FORMS:
            self.open_as(None, url)
