from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from .portal_common import PortalCase


@tagged("post_install", "-at_install")
class TestNoticePortal(PortalCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("en_US")
        for user in (cls.resident, cls.other, cls.past, *cls.staff.values()):
            user.lang = "en_US"
        cls.env.company.onergy_fault_phone = "030 000 00 00"

    def _publish(self, **values):
        now = fields.Datetime.now()
        notice = self.env["onergy.notice"].create(
            {
                "name": "Pump broken",
                "kind": "outage",
                "complex_ids": self.site.ids,
                "date_start": now - timedelta(hours=1),
                **values,
            }
        )
        notice.action_publish()
        return notice

    def _report(self, login="resident", **values):
        return self.post_as(
            login,
            "/my/fault",
            {"fault_kind": "heating", "text": "Since noon", "phone": "06", **values},
        )

    def test_outage_on_the_start_page(self):
        self.assertNotIn("Pump broken", self.open_as("resident", "/my"))
        notice = self._publish()
        self.assertIn("Pump broken", self.open_as("resident", "/my"))
        notice.action_solve()
        self.assertNotIn("Pump broken", self.open_as("resident", "/my"))
        self.assertIn("Pump broken", self.open_as("resident", "/my/notices"))

    def test_works_that_are_over_leave_the_start_page(self):
        now = fields.Datetime.now()
        self._publish(
            name="Boiler check", kind="planned", date_end=now - timedelta(minutes=5)
        )
        self.assertNotIn("Boiler check", self.open_as("resident", "/my"))

    def test_who_has_left_is_not_troubled_with_what_comes_later(self):
        self._publish(
            name="Boiler check",
            kind="planned",
            date_start=fields.Datetime.now() + timedelta(days=9),
            date_end=fields.Datetime.now() + timedelta(days=10),
        )
        self.assertIn("Boiler check", self.open_as("resident", "/my"))
        self.contract.date_end = fields.Date.context_today(self.contract)
        self.assertNotIn("Boiler check", self.open_as("resident", "/my"))

    def test_each_reads_his_own(self):
        notice = self._publish(connection_ids=self.home.ids)
        self.assertIn("Pump broken", self.open_as("resident", "/my/notices"))
        for login in ("other", "past"):
            self.assertNotIn("Pump broken", self.open_as(login, "/my/notices"))
        readers = notice.with_user(self.other)
        self.assertFalse(readers.search([("id", "=", notice.id)]))
        self.assertFalse(
            self.env["onergy.notice.delivery"].with_user(self.other).search([])
        )

    def test_draft_is_not_shown(self):
        notice = self._publish()
        notice.state = "draft"
        self.assertNotIn("Pump broken", self.open_as("resident", "/my/notices"))

    def test_empty_page_says_so(self):
        self.assertIn("no works or outages", self.open_as("resident", "/my/notices"))

    def test_visitor_logs_in_first(self):
        for url in ("/my/notices", "/my/fault"):
            self.authenticate(None, None)
            self.assertIn("/web/login", self.url_open(url).url)

    def test_staff_see_nobodys_page(self):
        self._publish()
        for name in self.STAFF:
            self.assertNotIn(
                "Pump broken", self.open_as(f"staff_{name}", "/my/notices")
            )

    def test_report_a_fault(self):
        page = self.open_as("resident", "/my/fault")
        self.assertIn("030 000 00 00", page)
        response = self._report()
        record = self.env["onergy.request"].search([], order="id desc", limit=1)
        self.assertIn(record.access_url, response.url)
        self.assertEqual(record.subject, "No heating")
        self.assertEqual(record.category, "fault")
        self.assertEqual(record.contract_id, self.contract)
        self.assertEqual(record.partner_id, self.resident.partner_id)
        self.assertEqual(record.phone, "06")
        self.assertIn("Since noon", record.description)

    def test_known_outage_is_shown_first(self):
        self._publish()
        self.assertIn("We know of this", self.open_as("resident", "/my/fault"))

    def test_what_is_wrong_must_be_chosen(self):
        before = self.env["onergy.request"].search_count([])
        for wrong in ("", "flood"):
            page = self._report(fault_kind=wrong).text
            self.assertIn("Choose what is wrong", page)
            self.assertIn("Since noon", page, "what was typed is lost")
        self.assertEqual(self.env["onergy.request"].search_count([]), before)

    def test_not_for_another_home(self):
        before = self.env["onergy.request"].search_count([])
        self.post_as(
            "resident",
            "/my/fault",
            {"fault_kind": "heating", "contract_id": self.other_contract.id},
            status=404,
        )
        self.assertEqual(self.env["onergy.request"].search_count([]), before)

    def test_forged_form_is_refused(self):
        self.authenticate("resident", "resident")
        response = self.url_open("/my/fault", {"fault_kind": "heating"})
        self.assertEqual(response.status_code, 400)

    def test_contact_form_switched_off(self):
        self.env.company.onergy_contact_form = False
        self.authenticate(None, None)
        page = self.url_open("/onergy/contact")
        self.assertEqual(page.status_code, 200)
        self.assertNotIn('action="/onergy/contact"', page.text)
        response = self.url_open(
            "/onergy/contact", {"csrf_token": self.csrf_token(), "subject": "x"}
        )
        self.assertEqual(response.status_code, 404)

    def test_query_count(self):
        self._publish()
        self.authenticate("resident", "resident")
        self.url_open("/my/notices")
        for number in range(10):
            self._publish(name=f"Outage {number}")
        self.env.flush_all()
        with self.assertQueryCount(35):
            self.url_open("/my/notices")
