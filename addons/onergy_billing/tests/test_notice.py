from datetime import date, timedelta

from odoo import fields
from odoo.tests import tagged

from odoo.addons.onergy_residents.tests.portal_common import PortalCase


@tagged("post_install", "-at_install")
class TestNotice(PortalCase):
    """An outage of a day and an hour that residents were told of."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("en_US")
        for user in (cls.resident, cls.other, cls.past):
            user.lang = "en_US"
        cls.start = fields.Datetime.now() - timedelta(hours=25)
        cls.notice = (
            cls.env["onergy.notice"]
            .with_user(cls.staff["customer_service"])
            .create(
                {
                    "name": "Pump broken",
                    "kind": "outage",
                    "complex_ids": cls.site.ids,
                    "connection_ids": cls.home.ids,
                    "date_start": cls.start,
                }
            )
        )
        cls.notice.action_publish()

    def test_register_follows_the_notice(self):
        self.notice.action_register_outage()
        outage = self.notice.outage_id
        self.assertEqual(outage.date_start, self.start)
        self.assertFalse(outage.date_end)
        self.notice.with_user(self.staff["metering"]).action_solve()
        self.assertEqual(outage.date_end, self.notice.date_solved)
        self.assertEqual(outage.amount, 115.0)
        self.notice.action_register_outage()
        self.assertEqual(self.notice.outage_id, outage, "registered once")
        self.notice.action_reopen()
        self.assertFalse(outage.date_end)

    def test_announced_works_are_registered_as_such(self):
        works = self.notice.copy({"kind": "planned"})
        works.action_publish()
        # The day of who reads it: here it is a day later than UTC at night.
        works.date_published = "2025-06-30 22:30:00"
        works.action_register_outage()
        self.assertEqual(works.outage_id.announced_on, date(2025, 7, 1))

    def test_resident_reads_what_he_gets(self):
        self.notice.action_register_outage()
        self.assertNotIn("next bill", self.open_as("resident", "/my/notices"))
        self.notice.action_solve()
        page = self.open_as("resident", "/my/notices")
        self.assertIn("115.00", page)
        self.assertIn("next bill", page)
        settlement = self.env["onergy.settlement"].create(
            {
                "contract_id": self.contract.id,
                "partner_id": self.resident.partner_id.id,
                "date_from": "2026-01-01",
                "date_to": "2026-12-31",
            }
        )
        self.env["onergy.outage.payment"].create(
            {
                "settlement_id": settlement.id,
                "outage_id": self.notice.outage_id.id,
                "contract_id": self.contract.id,
                "amount": 115,
            }
        )
        # A bill that waits may still be left out.
        self.assertIn("next bill", self.open_as("resident", "/my/notices"))
        settlement.state = "posted"
        self.assertIn("on your bill", self.open_as("resident", "/my/notices"))
        self.assertNotIn("115.00", self.open_as("other", "/my/notices"))
