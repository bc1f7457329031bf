from datetime import timedelta

from dateutil.relativedelta import relativedelta

from odoo import fields
from odoo.tests import tagged

from odoo.addons.onergy_metering.tests.common import MeteringCase


@tagged("post_install", "-at_install")
class TestPurge(MeteringCase):
    """Days that a bill still needs are not removed, however old they are."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.today = fields.Date.today()
        cls.limit = cls.today - relativedelta(months=24)
        cls.first = cls.limit - relativedelta(months=18)
        cls.meter.placement_ids.date_from = cls.first
        cls._load_daily(
            cls.meter.serial, cls.first, range((cls.today - cls.first).days)
        )
        cls.contract = cls.env["onergy.contract"].create(
            {
                "connection_id": cls.home.id,
                "partner_id": cls.env["res.partner"].create({"name": "Payer"}).id,
                "date_start": cls.first,
            }
        )

    def _settle(self, first, last):
        self.env["onergy.settlement"].create(
            {
                "contract_id": self.contract.id,
                "partner_id": self.contract.partner_id.id,
                "date_from": first,
                "date_to": last,
                "state": "posted",
            }
        )

    def _purge(self):
        purge = self.env["onergy.purge"]
        while purge._purge_daily(self.company, self.limit) is not None:
            pass
        return min(self._get_days(self.meter))

    def test_nothing_goes_before_the_bill(self):
        self.assertEqual(self._purge(), str(self.first))

    def test_a_year_before_an_open_period_stays_for_its_comparison(self):
        open_from = self.limit + relativedelta(months=6)
        self._settle(self.first, open_from - timedelta(days=1))
        self.assertEqual(self._purge(), str(open_from - relativedelta(years=1)))

    def test_what_has_been_billed_goes_after_its_time(self):
        self._settle(self.first, self.limit + relativedelta(months=18))
        self.assertEqual(self._purge(), str(self.limit))

    def test_a_period_that_was_skipped_stays(self):
        gap = self.first + relativedelta(years=1, months=3)
        self._settle(self.first, gap - timedelta(days=1))
        self._settle(gap + timedelta(days=30), self.limit + relativedelta(months=18))
        self.assertEqual(self._purge(), str(gap - relativedelta(years=1)))
