from collections import defaultdict
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

from dateutil.relativedelta import relativedelta

from odoo import api, models
from odoo.tools import SQL

from .onergy_contract_weather import SUMMER

#: Days after a month that its overview waits for the temperatures of the month.
WEATHER_DAYS = 10
ONE_YEAR = relativedelta(years=1)
GJ = Decimal("0.001")


class OnergyOverviewBuilder(models.AbstractModel):
    """The figures of the monthly overview, for many contracts at once.

    A batch takes the same number of queries whatever its size.
    """

    _name = "onergy.overview.builder"
    _description = "Figures of the monthly overview"

    @api.model
    def _get_complete(self, company, month, today, limit):
        """Contracts whose month is complete and that have no overview of it yet.

        Complete: every day that the contract covers, of every heat meter that hung
        there, is known, and so are the temperatures (or they are long overdue).
        """
        last = month + relativedelta(day=31)
        self.env.flush_all()
        rows = self.env.execute_query(
            SQL(
                """
                SELECT c.id
                  FROM onergy_contract c
                  JOIN onergy_complex x ON x.id = c.complex_id
                 CROSS JOIN LATERAL (
                       SELECT GREATEST(c.date_start, %(first)s) AS low,
                              LEAST(COALESCE(c.date_end, %(last)s), %(last)s) AS high
                       ) span
                 CROSS JOIN LATERAL (
                       SELECT sum(p.high - p.low + 1) AS wanted, sum(p.known) AS known
                         FROM (SELECT GREATEST(p.date_from, span.low) AS low,
                                      LEAST(COALESCE(p.date_to, span.high), span.high)
                                          AS high,
                                      (SELECT count(*) FROM onergy_consumption_day d
                                        WHERE d.meter_id = p.meter_id
                                          AND d.register = 'energy'
                                          AND d.connection_id = c.connection_id
                                          AND d.day BETWEEN
                                              GREATEST(p.date_from, span.low) AND
                                              LEAST(COALESCE(p.date_to, span.high),
                                                    span.high)) AS known
                                 FROM onergy_meter_placement p
                                 JOIN onergy_meter m ON m.id = p.meter_id
                                WHERE p.connection_id = c.connection_id
                                  AND m.medium NOT IN ('cooling', 'water')
                                  AND p.date_from <= span.high
                                  AND COALESCE(p.date_to, span.high) >= span.low) p
                       ) days
                 WHERE c.active AND c.company_id = %(company)s AND c.role <> 'vacancy'
                   AND span.low <= span.high
                   AND days.wanted >= span.high - span.low + 1
                   AND days.known = days.wanted
                   AND (%(today)s > %(last)s + %(patience)s OR (
                        SELECT count(*) FROM onergy_degree_day w
                         WHERE w.station = x.weather_station
                           AND w.date BETWEEN %(first)s AND %(last)s) = %(days)s)
                   AND NOT EXISTS (
                       SELECT 1 FROM onergy_month_overview o
                        WHERE o.contract_id = c.id AND o.month = %(first)s)
                 ORDER BY c.id LIMIT %(limit)s
                """,
                first=month,
                last=last,
                days=last.day,
                company=company.id,
                today=today,
                patience=WEATHER_DAYS,
                limit=limit,
            )
        )
        return self.env["onergy.contract"].browse([row[0] for row in rows])

    @api.model
    def _get_figures(self, contracts, month):
        """What each overview tells: ``{contract id: figures}``.

        Figures are exact decimals as text, ``None`` where nothing is known: ``use``,
        ``before`` (the same days a year ago), ``corrected`` (those as if they had been
        as cold), ``peers`` (similar homes), all in GJ; ``price`` (of the last GJ),
        ``heat_cost`` and ``fixed_cost`` in euros including VAT; ``co2`` in kg;
        ``estimated`` days.
        """
        last = month + relativedelta(day=31)
        year = self._get_use(contracts, month.replace(month=1), last)
        now = {
            contract_id: {day: use for day, use in days.items() if day >= month}
            for contract_id, days in year.items()
        }
        before = self._get_use(contracts, month - ONE_YEAR, last - ONE_YEAR)
        base = self._get_summer_use(contracts, month)
        cold = self._get_cold(contracts.complex_id, month, last)
        prices = contracts._get_heat_prices(month.replace(month=1), last)
        fixed = contracts._get_fixed_costs(month, last)
        mixes = self.env["onergy.energy.mix"]._get_in_force(contracts.complex_id, last)
        peers = self.env["onergy.peer.use"]._get_averages(
            contracts.connection_id, month, month
        )
        result = {}
        for contract in contracts:
            days = now[contract.id]
            figures = {
                "use": sum(quantity for quantity, _estimated in days.values()),
                "estimated": sum(estimated for _quantity, estimated in days.values()),
                **self._compare(
                    days,
                    before[contract.id],
                    base.get(contract.id, Decimal(0)),
                    cold[contract.complex_id.weather_station],
                ),
                **self._get_costs(contract, year[contract.id], days, prices),
                "fixed_cost": fixed.get(contract.id),
            }
            whole = contract.date_start <= month and not (
                contract.date_end and contract.date_end < last
            )
            average = peers.get((contract.connection_id.id, month))
            figures["peers"] = Decimal(str(average)) if whole and average else None
            mix = mixes.get(contract.complex_id)
            figures["co2"] = (
                (figures["use"] * Decimal(str(mix.emission))).quantize(
                    Decimal("0.1"), ROUND_HALF_UP
                )
                if mix
                else None
            )
            result[contract.id] = {
                name: f"{value:f}" if isinstance(value, Decimal) else value
                for name, value in figures.items()
            }
        return result

    def _get_use(self, contracts, first, last):
        """{contract id: {day: (Decimal GJ, is estimated)}} on the contract's days."""
        result = {contract.id: {} for contract in contracts}
        for contract_id, day, quantity, estimated in self.env.execute_query(
            SQL(
                """
                SELECT c.id, d.day, sum(d.quantity)::text,
                       bool_or(d.quality = 'estimated')
                  FROM onergy_contract c
                  JOIN (SELECT DISTINCT connection_id, meter_id
                          FROM onergy_meter_placement) p
                    ON p.connection_id = c.connection_id
                  JOIN onergy_consumption_day d
                    ON d.meter_id = p.meter_id AND d.register = 'energy'
                   AND d.connection_id = c.connection_id
                   AND d.day BETWEEN %(first)s AND %(last)s
                   AND d.day >= c.date_start
                   AND (c.date_end IS NULL OR d.day <= c.date_end)
                 WHERE c.id = ANY(%(ids)s)
                 GROUP BY c.id, d.day
                """,
                first=first,
                last=last,
                ids=contracts.ids,
            )
        ):
            result[contract_id][day] = (Decimal(quantity), estimated)
        return result

    def _get_summer_use(self, contracts, month):
        """{contract id: GJ a day of hot water}, as the two summers before tell."""
        return {
            contract_id: Decimal(quantity) / days
            for contract_id, quantity, days in self.env.execute_query(
                SQL(
                    """
                    SELECT c.id, sum(m.quantity)::text, sum(m.days)
                      FROM onergy_contract c
                      JOIN onergy_consumption_month m
                        ON m.connection_id = c.connection_id AND m.register = 'energy'
                       AND m.month = ANY(%(months)s) AND m.month >= c.date_start
                     WHERE c.id = ANY(%(ids)s)
                     GROUP BY c.id HAVING sum(m.days) > 0
                    """,
                    months=[
                        day
                        for day in (month - relativedelta(months=n) for n in range(24))
                        if day.month in SUMMER
                    ],
                    ids=contracts.ids,
                )
            )
        }

    def _get_cold(self, complexes, first, last):
        """{station: {day: weighted degree days}} of the month and a year before."""
        result = defaultdict(dict)
        for station, day, weighted in self.env.execute_query(
            SQL(
                """
                SELECT station, date, weighted::text FROM onergy_degree_day
                 WHERE station = ANY(%(stations)s)
                   AND (date BETWEEN %(first)s AND %(last)s
                     OR date BETWEEN %(first_before)s AND %(last_before)s)
                """,
                stations=[s for s in set(complexes.mapped("weather_station")) if s],
                first=first,
                last=last,
                first_before=first - ONE_YEAR,
                last_before=last - ONE_YEAR,
            )
        ):
            result[station][day] = Decimal(weighted)
        return result

    def _compare(self, days, before, base, cold):
        """The same days a year ago, as they were and as if they had been as cold.

        What is more than hot water goes with the degree days. Both ``None`` unless
        all days a year ago are this contract's and known.
        """
        days_before = {day - ONE_YEAR for day in days}
        if not days_before <= before.keys():
            return {"before": None, "corrected": None}
        total = sum(before[day][0] for day in days_before)
        if not days.keys() | days_before <= cold.keys():
            return {"before": total, "corrected": None}
        now, then = (sum(cold[day] for day in some) for some in (days, days_before))
        heating = max(total - base * len(days_before), Decimal(0))
        factor = now / then if then else Decimal(1)
        corrected = total - heating + heating * factor
        return {"before": total, "corrected": corrected.quantize(GJ, ROUND_HALF_UP)}

    def _get_costs(self, contract, year, days, prices):
        """Heat of the month at the price of each day; ``None`` when a day has none."""
        first = contract._get_tier_start(min(days))
        quantities = {day: use[0] for day, use in year.items() if day >= first}
        costs = contract._price_days(quantities, prices.get(contract.id, []))
        if not days.keys() <= costs.keys():
            return {"price": None, "heat_cost": None}
        last = max(days)
        total = sum(costs[day] for day in days)
        return {
            "price": self._get_last_price(prices[contract.id], last, quantities),
            "heat_cost": total.quantize(Decimal("0.01"), ROUND_HALF_UP),
        }

    def _get_last_price(self, periods, last, quantities):
        used = sum(gj for day, gj in quantities.items() if day.year == last.year)
        tiers = next(tiers for low, high, tiers in periods if low <= last <= high)
        return [price for floor, price in tiers if floor <= used][-1]

    @api.model
    def _get_first_months(self, company, today):
        """Months whose overview may still have to be made, the oldest first."""
        this_month = today.replace(day=1)
        start = company.onergy_overview_from
        months = [this_month - relativedelta(months=n) for n in (3, 2, 1)]
        return [month for month in months if start and month >= start]

    @api.model
    def _is_due(self, month, today, delay):
        """Late readings have had some days to come in."""
        return today >= month + relativedelta(months=1) + timedelta(days=delay)
