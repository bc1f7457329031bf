from datetime import date

from odoo.tests import tagged

from .common import run_migration
from .test_accountant import AccountantCommon


@tagged("post_install", "-at_install")
class TestMigration(AccountantCommon):
    """Data as an older version left them, and what an upgrade makes of them."""

    def test_lines_of_the_year_end_that_were_kept_twice(self):
        accrual = self.env["onergy.accrual"].create({"day": "2024-12-31"})
        cr = self.env.cr
        cr.execute("DROP INDEX onergy_accrual_line_contract_uniq")
        other = self._create_contract(
            self._create_home("2"), self._create_payer("Other"), "2024-07-01"
        )
        _half, single, whole = self.env["onergy.accrual.line"].create(
            [
                {"accrual_id": accrual.id, "contract_id": contract.id, "use": use}
                for contract, use in (
                    (self.contract, 1),
                    (other, 2),
                    (self.contract, 3),
                )
            ]
        )
        self.env.flush_all()
        run_migration(cr, "19.0.1.0.1", "pre-migrate")
        self.env.invalidate_all()
        self.assertEqual(accrual.line_ids, single | whole)

    def test_prices_and_outages_are_judged_anew(self):
        """A price above a maximum of later in its year, an outage near midnight."""
        line = self._create_tariff(
            2024, "2024-07-11", heat=46.69, standing=582.82, metering=31.68, set=145.38
        ).line_ids.filtered(lambda ln: ln.component == "standing")
        outage = self.env["onergy.outage"].create(
            {
                "name": "Pump",
                "complex_id": self.complex.id,
                "date_start": "2024-10-31 08:00:00",
                "date_end": "2024-10-31 23:30:00",  # 1 November in the Netherlands
            }
        )
        cr = self.env.cr
        cr.execute("UPDATE onergy_tariff_line SET price = 600 WHERE id = %s", [line.id])
        cr.execute(
            "UPDATE onergy_outage SET pay_before = '2025-04-30' WHERE id = %s",
            [outage.id],
        )
        self.env.invalidate_all()
        self.assertFalse(line.is_above_cap)
        run_migration(cr, "19.0.1.0.1", "post-migrate")
        self.env.invalidate_all()
        self.assertTrue(line.is_above_cap)
        self.assertEqual(outage.pay_before, date(2025, 5, 1))
