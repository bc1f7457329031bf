from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import ValidationError


class OnergyMeterPlacement(models.Model):
    """A meter at a connection, from one day until another (both included).

    Its start and end values are readings like any other: the start counts at 00:00
    of ``date_from``, the end at 00:00 of the day after ``date_to``.
    """

    _name = "onergy.meter.placement"
    _description = "Meter placement"
    _inherit = ["mail.thread"]
    _check_company_auto = True
    _order = "date_from desc, id desc"

    meter_id = fields.Many2one(
        "onergy.meter",
        required=True,
        index=True,
        ondelete="restrict",
        check_company=True,
    )
    connection_id = fields.Many2one(
        "onergy.connection",
        required=True,
        index=True,
        ondelete="restrict",
        check_company=True,
        tracking=True,
    )
    company_id = fields.Many2one(related="meter_id.company_id", store=True, index=True)
    complex_id = fields.Many2one(related="connection_id.complex_id")
    date_from = fields.Date(
        "From", required=True, default=fields.Date.context_today, tracking=True
    )
    date_to = fields.Date(
        "Until", tracking=True, help="Last day; empty while it hangs."
    )
    start_value = fields.Float(
        "Start reading",
        digits=(16, 3),
        tracking=True,
        help="The energy register on the morning of the first day.",
    )
    has_start_value = fields.Boolean("Start reading known")
    end_value = fields.Float(
        "End reading",
        digits=(16, 3),
        tracking=True,
        help="The energy register at the end of the last day.",
    )
    has_end_value = fields.Boolean("End reading known")
    unit = fields.Selection(related="meter_id.unit")
    photo = fields.Image("Photo of the old meter", max_width=1920, max_height=1920)

    # int4range with && stands for "the same meter" without an extension.
    _no_overlap = models.Constraint(
        "EXCLUDE USING gist ("
        "int4range(meter_id, meter_id, '[]') WITH &&, "
        "daterange(date_from, date_to, '[]') WITH &&)",
        "This meter already hangs somewhere on these days. End that placement first.",
    )
    _dates_order = models.Constraint(
        "CHECK (date_to IS NULL OR date_to >= date_from)",
        "A placement cannot end before it starts.",
    )

    @api.depends("meter_id.serial", "connection_id.name")
    def _compute_display_name(self):
        for record in self:
            record.display_name = " – ".join(
                filter(None, [record.meter_id.serial, record.connection_id.name])
            )

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._mark_known_values(vals)
        placements = super().create(vals_list)
        placements._sync_readings()
        return placements

    def write(self, vals):
        self._mark_known_values(vals)
        result = super().write(vals)
        touching = {
            "connection_id",
            "date_from",
            "date_to",
            "start_value",
            "end_value",
        }
        if vals.keys() & touching:
            self._sync_readings()
        return result

    def unlink(self):
        meters = self.meter_id
        result = super().unlink()
        self.env["onergy.consumption.builder"]._rebuild_meters(meters)
        return result

    @api.model
    def _mark_known_values(self, vals):
        """Zero is a reading, an empty box is not: remember which it was."""
        for name in ("start_value", "end_value"):
            if vals.get(name):
                vals[f"has_{name}"] = True

    @api.constrains("meter_id", "connection_id")
    def _check_service(self):
        for record in self:
            if record.meter_id.company_id != record.connection_id.company_id:
                raise ValidationError(
                    self.env._("Meter and connection belong to different companies.")
                )

    def _sync_readings(self):
        """Bring start and end values among the readings, then the consumption."""
        meters = self.meter_id
        for meter in meters:
            meter.placement_ids._sync_meter_readings(meter)
        self.env["onergy.consumption.builder"]._rebuild_meters(meters)

    def _sync_meter_readings(self, meter):
        loader = self.env["onergy.reading.loader"]
        register = meter._get_main_register()
        unit = meter._get_register_unit(register)
        # A meter that hangs on where it left off has one reading at that midnight.
        values = {}
        for record in self:
            if record.has_end_value and record.date_to:
                moment = loader._day_start(record.date_to + timedelta(days=1))
                values.setdefault(moment, record.end_value)
            if record.has_start_value:
                values[loader._day_start(record.date_from)] = record.start_value
        loader._retire_readings(meter, "placement", keep=list(values))
        for moment, value in values.items():
            loader._set_reading(meter, register, moment, value, unit, "placement")
