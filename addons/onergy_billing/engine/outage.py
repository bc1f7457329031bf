"""Compensation for an outage: Warmtewet and Warmteregeling, article 4."""

from decimal import Decimal

#: Interruptions up to here are not compensated, hours.
FREE_HOURS = 8
FIRST = Decimal("35.00")
FURTHER = Decimal("20.00")
FURTHER_HOURS = 4
#: A single interruption shorter than this within a year is not compensated, hours.
SINGLE_HOURS = 24
ANNOUNCE_DAYS = 3


def outage_compensation(
    hours,
    *,
    announced_days=None,
    own_installation=False,
    force_majeure=False,
    outage_in_last_year=False,
):
    """What a resident is due for one interruption, in euro; damages bear no VAT.

    35 for more than 8 hours, and 20 for each further full 4 hours. Nothing when it
    was announced three days ahead, was caused by the resident's own installation or
    by force majeure, or took less than 24 hours while that part of the network had
    no other outage in the 12 months before.

    :param Decimal hours: from the first report or the supplier's own detection
    :param announced_days: days ahead that it was announced, None: not announced
    """
    nothing = Decimal("0.00")
    if own_installation or force_majeure or hours <= FREE_HOURS:
        return nothing
    if announced_days is not None and announced_days >= ANNOUNCE_DAYS:
        return nothing
    if hours < SINGLE_HOURS and not outage_in_last_year:
        return nothing
    return FIRST + FURTHER * int((hours - FREE_HOURS) // FURTHER_HOURS)
