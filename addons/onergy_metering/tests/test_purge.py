import io
import json
import zipfile
from datetime import timedelta

from dateutil.relativedelta import relativedelta

from odoo import fields
from odoo.tests import tagged

from .common import MeteringCase

#: Two years that are kept and half a year that is not.
MONTHS = 30


@tagged("post_install", "-at_install")
class TestPurge(MeteringCase):
    """Daily values older than two years go; months and readings of months stay."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.today = fields.Date.today()
        cls.first = (cls.today - relativedelta(months=MONTHS)).replace(day=1)
        cls.limit = cls.today - relativedelta(months=24)
        cls.meter.placement_ids.date_from = cls.first
        # The last reading is of yesterday.
        cls.day_count = (cls.today - cls.first).days - 1
        cls._load_daily(cls.meter.serial, cls.first, range(cls.day_count + 1))
        cls.purge = cls.env["onergy.purge"]

    def _purge(self):
        total = 0
        while (count := self.purge._purge_daily(self.company, self.limit)) is not None:
            total += count
        return total

    def _months(self):
        return {
            (month.meter_id, month.month): (month.quantity, month.days)
            for month in self.env["onergy.consumption.month"].search(
                [("meter_id", "=", self.meter.id)]
            )
        }

    def test_old_days_go_and_months_stay(self):
        months = self._months()
        self.assertEqual(len(self._get_days(self.meter)), self.day_count)
        expected = self.purge._count_daily(self.company, self.limit)
        self.assertEqual(self._purge(), expected)
        days = self._get_days(self.meter)
        self.assertEqual(min(days), str(self.limit))
        self.assertEqual(len(days), (self.today - self.limit).days - 1)
        self.assertEqual(self._months(), months)
        self.assertEqual(self.meter.kept_from, self.limit)
        # Of the readings before it only those that tell a month.
        moments = [
            fields.Datetime.context_timestamp(
                self.meter.with_context(tz="Europe/Amsterdam"), reading.moment
            ).date()
            for reading in self.env["onergy.reading"].search(
                [("meter_id", "=", self.meter.id)]
            )
        ]
        old = [day for day in moments if day < self.limit]
        self.assertTrue(old)
        self.assertEqual({day.day for day in old}, {1})
        self.assertEqual(self._purge(), 0)

    def test_what_is_gone_is_not_derived_again(self):
        """A rebuild of the meter neither brings days back nor counts a month twice."""
        months = self._months()
        self._purge()
        days = self._get_days(self.meter)
        self.env["onergy.consumption.builder"]._rebuild_meters(self.meter)
        self.assertEqual(self._get_days(self.meter), days)
        self.assertEqual(self._months(), months)

    def test_the_next_day_still_comes_in(self):
        self._purge()
        yesterday = str(self.today - timedelta(days=1))
        self.assertNotIn(yesterday, self._get_days(self.meter))
        self._load((self.meter.serial, self.today, self.day_count + 2))
        self.assertEqual(self._get_days(self.meter)[yesterday], (2.0, "measured"))

    def test_a_gap_over_the_limit_is_kept_whole(self):
        self._load(
            *(
                (
                    self.other_meter.serial,
                    self.limit + timedelta(days=number),
                    number + 50,
                )
                for number in (-40, -20, 30, 31)
            )
        )
        before = self._get_days(self.other_meter)
        self._purge()
        floor = self.limit - timedelta(days=20)
        self.assertEqual(self.other_meter.kept_from, floor)
        self.assertEqual(
            self._get_days(self.other_meter),
            {day: value for day, value in before.items() if day >= str(floor)},
        )

    def test_the_cron_logs_what_went(self):
        with self.enter_registry_test_mode():
            self.env.ref("onergy_residents.ir_cron_purge").method_direct_trigger()
        line = self.env["onergy.purge.log"].search(
            [("kind", "=", "daily"), ("company_id", "=", self.company.id)], limit=1
        )
        self.assertEqual(line.before, self.limit)
        self.assertGreater(line.count, 2 * (self.limit - self.first).days - 40)

    def test_files_with_readings_go(self):
        record = self._import("71000001;2026-01-01;1")
        record._attach(b"71000001;2026-01-01;1")
        domain = [("res_model", "=", record._name), ("res_id", "=", record.id)]
        self.purge._purge_reading_file(self.company, self.limit)
        self.assertTrue(self.env["ir.attachment"].search(domain))
        self.env.cr.execute(
            "UPDATE onergy_reading_import SET create_date = %s WHERE id = %s",
            [self.limit - timedelta(days=1), record.id],
        )
        record.invalidate_recordset()
        self.purge._purge_reading_file(self.company, self.limit)
        self.assertFalse(self.env["ir.attachment"].search(domain))

    def test_copy_of_the_data_holds_the_own_period_only(self):
        moved = self.today - timedelta(days=10)
        partners = self.env["res.partner"].create(
            [{"name": "Before"}, {"name": "After"}]
        )
        self.env["onergy.contract"].create(
            [
                {
                    "connection_id": self.home.id,
                    "partner_id": partners[0].id,
                    "date_start": self.first,
                    "date_end": moved - timedelta(days=1),
                },
                {
                    "connection_id": self.home.id,
                    "partner_id": partners[1].id,
                    "date_start": moved,
                },
            ]
        )

        def read(partner, kind):
            archive = zipfile.ZipFile(
                io.BytesIO(self.env["onergy.data.export"]._write(partner).read())
            )
            return json.loads(archive.read(f"{kind}.json"))

        before = read(partners[0], "heat_use_per_day")
        after = read(partners[1], "heat_use_per_day")
        self.assertEqual(before[-1]["day"], str(moved - timedelta(days=1)))
        self.assertEqual([row["day"] for row in after][0], str(moved))
        self.assertEqual(len(before) + len(after), self.day_count)
        readings = read(partners[1], "meter_readings")
        self.assertEqual(float(readings[0]["value"]), self.day_count - 9)
        self.assertEqual(read(partners[1], "meters")[0]["from"], str(moved))
