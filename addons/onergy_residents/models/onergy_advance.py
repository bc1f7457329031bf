from odoo import api, fields, models
from odoo.tools import format_amount, format_date


class OnergyAdvance(models.Model):
    """The amount a contract pays each month from a date on (voorschot)."""

    _name = "onergy.advance"
    _description = "Monthly advance"
    _order = "contract_id, date_from desc"
    _rec_name = "date_from"

    contract_id = fields.Many2one(
        "onergy.contract", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="contract_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    partner_id = fields.Many2one(related="contract_id.partner_id", store=True)
    complex_id = fields.Many2one(related="contract_id.complex_id", store=True)
    amount = fields.Monetary(
        "Amount per month",
        required=True,
        help="In the company's currency, VAT included.",
    )
    date_from = fields.Date("From", required=True)
    origin = fields.Selection(
        [
            ("staff", "Staff"),
            ("settlement", "Settlement"),
            ("resident", "Resident"),
            ("import", "Import"),
        ],
        required=True,
        default="staff",
    )
    approved_by_id = fields.Many2one(
        "res.users",
        default=lambda self: self.env.user,
        readonly=True,
        groups="base.group_user",
    )
    note = fields.Char(groups="base.group_user")

    _contract_date_uniq = models.UniqueIndex(
        "(contract_id, date_from)",
        "This contract already has an advance that starts on this day.",
    )
    _amount_positive = models.Constraint(
        "CHECK (amount >= 0)", "An advance cannot be negative."
    )

    @api.depends("amount", "currency_id", "date_from")
    def _compute_display_name(self):
        for advance in self:
            advance.display_name = self.env._(
                "%(amount)s a month from %(date)s",
                amount=format_amount(self.env, advance.amount, advance.currency_id),
                date=format_date(self.env, advance.date_from),
            )

    @api.model_create_multi
    def create(self, vals_list):
        advances = super().create(vals_list)
        for contract, group in advances.grouped("contract_id").items():
            contract._log_advances(self.env._("Advance added"), group)
        return advances

    def write(self, vals):
        if not {"amount", "date_from", "contract_id"} & set(vals):
            return super().write(vals)
        before = {advance: advance.display_name for advance in self}
        result = super().write(vals)
        for advance in self.filtered(lambda a: a.display_name != before[a]):
            advance.contract_id._log_advances(
                self.env._("Advance changed, it was %(old)s", old=before[advance]),
                advance,
            )
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_log(self):
        for contract, group in self.grouped("contract_id").items():
            contract._log_advances(self.env._("Advance removed"), group)
