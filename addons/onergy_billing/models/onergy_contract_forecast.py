from decimal import Decimal

from dateutil.relativedelta import relativedelta

from odoo import fields, models
from odoo.tools import SQL

from ..engine import advance_advice, advance_band, year_cost
from ..engine.forecast import MONTHS

#: Days of use that must be known to tell a year from them.
HISTORY_DAYS = 300


class OnergyContract(models.Model):
    """What a year of heat will take and cost, and the advance that follows."""

    _inherit = "onergy.contract"

    def _get_current_prices(self, day, tariffs=None):
        """{component: tuple of Price} that hold for this contract on ``day``.

        :param tariffs: those of its complex, where many contracts share them
        """
        self.ensure_one()
        Tariff = self.env["onergy.tariff"]
        if tariffs is None:
            tariffs = Tariff._get_tariffs(self.complex_id)
        timelines = Tariff._get_price_timelines(
            self.connection_id, tariffs, self._get_parts()[0]
        )
        return {name: timeline.at(day, ()) for name, timeline in timelines.items()}

    def _get_forecasts(self, today=None):
        """Use of a year from now, per contract.

        From the contract's own last year, as it would have been in average weather;
        else the average of homes of the same kind; else nothing.

        :return: {contract: (GJ, basis)} with basis ``history`` or ``dwelling``
        """
        today = today or fields.Date.context_today(self)
        history = self._get_history(today)
        averages = self._get_dwelling_averages(today)
        result = {}
        for contract in self:
            average = averages.get(contract.connection_id.dwelling_type)
            if contract.id in history:
                result[contract] = (history[contract.id], "history")
            elif average is not None:
                result[contract] = (average, "dwelling")
        return result

    def _get_history(self, today):
        """{contract id: GJ of a year}, corrected to the average of known years."""
        first = today - relativedelta(years=1)
        self.env.flush_all()
        rows = self.env.execute_query(
            SQL(
                """
                SELECT c.id, x.weather_station, sum(d.quantity)::text,
                       count(DISTINCT d.day), min(d.day), max(d.day)
                  FROM onergy_contract c
                  JOIN onergy_complex x ON x.id = c.complex_id
                  JOIN onergy_meter_placement p ON p.connection_id = c.connection_id
                  JOIN onergy_consumption_day d
                    ON d.meter_id = p.meter_id AND d.register = 'energy'
                   AND d.connection_id = c.connection_id
                   AND d.day >= GREATEST(%(first)s, c.date_start) AND d.day < %(today)s
                 WHERE c.id = ANY(%(ids)s)
                 GROUP BY c.id, x.weather_station
                HAVING count(DISTINCT d.day) >= %(days)s
                """,
                first=first,
                today=today,
                ids=self.ids,
                days=HISTORY_DAYS,
            )
        )
        factors, result = {}, {}
        for contract_id, station, quantity, days, low, high in rows:
            key = (station, low, high)
            if key not in factors:
                factors[key] = self._get_normal_factor(station, low, high)
            factor = factors[key] or Decimal(365) / days
            use = Decimal(quantity) * factor
            result[contract_id] = use.quantize(Decimal("0.001"))
        return result

    def _get_cooling_uses(self, today=None):
        """{contract id: GJ of cooling in a year}, from the last year that is known.

        As it was: cooling does not follow the degree days of heating.
        """
        today = today or fields.Date.context_today(self)
        self.env.flush_all()
        rows = self.env.execute_query(
            SQL(
                """
                SELECT c.id, sum(d.quantity)::text, count(DISTINCT d.day)
                  FROM onergy_contract c
                  JOIN onergy_meter_placement p ON p.connection_id = c.connection_id
                  JOIN onergy_consumption_day d
                    ON d.meter_id = p.meter_id AND d.register = 'cooling'
                   AND d.connection_id = c.connection_id
                   AND d.day >= GREATEST(%(first)s, c.date_start) AND d.day < %(today)s
                 WHERE c.id = ANY(%(ids)s)
                 GROUP BY c.id
                HAVING count(DISTINCT d.day) >= %(days)s
                """,
                first=today - relativedelta(years=1),
                today=today,
                ids=self.ids,
                days=HISTORY_DAYS,
            )
        )
        return {
            contract_id: (Decimal(use) * 365 / days).quantize(Decimal("0.001"))
            for contract_id, use, days in rows
        }

    def _get_normal_factor(self, station, first, last):
        """Degree days of an average year over those of some days; None if unknown."""
        self.env["onergy.degree.day"].flush_model()
        ((actual, normal),) = self.env.execute_query(
            SQL(
                """
                SELECT (SELECT sum(weighted)::text FROM onergy_degree_day
                         WHERE station = %(station)s
                           AND date BETWEEN %(first)s AND %(last)s),
                       (SELECT avg(year)::text FROM (
                            SELECT sum(weighted) AS year FROM onergy_degree_day
                             WHERE station = %(station)s
                             GROUP BY extract(year FROM date)
                            HAVING count(*) >= 365) years)
                """,
                station=station,
                first=first,
                last=last,
            )
        )
        if not actual or not normal or not Decimal(actual):
            return None
        return Decimal(normal) / Decimal(actual)

    def _get_dwelling_averages(self, today):
        """{dwelling type: GJ a year} over homes of the company with a whole year."""
        rows = self.env.execute_query(
            SQL(
                """
                SELECT dwelling_type, avg(use)::text
                  FROM (
                    SELECT c.id, c.dwelling_type, sum(d.quantity) AS use
                      FROM onergy_connection c
                      JOIN onergy_meter_placement p ON p.connection_id = c.id
                      JOIN onergy_consumption_day d
                        ON d.meter_id = p.meter_id AND d.register = 'energy'
                       AND d.connection_id = c.id
                       AND d.day >= %s AND d.day < %s
                     WHERE c.company_id = ANY(%s)
                     GROUP BY c.id HAVING count(DISTINCT d.day) >= 350
                  ) homes
                 GROUP BY dwelling_type HAVING count(*) >= 10
                """,
                today - relativedelta(years=1),
                today,
                self.company_id.ids,
            )
        )
        return {kind: Decimal(use).quantize(Decimal("0.001")) for kind, use in rows}

    def _get_advance_advice(self, today=None):
        """What a resident may know about his advance.

        :return: dict with ``use`` (GJ), ``basis``, ``cost`` (a year), ``advice``,
            ``low`` and ``high`` (a month), all Decimal; empty when there is no forecast
            or no price
        """
        self.ensure_one()
        today = today or fields.Date.context_today(self)
        forecast = self._get_forecasts(today).get(self)
        if self.complex_id._is_by_costs():
            return self._get_cost_advices().get(self, {})
        prices = self._get_current_prices(today)
        if not forecast or not all(prices.values()):
            return {}
        cooling = self._get_cooling_uses(today).get(self.id)
        return self._prepare_advice(*forecast, prices, cooling)

    def _get_cost_advices(self):
        """What a year costs by the last bill of actual costs.

        :return: {contract: dict as of :meth:`_get_advance_advice`} with the basis
            ``costs``; nothing for a contract without such a bill of a whole year
        """
        bills = self.env["onergy.settlement"].search(
            [
                ("contract_id", "in", self.ids),
                ("state", "=", "posted"),
                ("original_id", "=", False),
                ("cost_share_id", "!=", False),
                ("advance_advice", ">", 0),
            ],
            order="date_to, id",
        )
        exact = self.env["onergy.tariff"]._to_decimal
        result = {}
        for bill in bills:  # the last one of a contract stands
            advice = exact(bill.advance_advice, 2)
            low, high = bill._get_advance_band()
            result[bill.contract_id] = {
                "use": exact(bill.use, 3),
                "basis": "costs",
                "cost": advice * MONTHS,
                "advice": advice,
                "low": low,
                "high": high,
            }
        return result

    def _prepare_advice(self, use, basis, prices, cooling=None):
        company = self.company_id
        uses = {"heat": use, "cooling": cooling or Decimal(0)}
        advice = advance_advice(uses, prices)
        low, high = advance_band(
            advice,
            Decimal(company.onergy_advance_below),
            Decimal(company.onergy_advance_above),
        )
        return {
            "use": use,
            "basis": basis,
            "cost": year_cost(uses, prices),
            "advice": advice,
            "low": low,
            "high": high,
        }
