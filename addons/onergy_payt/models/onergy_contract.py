from odoo import api, models

MANDATE_FIELDS = {"payment_method", "bank_account_id"}


class OnergyContract(models.Model):
    _inherit = "onergy.contract"

    @api.model_create_multi
    def create(self, vals_list):
        contracts = super().create(vals_list)
        contracts._payt_queue_mandates()
        return contracts

    def write(self, vals):
        result = super().write(vals)
        if MANDATE_FIELDS & set(vals):
            self._payt_queue_mandates()
        return result

    def _payt_queue_mandates(self):
        """Note that a mandate for direct debit has to be registered at Payt."""
        payers = self.filtered(
            lambda c: c.payment_method == "direct_debit" and c.bank_account_id
        )
        connections = payers and self.env["payt.connection"]._by_company(
            payers.company_id
        )
        for company, connection in (connections or {}).items():
            if connection.push_mandates:
                own = payers.filtered(
                    lambda c, company=company: c.company_id == company
                )
                debtors = self.env["payt.debtor"]._for_partners(
                    connection, own.partner_id
                )
                for debtor in debtors.values():
                    self.env["payt.operation"]._enqueue("mandate", debtor)
