from odoo import fields, models


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    onergy_billing_start = fields.Date(
        related="company_id.onergy_billing_start", readonly=False
    )
    onergy_second_approver = fields.Boolean(
        related="company_id.onergy_second_approver", readonly=False
    )
    onergy_plan_final_bills = fields.Boolean(
        related="company_id.onergy_plan_final_bills", readonly=False
    )
    onergy_tier_proration = fields.Selection(
        related="company_id.onergy_tier_proration", readonly=False
    )
    onergy_hot_water_share = fields.Integer(
        related="company_id.onergy_hot_water_share", readonly=False
    )
    onergy_advance_below = fields.Integer(
        related="company_id.onergy_advance_below", readonly=False
    )
    onergy_advance_above = fields.Integer(
        related="company_id.onergy_advance_above", readonly=False
    )
    onergy_advance_change_days = fields.Integer(
        related="company_id.onergy_advance_change_days", readonly=False
    )
    onergy_prenotification_days = fields.Integer(
        related="company_id.onergy_prenotification_days", readonly=False
    )
    onergy_due_days = fields.Integer(
        related="company_id.onergy_due_days", readonly=False
    )
    onergy_complaint_text = fields.Html(
        related="company_id.onergy_complaint_text", readonly=False
    )
