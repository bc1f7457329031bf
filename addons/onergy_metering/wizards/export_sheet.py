from functools import lru_cache

from xlsxwriter.worksheet import Worksheet

#: Values that a column is expected to come back to: words, units, moments, some
#: thousand homes.
_VALUES = 8192


class ExportSheet(Worksheet):
    """A worksheet for many rows in which the same texts and moments come back.

    For workbooks in constant memory. xlsxwriter takes every cell through a table of
    its own, which costs nine tenths of the time of a large workbook. A row of plain
    values is written as it is instead, and what comes back is put into words once.
    """

    def get_text_writer(self, words=None):
        """A function that makes a cell of a text; see :meth:`write_values`.

        :param dict words: what to write in the place of some texts
        """
        words = words or {}

        @lru_cache(_VALUES)
        def write(text):
            text = words.get(text, text)[: self.xls_strmax]
            kept = "" if text == text.strip() else ' xml:space="preserve"'
            text = self._escape_data(self._escape_control_characters(text))
            return f' t="inlineStr"><is><t{kept}>{text}</t></is></c>'

        return write

    def get_number_writer(self, cell_format):
        """The same for numbers."""
        style = cell_format._get_xf_index()
        return f' s="{style}"><v>{{:.16G}}</v></c>'.format

    def get_date_writer(self, cell_format):
        """The same for dates and moments."""
        write = self.get_number_writer(cell_format)
        return lru_cache(_VALUES)(lambda value: write(self._convert_date_time(value)))

    def write_values(self, row, values, writers):
        """Write a row from its first column on, below all rows written before.

        :param int row: number of the row, from zero
        :param values: one per column, ``None`` for an empty cell
        :param list writers: ``(letter of the column, function)`` of each column; the
            function gives the cell of a value, without its name
        """
        # What xlsxwriter itself holds of the rows above, as their heading, goes first.
        self._write_single_row(row)
        self.dim_rowmax = row
        number = row + 1
        cells = [
            f'<c r="{letter}{number}"{write(value)}'
            for value, (letter, write) in zip(values, writers, strict=True)
            if value is not None
        ]
        self.fh.write(f'<row r="{number}">{"".join(cells)}</row>')
