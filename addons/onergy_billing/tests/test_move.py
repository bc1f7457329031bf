from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import new_test_user, tagged

from .common import BillingCommon


@tagged("post_install", "-at_install")
class TestMoveBill(BillingCommon):
    """A move leads to a final bill within six weeks."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.complex.owner_id = cls._create_payer("Owner")
        cls.env["res.lang"]._activate_lang("en_US")
        cls.payer.lang = "en_US"
        cls.complex.billing_cycle = "anniversary"
        cls._load_case_a()
        cls._correct_2024()
        cls.move = cls.env["onergy.move"].create(
            {
                "contract_id": cls.contract.id,
                "date_end": "2025-03-16",
                "next_kind": "owner",
            }
        )
        cls.clerk = new_test_user(
            cls.env,
            "moving_clerk",
            "onergy_residents.group_customer_service",
            company_id=cls.company.id,
            company_ids=[fields.Command.set(cls.company.ids)],
        )

    def _get_settlements(self):
        return self.env["onergy.settlement"].search(
            [("contract_id", "=", self.contract.id), ("state", "!=", "cancelled")]
        )

    @freeze_time("2025-03-20 12:00:00")
    def test_deadline_is_told_to_clerk_and_resident(self):
        move = self.move.with_user(self.clerk)
        self.assertEqual(str(move.final_deadline), "2025-04-27")
        self.assertIn("final bill of First resident", move.preview)
        move.action_carry_out()
        mail = self.env["mail.mail"].search([("res_id", "=", move.id)])
        self.assertIn("April 27", mail.body_html.replace("27 April", "April 27"))

    def test_worked_out_by_itself_once_readings_had_a_week(self):
        with freeze_time("2025-03-17 12:00:00"):
            self.move.with_user(self.clerk).action_carry_out()
        Run = self.env["onergy.settlement.run"]
        with freeze_time("2025-03-20 12:00:00"):
            Run._cron_final_bills()
            self.assertFalse(self._get_settlements())
        with freeze_time("2025-03-24 12:00:00"):
            Run._cron_final_bills()
            settlement = self._get_settlements()
            self.assertTrue(settlement.is_final)
            self.assertEqual(settlement.state, "ready", settlement.errors)
            self.assertEqual(self.move.final_settlement_id, settlement)
            self.assertEqual(settlement.run_id.state, "checked")
            Run._cron_final_bills()
            self.assertEqual(self._get_settlements(), settlement)

    @freeze_time("2025-03-24 12:00:00")
    def test_no_closing_reading_after_the_final_bill(self):
        self.move.with_user(self.clerk).action_carry_out()
        self.env["onergy.settlement.run"]._cron_final_bills()
        self.assertTrue(self.move._takes_closing_reading())
        # As it is once posted; a bill in the books is more than this needs.
        self._get_settlements().sudo().state = "posted"
        self.assertFalse(self.move._takes_closing_reading())

    def test_a_year_that_was_not_billed_goes_first(self):
        self.complex.billing_cycle = "year"
        with freeze_time("2025-03-25 12:00:00"):
            self.move.action_carry_out()
            for _day in range(2):
                self.env["onergy.settlement.run"]._cron_final_bills()
        self.assertEqual(
            [
                (str(s.date_to), s.is_final)
                for s in self._get_settlements().sorted("date_to")
            ],
            [("2024-12-31", False), ("2025-03-16", True)],
        )

    def test_undone_until_the_final_bill_is_posted(self):
        with freeze_time("2025-03-25 12:00:00"):
            move = self.move.with_user(self.clerk)
            move.action_carry_out()
            self.env["onergy.settlement.run"]._cron_final_bills()
            settlement = self._get_settlements()
            move.action_undo()
            self.assertEqual(settlement.state, "cancelled")
            self.assertFalse(self.contract.date_end)
            move.action_carry_out()
            self.env["onergy.settlement.run"]._cron_final_bills()
            settlement = self._get_settlements()
            settlement._post_batch(fields.Date.today())
            self.assertEqual(settlement.state, "posted")
            with self.assertRaisesRegex(UserError, "was posted"):
                move.action_undo()
        self.assertEqual(str(self.contract.date_end), "2025-03-16")
