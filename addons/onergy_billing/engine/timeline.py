"""What holds from which day, and periods cut where something changes."""

from bisect import bisect_right
from calendar import isleap
from dataclasses import dataclass
from datetime import date, timedelta

ONE_DAY = timedelta(days=1)


def days_in_year(day):
    """365, or 366 in a leap year."""
    return 366 if isleap(day.year) else 365


def count_days(start, end):
    """Days from ``start`` until ``end``, both included."""
    return (end - start).days + 1


def new_years(start, end):
    """Each first of January after ``start`` and not after ``end``."""
    return [date(year, 1, 1) for year in range(start.year + 1, end.year + 1)]


def split(start, end, boundaries):
    """Cut a period at the days on which something new begins.

    :return: list of (first day, last day)
    """
    cuts = sorted({day for day in boundaries if start < day <= end})
    firsts = [start, *cuts]
    lasts = [day - ONE_DAY for day in cuts] + [end]
    return list(zip(firsts, lasts, strict=True))


@dataclass(frozen=True)
class Timeline:
    """Values that each hold from a day until the next one begins."""

    steps: tuple

    @classmethod
    def of(cls, pairs):
        """:param pairs: (first day, value) in any order"""
        return cls(tuple(sorted(pairs, key=lambda pair: pair[0])))

    def at(self, day, default=None):
        """The value that holds on ``day``."""
        index = bisect_right(self.steps, day, key=lambda pair: pair[0])
        return self.steps[index - 1][1] if index else default

    def changes(self, start, end):
        """Days after ``start`` up to ``end`` on which the value becomes another."""
        return [
            day
            for day, value in self.steps
            if start < day <= end and self.at(day - ONE_DAY) != value
        ]
