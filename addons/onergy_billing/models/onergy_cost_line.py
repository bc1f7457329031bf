from odoo import api, fields, models
from odoo.exceptions import UserError


class OnergyCostLine(models.Model):
    """Something that the heat of a complex cost, and how it is shared out."""

    _name = "onergy.cost.line"
    _description = "Cost of a complex"
    _check_company_auto = True
    _order = "statement_id, sequence, id"

    statement_id = fields.Many2one(
        "onergy.cost.statement", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="statement_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    sequence = fields.Integer(default=10)
    name = fields.Char("Cost", required=True, help="As it is on the bill.")
    amount = fields.Monetary(
        "Amount incl. VAT", required=True, help="What the payers together pay."
    )
    vat_rate = fields.Float(
        "VAT (%)",
        digits=(5, 2),
        default=lambda self: self._get_default_vat_rate(),
        aggregator=None,
        help="VAT that is in the amount; 0: it is passed on without VAT.",
    )
    fixed_percent = fields.Float(
        "Fixed part (%)",
        digits=(5, 2),
        aggregator=None,
        help="Paid by everybody for his days; the rest is shared out by meter.",
    )
    component = fields.Selection(
        [("heat", "Heat meter"), ("cooling", "Cooling meter")],
        "Rest by",
        required=True,
        default="heat",
    )
    bill_id = fields.Many2one(
        "account.move",
        "Vendor bill",
        domain=[("move_type", "in", ("in_invoice", "in_refund"))],
        check_company=True,
        index="btree_not_null",
        ondelete="restrict",
        help="Where the amount comes from, to look it up.",
    )

    _percent_range = models.Constraint(
        "CHECK (fixed_percent BETWEEN 0 AND 100 AND vat_rate >= 0 AND vat_rate < 100)",
        "The fixed part and the VAT lie between 0 and 100 %.",
    )

    @api.model
    def _get_default_vat_rate(self):
        timeline = self.env["onergy.vat.rate"]._get_timelines()["heat"]
        return float(timeline.at(fields.Date.context_today(self), 0))

    @api.model_create_multi
    def create(self, vals_list):
        lines = super().create(vals_list)
        lines._check_draft()
        return lines

    def write(self, vals):
        self._check_draft()
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_confirmed(self):
        self._check_draft()

    def _check_draft(self):
        if any(statement.state != "draft" for statement in self.statement_id):
            raise UserError(
                self.env._(
                    "The costs were shared out already. Set the cost statement back "
                    "to draft first."
                )
            )
