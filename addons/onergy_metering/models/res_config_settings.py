from pathlib import Path

from odoo import api, fields, models
from odoo.exceptions import ValidationError


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    onergy_keep_daily_months = fields.Integer(
        related="company_id.onergy_keep_daily_months", readonly=False
    )
    onergy_reading_folder = fields.Char(
        related="company_id.onergy_reading_folder", readonly=False
    )
    onergy_reading_settle = fields.Integer(
        related="company_id.onergy_reading_settle", readonly=False
    )
    onergy_estimate_days = fields.Integer(
        related="company_id.onergy_estimate_days", readonly=False
    )

    onergy_overview_from = fields.Date(
        related="company_id.onergy_overview_from", readonly=False
    )
    onergy_advice_body = fields.Text(
        related="company_id.onergy_advice_body", readonly=False
    )
    onergy_consumer_body = fields.Text(
        related="company_id.onergy_consumer_body", readonly=False
    )
    onergy_dispute_body = fields.Text(
        related="company_id.onergy_dispute_body", readonly=False
    )

    @api.constrains("onergy_reading_folder")
    def _check_reading_folder(self):
        for settings in self:
            folder = settings.onergy_reading_folder
            if folder and not (Path(folder).is_absolute() and Path(folder).is_dir()):
                raise ValidationError(
                    self.env._(
                        "%s is not a folder on the server. Give the whole path, from "
                        "the root.",
                        folder,
                    )
                )
