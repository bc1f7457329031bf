"""What a year will cost and what to pay each month for it."""

from decimal import Decimal

from .money import round_cent
from .rating import share_tiers

MONTHS = 12


def year_cost(use, prices):
    """Cost of a whole year.

    :param dict use: GJ in a year by component
    :param dict prices: {component: tuple of :class:`~.rating.Price`}
    """
    cost = Decimal(0)
    for component, group in prices.items():
        cost += sum(price.amount for price in group if price.unit == "year")
        tiers = sorted((p for p in group if p.unit == "gj"), key=lambda p: p.tier_from)
        if tiers:
            quantity = use.get(component, Decimal(0))
            cost += sum(
                price.amount * share
                for price, share in share_tiers(tiers, 1, Decimal(0), quantity)
            )
    return round_cent(cost)


def advance_advice(use, prices):
    """The advance per month that brings the settlement to zero, in cents."""
    return round_cent(year_cost(use, prices) / MONTHS)


def advance_band(advice, below, above):
    """(lowest, highest) advance that a resident may choose himself.

    :param Decimal below: percent under the advice
    :param Decimal above: percent over the advice
    """
    low = round_cent(advice * (100 - below) / 100)
    return low, round_cent(advice * (100 + above) / 100)
