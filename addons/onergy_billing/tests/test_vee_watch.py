from datetime import date

from odoo.fields import Command
from odoo.tests import tagged

from .common import BillingCommon


@tagged("post_install", "-at_install")
class TestEstimatedBills(BillingCommon):
    """A meter that is billed by estimate again and again has to be looked at."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home = cls._create_home("9")
        cls.payer = cls._create_payer("Payer of estimates")
        cls.contract = cls._create_contract(cls.home, cls.payer, "2020-01-01")
        cls.meter = cls._create_meter("EST1", cls.home, "2020-01-01")

    def _bill(self, year, basis, **values):
        """A posted settlement of a year; ``basis`` is of the reading at its end."""
        readings = [(date(year, 1, 1), "measured"), (date(year + 1, 1, 1), basis)]
        # sudo: nobody writes settlements by hand
        return (
            self.env["onergy.settlement"]
            .sudo()
            .create(
                {
                    "contract_id": self.contract.id,
                    "partner_id": self.payer.id,
                    "date_from": date(year, 1, 1),
                    "date_to": date(year, 12, 31),
                    "state": "posted",
                    "reading_ids": [
                        Command.create(
                            {
                                "component": "heat",
                                "serial": "EST1",
                                "day": day,
                                "value": 100 + year % 100,
                                "basis": how,
                            }
                        )
                        for day, how in readings
                    ],
                    **values,
                }
            )
        )

    def _watch(self):
        """The new work items; the meter has no readings that others could be of."""
        known = self.env["onergy.reading.exception"].search([])
        self.env["onergy.vee.watch"]._watch(self.contract.company_id)
        return self.env["onergy.reading.exception"].search([]) - known

    def test_third_estimate_in_a_row(self):
        self._bill(2020, "measured")
        self._bill(2021, "estimated")
        self._bill(2022, "estimated")
        self.assertFalse(self._watch(), "two are allowed")
        self._bill(2023, "estimated")
        item = self._watch()
        self.assertEqual(item.reason, "vee_estimated")
        self.assertEqual((item.meter_id, item.register), (self.meter, "energy"))
        self.assertEqual(item.day, date(2024, 1, 1))
        self._bill(2024, "estimated")
        self.assertFalse(self._watch(), "one work item for the whole row")

    def test_measured_in_between(self):
        for year, basis in enumerate(
            ["estimated", "estimated", "measured", "estimated", "estimated"], start=2020
        ):
            self._bill(year, basis)
        self.assertFalse(self._watch())

    def test_correction_with_a_real_reading_ends_the_row(self):
        self._bill(2021, "estimated")
        original = self._bill(2022, "estimated")
        self._bill(2023, "estimated")
        self._bill(2022, "measured", original_id=original.id)
        self.assertFalse(self._watch())

    def test_what_is_not_posted_does_not_count(self):
        self._bill(2021, "estimated")
        self._bill(2022, "estimated")
        self._bill(2023, "estimated", state="ready")
        self.assertFalse(self._watch())

    def test_threshold_of_the_company(self):
        rule = self.env["onergy.vee.rule"].search([("code", "=", "estimated")])
        rule.copy({"company_id": self.contract.company_id.id, "threshold": 1})
        self._bill(2022, "estimated")
        self._bill(2023, "estimated")
        self.assertTrue(self._watch())
