import io
from datetime import date
from decimal import Decimal
from unittest.mock import patch

from openpyxl import load_workbook

from odoo.tests import BaseCase, tagged

from ..report.plain_worksheet import MAX_TEXT, PlainWorksheet
from ..report.workbook_writer import Workbook

COLUMNS = [("Day", "date", False), ("Text", "text", False), ("Sum", "money", True)]
TEXTS = (
    "Voorschot juli",
    "Tom & Co",
    "<r>a < b</r>",
    " blank before and after ",
    "two\nlines\ttab",
    "bell\x07",
    "_x0041_",
    "é ü € 🏠",
    "=1+1",
    "a" * (MAX_TEXT + 1),
    "",
    None,
)


@tagged("post_install", "-at_install")
class TestWorkbookWriter(BaseCase):
    """Rows that go straight to the file read like those that xlsxwriter writes."""

    def look(self):
        file = io.BytesIO()
        with Workbook(file).closing() as book:
            sheet = book.sheet("9 List", "List", "facts", COLUMNS)
            for number, text in enumerate(TEXTS):
                day = date(2025, 2, 28) if number % 2 else None
                sheet.add_row((day, text, Decimal("-1234.50") * number))
            sheet.add_row((None, None, None))
            sums = sheet.finish("Total")
            sheet.write_check("Check_09", [("Ledger", Decimal("0.10"), None)])
        page = load_workbook(file).active
        return sums, [
            [(cell.value, cell.number_format, cell.alignment.indent) for cell in row]
            for row in page.iter_rows()
        ]

    def test_the_same_either_way(self):
        plain, written = PlainWorksheet.write_plain_row, []

        def count(sheet, row, values):
            written.append(plain(sheet, row, values))
            return written[-1]

        with patch.object(PlainWorksheet, "write_plain_row", count):
            fast = self.look()
        with patch.object(PlainWorksheet, "write_plain_row", lambda *_args: False):
            slow = self.look()
        self.assertEqual(fast, slow)
        self.assertEqual(fast[0][2], sum(Decimal("-1234.50") * n for n in range(12)))
        # Both ways were taken: neither proves itself.
        self.assertEqual(set(written), {True, False})
