from odoo import api, models
from odoo.tools import format_date

from ..engine import Line, MissingReading, Supply, Timeline, get_use
from .onergy_settlement_meters import REGISTER_COMPONENTS


class OnergySettlementCalculator(models.AbstractModel):
    """Bills by actual costs: the shares that a cost statement worked out."""

    _inherit = "onergy.settlement.calculator"

    def _get_cost_timelines(self):
        """Meters count, prices do not: {component: Timeline without prices}."""
        return {component: Timeline(()) for component in REGISTER_COMPONENTS.values()}

    @api.model
    def _get_uses(self, periods):
        """Use of each period, for sharing costs out.

        :param periods: list of :class:`~.onergy_settlement_calculator.Period`
        :return: list of ({component: (GJ, basis)}, snapshot, error or ``None``)
        """
        prices = [(self._get_cost_timelines(), [])] * len(periods)
        vat = self.env["onergy.vat.rate"]._get_timelines()
        meters = self._get_meters(periods, prices, vat)
        weights = self._get_weights(periods, meters)
        return [
            self._get_use(
                Supply(
                    period.start,
                    period.end,
                    tuple(group),
                    prices[0][0],
                    vat,
                    weights[period.contract.complex_id.weather_station],
                )
            )
            for period, group in zip(periods, meters, strict=True)
        ]

    def _get_use(self, supply):
        uses, error = {}, None
        try:
            for component in supply.prices:
                uses[component] = get_use(supply, component, supply.start, supply.end)
        except MissingReading as missing:
            error = self._describe_missing_reading(missing)
        return uses, [self._freeze(meter) for meter in supply.meters], error

    def _get_costs(self, periods):
        """What follows from cost statements, for the periods that are billed by them.

        :return: {index: (share, lines of the bill, errors)}; the share is empty while
            there is no confirmed statement
        """
        shares = self._get_cost_shares(periods)
        statements = self.env["onergy.cost.statement"].union(
            *(share.statement_id for share in shares.values())
        )
        wholes = {statement: statement._get_wholes() for statement in statements}
        return {
            index: self._get_cost_lines(
                share, periods[index], wholes.get(share.statement_id)
            )
            for index, share in shares.items()
        }

    def _get_cost_shares(self, periods):
        """{index of a period that is billed by costs: its share, empty: none yet}"""
        by_costs = {
            index: period.contract
            for index, period in enumerate(periods)
            if period.contract.complex_id._is_by_costs()
        }
        Share = self.env["onergy.cost.share"]
        if not by_costs:
            return {}
        contracts = self.env["onergy.contract"].union(*by_costs.values())
        shares = Share.search(
            [
                ("contract_id", "in", contracts.ids),
                ("statement_id.state", "=", "confirmed"),
            ]
        )
        found = {(s.contract_id, s.date_from, s.date_to): s for s in shares}
        return {
            index: found.get(
                (contract, periods[index].start, periods[index].end), Share
            )
            for index, contract in by_costs.items()
        }

    def _get_cost_lines(self, share, period, wholes):
        if not share:
            error = self.env._(
                "There is no confirmed cost statement with the days %(start)s to "
                "%(end)s of this contract.",
                start=format_date(self.env, period.start),
                end=format_date(self.env, period.end),
            )
            return share, [], [error]
        lines = []
        for amount in share.amount_ids.sorted(
            lambda a: (a.line_id.sequence, a.line_id.id)
        ):
            lines += self._get_lines_of_cost(share, amount, wholes)
        return share, lines, []

    def _get_lines_of_cost(self, share, amount, wholes):
        exact = self.env["onergy.tariff"]._to_decimal
        cost = amount.line_id
        parts = (
            ("fixed", "weight", "weight", "measured"),
            ("metered", f"use_{cost.component}", cost.component, share.basis),
        )
        for part, field, key, basis in parts:
            value = exact(amount[f"{part}_amount"], 2)
            if not value:
                continue
            yield Line(
                f"service_{part}",
                share.date_from,
                share.date_to,
                "share",
                exact(share[field], 3),
                wholes[part, cost.id],
                value,
                exact(cost.vat_rate, 2).normalize(),
                0,
                basis,
                cost=cost.id,
                whole=wholes[key],
            )

    def _describe_missing_reading(self, error):
        return self.env._(
            "Meter %(meter)s has no reading on or beyond %(date)s. Enter a reading, or "
            "an estimate, in Metering.",
            meter=error.serial,
            date=format_date(self.env, error.day),
        )
