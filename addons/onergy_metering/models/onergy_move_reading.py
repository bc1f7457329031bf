from odoo import api, fields, models
from odoo.exceptions import UserError

#: Who enters the reading of a move decides its origin.
ORIGINS = {"portal": "portal", "phone": "manual", "sheet": "portal"}


class OnergyMoveReading(models.Model):
    """What a meter showed at the end of the last day of a move.

    Kept with the move until that day is over; then it becomes a reading like any
    other, judged by the same rules.
    """

    _name = "onergy.move.reading"
    _description = "Closing reading of a move"
    _order = "move_id desc, id"

    move_id = fields.Many2one(
        "onergy.move", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="move_id.company_id", store=True, index=True)
    connection_id = fields.Many2one(related="move_id.connection_id")
    meter_id = fields.Many2one(
        "onergy.meter",
        required=True,
        index=True,
        ondelete="restrict",
        domain="[('placement_ids.connection_id', '=', connection_id)]",
    )
    value = fields.Float("Reading", digits=(16, 3), required=True)
    unit = fields.Char(compute="_compute_unit")
    photo = fields.Binary(attachment=True)
    verdict = fields.Selection(
        [
            ("ok", "Plausible"),
            ("doubtful", "Does not fit the readings before"),
            ("waiting", "The last day is still to come"),
        ],
        compute="_compute_verdict",
    )
    is_stored = fields.Boolean(
        "Among the readings", readonly=True, copy=False, help="Judged and kept."
    )

    _meter_uniq = models.UniqueIndex(
        "(move_id, meter_id)", "This meter has a closing reading already."
    )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_stored(self):
        if any(self.mapped("is_stored")):
            raise UserError(
                self.env._(
                    "This reading is among the readings of the meter already. Correct "
                    "it there: reject it or replace it by another one."
                )
            )

    @api.depends("meter_id", "move_id.date_end")
    def _compute_unit(self):
        for record in self:
            meter = record.meter_id
            record.unit = meter and record.move_id._get_closing_unit(meter) or ""

    @api.depends("meter_id", "value", "move_id.date_end")
    def _compute_verdict(self):
        for record in self:
            if not record.meter_id or record._get_moment() is None:
                record.verdict = "waiting"
            else:
                record.verdict = record.move_id._judge_reading(
                    record.meter_id, repr(record.value)
                )

    def _get_moment(self):
        """Return the end of the last day in UTC, nothing while it is to come."""
        return self.move_id._get_closing_moment()

    def _store(self):
        """Bring the readings whose day is over among the others.

        A doubtful one waits for a member of staff with its photo, as every reading
        that a resident enters.
        """
        loader = self.env["onergy.reading.loader"]
        now = fields.Datetime.now()
        for record in self.filtered(lambda r: not r.is_stored):
            moment = record._get_moment()
            if moment is None or moment > now:
                continue
            meter = record.meter_id
            counts = loader._load_rows(
                [
                    loader._make_row(
                        meter.serial,
                        moment,
                        repr(record.value),
                        record.unit,
                        meter._get_main_register(),
                    )
                ],
                record.company_id,
                ORIGINS[record.move_id.channel],
            )
            if counts["bad"] and record.photo:
                record.move_id.contract_id._attach_photo(
                    meter, record.with_context(bin_size=False)._get_photo()
                )
            record.is_stored = True

    def _get_photo(self):
        """Return the bytes of the picture."""
        attachment = self.env["ir.attachment"].search(
            [
                ("res_model", "=", self._name),
                ("res_field", "=", "photo"),
                ("res_id", "=", self.id),
            ]
        )
        return attachment.raw
