"""An Excel workbook written row by row, whatever its length."""

from contextlib import contextmanager
from datetime import date

import xlsxwriter

#: Day 0 of Excel's calendar, for days after February 1900.
EPOCH = date(1899, 12, 30)

#: A cell that begins like this is a formula to a spreadsheet that reads it as CSV.
RISKY = ("=", "+", "-", "@", "\t", "\r")

#: Width of a column by what is in it.
WIDTHS = {"text": 24, "wide": 44, "date": 12, "money": 14, "number": 12, "integer": 9}


def neutralise(text):
    """``text`` that no spreadsheet takes for a formula, also after saving as CSV."""
    return f"'{text}" if text.startswith(RISKY) else text


class Workbook:
    """``xlsxwriter`` in constant memory: rows are written in order and let go."""

    def __init__(self, stream, folder=None):
        self.book = xlsxwriter.Workbook(
            stream,
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "tmpdir": folder,
            },
        )
        add = self.book.add_format
        self.formats = {
            "text": add(),
            "wide": add(),
            "date": add({"num_format": "dd-mm-yyyy"}),
            "money": add({"num_format": "#,##0.00;[Red]-#,##0.00"}),
            "number": add({"num_format": "#,##0.000"}),
            "integer": add({"num_format": "0"}),
        }
        bold = {"bold": True}
        self.title = add({"bold": True, "font_size": 14})
        self.head = add({**bold, "bg_color": "#D9E1F2", "bottom": 1, "text_wrap": True})
        self.label = add(bold)
        self.good = add({**bold, "font_color": "#006100", "bg_color": "#C6EFCE"})
        self.bad = add({**bold, "font_color": "#9C0006", "bg_color": "#FFC7CE"})
        self.totals = {
            kind: add({**bold, "top": 1, "num_format": number})
            for kind, number in (
                ("money", "#,##0.00;[Red]-#,##0.00"),
                ("number", "#,##0.000"),
                ("integer", "0"),
            )
        }

    def sheet(self, name, title, columns):
        return Sheet(self, name, title, columns)

    @contextmanager
    def closing(self):
        """Close the file also when something went wrong."""
        try:
            yield self
        finally:
            self.book.close()


class Sheet:
    """A list with headings that stay in view and totals below.

    :param columns: list of (heading, kind, whether it is added up)
    """

    HEAD_ROW = 2

    def __init__(self, workbook, name, title, columns):
        self.workbook = workbook
        self.columns = columns
        self.sheet = workbook.book.add_worksheet(name)
        self.name = name
        self.row = self.HEAD_ROW + 1
        self.count = 0
        self.sums = [0] * len(columns)
        self.plan = [
            (kind, workbook.formats[kind], is_sum) for _heading, kind, is_sum in columns
        ]
        for index, (_heading, kind, _is_sum) in enumerate(columns):
            self.sheet.set_column(index, index, WIDTHS[kind])
        self.sheet.write_string(0, 0, title, workbook.title)
        for index, (heading, _kind, _is_sum) in enumerate(columns):
            self.sheet.write_string(self.HEAD_ROW, index, heading, workbook.head)
        self.sheet.freeze_panes(self.HEAD_ROW + 1, 0)

    def add_row(self, values):
        """Add a row; ``None`` leaves a cell empty.

        The underscored methods are those that the public ones call after parsing the
        name of the cell, which takes a third of the time.
        """
        write_number, write_string = self.sheet._write_number, self.sheet._write_string
        row, sums = self.row, self.sums
        for index, (value, (kind, form, is_sum)) in enumerate(
            zip(values, self.plan, strict=True)
        ):
            if value is None or value is False or value == "":
                continue
            if kind == "date":
                write_number(row, index, (value - EPOCH).days, form)
            elif kind in ("text", "wide"):
                write_string(row, index, neutralise(str(value)), form)
            else:
                write_number(row, index, value, form)
                if is_sum:
                    sums[index] += value
        self.row += 1
        self.count += 1

    def finish(self, label):
        """Write the totals and switch on the filter of the headings."""
        last = max(self.row - 1, self.HEAD_ROW)
        self.sheet.autofilter(self.HEAD_ROW, 0, last, len(self.columns) - 1)
        self.sheet.write_string(self.row, 0, label, self.workbook.label)
        for index, (_heading, kind, is_sum) in enumerate(self.columns):
            if is_sum:
                self.sheet.write_number(
                    self.row, index, self.sums[index], self.workbook.totals[kind]
                )
        return self.sums
