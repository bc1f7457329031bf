from datetime import date

from odoo.tests import tagged

from .common import SettlementCommon


@tagged("post_install", "-at_install")
class TestFrozenReadings(SettlementCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._correct_2024()
        cls._load_case_a()

    def test_corrected_reading_leaves_the_bill_and_is_told(self):
        settlement = self.settle().settlement_ids
        # Made the day before, as the clock of a test stands still.
        self.env.cr.execute(
            "UPDATE onergy_settlement SET create_date = create_date - interval '1 day'"
        )
        settlement.invalidate_recordset()
        readings = settlement.reading_ids.mapped("value")
        amount = settlement.amount_total
        self.assertFalse(settlement.readings_changed)
        meter = self.env["onergy.meter"].search([("serial", "=", "NEW")])
        last = self.env["onergy.reading"].search(
            [
                ("meter_id", "=", meter.id),
                ("register", "=", "energy"),
                ("superseded", "=", False),
                ("moment", "<", date(2026, 1, 1)),
            ],
            order="moment desc",
            limit=1,
        )
        self.loader._set_reading(
            meter,
            "energy",
            last.moment,
            last.value - 0.5,
            last.unit,
            "manual",
            reason="Read again on the spot",
        )
        settlement.invalidate_recordset()
        self.assertEqual(settlement.reading_ids.mapped("value"), readings)
        self.assertEqual(settlement.amount_total, amount)
        self.assertTrue(settlement.readings_changed)
        found = [("readings_changed", "=", True)]
        self.assertEqual(self.env["onergy.settlement"].search(found), settlement)
        self.assertNotIn(
            settlement,
            self.env["onergy.settlement"].search([("readings_changed", "=", False)]),
        )
        correction = self.settle(
            kind="correction", date_from="2024-01-01", with_readings=True
        ).settlement_ids
        self.assertTrue(correction.line_ids)
        settlement.invalidate_recordset()
        self.assertFalse(settlement.readings_changed)
        self.assertFalse(self.env["onergy.settlement"].search(found))
