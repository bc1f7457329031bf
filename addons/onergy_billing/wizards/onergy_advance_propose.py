from dateutil.relativedelta import relativedelta

from odoo import fields, models
from odoo.exceptions import UserError


class OnergyAdvancePropose(models.TransientModel):
    """Choose the contracts to propose an advance for."""

    _name = "onergy.advance.propose"
    _description = "Propose advances"

    company_id = fields.Many2one(
        "res.company", required=True, default=lambda self: self.env.company
    )
    complex_ids = fields.Many2many(
        "onergy.complex", string="Complexes", help="Empty: every complex."
    )
    date_from = fields.Date(
        "Advance from",
        required=True,
        default=lambda self: (
            fields.Date.context_today(self) + relativedelta(months=1, day=1)
        ),
    )

    def action_propose(self):
        self.ensure_one()
        domain = [("company_id", "=", self.company_id.id), ("state", "=", "running")]
        if self.complex_ids:
            domain.append(("complex_id", "in", self.complex_ids.ids))
        contracts = self.env["onergy.contract"].search(domain)
        if not contracts:
            raise UserError(self.env._("There is no running contract here."))
        self.env["onergy.advance.proposal"]._propose(contracts, self.date_from)
        return self.env["ir.actions.actions"]._for_xml_id(
            "onergy_billing.action_onergy_advance_proposal"
        )
