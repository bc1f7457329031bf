from datetime import timedelta

import psycopg2

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import MeteringCase


@tagged("post_install", "-at_install")
class TestVee(MeteringCase):
    """Thirty cold days at 17 weighted degree days and 0.2 GJ a day are known."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        first = fields.Date.to_date("2026-01-01")
        cls.env["onergy.degree.day"]._load_temperatures(
            ("999", first + timedelta(days=number), "2.5", False)
            for number in range(120)
        )
        cls.next_day = fields.Date.to_date("2026-01-31")
        cls.value = 100.0
        cls._load_daily(
            "71000001", first, [f"{100 + 0.2 * day:.3f}" for day in range(31)]
        )
        cls.value += 0.2 * 30
        cls.env["onergy.reading.exception"].search([])._resolve(
            "resolved", "accepted", "start"
        )

    def _use(self, *quantities, serial="71000001"):
        """Load the next days, each with its use; return what the rules say."""
        known = self.env["onergy.reading.exception"].search([])
        for quantity in quantities:
            type(self).next_day += timedelta(days=1)
            type(self).value += quantity
            self._load((serial, self.next_day, f"{self.value:.3f}"))
        return self.env["onergy.reading.exception"].search([]) - known

    def setUp(self):
        super().setUp()
        # Class attributes move with the days of a test.
        day, value = self.next_day, self.value
        self.addCleanup(setattr, type(self), "next_day", day)
        self.addCleanup(setattr, type(self), "value", value)

    def _get_rule(self, code):
        return (
            self.env["onergy.vee.rule"]
            .with_context(active_test=False)
            .search([("code", "=", code)])
        )

    def test_usual_use_is_silent(self):
        self.assertFalse(self._use(0.2, 0.25, 0.15, 0.4, 0.1))

    def test_spike_is_a_work_item_and_lands(self):
        item = self._use(0.2, 0.9)
        self.assertEqual((item.reason, item.severity), ("vee_high", "issue"))
        self.assertEqual(item.day, self.next_day - timedelta(days=1))
        self.assertAlmostEqual(item.value, 0.9)
        self.assertAlmostEqual(item.other_value, 0.2, 2)
        self.assertIn(str(item.day), self._get_days(self.meter))
        self.assertEqual(len(item.neighbour_ids), 5)
        self.assertIn("0.9", item.chart_data)

    def test_slip_of_units(self):
        item = self._use(0.2 * 10)
        self.assertEqual(item.reason, "vee_ratio")

    def test_more_than_the_connection_can_draw_is_set_aside(self):
        self.meter.power = 10
        item = self._use(0.95)
        self.assertEqual((item.reason, item.severity), ("vee_power", "terminate"))
        self.assertNotIn(
            str(self.next_day - timedelta(days=1)), self._get_days(self.meter)
        )

    def test_power_as_a_work_item_lets_the_reading_in(self):
        self.meter.power = 10
        self._get_rule("power").severity = "issue"
        item = self._use(0.95).filtered(lambda i: i.reason == "vee_power")
        self.assertEqual(item.severity, "issue")
        self.assertIn(str(item.day), self._get_days(self.meter))
        self.assertFalse(self._use(0.3))

    def test_muted_power_lets_the_reading_in(self):
        self.meter.power = 10
        item = self._use(0.95)
        self._resolve(item, "mute", mute_until=self.next_day + timedelta(days=9))
        type(self).value -= 0.95
        self.assertNotIn("vee_power", self._use(0.95).mapped("reason"))
        self.assertIn(
            str(self.next_day - timedelta(days=1)), self._get_days(self.meter)
        )

    def test_only_power_can_set_aside(self):
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(psycopg2.errors.CheckViolation),
            self.env.cr.savepoint(),
        ):
            self._get_rule("high").severity = "terminate"
            self.env.flush_all()

    def test_how_near_to_a_factor_is_a_threshold(self):
        self._get_rule("ratio").threshold = 0.001
        item = self._use(0.2 * 10.6)
        self.assertEqual(item.reason, "vee_high")

    def test_fault_of_the_meter_once_a_month(self):
        def read(day, value, status):
            moment = self.loader._day_start(fields.Date.to_date(day))
            row = self.loader._make_row("71000001", moment, value, "GJ")
            self.loader._load_rows([(*row[:6], status, *row[7:])], self.company, "file")

        read("2026-02-01", "106.2", "ok")
        self.assertFalse(self._get_items("vee_status"))
        read("2026-02-02", "106.4", "warn")
        read("2026-02-03", "106.6", "warn")
        item = self._get_items("vee_status")
        self.assertEqual(len(item), 1)
        self.assertEqual(item.severity, "issue")
        read("2026-03-03", "113", "warn")
        self.assertEqual(len(self._get_items("vee_status")), 2)
        self.assertEqual(self.meter.last_value, 113)

    def _get_items(self, reason):
        return self.env["onergy.reading.exception"].search([("reason", "=", reason)])

    def test_threshold_holds_from_its_date_only(self):
        rule = self._get_rule("high")
        rule.date_to = self.next_day - timedelta(days=1)
        rule.flush_recordset()
        rule.copy(
            {
                "threshold": 8,
                "date_from": self.next_day,
                "date_to": False,
            }
        )
        self.env.flush_all()
        self.assertFalse(self._use(0.9))

    def test_low_use_once_per_episode(self):
        items = self._use(*[0.02] * 6)
        self.assertFalse(items)
        items = self._use(*[0.02] * 4)
        self.assertEqual(items.mapped("reason"), ["vee_low"])
        self.assertFalse(self._use(0.2))
        self.assertEqual(self._use(*[0.02] * 8).mapped("reason"), ["vee_low"])

    def test_no_use(self):
        items = self._use(0, 0, 0, 0)
        self.assertEqual(
            [(item.reason, item.severity) for item in items], [("vee_still", "info")]
        )

    def test_stuck_while_water_flows(self):
        volume = 50
        known = self.env["onergy.reading.exception"].search([])
        for number in range(5):
            day = self.next_day + timedelta(days=number)
            moment = self.loader._day_start(day)
            rows = [
                self.loader._make_row("71000001", moment, f"{self.value:.3f}", "GJ"),
                self.loader._make_row(
                    "71000001", moment, str(volume + number), "m3", "volume"
                ),
            ]
            self.loader._load_rows(rows, self.company, "file")
        items = self.env["onergy.reading.exception"].search([]) - known
        self.assertEqual(items.mapped("reason"), ["vee_stuck"])

    def test_energy_that_does_not_fit_the_volume(self):
        known = self.env["onergy.reading.exception"].search([])
        for number, (energy, volume) in enumerate([(0, 0), (0.2, 2), (0.2, 0.2)]):
            self.value += energy
            moment = self.loader._day_start(self.next_day + timedelta(days=number))
            rows = [
                self.loader._make_row("71000001", moment, f"{self.value:.3f}", "GJ"),
                self.loader._make_row(
                    "71000001", moment, f"{50 + volume + number:.2f}", "m3", "volume"
                ),
            ]
            rows[1] = (*rows[1][:4], f"{50 + [0, 2, 2.2][number]:.2f}", *rows[1][5:])
            self.loader._load_rows(rows, self.company, "file")
        items = self.env["onergy.reading.exception"].search([]) - known
        self.assertEqual(items.mapped("reason"), ["vee_delta_t"])
        self.assertAlmostEqual(items.other_value, 243.9)

    def test_gap(self):
        type(self).next_day += timedelta(days=3)
        self.assertFalse(self._use(0.8))
        type(self).next_day += timedelta(days=4)
        self.assertEqual(self._use(1).mapped("reason"), ["vee_gap"])

    def test_old_readings_are_told_where_that_is_wanted(self):
        self._get_rule("late").active = True
        self.assertEqual(self._use(0.2).mapped("reason"), ["vee_late"])

    def test_manual_meter_has_no_gaps(self):
        self.meter.read_mode = "manual"
        type(self).next_day += timedelta(days=3)
        self.assertFalse(self._use(0.8))

    def test_estimated_for_too_long(self):
        self.meter.read_mode = "manual"
        type(self).next_day += timedelta(days=32)
        self.assertEqual(self._use(6.6).mapped("reason"), ["vee_estimated"])

    def _resolve(self, item, decision, **values):
        self.env["onergy.reading.resolve"].create(
            {
                "exception_ids": item.ids,
                "decision": decision,
                "note": "Asked the resident",
                **values,
            }
        ).action_apply()

    def test_accept_leaves_the_day(self):
        item = self._use(0.9)
        self._resolve(item, "accept")
        self.assertEqual((item.state, item.resolution), ("resolved", "accepted"))
        self.assertEqual(self._get_days(self.meter)[str(item.day)], (0.9, "measured"))

    def test_estimate_shares_the_days_anew(self):
        item = self._use(0.9)
        self._use(0.1)
        self._resolve(item, "estimate")
        days = self._get_days(self.meter)
        self.assertEqual(days[str(item.day)], (0.5, "estimated"))
        self.assertEqual(days[str(item.day + timedelta(days=1))], (0.5, "estimated"))
        revision = self.env["onergy.reading.revision"].search(
            [("exception_id", "=", item.id)]
        )
        self.assertTrue(revision.old_reading_id.superseded)

    def test_mute(self):
        item = self._use(1.3)
        self._resolve(item, "mute", mute_until=self.next_day + timedelta(days=1))
        self.assertFalse(self._use(1.3))
        self.assertTrue(self._use(0.2, 1.6))
        self._load(("71009999", "2026-01-15", 1))
        wrong = self.env["onergy.reading.exception"].search(
            [("reason", "=", "unknown_meter")]
        )
        with self.assertRaises(UserError):
            self._resolve(wrong, "mute")

    def test_one_click(self):
        accepted = self._use(0.9)
        accepted.action_accept()
        self.assertEqual(accepted.resolution, "accepted")
        estimated = self._use(1.3)
        self._use(0.1)
        estimated.action_estimate()
        self.assertEqual(estimated.resolution, "estimated")
        self.assertEqual(
            self._get_days(self.meter)[str(estimated.day)], (0.7, "estimated")
        )
        rejected = self._use(1.4)
        rejected.action_reject()
        self.assertEqual(rejected.resolution, "rejected")
        self.assertTrue(rejected.resolution_note)
        # What is done already is left alone, so that a list can be done in bulk.
        (accepted | rejected).action_accept()
        self.assertEqual(rejected.resolution, "rejected")

    def test_many_at_a_time(self):
        first = self._use(0.9)
        second = self._use(1.2)
        self._load(("71009999", "2026-01-15", 1))
        unknown = self._get_items("unknown_meter")
        with self.assertRaises(UserError):
            (first | second | unknown).action_accept()
        (first | second).action_accept()
        self.assertEqual(set((first | second).mapped("state")), {"resolved"})
        self._resolve(unknown, "ignore")
        self.assertEqual(unknown.state, "ignored")

    def test_take_back(self):
        item = self._use(0.9)
        self._use(0.1)
        day = str(item.day)
        item.action_estimate()
        self.assertEqual(self._get_days(self.meter)[day], (0.5, "estimated"))
        item.action_reopen()
        self.assertEqual(
            (item.state, item.resolution, item.resolved_uid.id), ("open", False, False)
        )
        self.assertEqual(self._get_days(self.meter)[day], (0.9, "measured"))
        item.action_accept()
        item.action_reopen()
        self.assertEqual(self._get_days(self.meter)[day], (0.9, "measured"))

    def test_take_back_a_mute(self):
        item = self._use(1.3)
        self._resolve(item, "mute", mute_until=self.next_day + timedelta(days=9))
        self.assertFalse(self._use(1.3))
        item.action_reopen()
        self.assertTrue(self._use(1.3))

    def test_take_back_a_value_that_was_accepted(self):
        self.meter.power = 10
        item = self._use(0.95)
        day = str(self.next_day - timedelta(days=1))
        item.action_accept()
        self.assertIn(day, self._get_days(self.meter))
        item.action_reopen()
        self.assertNotIn(day, self._get_days(self.meter))

    def test_take_back_leaves_what_came_in_since(self):
        item = self._use(0.9)
        self._use(0.1)
        item.action_estimate()
        self._load(("71000001", item.day + timedelta(days=1), "106.6"))
        item.action_reopen()
        self.assertEqual(self._get_days(self.meter)[str(item.day)], (0.6, "measured"))

    def test_exchange_for_an_exception_cannot_be_taken_back(self):
        item = self._use(0.9)
        item._resolve("resolved", "exchanged", "Exchanged")
        with self.assertRaises(UserError):
            item.action_reopen()

    def test_other_meters_learn_for_themselves(self):
        self._load_daily("71000002", "2026-01-01", [0, 5, 5.1])
        items = self.env["onergy.reading.exception"].search(
            [("meter_id", "=", self.other_meter.id)]
        )
        self.assertFalse(items)
