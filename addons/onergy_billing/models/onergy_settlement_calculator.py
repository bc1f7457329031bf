from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

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
    def _calculate(self, periods, as_of=None):
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
        advances = self._get_advances(periods, as_of)
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
        tariffs, above, timelines = {}, {}, {}
        result = []
        for period in periods:
            home, site = period.contract.connection_id, period.contract.complex_id
            if site._is_by_costs():
                result.append((self._get_cost_timelines(), []))
                continue
            if site not in tariffs:
                tariffs[site] = Tariff._get_tariffs(site)
                above[site] = tariffs[site]._get_days_above()
            key = (site, home._get_service_set(), home.delivery_set_id)
            key += (home.service_cooling, period.part)
            if key not in timelines:
                timelines[key] = Tariff._get_price_timelines(
                    home, tariffs[site], period.part
                )
            result.append((timelines[key], self._get_cap_errors(above[site], period)))
        return result

    def _get_cap_errors(self, above, period):
        """A price above the maximum is not billed: by law it is the maximum.

        :param above: as of ``onergy.tariff._get_days_above``
        """
        firsts = {}
        for tariff, start, end in above:
            if start <= period.end and end >= period.start:
                day = max(start, period.start)
                firsts[tariff] = min(day, firsts.get(tariff, day))
        return [
            self.env._(
                "%(tariff)s has prices above the maximum tariff of %(day)s. Make a new "
                "version of it, or a tariff from that day, first.",
                tariff=tariff.name,
                day=format_date(self.env, day),
            )
            for tariff, day in firsts.items()
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
        """Advances that were invoiced and not yet settled, each for one period.

        A bill takes what was invoiced for its months and for those before that no bill
        took: an invoice or credit note may come after the bill of its month. A final
        bill takes all, also of months after the contract ended. What a bill that still
        waits has taken, or is to take, is left for it.

        :param as_of: what the ledger held on this day, whatever month it was for, and
            whatever waits to be posted since; the last period of a contract takes what
            is of no earlier one
        :return: {index: list of (move id, VAT % or None, day, net, VAT)}
        """
        by_contract = self._get_open_advances(periods, as_of)
        waiting = {} if as_of else self._get_waiting_ends(periods)
        ends = {}
        for period in periods:
            key = period.contract.id
            ends[key] = max(period.end, ends.get(key, period.end))
        result, taken = {}, set()
        for index, period in sorted(enumerate(periods), key=lambda row: row[1].start):
            if period.part == "owner":  # advances are the resident's
                continue
            low = max(
                (
                    day
                    for day in waiting.get(period.contract.id, ())
                    if day < period.start
                ),
                default=date.min,
            )
            is_all = period.contract.date_end == period.end or (
                as_of and period.end == ends[period.contract.id]
            )
            result[index] = [
                row
                for row in by_contract[period.contract.id]
                if row[0] not in taken
                and low < row[2]
                and (is_all or row[2] <= period.end)
            ]
            taken.update(row[0] for row in result[index])
        return result

    def _get_open_advances(self, periods, as_of):
        """{contract id: list of (move id, VAT % or None, day, net, VAT)}"""
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
                  JOIN res_company co ON co.id = m.company_id
                 WHERE m.onergy_contract_id = ANY(%s) AND %s
                 ORDER BY day, m.id
                """,
                list({period.contract.id for period in periods}),
                self._get_open_condition(as_of),
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
        return by_contract

    @api.model
    def _get_open_condition(self, as_of=None):
        """SQL condition: move ``m`` of company ``co`` is an advance not yet settled."""
        for name in (
            "account.move",
            "account.move.line",
            "onergy.settlement",
            "onergy.settlement.advance",
        ):
            self.env[name].flush_model()
        if as_of:
            is_taken = SQL(
                """
                s.state = 'posted' AND sm.date <= %(as_of)s
                AND NOT EXISTS (
                    SELECT 1 FROM onergy_settlement back
                      JOIN account_move bm ON bm.id = back.move_id
                     WHERE back.takes_back_id = s.id AND bm.date <= %(as_of)s)
                """,
                as_of=as_of,
            )
        else:
            is_taken = SQL("a.is_final OR s.state = 'ready'")
        return SQL(
            """
            m.onergy_move_kind = 'advance' AND m.state = 'posted'
            AND m.date <= %(as_of)s
            -- Months before were settled where the supplier came from.
            AND COALESCE(m.onergy_advance_month, m.invoice_date) >= date_trunc(
                'month', COALESCE(co.onergy_billing_start, '-infinity'))
            AND NOT EXISTS (
                SELECT 1 FROM onergy_settlement_advance a
                  JOIN onergy_settlement s ON s.id = a.settlement_id
                  LEFT JOIN account_move sm ON sm.id = s.move_id
                 WHERE a.move_id = m.id AND (%(is_taken)s))
            """,
            as_of=as_of or date.max,
            is_taken=is_taken,
        )

    def _get_waiting_ends(self, periods):
        """{contract id: last days of the bills that wait to be posted}

        Those of ``periods`` are among them: they are worked out together.
        """
        result = defaultdict(list)
        for period in periods:
            if period.part != "owner":
                result[period.contract.id].append(period.end)
        rows = self.env["onergy.settlement"]._read_group(
            [
                ("contract_id", "in", list(result)),
                ("original_id", "=", False),
                ("part", "!=", "owner"),
                ("state", "in", ("blocked", "ready")),
            ],
            ["contract_id"],
            ["date_to:array_agg"],
        )
        for contract, days in rows:
            result[contract.id] += days
        return result
