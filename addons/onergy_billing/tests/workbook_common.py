import io
from base64 import b64decode

from freezegun import freeze_time
from openpyxl import load_workbook

from odoo import Command

from .test_settlement import SettlementCommon

RIGHT, WRONG = "Right", "Wrong"


class WorkbookCommon(SettlementCommon):
    """A workbook with bills in it, and helpers that read its sheets."""

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
