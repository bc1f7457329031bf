from calendar import monthrange

from odoo import models
from odoo.tools import SQL

from .onergy_contract_use import get_days, get_year_before

#: Weighted degree days of an average year in De Bilt (1991-2020), per mille a month.
YEAR_WEIGHTS = (173, 154, 125, 68, 41, 19, 9, 10, 29, 78, 128, 165)
#: Fewer days than this say nothing of the difference between two winters.
COMPARED_DAYS = 14
#: Days of this year from which the rest of it is foretold.
FORECAST_DAYS = 60
SUMMER = (6, 7, 8)


class OnergyContract(models.Model):
    """Use in relation to the weather."""

    _inherit = "onergy.contract"

    def _describe_corrected(self, use, start, last_day):
        """The period so far beside a year before, as if both were equally cold.

        What goes with the weather is compared per weighted degree day; hot water,
        taken from the days of June until August, is left out of it. Empty unless both
        periods and all their temperatures are known.

        :param dict use: as of :meth:`_get_use_by_day`
        """
        known = [day for day in get_days(start, last_day) if day in use]
        before = [get_year_before(day) for day in known]
        if len(known) < COMPARED_DAYS or not all(day in use for day in before):
            return ""
        cold, cold_before = self._get_degree_days(known, before)
        if not cold or not cold_before:
            return ""
        base = self._get_hot_water(use)
        now = sum(float(use[day][0]) - base for day in known) / cold
        then = sum(float(use[day][0]) - base for day in before) / cold_before
        if now <= 0 or then <= 0:
            return ""
        return self._describe_corrected_percent(round(100 * (now / then - 1)))

    def _describe_corrected_percent(self, percent):
        if percent > 0:
            return self.env._(
                "Corrected for the weather you use %(percent)s%% more.", percent=percent
            )
        if percent < 0:
            return self.env._(
                "Corrected for the weather you use %(percent)s%% less.",
                percent=-percent,
            )
        return self.env._("Corrected for the weather you use as much.")

    def _get_hot_water(self, use):
        """GJ a day that do not depend on the weather: the average of the summer."""
        summer = [float(use[day][0]) for day in use if day.month in SUMMER]
        return sum(summer) / len(summer) if summer else 0.0

    def _get_degree_days(self, days, before):
        """Weighted degree days of two lists of days; ``None`` when one is unknown."""
        station = self.complex_id.weather_station
        weighted = dict(
            self.env.execute_query(
                SQL(
                    "SELECT date, weighted::float8 FROM onergy_degree_day "
                    "WHERE station = %s AND date = ANY(%s)",
                    station or "",
                    [*days, *before],
                )
            )
        )
        if not all(day in weighted for day in [*days, *before]):
            return None, None
        return sum(weighted[day] for day in days), sum(weighted[day] for day in before)

    def _get_forecast(self, use, last_day):
        """GJ of this calendar year if the rest is an average one, else ``None``.

        The share of the year that has passed is weighed by average degree days. Only
        where this contract covers the year from its first day and sixty days of it.
        """
        first = last_day.replace(month=1, day=1)
        if self.date_start > first or self.date_end:
            return None
        known = [day for day in use if first <= day <= last_day]
        if len(known) < FORECAST_DAYS:
            return None
        share = sum(
            YEAR_WEIGHTS[day.month - 1] / monthrange(day.year, day.month)[1]
            for day in known
        ) / sum(YEAR_WEIGHTS)
        return sum(float(use[day][0]) for day in known) / share
