import base64

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from .common import MeteringCase

PIXEL = base64.b64encode(
    base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
        "AABJRU5ErkJggg=="
    )
)


@tagged("post_install", "-at_install")
class TestUnitChange(MeteringCase):
    """A meter in GJ that counts in MWh from 4 January on: 36 GJ are 10 MWh."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._load_daily("71000001", "2026-01-01", [33, 34, 35])

    def _change(self, user=None, **values):
        wizard = Form(
            self.env["onergy.meter.unit.change"]
            .with_user(user or self.env.user)
            .with_context(default_meter_id=self.meter.id)
        )
        values = {
            "date": "2026-01-04",
            "old_value": 36,
            "new_unit": "MWh",
            "new_value": 10,
            "reason": "Set by the installer",
            **values,
        }
        for name, value in values.items():
            wizard[name] = value
        return wizard.save()

    def test_what_it_should_be_is_shown_at_once(self):
        wizard = self._change()
        self.assertEqual(wizard.old_unit, "GJ")
        self.assertEqual(wizard.expected_value, 10)

    def test_days_go_on_across_the_change(self):
        self._change(photo=PIXEL).action_apply()
        self.assertEqual((self.meter.unit, self.meter.last_value), ("MWh", 10))
        self._load(
            ("71000001", "2026-01-05", "10.5", "MWh"),
            ("71000001", "2026-01-06", "10.6", "MWh"),
        )
        days = self._get_days(self.meter)
        self.assertEqual(days["2026-01-02"], (1, "measured"))
        self.assertEqual(days["2026-01-03"][0], 1)
        self.assertEqual(days["2026-01-04"][0], 1.8)
        self.assertEqual(days["2026-01-05"], (0.36, "measured"))
        former = self.meter.unit_ids
        self.assertEqual((former.unit, former.reason), ("GJ", "Set by the installer"))
        self.assertTrue(former.photo)
        self.assertEqual(former.create_uid, self.env.user)

    def test_readings_of_before_stay_as_received(self):
        self._change().action_apply()
        readings = self.env["onergy.reading"].search(
            [("meter_id", "=", self.meter.id)], order="moment"
        )
        self.assertEqual(readings.mapped("unit"), ["GJ", "GJ", "GJ", "MWh"])
        counts = self._load_daily("71000001", "2026-01-01", [33, 34, 35])
        self.assertEqual((counts["same"], counts["bad"]), (3, 0))

    def test_stragglers_in_the_old_unit_wait_for_a_decision(self):
        self._change().action_apply()
        moment = "2026-01-02 11:00:00"
        row = self.loader._make_row("71000001", moment, "34.5", "GJ")
        self.assertEqual(self.loader._load_rows([row], self.company, "file")["bad"], 1)
        item = self.env["onergy.reading.exception"].search([("state", "=", "open")])
        self.assertEqual(item.reason, "old_unit")
        item.action_accept()
        self.assertEqual(self._get_readings(self.meter)[moment], 34.5)
        self.assertEqual(self._get_days(self.meter)["2026-01-02"], (1, "measured"))

    def test_other_value_for_a_straggler_is_in_the_old_unit(self):
        self._change().action_apply()
        moment = "2026-01-02 11:00:00"
        row = self.loader._make_row("71000001", moment, "9.6", "MWh")
        self.loader._load_rows([row], self.company, "file")
        item = self.env["onergy.reading.exception"].search([("state", "=", "open")])
        with self.assertRaisesRegex(UserError, "counted in GJ then"):
            item.action_accept()
        wizard = self.env["onergy.reading.resolve"].create(
            {
                "exception_ids": item.ids,
                "decision": "replace",
                "value": 34.5,
                "note": "Read from the display",
            }
        )
        self.assertEqual(wizard.unit, "GJ")
        wizard.action_apply()
        reading = self.env["onergy.reading"].search([("moment", "=", moment)])
        self.assertEqual((reading.value, reading.unit), (34.5, "GJ"))

    def test_entry_of_before_the_change_is_in_the_old_unit(self):
        self._change().action_apply()
        moment = "2026-01-02 11:00:00"
        entry = self.env["onergy.reading.entry"].create(
            {
                "meter_id": self.meter.id,
                "moment": moment,
                "value": 34.5,
                "note": "Photo of that day",
            }
        )
        self.assertEqual(entry.unit, "GJ")
        entry.action_save()
        reading = self.env["onergy.reading"].search([("moment", "=", moment)])
        self.assertEqual((reading.value, reading.unit), (34.5, "GJ"))

    def test_what_waited_for_the_unit_comes_in(self):
        self._load(("71000001", "2026-01-05", "10.5", "MWh"))
        item = self.env["onergy.reading.exception"].search([("state", "=", "open")])
        self.assertEqual(item.reason, "unit_mismatch")
        self._change().action_apply()
        self.assertEqual((item.state, item.resolution), ("resolved", "arrived"))
        self.assertEqual(self.meter.last_value, 10.5)

    def test_old_register_is_read_as_it_was_built(self):
        self.meter.write({"register_capacity": 100, "step": 1, "power": 999})
        self._load(("71000001", "2026-01-08", "99"), ("71000001", "2026-01-09", "2"))
        self._change(
            date="2026-01-10", old_value=2, new_value=0.556, step=0.001
        ).action_apply()
        days = self._get_days(self.meter)
        self.assertEqual(days["2026-01-08"], (3, "measured"))
        self.assertTrue(all(days[f"2026-01-0{n}"][0] % 1 == 0 for n in range(3, 8)))
        self.assertEqual(self.meter.register_capacity, 0)

    def test_values_that_do_not_mean_the_same(self):
        with self.assertRaisesRegex(UserError, "register an exchange"):
            self._change(new_value=36).action_apply()
        self.assertEqual(self.meter.unit, "GJ")
        self.assertFalse(self.meter.unit_ids)

    def test_readings_after_the_change(self):
        with self.assertRaisesRegex(UserError, "after the last of them"):
            self._change(date="2026-01-02").action_apply()

    def test_the_same_unit(self):
        with self.assertRaisesRegex(UserError, "already"):
            self._change(new_unit="GJ", new_value=36).action_apply()

    def test_twice(self):
        self._change().action_apply()
        self._load(("71000001", "2026-01-06", "11", "MWh"))
        self._change(
            date="2026-01-07", old_value=11.1, new_unit="kWh", new_value=11100, step=1
        ).action_apply()
        self._load(("71000001", "2026-01-08", "11200", "kWh"))
        days = self._get_days(self.meter)
        self.assertEqual(days["2026-01-07"][0], 0.36)
        self.assertEqual(sum(quantity for quantity, _q in days.values()), 7.32)
        self.assertEqual(self.meter.unit_ids.mapped("unit"), ["MWh", "GJ"])

    def test_only_the_metering_role(self):
        clerk = self._create_user("unit_clerk", "onergy_residents.group_metering")
        self._change(user=clerk).action_apply()
        self.assertEqual(self.meter.unit_ids.reason, "Set by the installer")
        other = self._create_user("unit_cs", "onergy_residents.group_customer_service")
        with (
            mute_logger("odoo.addons.base.models.ir_model"),
            self.assertRaises(AccessError),
        ):
            self.env["onergy.meter.unit.change"].with_user(other).create({})
        with self.assertRaises(AccessError):
            self.meter.unit_ids.with_user(clerk).reason = "Something else"
