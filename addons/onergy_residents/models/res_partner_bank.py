from odoo import models


class ResPartnerBank(models.Model):
    _inherit = "res.partner.bank"

    def _onergy_get_last_digits(self):
        """Return the end of the account number, all that a page needs to show."""
        self.ensure_one()
        return self.sanitized_acc_number[-4:]
