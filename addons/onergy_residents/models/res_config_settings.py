from odoo import api, fields, models
from odoo.exceptions import ValidationError

from .onergy_access_code import DEFAULT_VALIDITY_DAYS


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    onergy_access_code_days = fields.Integer(
        "Validity of activation codes",
        default=DEFAULT_VALIDITY_DAYS,
        config_parameter="onergy_residents.access_code_days",
        help="Days after which the code on a letter stops working.",
    )
    onergy_keep_billing_years = fields.Integer(
        related="company_id.onergy_keep_billing_years", readonly=False
    )
    onergy_keep_request_months = fields.Integer(
        related="company_id.onergy_keep_request_months", readonly=False
    )
    onergy_keep_access_log_months = fields.Integer(
        related="company_id.onergy_keep_access_log_months", readonly=False
    )
    onergy_mandate_days = fields.Integer(
        related="company_id.onergy_mandate_days", readonly=False
    )
    onergy_creditor_identifier = fields.Char(
        related="company_id.onergy_creditor_identifier", readonly=False
    )
    onergy_request_days = fields.Integer(
        related="company_id.onergy_request_days", readonly=False
    )
    onergy_fault_days = fields.Integer(
        related="company_id.onergy_fault_days", readonly=False
    )
    onergy_fault_phone = fields.Char(
        related="company_id.onergy_fault_phone", readonly=False
    )
    onergy_contact_form = fields.Boolean(
        related="company_id.onergy_contact_form", readonly=False
    )
    onergy_request_user_id = fields.Many2one(
        related="company_id.onergy_request_user_id", readonly=False
    )
    onergy_request_alias_id = fields.Many2one(
        related="company_id.onergy_request_alias_id", readonly=False
    )

    @api.constrains("onergy_access_code_days")
    def _check_onergy_access_code_days(self):
        for settings in self:
            if not 1 <= settings.onergy_access_code_days <= 730:
                raise ValidationError(
                    self.env._(
                        "Activation codes can be valid for 1 to 730 days (two years)."
                    )
                )
