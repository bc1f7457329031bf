"""Daily files of the Dutch weather institute (KNMI, "etmaalgegevens").

A comment block, a line that names the columns (``STN,YYYYMMDD,...,TG,...``, in the
file itself after a ``#``), then one line per station and day. ``TG`` is the mean
temperature of the day in 0.1 °C. Data are published under CC0.
"""

import io
from datetime import date
from decimal import Decimal

from .errors import FileError


def read_temperatures(stream):
    """Yield ``(station, date, temperature)`` with the temperature as ``Decimal`` in °C.

    Days without a mean temperature are left out.

    :raises FileError: ``no_header`` when no line names the columns, ``bad_row`` when
        a line below it cannot be read
    """
    columns = None
    for number, line in enumerate(_lines(stream), start=1):
        fields = [field.strip() for field in line.lstrip("# ").split(",")]
        if "TG" in fields and "YYYYMMDD" in fields:
            columns = [fields.index(name) for name in ("STN", "YYYYMMDD", "TG")]
        elif columns and not line.startswith("#") and len(fields) > max(columns):
            station, day, temperature = (fields[index] for index in columns)
            if temperature:
                yield _read_day(number, station, day, temperature)
    if columns is None:
        raise FileError("no_header", "STN, YYYYMMDD, TG")


def _lines(stream):
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="replace")
    return (line.strip() for line in text)


def _read_day(number, station, day, temperature):
    try:
        when = date(int(day[:4]), int(day[4:6]), int(day[6:8]))
        return station, when, Decimal(int(temperature)).scaleb(-1)
    except ValueError:
        raise FileError("bad_row", f"line {number}") from None
