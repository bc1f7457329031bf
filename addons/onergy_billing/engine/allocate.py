"""Sharing out the actual costs of a complex among those who paid for its homes.

Where the Heat Act does not hold (a landlord who supplies his own tenants, an owners'
association that supplies its members: article 1a) a bill follows the actual costs,
a fixed share of them and a share by meter; NEN 7440 is the Dutch norm for it.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from .money import round_cent, spread


class NothingMetered(Exception):
    """A cost is to be shared out by a meter that counted nothing."""

    def __init__(self, cost):
        super().__init__(cost)
        self.cost = cost


@dataclass(frozen=True)
class Cost:
    """What something cost the whole complex in a period.

    :param key: tells it from the others
    :param amount: whole cents, including VAT
    :param fixed_percent: the part that everybody pays whatever he uses
    :param component: the meter that the rest is shared out by
    """

    key: object
    amount: Decimal
    fixed_percent: Decimal
    component: str = "heat"

    @property
    def fixed(self):
        return round_cent(self.amount * self.fixed_percent / 100)

    @property
    def metered(self):
        return self.amount - self.fixed


@dataclass(frozen=True)
class Share:
    """What one payer is reckoned by.

    :param key: tells him from the others
    :param weight: in the fixed part: his days, times m² where floors count
    :param use: {component: GJ} in his days
    """

    key: object
    weight: Decimal
    use: dict = field(default_factory=dict)


def allocate(costs, shares):
    """Share costs out; what is shared out is what was spent, to the cent.

    Each amount is off by less than a cent from its exact share.

    :return: {(cost key, share key): (fixed, metered)} in cents
    :raise NothingMetered: a metered part without any use to share it out by
    """
    result = {}
    for cost in costs:
        uses = [max(share.use.get(cost.component, 0), Decimal(0)) for share in shares]
        if cost.metered and not sum(uses):
            raise NothingMetered(cost)
        fixed = spread(cost.fixed, [share.weight for share in shares])
        metered = spread(cost.metered, uses)
        for share, *amounts in zip(shares, fixed, metered, strict=True):
            result[cost.key, share.key] = tuple(amounts)
    return result
