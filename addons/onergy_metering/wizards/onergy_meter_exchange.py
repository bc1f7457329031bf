from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..models.onergy_meter import ENERGY_UNITS


class OnergyMeterExchange(models.TransientModel):
    """One meter comes down, another takes its place; use is never bridged."""

    _name = "onergy.meter.exchange"
    _description = "Meter exchange"

    meter_id = fields.Many2one("onergy.meter", "Old meter", required=True)
    connection_id = fields.Many2one(related="meter_id.connection_id")
    exception_id = fields.Many2one("onergy.reading.exception")
    date = fields.Date(
        "Last day of the old meter", required=True, default=fields.Date.context_today
    )
    end_value = fields.Float("End reading", digits=(16, 3), required=True)
    old_unit = fields.Selection(related="meter_id.unit")
    last_value = fields.Float(related="meter_id.last_value")
    photo = fields.Image(max_width=1920, max_height=1920)
    new_serial = fields.Char("Number of the new meter", required=True)
    maker = fields.Char(
        compute="_compute_new", store=True, readonly=False, precompute=True
    )
    unit = fields.Selection(
        ENERGY_UNITS,
        "Unit of the new meter",
        compute="_compute_new",
        store=True,
        readonly=False,
        precompute=True,
        required=True,
    )
    start_value = fields.Float("Start reading", digits=(16, 3))

    @api.depends("meter_id")
    def _compute_new(self):
        for wizard in self:
            wizard.maker = wizard.meter_id.maker
            wizard.unit = wizard.meter_id.unit or "GJ"

    def action_exchange(self):
        self.ensure_one()
        placement = self._get_placement()
        if self.end_value < self.last_value:
            last = self.meter_id.last_moment
            if last and last < fields.Datetime.to_datetime(self.date):
                raise UserError(
                    self.env._(
                        "The end reading is lower than the last reading (%s). Compare "
                        "it with the photo.",
                        self.last_value,
                    )
                )
        placement.write(
            {
                "date_to": self.date,
                "end_value": self.end_value,
                "has_end_value": True,
                "photo": self.photo,
            }
        )
        meter = self._get_new_meter()
        self.env["onergy.meter.placement"].create(
            {
                "meter_id": meter.id,
                "connection_id": placement.connection_id.id,
                "date_from": self.date + timedelta(days=1),
                "start_value": self.start_value,
                "has_start_value": True,
            }
        )
        if self.exception_id:
            self.exception_id._resolve(
                "resolved", "exchanged", self.env._("Exchanged for %s", meter.serial)
            )
        return meter.get_formview_action()

    def _get_placement(self):
        placement = self.meter_id.placement_ids.filtered(
            lambda p: (
                p.date_from <= self.date and (not p.date_to or p.date_to >= self.date)
            )
        )
        if not placement:
            raise UserError(self.env._("The old meter hung nowhere on %s.", self.date))
        return placement

    def _get_new_meter(self):
        meters = self.env["onergy.meter"]
        company = self.meter_id.company_id
        meter = meters.search(
            [("serial", "=", self.new_serial), ("company_id", "=", company.id)]
        )
        if meter:
            self._check_same_kind(meter)
            return meter
        return meters.create(
            {
                "serial": self.new_serial,
                "company_id": company.id,
                "maker": self.maker,
                "unit": self.unit,
                "medium": self.meter_id.medium,
                "volume_unit": self.meter_id.volume_unit,
                "read_mode": self.meter_id.read_mode,
                "power": self.meter_id.power,
            }
        )

    def _check_same_kind(self, meter):
        """A meter that is known already keeps its unit, whatever was chosen here."""
        register = meter._get_main_register()
        unit = self.unit if register != "volume" else self.meter_id.volume_unit
        known = meter._get_register_unit(register)
        if meter.medium == self.meter_id.medium and known == unit:
            return
        media = dict(meter._fields["medium"]._description_selection(self.env))
        raise UserError(
            self.env._(
                "Meter %(serial)s is known already: %(medium)s, in %(unit)s. Choose "
                "that unit, or correct the meter or its number first.",
                serial=meter.serial,
                medium=media[meter.medium],
                unit=known,
            )
        )
