from decimal import Decimal

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..models.onergy_meter import ENERGY_UNITS
from ..parsers.units import UNITS


class OnergyMeterUnitChange(models.TransientModel):
    """The display of a meter was set to another unit; the meter stays the same.

    Nothing is converted silently: somebody reads both values, they have to mean the
    same amount of heat, and the readings of before stay in the unit they came in.
    """

    _name = "onergy.meter.unit.change"
    _description = "Change of a meter's unit"

    meter_id = fields.Many2one("onergy.meter", required=True)
    exception_id = fields.Many2one("onergy.reading.exception")
    old_unit = fields.Selection(related="meter_id.unit", string="Unit until now")
    last_moment = fields.Datetime(related="meter_id.last_moment")
    last_value = fields.Float(related="meter_id.last_value")
    date = fields.Date(
        "First day in the new unit", required=True, default=fields.Date.context_today
    )
    old_value = fields.Float(
        "Value in the old unit",
        digits=(16, 3),
        required=True,
        compute="_compute_old_value",
        store=True,
        readonly=False,
        precompute=True,
    )
    new_unit = fields.Selection(ENERGY_UNITS, required=True)
    new_value = fields.Float("Value in the new unit", digits=(16, 3), required=True)
    expected_value = fields.Float(
        "That should be about", digits=(16, 3), compute="_compute_expected_value"
    )
    step = fields.Float(
        "Resolution in the new unit", digits=(16, 6), required=True, default=0.001
    )
    register_capacity = fields.Float("Capacity in the new unit", digits=(16, 3))
    photo = fields.Image("Photo of the display", max_width=1920, max_height=1920)
    reason = fields.Char(required=True)

    @api.depends("meter_id")
    def _compute_old_value(self):
        for wizard in self:
            wizard.old_value = wizard.meter_id.last_value

    @api.depends("old_value", "old_unit", "new_unit")
    def _compute_expected_value(self):
        for wizard in self:
            wizard.expected_value = (
                float(wizard._get_amount(wizard.old_value, wizard.old_unit))
                / float(UNITS[wizard.new_unit][1])
                if wizard.new_unit and wizard.old_unit
                else 0
            )

    @api.model
    def _get_amount(self, value, unit):
        """A value in GJ, exact."""
        return Decimal(repr(value)) * UNITS[unit][1]

    def action_apply(self):
        self.ensure_one()
        self._check()
        meter = self.meter_id
        moment = self.env["onergy.reading.loader"]._day_start(self.date)
        former = self.env["onergy.meter.unit"].search(
            [("meter_id", "=", meter.id)], order="date_to desc", limit=1
        )
        self.env["onergy.meter.unit"].sudo().create(  # history, only written here
            {
                "meter_id": meter.id,
                "unit": meter.unit,
                "step": meter.step,
                "register_capacity": meter.register_capacity,
                "moment_from": former.moment,
                "date_to": self.date,
                "moment": moment,
                "old_value": self.old_value,
                "new_value": self.new_value,
                "reason": self.reason,
                "photo": self.photo,
            }
        )
        meter._set_unit(self.new_unit, self.step, self.register_capacity)
        self.env["onergy.reading.loader"]._set_reading(
            meter,
            meter._get_main_register(),
            moment,
            self.new_value,
            self.new_unit,
            "manual",
            reason=self.reason,
        )
        self.env["onergy.consumption.builder"]._rebuild_meters(meter)
        self._retry_waiting()
        return meter.get_formview_action()

    def _check(self):
        meter = self.meter_id
        meter.check_access("write")
        if meter._get_main_register() == "volume":
            raise UserError(self.env._("This meter counts water, not heat."))
        if self.new_unit == meter.unit:
            raise UserError(
                self.env._("The meter counts in %s already.", self.new_unit)
            )
        moment = self.env["onergy.reading.loader"]._day_start(self.date)
        if meter.last_moment and meter.last_moment > moment:
            raise UserError(
                self.env._(
                    "There are readings in %(unit)s after %(date)s. The change lies "
                    "after the last of them.",
                    unit=meter.unit,
                    date=self.date,
                )
            )
        old = self._get_amount(self.old_value, meter.unit)
        new = self._get_amount(self.new_value, self.new_unit)
        margin = self._get_amount(meter.step, meter.unit) + self._get_amount(
            self.step, self.new_unit
        )
        if abs(old - new) > margin:
            raise UserError(
                self.env._(
                    "%(old)s %(old_unit)s is not %(new)s %(new_unit)s but about "
                    "%(expected).3f. If the register started again, register an "
                    "exchange of the meter instead.",
                    old=self.old_value,
                    old_unit=meter.unit,
                    new=self.new_value,
                    new_unit=self.new_unit,
                    expected=self.expected_value,
                )
            )

    def _retry_waiting(self):
        """Try the readings again that waited for their unit."""
        waiting = self.env["onergy.reading.exception"].search(
            [
                ("meter_id", "=", self.meter_id.id),
                ("reason", "=", "unit_mismatch"),
                ("unit", "=", self.new_unit),
                ("state", "=", "open"),
            ]
        )
        if waiting:
            waiting.action_retry()
