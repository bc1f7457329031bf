"""From use and days to priced lines."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from .meters import Weights, worst
from .money import round_cent, round_to
from .timeline import Timeline, count_days, days_in_year, new_years, split

#: Resolution of the use in a tier, GJ.
STEP = Decimal("0.001")

#: Order of the lines of one period on the bill.
COMPONENTS = ("heat", "cooling", "standing", "metering", "delivery_set")


class MissingPrice(Exception):
    """Nobody has decided what this costs on this day."""

    def __init__(self, component, day):
        super().__init__(component, day)
        self.component = component
        self.day = day


@dataclass(frozen=True)
class Price:
    """What one unit costs, including VAT.

    :param unit: ``gj``, or ``year`` for a charge per calendar year
    :param tier_from: use in a year (GJ) from which the price holds
    :param tier_to: use in a year (GJ) up to which it holds, None: without end
    """

    component: str
    unit: str
    amount: Decimal
    tier_from: Decimal = Decimal(0)
    tier_to: Decimal | None = None


@dataclass(frozen=True)
class Supply:
    """What was delivered to one payer at one address.

    :param start: first day
    :param end: last day
    :param meters: tuple of :class:`MeterPeriod`
    :param prices: {component: Timeline of tuples of :class:`Price`}
    :param vat: {component: Timeline of VAT in percent}; the date of supply decides
    :param tier_proration: ``days``: the bounds of tiers shrink with the days of a
        period; ``none``: a part of a year has the bounds of the whole year
    """

    start: date
    end: date
    meters: tuple
    prices: dict
    vat: dict
    weights: Weights = field(default_factory=Weights)
    tier_proration: str = "days"


@dataclass(frozen=True)
class Line:
    """One line of a bill. ``quantity`` is in GJ, or in days of ``year_days``.

    A line with the unit ``share`` is a part of an actual cost: ``quantity`` of
    ``whole`` (GJ, days, or m² times days) of the ``price`` that all pay together.
    ``cost`` tells which cost. A line of a correction has as its ``amount`` what is
    still to be paid or given back, and as ``billed`` what was billed for it before.
    """

    component: str
    start: date
    end: date
    unit: str
    quantity: Decimal
    price: Decimal
    amount: Decimal
    vat_rate: Decimal
    year_days: int
    basis: str = "measured"
    tier_from: Decimal = Decimal(0)
    cost: int = 0
    whole: Decimal = Decimal(0)
    billed: Decimal = Decimal("0.00")

    @property
    def key(self):
        """What makes it the same line when it is worked out again."""
        return (
            self.component,
            self.start,
            self.end,
            self.unit,
            self.vat_rate,
            self.tier_from,
            self.cost,
        )


def rate_supply(supply):
    """Price a supply.

    A component is cut at each first of January and where its own price or VAT
    changes, and nowhere else.

    :return: list of :class:`Line`, in the order of the bill
    :raise MissingPrice: a component without a price or VAT rate on some day
    :raise MissingReading: a register is not known on both sides of a cut
    """
    lines = []
    for component, timeline in supply.prices.items():
        vat = supply.vat.get(component, Timeline(()))
        cuts = (
            new_years(supply.start, supply.end)
            + timeline.changes(supply.start, supply.end)
            + vat.changes(supply.start, supply.end)
        )
        used = {}
        for start, end in split(supply.start, supply.end, cuts):
            prices, rate = timeline.at(start), vat.at(start)
            if not prices or rate is None:
                raise MissingPrice(component, start)
            lines += _rate_period(supply, component, prices, rate, start, end, used)
    return sorted(
        lines,
        key=lambda line: (
            line.start.year,
            COMPONENTS.index(line.component),
            line.unit != "gj",
            line.start,
            line.tier_from,
        ),
    )


def _rate_period(supply, component, prices, rate, start, end, used):
    days, year_days = count_days(start, end), days_in_year(start)
    fixed = [price for price in prices if price.unit == "year"]
    tiers = sorted((p for p in prices if p.unit == "gj"), key=lambda p: p.tier_from)
    for price in fixed:
        yield Line(
            component,
            start,
            end,
            "year",
            Decimal(days),
            price.amount,
            round_cent(price.amount * days / year_days),
            rate,
            year_days,
        )
    if not tiers:
        return
    quantity, basis = get_use(supply, component, start, end)
    part = Decimal(1)
    if supply.tier_proration == "days":
        part = Decimal(days) / year_days
        used = {}
    before = used.get(start.year, Decimal(0))
    used[start.year] = before + quantity
    for price, share in share_tiers(tiers, part, before, quantity):
        yield Line(
            component,
            start,
            end,
            "gj",
            share,
            price.amount,
            round_cent(share * price.amount),
            rate,
            year_days,
            basis,
            price.tier_from,
        )


def share_tiers(tiers, part, before, quantity):
    """(price, GJ) per tier; a tier without use is left out, unless all are."""
    shares, low, high = [], before, before + quantity
    for price in tiers:
        floor = price.tier_from * part
        roof = high if price.tier_to is None else price.tier_to * part
        shares.append((price, max(Decimal(0), min(high, roof) - max(low, floor))))
    # The bounds of a part of a year are no whole steps: the last tier in use takes
    # what rounding leaves, so that the tiers add up to the use.
    shares = [(price, round_to(share, STEP)) for price, share in shares]
    in_use = [index for index, (_price, share) in enumerate(shares) if share] or [0]
    price, share = shares[in_use[-1]]
    rest = quantity - sum(share for _price, share in shares)
    shares[in_use[-1]] = (price, share + rest)
    return [shares[index] for index in in_use]


def get_use(supply, component, start, end):
    """(GJ, basis) of all meters of a component in a period."""
    total, bases = Decimal(0), []
    for meter in supply.meters:
        overlap = meter.component == component and meter.overlap(start, end)
        if overlap:
            quantity, basis = meter.use(*overlap, supply.weights)
            total += quantity
            bases.append(basis)
    return total, worst(bases)
