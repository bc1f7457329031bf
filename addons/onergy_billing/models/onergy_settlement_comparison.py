from datetime import date, timedelta
from decimal import Decimal

from dateutil.relativedelta import relativedelta

from odoo import api, models
from odoo.tools import SQL

from ..engine import Weights
from ..engine.timeline import ONE_DAY


class OnergySettlementCalculator(models.AbstractModel):
    """What a use is compared with: that of a year before, and of similar homes."""

    _inherit = "onergy.settlement.calculator"

    @api.model
    def _get_comparisons(self, periods):
        """Use of the same days a year before, as if the weather had been this year's.

        :param dict periods: by index
        :return: {index: GJ}; nothing where that year was not this payer's or is not
            known completely
        """
        keys = [
            (index, period.contract.connection_id.id, *self._a_year_before(period))
            for index, period in periods.items()
            if period.contract.date_start <= self._a_year_before(period)[0]
        ]
        if not keys:
            return {}
        rows = self.env.execute_query(
            SQL(
                """
                SELECT k.index, sum(d.quantity)::text, count(DISTINCT d.day)
                  FROM (VALUES %s) k(index, connection_id, first, last)
                  JOIN onergy_meter_placement p ON p.connection_id = k.connection_id
                  JOIN onergy_consumption_day d
                    ON d.meter_id = p.meter_id AND d.register = 'energy'
                   AND d.connection_id = k.connection_id
                   AND d.day BETWEEN GREATEST(k.first::date, p.date_from)
                                 AND LEAST(k.last::date, p.date_to)
                 GROUP BY k.index
                """,
                SQL(", ").join(SQL("(%s, %s, %s, %s)", *key) for key in keys),
            )
        )
        result, factors = {}, {}
        for index, quantity, days in rows:
            period = periods[index]
            first, last = self._a_year_before(period)
            if days < (last - first).days + 1:
                continue
            key = (period.contract.complex_id.weather_station, period.start, period.end)
            if key not in factors:
                factors[key] = self._get_weather_factor(period)
            result[index] = Decimal(quantity) * factors[key]
        return result

    @api.model
    def _get_averages(self, periods):
        """What similar homes used on average, as ``onergy.peer.use`` tells it.

        Of the first and the last month only a part may be asked: that is taken by
        weighted degree days where these are known, else by days.

        :param dict periods: by index
        :return: {index: GJ}; nothing where a month has no group of ten or more payers
        """
        homes = self.env["onergy.connection"].union(
            *(period.contract.connection_id for period in periods.values())
        )
        if not homes:
            return {}
        averages = self.env["onergy.peer.use"]._get_averages(
            homes,
            min(period.start.replace(day=1) for period in periods.values()),
            max(period.end for period in periods.values()),
        )
        weights, result = {}, {}
        for index, period in periods.items():
            total = Decimal(0)
            for month in self._get_months(period):
                average = averages.get((period.contract.connection_id.id, month))
                if average is None:
                    break
                total += self._take_part(period, month, average, weights)
            else:
                result[index] = total
        return result

    @api.model
    def _get_months(self, period):
        """First days of the months that a period touches."""
        month = period.start.replace(day=1)
        while month <= period.end:
            yield month
            month += relativedelta(months=1)

    def _take_part(self, period, month, average, weights):
        """The part of a month's average that falls in a period, in GJ."""
        average = self.env["onergy.tariff"]._to_decimal(average, 3)
        first, until = month, month + relativedelta(months=1)
        start, end = max(first, period.start), min(until, period.end + ONE_DAY)
        if (start, end) == (first, until):
            return average
        key = (period.contract.complex_id.weather_station, month)
        if key not in weights:
            weights[key] = Weights(self._get_degree_days(*key, until))
        before = weights[key].share(first, start, until) if start > first else 0
        up_to = weights[key].share(first, end, until) if end < until else 1
        return average * (up_to - before)

    def _a_year_before(self, period):
        days = period.end - period.start
        first = self._minus_year(period.start)
        return first, first + days

    @api.model
    def _minus_year(self, day):
        last_year = day.year - 1
        is_leap_day = (day.month, day.day) == (2, 29)
        return date(last_year, 2, 28) if is_leap_day else day.replace(year=last_year)

    def _get_weather_factor(self, period):
        """Cold of the period over cold a year before; 1 when either is not known."""
        station = period.contract.complex_id.weather_station
        first, last = self._a_year_before(period)
        days = self._get_degree_days(station, first, period.end)
        now = self._sum_days(days, period.start, period.end)
        before = self._sum_days(days, first, last)
        return now / before if now and before else Decimal(1)

    @api.model
    def _sum_days(self, values, first, last):
        """Sum from first to last day; None when one is missing."""
        total, day = Decimal(0), first
        while day <= last:
            if day not in values:
                return None
            total += values[day]
            day += timedelta(days=1)
        return total
