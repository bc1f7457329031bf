"""Decimal numbers as files write them."""

import re

from .errors import RowError

_PLAIN = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,12})?")
#: space, no-break space, narrow no-break space, thin space, figure space
SPACES = "\u0020\u00a0\u202f\u2009\u2007"


def plain_number(decimal_mark="."):
    """A test for a number without thousands marks or spaces around it."""
    pattern = _PLAIN.pattern.replace(re.escape("."), re.escape(decimal_mark))
    return re.compile(pattern).fullmatch


def number_reader(decimal_mark=".", thousands_marks=""):
    """Return a function from text to a plain decimal literal.

    The literal goes to PostgreSQL's ``numeric`` as text: no float is ever made.
    Raises ``ValueError`` on anything that is not a number in the given notation,
    also when a thousands mark does not separate groups of three digits.
    """
    marks = re.escape(thousands_marks)
    grouped = (
        re.compile(
            rf"[+-]?[0-9]{{1,3}}(?:[{marks}][0-9]{{3}})+"
            rf"(?:{re.escape(decimal_mark)}[0-9]+)?"
        )
        if marks
        else None
    )
    strip_marks = {ord(mark): None for mark in thousands_marks}
    plain = _PLAIN.fullmatch

    def read(text):
        text = text.strip()
        if grouped is not None and any(mark in text for mark in thousands_marks):
            if not grouped.fullmatch(text):
                raise ValueError(text)
            text = text.translate(strip_marks)
        if decimal_mark != ".":
            if "." in text:
                raise ValueError(text)
            text = text.replace(decimal_mark, ".")
        if not plain(text):
            raise ValueError(text)
        return text

    return read


def checked(read, text, column):
    """``read(text)``, with a :class:`RowError` naming the column."""
    try:
        return read(text)
    except ValueError:
        raise RowError("bad_number", column, text) from None
