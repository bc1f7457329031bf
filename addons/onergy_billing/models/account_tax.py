from odoo import Command, models


class AccountTax(models.Model):
    _inherit = "account.tax"

    def _onergy_is_plain(self):
        """Whether the VAT of this tax is one line of an entry, or none at all."""
        return not self or (
            self.amount_type == "percent"
            and self.tax_exigibility == "on_invoice"
            and not self.include_base_amount
            and not self.analytic
            and all(
                len(lines) == 1 and lines.factor == 1 and lines.account_id
                for lines in (
                    self.invoice_repartition_line_ids.filtered(self._onergy_is_tax),
                    self.refund_repartition_line_ids.filtered(self._onergy_is_tax),
                )
            )
        )

    def _onergy_is_tax(self, repartition):
        return repartition.repartition_type == "tax"

    def _onergy_prepare_tax_line(self, is_refund):
        """Values of the line of an entry with the VAT of this tax, but its amount."""
        self.ensure_one()
        repartition = (
            self.refund_repartition_line_ids
            if is_refund
            else self.invoice_repartition_line_ids
        ).filtered(self._onergy_is_tax)
        return {
            "display_type": "tax",
            "name": self.name,
            "tax_repartition_line_id": repartition.id,
            "account_id": repartition.account_id.id,
            "tax_ids": [Command.clear()],
            "tax_tag_ids": [Command.set(repartition.tag_ids.ids)],
            "analytic_distribution": False,
        }
