from odoo import fields, models


class OnergyCostAmount(models.Model):
    """What one contract pays of one cost."""

    _name = "onergy.cost.amount"
    _description = "Amount of a share in a cost"
    _order = "share_id, line_id"
    _log_access = False

    share_id = fields.Many2one(
        "onergy.cost.share", required=True, index=True, ondelete="cascade"
    )
    line_id = fields.Many2one(
        "onergy.cost.line", "Cost", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="share_id.company_id", store=True, index=True)
    currency_id = fields.Many2one(related="company_id.currency_id")
    fixed_amount = fields.Monetary("Fixed part")
    metered_amount = fields.Monetary("Metered part")
