from datetime import date
from decimal import Decimal

from freezegun import freeze_time
from psycopg2 import IntegrityError

from odoo import Command
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import new_test_user, tagged
from odoo.tools import formatLang, mute_logger

from .common import SettlementCommon

YEAR = {"date_from": "2025-01-01", "date_to": "2025-12-31"}


class CostCommon(SettlementCommon):
    """A landlord's building of three dwellings in 2025, one of which stood empty.

    Floors of 50, 75 and 75 m². B leaves at the end of June; then the owner pays.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.owner = cls._create_payer("Landlord")
        cls.site = cls.env["onergy.complex"].create(
            {
                "name": "Beukenhof",
                "code": "BH",
                "regime": "servicekosten",
                "owner_id": cls.owner.id,
                "weather_station": "999",
            }
        )
        cls.homes = [
            cls._create_home(number, complex_id=cls.site.id, floor_area=area)
            for number, area in (("21", 50.0), ("22", 75.0), ("23", 75.0))
        ]
        home_a, home_b, home_c = cls.homes
        cls.a = cls._create_contract(home_a, cls._create_payer("A"), "2025-01-01")
        cls.b = cls._create_contract(
            home_b, cls._create_payer("B"), "2025-01-01", "2025-06-30"
        )
        cls.empty = cls._create_contract(
            home_b, cls.owner, "2025-07-01", role="vacancy"
        )
        cls.c = cls._create_contract(home_c, cls._create_payer("C"), "2025-01-01")
        for serial, home in zip("ABC", cls.homes, strict=True):
            cls._create_meter(serial, home, "2025-01-01")
        cls._load_readings(
            ("A", "2025-01-01", "0"),
            ("A", "2026-01-01", "20"),
            ("B", "2025-01-01", "0"),
            ("B", "2025-07-01", "10"),
            ("B", "2026-01-01", "11"),
            ("C", "2025-01-01", "100"),
            ("C", "2026-01-01", "109"),
        )

    def create_statement(self, **values):
        return (
            self.env["onergy.cost.statement"]
            .with_user(self.clerk)
            .create(
                {
                    "complex_id": self.site.id,
                    **YEAR,
                    "line_ids": [
                        Command.create(vals)
                        for vals in (
                            {
                                "name": "Gas",
                                "amount": 10000.01,
                                "vat_rate": 21.0,
                                "fixed_percent": 30.0,
                            },
                            {
                                "name": "Maintenance",
                                "amount": 1000.0,
                                "vat_rate": 0.0,
                                "fixed_percent": 100.0,
                            },
                        )
                    ],
                    **values,
                }
            )
        )

    def confirm(self, statement):
        statement.with_user(self.clerk).action_share_out()
        self.assertFalse(statement.problem)
        statement.with_user(self.manager).action_confirm()
        return statement.sudo()

    def settle_costs(self, day="2026-01-20", post=True, **values):
        with freeze_time(day):
            run = self.create_run(
                complex_ids=[Command.set(self.site.ids)],
                date_until="2026-01-01",
                invoice_date=day,
                **values,
            )
            run.action_calculate()
            if post:
                run.with_user(self.manager).action_approve()
                self.run_to_end(run.sudo())
        return run.sudo()

    def get_amounts(self, statement):
        return {
            share.contract_id: (share.fixed_amount, share.metered_amount)
            for share in statement.share_ids
        }


@tagged("post_install", "-at_install")
class TestCostStatement(CostCommon):
    def test_worked_case(self):
        """By hand, to the cent.

        Gas 10,000.01 of which 30 % fixed: 3,000.00 fixed (3,000.003 rounded), 7,000.01
        by meter; maintenance 1,000.00, all fixed and without VAT.

        m² × days: A 50 × 365 = 18,250; B 75 × 181 = 13,575; owner 75 × 184 = 13,800;
        C 75 × 365 = 27,375; together 73,000. GJ: A 20, B 10, owner 1, C 9; together 40.

        ====== ================ ================ ================= =========
               gas, fixed       gas, by meter    maintenance       together
        ====== ================ ================ ================= =========
        A      750.00           3,500.005 → .01  250.00            4,500.01
        B      557.876… → .88   1,750.0025       185.958… → .96    2,493.84
        owner  567.123… → .12   175.00025        189.041… → .04      931.16
        C      1,125.00         1,575.00225      375.00            3,075.00
        ====== ================ ================ ================= =========
        all    3,000.00         7,000.01         1,000.00         11,000.01

        The cent that is left goes to the largest remainder: B twice, A once. A was
        billed 12 × 300.00 (net 247.93, VAT 52.07). His VAT: 4,250.01 less net 3,512.40
        is 737.61, less 624.84 on the advances: 112.77. He pays 900.01.
        """
        self.invoice_advances(300.0, self.a, start="2025-01-01")
        statement = self.confirm(self.create_statement())
        self.assertEqual(
            self.get_amounts(statement),
            {
                self.a: (1000.0, 3500.01),
                self.b: (743.84, 1750.0),
                self.empty: (756.16, 175.0),
                self.c: (1500.0, 1575.0),
            },
        )
        settlements = self.settle_costs().settlement_ids
        self.assertEqual(
            {s.contract_id: s.amount_supply for s in settlements},
            {self.a: 4500.01, self.b: 2493.84, self.empty: 931.16, self.c: 3075.0},
        )
        self.assertEqual(set(settlements.mapped("state")), {"posted"})
        own = settlements.filtered(lambda s: s.contract_id == self.a)
        self.assertEqual(
            [
                (ln.cost_line_id.name, ln.component, ln.price, ln.amount, ln.vat_rate)
                for ln in own.line_ids
            ],
            [
                ("Gas", "service_fixed", 3000.0, 750.0, 21.0),
                ("Gas", "service_metered", 7000.01, 3500.01, 21.0),
                ("Maintenance", "service_fixed", 1000.0, 250.0, 0.0),
            ],
        )
        self.assertRecordValues(
            own.move_id,
            [
                {
                    "state": "posted",
                    "amount_total": 900.01,
                    "amount_tax": 112.77,
                    "amount_untaxed": 787.24,
                }
            ],
        )
        self.assertEqual(own.use, 20.0)
        # Of the year after: 4,500.01 / 12.
        self.assertEqual(own.advance_advice, 375.0)

    def test_bill_shows_how_it_was_shared(self):
        self.confirm(self.create_statement())
        settlements = self.settle_costs().settlement_ids
        bill = settlements.filtered(lambda s: s.contract_id == self.a).with_context(
            lang="en_US"
        )
        text = str(
            bill.env["ir.qweb"]._render(
                "onergy_billing.settlement_bill",
                {
                    "o": bill.move_id,
                    "settlement": bill,
                    "is_html_empty": lambda text: not text,
                },
            )
        )
        amount, area, own, whole = (
            formatLang(bill.env, number, digits=digits)
            for number, digits in ((11000.01, 2), (50, 1), (18250, 0), (73000, 0))
        )
        for words in (
            "Yearly bill of the costs of heat",
            amount,
            f"{area} m² × 365 days = {own} of {whole}",
            bill.line_ids[1]._get_share_text(),
            "without VAT",
        ):
            self.assertIn(words, text)
        self.assertNotIn("ConsuWijzer", text)
        self.assertNotIn("per GJ", text)

    def test_equal_shares_by_day(self):
        """1,000.00 over 3 × 365 days: B and the owner have 181 and 184 of 365."""
        statement = self.confirm(self.create_statement(fixed_key="equal"))
        maintenance = {
            amount.share_id.contract_id: amount.fixed_amount
            for amount in statement.share_ids.amount_ids
            if amount.line_id.name == "Maintenance"
        }
        self.assertEqual(
            maintenance,
            {self.a: 333.33, self.b: 165.3, self.empty: 168.04, self.c: 333.33},
        )

    def test_nothing_is_billed_before_it_is_confirmed(self):
        self.create_statement().action_share_out()
        settlements = self.settle_costs(post=False).settlement_ids
        self.assertEqual(set(settlements.mapped("state")), {"blocked"})
        self.assertIn("no confirmed cost statement", settlements[0].errors)

    def test_second_person_confirms(self):
        statement = self.create_statement()
        with self.assertRaisesRegex(UserError, "first"):
            statement.with_user(self.manager).action_confirm()
        statement.with_user(self.manager).action_share_out()
        with self.assertRaisesRegex(UserError, "Somebody else"):
            statement.with_user(self.manager).action_confirm()
        statement.action_share_out()
        with self.assertRaisesRegex(UserError, "Only a manager"):
            statement.action_confirm()
        statement.with_user(self.manager).action_confirm()
        self.assertEqual(statement.confirmed_by_id, self.manager)

    def test_steps_are_taken_by_buttons_only(self):
        statement = self.create_statement()
        for values in (
            {"state": "confirmed"},
            {"prepared_by_id": self.env.uid},
            {"confirmed_by_id": self.env.uid},
        ):
            for user in (self.clerk, self.manager):
                with self.assertRaises(AccessError):
                    statement.with_user(user).write(values)
            with self.assertRaises(AccessError):
                self.create_statement(**values)

    def test_confirmed_costs_stay(self):
        statement = self.confirm(self.create_statement()).with_user(self.clerk)
        for change in (
            lambda: statement.line_ids[0].write({"amount": 1.0}),
            lambda: statement.line_ids[0].unlink(),
            lambda: statement.write({"date_to": "2025-06-30"}),
            lambda: statement.unlink(),
            lambda: statement.action_draft(),
            lambda: statement.action_share_out(),
        ):
            with self.assertRaises(UserError):
                change()

    def test_what_is_missing_is_told(self):
        statement = self.create_statement()
        self.homes[0].floor_area = 0
        self.empty.date_start = "2025-07-02"
        statement.action_share_out()
        self.assertEqual(statement.state, "draft")
        self.assertFalse(statement.share_ids)
        self.assertIn("floor area is not known of: Dorpsstraat 21", statement.problem)
        self.assertIn(
            "Nobody pays on some of these days for: Dorpss", statement.problem
        )
        self.homes[0].floor_area = 50
        self.empty.date_start = "2025-07-01"
        self._create_meter("D", self.homes[2], "2025-01-01")
        statement.action_share_out()
        self.assertIn("D has no reading", statement.problem)

    def test_nothing_metered(self):
        statement = self.create_statement()
        statement.line_ids[0].component = "cooling"
        statement.action_share_out()
        self.assertIn("Nothing was metered to share Gas", statement.problem)

    def test_cost_found_later_is_billed_once(self):
        """The difference of all bills is the cost that was added."""
        statement = self.confirm(self.create_statement())
        first = self.settle_costs().settlement_ids
        statement.with_user(self.manager).action_draft()
        statement.line_ids[1].amount = 1100.03
        self.confirm(statement)
        correction = {"kind": "correction", "date_from": "2025-01-01"}
        second = self.settle_costs(day="2026-02-01", **correction).settlement_ids
        self.assertEqual(second.original_id, first)
        total = sum(second.mapped("amount_total"))
        self.assertEqual(round(total, 2), 100.03)
        again = self.settle_costs(day="2026-02-02", post=False, **correction)
        self.assertFalse(again.settlement_ids)

    def test_credited_share_is_billed_anew(self):
        """By the same statement, in the form of the first bill."""
        self.confirm(self.create_statement())
        bill = self.settle_costs().settlement_ids.filtered(
            lambda s: s.contract_id == self.a
        )
        with freeze_time("2026-02-01"):
            refund = bill.move_id._reverse_moves([{"invoice_date": "2026-02-01"}])
            refund.action_post()
            self.env.invalidate_all()
        again = self.settle_costs(day="2026-02-02").settlement_ids
        self.assertEqual(again.cost_share_id, bill.cost_share_id)
        self.assertEqual((again.use, again.amount_total), (20, bill.amount_total))
        self.assertFalse(again._is_change())

    def test_use_at_the_year_end(self):
        """What was delivered and not billed yet, also where no tariff counts it."""
        self.confirm(self.create_statement())
        Accrual, day = self.env["onergy.accrual"], date(2025, 12, 31)
        periods = [
            period
            for group in Accrual._get_periods(self.company, day)
            for period in group
            if period.contract.complex_id == self.site
        ]
        lines = Accrual._work_out(periods, day)
        self.assertEqual(
            {line["contract_id"]: line["use"] for line in lines},
            {self.a.id: 20, self.b.id: 10, self.empty.id: 1, self.c.id: 9},
        )

    def test_deadline_is_six_months_after_the_year(self):
        due = self.env["onergy.settlement.due"].search(
            [
                ("contract_id", "in", (self.a | self.b).ids),
                ("date_to", "<", "2026-01-01"),
            ]
        )
        self.assertEqual(len(due), 2)
        self.assertEqual(set(due.mapped("deadline")), {date(2026, 6, 30)})
        self.confirm(self.create_statement())
        settlements = self.settle_costs(post=False).settlement_ids
        self.assertEqual(set(settlements.mapped("deadline")), {date(2026, 6, 30)})

    def test_final_bill_waits_for_the_costs(self):
        with freeze_time("2025-07-20"):
            self.env["onergy.settlement.run"]._cron_final_bills()
        self.assertFalse(self.b.settlement_ids)

    def test_prices_and_maxima_do_not_count(self):
        """No ACM cap holds here, and no tariff is asked for."""
        self.env["onergy.tariff"].search([]).active = False
        self.confirm(self.create_statement())
        settlements = self.settle_costs(post=False).settlement_ids
        self.assertEqual(set(settlements.mapped("state")), {"ready"})
        self.assertFalse(
            self.a._get_heat_prices(date(2025, 1, 1), date(2025, 12, 31)).get(self.a.id)
        )

    def test_advice_is_that_of_the_last_bill(self):
        self.assertFalse(self.a._get_advance_advice())
        self.confirm(self.create_statement())
        self.settle_costs()
        advice = self.a._get_advance_advice()
        self.assertEqual(
            (advice["basis"], advice["advice"]), ("costs", Decimal("375.00"))
        )
        proposals = self.env["onergy.advance.proposal"]._propose(
            self.a | self.b, date(2026, 3, 1)
        )
        self.assertEqual(
            [(p.basis, p.advice) for p in proposals], [("costs", 375.0), ("none", 0.0)]
        )

    def test_reading_that_comes_later_changes_no_share(self):
        self.confirm(self.create_statement())
        self._load_readings(("A", "2025-07-01", "19"))
        settlements = self.settle_costs(post=False).settlement_ids
        own = settlements.filtered(lambda s: s.contract_id == self.a)
        self.assertEqual((own.use, own.amount_supply), (20.0, 4500.01))

    def test_year_of_the_whole_complex(self):
        with self.assertRaisesRegex(ValidationError, "year of the whole complex"):
            self.site.billing_cycle = "anniversary"

    def test_days_are_in_one_statement(self):
        self.create_statement()
        with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError):
            self.create_statement(date_from="2025-12-31", date_to="2026-12-31")

    def test_who_may_do_what(self):
        statement = self.confirm(self.create_statement())
        accountant = new_test_user(
            self.env,
            "cost_accountant",
            "onergy_residents.group_accountant",
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )
        metering = new_test_user(
            self.env, "cost_metering", "onergy_residents.group_metering"
        )
        resident = new_test_user(self.env, "cost_resident", "base.group_portal")
        resident.partner_id = self.a.partner_id
        records = (
            statement,
            statement.line_ids,
            statement.share_ids,
            statement.share_ids.amount_ids,
        )
        for record in records:
            self.assertTrue(record.with_user(accountant).has_access("read"))
            self.assertFalse(record.with_user(accountant).has_access("write"))
            for user in (metering, resident):
                with self.assertRaises(AccessError):
                    record.with_user(user).check_access("read")
        for record in records[2:]:
            self.assertFalse(record.with_user(self.manager).has_access("write"))
        other = self.env["res.company"].create({"name": "Other supplier"})
        stranger = new_test_user(
            self.env,
            "cost_stranger",
            "onergy_residents.group_manager",
            company_id=other.id,
            company_ids=[Command.set(other.ids)],
        )
        for record in records:
            self.assertFalse(record.with_user(stranger).has_access("read"))
