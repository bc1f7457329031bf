import io
from base64 import b64decode
from datetime import date
from unittest.mock import patch

from freezegun import freeze_time
from openpyxl import load_workbook

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import new_test_user, tagged
from odoo.tools import SQL, mute_logger

from ..models.workbook import builder as builder_module
from ..models.workbook.builder import OnergyWorkbookBuilder
from ..models.workbook.payt import OnergyWorkbookBuilder as PaytBuilder
from ..report import workbook_writer
from ..report.workbook_writer import neutralise
from .test_settlement import SettlementCommon

RIGHT, WRONG = "Right", "Wrong"
RED = "FFFFC7CE"


class WorkbookCommon(SettlementCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._correct_2024()
        cls._load_case_a()
        cls.payer.name = "=HYPERLINK(evil)"

    def make(self, date_from="2024-07-01", date_to="2025-07-31", as_of="2025-07-31"):
        workbook = self.env["onergy.workbook"].create(
            {"date_from": date_from, "date_to": date_to, "as_of": as_of}
        )
        workbook.action_make()
        self.run_cron()
        workbook.invalidate_recordset()
        self.assertEqual((workbook.state, workbook.problem), ("done", False))
        return workbook, load_workbook(io.BytesIO(b64decode(workbook.file)))

    def run_cron(self):
        with self.enter_registry_test_mode():
            self.env.ref("onergy_billing.ir_cron_workbook").method_direct_trigger()

    def get_front_rows(self, book):
        """{number of the sheet: cells of its line on the first sheet}"""
        return {
            int(row[0].value.split(" ")[0]): row
            for row in book.worksheets[0].iter_rows(min_row=11)
            if row[0].value and str(row[0].value)[0].isdigit()
        }

    def get_checks(self, book):
        """{number of the sheet: (rows, total, ledger, verdict)}"""
        return {
            number: (*(cell.value for cell in row[1:4]), row[5].value)
            for number, row in self.get_front_rows(book).items()
        }

    def get_rows(self, sheet):
        """Rows of a list, without headings, totals and the check."""
        return self.split(sheet)[0]

    def split(self, sheet):
        """(rows, control totals) of a list."""
        rows = list(sheet.iter_rows(min_row=4, values_only=True))
        end = next(i for i, row in enumerate(rows) if row[0] == "Control total")
        return [row for row in rows[:end] if any(row)], rows[end]

    def get_named(self, book, name):
        """Value of a named cell."""
        ((sheet, cell),) = book.defined_names[name].destinations
        return book[sheet][cell.replace("$", "")].value

    def pay(self, move, day):
        with freeze_time(day):
            self.env["account.payment.register"].with_context(
                active_model="account.move", active_ids=move.ids
            ).create({"payment_date": day})._create_payments()

    def post_entry(self, day, *lines):
        """Post an entry of (account, debit, credit)."""
        move = self.env["account.move"].create(
            {
                "date": day,
                "line_ids": [
                    Command.create(
                        {"account_id": account.id, "debit": debit, "credit": credit}
                    )
                    for account, debit, credit in lines
                ],
            }
        )
        move.action_post()
        return move


@tagged("post_install", "-at_install")
class TestWorkbook(WorkbookCommon):
    def test_sheets_and_ties(self):
        self.invoice_advances(150.0)
        self.settle()
        workbook, book = self.make()
        self.assertEqual(len(book.worksheets), 12)
        checks = self.get_checks(book)
        self.assertEqual(sorted(checks), list(range(2, 13)))
        for number, (_rows, total, ledger, verdict) in checks.items():
            self.assertEqual(verdict, RIGHT, f"sheet {number}: {total} {ledger}")
            self.assertEqual(self.get_named(book, f"Check_{number:02d}"), RIGHT)
        self.assertIn("All control totals tie", self.get_named(book, "Check_all"))
        self.assertFalse(workbook.broken_ties)
        for number, amount in ((2, 1842.80), (3, 1842.80), (4, 1800.0), (6, 42.80)):
            self.assertEqual(checks[number][1], amount, f"sheet {number}")
        self.assertEqual(checks[5][1], 24.04)
        self.assertEqual(checks[8][1], 312.36 + 7.46)

    def test_each_total_is_the_sum_of_its_rows(self):
        self.invoice_advances(150.0)
        self.settle()
        _workbook, book = self.make()
        added = 0
        for sheet in book.worksheets[1:]:
            rows, totals = self.split(sheet)
            self.assertEqual(sheet.freeze_panes, "A4")
            self.assertTrue(sheet.auto_filter.ref.startswith("A3:"))
            for column, total in enumerate(totals[1:], start=1):
                if total is not None:
                    added += 1
                    self.assertAlmostEqual(
                        sum(row[column] or 0 for row in rows), total, 3, sheet.title
                    )
        self.assertGreater(added, 30)

    def test_formats(self):
        self.invoice_advances(150.0, months=1)
        _workbook, book = self.make()
        row = book.worksheets[1][4]
        self.assertEqual(row[4].number_format, "dd-mm-yyyy")
        self.assertEqual(row[4].value.date(), date(2024, 7, 1))
        self.assertEqual(row[7].number_format, "#,##0.00;[Red]-#,##0.00")
        self.assertEqual(book.worksheets[1].page_setup.orientation, "landscape")

    def test_dutch(self):
        self.env["res.lang"]._activate_lang("nl_NL")
        self.env["ir.module.module"].search(
            [("name", "=", "onergy_billing")]
        )._update_translations(["nl_NL"])
        self.env.user.lang = "nl_NL"
        self.invoice_advances(150.0, months=1)
        _workbook, book = self.make()
        self.assertEqual(
            [sheet.title for sheet in book.worksheets],
            [
                "1 Toelichting",
                "2 Openstaande posten",
                "3 Ouderdom",
                "4 Voorschotten",
                "5 Verbruik per adres",
                "6 Afrekeningen",
                "7 Nog af te rekenen",
                "8 Btw",
                "9 Grootboekmutaties",
                "10 Saldibalans",
                "11 Leegstand en eigenaar",
                "12 Payt-aansluiting",
            ],
        )
        self.assertEqual(self.get_named(book, "Check_02"), "Klopt")

    def test_control_totals_recomputed_from_the_ledger(self):
        """Each control total, worked out once more from journal items by the ORM."""
        advances = self.invoice_advances(150.0).sorted("invoice_date")
        self.settle()
        self.pay(advances[0], "2024-08-20")
        advances[1]._reverse_moves(
            [{"invoice_date": "2024-09-01", "date": "2024-09-01"}], cancel=True
        )
        self.invoice_vacancy()
        _workbook, book = self.make(as_of="2025-06-30")
        lines = self.env["account.move.line"].search(
            [
                ("company_id", "=", self.company.id),
                ("parent_state", "=", "posted"),
                ("date", ">=", "2024-07-01"),
                ("date", "<=", "2025-07-31"),
            ]
        )
        debtors = lines.filtered(
            lambda ln: ln.account_id.account_type == "asset_receivable"
        )
        on_the_day = debtors.filtered(lambda ln: ln.date <= date(2025, 6, 30))
        taxed = lines.filtered("tax_line_id")
        bills = debtors.filtered(lambda ln: ln.move_id.onergy_move_kind == "settlement")
        invoices = lines.filtered(
            lambda ln: (
                ln.move_id.onergy_move_kind == "advance"
                and ln.date <= date(2025, 6, 30)
                and ln.move_id.onergy_contract_id == self.contract
            )
        )
        owners = debtors.filtered(
            lambda ln: (
                ln.move_id.onergy_contract_id.role == "vacancy"
                and ln.move_id.move_type in ("out_invoice", "out_refund")
            )
        )
        wanted = {
            2: sum(on_the_day.mapped("balance")),
            3: sum(on_the_day.mapped("balance")),
            4: sum(
                on_the_day.filtered(
                    lambda ln: (
                        ln.move_id.onergy_move_kind == "advance"
                        and ln.move_id.move_type == "out_invoice"
                    )
                ).mapped("balance")
            ),
            5: sum(
                self.env["onergy.settlement.line"]
                .search([("unit", "=", "gj"), ("settlement_id.state", "=", "posted")])
                .mapped("quantity")
            ),
            6: sum(bills.mapped("balance")),
            7: -sum(
                invoices.filtered(lambda ln: ln.display_type == "product").mapped(
                    "balance"
                )
            ),
            8: -sum(taxed.mapped("balance")),
            9: sum(lines.mapped("debit")),
            10: sum(lines.mapped("debit")),
            11: sum(owners.mapped("balance")),
            12: 0.0,
        }
        checks = self.get_checks(book)
        self.assertTrue(all(wanted[number] for number in range(2, 12)), wanted)
        for number, amount in wanted.items():
            _rows, total, ledger, verdict = checks[number]
            self.assertAlmostEqual(total, amount, 2, f"sheet {number}")
            self.assertAlmostEqual(ledger, amount, 2, f"sheet {number}")
            self.assertEqual(verdict, RIGHT, f"sheet {number}")
        self.assertEqual(checks[9][0], len(lines))
        self.check_ledger_sheets(book, lines)
        self.check_ages(book, on_the_day)

    def check_ledger_sheets(self, book, lines):
        """Sheet 9 lists the very items, sheet 10 their sum per account."""
        self.assertEqual(
            sorted(
                (row[1], row[2], row[6] or 0, row[7] or 0)
                for row in self.get_rows(book.worksheets[8])
            ),
            sorted(
                (ln.move_name, ln.account_id.code, ln.debit, ln.credit) for ln in lines
            ),
        )
        self.assertEqual(
            {row[0]: row[3:5] for row in self.get_rows(book.worksheets[9])},
            {
                account.code: (
                    round(sum(own.mapped("debit")), 2),
                    round(sum(own.mapped("credit")), 2),
                )
                for account, own in lines.grouped("account_id").items()
            },
        )

    def check_ages(self, book, debtors):
        """What was open on the day, in the column of its days late."""
        open_items = self.env["onergy.open.item"].with_context(
            onergy_as_of="2025-06-30"
        )
        wanted = {
            age: total
            for age, total in open_items._read_group(
                [("company_id", "=", self.company.id)], ["age"], ["residual:sum"]
            )
        }
        _rows, totals = self.split(book.worksheets[2])
        for column, age in enumerate("01234", start=2):
            self.assertAlmostEqual(totals[column] or 0, wanted.get(age, 0), 2)
        self.assertAlmostEqual(totals[7], sum(debtors.mapped("balance")), 2)

    def invoice_vacancy(self):
        """An empty home whose owner gets a bill for a month."""
        home = self._create_home("9")
        owner = self._create_payer("Owner")
        contract = self._create_contract(
            home, owner, "2024-07-01", "2024-12-31", role="vacancy"
        )
        move = self.env["account.move"].create(
            {
                "move_type": "out_invoice",
                "partner_id": owner.id,
                "invoice_date": "2024-10-01",
                "onergy_contract_id": contract.id,
                "onergy_move_kind": "other",
                "invoice_line_ids": [
                    Command.create({"name": "Standing charge", "price_unit": 50.0})
                ],
            }
        )
        move.action_post()
        return move

    def test_broken_tie_is_red_and_explained(self):
        self.invoice_advances(150.0, months=1)
        vat_account = (
            self.env["account.move.line"]
            .search(
                [("tax_line_id", "!=", False), ("company_id", "=", self.company.id)]
            )
            .account_id[:1]
        )
        revenue = self.company_data["default_account_revenue"]
        self.post_entry("2024-07-15", (vat_account, 0, 10), (revenue, 10, 0))
        workbook, book = self.make()
        self.assertEqual(workbook.broken_ties, 1)
        self.assertIn("1 control totals do not tie", self.get_named(book, "Check_all"))
        rows = self.get_front_rows(book)
        row = rows.pop(8)
        self.assertEqual(row[5].value, WRONG)
        for cell in row[4:7]:
            self.assertEqual(cell.fill.fgColor.rgb, RED)
        self.assertEqual(row[4].value, -10.0)
        self.assertIn("by hand", row[6].value)
        self.assertEqual(self.get_named(book, "Check_08"), WRONG)
        for number, other in rows.items():
            self.assertEqual(other[5].value, RIGHT, number)
            self.assertNotEqual(other[6].fill.fgColor.rgb, RED)

    def test_broken_tie_of_use(self):
        """A billed quantity that the readings do not show."""
        self.invoice_advances(150.0, months=1)
        self.settle()
        line = self.env["onergy.settlement.line"].search([("unit", "=", "gj")], limit=1)
        line.quantity += 1
        _workbook, book = self.make()
        row = self.get_front_rows(book)[5]
        self.assertEqual((row[4].value, row[5].value), (-1.0, WRONG))
        self.assertIn("zero", row[6].value)

    def test_a_cent_off_is_wrong(self):
        self.invoice_advances(150.0, months=1)
        self.env.cr.execute(
            "UPDATE account_move SET amount_total_signed = amount_total_signed + 0.01 "
            "WHERE onergy_move_kind = 'advance'"
        )
        _workbook, book = self.make()
        self.assertEqual(self.get_checks(book)[4][3], WRONG)

    def test_open_items_as_of_a_past_day(self):
        advances = self.invoice_advances(150.0, months=3).sorted("invoice_date")
        self.pay(advances[0], "2024-09-20")
        _workbook, book = self.make(date_to="2024-09-30", as_of="2024-09-15")
        self.assertEqual(self.get_checks(book)[2][1], 450.0)
        _workbook, book = self.make(date_to="2024-09-30", as_of="2024-09-30")
        self.assertEqual(self.get_checks(book)[2][1], 300.0)
        self.assertEqual(len(self.get_rows(book.worksheets[2])), 1)

    def test_year_end_accrual(self):
        """On 31 December the first half of the example was delivered."""
        advances = self.invoice_advances(150.0).sorted("invoice_date")
        self.settle()
        self.pay(advances[0], "2024-08-20")
        self.pay(advances[1], "2025-01-20")
        _workbook, book = self.make("2024-01-01", "2024-12-31", "2024-12-31")
        (row,) = self.get_rows(book.worksheets[6])
        self.assertEqual(row[3].date(), date(2024, 7, 1))
        self.assertEqual(row[4].date(), date(2024, 12, 31))
        self.assertEqual(row[5], 10.620)
        # 877.87 including VAT, less six advances, of which one was paid by then.
        self.assertEqual(row[6], 725.51)
        self.assertEqual(row[7], 743.82)
        self.assertEqual(row[8], -18.31)
        self.assertEqual(row[9], 150.0)

    def test_unknown_is_not_zero(self):
        """Nothing can be worked out without a price: the list says so."""
        self.invoice_advances(150.0, months=1)
        self.tariff_2024.search([]).active = False
        _workbook, book = self.make("2024-01-01", "2024-12-31", "2024-12-31")
        (row,) = self.get_rows(book.worksheets[6])
        self.assertEqual(row[5:7], (None, None))
        self.assertIn("no price", row[10])

    def test_text_is_no_formula(self):
        self.company.name = "=1+1"
        self.invoice_advances(150.0, months=1)
        _workbook, book = self.make()
        texts = 0
        for sheet in book.worksheets:
            for row in sheet.iter_rows():
                for cell in row:
                    texts += cell.data_type == "s"
                    self.assertNotEqual(cell.data_type, "f", cell.coordinate)
                    if cell.data_type == "s":
                        self.assertNotRegex(cell.value, r"^[=+@\t\r-]")
        self.assertGreater(texts, 100)
        self.assertEqual(self.get_rows(book.worksheets[1])[0][1], "'=HYPERLINK(evil)")
        for text in ("=1", "+1", "-1", "@a", "\t=1", "\r=1"):
            self.assertEqual(neutralise(text)[0], "'")
        self.assertEqual(neutralise("Dorpsstraat 1"), "Dorpsstraat 1")

    def test_not_about_the_future(self):
        with self.assertRaises(ValidationError):
            self.env["onergy.workbook"].create(
                {
                    "date_from": "2024-01-01",
                    "date_to": "2024-12-31",
                    "as_of": "2999-12-31",
                }
            )


@tagged("post_install", "-at_install")
class TestWorkbookPayt(WorkbookCommon):
    """The sheet of Payt, with what its addon tells of a day."""

    def make_with(self, payt_amount):
        (advance,) = self.invoice_advances(150.0, months=1)
        days = []

        def get_query(_builder, workbook):
            days.append(workbook.as_of)
            return SQL(
                "SELECT %s AS move_id, 150.00 AS odoo_amount, %s AS payt_amount, "
                "'amount' AS kind",
                advance.id,
                payt_amount,
            )

        with (
            patch.object(PaytBuilder, "_get_payt_query", get_query),
            patch.object(
                PaytBuilder,
                "_get_payt_kinds",
                lambda _builder: SQL("('amount', 'Open amount differs')"),
            ),
        ):
            _workbook, book = self.make(date_to="2024-07-31", as_of="2024-07-31")
        self.assertEqual(set(days), {fields.Date.to_date("2024-07-31")})
        return advance, book

    def test_the_same(self):
        advance, book = self.make_with(150)
        (row,) = self.get_rows(book.worksheets[11])
        self.assertEqual((row[2], row[4], row[5]), (advance.name, 150.0, 150.0))
        self.assertFalse(row[7])
        self.assertEqual(self.get_checks(book)[12], (1, 150.0, 150.0, RIGHT))

    def test_a_difference(self):
        _advance, book = self.make_with(110)
        (row,) = self.get_rows(book.worksheets[11])
        self.assertEqual(row[6:8], (40.0, "Open amount differs"))
        self.assertEqual(self.get_checks(book)[12], (1, 110.0, 150.0, WRONG))


@tagged("post_install", "-at_install")
class TestWorkbookJob(WorkbookCommon):
    """How it is made: in the background, telling how far it is."""

    def new_workbook(self):
        return self.env["onergy.workbook"].create(
            {"date_from": "2024-07-01", "date_to": "2025-07-31", "as_of": "2025-07-31"}
        )

    def test_progress(self):
        self.invoice_advances(150.0, months=3)
        workbook = self.new_workbook()
        workbook.action_make()
        self.assertEqual(workbook.state, "queued")
        seen = []
        tell = type(workbook)._tell

        def watch(record, percent, text):
            tell(record, percent, text)
            record.invalidate_recordset()
            seen.append((record.state, record.progress, record.progress_text))

        with (
            patch.object(type(workbook), "_tell", watch),
            patch.object(workbook_writer, "TELL_SECONDS", 0),
            patch.object(builder_module, "TELL_ROWS", 2),
        ):
            self.run_cron()
        self.assertEqual({state for state, _percent, _text in seen}, {"running"})
        percents = [percent for _state, percent, _text in seen]
        self.assertEqual(percents, sorted(percents))
        self.assertEqual(len(set(percents)), 11)
        texts = [text for _state, _percent, text in seen]
        self.assertIn("Sheet 9 Ledger: 2 rows", texts)
        self.assertIn("Sheet 9 Ledger: 4 rows", texts)
        workbook.invalidate_recordset()
        self.assertRecordValues(
            workbook, [{"state": "done", "progress": 100, "progress_text": False}]
        )

    def test_left_behind_is_made_again(self):
        """A server that stopped in the middle leaves nothing that stays busy."""
        workbook = self.new_workbook()
        workbook.state = "running"
        self.run_cron()
        workbook.invalidate_recordset()
        self.assertEqual(workbook.state, "done")
        self.assertTrue(workbook.file)

    def test_failure_is_told(self):
        for error, text in (
            (UserError("Ask somebody."), "Ask somebody."),
            (ZeroDivisionError(), "log of the server"),
        ):
            workbook = self.new_workbook()
            workbook.action_make()
            with (
                patch.object(OnergyWorkbookBuilder, "_fill", side_effect=error),
                mute_logger(
                    "odoo.addons.onergy_billing.models.onergy_background_mixin"
                ),
            ):
                self.run_cron()
            workbook.invalidate_recordset()
            self.assertEqual((workbook.state, workbook.file), ("failed", False))
            self.assertIn(text, workbook.problem)
            workbook.action_make()
            self.assertEqual((workbook.state, workbook.problem), ("queued", False))

    def test_not_twice_at_once(self):
        workbook = self.new_workbook()
        workbook.action_make()
        with self.assertRaisesRegex(UserError, "already"):
            workbook.action_make()

    def test_rights(self):
        """Accountants and managers read the file; nobody else, not even its list."""
        workbook, _book = self.make()
        attachment = self.env["ir.attachment"].search(
            [
                ("res_model", "=", "onergy.workbook"),
                ("res_id", "=", workbook.id),
                ("res_field", "=", "file"),
            ]
        )
        self.assertTrue(attachment)
        roles = {
            "onergy_residents.group_accountant": True,
            "onergy_residents.group_manager": True,
            "onergy_residents.group_customer_service": False,
            "onergy_residents.group_metering": False,
            "base.group_user": False,
            "base.group_portal": False,
            "base.group_public": False,
        }
        for number, (group, may) in enumerate(roles.items()):
            user = new_test_user(
                self.env,
                f"book_{number}",
                group,
                company_id=self.company.id,
                company_ids=[(6, 0, self.company.ids)],
            )
            with self.subTest(group=group):
                if may:
                    self.assertTrue(workbook.with_user(user).read(["file"])[0]["file"])
                    self.assertTrue(attachment.with_user(user).raw)
                    continue
                with self.assertRaises(AccessError):
                    workbook.with_user(user).read(["file"])
                with self.assertRaises(AccessError):
                    attachment.with_user(user).read(["raw"])

    def test_other_company(self):
        """An accountant of another company sees nothing of this one's workbook."""
        workbook, _book = self.make()
        other = self.env["res.company"].create({"name": "Other"})
        user = new_test_user(
            self.env,
            "other_accountant",
            "onergy_residents.group_accountant",
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        with self.assertRaises(AccessError):
            workbook.with_user(user).read(["file"])
