from odoo import api, models

MANDATE_FIELDS = {"payment_method", "bank_account_id", "partner_id", "active"}


class OnergyContract(models.Model):
    _inherit = "onergy.contract"

    @api.model_create_multi
    def create(self, vals_list):
        contracts = super().create(vals_list)
        self.env["payt.mandate"]._sync(contracts)
        return contracts

    def write(self, vals):
        result = super().write(vals)
        if MANDATE_FIELDS & set(vals):
            self.env["payt.mandate"]._sync(self)
        return result

    def _payt_payer(self):
        return self.partner_id.commercial_partner_id

    def _payt_debit_account(self):
        """Return the account that bills are collected from (empty: no direct debit)."""
        self.ensure_one()
        by_debit = self.payment_method == "direct_debit" and self.active
        return self.bank_account_id if by_debit else self.bank_account_id.browse()
