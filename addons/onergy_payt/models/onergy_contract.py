from odoo import models

# Another payer's debts are collected under another debtor; no payer, no collecting.
PAYER_FIELDS = {"partner_id", "active"}


class OnergyContract(models.Model):
    _inherit = "onergy.contract"

    def write(self, vals):
        result = super().write(vals)
        if PAYER_FIELDS & set(vals):
            self.env["payt.mandate"]._sync(self)
        return result

    def _payt_payer(self):
        return self.partner_id.commercial_partner_id

    def _payt_mandate(self):
        """Return the mandate in force that bills are collected by, or none."""
        self.ensure_one()
        # sudo: whoever changes a contract need not know its mandates
        return self.filtered("active").sudo()._get_mandate("active")
