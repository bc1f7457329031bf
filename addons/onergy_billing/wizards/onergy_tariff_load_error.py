from odoo import fields, models


class OnergyTariffLoadError(models.TransientModel):
    """One thing to mend in a spreadsheet."""

    _name = "onergy.tariff.load.error"
    _description = "Mistake in a spreadsheet with prices"
    _order = "line, id"

    load_id = fields.Many2one("onergy.tariff.load", required=True, ondelete="cascade")
    filename = fields.Char("File")
    line = fields.Integer()
    field = fields.Char("Column")
    remedy = fields.Char("What to do")
