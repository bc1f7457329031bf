from odoo import api, fields, models
from odoo.exceptions import UserError


class PaytAnswerWizard(models.TransientModel):
    """Write to a payer through Payt."""

    _name = "payt.answer.wizard"
    _description = "Message to a payer"

    message_id = fields.Many2one("payt.message", "In answer to")
    invoice_id = fields.Many2one("payt.invoice", "About invoice")
    debtor_id = fields.Many2one("payt.debtor", "Payer", required=True)
    question = fields.Text("Question", related="message_id.body")
    subject = fields.Char(required=True)
    body = fields.Text("Message", required=True)
    attachment_ids = fields.Many2many("ir.attachment", string="Attachments")

    @api.model
    def default_get(self, fields):
        values = super().default_get(fields)
        message = self.env["payt.message"].browse(values.get("message_id"))
        invoice = self.env["payt.invoice"].browse(values.get("invoice_id"))
        invoice = message.invoice_id or invoice
        if invoice:
            values.setdefault("invoice_id", invoice.id)
        debtor = message.debtor_id or invoice.debtor_id
        if debtor:
            values.setdefault("debtor_id", debtor.id)
        if message.subject:
            values.setdefault(
                "subject", self.env._("Re: %(subject)s", subject=message.subject)
            )
        elif invoice:
            values.setdefault(
                "subject", self.env._("Invoice %(name)s", name=invoice.move_id.name)
            )
        return values

    def action_send(self):
        self.ensure_one()
        check = self.env["payt.operation"]._check_may_act
        for records in (self.debtor_id, self.invoice_id, self.message_id):
            check(records)
        if not self.body.strip():
            raise UserError(self.env._("Write a message first."))
        self.env["payt.message"]._send(
            self.debtor_id,
            self.subject,
            self.body,
            self.invoice_id,
            self.attachment_ids,
        )
        self.message_id.action_mark_read()
        return {"type": "ir.actions.act_window_close"}
