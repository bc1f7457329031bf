from contextlib import contextmanager
from datetime import date, timedelta

from freezegun import freeze_time
from lxml import etree

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import SQL
from odoo.tools.safe_eval import safe_eval

from ..models.onergy_settlement_calculator import Period
from .common import SettlementCommon


@tagged("post_install", "-at_install")
class TestSettlement(SettlementCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._correct_2024()

    @contextmanager
    def today(self, day="2025-07-10"):
        with freeze_time(day):
            yield

    def get_due(self):
        # CURRENT_DATE is the database's: the periods are chosen far in the past.
        self.env.flush_all()
        self.env.invalidate_all()
        return self.env["onergy.settlement.due"].search(
            [("contract_id", "=", self.contract.id)]
        )

    def test_without_readings_nothing_is_billed(self):
        settlement = self.settle(post=False).settlement_ids
        self.assertEqual(settlement.state, "blocked")
        self.assertIn("No meter hangs", settlement.errors)
        self._create_meter("ONE", self.home, "2024-07-01")
        self._load_readings(("ONE", "2024-07-01", "1.000"))
        settlement.with_user(self.clerk).action_recalculate()
        settlement = self.env["onergy.settlement"].search(
            [("contract_id", "=", self.contract.id)]
        )
        self.assertIn("ONE has no reading", settlement.errors)
        self._load_readings(("ONE", "2025-07-01", "20.000"))
        settlement.with_user(self.clerk).action_recalculate()
        settlement = self.env["onergy.settlement"].search(
            [("contract_id", "=", self.contract.id)]
        )
        self.assertEqual((settlement.state, settlement.use), ("ready", 19.0))
        # There was no reading on 1 January.
        self.assertEqual(settlement.calculated_share, 100.0)
        self.assertIn("worked out reading", settlement.warnings)
        self.assertIn("calculated", settlement.reading_ids.mapped("basis"))

    def test_owner_pays_while_nobody_lives_there(self):
        owner = self._create_payer("Owner")
        self.contract.date_end = "2025-03-16"
        self._create_contract(
            self.home, owner, "2025-03-17", "2025-04-30", role="vacancy"
        )
        self._load_case_a()
        self._load_readings(("NEW", "2025-05-01", "2.000"))
        settlements = self.settle(kind="final", date_until="2025-05-01").settlement_ids
        self.assertEqual(
            [(s.partner_id, s.use, s.is_final) for s in settlements.sorted("date_to")],
            [(self.payer, 19.130, True), (owner, 1.880, True)],
        )
        self.assertEqual(set(settlements.mapped("state")), {"posted"})
        self.assertEqual(settlements.move_id.partner_id, self.payer | owner)

    def test_final_bill_gives_back_advances_of_later_months(self):
        self._load_case_a()
        self.contract.date_end = "2025-03-16"
        self.invoice_advances(150.0, months=9)
        self.contract.date_end = False
        self.invoice_advances(150.0, months=2, start="2025-04-01")
        self.contract.date_end = "2025-03-16"
        settlement = self.settle(kind="final").settlement_ids
        self.assertEqual(settlement.amount_advances, 11 * 150.0)

    def test_two_bills_at_once_share_no_advance(self):
        """A year that ends in the month of the final bill: its advance counts once."""
        self._load_case_a()
        self._load_readings(("NEW", "2025-05-01", "2.000"))
        self.contract.date_start = "2024-03-17"
        self._create_meter("EARLY", self.home, "2024-03-17", "2024-06-30")
        self._load_readings(("EARLY", "2024-03-17", "0"), ("EARLY", "2024-07-01", "3"))
        advances = self.invoice_advances(100.0, months=14, start="2024-04-01")
        self.contract.date_end = "2025-04-30"
        with freeze_time("2025-07-10"):
            run = self.create_run(date_until="2025-05-01")
            run.action_calculate()
            run = run.sudo()
            self.run_to_end(run)
            self.assertEqual(run.state, "checked")
            run.with_user(self.manager).action_approve()
            self.run_to_end(run)
        year, final = run.settlement_ids.sorted("date_to")
        self.assertEqual(
            [(str(s.date_to), s.state) for s in (year, final)],
            [("2025-03-16", "posted"), ("2025-04-30", "posted")],
        )
        self.assertEqual((year.amount_advances, final.amount_advances), (1200.0, 200.0))
        self.assertFalse(year.advance_ids.move_id & final.advance_ids.move_id)
        self.assertEqual((year | final).advance_ids.move_id, advances)

    def test_advance_that_comes_after_the_bill_is_on_the_next_one(self):
        """Invoiced or credited for days that had been billed: not lost."""
        self._load_case_a()
        advances = self.invoice_advances(150.0)
        self.settle()
        late = advances[0]._reverse_moves([{"invoice_date": date(2025, 8, 1)}])
        late.action_post()
        self.assertEqual(late.onergy_move_kind, "advance")
        self._load_readings(("NEW", "2025-10-01", "7.000"))
        self.contract.date_end = "2025-09-30"
        with freeze_time("2025-10-10"):
            run = self.create_run(date_until="2025-10-05", invoice_date="2025-10-10")
            run.action_calculate()
        settlement = run.settlement_ids
        self.assertFalse(settlement.errors)
        self.assertEqual(settlement.advance_ids.move_id, late)
        self.assertEqual(settlement.amount_advances, -150.0)

    def test_blocked_bill_leaves_its_advances_alone(self):
        """The bill of a year that waits for a reading keeps the advances of it."""
        self.invoice_advances(150.0)
        self.invoice_advances(160.0, months=2, start="2025-07-01")
        blocked = self.settle(post=False).settlement_ids
        self.assertEqual(blocked.state, "blocked")
        period = Period(self.contract, date(2025, 7, 1), date(2025, 8, 31))
        (rows,) = (
            self.env["onergy.settlement.calculator"]._get_advances([period]).values()
        )
        self.assertEqual([row[2].month for row in rows], [7, 8])

    def test_due_periods(self):
        due = self.get_due()
        self.assertEqual(
            (due.date_from, due.date_to, due.deadline),
            (date(2024, 7, 1), date(2025, 6, 30), date(2025, 8, 11)),
        )
        self.complex.billing_cycle = "year"
        self.assertEqual(self.get_due().date_to, date(2024, 12, 31))
        self.complex.billing_month = "10"
        self.assertEqual(self.get_due().date_to, date(2024, 9, 30))
        self.company.onergy_billing_start = "2024-11-01"
        due = self.get_due()
        self.assertEqual(
            (due.date_from, due.date_to), (date(2024, 11, 1), date(2025, 9, 30))
        )
        self.contract.date_end = "2025-02-03"
        due = self.get_due()
        self.assertEqual((due.date_to, due.is_final), (date(2025, 2, 3), True))

    def test_due_periods_of_a_contract_from_29_february(self):
        """Each year begins the day after the last one ended, for ever."""
        self.contract.date_start = "2024-02-29"
        day = date(2024, 2, 29)
        for last in ("2025-02-27", "2026-02-27"):
            due = self.get_due()
            self.assertEqual(
                (due.date_from, due.date_to), (day, fields.Date.to_date(last))
            )
            self.env["onergy.settlement"].sudo().create(
                {
                    "contract_id": self.contract.id,
                    "partner_id": self.payer.id,
                    "date_from": due.date_from,
                    "date_to": due.date_to,
                    "state": "posted",
                }
            )
            day = due.date_to + timedelta(days=1)

    def test_deadline_turns_red(self):
        settlement = self.settle(post=False).settlement_ids
        self.assertEqual(settlement.deadline, date(2025, 8, 11))
        for day, state in (
            ("2025-07-28", "ok"),
            ("2025-07-29", "near"),
            ("2025-08-11", "near"),
            ("2025-08-12", "late"),
        ):
            with self.today(day):
                settlement.invalidate_recordset(["deadline_state"])
                self.assertEqual(settlement.deadline_state, state)
                found = settlement.search([("deadline_state", "=", state)])
                self.assertIn(settlement, found)
        for view in ("view_onergy_settlement_list", "view_onergy_settlement_form"):
            arch = etree.fromstring(self.env.ref(f"onergy_billing.{view}").arch)
            (field,) = arch.xpath("//field[@name='deadline']")
            is_red = field.get("decoration-danger")
            self.assertEqual(
                [
                    safe_eval(is_red, {"deadline_state": state})
                    for state in ("done", "ok", "near", "late")
                ],
                [False, False, True, True],
            )

    def test_due_period_turns_red(self):
        """Days that are left are counted from the database's day."""
        arch = etree.fromstring(
            self.env.ref("onergy_billing.view_onergy_settlement_due_list").arch
        )
        is_red = arch.get("decoration-danger")
        self.assertEqual(
            [safe_eval(is_red, {"days_left": days}) for days in (-1, 0, 13, 14)],
            [True, True, True, False],
        )
        due = self.get_due()
        ((today,),) = self.env.execute_query(SQL("SELECT CURRENT_DATE"))
        self.assertEqual(due.days_left, (due.deadline - today).days)

    def test_outage_is_paid_once_and_bears_no_vat(self):
        self._load_case_a()
        outages = self.env["onergy.outage"].create(
            [
                {
                    "name": "Pump",
                    "complex_id": self.complex.id,
                    "date_start": start,
                    "date_end": end,
                }
                for start, end in (
                    ("2024-11-01 08:00:00", "2024-11-01 10:00:00"),
                    ("2025-02-01 08:00:00", "2025-02-01 20:00:00"),
                )
            ]
        )
        self.assertEqual(outages.mapped("amount"), [0.0, 55.0])
        settlement = self.settle().settlement_ids
        self.assertEqual(settlement.amount_compensation, 55.0)
        self.assertEqual(settlement.move_id.amount_total, 1842.80 - 55.0)
        self.assertEqual(settlement.move_id.amount_tax, 319.82)
        self.assertEqual(outages[1].payment_ids.contract_id, self.contract)

    def test_outage_without_a_bill_is_paid_within_six_months(self):
        self._load_case_a()
        outage = self.env["onergy.outage"].create(
            {
                "name": "Pump",
                "complex_id": self.complex.id,
                "date_start": "2025-01-10 06:00:00",
                "date_end": "2025-01-11 07:00:00",
            }
        )
        # 25 hours: 35, and 20 for each further 4 hours beyond 8.
        self.assertEqual(outage.amount, 115.0)
        for day, state in (("2025-02-01", "open"), ("2025-07-01", "near")):
            with freeze_time(day):
                outage.invalidate_recordset()
                self.assertEqual((outage.pay_state, outage.unpaid_count), (state, 1))
                self.env["onergy.outage"]._cron_remind()
                count = len(outage.activity_ids)
                self.assertEqual(count, 1 if state == "near" else 0)
        with self.assertRaisesRegex(UserError, "Only a manager"):
            outage.with_user(self.clerk).action_pay_separately()
        with freeze_time("2025-07-02"):
            outage.with_user(self.manager).action_pay_separately()
            outage.invalidate_recordset()
            self.assertEqual((outage.pay_state, outage.unpaid_count), ("paid", 0))
            self.assertFalse(outage.activity_ids)
            with self.assertRaises(UserError):
                outage.with_user(self.manager).action_pay_separately()
        self.assertRecordValues(
            outage.payment_ids.move_id,
            [
                {
                    "move_type": "out_refund",
                    "state": "posted",
                    "amount_total": 115.0,
                    "amount_tax": 0.0,
                    "partner_id": self.payer.id,
                }
            ],
        )
        # It is not on the yearly bill as well.
        self.assertEqual(self.settle().settlement_ids.amount_compensation, 0.0)

    def test_final_bills_by_hand_only(self):
        self._load_case_a()
        with freeze_time("2025-04-20"):
            self.contract.date_end = "2025-04-30"
        self.company.onergy_plan_final_bills = False
        self.env["onergy.settlement.run"]._cron_final_bills()
        self.assertFalse(
            self.env["onergy.settlement"].search(
                [("contract_id", "=", self.contract.id)]
            )
        )

    def test_compensation_on_a_bill_that_waits_is_not_paid(self):
        self._load_case_a()
        outage = self.env["onergy.outage"].create(
            {
                "name": "Pump",
                "complex_id": self.complex.id,
                "date_start": "2025-01-10 06:00:00",
                "date_end": "2025-01-11 07:00:00",
            }
        )
        run = self.settle(post=False)
        self.assertTrue(run.settlement_ids.amount_compensation)
        with self.today():
            self.assertEqual((outage.unpaid_count, outage.pay_state), (1, "near"))
            with self.assertRaisesRegex(UserError, "waits to be posted"):
                outage.action_pay_separately()
            run.with_user(self.manager).action_approve()
            self.run_to_end(run)
            self.assertEqual((outage.unpaid_count, outage.pay_state), (0, "paid"))

    def test_days_of_an_outage_are_dutch(self):
        """Half past eleven at night UTC is the next day here."""
        outage = self.env["onergy.outage"].create(
            {
                "name": "Pump",
                "complex_id": self.complex.id,
                "date_start": "2025-02-27 23:30:00",
                "date_end": "2025-02-28 23:30:00",
                "announced_on": "2025-02-25",
            }
        )
        self.assertEqual(outage.pay_before, date(2025, 9, 1))
        # Told three days ahead: nothing is due.
        self.assertEqual(outage.amount, 0.0)

    def test_final_bills_of_one_company_do_not_stop_those_of_another(self):
        Run = self.env.registry["onergy.settlement.run"]
        # sudo: a manager of bills makes no companies
        other = self.env["res.company"].sudo().create({"name": "Another supplier"})
        (self.company | other).sudo().onergy_plan_final_bills = True
        due = [(self.company, self.contract), (other, self.contract.browse())]
        self.patch(
            self.env.registry["onergy.settlement.due"],
            "_read_group",
            lambda records, *args, **kwargs: due,
        )
        made = []

        def make(run, company, contracts, limit):
            if company == self.company:
                raise ZeroDivisionError
            made.append(company)

        self.patch(Run, "_make_final_run", make)
        with self.assertLogs("odoo.addons.onergy_billing", "ERROR"):
            self.env["onergy.settlement.run"]._cron_final_bills()
        self.assertEqual(made, [other])

    def test_use_far_from_last_year_is_shown(self):
        self._create_meter("ONE", self.home, "2023-07-01")
        self.contract.date_start = "2023-07-01"
        self.company.onergy_billing_start = "2024-07-01"
        self._load_readings(
            ("ONE", "2023-07-01", "0"),
            ("ONE", "2024-07-01", "10"),
            ("ONE", "2025-01-01", "18"),
            ("ONE", "2025-07-01", "30"),
        )
        settlement = self.settle(post=False).settlement_ids
        # A leap day less than the year before: the days of the same length count.
        self.assertAlmostEqual(settlement.use_before, 10.0, delta=0.1)
        self.assertGreater(settlement.use_change, 90)
        self.assertIn("off that of a year before", settlement.warnings)

    def test_average_is_that_of_similar_homes(self):
        """Of a part of a month a part; nothing when one month has no group."""
        self._load_case_a()
        self.home.floor_area = 80
        months = [date(2024, month, 1) for month in range(7, 13)]
        months += [date(2025, month, 1) for month in range(1, 7)]
        peers = (
            self.env["onergy.peer.use"]
            .sudo()
            .create(
                [
                    {
                        "company_id": self.company.id,
                        "month": month,
                        "complex_id": self.complex.id,
                        "regime": "warmtewet",
                        "dwelling_type": "apartment",
                        "area_class": "75",
                        "homes": 12,
                        "payers": 12,
                        "average": 2.0,
                        "has_average": True,
                    }
                    for month in months
                ]
            )
        )
        self.assertEqual(self.settle(post=False).settlement_ids.use_average, 24.0)
        self.env["onergy.settlement"].search([]).action_cancel()
        self.contract.date_end = "2025-03-16"
        settlement = self.settle(post=False).settlement_ids
        self.assertEqual(settlement.use_average, round(16 + 2 * 16 / 31, 3))
        settlement.action_cancel()
        peers[3].has_average = False
        self.assertEqual(self.settle(post=False).settlement_ids.use_average, 0.0)

    def test_vat_change_splits_the_period(self):
        """Heat was at 9 % in the second half of 2022."""
        self._create_tariff(
            2022, "2021-12-15", heat=40.0, standing=365.0, metering=36.5, set=73.0
        )
        self.contract.write({"date_start": "2022-01-01", "date_end": "2022-12-31"})
        self._create_meter("ONE", self.home, "2022-01-01")
        self._load_readings(
            ("ONE", "2022-01-01", "0"),
            ("ONE", "2022-07-01", "10"),
            ("ONE", "2023-01-01", "20"),
        )
        settlement = self.settle().settlement_ids
        self.assertEqual(set(settlement.line_ids.mapped("vat_rate")), {9.0, 21.0})
        low = settlement.line_ids.filtered(lambda ln: ln.vat_rate == 9.0)
        self.assertEqual(set(low.mapped("date_from")), {date(2022, 7, 1)})
        move = settlement.move_id
        # 400 + 474.5 x 181/365 and 184/365, each line in cents.
        self.assertEqual(move.amount_total, 800.0 + 474.5)
        taxes = {
            line.tax_line_id.amount: -line.balance
            for line in move.line_ids.filtered("tax_line_id")
        }
        total_low = sum(low.mapped("amount"))
        total_high = move.amount_total - total_low
        self.assertAlmostEqual(taxes[9.0], round(total_low - total_low / 1.09, 2))
        self.assertAlmostEqual(taxes[21.0], round(total_high - total_high / 1.21, 2))

    def test_stopped_run_goes_on_where_it_was(self):
        self._load_case_a()
        homes = [self._create_home(str(number)) for number in range(10, 13)]
        for number, home in enumerate(homes):
            payer = self._create_payer(f"Payer {number}")
            self._create_contract(home, payer, "2024-07-01")
            serial = f"M{number}"
            self._create_meter(serial, home, "2024-07-01")
            self._load_readings(
                (serial, "2024-07-01", "0"),
                (serial, "2025-01-01", "5"),
                (serial, "2025-07-01", "9"),
            )
        run = self.settle(post=False)
        self.patch_batch(2)
        with freeze_time("2025-07-10"):
            run.with_user(self.manager).action_approve()
        self.assertTrue(run._process_batch())
        self.assertEqual(run.posted_count, 2)
        run.action_pause()
        self.assertFalse(run.search([("is_paused", "=", False), ("id", "=", run.id)]))
        run.action_resume()
        self.run_to_end(run)
        self.assertEqual((run.state, run.posted_count), ("done", 4))
        moves = self.env["account.move"].search(
            [("onergy_move_kind", "=", "settlement")]
        )
        self.assertEqual(len(moves), 4)

    def test_run_that_waits_for_approval_stays_as_it_is(self):
        self._load_case_a()
        run = self.settle(post=False)
        advances = self.env["onergy.advance.run"].create({"month": "2025-07-01"})
        for waiting, state in ((run, "checked"), (advances, "draft")):
            self.assertFalse(waiting._process_batch())
            self.assertEqual(waiting.state, state)
        self.assertFalse(run.settlement_ids.move_id)

    def patch_batch(self, size):
        from ..models import onergy_settlement_run

        self.patch(onergy_settlement_run, "BATCH", size)

    def test_advice_becomes_the_advance(self):
        self._load_case_a()
        self.invoice_advances(150.0)
        with freeze_time("2025-07-10"):
            self.settle(update_advances=True)
        advance = self.contract.advance_ids.sorted("date_from")[-1]
        self.assertEqual(
            (advance.amount, advance.origin, advance.date_from),
            (151.12, "settlement", date(2025, 8, 1)),
        )

    def test_what_staff_reads_is_in_their_language(self):
        """The job that works a run out or posts it has no language of its own."""
        self.env["res.lang"]._activate_lang("nl_NL")
        self.clerk.lang = "nl_NL"
        run = self.settle(post=False)
        self.assertIn("geen meter", run.settlement_ids.errors)
        self.assertNotIn("No meter", run.settlement_ids.errors)
        # Nobody prepared it: the job of the final bills did.
        run.prepared_by_id = self.env.ref("base.user_root")
        for lang in ("en_US", "nl_NL"):
            self.company.partner_id.lang = lang
            self.assertEqual(run._in_own_language().env.lang, lang)

    def test_cron(self):
        self._load_case_a()
        with freeze_time("2025-07-10"):
            run = self.create_run()
            run.action_calculate()
            run.with_user(self.manager).action_approve()
        with self.enter_registry_test_mode():
            self.env.ref("onergy_billing.ir_cron_settlement").method_direct_trigger()
        run.invalidate_recordset()
        self.assertEqual(run.sudo().state, "done")
