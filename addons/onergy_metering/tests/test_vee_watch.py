from contextlib import suppress
from datetime import timedelta
from unittest.mock import patch

from dateutil.relativedelta import relativedelta
from freezegun import freeze_time

from odoo import fields
from odoo.tests import tagged

from .common import MeteringCase


@tagged("post_install", "-at_install")
class TestWatch(MeteringCase):
    """Rules about what did not come in, and about sums over meters."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.today = fields.Date.context_today(cls.env["onergy.meter"])
        cls.month = cls.today + relativedelta(months=-1, day=1)
        cls.after = cls.today + relativedelta(day=1)

    def _watch(self, *reasons):
        """Run the daily rules; return the new items of these reasons."""
        known = self.env["onergy.reading.exception"].search([])
        self.env["onergy.vee.watch"]._watch(self.company)
        items = self.env["onergy.reading.exception"].search([]) - known
        return items.filtered(lambda item: not reasons or item.reason in reasons)

    def _read_until(self, days_ago, serial="71000001"):
        first = self.today - timedelta(days=days_ago + 2)
        self._load_daily(serial, first, [100, 100.1, 100.2])

    def test_company_that_fails_does_not_keep_the_others_waiting(self):
        second = self.env["res.company"].create({"name": "Another supplier"})
        watch, cron = self.registry["onergy.vee.watch"], self.registry["ir.cron"]
        seen = []

        def fail_for_the_first(_self, company):
            seen.append(company)
            if company == self.company:
                raise ZeroDivisionError

        with (
            patch.object(cron, "_commit_progress", return_value=9),
            patch.object(watch, "_watch", fail_for_the_first),
        ):
            for today in ("2026-03-01", "2026-03-02", "2026-03-02"):
                with freeze_time(today), suppress(ZeroDivisionError):
                    self.env["onergy.vee.watch"]._cron_watch()
        ours = [c for c in seen if c in (self.company, second)]
        self.assertEqual(ours, [self.company, second, self.company])

    def test_gap_while_it_lasts(self):
        self._read_until(4)
        self.assertFalse(self._watch("vee_gap"))
        self._read_until(6, "71000002")
        item = self._watch("vee_gap")
        self.assertEqual((item.meter_id, item.severity), (self.other_meter, "issue"))
        self.assertFalse(self._watch(), "once")

    def test_gap_that_closes_is_not_told_again(self):
        self._read_until(6)
        item = self._watch("vee_gap")
        self._load(("71000001", self.today, "101"))
        items = self.env["onergy.reading.exception"].search(
            [("reason", "=", "vee_gap"), ("meter_id", "=", self.meter.id)]
        )
        self.assertEqual(items, item)

    def test_no_gap_where_nobody_reads_remotely(self):
        self._read_until(6)
        self.meter.read_mode = "refused"
        self.assertFalse(self._watch("vee_gap"))

    def test_estimated_for_too_long(self):
        self._read_until(31)
        self.assertFalse(self._watch("vee_estimated"))
        self._read_until(32, "71000002")
        self.assertEqual(self._watch("vee_estimated").meter_id, self.other_meter)

    def test_rule_of_the_day_counts(self):
        rule = self.env["onergy.vee.rule"].search([("code", "=", "gap")])
        rule.copy({"company_id": self.company.id, "days": 20})
        self._read_until(6)
        self.assertFalse(self._watch("vee_gap"))

    def test_mute_silences(self):
        self._read_until(6)
        self.env["onergy.vee.mute"].create(
            {
                "meter_id": self.meter.id,
                "code": "gap",
                "date_from": self.today - timedelta(days=9),
                "date_to": self.today,
                "reason": "The gateway is being repaired",
            }
        )
        self.assertFalse(self._watch("vee_gap"))

    # -- exchange ------------------------------------------------------------------

    def _take_down(self, **values):
        day = self.today - timedelta(days=10)
        self._load_daily(
            "71000001", day - timedelta(days=5), [100 + n for n in range(4)]
        )
        self.meter.placement_ids.write({"date_to": day, **values})

    def test_meter_that_came_down_without_a_reading(self):
        self._take_down()
        item = self._watch("vee_exchange")
        self.assertEqual(item.meter_id, self.meter)
        self.assertEqual(item.day, self.today - timedelta(days=9))

    def test_meter_that_came_down_with_its_end_reading(self):
        self._take_down(end_value=105)
        self.assertFalse(self._watch("vee_exchange"))

    def test_fresh_exchange_has_some_days(self):
        self._take_down()
        self.meter.placement_ids.date_to = self.today - timedelta(days=2)
        self.assertFalse(self._watch("vee_exchange"))

    def test_meter_that_was_hung_without_a_reading(self):
        day = self.today - timedelta(days=10)
        self.meter.placement_ids.date_from = day
        self.assertEqual(self._watch("vee_exchange").day, day)
        self.meter.placement_ids.write({"start_value": 0, "has_start_value": True})
        self.env["onergy.reading.exception"].search([]).unlink()
        self.assertFalse(self._watch("vee_exchange"))

    # -- sum -----------------------------------------------------------------------

    def _fill_month(self, building, *dwellings):
        """A month of a building's meter and of its dwellings, in GJ."""
        room = self.home.copy({"house_number": "99", "ean": False})
        self._create_meter("79000001", room, scope="building")
        serials = ("79000001", "71000001", "71000002")
        for serial, quantity in zip(serials, (building, *dwellings), strict=False):
            self._load((serial, self.month, "10"), (serial, self.after, 10 + quantity))

    def test_building_and_dwellings_differ(self):
        self._fill_month(20, 9, 7)
        item = self._watch("vee_sum")
        self.assertEqual((item.meter_key, item.severity), ("79000001", "info"))
        self.assertEqual((item.value, item.other_value), (20, 16))
        self.assertEqual(item.day, self.after - timedelta(days=1))
        self.assertFalse(self._watch("vee_sum"), "once a month")

    def test_building_and_dwellings_add_up(self):
        self._fill_month(20, 9, 8.5)
        self.assertFalse(self._watch("vee_sum"))

    def test_threshold_of_the_sum(self):
        rule = self.env["onergy.vee.rule"].search([("code", "=", "sum")])
        rule.copy({"company_id": self.company.id, "threshold": 0.05})
        self._fill_month(20, 9, 8.5)
        self.assertTrue(self._watch("vee_sum"))

    def test_dwelling_whose_month_is_not_complete(self):
        self._fill_month(20, 9)
        self.assertFalse(self._watch("vee_sum"))
        self._load(("71000002", self.month, "10"), ("71000002", self.after, "11"))
        self.assertTrue(self._watch("vee_sum"))

    def test_complex_without_a_meter_of_the_building(self):
        for serial in ("71000001", "71000002"):
            self._load((serial, self.month, "10"), (serial, self.after, "11"))
        self.assertFalse(self._watch("vee_sum"))
