from datetime import date

from freezegun import freeze_time
from lxml import html

from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import SettlementCommon, run_migration


class SettledCommon(SettlementCommon):
    """The worked example, with meter readings of a second year."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._correct_2024()
        cls._load_case_a()
        cls._create_tariff(
            2026, "2025-12-20", heat=40.0, standing=577.48, metering=32.80, set=150.49
        )
        cls._load_readings(
            ("NEW", "2026-01-01", "9.000"), ("NEW", "2026-07-01", "15.000")
        )

    def get_settlements(self, contract=None):
        contract = contract or self.contract
        return self.env["onergy.settlement"].search(
            [("contract_id", "=", contract.id), ("state", "!=", "cancelled")],
            order="date_from, id",
        )

    def invoice(self, month, day=None):
        """Post the advance of one month on a day."""
        run = self.env["onergy.advance.run"].create(
            {"month": month, "invoice_date": day or month}
        )
        run.with_user(self.clerk).action_preview()
        with freeze_time(day or month):
            run.action_approve()
            self.run_to_end(run)
        return run.line_ids.move_id

    def credit(self, moves, day="2025-08-20"):
        with freeze_time(day):
            refunds = moves._reverse_moves(
                [{"invoice_date": day, "date": day} for _move in moves]
            )
            refunds.action_post()
        return refunds

    def settle_until(self, day, post=True, **values):
        with freeze_time(day):
            run = self.create_run(invoice_date=day, date_until=day, **values)
            run.action_calculate()
            if run.state == "calculating":
                self.run_to_end(run.sudo())
            if post and run.settlement_ids:
                run.with_user(self.manager).action_approve()
                self.run_to_end(run.sudo())
        return run.sudo()

    def correct(self, day="2026-07-10", **values):
        return self.settle_until(day, kind="correction", date_from="2024-07-01")


@tagged("post_install", "-at_install")
class TestSettledAdvances(SettledCommon):
    """Each advance is settled once, also when it comes late."""

    def start_in_the_middle_of_july(self):
        self.contract.date_start = "2024-07-15"
        self._load_readings(("NEW", "2025-07-15", "5.500"))
        return self.invoice_advances(150.0, months=15, start="2024-08-01")

    def test_month_on_both_sides_is_settled_once(self):
        """The advance of July is in the days of two bills that wait together."""
        self.start_in_the_middle_of_july()
        self.contract.date_end = "2025-10-31"
        self._load_readings(("NEW", "2025-11-01", "8.000"))
        run = self.settle_until("2025-11-10")
        first, final = run.settlement_ids.sorted("date_from")
        self.assertEqual((first.state, final.state), ("posted", "posted"))
        self.assertEqual(
            [max(s.advance_ids.mapped("date")) for s in (first, final)],
            [date(2025, 7, 1), date(2025, 10, 1)],
        )
        self.assertEqual(first.amount_advances + final.amount_advances, 15 * 150.0)
        self.assertFalse(first.advance_ids.move_id & final.advance_ids.move_id)

    def test_month_on_both_sides_in_two_runs(self):
        self.start_in_the_middle_of_july()
        first = self.settle_until("2025-08-01", post=False)
        self.contract.date_end = "2025-10-31"
        self._load_readings(("NEW", "2025-11-01", "8.000"))
        second = self.settle_until("2025-11-10", post=False)
        for run in second, first:
            with freeze_time("2025-11-10"):
                run.with_user(self.manager).action_approve()
                self.run_to_end(run)
        self.assertEqual((first.posted_count, second.posted_count), (1, 1))
        self.assertEqual(
            sum(self.get_settlements().mapped("amount_advances")), 15 * 150.0
        )

    def test_recalculated_together(self):
        self.start_in_the_middle_of_july()
        self.contract.date_end = "2025-10-31"
        self._load_readings(("NEW", "2025-11-01", "8.000"))
        run = self.settle_until("2025-11-10", post=False)
        before = run.settlement_ids.sorted("date_from").mapped("amount_advances")
        run.settlement_ids.with_user(self.clerk).action_recalculate()
        after = run.settlement_ids.sorted("date_from").mapped("amount_advances")
        self.assertEqual(after, before)

    @mute_logger("odoo.sql_db")
    def test_what_the_database_refuses_is_set_aside(self):
        """One settlement that cannot be kept does not stop the others."""
        other = self._create_contract(
            self._create_home("7"), self._create_payer("Other"), "2024-07-01"
        )
        self._create_meter("SEVEN", other.connection_id, "2024-07-01")
        self._load_readings(("SEVEN", "2024-07-01", "0"), ("SEVEN", "2025-07-01", "9"))
        self.invoice_advances(150.0)
        run = self.settle_until("2025-07-10", post=False)
        bad = run.settlement_ids.filtered(lambda s: s.contract_id == self.contract)
        # As if two transactions settled it at the same time.
        self.patch(
            self.env.registry["onergy.settlement"],
            "_get_outdated",
            lambda settlements: settlements.browse(),
        )
        taken = bad.copy({"original_id": bad.id, "state": "posted", "run_id": False})
        bad.advance_ids[0].copy({"settlement_id": taken.id, "is_final": True})
        with freeze_time("2025-07-10"):
            run.with_user(self.manager).action_approve()
            self.run_to_end(run)
        self.assertEqual((run.state, run.posted_count), ("done", 1))
        self.assertEqual(bad.state, "blocked")
        self.assertIn("already settled", bad.errors)
        self.assertIn("already settled", run.problem)

    @mute_logger("odoo.addons.onergy_billing.models.onergy_billing_run")
    def test_a_run_that_breaks_does_not_stop_the_next_one(self):
        self.contract._set_advance(150.0, self.contract.date_start, "staff")
        runs = self.env["onergy.advance.run"].create(
            [
                {"month": month, "invoice_date": "2025-07-15"}
                for month in ("2025-08-01", "2025-09-01")
            ]
        )
        runs.with_user(self.clerk).action_preview()
        runs.action_approve()
        post = self.env.registry["onergy.advance.run"]._post_items

        def break_first(run, items):
            if run == runs[0]:
                raise ZeroDivisionError
            return post(run, items)

        self.patch(self.env.registry["onergy.advance.run"], "_post_items", break_first)
        with self.enter_registry_test_mode():
            self.env.ref("onergy_billing.ir_cron_advance").method_direct_trigger()
        runs.invalidate_recordset()
        self.assertEqual(runs.mapped("state"), ["posting", "done"])
        self.assertIn("log of the server", runs[0].problem)

    def test_advance_credited_after_its_bill(self):
        """It is on the next bill, so that the resident gets it back once."""
        advances = self.invoice_advances(150.0)
        self.settle_until("2025-07-10")
        march = advances.filtered(lambda m: str(m.onergy_advance_month) == "2025-03-01")
        refund = self.credit(march)
        self.invoice_advances(150.0, start="2025-07-01")
        self.settle_until("2026-07-10")
        second = self.get_settlements()[1]
        self.assertEqual(len(second.advance_ids), 13)
        self.assertIn(refund, second.advance_ids.move_id)
        self.assertEqual(second.amount_advances, 11 * 150.0)

    def test_advance_credited_after_the_final_bill(self):
        """No bill follows: a correction takes it, once."""
        self.contract.date_end = "2025-06-30"
        advances = self.invoice_advances(150.0)
        self.settle_until("2025-07-10")
        refund = self.credit(advances[3])
        run = self.correct("2025-09-01")
        self.assertEqual(run.settlement_ids.advance_ids.move_id, refund)
        self.assertEqual(run.settlement_ids.amount_total, 150.0)
        self.assertEqual(run.settlement_ids.move_id.amount_total, 150.0)
        self.assertEqual(run.settlement_ids.move_id.amount_tax, 26.03)
        self.assertFalse(self.correct("2025-09-02").settlement_ids)

    def test_advance_posted_after_its_bill(self):
        late = self.invoice_advances(150.0)[11]
        late.button_draft()
        self.settle_until("2025-07-10")
        late.action_post()
        self.settle_until("2026-07-10")
        self.assertEqual(self.get_settlements()[1].advance_ids.move_id, late)

    def test_advances_from_before_the_takeover_stay_out(self):
        self.invoice_advances(150.0)
        self.company.onergy_billing_start = "2024-09-15"
        settlement = self.settle_until("2025-07-10").settlement_ids
        self.assertEqual(min(settlement.advance_ids.mapped("date")), date(2024, 9, 1))

    def test_settled_advance_stays(self):
        advances = self.invoice_advances(150.0)
        self.settle_until("2025-07-10")
        for name in ("button_draft", "button_cancel"):
            with self.assertRaisesRegex(UserError, "was settled on"):
                getattr(advances[0], name)()
        self.assertEqual(set(advances.mapped("state")), {"posted"})

    def test_advances_are_compared_again(self):
        advances = self.invoice_advances(150.0)
        for change in (
            lambda: advances[0].button_draft(),
            lambda: self.credit(advances[1], "2025-07-11"),
        ):
            run = self.settle_until("2025-07-10", post=False)
            change()
            with freeze_time("2025-07-12"):
                run.with_user(self.manager).action_approve()
                self.run_to_end(run)
            settlement = run.settlement_ids
            self.assertEqual((run.state, settlement.state), ("done", "blocked"))
            self.assertIn("after this bill was worked out", settlement.errors)
            self.assertFalse(settlement.move_id)
            settlement.action_cancel()
        settlement = self.settle_until("2025-07-13").settlement_ids
        self.assertEqual(settlement.amount_advances, 10 * 150.0)

    def test_advance_that_was_replaced(self):
        """By "Reverse and create invoice": the new one is settled in its place."""
        advances = self.invoice_advances(150.0)
        wizard = self.env["account.move.reversal"].create(
            {
                "move_ids": [Command.set(advances[2].ids)],
                "journal_id": advances.journal_id.id,
                "date": "2025-06-20",
            }
        )
        with freeze_time("2025-06-20"):
            wizard.modify_moves()
            new = wizard.new_move_ids
            self.assertRecordValues(
                new,
                [
                    {
                        "state": "draft",
                        "onergy_contract_id": self.contract.id,
                        "onergy_move_kind": "advance",
                        "onergy_advance_month": advances[2].onergy_advance_month,
                    }
                ],
            )
            new.invoice_line_ids.price_unit = 120.0
            new.action_post()
        settlement = self.settle_until("2025-07-10").settlement_ids
        self.assertIn(new, settlement.advance_ids.move_id)
        self.assertEqual(settlement.amount_advances, 11 * 150.0 + 120.0)

    def test_settled_month_gets_no_advance(self):
        self.invoice_advances(150.0, months=11)
        waiting = self.env["onergy.advance.run"].create(
            {"month": "2025-06-01", "invoice_date": "2025-07-09"}
        )
        waiting.with_user(self.clerk).action_preview()
        waiting.action_approve()
        self.settle_until("2025-07-10")
        self.run_to_end(waiting)
        line = waiting.line_ids
        self.assertEqual(line.state, "exception")
        self.assertIn("made already", line.reason)
        again = waiting.copy()
        again.with_user(self.clerk).action_preview()
        self.assertIn("made already", again.line_ids.reason)
        # The next month is not on it.
        after = waiting.copy({"month": "2025-07-01"})
        after.with_user(self.clerk).action_preview()
        self.assertEqual(after.line_ids.state, "ready")


@tagged("post_install", "-at_install")
class TestBillTakenBack(SettledCommon):
    """A bill that was posted goes by a credit note, and can be made again."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.user.group_ids += cls.env.ref("account.group_account_manager")

    def test_bill_stays(self):
        self.invoice_advances(150.0)
        move = self.settle_until("2025-07-10").settlement_ids.move_id
        for name in ("button_draft", "button_cancel"):
            with self.assertRaisesRegex(UserError, "Make a credit note"):
                getattr(move, name)()
        wizard = self.env["account.move.reversal"].create(
            {"move_ids": [Command.set(move.ids)], "journal_id": move.journal_id.id}
        )
        with self.assertRaisesRegex(UserError, "worked out by a settlement"):
            wizard.modify_moves()
        self.assertEqual(move.state, "posted")

    def test_credited_bill_is_made_again(self):
        """Credited and billed again, the resident owes what he owed before."""
        advances = self.invoice_advances(150.0)
        settlement = self.settle_until("2025-07-10").settlement_ids
        refund = self.credit(settlement.move_id)
        back = settlement.correction_ids
        self.assertEqual((back.state, back.move_id), ("posted", refund))
        self.assertEqual(
            (back.amount_supply, back.amount_advances, back.amount_total),
            (-1842.80, -1800.0, -42.80),
        )
        self.assertFalse(any(settlement.advance_ids.mapped("is_final")))
        with self.assertRaises(UserError):
            refund.button_draft()
        again = self.correct("2025-09-01").settlement_ids
        self.assertEqual(again.advance_ids.move_id, advances)
        self.assertEqual(again.move_id.amount_total, 42.80)
        self.assertEqual(again.move_id.amount_tax, 7.46)
        self.assertFalse(self.correct("2025-09-02").settlement_ids)

    def get_due(self, day):
        self.env.flush_all()
        self.env.invalidate_all()
        with freeze_time(day):
            return self.env["onergy.settlement.due"].search(
                [("contract_id", "=", self.contract.id), ("date_to", "<", day)]
            )

    def test_days_of_a_credited_bill_are_due_again(self):
        """And the next run bills them, with the readings as they are by then."""
        self.invoice_advances(150.0)
        run = self.settle_until("2025-07-10")
        settlement = run.settlement_ids
        self.assertFalse(self.get_due("2025-08-21"))
        self.credit(settlement.move_id)
        self.assertRecordValues(
            self.get_due("2025-08-21"),
            [
                {
                    "contract_id": self.contract.id,
                    "partner_id": self.payer.id,
                    "date_from": settlement.date_from,
                    "date_to": settlement.date_to,
                    "deadline": settlement.deadline,
                    "move_id": settlement.move_id.id,
                }
            ],
        )
        again = self.settle_until("2025-09-01", post=False).settlement_ids
        self.assertRecordValues(
            again,
            [
                {
                    "original_id": settlement.id,
                    "is_anew": True,
                    "state": "ready",
                    "use": 24.04,
                    "amount_total": 42.80,
                    "advance_advice": settlement.advance_advice,
                }
            ],
        )
        self.assertFalse(self.get_due("2025-09-01"), "one waits in a run")
        again.with_user(self.clerk).action_recalculate()
        again = settlement.correction_ids.filtered(lambda s: s.state == "ready")
        again.action_cancel()
        self.assertTrue(self.get_due("2025-09-01"), "nobody bills these days")
        again = self.settle_until("2025-09-01").settlement_ids
        self.assertEqual(again.move_id.amount_total, 42.80)
        self.assertFalse(self.get_due("2025-09-01"))
        self.credit(again.move_id, "2025-09-02")
        self.assertEqual(self.get_due("2025-09-03").move_id, settlement.move_id)

    def test_credit_note_is_not_one_of_the_bills_of_a_run(self):
        self.invoice_advances(150.0)
        run = self.settle_until("2025-07-10")
        self.credit(run.settlement_ids.move_id)
        run.invalidate_recordset()
        self.assertEqual((run.settlement_count, run.posted_count), (1, 1))
        self.assertEqual((run.amount_total, run.email_count), (42.80, 1))

    def test_bill_made_anew_reads_like_the_first(self):
        self.payer.lang = "en_US"
        self.invoice_advances(150.0)
        settlement = self.settle_until("2025-07-10").settlement_ids
        self.credit(settlement.move_id)
        again = self.settle_until("2025-09-01").settlement_ids
        self.assertFalse(again._is_change())
        self.assertNotIn("Correction", again.move_id.invoice_line_ids[0].name)
        page, _kind = self.env["ir.actions.report"]._render_qweb_html(
            "account.report_invoice", again.move_id.ids, {"report_type": "pdf"}
        )
        text = " ".join(html.fromstring(page).text_content().split())
        self.assertIn("Yearly bill for heat", text)
        self.assertIn(f"takes the place of bill {settlement.move_id.name}", text)
        self.assertIn("You used 24,040 GJ", text)

    def test_owners_bill_credited(self):
        """Its credit note is a bill of the kind that it takes back."""
        owner = self._create_payer("Owner")
        self.complex.owner_id = owner
        self.contract.set_rent_payer = "owner"
        run = self.settle_until("2025-07-10")
        bill = run.settlement_ids.filtered(lambda s: s.part == "owner")
        refund = self.credit(bill.move_id)
        self.assertEqual(refund.onergy_move_kind, "settlement")
        self.assertEqual(self.get_due("2025-08-21").partner_id, owner)
        again = self.settle_until("2025-09-01").settlement_ids
        self.assertEqual((again.part, again.partner_id), ("owner", owner))
        self.assertEqual(again.amount_total, bill.amount_total)

    def test_migration_tells_what_was_credited(self):
        """From what the version before kept of it."""
        self.invoice_advances(150.0)
        settlement = self.settle_until("2025-07-10").settlement_ids
        self._create_tariff(
            2025, "2025-07-20", heat=40.00, standing=577.48, metering=32.80, set=150.49
        )
        correction = self.correct("2025-08-01").settlement_ids
        self.credit(correction.move_id, "2025-08-02")
        self.credit(settlement.move_id, "2025-08-20")
        again = self.settle_until("2025-09-01").settlement_ids
        self.credit(again.move_id, "2025-09-02")
        last = self.settle_until("2025-09-03").settlement_ids
        names = ["takes_back_id", "is_anew", "run_id"]
        family = settlement.correction_ids
        kept = family.read(names)
        for back in family.filtered("takes_back_id"):
            back.run_id = back.takes_back_id.run_id
        family.write({"takes_back_id": False, "is_anew": False})
        self.env.flush_all()
        self.env.invalidate_all()
        run_migration(self.env.cr, "19.0.1.0.2", "post-migrate")
        self.env.invalidate_all()
        self.assertEqual(family.read(names), kept)
        self.assertEqual(family.filtered("is_anew"), again | last)

    def test_credited_correction_is_made_again(self):
        self.invoice_advances(150.0)
        self.settle_until("2025-07-10")
        self._create_tariff(
            2025, "2025-07-20", heat=40.00, standing=577.48, metering=32.80, set=150.49
        )
        correction = self.correct("2025-08-01").settlement_ids
        self.assertEqual(correction.move_id.move_type, "out_refund")
        self.credit(correction.move_id)
        again = self.correct("2025-09-01").settlement_ids
        self.assertEqual(again.amount_total, correction.amount_total)

    def test_part_of_a_bill_credited(self):
        """Goodwill: the settlement stands."""
        settlement = self.settle_until("2025-07-10").settlement_ids
        refund = settlement.move_id._reverse_moves([{"invoice_date": "2025-08-20"}])
        refund.invoice_line_ids[1:].unlink()
        refund.action_post()
        self.assertFalse(settlement.correction_ids)

    def test_compensation_of_a_credited_bill_is_due_again(self):
        _short, outage = self.env["onergy.outage"].create(
            [
                {
                    "name": "Pump",
                    "complex_id": self.complex.id,
                    "date_start": f"{day} 08:00:00",
                    "date_end": f"{day} {end}:00:00",
                }
                for day, end in (("2024-11-01", "10"), ("2025-02-01", "20"))
            ]
        )
        settlement = self.settle_until("2025-07-10").settlement_ids
        self.assertEqual((settlement.amount_compensation, outage.unpaid_count), (55, 0))
        self.credit(settlement.move_id)
        outage.invalidate_recordset()
        self.assertEqual(outage.unpaid_count, 1)
