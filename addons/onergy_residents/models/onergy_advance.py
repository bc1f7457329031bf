from odoo import fields, models


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
    amount = fields.Monetary(
        "Amount per month", required=True, help="In the company's currency, VAT included."
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
        "res.users", default=lambda self: self.env.user, readonly=True
    )
    note = fields.Char()

    _contract_date_uniq = models.UniqueIndex(
        "(contract_id, date_from)",
        "This contract already has an advance that starts on this day.",
    )
    _amount_positive = models.Constraint(
        "CHECK (amount >= 0)", "An advance cannot be negative."
    )
