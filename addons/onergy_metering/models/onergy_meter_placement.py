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
    unit = fields.Char(
        "Energy unit",
        compute="_compute_unit",
        help="Of the start reading, and of the end reading if that is another.",
    )
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

    @api.depends("meter_id", "date_from", "date_to")
    def _compute_unit(self):
        day_start = self.env["onergy.reading.loader"]._day_start
        for record in self:
            meter = record.meter_id
            if not meter:
                record.unit = False
                continue
            register = meter._get_main_register()
            units = [
                meter._get_register_unit(register, day and day_start(day))
                for day in (
                    record.date_from,
                    record.date_to and record.date_to + timedelta(days=1),
                )
            ]
            record.unit = " → ".join(dict.fromkeys(filter(None, units)))

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._mark_known_values(vals)
        placements = super().create(vals_list)
        meters = placements.meter_id
        before = (meters.placement_ids - placements)._get_boundaries()
        self._sync_readings(meters, before)
        return placements

    def write(self, vals):
        self._mark_known_values(vals)
        touching = {
            "meter_id",
            "connection_id",
            "date_from",
            "date_to",
            "start_value",
            "has_start_value",
            "end_value",
            "has_end_value",
        }
        if not vals.keys() & touching:
            return super().write(vals)
        meters = self.meter_id
        before = meters.placement_ids._get_boundaries()
        result = super().write(vals)
        self._sync_readings(meters | self.meter_id, before)
        return result

    def unlink(self):
        meters = self.meter_id
        before = meters.placement_ids._get_boundaries()
        result = super().unlink()
        self._sync_readings(meters, before)
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

    def _get_boundaries(self):
        """{meter: {moment: value}} of the start and end values that are known."""
        day_start = self.env["onergy.reading.loader"]._day_start
        found = {meter: {} for meter in self.meter_id}
        # A meter that hangs on where it left off has one reading at that midnight.
        for record in self:
            if record.has_end_value and record.date_to:
                moment = day_start(record.date_to + timedelta(days=1))
                found[record.meter_id].setdefault(moment, record.end_value)
        for record in self:
            if record.has_start_value:
                moment = day_start(record.date_from)
                found[record.meter_id][moment] = record.start_value
        return found

    @api.model
    def _sync_readings(self, meters, before):
        """Bring changed start and end values among the readings, then the consumption.

        A value that did not change is left alone: somebody may have put another
        reading in its place since.

        :param dict before: :meth:`_get_boundaries` of the meters before the change
        """
        loader = self.env["onergy.reading.loader"]
        meters.invalidate_recordset(["placement_ids"])
        after = meters.placement_ids._get_boundaries()
        for meter in meters:
            known, values = before.get(meter, {}), after.get(meter, {})
            if known.keys() - values.keys():
                loader._retire_readings(meter, "placement", keep=list(values))
            register = meter._get_main_register()
            for moment, value in values.items():
                if known.get(moment) != value:
                    unit = meter._get_register_unit(register, moment)
                    loader._set_reading(
                        meter, register, moment, value, unit, "placement"
                    )
        self.env["onergy.consumption.builder"]._rebuild_meters(meters)
