"""What an accountant sees in Odoo itself: open items, the year end, any list."""

import csv
import io
import json
from datetime import date

from freezegun import freeze_time

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.http import Request
from odoo.tests import HttpCase, new_test_user, tagged

from .test_settlement import SettlementCommon

UNFIT = ("binary", "json", "one2many", "many2many", "properties")
#: What an accountant may look at.
MODELS = [
    "account.move",
    "account.move.line",
    "account.payment",
    "onergy.accrual",
    "onergy.accrual.line",
    "onergy.advance",
    "onergy.advance.proposal",
    "onergy.advance.run",
    "onergy.advance.run.line",
    "onergy.complex",
    "onergy.connection",
    "onergy.contract",
    "onergy.open.item",
    "onergy.outage",
    "onergy.outage.payment",
    "onergy.settlement",
    "onergy.settlement.advance",
    "onergy.settlement.due",
    "onergy.settlement.line",
    "onergy.settlement.reading",
    "onergy.settlement.run",
    "onergy.tariff",
    "onergy.tariff.cap",
    "onergy.tariff.line",
    "onergy.vat.rate",
    "onergy.workbook",
]


class AccountantCommon(SettlementCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._correct_2024()
        cls._load_case_a()
        cls.accountant = cls.create_user(
            "accountant", "onergy_residents.group_accountant"
        )

    @classmethod
    def create_user(cls, login, group):
        return new_test_user(
            cls.env,
            login,
            group,
            password=f"{login}-password",
            company_id=cls.company.id,
            company_ids=[(6, 0, cls.company.ids)],
        )

    def pay(self, move, day):
        with freeze_time(day):
            self.env["account.payment.register"].with_context(
                active_model="account.move", active_ids=move.ids
            ).create({"payment_date": day})._create_payments()


@tagged("post_install", "-at_install")
class TestOpenItems(AccountantCommon):
    def open(self, day, user=None):
        wizard = (
            self.env["onergy.open.item.day"]
            .with_user(user or self.accountant)
            .create({"day": day})
        )
        action = wizard.action_open()
        # Each request of the web client begins without what another day left behind.
        self.env.invalidate_all()
        return (
            self.env[action["res_model"]]
            .with_user(user or self.accountant)
            .with_context(**action["context"])
        )

    def test_a_past_day(self):
        """What was paid or billed later is open, or not there, on that day."""
        advances = self.invoice_advances(150.0, months=3).sorted("invoice_date")
        self.pay(advances[0], "2024-09-20")
        for day, moves in (
            ("2024-06-30", advances[:0]),
            ("2024-08-15", advances[:2]),
            ("2024-09-19", advances),
            ("2024-09-20", advances[1:]),
        ):
            items = self.open(day).search([("partner_id", "=", self.payer.id)])
            self.assertEqual(set(items.move_id.ids), set(moves.ids), day)
            self.assertEqual(sum(items.mapped("residual")), 150.0 * len(moves), day)

    def test_partly_paid(self):
        (advance,) = self.invoice_advances(150.0, months=1)
        self.env["account.payment.register"].with_context(
            active_model="account.move", active_ids=advance.ids
        ).create({"payment_date": "2024-08-01", "amount": 40.0})._create_payments()
        self.assertEqual(self.open("2024-08-01").search([]).residual, 110.0)
        self.assertEqual(self.open("2024-07-31").search([]).residual, 150.0)

    def test_ages(self):
        (advance,) = self.invoice_advances(150.0, months=1)
        due = advance.invoice_date_due
        for days, age in (
            (0, "0"),
            (1, "1"),
            (30, "1"),
            (31, "2"),
            (61, "3"),
            (91, "4"),
        ):
            day = date.fromordinal(due.toordinal() + days)
            item = self.open(day).search([])
            self.assertEqual((item.age, item.days_late), (age, days))

    def test_facts(self):
        (advance,) = self.invoice_advances(150.0, months=1)
        item = self.open("2024-08-01").search([])
        self.assertEqual(item.contract_id, self.contract)
        self.assertEqual(item.complex_id, self.complex)
        self.assertEqual(item.kind, "advance")
        self.assertEqual(item.debtor_number, self.payer.debtor_number)
        self.assertEqual(item.action_open_move()["res_id"], advance.id)

    def test_groups_add_up_to_the_ledger(self):
        """As the pivot asks for it."""
        self.invoice_advances(150.0)
        self.settle()
        items = self.open("2025-07-31")
        groups = items.formatted_read_group([], ["age"], ["residual:sum"])
        self.assertEqual(sum(group["residual:sum"] for group in groups), 1842.80)

    def test_not_a_later_day(self):
        with self.assertRaises(ValidationError):
            self.open("2999-01-01")

    def test_title_and_words(self):
        """The list says of which day it is, in the language of who looks."""
        wizard = self.env["onergy.open.item.day"].create({"day": "2024-09-20"})
        action = wizard.action_open()
        self.assertIn("2024", action["display_name"])
        self.assertEqual(action["name"], action["display_name"])
        Item = self.env["onergy.open.item"].with_context(lang="nl_NL")
        kinds = dict(Item.fields_get(["kind"])["kind"]["selection"])
        self.assertEqual(kinds["advance"], "Voorschot")

    def test_rights(self):
        self.invoice_advances(150.0, months=1)
        clerk = self.create_user("clerk", "onergy_residents.group_customer_service")
        metering = self.create_user("metering", "onergy_residents.group_metering")
        portal = self.create_user("resident", "base.group_portal")
        Item = self.env["onergy.open.item"]
        self.assertTrue(Item.with_user(clerk).search([]))
        for user in (metering, portal):
            with self.assertRaises(AccessError):
                Item.with_user(user).search([])
        with self.assertRaises(AccessError):
            Item.with_user(self.accountant).create({})


@tagged("post_install", "-at_install")
class TestAccrual(AccountantCommon):
    """The worked example on 31 December: EUR 725.51 delivered, 743.82 invoiced."""

    def work_out(self, day="2024-12-31"):
        accrual = (
            self.env["onergy.accrual"].with_user(self.accountant).create({"day": day})
        )
        accrual.action_make()
        with self.enter_registry_test_mode():
            self.env.ref("onergy_billing.ir_cron_accrual").method_direct_trigger()
        accrual.invalidate_recordset()
        self.assertEqual((accrual.state, accrual.problem), ("done", False))
        return accrual

    def choose_accounts(self, accrual):
        Account = self.env["account.account"]
        own = [("company_ids", "in", self.company.ids)]
        accrual.write(
            {
                "journal_id": self.company_data["default_journal_misc"].id,
                "income_account_id": self.company_data["default_account_revenue"].id,
                "asset_account_id": Account.search(
                    [*own, ("account_type", "=", "asset_current")], limit=1
                ).id,
                "liability_account_id": Account.search(
                    [*own, ("account_type", "=", "liability_current")], limit=1
                ).id,
            }
        )

    def test_lines(self):
        advances = self.invoice_advances(150.0).sorted("invoice_date")
        self.pay(advances[0], "2024-08-20")
        self.settle()
        accrual = self.work_out()
        self.assertRecordValues(
            accrual.line_ids,
            [
                {
                    "contract_id": self.contract.id,
                    "date_from": date(2024, 7, 1),
                    "date_to": date(2024, 12, 31),
                    "use": 10.620,
                    "delivered": 725.51,
                    "advances": 743.82,
                    "received": 150.0,
                    "balance": -18.31,
                    "is_known": True,
                }
            ],
        )
        self.assertRecordValues(
            accrual,
            [{"amount_to_receive": 0.0, "amount_to_return": 18.31, "unknown_count": 0}],
        )

    def test_settled_is_not_counted(self):
        self.invoice_advances(150.0)
        self.settle()
        accrual = self.work_out("2025-07-31")
        self.assertEqual(accrual.line_ids.date_from, date(2025, 7, 1))
        self.assertFalse(accrual.line_ids.advances)

    def credit(self, bill, day):
        with freeze_time(day):
            refund = bill._reverse_moves([{"invoice_date": day, "date": day}])
            refund.action_post()

    def test_credited_and_billed_anew(self):
        """What a list tells of a day depends on that day only, made when it may."""
        self.invoice_advances(150.0)
        settlement = self.settle().settlement_ids
        whole_year = {
            "date_from": date(2024, 7, 1),
            "date_to": date(2025, 6, 30),
            "use": 24.040,
            "delivered": 1522.98,
            "advances": 1487.64,
            "balance": 35.34,
        }
        self._load_readings(("NEW", "2026-07-01", "15.000"))
        self._create_tariff(
            2026, "2025-12-20", heat=40.0, standing=577.48, metering=32.80, set=150.49
        )
        self.credit(settlement.move_id, "2025-07-20")
        with freeze_time("2025-08-15"):
            run = self.create_run(invoice_date="2025-08-15")
            run.action_calculate()
            run.with_user(self.manager).action_approve()
            self.run_to_end(run.sudo())
        for day, first_days in (
            ("2025-06-30", [date(2024, 7, 1)]),
            ("2025-07-15", [date(2025, 7, 1)]),
            ("2025-07-25", [date(2024, 7, 1), date(2025, 7, 1)]),
            ("2025-08-15", [date(2025, 7, 1)]),
        ):
            with self.subTest(day=day):
                lines = self.work_out(day).line_ids.sorted("date_from")
                self.assertEqual(lines.mapped("date_from"), first_days)
                unbilled = lines.filtered(lambda ln: ln.date_from.year == 2024)
                for line in unbilled:
                    self.assertRecordValues(line, [whole_year])
                self.assertFalse(sum((lines - unbilled).mapped("advances")))

    def test_credited_final_bill(self):
        """Nothing was delivered after it: its own days are all there is."""
        self.contract.date_end = "2025-06-30"
        self.invoice_advances(150.0)
        self.credit(self.settle().settlement_ids.move_id, "2025-07-20")
        self.assertFalse(self.work_out("2025-07-15").line_ids)
        self.assertRecordValues(
            self.work_out("2025-07-25").line_ids,
            [{"date_from": date(2024, 7, 1), "advances": 1487.64, "balance": 35.34}],
        )

    def invoice_january(self):
        """As a run does by default: in December, for the next month."""
        run = self.env["onergy.advance.run"].create(
            {"month": "2025-01-01", "invoice_date": "2024-12-15"}
        )
        run.with_user(self.clerk).action_preview()
        with freeze_time("2024-12-15"):
            run.action_approve()
            self.run_to_end(run)

    def test_invoiced_ahead_is_turnover_that_goes_back(self):
        self.invoice_advances(150.0, months=6)
        self.invoice_january()
        accrual = self.work_out()
        self.assertRecordValues(
            accrual.line_ids,
            [{"delivered": 725.51, "advances": 867.79, "balance": -142.28}],
        )

    def test_invoiced_before_the_first_day(self):
        self.contract.date_start = "2025-01-01"
        self.contract._set_advance(150.0, self.contract.date_start, "staff")
        self.invoice_january()
        self.assertRecordValues(
            self.work_out().line_ids,
            [
                {
                    "date_from": False,
                    "date_to": False,
                    "delivered": 0.0,
                    "advances": 123.97,
                    "balance": -123.97,
                    "is_known": True,
                }
            ],
        )

    def test_made_again_after_the_server_stopped(self):
        """Stopped between keeping the lines and saying that it was ready."""
        accrual = self.work_out()
        accrual.sudo().state = "running"
        with self.enter_registry_test_mode():
            self.env.ref("onergy_billing.ir_cron_accrual").method_direct_trigger()
        accrual.invalidate_recordset()
        self.assertEqual((accrual.state, len(accrual.line_ids)), ("done", 1))

    def test_unknown(self):
        self.tariff_2024.search([]).active = False
        accrual = self.work_out()
        self.assertEqual(accrual.unknown_count, 1)
        self.assertIn("01-07-2024", accrual.line_ids.remark)
        self.assertFalse(accrual.line_ids.delivered)

    def test_entry_and_back(self):
        """More invoiced than delivered: less turnover this year, back the next day."""
        self.invoice_advances(150.0)
        accrual = self.work_out()
        with self.assertRaisesRegex(UserError, "Fill in first"):
            accrual.action_post()
        self.choose_accounts(accrual)
        accrual.action_post()
        self.assertEqual(accrual.move_id.state, "posted")
        self.assertEqual(accrual.move_id.date, date(2024, 12, 31))
        self.assertEqual(
            {ln.account_id: ln.balance for ln in accrual.move_id.line_ids},
            {accrual.income_account_id: 18.31, accrual.liability_account_id: -18.31},
        )
        self.assertEqual(accrual.reversal_id.date, date(2025, 1, 1))
        self.assertEqual(accrual.reversal_id.state, "posted")
        both = accrual.move_id.line_ids | accrual.reversal_id.line_ids
        self.assertFalse(sum(both.mapped("balance")))
        with self.assertRaisesRegex(UserError, "already"):
            accrual.action_post()
        with self.assertRaisesRegex(UserError, "posted"):
            accrual.action_make()

    def test_less_invoiced_than_delivered(self):
        self.invoice_advances(100.0)
        accrual = self.work_out()
        self.choose_accounts(accrual)
        accrual.action_post()
        amount = round(725.51 - 6 * 82.64, 2)
        self.assertEqual(accrual.amount_to_receive, amount)
        self.assertEqual(
            {ln.account_id: ln.balance for ln in accrual.move_id.line_ids},
            {accrual.income_account_id: -amount, accrual.asset_account_id: amount},
        )
        later = self.env["onergy.accrual"].create({"day": "2024-11-30"})
        self.assertEqual(later.asset_account_id, accrual.asset_account_id)

    def test_again_makes_nothing_twice(self):
        self.invoice_advances(150.0, months=1)
        accrual = self.work_out()
        accrual.action_make()
        self.assertFalse(accrual.line_ids)
        with self.enter_registry_test_mode():
            self.env.ref("onergy_billing.ir_cron_accrual").method_direct_trigger()
        accrual.invalidate_recordset()
        self.assertEqual(len(accrual.line_ids), 1)

    def test_rights(self):
        self.work_out()
        Accrual = self.env["onergy.accrual"]
        for login, group in (
            ("clerk", "onergy_residents.group_customer_service"),
            ("metering", "onergy_residents.group_metering"),
            ("resident", "base.group_portal"),
        ):
            user = self.create_user(login, group)
            with self.assertRaises(AccessError):
                Accrual.with_user(user).search([])
            with self.assertRaises(AccessError):
                self.env["onergy.accrual.line"].with_user(user).search([])


@tagged("post_install", "-at_install")
class TestStandardTools(AccountantCommon, HttpCase):
    """Odoo's lists, groups, pivots and export, as an accountant uses them."""

    def test_lists_groups_and_export(self):
        self.invoice_advances(150.0, months=2)
        self.settle()
        for name in MODELS:
            with self.subTest(model=name):
                Model = self.env[name].with_user(self.accountant)
                views = Model.get_views([(False, "list"), (False, "search")])
                fields_shown = list(views["models"][name]["fields"])
                self.assertTrue(fields_shown)
                # Every field, as somebody exports who ticks them all. Lists of other
                # records take a row each; a report has no external ids.
                stored = [
                    field
                    for field, facts in Model.fields_get(
                        attributes=["type", "exportable"]
                    ).items()
                    if facts.get("exportable", True)
                    and facts["type"] not in UNFIT
                    and field != "id"
                ]
                records = Model.search([], limit=3)
                rows = records.export_data(stored)["datas"]
                self.assertEqual(len(rows), len(records))
                self.assertTrue(Model.formatted_read_group([], [], ["__count"]))

    def test_pivots_of_money(self):
        self.invoice_advances(150.0, months=2)
        self.settle()
        for name, group, measure in (
            ("onergy.open.item", "age", "residual:sum"),
            ("onergy.settlement", "complex_id", "amount_total:sum"),
            ("onergy.settlement.line", "component", "amount:sum"),
            ("onergy.settlement.advance", "date:month", "amount:sum"),
            ("account.move.line", "account_id", "balance:sum"),
        ):
            Model = self.env[name].with_user(self.accountant)
            groups = Model.formatted_read_group([], [group], [measure, "__count"])
            self.assertTrue(groups, name)
            total = sum(row[measure] for row in groups)
            column = measure.split(":")[0]
            self.assertAlmostEqual(total, sum(Model.search([]).mapped(column)), 2, name)

    def test_export_of_the_web_client(self):
        """Open items of a past day, through the route of the export button."""
        self.invoice_advances(150.0, months=2)
        self.authenticate("accountant", "accountant-password")
        fields_wanted = [
            {"name": "move_id", "label": "Document", "type": "many2one"},
            {"name": "residual", "label": "Open", "type": "monetary"},
        ]
        response = self.url_open(
            "/web/export/csv",
            data={
                "data": json.dumps(
                    {
                        "model": "onergy.open.item",
                        "fields": fields_wanted,
                        "ids": False,
                        "domain": [],
                        "groupby": [],
                        "context": {"onergy_as_of": "2024-07-31"},
                        "import_compat": False,
                    }
                ),
                "csrf_token": Request.csrf_token(self),
            },
        )
        rows = list(csv.reader(io.StringIO(response.text)))
        self.assertEqual(rows[0], ["Document", "Open"])
        self.assertEqual([row[1] for row in rows[1:]], ["150.0"])
