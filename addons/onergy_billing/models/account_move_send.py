from odoo import api, models


class AccountMoveSend(models.AbstractModel):
    _inherit = "account.move.send"

    @api.model
    def _get_default_sending_methods(self, move):
        """A bill of a contract goes as its contract says, and only once.

        ``manual`` makes the PDF and sends nothing.
        """
        if not move.onergy_contract_id:
            return super()._get_default_sending_methods(move)
        delivery = move._onergy_get_deliveries()[move]
        return {"email" if delivery == "email" else "manual"}
