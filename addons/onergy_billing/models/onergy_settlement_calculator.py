from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import zip_longest

from odoo import api, models
from odoo.tools import SQL, format_date

from ..engine import (
    Advance,
    Bill,
    MissingPrice,
    MissingReading,
    Supply,
    Weights,
    rate_supply,
)


@dataclass
class Period:
    """What is asked: a contract's days, and the readings if they were used before.

    ``part`` tells which components are asked, a key of :data:`~.const.PARTS`.
    """

    contract: object
    start: date
    end: date
    snapshot: list | None = None
    part: str = "all"


@dataclass
class Result:
    """What came out; ``bill`` is None when there are errors."""

    period: Period
    bill: Bill | None = None
    marks: list = field(default_factory=list)
    snapshot: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    advances: list = field(default_factory=list)
    #: Where bills follow actual costs: the share in them, and its lines.
    share: object = None
    cost_lines: list | None = None


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
        costs = self._get_costs(periods)
        for index, (share, _lines, _errors) in costs.items():
            # The use that the costs were shared out by stands.
            if share and periods[index].snapshot is None:
                periods[index].snapshot = share.snapshot
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
            result = Result(
                period,
                errors=list(prices[index][1]),
                advances=advances.get(index, []),
            )
            if index in costs:
                result.share, result.cost_lines, errors = costs[index]
                result.errors += errors
            self._settle(supply, result)
            results.append(result)
        return results

    def _settle(self, supply, result):
        by_tariff = result.cost_lines is None
        if (
            by_tariff
            and "heat" in supply.prices
            and not any(
                meter.component == "heat" and meter.overlap(supply.start, supply.end)
                for meter in supply.meters
            )
        ):
            result.errors.append(
                self.env._("No meter hangs at this address in this period.")
            )
        try:
            lines = rate_supply(supply) if by_tariff else result.cost_lines
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
            result.errors.append(self._describe_missing_reading(error))
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
            if site._is_by_costs():
                result.append((self._get_cost_timelines(), []))
                continue
            if site not in tariffs:
                tariffs[site] = Tariff._get_tariffs(site)
            key = (site, home._get_service_set(), home.delivery_set_id)
            key += (home.service_cooling, period.part)
            if key not in timelines:
                timelines[key] = Tariff._get_price_timelines(
                    home, tariffs[site], period.part
                )
            result.append((timelines[key], self._get_cap_errors(tariffs[site], period)))
        return result

    def _get_cap_errors(self, tariffs, period):
        """A price above the maximum is not billed: by law it is the maximum."""
        above = self.env["onergy.tariff"]
        for tariff, following in zip_longest(tariffs, tariffs[1:]):
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
        """Advances that were invoiced for each period and are on no other bill.

        A final bill takes all that were invoiced from its first day on, also for
        months after the contract ended. What was invoiced or credited for days that
        had been billed already is on no bill yet: the next one takes it.

        :return: {index: list of (move id, VAT % or None, day, net, VAT)}
        """
        by_contract = self._read_advances(periods, as_of)
        result = {}
        # Of two periods that share a month the first one takes its advance.
        for index in sorted(range(len(periods)), key=lambda i: periods[i].start):
            period = periods[index]
            if period.part == "owner":  # advances are the resident's
                continue
            first = period.start.replace(day=1)
            is_final = period.contract.date_end == period.end
            rows = by_contract[period.contract.id]
            taken = [
                row
                for row, was_billed in rows
                if (was_billed or first <= row[2])
                and (is_final or row[2] <= period.end)
            ]
            by_contract[period.contract.id] = [
                (row, was_billed) for row, was_billed in rows if row not in taken
            ]
            result[index] = taken
        return result

    def _read_advances(self, periods, as_of):
        """{contract id: list of (advance, whether its day had been billed before)}

        Advances on a bill are left out, also on one that still has to be posted: two
        bills of a contract may be worked out before the first one is posted.
        """
        self.env["account.move"].flush_model()
        self.env["account.move.line"].flush_model()
        self.env["onergy.settlement"].flush_model()
        self.env["onergy.settlement.advance"].flush_model()
        rows = self.env.execute_query(
            SQL(
                """
                WITH advance AS (
                    SELECT m.*, COALESCE(m.onergy_advance_month, m.invoice_date) AS day
                      FROM account_move m
                     WHERE m.onergy_contract_id = ANY(%(contracts)s)
                       AND m.onergy_move_kind = 'advance' AND m.state = 'posted'
                       AND m.date <= %(as_of)s
                )
                SELECT m.onergy_contract_id, m.id, m.day,
                       m.amount_untaxed_signed::text, m.amount_tax_signed::text,
                       (SELECT CASE WHEN count(DISTINCT t.amount) = 1
                                    THEN min(t.amount)::text END
                          FROM account_move_line l
                          JOIN account_move_line_account_tax_rel rel
                            ON rel.account_move_line_id = l.id
                          JOIN account_tax t ON t.id = rel.account_tax_id
                         WHERE l.move_id = m.id AND l.display_type = 'product'),
                       EXISTS (
                           SELECT 1 FROM onergy_settlement s
                             JOIN account_move b ON b.id = s.move_id
                            WHERE s.contract_id = m.onergy_contract_id
                              AND s.state = 'posted' AND s.original_id IS NULL
                              AND s.part <> 'owner' AND b.date <= %(as_of)s
                              AND date_trunc('month', s.date_from) <= m.day
                              AND s.date_to >= m.day)
                  FROM advance m
                 WHERE NOT EXISTS (
                       SELECT 1 FROM onergy_settlement_advance a
                         JOIN onergy_settlement s ON s.id = a.settlement_id
                         LEFT JOIN account_move b ON b.id = s.move_id
                        WHERE a.move_id = m.id AND s.state <> 'cancelled'
                          AND CASE WHEN %(is_past)s THEN b.date <= %(as_of)s
                                   ELSE TRUE END)
                 ORDER BY m.day, m.id
                """,
                contracts=list({period.contract.id for period in periods}),
                as_of=as_of or date.max,
                is_past=bool(as_of),
            )
        )
        by_contract = defaultdict(list)
        for contract_id, move_id, day, net, tax, rate, was_billed in rows:
            rate = Decimal(rate).normalize() if rate is not None else None
            row = (move_id, rate, day, Decimal(net), Decimal(tax))
            by_contract[contract_id].append((row, was_billed))
        return by_contract
