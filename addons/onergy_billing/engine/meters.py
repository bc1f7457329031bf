"""Use of heat from register values."""

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from .money import round_to
from .timeline import ONE_DAY

#: From good to bad: what is only as good as its worst part takes the last of these.
BASES = ("measured", "estimated", "calculated")

#: A register that falls from above this part of its capacity has started again at 0.
ROLL_OVER_FROM = Decimal("0.9")


class MissingReading(Exception):
    """No reading on one side of a day on which the register must be known."""

    def __init__(self, serial, day):
        super().__init__(serial, day)
        self.serial = serial
        self.day = day


def worst(bases):
    """The basis of a figure that is made of figures with these bases."""
    return max(bases, key=BASES.index, default="measured")


@dataclass(frozen=True)
class Weights:
    """How a difference between two readings is shared out over the days.

    Degree days below 18 °C, weighted 0.8 from April to September, 1.0 in March and
    October and 1.1 from November to February (the usual Dutch weighting). What is
    used for hot water does not follow the weather: ``even_share`` of the difference
    is spread evenly over the days.
    """

    by_day: dict = field(default_factory=dict)
    even_share: Decimal = Decimal(0)

    def share(self, start, day, end):
        """Part of a difference that falls between ``start`` and ``day``."""
        even = Decimal((day - start).days) / (end - start).days
        before = self._sum(start, day)
        after = self._sum(day, end)
        if before is None or after is None or not before + after:
            return even
        weighed = before / (before + after)
        return self.even_share * even + (1 - self.even_share) * weighed

    def _sum(self, start, end):
        """Weight of the days from ``start`` up to ``end``; None if one is unknown."""
        total = Decimal(0)
        while start < end:
            weight = self.by_day.get(start)
            if weight is None:
                return None
            total += weight
            start += ONE_DAY
        return total


@dataclass(frozen=True)
class Reading:
    """Value of a register (GJ) at 00:00 of a day."""

    day: date
    value: Decimal
    origin: str = "file"


@dataclass(frozen=True)
class Mark:
    """Value of a register on a day that matters on the bill."""

    serial: str
    day: date
    value: Decimal
    basis: str
    origin: str = ""


@dataclass(frozen=True)
class MeterPeriod:
    """A meter at an address.

    :param serial: the number on the meter
    :param start: first day
    :param end: the day after the last one, or None while it hangs
    :param readings: tuple of :class:`Reading`, one a day at most
    :param step: smallest step of the register, GJ
    :param capacity: value at which the register starts again at zero, GJ, or None
    :param component: which price its use is billed at
    """

    serial: str
    start: date
    end: date | None
    readings: tuple
    step: Decimal = Decimal("0.001")
    capacity: Decimal | None = None
    component: str = "heat"

    def overlap(self, start, end):
        """(first day, day after the last) within a period, or None."""
        first = max(self.start, start)
        until = end + ONE_DAY if self.end is None else min(self.end, end + ONE_DAY)
        return (first, until) if first < until else None

    def mark(self, day, weights):
        """The register at 00:00 of ``day``, worked out where it was not read.

        :raise MissingReading: there is no reading before or none after it
        """
        total, basis, origin = self._total(day, weights)
        value = total % self.capacity if self.capacity else total
        return Mark(self.serial, day, value, basis, origin)

    def use(self, first, until, weights):
        """(GJ, basis) from 00:00 of ``first`` to 00:00 of ``until``."""
        before, basis, _origin = self._total(first, weights)
        after, basis_after, _origin = self._total(until, weights)
        return after - before, worst((basis, basis_after))

    def _totals(self):
        """Readings in order, counted on where the register started again at zero."""
        turns, previous, rows = Decimal(0), None, []
        for reading in sorted(self.readings, key=lambda r: r.day):
            if (
                self.capacity
                and previous is not None
                and reading.value < previous
                and previous > self.capacity * ROLL_OVER_FROM
            ):
                turns += self.capacity
            rows.append((reading.day, reading.value + turns, reading.origin))
            previous = reading.value
        return rows

    def _total(self, day, weights):
        rows = self._totals()
        index = bisect_left(rows, day, key=lambda row: row[0])
        if index < len(rows) and rows[index][0] == day:
            origin = rows[index][2]
            basis = "estimated" if origin == "estimate" else "measured"
            return rows[index][1], basis, origin
        if not index or index == len(rows):
            raise MissingReading(self.serial, day)
        (start, low, _), (end, high, _) = rows[index - 1], rows[index]
        part = round_to((high - low) * weights.share(start, day, end), self.step)
        return low + min(max(part, 0), high - low), "calculated", ""
