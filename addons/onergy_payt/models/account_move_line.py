from odoo import models


class AccountMoveLine(models.Model):
    _inherit = "account.move.line"

    def _payt_vat_rate(self):
        """Return the VAT rate of a line as Payt wants to know it, by its percentage."""
        self.ensure_one()
        rate = sum(
            self.tax_ids.flatten_taxes_hierarchy()
            .filtered(lambda tax: tax.amount_type == "percent")
            .mapped("amount")
        )
        category = "regular" if rate else "zero" if self.tax_ids else "none"
        return {
            "code": f"odoo-{category}-{rate:.2f}",
            "rate": f"{rate:.2f}",
            "name": self.env._("VAT %(rate)g %%", rate=rate)
            if self.tax_ids
            else self.env._("No VAT"),
            "category": category,
        }
