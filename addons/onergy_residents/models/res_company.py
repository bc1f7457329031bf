from odoo import api, fields, models


class ResCompany(models.Model):
    _inherit = "res.company"

    onergy_request_days = fields.Integer(
        "Working days to answer a request",
        default=5,
        help="Counted in the working days of the company's calendar.",
    )
    onergy_fault_days = fields.Integer(
        "Working days to answer a fault",
        default=1,
        help="Counted in the working days of the company's calendar.",
    )
    onergy_fault_phone = fields.Char(
        "Telephone for faults",
        help="The number residents call day and night when the heat fails. Empty: the "
        "company's own number.",
    )
    onergy_contact_form = fields.Boolean(
        "Contact form without login",
        default=True,
        help="Visitors who have no login can send a question.",
    )
    onergy_request_user_id = fields.Many2one(
        "res.users",
        "Responsible for new requests",
        domain="[('share', '=', False)]",
        help="Empty: new requests wait until a colleague takes them.",
    )
    onergy_request_alias_id = fields.Many2one(
        "mail.alias",
        "Inbox of requests",
        copy=False,
        ondelete="restrict",
        domain="[('alias_model_id.model', '=', 'onergy.request')]",
        help="Mail to this address becomes a request; replies to our answers go to it.",
    )

    _onergy_request_days_positive = models.Constraint(
        "CHECK (onergy_request_days >= 0 AND onergy_fault_days >= 0)",
        "The number of working days to answer cannot be negative.",
    )

    def _onergy_get_fault_phone(self):
        """Return the number to call when the heat fails."""
        self.ensure_one()
        return self.onergy_fault_phone or self.phone

    @api.model_create_multi
    def create(self, vals_list):
        companies = super().create(vals_list)
        companies._onergy_sync_request_alias()
        return companies

    def write(self, vals):
        result = super().write(vals)
        if "onergy_request_alias_id" in vals:
            self._onergy_sync_request_alias()
        return result

    def _onergy_sync_request_alias(self):
        """Let mail to a company's inbox become a request of that company."""
        for company in self.filtered("onergy_request_alias_id"):
            # sudo: aliases are for administrators
            company.sudo().onergy_request_alias_id.alias_defaults = repr(
                {"company_id": company.id}
            )
