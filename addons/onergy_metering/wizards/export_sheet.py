from functools import lru_cache

from xlsxwriter.worksheet import Worksheet

#: Texts that a column is expected to come back to: words, units, some thousand homes.
_TEXTS = 8192


class ExportSheet(Worksheet):
    """A worksheet for many rows in which the same texts come back.

    Its cells are named by row and column only, never as "A1": asking for that costs a
    tenth of the time of a large workbook. Checking each text for control characters
    costs as much again, so that is done once per text.
    """

    write_string = Worksheet._write_string
    write_number = Worksheet._write_number
    write_datetime = Worksheet._write_datetime
    _escape_control_characters = staticmethod(
        lru_cache(_TEXTS)(Worksheet._escape_control_characters)
    )
