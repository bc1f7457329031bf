from datetime import timedelta
from decimal import Decimal

from odoo import fields
from odoo.tests import tagged

from .common import MeteringCase


@tagged("post_install", "-at_install")
class TestLikeDays(MeteringCase):
    """Forty known days; a day at n degrees below 18 uses 0.01 x (n + 1) GJ."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.today = fields.Date.context_today(cls.env["onergy.meter"])
        cls.first = cls.today - timedelta(days=50)
        cls.last = cls.first + timedelta(days=40)
        cls.until = cls.today - timedelta(days=1)
        cls.estimator = cls.env["onergy.reading.estimator"]
        degree_days = cls.env["onergy.degree.day"]
        degree_days._load_temperatures(
            ("999", cls.first + timedelta(days=n), str(18 - n % 10), False)
            for n in range(50)
        )
        cls.cold = {
            day.date: day.weighted
            for day in degree_days.search([("station", "=", "999")])
        }
        values, value = [], 100.0
        for number in range(41):
            values.append(f"{value:.3f}")
            value += 0.01 * (cls.cold[cls.first + timedelta(days=number)] + 1)
        cls._load_daily("71000001", cls.first, values)

    def _get_estimates(self):
        return self.env["onergy.reading"].search(
            [
                ("meter_id", "=", self.meter.id),
                ("origin", "=", "estimate"),
                ("superseded", "=", False),
            ],
            order="moment",
        )

    def _sum_days(self, first, until):
        self.env.cr.execute(
            "SELECT sum(quantity)::text FROM onergy_consumption_day "
            "WHERE meter_id = %s AND day >= %s AND day < %s",
            [self.meter.id, first, until],
        )
        return Decimal(self.env.cr.fetchone()[0])

    def test_days_are_as_days_as_cold(self):
        self.assertEqual(
            self.estimator._estimate(self.meter, self.until), self.meter.ids
        )
        days = self._get_days(self.meter)
        for number in range((self.until - self.last).days):
            day = self.last + timedelta(days=number)
            quantity, quality = days[str(day)]
            self.assertEqual(quality, "estimated")
            self.assertAlmostEqual(quantity, 0.01 * (self.cold[day] + 1), delta=0.004)
        self.assertNotIn(str(self.until), days)

    def test_whole_steps_of_the_register_that_add_up_exactly(self):
        self.meter.step = 0.01
        self.estimator._estimate(self.meter, self.until)
        estimates = self._get_estimates()
        self.assertEqual(len(estimates), (self.until - self.last).days)
        start = self.env["onergy.reading"].search(
            [("meter_id", "=", self.meter.id), ("origin", "=", "file")], limit=1
        )
        rise = Decimal(str(estimates[-1].value)) - Decimal(str(start.value))
        self.assertEqual(self._sum_days(self.last, self.until), rise)
        self.assertEqual(rise % Decimal("0.01"), 0)

    def test_state_of_the_meter_tells_of_real_readings_only(self):
        before = (self.meter.last_moment, self.meter.last_value)
        self.estimator._estimate(self.meter, self.until)
        self.meter.invalidate_recordset()
        self.assertEqual((self.meter.last_moment, self.meter.last_value), before)

    def test_again_adds_nothing_and_a_day_later_one_day(self):
        self.estimator._estimate(self.meter, self.until - timedelta(days=1))
        first = self._get_estimates()
        self.assertFalse(
            self.estimator._estimate(self.meter, self.until - timedelta(days=1))
        )
        self.estimator._estimate(self.meter, self.until)
        self.assertEqual(len(self._get_estimates() - first), 1)
        self.assertFalse(first.filtered("superseded"))

    def test_real_reading_takes_the_place_and_every_version_stays(self):
        self.estimator._estimate(self.meter, self.until)
        estimates = self._get_estimates()
        middle = self.last + timedelta(days=4)
        counts = self._load(("71000001", middle, "130"))
        self.assertEqual((counts["new"], counts["bad"]), (1, 0))
        self.assertFalse(self._get_estimates())
        self.assertTrue(all(estimates.mapped("superseded")))
        days = self._get_days(self.meter)
        self.assertEqual(max(days), str(middle - timedelta(days=1)))
        real = self.env["onergy.reading"].search(
            [("meter_id", "=", self.meter.id), ("superseded", "=", False)], limit=1
        )
        self.assertEqual(real.value, 130)
        before = self.env["onergy.reading"].search(
            [
                ("meter_id", "=", self.meter.id),
                ("superseded", "=", False),
                ("id", "!=", real.id),
            ],
            limit=1,
        )
        self.assertEqual(
            self._sum_days(self.last, middle),
            Decimal("130") - Decimal(str(before.value)),
        )
        revisions = self.env["onergy.reading.revision"].search(
            [("old_reading_id", "in", estimates.ids)]
        )
        self.assertEqual(revisions.old_reading_id, estimates)
        self.assertEqual(revisions.create_uid, self.env.user)
        at_once = revisions.filtered(lambda r: r.old_reading_id.moment <= real.moment)
        self.assertEqual(at_once.new_reading_id, real)
        made = self.env["onergy.reading.revision"].search(
            [("new_reading_id", "in", estimates.ids)]
        )
        self.assertEqual(len(made), len(estimates))
        self.assertIn("7 days most like it", made[0].reason)

    def test_real_reading_at_the_moment_of_an_estimate(self):
        self.estimator._estimate(self.meter, self.until)
        last = self._get_estimates()[-1]
        counts = self._load(("71000001", self.until, "140"))
        self.assertEqual((counts["new"], counts["bad"]), (1, 0))
        self.assertTrue(last.superseded)
        self.assertEqual(
            self._get_readings(self.meter)[fields.Datetime.to_string(last.moment)], 140
        )

    def test_reading_of_before_leaves_the_estimates(self):
        self.estimator._estimate(self.meter, self.until)
        count = len(self._get_estimates())
        moment = self.loader._day_start(self.first) + timedelta(minutes=90)
        row = self.loader._make_row("71000001", moment, "100", "GJ")
        self.assertEqual(self.loader._load_rows([row], self.company, "file")["new"], 1)
        self.assertEqual(len(self._get_estimates()), count)

    def test_entry_by_hand_takes_the_place_too(self):
        self.estimator._estimate(self.meter, self.until)
        estimates = self._get_estimates()
        self.meter.placement_ids.write({"date_to": self.last, "end_value": 120})
        self.assertFalse(self._get_estimates())
        self.assertTrue(all(estimates.mapped("superseded")))
        self.assertEqual(max(self._get_days(self.meter)), str(self.last))

    def test_without_temperatures_the_last_days_serve(self):
        self.env["onergy.degree.day"].search([("station", "=", "999")]).unlink()
        self.estimator._estimate(self.meter, self.last + timedelta(days=1))
        known = [
            0.01 * (self.cold[self.last - timedelta(days=n)] + 1) for n in range(1, 8)
        ]
        quantity, _quality = self._get_days(self.meter)[str(self.last)]
        self.assertAlmostEqual(quantity, sum(known) / 7, delta=0.002)

    def test_nothing_to_go_by(self):
        self._load(("71000002", self.first, "5"))
        self.assertFalse(self.estimator._estimate(self.other_meter, self.until))
        self.assertEqual(len(self._get_readings(self.other_meter)), 1)

    def test_meter_that_came_down_is_not_estimated_beyond(self):
        self.meter.placement_ids.date_to = self.last + timedelta(days=2)
        self.estimator._estimate(self.meter, self.until)
        self.assertEqual(
            max(self._get_days(self.meter)), str(self.last + timedelta(days=2))
        )

    def test_register_that_starts_again(self):
        self.meter.register_capacity = 104
        self.estimator._estimate(self.meter, self.until)
        self.assertLess(self._get_estimates()[-1].value, 104)
        self.assertTrue(all(q > 0 for q, _x in self._get_days(self.meter).values()))

    def _run_cron(self):
        with self.enter_registry_test_mode():
            self.env.ref("onergy_metering.ir_cron_vee_watch").method_direct_trigger()
        self.env.invalidate_all()

    def test_silent_meters_are_estimated_day_by_day(self):
        self._run_cron()
        self.assertEqual(len(self._get_estimates()), (self.until - self.last).days)

    def test_not_where_the_supplier_does_not_want_it_or_for_too_long(self):
        self.company.onergy_estimate_days = 0
        self._run_cron()
        self.assertFalse(self._get_estimates())
        self.company.onergy_estimate_days = 5
        self._run_cron()
        self.assertFalse(self._get_estimates())

    def test_meters_read_by_hand_are_left_alone(self):
        self.meter.read_mode = "refused"
        self._run_cron()
        self.assertFalse(self._get_estimates())
