from odoo import fields, models
from odoo.tools import format_date, format_datetime

from ...report.workbook_writer import ROW_HEIGHT, neutralise

#: Widths of the columns of the first sheet: name, rows, three amounts, check, text.
WIDTHS = (62, 10, 16, 16, 14, 12, 84)


class OnergyWorkbookBuilder(models.AbstractModel):
    _inherit = "onergy.workbook.builder"

    def _get_front_name(self):
        return self.env._("1 Explanation")

    def _write_front(self, workbook, book, front, checks):
        """What the workbook is about, and whether all of it ties to the ledger."""
        book.set_up_page(front)
        for column, width in enumerate(WIDTHS):
            front.set_column(column, column, width)
        front.write_string(0, 0, self.env._("Accountant's workbook"), book.title)
        row = 2
        for label, value in self._get_facts(workbook):
            front.write_string(row, 0, label, book.label)
            front.merge_range(row, 1, row, 6, neutralise(str(value or "")), book.wrap)
            row += 1
        front.set_row(row - 1, 2 * ROW_HEIGHT)
        row = self._write_overall(book, front, row + 1, checks)
        front.freeze_panes(row + 1, 0)
        self._write_headings(book, front, row)
        name = self._get_front_name().replace("'", "''")
        for check in checks:
            row += 1
            self._write_check(book, front, row, check)
            book.book.define_name(f"{check.name}_front", f"='{name}'!$F${row + 1}")

    def _get_facts(self, workbook):
        _ = self.env._
        return [
            (_("Company"), workbook.company_id.name),
            (
                _("Period"),
                f"{format_date(self.env, workbook.date_from)} – "
                f"{format_date(self.env, workbook.date_to)}",
            ),
            (_("As of"), format_date(self.env, workbook.as_of)),
            (_("Made on"), format_datetime(self.env, fields.Datetime.now())),
            (_("Made by"), workbook.user_id.name),
            (
                _("How to read it"),
                _(
                    "Figures are frozen. Each sheet ends with a control total and a "
                    "check; below they are compared with the ledger. Text that begins "
                    "like a formula has an apostrophe in front."
                ),
            ),
        ]

    def _write_overall(self, book, front, row, checks):
        """One line that says it all; returns the row of the headings below it."""
        broken = [check for check in checks if not check.is_right]
        name = self._get_front_name().replace("'", "''")
        book.book.define_name("Check_all", f"='{name}'!$A${row + 1}")
        if broken:
            text = self.env._(
                "Control totals that do not tie to the ledger: %(count)s. Look at the "
                "red lines.",
                count=len(broken),
            )
        else:
            text = self.env._("All control totals tie to the ledger.")
        front.merge_range(row, 0, row, 6, text, book.bad if broken else book.good)
        return row + 2

    def _write_headings(self, book, front, row):
        _ = self.env._
        headings = (
            _("Sheet"),
            _("Rows"),
            _("Control total"),
            _("Ledger"),
            _("Difference"),
            _("Result"),
            _("Explanation"),
        )
        for column, heading in enumerate(headings):
            front.write_string(
                row, column, heading, book.get_head(column in range(1, 5))
            )

    def _write_check(self, book, front, row, check):
        money = book.top["money"] if check.is_right else book.bad_money
        text = check.explanation
        if not check.is_right and check.hint:
            text = f"{text} {check.hint}"
        sheet = check.sheet.replace("'", "''")
        front.write_url(
            row,
            0,
            f"internal:'{sheet}'!A1",
            book.link,
            f"{check.sheet}: {check.title}"[:255],
        )
        front.write_number(row, 1, check.rows, book.top["integer"])
        front.write_number(row, 2, check.total, book.top["money"])
        front.write_number(row, 3, check.ledger, book.top["money"])
        front.write_number(row, 4, check.difference, money)
        front.write_string(row, 5, *self._get_verdict(book, check))
        front.write_string(row, 6, text, book.wrap if check.is_right else book.bad_wrap)
        # Rows do not grow with their text by themselves in every program.
        front.set_row(row, ROW_HEIGHT * -(-len(text) // 84))
