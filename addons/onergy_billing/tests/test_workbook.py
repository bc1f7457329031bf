from datetime import date

from odoo import Command
from odoo.exceptions import ValidationError
from odoo.tests import tagged

from ..report.workbook_writer import neutralise
from .workbook_common import RIGHT, WRONG, WorkbookCommon

RED = "FFFFC7CE"


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
        self.assertIn("do not tie to the ledger: 1.", self.get_named(book, "Check_all"))
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
        line.sudo().quantity += 1
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
