from odoo import fields, models

from .onergy_meter import REGISTERS
from .unchecked import UncheckedMany2one

QUALITIES = [
    ("measured", "Measured"),
    ("estimated", "Estimated"),
    ("edited", "Edited"),
]


class OnergyConsumptionDay(models.Model):
    """Use of a meter on one day, derived from its readings.

    ``quantity`` is in GJ for energy and m³ for volume, whatever the meter counts in:
    every unit of a meter is a finite decimal of those. Kept by
    ``onergy.consumption.builder``; can be rebuilt from the readings at any time.
    """

    _name = "onergy.consumption.day"
    _description = "Consumption per day"
    _log_access = False
    _order = "day desc, meter_id, register"
    _rec_name = "day"

    meter_id = UncheckedMany2one("onergy.meter", required=True, readonly=True)
    connection_id = UncheckedMany2one("onergy.connection", required=True, readonly=True)
    complex_id = fields.Many2one(related="connection_id.complex_id")
    register = fields.Selection(REGISTERS, required=True, readonly=True)
    day = fields.Date(required=True, readonly=True)
    quantity = fields.Float(
        "Use (GJ or m³)", digits=(16, 3), required=True, readonly=True
    )
    quality = fields.Selection(QUALITIES, required=True, readonly=True)

    # Covers the season of a meter without touching the table.
    _uniq = models.UniqueIndex(
        "(meter_id, register, day) INCLUDE (quantity, quality, connection_id)"
    )
    _day_brin = models.Index("USING brin (day)")
