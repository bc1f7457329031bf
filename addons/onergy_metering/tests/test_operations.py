from datetime import timedelta

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import Form, tagged

from .common import MeteringCase


@tagged("post_install", "-at_install")
class TestOperations(MeteringCase):
    def test_overview(self):
        today = fields.Date.today()
        self._load(("71000001", today, 5), ("71000002", today - timedelta(days=9), 5))
        self._import("serial,date,value,unit\n71009999,2026-01-15,1,GJ\n")
        action = self.env["onergy.metering.overview"].action_open()
        overview = self.env[action["res_model"]].browse(action["res_id"])
        line = overview.line_ids.filtered(lambda x: x.complex_id == self.complex)
        self.assertEqual(
            (line.meter_count, line.read_count, line.silent_count, line.success),
            (2, 1, 1, 50),
        )
        self.assertEqual(overview.bad_count, 1)
        self.assertGreaterEqual(overview.open_count, 1)
        self.assertTrue(overview.oldest_date)
        action = line.action_silent()
        silent = self.env[action["res_model"]].search(action["domain"])
        self.assertEqual(silent, self.other_meter)

    def test_manual_meters_are_not_silent(self):
        self.other_meter.read_mode = "refused"
        self._load(("71000001", fields.Date.today(), 5))
        overview = self.env["onergy.metering.overview"].create({})
        line = overview.line_ids.filtered(lambda x: x.complex_id == self.complex)
        self.assertEqual((line.meter_count, line.success), (1, 100))

    def _exchange(self, **values):
        form = Form(
            self.env["onergy.meter.exchange"].with_context(
                default_meter_id=self.meter.id
            )
        )
        for name, value in values.items():
            form[name] = value
        return form.save()

    def test_exchange(self):
        self._load_daily("71000001", "2026-01-01", [100, 101])
        action = self._exchange(
            date="2026-01-02", end_value=102.5, new_serial="72000001", unit="kWh"
        ).action_exchange()
        new = self.env["onergy.meter"].browse(action["res_id"])
        self.assertEqual((new.serial, new.unit), ("72000001", "kWh"))
        self._load(("72000001", "2026-01-04", "1000", "kWh"))
        self.assertEqual(
            self._get_days(self.meter),
            {"2026-01-01": (1, "measured"), "2026-01-02": (1.5, "measured")},
        )
        self.assertEqual(self._get_days(new), {"2026-01-03": (3.6, "measured")})
        self.assertEqual(self.home.meter_ids, self.meter | new)
        again = self._load(("71000001", "2026-01-05", "103"))
        self.assertEqual((again["new"], again["bad"]), (0, 1))

    def test_exchange_with_a_low_end_reading(self):
        self._load_daily("71000001", "2026-01-01", [100, 101])
        with self.assertRaises(UserError):
            self._exchange(
                date="2026-01-05", end_value=10, new_serial="72000001"
            ).action_exchange()
        self.assertFalse(self.meter.placement_ids.date_to)

    def test_exchange_for_a_known_meter(self):
        """Its start reading is not stored in another unit than was chosen."""
        known = self.env["onergy.meter"].create({"serial": "72000001", "unit": "kWh"})
        values = {"date": "2026-01-05", "end_value": 10, "new_serial": "72000001"}
        with self.assertRaisesRegex(UserError, "known already: Heat, in kWh"):
            self._exchange(**values, unit="GJ").action_exchange()
        self.assertFalse(known.placement_ids)
        known.medium = "cooling"
        with self.assertRaisesRegex(UserError, "known already: Cooling"):
            self._exchange(**values, unit="kWh").action_exchange()
        known.medium = "heat"
        self._exchange(**values, unit="kWh", start_value=7).action_exchange()
        self.assertEqual(known.connection_id, self.home)
        reading = self.env["onergy.reading"].search([("meter_id", "=", known.id)])
        self.assertEqual((reading.value, reading.unit), (7, "kWh"))

    def test_search_by_meter(self):
        partner = self.env["res.partner"].create({"name": "Resident"})
        contract = self.env["onergy.contract"].create(
            {
                "connection_id": self.home.id,
                "partner_id": partner.id,
                "date_start": "2024-01-01",
            }
        )
        for name, field, record in (
            ("onergy.connection", "meter_ids", self.home),
            ("onergy.contract", "meter_ids", contract),
            ("res.partner", "onergy_meter_ids", partner),
        ):
            self.assertEqual(
                self.env[name].search([(field, "ilike", "71000001")]), record
            )
        self.assertEqual(contract.meter_count, 1)
        self.assertEqual(contract.meter_ids, self.meter)
