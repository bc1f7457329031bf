"""An Excel workbook written row by row, whatever its length."""

import time
from contextlib import contextmanager
from datetime import date
from functools import lru_cache

import xlsxwriter

from .plain_worksheet import EPOCH, PlainWorksheet

#: A cell that begins like this is a formula to a spreadsheet that reads it as CSV.
#: And ``xlsxwriter`` takes text from <r> to </r> for markup of its own.
RISKY = ("=", "+", "-", "@", "\t", "\r", "<r>")

#: Width of a column by what is in it.
WIDTHS = {
    "text": 22,
    "wide": 40,
    "note": 60,
    "date": 12,
    "money": 15,
    "number": 12,
    "integer": 10,
}

#: Height of a line of text in points.
ROW_HEIGHT = 15

NUMBERS = {
    "money": "#,##0.00;[Red]-#,##0.00",
    "number": "#,##0.000",
    "integer": "#,##0",
}

#: Seconds between two words about the progress.
TELL_SECONDS = 1


def neutralise(text):
    """``text`` that no spreadsheet takes for a formula, also after saving as CSV."""
    return f"'{text}" if text.startswith(RISKY) else text


@lru_cache(maxsize=8192, typed=True)
def clean_text(value):
    return neutralise(str(value)) if value else None


def clean_number(value):
    return None if value is False else value


def clean_date(value):
    return value or None


#: How a value gets ready for its cell, by what is in the column.
CLEAN = {
    "text": clean_text,
    "wide": clean_text,
    "note": clean_text,
    "date": clean_date,
    **dict.fromkeys(NUMBERS, clean_number),
}


class Workbook:
    """``xlsxwriter`` in constant memory: rows are written in order and let go.

    :param path: where the file goes
    :param folder: for the parts of the file until it is closed
    :param progress: called as ``progress(percent, text)`` while sheets are written
    """

    def __init__(self, path, folder=None, progress=None):
        self.book = xlsxwriter.Workbook(
            path,
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "tmpdir": folder,
            },
        )
        self._progress = progress
        self._percent, self._told = 0, 0.0
        add = self.book.add_format
        indent = {"indent": 1, "align": "left"}
        self.formats = {
            "text": add(indent),
            "wide": add(indent),
            "note": add({**indent, "text_wrap": True, "valign": "top"}),
            "date": add({**indent, "num_format": "dd-mm-yyyy"}),
            **{kind: add({"num_format": form}) for kind, form in NUMBERS.items()},
        }
        bold, top = {"bold": True}, {"valign": "top"}
        red = {"font_color": "#9C0006", "bg_color": "#FFC7CE"}
        self.top = {
            kind: add({"num_format": form, **top}) for kind, form in NUMBERS.items()
        }
        head = {**bold, "bg_color": "#D9E1F2", "bottom": 1, "text_wrap": True, **top}
        self.title = add({"bold": True, "font_size": 14, **indent})
        self.facts = add({"font_color": "#595959", **indent})
        self.heads = {
            False: add({**head, **indent}),
            True: add({**head, "align": "right"}),
        }
        self.label = add({**bold, **top, **indent})
        self.wrap = add({"text_wrap": True, **top, **indent})
        self.link = add({"font_color": "#1F4E79", "underline": 1, **top, **indent})
        centre = {**bold, **top, "align": "center"}
        self.good = add({**centre, "font_color": "#006100", "bg_color": "#C6EFCE"})
        self.bad = add({**centre, **red})
        self.bad_money = add({**red, **top, "num_format": NUMBERS["money"]})
        self.bad_wrap = add({**red, "text_wrap": True, **top, **indent})
        self.totals = {
            kind: add({**bold, "top": 1, "num_format": form})
            for kind, form in NUMBERS.items()
        }
        self.total_label = add({**bold, "top": 1, **indent})

    def describe(self, title, company):
        """What the file says of itself."""
        self.book.set_properties({"title": title, "company": company})

    def get_head(self, is_number):
        return self.heads[is_number]

    def set_up_page(self, sheet):
        """Wide A4, as many pages as it takes but one across."""
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        sheet.set_footer("&L&8&A&R&8&P / &N")

    def sheet(self, name, title, facts, columns):
        return Sheet(self, name, title, facts, columns)

    # -- progress ------------------------------------------------------------------

    def begin(self, done, total):
        """Another sheet begins: ``done`` of ``total`` are written."""
        self._percent = 100 * done // total
        self._told = 0.0

    def tell(self, name, rows):
        """So many rows of a sheet are written."""
        now = time.monotonic()
        if self._progress and now - self._told >= TELL_SECONDS:
            self._told = now
            self._progress(self._percent, name, rows)

    @contextmanager
    def closing(self):
        """Close the file also when something went wrong."""
        try:
            yield self
        finally:
            self.book.close()


class Sheet:
    """A list with headings that stay in view and totals below.

    :param facts: what the list is about, below its title
    :param columns: list of (heading, kind, whether it is added up)
    """

    HEAD_ROW = 2

    def __init__(self, workbook, name, title, facts, columns):
        self.workbook = workbook
        self.columns = columns
        self.sheet = workbook.book.add_worksheet(name, PlainWorksheet)
        self.name = name
        self.row = self.HEAD_ROW + 1
        self.count = 0
        self.sums = [0] * len(columns)
        kinds = [kind for _heading, kind, _is_sum in columns]
        self.note = kinds.index("note") if "note" in kinds else None
        self.forms = [workbook.formats[kind] for kind in kinds]
        self.clean = [CLEAN[kind] for kind in kinds]
        self.summed = [
            index for index, (_heading, _kind, is_sum) in enumerate(columns) if is_sum
        ]
        self.sheet.plan_columns(self.forms)
        workbook.set_up_page(self.sheet)
        self.sheet.repeat_rows(0, self.HEAD_ROW)
        for index, (_heading, kind, _is_sum) in enumerate(columns):
            self.sheet.set_column(index, index, WIDTHS[kind])
        self.sheet.write_string(0, 0, title, workbook.title)
        self.sheet.write_string(1, 0, neutralise(facts), workbook.facts)
        self.sheet.set_row(self.HEAD_ROW, 2 * ROW_HEIGHT)
        for index, (heading, kind, _is_sum) in enumerate(columns):
            self.sheet.write_string(
                self.HEAD_ROW, index, heading, workbook.get_head(kind in NUMBERS)
            )
        self.sheet.freeze_panes(self.HEAD_ROW + 1, 0)
        workbook.tell(name, 0)

    def add_row(self, values):
        """Add a row; ``None`` leaves a cell empty."""
        cells = [clean(value) for clean, value in zip(self.clean, values, strict=True)]
        for index in self.summed:
            if cells[index] is not None:
                self.sums[index] += cells[index]
        if self.note is not None:
            # Not every program lets a row grow with the text in it.
            lines = -(-len(cells[self.note] or "") // WIDTHS["note"])
            if lines > 1:
                self.sheet.set_row(self.row, ROW_HEIGHT * lines)
            self._write_cells(cells)
        elif not self.sheet.write_plain_row(self.row, cells):
            self._write_cells(cells)
        self.row += 1
        self.count += 1

    def _write_cells(self, cells):
        """Write a row that is not a plain one, cell by cell."""
        for index, (value, form) in enumerate(zip(cells, self.forms, strict=True)):
            if isinstance(value, str):
                self.sheet.write_string(self.row, index, value, form)
            elif isinstance(value, date):
                self.sheet.write_number(
                    self.row, index, value.toordinal() - EPOCH, form
                )
            elif value is not None:
                self.sheet.write_number(self.row, index, value, form)

    def finish(self, label):
        """Write the totals and switch on the filter of the headings."""
        last = max(self.row - 1, self.HEAD_ROW + 1)
        self.sheet.autofilter(self.HEAD_ROW, 0, last, len(self.columns) - 1)
        if not self.count:
            # The filter needs a line, and the totals must not become part of it.
            self.row += 1
        for index, (_heading, kind, is_sum) in enumerate(self.columns):
            if is_sum:
                self.sheet.write_number(
                    self.row, index, self.sums[index], self.workbook.totals[kind]
                )
            else:
                self.sheet.write_blank(self.row, index, None, self.workbook.total_label)
        self.sheet.write_string(self.row, 0, label, self.workbook.total_label)
        return self.sums

    def write_check(self, name, lines):
        """Write what the total was compared with, below it.

        :param name: name of the cell with the verdict, the last of the lines
        :param lines: list of (label, number or text, format or None)
        """
        row = self.row + 1
        for label, value, form in lines:
            row += 1
            self.sheet.write_string(row, 0, label, self.workbook.label)
            if isinstance(value, str):
                self.sheet.write_string(row, 1, value, form)
            else:
                self.sheet.write_number(row, 1, value, self.workbook.formats["money"])
        sheet = self.name.replace("'", "''")
        self.workbook.book.define_name(name, f"='{sheet}'!$B${row + 1}")
