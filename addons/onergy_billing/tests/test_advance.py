from datetime import date

from freezegun import freeze_time
from psycopg2 import IntegrityError

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import BillingCommon, get_entry


@tagged("post_install", "-at_install")
class TestAdvanceRun(BillingCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.contract._set_advance(150.0, cls.contract.date_start, "staff")
        cls.homes = [cls._create_home(str(number)) for number in range(2, 6)]
        cls.contracts = cls.contract
        for number, home in enumerate(cls.homes):
            contract = cls._create_contract(
                home, cls._create_payer(f"Payer {number}"), "2024-07-01"
            )
            contract._set_advance(100.0 + number, contract.date_start, "staff")
            cls.contracts |= contract

    def setUp(self):
        super().setUp()
        self.startPatcher(freeze_time("2025-07-15"))

    def create_run(self, **values):
        return self.env["onergy.advance.run"].create(
            {"month": "2025-08-01", "invoice_date": "2025-07-15", **values}
        )

    def finish(self, run):
        while run._process_batch():
            pass

    def test_month(self):
        run = self.create_run()
        run.with_user(self.clerk).action_preview()
        self.assertEqual((run.line_count, run.exception_count), (5, 0))
        self.assertEqual(run.amount_total, 150 + 100 + 101 + 102 + 103)
        self.assertFalse(run.line_ids.move_id)
        run.action_approve()
        self.finish(run)
        self.assertEqual((run.state, run.posted_count, run.progress), ("done", 5, 100))
        moves = run.line_ids.move_id
        self.assertEqual(set(moves.mapped("state")), {"posted"})
        move = moves.filtered(lambda m: m.onergy_contract_id == self.contract)
        self.assertRecordValues(
            move,
            [
                {
                    "amount_total": 150.0,
                    "amount_untaxed": 123.97,
                    "amount_tax": 26.03,
                    "invoice_date": date(2025, 7, 15),
                    "invoice_date_due": date(2025, 7, 29),
                    "onergy_advance_month": date(2025, 8, 1),
                    "onergy_move_kind": "advance",
                    "partner_id": self.payer.id,
                }
            ],
        )

    def test_running_again_makes_nothing(self):
        run = self.create_run()
        run.with_user(self.clerk).action_preview()
        run.action_approve()
        self.finish(run)
        self.assertFalse(run._process_batch())
        again = self.create_run()
        again.with_user(self.clerk).action_preview()
        self.assertFalse(again.line_ids)
        # Two runs that were both looked at before either was posted.
        with self.assertRaises(UserError):
            again.action_approve()

    def test_two_runs_of_a_month(self):
        runs = self.create_run() | self.create_run()
        runs.with_user(self.clerk).action_preview()
        runs.action_approve()
        self.finish(runs[0])
        self.finish(runs[1])
        self.assertEqual((runs[0].posted_count, runs[1].posted_count), (5, 0))
        self.assertIn("in the meantime", runs[1].line_ids[0].reason)

    @mute_logger("odoo.sql_db")
    def test_database_refuses_a_month_twice(self):
        run = self.create_run()
        run.with_user(self.clerk).action_preview()
        run.action_approve()
        self.finish(run)
        move = run.line_ids[0].move_id
        with self.assertRaises(IntegrityError), self.env.cr.savepoint():
            move.copy(
                {
                    "onergy_contract_id": move.onergy_contract_id.id,
                    "onergy_advance_month": move.onergy_advance_month,
                }
            )
            self.env.flush_all()

    def test_stop_and_resume(self):
        from ..models import onergy_advance_run

        self.patch(onergy_advance_run, "BATCH", 2)
        run = self.create_run()
        run.with_user(self.clerk).action_preview()
        run.action_approve()
        self.assertTrue(run._process_batch())
        self.assertEqual((run.posted_count, run.progress), (2, 40))
        run.action_pause()
        with self.enter_registry_test_mode():
            self.env.ref("onergy_billing.ir_cron_advance").method_direct_trigger()
        run.invalidate_recordset()
        self.assertEqual(run.posted_count, 2)
        run.action_resume()
        with self.enter_registry_test_mode():
            self.env.ref("onergy_billing.ir_cron_advance").method_direct_trigger()
        run.invalidate_recordset()
        self.assertEqual((run.state, run.posted_count), ("done", 5))
        self.assertEqual(len(run.line_ids.move_id), 5)

    def test_exceptions(self):
        debit, zero, late, none = self.contracts[1:]
        debit.payment_method = "direct_debit"
        zero.advance_ids.amount = 0
        late.date_start = "2025-08-05"
        none.advance_ids.unlink()
        self._create_contract(
            self._create_home("9"), self.payer, "2024-01-01", "2025-07-31"
        )
        run = self.create_run()
        run.with_user(self.clerk).action_preview()
        reasons = {line.contract_id: line.reason for line in run.line_ids}
        self.assertEqual(reasons.keys(), set(self.contracts))
        self.assertFalse(reasons[self.contract])
        for contract, text in (
            (debit, "no bank account"),
            (zero, "is zero"),
            (late, "during this month"),
            (none, "no advance yet"),
        ):
            self.assertIn(text, reasons[contract])
        run.action_approve()
        self.finish(run)
        self.assertEqual(run.line_ids.move_id.onergy_contract_id, self.contract)

    def test_direct_debit_is_announced(self):
        contract = self.contract
        contract.bank_account_id = self.env["res.partner.bank"].create(
            {"partner_id": self.payer.id, "acc_number": "NL91ABNA0417164300"}
        )
        contract.payment_method = "direct_debit"
        self.company.onergy_prenotification_days = 14
        run = self.create_run()
        self.assertEqual(run.date_debit, date(2025, 7, 29))
        run.with_user(self.clerk).action_preview()
        run.action_approve()
        self.finish(run)
        move = run.line_ids.move_id.filtered(lambda m: m.onergy_contract_id == contract)
        self.assertGreaterEqual((move.invoice_date_due - move.invoice_date).days, 14)

    def test_run_that_waited_bears_the_day_of_today(self):
        """Else a direct debit is announced fewer days ahead than was agreed."""
        self.company.onergy_prenotification_days = 14
        run = self.create_run()
        run.with_user(self.clerk).action_preview()
        with freeze_time("2025-07-25"):
            run.action_approve()
            self.finish(run)
        self.assertEqual(run.invoice_date, date(2025, 7, 25))
        self.assertRecordValues(
            run.line_ids.move_id,
            [
                {
                    "invoice_date": date(2025, 7, 25),
                    "invoice_date_due": date(2025, 8, 8),
                }
            ]
            * 5,
        )
        self.assertIn("no longer", run.message_ids.mapped("body")[0])

    def test_advance_that_changed_after_the_preview(self):
        """It is not billed at the old amount, nor at one that nobody approved."""
        run = self.create_run()
        run.with_user(self.clerk).action_preview()
        run.action_approve()
        self.contract._set_advance(180.0, date(2025, 8, 1), "resident")
        self.finish(run)
        line = run.line_ids.filtered(lambda ln: ln.contract_id == self.contract)
        self.assertEqual((line.state, run.posted_count), ("exception", 4))
        self.assertIn("was changed", line.reason)
        again = self.create_run()
        again.with_user(self.clerk).action_preview()
        self.assertEqual(again.line_ids.mapped("amount"), [180.0])

    def test_steps_are_taken_by_buttons_only(self):
        """Else who prepares a run could approve it by writing that another did."""
        run = self.create_run()
        run.with_user(self.clerk).action_preview()
        for values in (
            {"state": "posting"},
            {"prepared_by_id": self.env.uid},
            {"approved_by_id": self.env.uid},
        ):
            for user in (self.clerk, self.env.user):
                with self.assertRaises(AccessError):
                    run.with_user(user).write(values)
            with self.assertRaises(AccessError):
                self.create_run(**values)
        with self.assertRaises(AccessError):
            run.line_ids[0].with_user(self.clerk).amount = 1.0
        run.action_approve()
        with self.assertRaisesRegex(UserError, "already approved"):
            run.with_user(self.clerk).month = "2025-09-01"
        run.with_user(self.clerk).action_pause()
        self.assertTrue(run.is_paused)

    def test_one_contract_that_fails_does_not_stop_the_others(self):
        run = self.create_run()
        run.with_user(self.clerk).action_preview()
        run.action_approve()
        Move = self.env.registry["account.move"]
        post = Move._post
        bad = self.contracts[2]

        def fail_for_one(moves, soft=True):
            if bad in moves.onergy_contract_id:
                raise UserError(moves.env._("No such account"))
            return post(moves, soft=soft)

        self.patch(Move, "_post", fail_for_one)
        self.finish(run)
        self.assertEqual(run.posted_count, 4)
        line = run.line_ids.filtered(lambda ln: ln.contract_id == bad)
        self.assertEqual((line.state, line.reason), ("exception", "No such account"))
        self.assertEqual(run.problem, "No such account")

    def test_second_person_approves(self):
        run = self.create_run()
        run.action_preview()
        with self.assertRaisesRegex(UserError, "Somebody else"):
            run.action_approve()
        self.assertEqual(run.state, "checked")
        self.company.onergy_second_approver = False
        run.action_approve()
        self.assertEqual((run.state, run.approved_by_id), ("posting", self.env.user))

    def test_entry_is_as_odoo_would_make_it(self):
        """The short way to an entry ends in the same ledger lines as the long one."""
        for number, contract in enumerate(self.contracts):
            contract._set_advance(
                (33.33, 99.99, 150.0, 0.05, 1234.56)[number],
                contract.date_start,
                "staff",
            )
        fast = self.create_run()
        slow = self.create_run(month="2025-09-01")
        for run in fast, slow:
            run.with_user(self.clerk).action_preview()
            run.action_approve()
        self.finish(fast)
        self.patch(
            self.env.registry["account.tax"], "_onergy_is_plain", lambda tax: False
        )
        self.finish(slow)
        self.assertEqual(
            [get_entry(line.move_id) for line in fast.line_ids],
            [get_entry(line.move_id) for line in slow.line_ids],
        )

    def test_manager_approves(self):
        run = self.create_run()
        with self.assertRaises(UserError):
            run.action_approve()
        run.with_user(self.clerk).action_preview()
        self.env.user.group_ids -= self.env.ref("onergy_residents.group_manager")
        self.env.user.group_ids += self.env.ref(
            "onergy_residents.group_customer_service"
        )
        with self.assertRaisesRegex(UserError, "Only a manager"):
            run.action_approve()

    def test_month_is_a_month(self):
        with self.assertRaises(UserError):
            self.create_run(month="2025-08-02")


@tagged("post_install", "-at_install")
class TestProposal(BillingCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._load_case_a()
        cls.today = date(2025, 7, 1)

    def test_forecast_of_own_use(self):
        forecast = self.contract._get_forecasts(self.today)
        use, basis = forecast[self.contract]
        # Without degree days the days count: all 365 are known.
        self.assertEqual((str(use), basis), ("24.040", "history"))
        advice = self.contract._get_advance_advice(self.today)
        self.assertEqual(str(advice["advice"]), "151.12")
        self.assertEqual(
            (str(advice["low"]), str(advice["high"])), ("136.01", "302.24")
        )

    def test_cooling_is_in_the_advice(self):
        """30 euro a GJ for 4 GJ of cold in a year are 10 euro a month more."""
        before = self.contract._get_advance_advice(self.today)["advice"]
        meter = self._create_meter(
            "COLD", self.home, "2024-07-01", medium="cooling", unit="GJ"
        )
        self.loader._load_rows(
            [
                self.loader._make_row(
                    meter.serial,
                    self.loader._day_start(day),
                    value,
                    "GJ",
                    register="cooling",
                    line=line,
                )
                for line, (day, value) in enumerate(
                    ((date(2024, 7, 1), "0"), (date(2025, 7, 1), "4.000")), start=1
                )
            ],
            self.company,
            "file",
        )
        self.home.service_cooling = True
        self.tariff_2025.line_ids = [
            Command.create({"component": "cooling", "unit": "gj", "price": 30.0})
        ]
        uses = self.contract._get_cooling_uses(self.today)
        self.assertEqual(str(uses[self.contract.id]), "4.000")
        after = self.contract._get_advance_advice(self.today)["advice"]
        self.assertEqual(str(after - before), "10.00")

    def test_forecast_corrects_for_the_weather(self):
        days = self.env["onergy.degree.day"]
        # The year before was twice as cold as the one that was used in.
        days._load_temperatures(
            [
                ("999", date.fromordinal(date(2024, 7, 1).toordinal() + n), 17.0, False)
                for n in range(-366, 365)
            ]
        )
        first, last = date(2024, 7, 1), date(2025, 6, 30)
        warm = self.contract._get_normal_factor("999", first, last)
        days.search([("date", "<", "2024-07-01")]).temperature = 16.0
        cold = self.contract._get_normal_factor("999", first, last)
        self.assertGreater(cold, warm)

    def test_no_history_no_forecast(self):
        contract = self._create_contract(
            self._create_home("8"), self._create_payer("New"), "2025-06-15"
        )
        self.assertFalse(contract._get_forecasts(self.today))
        self.assertEqual(contract._get_advance_advice(self.today), {})

    def test_forecast_of_such_homes(self):
        for number in range(10):
            home = self._create_home(str(20 + number))
            serial = f"AVG{number}"
            self._create_meter(serial, home, "2024-07-01")
            self._load_readings(
                (serial, "2024-07-01", "0"), (serial, "2025-07-01", str(20 + number))
            )
        contract = self._create_contract(
            self._create_home("8"), self._create_payer("New"), "2025-06-15"
        )
        use, basis = contract._get_forecasts(self.today)[contract]
        self.assertEqual(basis, "dwelling")
        # Eleven homes, the one of the example among them.
        self.assertAlmostEqual(float(use), (sum(range(20, 30)) + 24.04) / 11, 2)

    def test_review_in_bulk(self):
        self.contract._set_advance(120.0, self.contract.date_start, "staff")
        self.patch(
            self.env.registry["onergy.contract"],
            "_get_forecasts",
            lambda contracts, today=None: {
                contract: (self.env["onergy.tariff"]._to_decimal(24.04, 3), "history")
                for contract in contracts
            },
        )
        Proposal = self.env["onergy.advance.proposal"]
        proposal = Proposal._propose(self.contract, date(2025, 8, 1))
        self.assertRecordValues(
            proposal,
            [
                {
                    "current": 120.0,
                    "advice": 151.12,
                    "difference": 31.12,
                    "amount": 151.12,
                }
            ],
        )
        again = Proposal._propose(self.contract, date(2025, 8, 1))
        self.assertFalse(proposal.exists())
        again.amount = 150.0
        again.action_apply()
        self.assertEqual(self.contract._get_advance(date(2025, 8, 1)).amount, 150.0)
        with self.assertRaises(UserError):
            again.action_apply()
