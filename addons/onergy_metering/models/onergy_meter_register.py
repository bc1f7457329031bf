from odoo import fields, models

from .onergy_meter import REGISTERS


class OnergyMeterRegister(models.Model):
    """What is known of a register without looking at its readings.

    One row per meter and register, kept by every import, so that neither a page nor
    a rule scans history.
    """

    _name = "onergy.meter.register"
    _description = "Meter register"
    _log_access = False
    _order = "meter_id, register"

    meter_id = fields.Many2one(
        "onergy.meter", required=True, index=True, ondelete="cascade", readonly=True
    )
    register = fields.Selection(REGISTERS, required=True, readonly=True)
    unit = fields.Char(required=True, readonly=True)
    first_moment = fields.Datetime("First reading", readonly=True)
    last_moment = fields.Datetime("Last reading", readonly=True)
    last_value = fields.Float(digits=(16, 3), readonly=True)

    # What the rules know of it; see onergy.vee.engine.
    stat_day = fields.Date("Judged until", readonly=True)
    day_count = fields.Integer("Days learnt", readonly=True)
    use_sum = fields.Float(readonly=True, export_string_translation=False)
    weight_sum = fields.Float(readonly=True, export_string_translation=False)
    still_since = fields.Date("No use since", readonly=True)
    low_since = fields.Date("Little use since", readonly=True)
    estimated_since = fields.Date(readonly=True)

    _meter_register_uniq = models.UniqueIndex("(meter_id, register)")

    def init(self):
        result = super().init()
        # Every import updates most rows; room in the page keeps that cheap (HOT).
        self.env.cr.execute("ALTER TABLE onergy_meter_register SET (fillfactor = 70)")
        return result
