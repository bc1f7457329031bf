from datetime import date

from freezegun import freeze_time

from odoo.exceptions import ValidationError
from odoo.tests import new_test_user, tagged

from .common import SettlementCommon


@tagged("post_install", "-at_install")
class TestSetRent(SettlementCommon):
    """The rent of the delivery set is the owner's by contract."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._correct_2024()
        cls._load_case_a()
        cls.owner = cls._create_payer("Owner")
        cls.complex.owner_id = cls.owner
        cls.contract.set_rent_payer = "owner"

    def test_owner_has_to_be_known(self):
        with self.assertRaisesRegex(ValidationError, "not known"):
            self.complex.owner_id = False
            self.contract.write({"set_rent_payer": "owner"})

    def test_each_pays_his_own(self):
        """Case A: 73.09 and 74.63 are the owner's, the rest is the resident's."""
        self.invoice_advances(100.0)
        self.contract.payment_method = "direct_debit"
        settlements = self.settle().settlement_ids
        own = settlements.filtered(lambda s: s.part == "resident")
        rent = settlements - own
        self.assertEqual((own.partner_id, rent.partner_id), (self.payer, self.owner))
        self.assertEqual(rent.part, "owner")
        self.assertEqual(
            [(ln.component, ln.amount) for ln in rent.line_ids],
            [("delivery_set", 73.09), ("delivery_set", 74.63)],
        )
        self.assertNotIn("delivery_set", own.line_ids.mapped("component"))
        self.assertEqual(own.amount_supply + rent.amount_supply, 1842.80)
        self.assertEqual((own.date_from, own.date_to), (rent.date_from, rent.date_to))
        self.assertEqual((own.amount_advances, rent.amount_advances), (1200.0, 0.0))
        self.assertEqual((rent.use, rent.use_before), (0.0, 0.0))
        self.assertFalse(rent.reading_ids)
        # It is no bill of the resident's contract: not collected from his account.
        self.assertFalse(rent.move_id.onergy_contract_id)
        self.assertEqual(rent.move_id.invoice_date_due, date(2025, 7, 24))
        self.assertEqual(rent.move_id.amount_total, 147.72)
        text = self.env["ir.qweb"]._render(
            "onergy_billing.settlement_bill",
            {"o": rent.move_id, "settlement": rent, "is_html_empty": lambda t: not t},
        )
        self.assertIn("Rent of the delivery set of a dwelling that you let", text)
        self.assertNotIn("We collect this", text)

    def test_again_makes_nothing_twice(self):
        self.settle()
        self.assertFalse(self.settle(post=False).settlement_ids)
        run = self.settle(post=False, kind="correction", date_from="2024-07-01")
        self.assertFalse(run.settlement_ids)

    def test_other_choice_later_corrects_no_bill(self):
        """Each bill keeps the components that it was made for."""
        self.settle()
        self.contract.set_rent_payer = "resident"
        run = self.settle(post=False, kind="correction", date_from="2024-07-01")
        self.assertFalse(run.settlement_ids)

    def test_waiting_bills_follow_the_choice(self):
        run = self.settle(post=False)
        self.contract.set_rent_payer = "resident"
        run.settlement_ids[0].with_user(self.clerk).action_recalculate()
        self.assertEqual(
            [(s.part, s.amount_supply) for s in run.settlement_ids],
            [("all", 1842.80)],
        )

    def test_left_out_together(self):
        run = self.settle(post=False)
        run.settlement_ids.filtered(lambda s: s.part == "owner").action_cancel()
        self.assertEqual(set(run.settlement_ids.mapped("state")), {"cancelled"})
        self.assertEqual(len(self.settle(post=False).settlement_ids), 2)

    def test_owner_who_lives_there_gets_one_bill(self):
        self.contract.partner_id = self.owner
        self.assertEqual(self.settle(post=False).settlement_ids.part, "all")

    def test_correction_goes_to_who_paid(self):
        self.settle()
        self._create_tariff(
            2025, "2025-07-01", heat=43.79, standing=577.48, metering=32.80, set=140.0
        )
        run = self.settle(kind="correction", date_from="2024-07-01")
        self.assertEqual(run.settlement_ids.partner_id, self.owner)
        # 140.00 x 181/365 = 69.42, less 74.63.
        self.assertEqual(run.settlement_ids.amount_total, -5.21)

    def test_advice_is_without_the_rent(self):
        settlements = self.settle(post=False).settlement_ids
        own = settlements.filtered(lambda s: s.part == "resident")
        # (24.040 x 43.79 + 577.48 + 32.80) / 12
        self.assertEqual(own.advance_advice, 138.58)
        prices = self.contract._get_current_prices(date(2025, 7, 1))
        self.assertEqual(set(prices), {"heat", "standing", "metering"})

    def test_change_is_on_the_contract(self):
        contract = self.contract.with_context(
            tracking_disable=False, mail_notrack=False
        )
        self.env.cr.flush()
        contract.set_rent_payer = "resident"
        self.env.cr.flush()
        contract.invalidate_recordset()
        changed = contract.message_ids.tracking_value_ids.field_id
        self.assertIn("set_rent_payer", changed.mapped("name"))

    def test_resident_does_not_see_the_bill_of_the_owner(self):
        user = new_test_user(self.env, "bill_resident", "base.group_portal")
        user.partner_id = self.payer
        rent = self.settle().settlement_ids.filtered(lambda s: s.part == "owner")
        self.assertFalse(rent.move_id.with_user(user).has_access("read"))

    def test_days_have_one_payer_per_component(self):
        """Whoever moves and whoever pays the rent: together it is the address year."""
        self.contract.date_end = "2024-10-16"
        self._create_contract(
            self.home, self.owner, "2024-10-17", "2025-01-11", role="vacancy"
        )
        self._create_contract(
            self.home, self._create_payer("Second"), "2025-01-12", "2025-06-30"
        )
        with freeze_time("2025-07-10"):
            settlements = self.settle(kind="final").settlement_ids
        days = {}
        for line in settlements.line_ids:
            for day in range(line.date_from.toordinal(), line.date_to.toordinal() + 1):
                days.setdefault((line.component, day), []).append(line)
        self.assertEqual({len(lines) for lines in days.values()}, {1})
        self.assertEqual(len(days), 4 * 365)
        for component, total in (
            ("heat", 495.85 + 587.66),
            ("standing", 293.00 + 286.37),
            ("metering", 15.93 + 16.27),
            ("delivery_set", 73.09 + 74.63),
        ):
            lines = settlements.line_ids.filtered(
                lambda ln, c=component: ln.component == c
            )
            self.assertAlmostEqual(
                sum(lines.mapped("amount")), total, delta=0.01 * len(lines)
            )
