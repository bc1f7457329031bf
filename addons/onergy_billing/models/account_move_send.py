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

    @api.model
    def _get_mail_layout(self):
        return self.env.context.get("onergy_mail_layout") or super()._get_mail_layout()

    @api.model
    def _send_mail(self, move, mail_template, **kwargs):
        """A bill for heat has the look of all our mail: that of its template."""
        layout = mail_template.email_layout_xmlid
        sender = self.with_context(onergy_mail_layout=layout) if layout else self
        return super(AccountMoveSend, sender)._send_mail(move, mail_template, **kwargs)
