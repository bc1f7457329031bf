from odoo.tests import tagged

from .portal_common import PortalCase


@tagged("post_install", "-at_install")
class TestHelp(PortalCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("en_US")
        cls.resident.lang = cls.other.lang = "en_US"

    def test_offered_until_it_was_read(self):
        self.assertIn("first time", self.open_as("resident", "/my"))
        page = self.open_as("resident", "/my/help")
        self.assertIn("Works and outages", page)
        self.assertNotIn("first time", self.open_as("resident", "/my"))
        self.assertIn("first time", self.open_as("other", "/my"), "another resident")

    def test_not_for_visitors(self):
        self.authenticate(None, None)
        self.assertIn("/web/login", self.url_open("/my/help").url)

    def test_statement_is_for_everybody(self):
        self.authenticate(None, None)
        page = self.url_open("/onergy/accessibility")
        self.assertEqual(page.status_code, 200)
        self.assertIn("WCAG 2.1", page.text)
        self.assertIn("/onergy/accessibility", self.url_open("/onergy/contact").text)

    def test_colleagues_are_shown_round_once(self):
        Tour = self.env["web_tour.tour"].with_user(self.staff["customer_service"])
        accountant = Tour.with_user(self.staff["accountant"])
        self.assertEqual(Tour._get_clerk_tour()["name"], "onergy_clerk")
        self.assertFalse(accountant._get_clerk_tour())
        Tour.env["res.users"].switch_tour_enabled(False)
        self.assertFalse(Tour._get_clerk_tour(), "stopped means not again")
