from datetime import date

from freezegun import freeze_time
from psycopg2 import IntegrityError

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from .common import SettlementCommon, get_entry


@tagged("post_install", "-at_install")
class TestCaseA(SettlementCommon):
    """The worked example, through Odoo's own books, to the cent."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._correct_2024()
        cls._load_case_a()

    def test_case_a(self):
        advances = self.invoice_advances(150.0)
        self.assertEqual(len(advances), 12)
        self.assertEqual(set(advances.mapped("amount_untaxed")), {123.97})
        self.assertEqual(set(advances.mapped("amount_tax")), {26.03})
        settlement = self.settle().settlement_ids
        self.assertFalse(settlement.errors)
        self.assertEqual(
            [(line.component, line.amount) for line in settlement.line_ids],
            [
                ("heat", 495.85),
                ("standing", 293.00),
                ("metering", 15.93),
                ("delivery_set", 73.09),
                ("heat", 587.66),
                ("standing", 286.37),
                ("metering", 16.27),
                ("delivery_set", 74.63),
            ],
        )
        self.assertEqual(settlement.amount_supply, 1842.80)
        self.assertEqual(settlement.vat_supply, 319.82)
        move = settlement.move_id
        self.assertRecordValues(
            move,
            [
                {
                    "move_type": "out_invoice",
                    "state": "posted",
                    "amount_untaxed": 35.34,
                    "amount_tax": 7.46,
                    "amount_total": 42.80,
                    "onergy_move_kind": "settlement",
                }
            ],
        )
        tax = move.line_ids.filtered("tax_line_id")
        self.assertEqual(sum(tax.mapped("balance")), -7.46)
        self.assertAlmostEqual(sum(move.line_ids.mapped("balance")), 0)

    def test_readings_on_the_bill(self):
        settlement = self.settle(post=False).settlement_ids
        self.assertEqual(
            [
                (r.serial, fields.Date.to_string(r.day), r.value, r.basis)
                for r in settlement.reading_ids
            ],
            [
                ("OLD", "2024-07-01", 412.350, "measured"),
                ("OLD", "2025-01-01", 422.970, "measured"),
                ("OLD", "2025-03-17", 431.480, "measured"),
                ("NEW", "2025-03-17", 0.120, "measured"),
                ("NEW", "2025-07-01", 5.030, "measured"),
            ],
        )
        self.assertEqual(settlement.use, 24.040)
        self.assertTrue(settlement._has_exchange())

    def test_next_advance(self):
        settlement = self.settle(post=False).settlement_ids
        self.assertEqual(settlement.advance_advice, 151.12)
        self.assertEqual(
            [str(bound) for bound in settlement._get_advance_band()],
            ["136.01", "302.24"],
        )

    def test_a2_reversed_payment_stays_an_open_item(self):
        """The bank took one direct debit back: that advance is open, nothing else."""
        advances = self.invoice_advances(150.0)
        methods = self.company_data["default_journal_bank"]
        methods.inbound_payment_method_line_ids.payment_account_id = (
            self.inbound_payment_method_line.payment_account_id
        )
        payments = self.env["account.payment"]
        for move in advances:
            payments |= (
                self.env["account.payment.register"]
                .with_context(active_model="account.move", active_ids=move.ids)
                .create({"journal_id": methods.id})
                ._create_payments()
            )
        self.assertEqual(set(advances.mapped("amount_residual")), {0.0})
        self.assertEqual(set(payments.move_id.mapped("state")), {"posted"})
        back = payments[4]
        reversed_invoice = back.invoice_ids
        reversal = back.move_id._reverse_moves(
            [{"date": date(2025, 1, 20), "ref": "Storno"}], cancel=True
        )
        self.assertEqual(reversal.state, "posted")
        self.assertEqual(
            (reversed_invoice.amount_residual, reversed_invoice.payment_state),
            (150.0, "not_paid"),
        )
        settlement = self.settle().settlement_ids
        self.assertEqual(
            (settlement.amount_advances, settlement.amount_total), (1800.0, 42.80)
        )
        receivable = self.env["account.move.line"].search(
            [
                ("partner_id", "=", self.payer.id),
                ("account_id.account_type", "=", "asset_receivable"),
                ("parent_state", "=", "posted"),
            ]
        )
        self.assertEqual(
            self.company.currency_id.round(sum(receivable.mapped("amount_residual"))),
            192.80,
        )
        still_open = receivable.filtered(lambda line: not line.reconciled)
        self.assertEqual(sorted(still_open.mapped("amount_residual")), [42.80, 150.00])
        self.assertEqual(still_open.move_id, reversed_invoice | settlement.move_id)

    def test_a3_refund_is_a_credit_note(self):
        self.invoice_advances(160.0)
        move = self.settle().settlement_ids.move_id
        self.assertRecordValues(
            move,
            [
                {
                    "move_type": "out_refund",
                    "amount_untaxed": 63.78,
                    "amount_tax": 13.42,
                    "amount_total": 77.20,
                }
            ],
        )

    def check_entry(self):
        move = self.settle().settlement_ids.move_id
        settlement = move.onergy_settlement_ids
        values = settlement._prepare_move(
            move.invoice_date, settlement._get_taxes(), settlement._get_products()
        )
        self.patch(
            self.env.registry["account.tax"], "_onergy_is_plain", lambda tax: False
        )
        slow = self.env["account.move"]._onergy_create_posted([values])
        self.assertEqual(get_entry(move), get_entry(slow))

    def test_entry_is_as_odoo_would_make_it(self):
        """The short way to an entry ends in the same ledger lines as the long one."""
        self.invoice_advances(150.0)
        self.check_entry()

    def test_entry_of_a_refund_is_as_odoo_would_make_it(self):
        self.invoice_advances(160.0)
        self.check_entry()

    def test_credited_advance_is_not_subtracted(self):
        advances = self.invoice_advances(150.0)
        advances[0]._reverse_moves(
            [{"invoice_date": date(2025, 6, 1)}], cancel=True
        ).filtered(lambda m: m.state == "draft").action_post()
        settlement = self.settle().settlement_ids
        self.assertEqual(settlement.amount_advances, 1650.0)
        self.assertEqual(settlement.amount_total, 192.80)

    def test_month_that_was_billed_gets_no_advance(self):
        self.invoice_advances(150.0, months=11)
        self.settle()
        run = self.env["onergy.advance.run"].create(
            {"month": "2025-06-01", "invoice_date": "2025-07-12"}
        )
        run.with_user(self.clerk).action_preview()
        line = run.line_ids.filtered(lambda ln: ln.contract_id == self.contract)
        self.assertEqual(line.state, "exception")
        self.assertIn("made already", line.reason)
        run.month = "2025-07-01"
        run.with_user(self.clerk).action_preview()
        self.assertEqual(set(run.line_ids.mapped("state")), {"ready"})

    def test_advance_of_another_year_is_not_subtracted(self):
        self.invoice_advances(150.0, months=14)
        settlement = self.settle().settlement_ids
        self.assertEqual(len(settlement.advance_ids), 12)
        # They wait for the next bill.
        self.assertEqual(settlement.amount_total, 42.80)

    # -- nothing twice -------------------------------------------------------------

    def test_running_again_makes_nothing(self):
        self.invoice_advances(150.0)
        run = self.settle()
        self.assertEqual(run.state, "done")
        with freeze_time("2025-07-10"):
            again = self.create_run()
            again.action_calculate()
        self.assertFalse(again.settlement_ids)
        run.state = "posting"
        self.run_to_end(run)
        self.assertEqual(len(run.settlement_ids.move_id), 1)
        moves = self.env["account.move"].search(
            [("onergy_move_kind", "=", "settlement")]
        )
        self.assertEqual(len(moves), 1)

    def test_posting_again_posts_nothing(self):
        settlement = self.settle().settlement_ids
        move = settlement.move_id
        self.assertFalse(settlement._post_batch(move.invoice_date))
        self.assertEqual((settlement.move_id, settlement.state), (move, "posted"))

    @mute_logger("odoo.sql_db")
    def test_database_refuses_the_same_days_twice(self):
        settlement = self.settle().settlement_ids
        with self.assertRaises(IntegrityError), self.env.cr.savepoint():
            settlement.copy({"run_id": settlement.run_id.id})
            self.env.flush_all()

    def test_bill_stays_as_it_is(self):
        settlement = self.settle().settlement_ids
        for action in (
            settlement.action_recalculate,
            settlement.action_cancel,
            settlement.unlink,
        ):
            with self.assertRaises(UserError):
                action()

    # -- four eyes -----------------------------------------------------------------

    def test_second_person_approves(self):
        run = self.settle(post=False)
        with self.assertRaises(UserError):
            run.with_user(self.clerk).action_approve()
        run.prepared_by_id = self.manager
        with self.assertRaisesRegex(UserError, "Somebody else"):
            run.with_user(self.manager).action_approve()
        self.assertEqual(run.state, "checked")

    def test_rights(self):
        run = self.settle(post=False)
        settlement = run.settlement_ids
        for role in ("accountant", "metering"):
            user = new_test_user(
                self.env,
                f"bill_{role}",
                f"onergy_residents.group_{role}",
                company_id=self.company.id,
                company_ids=[(6, 0, self.company.ids)],
            )
            with self.assertRaises(AccessError):
                run.with_user(user).action_calculate()
            if role == "accountant":
                settlement.with_user(user).line_ids.mapped("amount")
            else:
                with self.assertRaises(AccessError):
                    settlement.with_user(user).read(["amount_total"])
        resident = new_test_user(self.env, "bill_resident", "base.group_portal")
        with self.assertRaises(AccessError):
            settlement.with_user(resident).read(["amount_total"])

    def test_what_was_worked_out_is_not_written_by_hand(self):
        self.invoice_advances(150.0, months=1)
        settlement = self.settle(post=False).settlement_ids
        for user in (self.clerk, self.manager):
            own = settlement.with_user(user)
            for records, values in (
                (own, {"amount_total": 1.0}),
                (own, {"state": "posted"}),
                (own.line_ids[0], {"amount": 1.0}),
                (own.reading_ids[0], {"value": 1.0}),
                (own.advance_ids[0], {"amount": 1.0}),
            ):
                with self.assertRaises(AccessError):
                    records.write(values)
            own.message_post(body="Looked at")
            own.activity_schedule("mail.mail_activity_data_todo", user_id=user.id)

    def test_who_recalculates_does_not_approve(self):
        run = self.settle(post=False)
        run.settlement_ids.with_user(self.manager).action_recalculate()
        with self.assertRaisesRegex(UserError, "Somebody else"):
            run.with_user(self.manager).action_approve()

    def test_who_only_reads_leaves_nothing_out(self):
        settlement = self.settle(post=False).settlement_ids
        accountant = new_test_user(
            self.env,
            "bill_reader",
            "onergy_residents.group_accountant",
            company_id=self.company.id,
            company_ids=[(6, 0, self.company.ids)],
        )
        for name in ("action_cancel", "action_recalculate"):
            with self.assertRaises(AccessError):
                getattr(settlement.with_user(accountant), name)()
        self.assertEqual(settlement.state, "ready")


@tagged("post_install", "-at_install")
class TestCorrection(SettlementCommon):
    """A4: the tariff of 2024 is lowered after the bill was sent."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._load_case_a()
        # Billed before anybody knew that the price was above the maximum.
        caps = cls.env["onergy.tariff.cap"].search([("decided_on", "=", "2024-06-25")])
        cls.corrected_caps = [cap.copy_data()[0] for cap in caps]
        caps.unlink()

    def correct(self, **values):
        return self.settle(kind="correction", date_from="2024-01-01", **values)

    def test_a4(self):
        original = self.settle().settlement_ids
        self.assertEqual(original.amount_supply, 1860.90)
        self._correct_2024()
        correction = self.correct().settlement_ids
        self.assertEqual(correction.original_id, original)
        self.assertEqual(correction.line_ids.mapped("amount"), [-18.10])
        self.assertRecordValues(
            correction.move_id,
            [
                {
                    "move_type": "out_refund",
                    "amount_untaxed": 14.96,
                    "amount_tax": 3.14,
                    "amount_total": 18.10,
                    "reversed_entry_id": original.move_id.id,
                }
            ],
        )
        # Once more gives nothing more.
        self.assertFalse(self.correct(post=False).settlement_ids)

    def test_correction_that_waits_is_not_made_again(self):
        self.settle()
        self._correct_2024()
        waiting = self.correct(post=False).settlement_ids
        self.assertEqual((len(waiting), waiting.state), (1, "ready"))
        self.assertFalse(self.correct(post=False).settlement_ids)
        waiting.action_cancel()
        again = self.correct().settlement_ids
        self.assertEqual(again.amount_total, waiting.amount_total)
        self.assertFalse(self.correct(post=False).settlement_ids)

    def test_correction_of_a_correction(self):
        """The price is lowered twice: each correction has its own step only."""
        original = self.settle().settlement_ids
        self._correct_2024()
        first = self.correct().settlement_ids
        self._create_tariff(
            2024, "2024-12-01", heat=46.69, standing=500, metering=31.68, set=145.38
        )
        second = self.correct().settlement_ids
        # 500 x 184/366 = 251.37; 293.00 was billed after the first one.
        self.assertEqual((first.amount_total, second.amount_total), (-18.10, -41.63))
        self.assertEqual(second.original_id, original)
        self.assertFalse(self.correct(post=False).settlement_ids)

    def test_late_reading_changes_nothing_unless_asked(self):
        self._correct_2024()
        self.settle()
        meter = self.env["onergy.meter"].search([("serial", "=", "NEW")])
        self.loader._set_reading(
            meter,
            "energy",
            self.loader._day_start(date(2025, 7, 1)),
            4.030,
            "GJ",
            "manual",
        )
        self.assertFalse(self.correct(post=False).settlement_ids)
        correction = self.correct(with_readings=True).settlement_ids
        self.assertEqual(correction.line_ids.mapped("amount"), [-43.79])
        self.assertFalse(self.correct(with_readings=True, post=False).settlement_ids)

    def test_price_above_the_maximum_is_not_billed(self):
        self.env["onergy.tariff.cap"].create(self.corrected_caps)
        settlement = self.settle(post=False).settlement_ids
        self.assertEqual(settlement.state, "blocked")
        self.assertIn("above the maximum tariff", settlement.errors)

    def test_tariff_that_runs_on_under_a_lower_maximum(self):
        """Billed until the day before that; marked for who decides on tariffs."""
        self.assertFalse(any(self.tariff_2024.line_ids.mapped("is_above_cap")))
        self.tariff_2025.active = False
        heat = self.tariff_2024.line_ids.filtered(lambda ln: ln.component == "heat")
        self.assertTrue(heat.is_above_cap)
        self.assertEqual(heat.cap_amount, 43.79)
        settlement = self.settle(post=False).settlement_ids
        self.assertEqual(settlement.state, "blocked")
        self.assertRegex(settlement.errors, "maximum tariff of 01.01.2025")
        settlement.action_cancel()
        self.complex.billing_cycle = "year"  # days of 2024 only
        self._load_readings(("OLD", "2024-12-31", "422.000"))
        settlement = self.settle(post=False).settlement_ids
        self.assertEqual(settlement.state, "ready", settlement.errors)
        settlement.action_cancel()
        self.tariff_2025.active = True
        self.assertFalse(heat.is_above_cap)
        self.complex.billing_cycle = "anniversary"
        settlement = self.settle(post=False).settlement_ids
        self.assertEqual(settlement.state, "ready", settlement.errors)
