from decimal import Decimal

from odoo import api, fields, models
from odoo.tools import format_date, formatLang

from ..engine import Line
from ..engine.timeline import count_days
from .const import LINE_COMPONENTS, LINE_UNITS, PRICE_DIGITS, TIER_DIGITS

BASES = [
    ("measured", "Measured"),
    ("estimated", "Estimated"),
    ("calculated", "Calculated"),
]


class OnergySettlementLine(models.Model):
    """One line of a bill, including VAT, as it was worked out."""

    _name = "onergy.settlement.line"
    _description = "Line of a settlement"
    _order = "settlement_id, sequence, id"
    _log_access = False

    settlement_id = fields.Many2one(
        "onergy.settlement", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="settlement_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="settlement_id.currency_id")
    sequence = fields.Integer()
    component = fields.Selection(LINE_COMPONENTS, required=True)
    date_from = fields.Date("From", required=True)
    date_to = fields.Date("Until", required=True)
    unit = fields.Selection(LINE_UNITS, required=True)
    cost_line_id = fields.Many2one(
        "onergy.cost.line", "Cost", index="btree_not_null", ondelete="restrict"
    )
    quantity = fields.Float(
        digits=(16, 3),
        aggregator=None,
        help="GJ, or days of the year; of costs: GJ, days, or m² times days.",
    )
    whole_quantity = fields.Float(
        "Of the complex",
        digits=(16, 3),
        aggregator=None,
        help="Costs: the quantity of all payers of the complex together.",
    )
    year_days = fields.Integer("Days in the year", aggregator=None)
    price = fields.Float("Price incl. VAT", digits=PRICE_DIGITS, aggregator=None)
    tier_from = fields.Float("From (GJ a year)", digits=TIER_DIGITS, aggregator=None)
    amount = fields.Monetary("Amount incl. VAT", required=True)
    amount_before = fields.Monetary(
        "Billed before", help="Corrections: what was billed for this, including VAT."
    )
    vat_rate = fields.Float("VAT (%)", digits=(5, 2), aggregator=None)
    vat_amount = fields.Monetary("VAT")
    basis = fields.Selection(BASES, required=True)

    @api.model
    def _prepare_values(self, line, vat_amount, sequence):
        """Values of a record for a line of the engine."""
        return {
            "sequence": sequence,
            "component": line.component,
            "date_from": line.start,
            "date_to": line.end,
            "unit": line.unit,
            "quantity": float(line.quantity),
            "year_days": line.year_days,
            "price": float(line.price),
            "tier_from": float(line.tier_from),
            "amount": float(line.amount),
            "amount_before": float(line.billed),
            "vat_rate": float(line.vat_rate),
            "vat_amount": float(vat_amount),
            "basis": line.basis,
            "cost_line_id": line.cost or False,
            "whole_quantity": float(line.whole),
        }

    def _to_engine(self):
        """The lines as the engine knows them."""
        exact = self.env["onergy.tariff"]._to_decimal
        return [
            Line(
                line.component,
                line.date_from,
                line.date_to,
                line.unit,
                exact(line.quantity, 3),
                exact(line.price, PRICE_DIGITS[1]),
                exact(line.amount, 2),
                exact(line.vat_rate, 2).normalize(),
                line.year_days,
                line.basis,
                exact(line.tier_from, TIER_DIGITS[1]) if line.tier_from else Decimal(0),
                line.cost_line_id.id or 0,
                exact(line.whole_quantity, 3),
            )
            for line in self
        ]

    def _get_name_text(self):
        """What was charged for, with what tells it from others of its kind."""
        self.ensure_one()
        labels = dict(self._fields["component"]._description_selection(self.env))
        name = self.cost_line_id.name or labels[self.component]
        if self.tier_from:
            return self.env._(
                "%(what)s (above %(tier)s GJ a year)",
                what=name,
                tier=self._get_tier_text(),
            )
        if self.component == "service_fixed":
            return self.env._("%(what)s, fixed", what=name)
        if self.component == "service_metered":
            return self.env._("%(what)s, by meter", what=name)
        return name

    def _get_text(self):
        """What was charged, in one line, in the language of the context."""
        self.ensure_one()
        labels = dict(self._fields["component"]._description_selection(self.env))
        values = {
            "what": self.cost_line_id.name or labels[self.component],
            "start": format_date(self.env, self.date_from),
            "end": format_date(self.env, self.date_to),
            "price": self._get_price_text(),
            "quantity": self._get_quantity_text(),
        }
        if self.settlement_id._is_change():
            return self.env._("Correction: %(what)s, %(start)s to %(end)s", **values)
        if self.unit == "gj":
            return self.env._(
                "%(what)s, %(start)s to %(end)s: %(quantity)s GJ at %(price)s", **values
            )
        if self.component == "service_fixed":
            return self.env._(
                "%(what)s, fixed part, %(start)s to %(end)s: share in %(price)s",
                **values,
            )
        if self.component == "service_metered":
            return self.env._(
                "%(what)s, metered part, %(start)s to %(end)s: share in %(price)s",
                **values,
            )
        return self.env._(
            "%(what)s, %(start)s to %(end)s: %(quantity)s days at %(price)s a year",
            **values,
        )

    def _get_amount_now(self):
        """Corrections: what should have been billed, including VAT."""
        self.ensure_one()
        return self.currency_id.round(self.amount_before + self.amount)

    def _get_price_text(self):
        self.ensure_one()
        digits = 2 if round(self.price, 2) == self.price else PRICE_DIGITS[1]
        parts = [
            formatLang(self.env, self.price, digits=digits),
            self.currency_id.symbol,
        ]
        if self.currency_id.position == "before":
            parts.reverse()
        return "\N{NO-BREAK SPACE}".join(parts)

    def _get_tier_text(self):
        self.ensure_one()
        return formatLang(self.env, self.tier_from, digits=0)

    def _get_quantity_text(self):
        self.ensure_one()
        if self.unit == "share":
            return self._get_share_text()
        if self.unit == "gj":
            return formatLang(self.env, self.quantity, digits=3)
        return f"{int(self.quantity)}/{self.year_days}"

    def _get_share_text(self):
        """What a share in the costs was reckoned by: own part of the whole."""
        self.ensure_one()
        is_metered = self.component == "service_metered"
        own, whole = (
            formatLang(self.env, number, digits=3 if is_metered else 0)
            for number in (self.quantity, self.whole_quantity)
        )
        if is_metered:
            return self.env._("%(own)s of %(whole)s GJ", own=own, whole=whole)
        if self.cost_line_id.statement_id.fixed_key == "area":
            days = count_days(self.date_from, self.date_to)
            return self.env._(
                "%(area)s m² × %(days)s days = %(own)s of %(whole)s",
                area=formatLang(self.env, self.quantity / days, digits=1),
                days=days,
                own=own,
                whole=whole,
            )
        return self.env._("%(own)s of %(whole)s days", own=own, whole=whole)
