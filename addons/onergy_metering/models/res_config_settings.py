from pathlib import Path

from odoo import api, fields, models
from odoo.exceptions import ValidationError


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    onergy_reading_folder = fields.Char(
        related="company_id.onergy_reading_folder", readonly=False
    )
    onergy_reading_settle = fields.Integer(
        related="company_id.onergy_reading_settle", readonly=False
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
