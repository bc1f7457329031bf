from odoo import fields, models

from .onergy_meter import REGISTERS
from .unchecked import UncheckedMany2one


class OnergyConsumptionMonth(models.Model):
    """Use of a meter at a connection in one calendar month.

    Moved along by the differences of each import, never summed again; serves every
    figure over all meters. Units as in ``onergy.consumption.day``.
    """

    _name = "onergy.consumption.month"
    _description = "Consumption per month"
    _log_access = False
    _order = "month desc, meter_id, register"
    _rec_name = "month"

    meter_id = UncheckedMany2one("onergy.meter", required=True, readonly=True)
    connection_id = UncheckedMany2one("onergy.connection", required=True, readonly=True)
    complex_id = fields.Many2one(related="connection_id.complex_id")
    register = fields.Selection(REGISTERS, required=True, readonly=True)
    month = fields.Date(
        required=True, readonly=True, help="The first day of the month."
    )
    quantity = fields.Float(
        "Use (GJ or m³)", digits=(16, 3), required=True, readonly=True
    )
    days = fields.Integer("Days with data", required=True, readonly=True)
    estimated_days = fields.Integer(required=True, readonly=True)

    _uniq = models.UniqueIndex("(meter_id, register, month, connection_id)")
    _month = models.Index("(month, register)")

    def init(self):
        result = super().init()
        # A day file updates every row of this month: with room for a second version
        # of each in its page no index is touched (HOT). No index may name a figure.
        self.env.cr.execute(
            "ALTER TABLE onergy_consumption_month SET (fillfactor = 45)"
        )
        return result
