from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

from dateutil.relativedelta import relativedelta

from odoo import Command, api, models

from ..engine import Bill, advance_advice
from ..engine.forecast import MONTHS
from ..engine.money import round_cent
from .const import QUIET

#: Deviation from the corrected use of a year before that is worth a look, percent.
USE_DEVIATION = 50
#: Part of the use that was not measured and is worth a look, percent.
CALCULATED_SHARE = 25


class OnergySettlement(models.Model):
    """How a settlement comes about: from a calculated bill to records."""

    _inherit = "onergy.settlement"

    @api.model
    def _create_for_periods(self, run, periods):
        """Work out and keep the settlements of some periods.

        :param periods: list of :class:`~.onergy_settlement_calculator.Period`
        """
        calculator = self.env["onergy.settlement.calculator"]
        results = calculator._calculate(periods)
        used = {i: p for i, p in enumerate(periods) if p.part != "owner"}
        before = calculator._get_comparisons(used)
        average = calculator._get_averages(used)
        outages = self.env["onergy.outage"]._get_due_payments(periods)
        tariffs = self.env["onergy.tariff"]._get_tariffs_of(
            {period.contract.complex_id for period in periods}
        )
        records = self.with_context(**QUIET).create(
            [
                self._prepare_settlement(
                    run,
                    result,
                    before.get(i),
                    average.get(i),
                    outages.get(i, []),
                    tariffs[result.period.contract.complex_id],
                )
                for i, result in enumerate(results)
            ]
        )
        return records

    def _prepare_settlement(self, run, result, before, average, outages, tariffs):
        period, contract = result.period, result.period.contract
        payer = self._get_payer(result)
        values = {
            "run_id": run.id,
            "contract_id": contract.id,
            "part": period.part,
            "partner_id": payer.id,
            "date_from": period.start,
            "date_to": period.end,
            "is_final": contract.date_end == period.end,
            "snapshot": result.snapshot,
            "cost_share_id": result.share.id if result.share else False,
            "state": "blocked" if result.errors else "ready",
            "errors": "\n".join(result.errors),
        }
        if result.errors:
            return values
        bill = Bill(
            result.bill.lines,
            result.bill.advances,
            sum((amount for _outage, amount in outages), Decimal(0)),
        )
        values.update(self._prepare_amounts(bill))
        values.update(self._prepare_use(*self._get_use(result), before, average))
        values.update(
            line_ids=self._prepare_lines(bill),
            reading_ids=self._prepare_readings(result),
            advance_ids=self._prepare_advances(result),
            outage_payment_ids=[
                Command.create(
                    {
                        "outage_id": outage.id,
                        "contract_id": contract.id,
                        "amount": float(amount),
                    }
                )
                for outage, amount in outages
            ],
            advance_advice=float(self._get_advice(contract, period, bill, tariffs)),
        )
        values["warnings"] = "\n".join(self._get_warnings(values))
        return values

    @api.model
    def _get_payer(self, result):
        """Who pays a part of a contract; notes an error when that is not known."""
        contract = result.period.contract
        if result.period.part != "owner":
            return contract.partner_id
        owner = contract.connection_id._get_vacancy_payer()
        if not owner:
            result.errors.append(
                self.env._(
                    "The owner of this dwelling is not known. Fill him in on the "
                    "connection or the complex."
                )
            )
        return owner or contract.partner_id

    @api.model
    def _prepare_amounts(self, bill):
        return {
            "amount_supply": float(bill.supply_total),
            "amount_advances": float(bill.advance_total),
            "amount_compensation": float(bill.compensation),
            "amount_total": float(bill.total),
            "amount_net": float(bill.net),
            "amount_vat": float(bill.vat),
            "vat_supply": float(sum(part.vat for part in bill.supply)),
            "vat_advances": float(sum(part.vat for part in bill.invoiced)),
        }

    @api.model
    def _prepare_lines(self, bill):
        Line = self.env["onergy.settlement.line"]
        return [
            Command.create(Line._prepare_values(line, vat, sequence))
            for sequence, (line, vat) in enumerate(
                zip(bill.lines, bill.line_vat(), strict=True)
            )
        ]

    @api.model
    def _prepare_readings(self, result):
        return [
            Command.create(
                {
                    "sequence": sequence,
                    "component": component,
                    "serial": mark.serial,
                    "day": mark.day,
                    "value": float(mark.value),
                    "basis": mark.basis,
                    "origin": mark.origin or False,
                }
            )
            for sequence, (component, mark) in enumerate(result.marks)
        ]

    @api.model
    def _prepare_advances(self, result):
        return [
            Command.create(
                {
                    "move_id": move_id,
                    "date": day,
                    "amount": float(net + tax),
                    "net": float(net),
                    "vat_amount": float(tax),
                    "vat_rate": float(rate),
                }
            )
            for move_id, rate, day, net, tax in result.advances
        ]

    @api.model
    def _get_use(self, result):
        """(GJ of heat, GJ in periods with a reading that was not measured)"""
        if result.share:
            use = self.env["onergy.tariff"]._to_decimal(result.share.use_heat, 3)
            return use, Decimal(0) if result.share.basis == "measured" else use
        heat = [
            line
            for line in result.bill.lines
            if (line.component, line.unit) == ("heat", "gj")
        ]
        use = sum((line.quantity for line in heat), Decimal(0))
        loose = (line.quantity for line in heat if line.basis != "measured")
        return use, sum(loose, Decimal(0))

    @api.model
    def _prepare_use(self, use, loose, before, average):
        return {
            "use": float(use),
            "use_before": float(before or 0),
            "use_average": float(average or 0),
            "use_change": float(100 * (use - before) / before) if before else 0.0,
            "calculated_share": float(100 * loose / use) if use else 0.0,
        }

    def _get_warnings(self, values):
        """What a person should look at before this is posted."""
        warnings = []
        if values["use_before"] and abs(values["use_change"]) > USE_DEVIATION:
            warnings.append(
                self.env._(
                    "Use is %(change)s %% off that of a year before.",
                    change=round(values["use_change"]),
                )
            )
        if values["calculated_share"] > CALCULATED_SHARE:
            warnings.append(
                self.env._(
                    "%(share)s %% of the use lies in periods with a worked out "
                    "reading.",
                    share=round(values["calculated_share"]),
                )
            )
        if values["use"] < 0:
            warnings.append(self.env._("Use is negative."))
        if values["amount_total"] < 0:
            warnings.append(self.env._("The resident gets money back."))
        return warnings

    def _get_advice(self, contract, period, bill, tariffs):
        """Advance that a year like this one takes, at the prices that hold now.

        :param tariffs: those of the contract's complex
        """
        days = (period.end - period.start).days + 1
        use = defaultdict(Decimal)
        for line in bill.lines:
            if line.unit == "gj":
                use[line.component] += line.quantity
        if contract.date_end or days < 300 or period.part == "owner":
            # Too short to tell a year; the forecast of the contract is better.
            return Decimal(0)
        end = period.end + timedelta(days=1)
        year_days = (end - (end - relativedelta(years=1))).days
        if contract.complex_id._is_by_costs():
            return round_cent(bill.supply_total * year_days / days / MONTHS)
        use = {name: value * year_days / days for name, value in use.items()}
        return advance_advice(use, contract._get_current_prices(period.end, tariffs))
