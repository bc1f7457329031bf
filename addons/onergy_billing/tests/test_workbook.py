import io
from base64 import b64decode
from datetime import date

from freezegun import freeze_time
from openpyxl import load_workbook

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import new_test_user, tagged

from ..report.workbook_writer import neutralise
from .test_settlement import SettlementCommon

RIGHT, WRONG = "Right", "Wrong"


@tagged("post_install", "-at_install")
class TestWorkbook(SettlementCommon):
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
        with self.enter_registry_test_mode():
            self.env.ref("onergy_billing.ir_cron_workbook").method_direct_trigger()
        workbook.invalidate_recordset()
        self.assertEqual((workbook.state, workbook.problem), ("done", False))
        return workbook, load_workbook(io.BytesIO(b64decode(workbook.file)))

    def get_checks(self, book):
        """{number of the sheet: (rows, total, ledger, verdict)}"""
        front = book.worksheets[0]
        checks = {}
        for row in front.iter_rows(min_row=10, values_only=True):
            if row[0] and row[0][0].isdigit():
                checks[int(row[0].split(" ")[0])] = (*row[1:4], row[5])
        return checks

    def get_rows(self, sheet):
        """Rows of a list, without headings and totals."""
        rows = list(sheet.iter_rows(min_row=4, values_only=True))
        return rows[:-1]

    def test_sheets_and_ties(self):
        self.invoice_advances(150.0)
        self.settle()
        workbook, book = self.make()
        self.assertEqual(len(book.worksheets), 12)
        checks = self.get_checks(book)
        self.assertEqual(sorted(checks), list(range(2, 13)))
        for number, (_rows, total, ledger, verdict) in checks.items():
            self.assertEqual(verdict, RIGHT, f"sheet {number}: {total} {ledger}")
        self.assertFalse(workbook.broken_ties)
        for number, amount in ((2, 1842.80), (3, 1842.80), (4, 1800.0), (6, 42.80)):
            self.assertAlmostEqual(checks[number][1], amount, 2, f"sheet {number}")
        self.assertAlmostEqual(checks[5][1], 24.04, 2)
        self.assertAlmostEqual(checks[8][1], 312.36 + 7.46, 2)
        # Each total is the sum of the rows, and the sum of the rows is the ledger's.
        for sheet in book.worksheets[1:]:
            rows = list(sheet.iter_rows(min_row=4, values_only=True))
            totals = rows.pop()
            for column, total in enumerate(totals[1:], start=1):
                if total is not None:
                    self.assertAlmostEqual(
                        sum(row[column] or 0 for row in rows), total, 2, sheet.title
                    )
            self.assertEqual(sheet.freeze_panes, "A4")
        self.assertEqual(len(book.defined_names), 11 + self.count_filters(book))

    def count_filters(self, book):
        """Filters of the headings are names of the workbook to some readers."""
        return sum("_FilterDatabase" in name for name in book.defined_names)

    def test_totals_are_those_of_the_ledger(self):
        self.invoice_advances(150.0)
        self.settle()
        _workbook, book = self.make()
        checks = self.get_checks(book)
        lines = self.env["account.move.line"].search(
            [
                ("company_id", "=", self.company.id),
                ("parent_state", "=", "posted"),
                ("date", ">=", "2024-07-01"),
                ("date", "<=", "2025-07-31"),
            ]
        )
        self.assertEqual(checks[9][0], len(lines))
        self.assertAlmostEqual(checks[9][1], sum(lines.mapped("debit")), 2)
        receivable = lines.filtered(
            lambda ln: ln.account_id.account_type == "asset_receivable"
        )
        self.assertAlmostEqual(checks[2][1], sum(receivable.mapped("balance")), 2)
        self.assertAlmostEqual(checks[10][1], sum(lines.mapped("debit")), 2)

    def test_broken_tie_is_red_and_explained(self):
        self.invoice_advances(150.0, months=1)
        vat_account = (
            self.env["account.move.line"]
            .search(
                [("tax_line_id", "!=", False), ("company_id", "=", self.company.id)]
            )
            .account_id[:1]
        )
        move = self.env["account.move"].create(
            {
                "date": "2024-07-15",
                "line_ids": [
                    (0, 0, {"account_id": vat_account.id, "credit": 10.0}),
                    (
                        0,
                        0,
                        {
                            "account_id": self.company_data[
                                "default_account_revenue"
                            ].id,
                            "debit": 10.0,
                        },
                    ),
                ],
            }
        )
        move.action_post()
        workbook, book = self.make()
        self.assertEqual(workbook.broken_ties, 1)
        self.assertEqual(self.get_checks(book)[8][3], WRONG)
        front = book.worksheets[0]
        row = next(r for r in front.iter_rows() if str(r[0].value).startswith("8 "))
        self.assertEqual(row[5].fill.fgColor.rgb, "FFFFC7CE")
        self.assertAlmostEqual(row[4].value, -10.0)
        self.assertIn("by hand", row[6].value)

    def test_open_items_as_of_a_past_day(self):
        advances = self.invoice_advances(150.0, months=3).sorted("invoice_date")
        with freeze_time("2024-09-20"):
            self.env["account.payment.register"].with_context(
                active_model="account.move", active_ids=advances[0].ids
            ).create({"payment_date": "2024-09-20"})._create_payments()
        _workbook, book = self.make(date_to="2024-09-30", as_of="2024-09-15")
        self.assertAlmostEqual(self.get_checks(book)[2][1], 450.0, 2)
        _workbook, book = self.make(date_to="2024-09-30", as_of="2024-09-30")
        self.assertAlmostEqual(self.get_checks(book)[2][1], 300.0, 2)
        ageing = self.get_rows(book.worksheets[2])
        self.assertEqual(len(ageing), 1)

    def test_year_end_accrual(self):
        """On 31 December the first half of the example was delivered."""
        self.invoice_advances(150.0)
        self.settle()
        _workbook, book = self.make("2024-01-01", "2024-12-31", "2024-12-31")
        (row,) = self.get_rows(book.worksheets[6])
        self.assertEqual(row[3].date(), date(2024, 7, 1))
        self.assertEqual(row[4].date(), date(2024, 12, 31))
        self.assertAlmostEqual(row[5], 10.620, 3)
        # 877.87 including VAT, less six advances.
        self.assertAlmostEqual(row[6], 725.51, 2)
        self.assertAlmostEqual(row[7], 6 * 123.97, 2)
        self.assertAlmostEqual(row[8], 725.51 - 743.82, 2)

    def test_text_is_no_formula(self):
        self.invoice_advances(150.0, months=1)
        _workbook, book = self.make()
        for sheet in book.worksheets:
            for row in sheet.iter_rows():
                for cell in row:
                    self.assertNotEqual(cell.data_type, "f", cell.coordinate)
        self.assertEqual(self.get_rows(book.worksheets[1])[0][1], "'=HYPERLINK(evil)")
        for text in ("=1", "+1", "-1", "@a", "\t=1", "\r=1"):
            self.assertEqual(neutralise(text)[0], "'")
        self.assertEqual(neutralise("Dorpsstraat 1"), "Dorpsstraat 1")

    def test_rights(self):
        workbook, _book = self.make()
        attachment = self.env["ir.attachment"].search(
            [
                ("res_model", "=", "onergy.workbook"),
                ("res_id", "=", workbook.id),
                ("res_field", "=", "file"),
            ]
        )
        self.assertTrue(attachment)
        for role in ("customer_service", "metering", "accountant"):
            user = new_test_user(
                self.env,
                f"book_{role}",
                f"onergy_residents.group_{role}",
                company_id=self.company.id,
                company_ids=[(6, 0, self.company.ids)],
            )
            if role == "accountant":
                workbook.with_user(user).read(["file"])
                continue
            with self.assertRaises(AccessError):
                workbook.with_user(user).read(["file"])
            with self.assertRaises(AccessError):
                attachment.with_user(user).read(["raw"])

    def test_not_about_the_future(self):
        with self.assertRaises(ValidationError):
            self.env["onergy.workbook"].create(
                {
                    "date_from": "2024-01-01",
                    "date_to": "2024-12-31",
                    "as_of": "2999-12-31",
                }
            )
