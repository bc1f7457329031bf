from collections import defaultdict
from decimal import Decimal

from odoo import models
from odoo.tools import formatLang

from ..engine import advance_band


class OnergySettlement(models.Model):
    """What the bill on paper and on the portal tells besides the lines."""

    _inherit = "onergy.settlement"

    def _get_years(self):
        """Lines per calendar year: list of (year, lines)."""
        self.ensure_one()
        return sorted(self.line_ids.grouped(lambda ln: ln.date_from.year).items())

    def _get_vat_parts(self):
        """VAT of the bill by rate: list of dicts with rate, total, net and vat."""
        self.ensure_one()
        parts = defaultdict(lambda: [0.0, 0.0])
        for line in self.line_ids:
            parts[line.vat_rate][0] += line.amount
            parts[line.vat_rate][1] += line.vat_amount
        for advance in self.advance_ids:
            parts[advance.vat_rate][0] -= advance.amount
            parts[advance.vat_rate][1] -= advance.vat_amount
        rounded = self.currency_id.round
        return [
            {
                "rate": rate,
                "total": rounded(total),
                "net": rounded(total - vat),
                "vat": rounded(vat),
            }
            for rate, (total, vat) in sorted(parts.items())
        ]

    def _get_advance_groups(self):
        """Advances of the same amount together: list of (count, amount, total)."""
        self.ensure_one()
        groups = self.advance_ids.grouped("amount")
        return [
            (len(group), amount, self.currency_id.round(len(group) * amount))
            for amount, group in groups.items()
        ]

    def _get_advance_band(self):
        """(lowest, highest) advance that may be chosen on the portal."""
        self.ensure_one()
        exact = self.env["onergy.tariff"]._to_decimal
        return advance_band(
            exact(self.advance_advice, 2),
            Decimal(self.company_id.onergy_advance_below),
            Decimal(self.company_id.onergy_advance_above),
        )

    def _get_use_text(self, name):
        self.ensure_one()
        return formatLang(self.env, self[name], digits=3 if name == "use" else 1)

    def _has_exchange(self):
        """Whether more than one meter of a kind counted in this period."""
        self.ensure_one()
        return any(
            len(set(group.mapped("serial"))) > 1
            for group in self.reading_ids.grouped("component").values()
        )

    def _get_next_advance(self):
        """The advance that this settlement brought, empty if it brought none."""
        self.ensure_one()
        if not self.move_id.invoice_date:
            return self.env["onergy.advance"]
        return self.contract_id.advance_ids.filtered(
            lambda a: (
                a.origin == "settlement" and a.date_from > self.move_id.invoice_date
            )
        ).sorted("date_from")[:1]
