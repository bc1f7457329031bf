"""A worksheet that takes a long list straight to its file."""

import re
from datetime import date
from functools import lru_cache

from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

#: What XML or Excel wants written in a way of its own: ``xlsxwriter`` knows how.
SPECIAL = re.compile(
    r"[&<>\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]|^\s|\s$|_x[0-9A-Fa-f]{4}_"
)
#: Excel's limit for the text of a cell.
MAX_TEXT = 32767
#: The ordinal of day 0 of Excel's calendar, for days after February 1900.
EPOCH = date(1899, 12, 30).toordinal()


# A ledger says the same things over and over.
@lru_cache(maxsize=8192)
def end_text(text):
    """Return the end of a cell with a text, or None when it is not a plain one."""
    if len(text) > MAX_TEXT or SPECIAL.search(text):
        return None
    return f' t="inlineStr"><is><t>{text}</t></is></c>'


@lru_cache(maxsize=1024)
def end_day(day):
    """Return the end of a cell with a day."""
    return f"><v>{day.toordinal() - EPOCH}</v></c>"


class PlainWorksheet(Worksheet):
    """In constant memory ``xlsxwriter`` keeps a row as objects and then writes it out.

    For a row of plain numbers, days and text that is most of the time, so such a row
    is written at once, in the same words. Other methods may be used before and after.
    """

    def plan_columns(self, formats):
        """Prepare for :meth:`write_plain_row`: the format of each column."""
        self._heads = [
            (f'<c r="{xl_col_to_name(index)}', f'" s="{form._get_xf_index()}"')
            for index, form in enumerate(formats)
        ]

    def write_plain_row(self, row, values):
        """Write numbers, days and texts as the next row; ``None`` is an empty cell.

        :return: False, with nothing written, when a text is not a plain one
        """
        number = row + 1
        cells = []
        for (head, form), value in zip(self._heads, values, strict=True):
            if value is None:
                continue
            if isinstance(value, str):
                end = end_text(value)
                if end is None:
                    return False
            elif isinstance(value, date):
                end = end_day(value)
            else:
                end = f"><v>{value}</v></c>"
            cells.append(f"{head}{number}{form}{end}")
        if not cells:
            return True
        # What came before goes first.
        self._write_single_row(row)
        self.dim_rowmax = max(row, self.dim_rowmax or 0)
        self.dim_colmax = max(len(self._heads) - 1, self.dim_colmax or 0)
        self.fh.write(f'<row r="{number}">{"".join(cells)}</row>')
        return True
