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

    def _is_change(self):
        """Whether this tells what changes by a correction, line by line.

        A bill that is made anew after it was credited reads like the first one, unless
        a correction of that one still stands.
        """
        self.ensure_one()
        return bool(self.original_id) and not (
            self.is_anew and not any(self.line_ids.mapped("amount_before"))
        )

    def _is_by_costs(self):
        """Whether this bill is a share in actual costs."""
        self.ensure_one()
        return "share" in self.line_ids.mapped("unit")

    def _get_cost_statement(self):
        self.ensure_one()
        return (self.cost_share_id or self.original_id.cost_share_id).statement_id

    def _get_correction_reason(self):
        """Why a bill is corrected, in a sentence for who gets the correction."""
        self.ensure_one()
        if self._is_by_costs():
            return self.env._("The costs of this period were worked out again.")
        if self.reading_ids:
            return self.env._(
                "We worked your bill out again with the readings and the prices as we "
                "know them now."
            )
        return self.env._("The prices of this period were changed after your bill.")

    def _get_vat_rows(self):
        """VAT of the supply and of the advances, by rate, as the bill shows it.

        :return: list of dicts with kind (``supply`` or ``advances``), rate, net, vat
            and total; advances are negative
        """
        self.ensure_one()
        rounded = self.currency_id.round
        rows = []
        for kind, records, sign in (
            ("supply", self.line_ids, 1),
            ("advances", self.advance_ids, -1),
        ):
            for rate, group in sorted(records.grouped("vat_rate").items()):
                total = sign * rounded(sum(group.mapped("amount")))
                vat = sign * rounded(sum(group.mapped("vat_amount")))
                rows.append(
                    {
                        "kind": kind,
                        "rate": rate,
                        "net": rounded(total - vat),
                        "vat": vat,
                        "total": total,
                    }
                )
        return rows

    def _get_comparison_bars(self):
        """{field: width in percent} of the uses that are compared."""
        self.ensure_one()
        names = ("use", "use_before", "use_average")
        most = max((self[name] for name in names), default=0)
        return {
            name: round(100 * max(self[name], 0) / most) if most > 0 else 0
            for name in names
        }

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
