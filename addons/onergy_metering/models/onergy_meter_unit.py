from odoo import fields, models

from .onergy_meter import ENERGY_UNITS


class OnergyMeterUnit(models.Model):
    """A unit that the energy register of a meter once counted in.

    Its readings of before stay as they were received and are read in that unit. From
    ``moment`` on the meter counts in the unit that it has now; a reading of that
    moment in the new unit is the bridge between the two.
    """

    _name = "onergy.meter.unit"
    _description = "Former unit of a meter"
    _order = "date_to desc, id desc"
    _rec_name = "unit"

    meter_id = fields.Many2one(
        "onergy.meter", required=True, index=True, ondelete="cascade", readonly=True
    )
    unit = fields.Selection(ENERGY_UNITS, "Former unit", required=True, readonly=True)
    step = fields.Float("Resolution", digits=(16, 6), required=True, readonly=True)
    register_capacity = fields.Float(digits=(16, 3), readonly=True)
    moment_from = fields.Datetime("Since", readonly=True)
    date_to = fields.Date("Until", required=True, readonly=True)
    moment = fields.Datetime("Changed on", required=True, readonly=True)
    old_value = fields.Float("Last value", digits=(16, 3), readonly=True)
    new_value = fields.Float("The same in the new unit", digits=(16, 3), readonly=True)
    reason = fields.Char(required=True, readonly=True)
    photo = fields.Image(max_width=1920, max_height=1920, readonly=True)
    create_uid = fields.Many2one("res.users", "By", readonly=True)

    _meter_moment_uniq = models.UniqueIndex("(meter_id, moment)")
