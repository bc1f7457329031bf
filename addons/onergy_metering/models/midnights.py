"""Moments, days and units in SQL, the same in every step of a load."""

from odoo.tools import SQL

from ..parsers.units import UNITS

#: Days are counted where the supplier's dwellings are.
DAY_ZONE = "Europe/Amsterdam"


def local(moment):
    """A moment (naive UTC) by the clock of the dwellings."""
    return SQL("(%s AT TIME ZONE 'UTC' AT TIME ZONE %s)", moment, DAY_ZONE)


def boundary(moment):
    """The midnight a moment is nearest to, as the day that begins there."""
    return boundary_of_local(local(moment))


def boundary_of_local(moment):
    return SQL("(%s + interval '12 hours')::date", moment)


def boundary_start(day):
    """The first moment (UTC) whose boundary is ``day``: noon of the day before."""
    return SQL(
        "((%s)::timestamp - interval '12 hours') AT TIME ZONE %s AT TIME ZONE 'UTC'",
        day,
        DAY_ZONE,
    )


def unit_values(quantity=None):
    """Rows (name, factor to GJ or m³) of the units of one quantity, or of all."""
    return SQL(", ").join(
        SQL("(%s, %s::numeric)", name, str(factor))
        for name, (kind, factor) in UNITS.items()
        if quantity in (None, kind)
    )
