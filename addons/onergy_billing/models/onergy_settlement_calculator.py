from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from odoo import api, models
from odoo.tools import SQL, format_date

from odoo.addons.onergy_metering.parsers.units import UNITS

from ..engine import (
    Advance,
    Bill,
    MeterPeriod,
    MissingPrice,
    MissingReading,
    Reading,
    Supply,
    Weights,
    rate_supply,
)
from ..engine.timeline import ONE_DAY, new_years

#: Components that meters measure, by the register that counts for them.
REGISTER_COMPONENTS = {"energy": "heat", "cooling": "cooling"}
MEDIUM_REGISTERS = {
    "heat": ("energy",),
    "cooling": ("cooling",),
    "heat_cooling": ("energy", "cooling"),
}


@dataclass
class Period:
    """What is asked: a contract's days, and the readings if they were used before."""

    contract: object
    start: date
    end: date
    snapshot: list | None = None


@dataclass
class Result:
    """What came out; ``bill`` is None when there are errors."""

    period: Period
    bill: Bill | None = None
    marks: list = field(default_factory=list)
    snapshot: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    advances: list = field(default_factory=list)


class OnergySettlementCalculator(models.AbstractModel):
    """Bring readings, prices and advances of many contracts to the engine.

    The number of queries depends on the number of complexes and of different periods,
    not on the number of contracts.
    """

    _name = "onergy.settlement.calculator"
    _description = "Calculation of settlements"

    @api.model
    def _calculate(self, periods, with_advances=True, as_of=None):
        """Work out what each period costs.

        :param periods: list of :class:`Period`, all of one company
        :param as_of: take settlements after this day as not made
        :return: list of :class:`Result` in the same order
        """
        if not periods:
            return []
        prices = self._get_prices(periods)
        vat = self.env["onergy.vat.rate"]._get_timelines()
        meters = self._get_meters(periods, prices, vat)
        weights = self._get_weights(periods, meters)
        advances = self._get_advances(periods, as_of) if with_advances else {}
        results = []
        for index, period in enumerate(periods):
            supply = Supply(
                period.start,
                period.end,
                tuple(meters[index]),
                prices[index][0],
                vat,
                weights[period.contract.complex_id.weather_station],
                period.contract.company_id.onergy_tier_proration,
            )
            result = Result(period, errors=list(prices[index][1]))
            result.advances = advances.get(index, [])
            self._settle(supply, result)
            results.append(result)
        return results

    def _settle(self, supply, result):
        heated = "heat" in supply.prices
        if heated and not any(
            meter.component == "heat" and meter.overlap(supply.start, supply.end)
            for meter in supply.meters
        ):
            result.errors.append(
                self.env._("No meter hangs at this address in this period.")
            )
        try:
            lines = rate_supply(supply)
            result.marks = self._get_marks(supply)
        except MissingPrice as error:
            result.errors.append(
                self.env._(
                    "There is no price or VAT for %(component)s on %(date)s.",
                    component=self._get_label(error.component),
                    date=format_date(self.env, error.day),
                )
            )
        except MissingReading as error:
            result.errors.append(
                self.env._(
                    "Meter %(meter)s has no reading on or beyond %(date)s. Enter a "
                    "reading, or an estimate, in Metering.",
                    meter=error.serial,
                    date=format_date(self.env, error.day),
                )
            )
        if any(rate is None for _move, rate, _day, _net, _vat in result.advances):
            result.errors.append(
                self.env._("An advance invoice has no VAT rate or more than one.")
            )
        result.snapshot = [self._freeze(meter) for meter in supply.meters]
        if not result.errors:
            result.bill = Bill(
                tuple(lines),
                tuple(
                    Advance(day, net, tax, rate)
                    for _move, rate, day, net, tax in result.advances
                ),
            )

    def _get_label(self, component):
        line = self.env["onergy.tariff.line"]
        return dict(line._fields["component"]._description_selection(self.env))[
            component
        ]

    # -- prices --------------------------------------------------------------------

    def _get_prices(self, periods):
        """Per period: ({component: Timeline}, errors)."""
        Tariff = self.env["onergy.tariff"]
        tariffs, timelines = {}, {}
        result = []
        for period in periods:
            home, site = period.contract.connection_id, period.contract.complex_id
            if site not in tariffs:
                tariffs[site] = Tariff._get_tariffs(site)
            key = (site, home._get_service_set(), home.delivery_set_id)
            key += (home.service_cooling,)
            if key not in timelines:
                timelines[key] = Tariff._get_price_timelines(home, tariffs[site])
            result.append((timelines[key], self._get_cap_errors(tariffs[site], period)))
        return result

    def _get_cap_errors(self, tariffs, period):
        """A price above the maximum is not billed: by law it is the maximum."""
        if period.contract.complex_id.regime != "warmtewet":
            return []
        above = self.env["onergy.tariff"]
        for tariff, following in zip(tariffs, [*tariffs[1:], None], strict=True):
            ends = not following or following.valid_from > period.start
            if tariff.valid_from <= period.end and ends and tariff.above_cap_count:
                above |= tariff
        return [
            self.env._(
                "%(tariff)s has prices above the maximum tariff. Make a new version of "
                "it first.",
                tariff=tariff.name,
            )
            for tariff in above
        ]

    # -- meters --------------------------------------------------------------------

    def _get_cuts(self, period, timelines, vat):
        """Days on which registers have to be known, besides those of the meters."""
        cuts = {period.start, period.end + ONE_DAY}
        cuts.update(new_years(period.start, period.end))
        for component in REGISTER_COMPONENTS.values():
            if component in timelines:
                cuts.update(timelines[component].changes(period.start, period.end))
                cuts.update(vat[component].changes(period.start, period.end))
        return cuts

    def _get_meters(self, periods, prices, vat):
        """Per period: list of MeterPeriod with the readings that are needed."""
        placements = self._get_placements(periods)
        needs = set()
        plans = []
        for period, (timelines, _errors) in zip(periods, prices, strict=True):
            cuts = self._get_cuts(period, timelines, vat)
            plan = []
            for placement in placements[period.contract.connection_id.id]:
                first = max(placement.date_from, period.start)
                until = period.end + ONE_DAY
                if placement.date_to:
                    until = min(until, placement.date_to + ONE_DAY)
                if first >= until:
                    continue
                days = {first, until} | {day for day in cuts if first < day < until}
                for register in MEDIUM_REGISTERS.get(placement.meter_id.medium, ()):
                    plan.append((placement, register))
                    needs.update((placement.id, register, day) for day in days)
            plans.append((period, plan))
        readings = self._get_readings(needs)
        return [
            self._merge_snapshot(
                period,
                [
                    self._make_meter(placement, register, readings)
                    for placement, register in plan
                ],
            )
            for period, plan in plans
        ]

    def _get_placements(self, periods):
        found = self.env["onergy.meter.placement"].search(
            [
                (
                    "connection_id",
                    "in",
                    list({p.contract.connection_id.id for p in periods}),
                ),
                ("date_from", "<=", max(p.end for p in periods)),
                "|",
                ("date_to", "=", False),
                ("date_to", ">=", min(p.start for p in periods)),
            ],
            order="date_from, id",
        )
        result = defaultdict(list)
        for placement in found:
            result[placement.connection_id.id].append(placement)
        return result

    def _get_readings(self, needs):
        """{(placement id, register): {day: (GJ, origin, distance)}}

        For each day the reading nearest to its midnight if that is within twelve
        hours, else the one before it and the one after it. A register that starts
        again at zero is followed reading by reading.
        """
        if not needs:
            return {}
        loader = self.env["onergy.reading.loader"]
        self.env["onergy.reading"].flush_model()
        rows = self.env.execute_query(
            SQL(
                """
                SELECT n.placement_id, n.register, r.value::text, r.unit, r.origin,
                       (local + interval '12 hours')::date,
                       abs(extract(epoch FROM local
                           - (local + interval '12 hours')::date::timestamp))
                  FROM (VALUES %(needs)s) n(placement_id, register, moment)
                  JOIN onergy_meter_placement p ON p.id = n.placement_id
                  JOIN onergy_meter m ON m.id = p.meter_id
                 CROSS JOIN LATERAL (
                    (SELECT moment, value, unit, origin FROM onergy_reading
                      WHERE meter_id = p.meter_id AND register = n.register
                        AND superseded IS NOT TRUE AND moment <= n.moment::timestamp
                        AND moment >= p.date_from - interval '14 hours'
                      ORDER BY moment DESC
                      LIMIT CASE WHEN m.register_capacity > 0 THEN 400 ELSE 1 END)
                    UNION ALL
                    (SELECT moment, value, unit, origin FROM onergy_reading
                      WHERE meter_id = p.meter_id AND register = n.register
                        AND superseded IS NOT TRUE AND moment >= n.moment::timestamp
                        AND moment <= COALESCE(p.date_to + interval '34 hours',
                                               'infinity')
                      ORDER BY moment LIMIT 1)
                 ) r
                 CROSS JOIN LATERAL (
                    SELECT r.moment AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Amsterdam'
                        AS local) l
                """,
                needs=SQL(", ").join(
                    SQL("(%s, %s, %s)", placement, register, loader._day_start(day))
                    for placement, register, day in sorted(needs)
                ),
            )
        )
        result = defaultdict(dict)
        for placement, register, value, unit, origin, day, distance in rows:
            known = result[placement, register].get(day)
            if not known or distance < known[2]:
                factor = UNITS[unit][1]
                result[placement, register][day] = (
                    Decimal(value) * factor,
                    origin,
                    distance,
                )
        return result

    def _make_meter(self, placement, register, readings):
        meter = placement.meter_id
        factor = UNITS[meter._get_register_unit(register)][1]
        to_decimal = self.env["onergy.tariff"]._to_decimal
        capacity = meter.register_capacity
        return MeterPeriod(
            meter.serial,
            placement.date_from,
            placement.date_to + ONE_DAY if placement.date_to else None,
            tuple(
                Reading(day, value, origin)
                for day, (value, origin, _distance) in sorted(
                    readings.get((placement.id, register), {}).items()
                )
            ),
            to_decimal(meter.step, 6) * factor,
            to_decimal(capacity, 3) * factor if capacity else None,
            REGISTER_COMPONENTS[register],
        )

    def _merge_snapshot(self, period, meters):
        """Let readings that were billed before stand, whatever came in since."""
        if period.snapshot is None:
            return meters
        current = {(m.serial, m.start, m.component): m for m in meters}
        frozen = []
        for values in period.snapshot:
            meter = self._thaw(values)
            now = current.get((meter.serial, meter.start, meter.component))
            known = {reading.day for reading in meter.readings}
            first, last = min(known, default=None), max(known, default=None)
            extra = tuple(
                reading
                for reading in (now.readings if now else ())
                if known and reading.day not in known and first < reading.day < last
            )
            frozen.append(
                MeterPeriod(
                    meter.serial,
                    meter.start,
                    meter.end,
                    tuple(sorted(meter.readings + extra, key=lambda r: r.day)),
                    meter.step,
                    meter.capacity,
                    meter.component,
                )
            )
        return frozen

    @api.model
    def _freeze(self, meter):
        """A MeterPeriod as JSON."""
        return {
            "serial": meter.serial,
            "start": meter.start.isoformat(),
            "end": meter.end and meter.end.isoformat(),
            "step": str(meter.step),
            "capacity": meter.capacity and str(meter.capacity),
            "component": meter.component,
            "readings": [
                [reading.day.isoformat(), str(reading.value), reading.origin]
                for reading in meter.readings
            ],
        }

    @api.model
    def _thaw(self, values):
        return MeterPeriod(
            values["serial"],
            date.fromisoformat(values["start"]),
            values["end"] and date.fromisoformat(values["end"]),
            tuple(
                Reading(date.fromisoformat(day), Decimal(value), origin)
                for day, value, origin in values["readings"]
            ),
            Decimal(values["step"]),
            values["capacity"] and Decimal(values["capacity"]),
            values["component"],
        )

    def _get_marks(self, supply):
        """Register values for the bill: start, first of January, prices, end."""
        marks = []
        for meter in supply.meters:
            overlap = meter.overlap(supply.start, supply.end)
            timeline = supply.prices.get(meter.component)
            if not overlap or not timeline:
                continue
            first, until = overlap
            days = {first, until, *new_years(first, until - ONE_DAY)}
            days.update(timeline.changes(first, until - ONE_DAY))
            days.update(supply.vat[meter.component].changes(first, until - ONE_DAY))
            marks += [
                (meter.component, meter.mark(day, supply.weights))
                for day in sorted(days)
            ]
        return marks

    # -- weather -------------------------------------------------------------------

    def _get_weights(self, periods, meters):
        """{weather station: Weights}, loaded only where a value is worked out."""
        spans = {}
        for period, group in zip(periods, meters, strict=True):
            days = [reading.day for meter in group for reading in meter.readings]
            if days:
                station = period.contract.complex_id.weather_station
                low, high = spans.get(station, (min(days), max(days)))
                spans[station] = (min(low, *days), max(high, *days))
        company = periods[0].contract.company_id
        even = Decimal(company.onergy_hot_water_share) / 100
        result = defaultdict(lambda: Weights({}, even))
        for station, (first, last) in spans.items():
            result[station] = Weights(self._get_degree_days(station, first, last), even)
        return result

    def _get_degree_days(self, station, first, last):
        """{day: weighted degree days as Decimal}"""
        self.env["onergy.degree.day"].flush_model()
        rows = self.env.execute_query(
            SQL(
                "SELECT date, weighted::text FROM onergy_degree_day "
                "WHERE station = %s AND date BETWEEN %s AND %s",
                station,
                first,
                last,
            )
        )
        return {day: Decimal(weighted) for day, weighted in rows}

    # -- advances ------------------------------------------------------------------

    def _get_advances(self, periods, as_of=None):
        """Advances that were invoiced for each period and not yet settled.

        A final bill takes all that were invoiced from its first day on, also for
        months after the contract ended.

        :return: {index: list of (move id, VAT % or None, day, net, VAT)}
        """
        self.env["account.move"].flush_model()
        self.env["account.move.line"].flush_model()
        rows = self.env.execute_query(
            SQL(
                """
                SELECT m.onergy_contract_id, m.id,
                       COALESCE(m.onergy_advance_month, m.invoice_date) AS day,
                       m.amount_untaxed_signed::text, m.amount_tax_signed::text,
                       (SELECT CASE WHEN count(DISTINCT t.amount) = 1
                                    THEN min(t.amount)::text END
                          FROM account_move_line l
                          JOIN account_move_line_account_tax_rel rel
                            ON rel.account_move_line_id = l.id
                          JOIN account_tax t ON t.id = rel.account_tax_id
                         WHERE l.move_id = m.id AND l.display_type = 'product')
                  FROM account_move m
                 WHERE m.onergy_contract_id = ANY(%(contracts)s)
                   AND m.onergy_move_kind = 'advance' AND m.state = 'posted'
                   AND m.date <= %(as_of)s
                   AND NOT EXISTS (
                       SELECT 1 FROM onergy_settlement_advance a
                         JOIN onergy_settlement s ON s.id = a.settlement_id
                         JOIN account_move sm ON sm.id = s.move_id
                        WHERE a.move_id = m.id AND a.is_final
                          AND sm.date <= %(as_of)s)
                 ORDER BY day, m.id
                """,
                contracts=list({period.contract.id for period in periods}),
                as_of=as_of or date.max,
            )
        )
        by_contract = defaultdict(list)
        for contract_id, move_id, day, net, tax, rate in rows:
            by_contract[contract_id].append(
                (
                    move_id,
                    Decimal(rate).normalize() if rate is not None else None,
                    day,
                    Decimal(net),
                    Decimal(tax),
                )
            )
        return {
            index: [
                row
                for row in by_contract[period.contract.id]
                if period.start.replace(day=1) <= row[2]
                and (period.contract.date_end == period.end or row[2] <= period.end)
            ]
            for index, period in enumerate(periods)
        }

    # -- comparison ----------------------------------------------------------------

    @api.model
    def _get_comparisons(self, periods):
        """Use of the same days a year before, as if the weather had been this year's.

        :return: {index: GJ}; nothing where that year was not this payer's or is not
            known completely
        """
        keys = [
            (index, period.contract.connection_id.id, *self._a_year_before(period))
            for index, period in enumerate(periods)
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
