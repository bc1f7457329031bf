from odoo import fields, models
from odoo.exceptions import UserError
from odoo.tools import email_normalize


class OnergyAccessGive(models.TransientModel):
    """A clerk lets somebody look at a home, at the account holder's request."""

    _name = "onergy.access.give"
    _description = "Give access to a home"

    contract_id = fields.Many2one(
        "onergy.contract",
        required=True,
        default=lambda self: self.env.context.get("active_id"),
    )
    name = fields.Char(required=True)
    email = fields.Char("E-mail", required=True)
    date_from = fields.Date("From", required=True, default=fields.Date.context_today)
    date_to = fields.Date("Until", help="Last day; empty: until it is revoked.")

    def action_give(self):
        self.ensure_one()
        if not email_normalize(self.email):
            raise UserError(self.env._("This is not an e-mail address."))
        grant = self.env["onergy.access.grant"]._give(
            self.contract_id, self.name, self.email, self.date_from, self.date_to
        )
        return grant.get_formview_action()
