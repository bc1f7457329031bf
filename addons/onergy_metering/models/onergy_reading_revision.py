from odoo import fields, models


class OnergyReadingRevision(models.Model):
    """Why a reading was put in the place of another, and by whom."""

    _name = "onergy.reading.revision"
    _description = "Reading revision"
    _order = "create_date desc, id desc"
    _rec_name = "reason"

    meter_id = fields.Many2one(
        "onergy.meter", required=True, index=True, ondelete="restrict", readonly=True
    )
    old_reading_id = fields.Many2one(
        "onergy.reading", ondelete="restrict", readonly=True
    )
    new_reading_id = fields.Many2one(
        "onergy.reading", ondelete="restrict", readonly=True
    )
    exception_id = fields.Many2one(
        "onergy.reading.exception", ondelete="set null", readonly=True
    )
    reason = fields.Char(required=True, readonly=True)
    create_uid = fields.Many2one("res.users", "By", readonly=True)
    create_date = fields.Datetime("On", readonly=True)
