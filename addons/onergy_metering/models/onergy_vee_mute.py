from odoo import fields, models

from .onergy_vee_rule import CODES


class OnergyVeeMute(models.Model):
    """A rule that says nothing about a meter for a while, and why."""

    _name = "onergy.vee.mute"
    _description = "Muted validation rule"
    _order = "date_to desc, id desc"
    _rec_name = "reason"

    meter_id = fields.Many2one(
        "onergy.meter", required=True, index=True, ondelete="cascade"
    )
    code = fields.Selection(CODES, "Rule", required=True)
    date_from = fields.Date(required=True, default=fields.Date.context_today)
    date_to = fields.Date("Until", required=True)
    reason = fields.Char(required=True)
    exception_id = fields.Many2one(
        "onergy.reading.exception", index="btree_not_null", ondelete="set null"
    )
    create_uid = fields.Many2one("res.users", "By", readonly=True)
