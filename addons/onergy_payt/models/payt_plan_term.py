from odoo import fields, models


class PaytPlanTerm(models.Model):
    """One payment of a plan."""

    _name = "payt.plan.term"
    _description = "Term of a payment plan"
    _order = "due_date, id"
    _rec_name = "due_date"

    plan_id = fields.Many2one(
        "payt.plan", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="plan_id.company_id", store=True, index=True)
    currency_id = fields.Many2one(related="plan_id.currency_id")
    payt_id = fields.Char("Payt ID", readonly=True)
    amount = fields.Monetary(readonly=True)
    amount_due = fields.Monetary("Still due", readonly=True)
    due_date = fields.Date(readonly=True)
    payment_date = fields.Date("Paid on", readonly=True)
