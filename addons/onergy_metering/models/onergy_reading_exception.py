import json
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date

from .onergy_meter import REGISTERS

#: Reasons that go away by themselves once meters and placements are put right.
RETRYABLE = (
    "unknown_meter",
    "ambiguous_meter",
    "not_installed",
    "inactive_meter",
    "unit_mismatch",
    "future",
)


class OnergyReadingException(models.Model):
    """A row that was set aside, until somebody decides about it.

    Inserted by ``onergy.reading.loader``. Holds everything that could be read of the
    row, so that it can be tried again without the file.
    """

    _name = "onergy.reading.exception"
    _description = "Reading exception"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "id desc"

    company_id = fields.Many2one(
        "res.company", required=True, index=True, readonly=True
    )
    import_id = fields.Many2one(
        "onergy.reading.import", index=True, ondelete="cascade", readonly=True
    )
    filename = fields.Char("File", related="import_id.filename")
    line = fields.Integer(readonly=True, aggregator=None)
    column_name = fields.Char("Column", readonly=True)
    raw = fields.Char("As written", readonly=True)
    meter_key = fields.Char("Meter number", readonly=True)
    meter_id = fields.Many2one(
        "onergy.meter", index="btree_not_null", ondelete="cascade", readonly=True
    )
    connection_id = fields.Many2one(related="meter_id.connection_id")
    register = fields.Selection(REGISTERS, readonly=True)
    moment = fields.Datetime(readonly=True)
    value = fields.Float(digits=(16, 3), readonly=True, aggregator=None)
    unit = fields.Char(readonly=True)
    status = fields.Char(readonly=True)
    other_value = fields.Float(
        "Compared with",
        digits=(16, 3),
        readonly=True,
        aggregator=None,
        help="The reading that this one does not agree with.",
    )
    reason = fields.Selection(
        selection="_get_reasons", required=True, readonly=True, index=True
    )
    severity = fields.Selection(
        [("info", "Information"), ("issue", "Work item"), ("terminate", "Set aside")],
        required=True,
        readonly=True,
        default="terminate",
    )
    rule_id = fields.Many2one("onergy.vee.rule", ondelete="set null", readonly=True)
    day = fields.Date(readonly=True, help="The day that a rule speaks about.")
    chart_data = fields.Text("Use per day", compute="_compute_evidence")
    neighbour_ids = fields.Many2many(
        "onergy.reading", string="Readings around it", compute="_compute_evidence"
    )
    remedy = fields.Char("What to do", compute="_compute_remedy")
    retryable = fields.Boolean(compute="_compute_retryable")
    state = fields.Selection(
        [("open", "Open"), ("resolved", "Resolved"), ("ignored", "Ignored")],
        required=True,
        readonly=True,
        default="open",
        tracking=True,
    )
    resolution = fields.Selection(
        [
            ("arrived", "Reading came in"),
            ("accepted", "Accepted"),
            ("replaced", "Other value entered"),
            ("rejected", "Rejected"),
            ("estimated", "Estimated"),
            ("muted", "Rule muted"),
            ("exchanged", "Meter exchanged"),
            ("ignored", "Ignored"),
        ],
        readonly=True,
        tracking=True,
    )
    resolution_note = fields.Char("Reason given", readonly=True, tracking=True)
    resolved_uid = fields.Many2one("res.users", "Resolved by", readonly=True)
    resolved_date = fields.Datetime("Resolved on", readonly=True)
    resolved_import_id = fields.Many2one(
        "onergy.reading.import", readonly=True, ondelete="set null"
    )
    fingerprint = fields.Char(readonly=True, export_string_translation=False)

    _fingerprint_uniq = models.UniqueIndex("(fingerprint)")
    _open_key = models.Index("(meter_key, moment) WHERE state = 'open'")
    _open_oldest = models.Index("(company_id, create_date) WHERE state = 'open'")

    @api.model
    def _get_reasons(self):
        return [(code, label) for code, label, _remedy in self._get_reason_texts()]

    @api.model
    def _get_reason_texts(self):
        """(code, what is wrong, what to do about it)"""
        _ = self.env._
        fix_file = _("Ask for a correct file, or correct the profile; import it again.")
        look_at_use = _("Compare with the days around it; ask the resident if need be.")
        check_meter = _("Compare with the meter and the readings around it.")
        return [
            (
                "unknown_meter",
                _("Unknown meter"),
                _("Register the meter, or correct its number; then try again."),
            ),
            (
                "ambiguous_meter",
                _("The number fits two meters"),
                _("Give one of them another M-Bus id or DevEUI; then try again."),
            ),
            (
                "not_installed",
                _("The meter hung nowhere on that day"),
                _("Complete the placements of the meter; then try again."),
            ),
            (
                "inactive_meter",
                _("The meter is archived"),
                _("Restore the meter if it is in use; then try again."),
            ),
            (
                "unit_mismatch",
                _("Another unit than the meter was built with"),
                _("Check the unit of the meter or in the profile; then try again."),
            ),
            (
                "future",
                _("Lies in the future"),
                _("Check the clock of the gateway and the time zone of the profile."),
            ),
            ("conflict", _("Another value is known for this moment"), check_meter),
            ("decrease", _("Lower than the reading before"), check_meter),
            ("above_next", _("Higher than the reading after"), check_meter),
            ("negative", _("Below zero"), check_meter),
            (
                "status_error",
                _("The meter reports an error"),
                _("Have the meter looked at. Accept the value if it is right."),
            ),
            (
                "status_invalid",
                _("The meter says that the value is invalid"),
                _("Have the meter looked at; estimate or enter a reading."),
            ),
            ("bad_row", _("The line cannot be read"), fix_file),
            ("bad_date", _("Not a date or time"), fix_file),
            (
                "ambiguous_time",
                _("The hour that is doubled in October"),
                _("Choose in the profile which of the two hours is meant."),
            ),
            (
                "nonexistent_time",
                _("The hour that does not exist in March"),
                _("Check the time zone of the profile."),
            ),
            ("bad_number", _("Not a number"), fix_file),
            ("missing_value", _("There is no value"), fix_file),
            ("missing_column", _("The line is too short"), fix_file),
            ("missing_key", _("There is no meter number"), fix_file),
            ("missing_unit", _("There is no unit"), fix_file),
            (
                "unknown_unit",
                _("Unknown unit"),
                _("Add the name of the unit to the profile; import again."),
            ),
            (
                "unknown_register",
                _("Unknown register"),
                _("Add the name of the register to the profile; import again."),
            ),
            (
                "unknown_status",
                _("Unknown status"),
                _("Add the status to the profile; import again."),
            ),
            ("bad_hex", _("Not a telegram in hexadecimal"), fix_file),
            ("bad_frame", _("Not a complete M-Bus telegram"), fix_file),
            ("bad_checksum", _("The checksum of the telegram is wrong"), fix_file),
            ("bad_record", _("The telegram holds a broken record"), fix_file),
            (
                "encrypted",
                _("The telegram is encrypted"),
                _("Enter the key of the meter; import again."),
            ),
            (
                "wrong_key",
                _("The key of the meter does not fit"),
                _("Correct the key of the meter; import again."),
            ),
            (
                "compact_frame",
                _("Short telegram without its layout"),
                _("Have the gateway send full telegrams."),
            ),
            (
                "proprietary",
                _("Telegram in the maker's own format"),
                _("Have the gateway decode it, or use a file of the maker's software."),
            ),
            (
                "unsupported",
                _("Kind of telegram that is not supported"),
                _("Have the gateway send standard telegrams."),
            ),
            (
                "vee_power",
                _("More than the connection can draw"),
                _("Compare with the meter; a digit or the unit may be wrong."),
            ),
            ("vee_high", _("Much more use than expected"), look_at_use),
            (
                "vee_ratio",
                _("Use is off by a factor of units"),
                _("Check the unit and the decimal mark; was the meter exchanged?"),
            ),
            ("vee_low", _("Much less use than expected"), look_at_use),
            (
                "vee_stuck",
                _("The energy register stands still while water flows"),
                _("Have the meter looked at; estimate the days until then."),
            ),
            (
                "vee_still",
                _("No use although it is cold"),
                _("Is the dwelling empty? Then mute the rule; else look at the meter."),
            ),
            (
                "vee_delta_t",
                _("Energy and volume do not fit"),
                _("Check units and decimals of both registers, and the sensors."),
            ),
            (
                "vee_gap",
                _("No readings for days; the days in between are estimated"),
                _("Fetch the missing readings, or accept the estimate."),
            ),
            (
                "vee_estimated",
                _("Estimated for too long"),
                _("Have the meter read on the spot."),
            ),
            (
                "vee_late",
                _("The reading is old"),
                _("Check the clock and the connection of the gateway."),
            ),
            (
                "no_total",
                _("The telegram holds no valid total"),
                _("Have the meter looked at."),
            ),
        ]

    @api.depends("reason")
    def _compute_remedy(self):
        remedies = {code: remedy for code, _l, remedy in self._get_reason_texts()}
        for record in self:
            record.remedy = remedies.get(record.reason, "")

    @api.depends("reason", "moment", "value")
    def _compute_retryable(self):
        for record in self:
            record.retryable = record.reason in RETRYABLE and bool(record.moment)

    @api.depends("reason", "meter_key")
    def _compute_display_name(self):
        labels = dict(self._get_reasons())
        for record in self:
            record.display_name = " – ".join(
                filter(None, [record.meter_key, labels.get(record.reason)])
            )

    # -- evidence ------------------------------------------------------------------

    EVIDENCE_DAYS = 14

    @api.depends("meter_id", "register", "moment")
    def _compute_evidence(self):
        for record in self:
            record.chart_data = json.dumps([{"key": "", "values": []}])
            record.neighbour_ids = False
            if record.meter_id and record.moment and record.register:
                record.chart_data = record._get_chart()
                record.neighbour_ids = record._get_neighbours()

    def _get_chart(self):
        """Use per day around the moment, in the shape of ``dashboard_graph``."""
        self.ensure_one()
        middle = self.day or self.moment.date()
        margin = timedelta(days=self.EVIDENCE_DAYS)
        use = dict(
            self.env["onergy.consumption.day"]._read_group(
                [
                    ("meter_id", "=", self.meter_id.id),
                    ("register", "=", self.register),
                    ("day", ">=", middle - margin),
                    ("day", "<=", middle + margin),
                ],
                ["day:day"],
                ["quantity:sum"],
            )
        )
        days = [
            middle + timedelta(days=offset)
            for offset in range(-self.EVIDENCE_DAYS, self.EVIDENCE_DAYS + 1)
        ]
        values = [
            {
                "label": format_date(self.env, day, date_format="d MMM"),
                "value": use.get(day, 0),
                "type": "future" if day == middle else "past",
            }
            for day in days
        ]
        title = "m³" if self.register == "volume" else "GJ"
        return json.dumps([{"key": title, "values": values}])

    def _get_neighbours(self, count=4):
        """The readings just before and just after."""
        domain = [
            ("meter_id", "=", self.meter_id.id),
            ("register", "=", self.register),
            ("superseded", "=", False),
        ]
        readings = self.env["onergy.reading"]
        before = readings.search(
            [*domain, ("moment", "<=", self.moment)], order="moment desc", limit=count
        )
        after = readings.search(
            [*domain, ("moment", ">", self.moment)], order="moment", limit=count
        )
        return before | after

    # -- resolutions ---------------------------------------------------------------

    def action_retry(self):
        """Try again what stands on the list, now that meters were put right."""
        rows = self.filtered(lambda e: e.state == "open" and e.retryable)
        before = len(rows)
        for company in rows.company_id:
            rows.filtered(lambda e, c=company: e.company_id == c)._retry(company)
        solved = len(rows.filtered(lambda e: e.state == "resolved"))
        message = self.env._(
            "%(solved)s of %(count)s readings came in.", solved=solved, count=before
        )
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success" if solved else "warning",
                "message": message,
                "next": {"type": "ir.actions.act_window_close"},
            },
        }

    def _retry(self, company):
        """Feed the rows through the pipeline again, each under its own import."""
        self.check_access("write")
        loader = self.env["onergy.reading.loader"]
        for origin_import in self.import_id or self.env["onergy.reading.import"]:
            part = self.filtered(lambda e, i=origin_import: e.import_id == i)
            loader._load_rows(
                part._get_rows(), company, origin_import.channel, origin_import.id
            )
        loose = self.filtered(lambda e: not e.import_id)
        if loose:
            loader._load_rows(loose._get_rows(), company, "manual")

    def _get_rows(self):
        """The rows as they were staged, exact: numbers do not pass through float."""
        self.env.cr.execute(
            "SELECT line, meter_key, register, moment::text, value::text, unit, "
            "COALESCE(status, 'ok'), '', '', '' "
            "FROM onergy_reading_exception WHERE id = ANY(%s) ORDER BY id",
            [self.ids],
        )
        return self.env.cr.fetchall()

    def _resolve(self, state, resolution, note):
        if any(record.state != "open" for record in self):
            raise UserError(self.env._("This exception has been resolved already."))
        self.write(
            {
                "state": state,
                "resolution": resolution,
                "resolution_note": note,
                "resolved_uid": self.env.uid,
                "resolved_date": fields.Datetime.now(),
            }
        )

    def _apply_value(self, value, resolution, note, origin):
        """Put a value in force in spite of what the rules said."""
        self.ensure_one()
        self.check_access("write")
        if not (self.meter_id and self.moment and self.register):
            raise UserError(
                self.env._("Without meter and time this cannot become a reading.")
            )
        self._resolve("resolved", resolution, note)
        self.env["onergy.reading.loader"]._set_reading(
            self.meter_id,
            self.register,
            self.moment,
            value,
            self.meter_id._get_register_unit(self.register),
            origin,
            reason=note,
        )
        self.env["onergy.consumption.builder"]._rebuild_meters(self.meter_id)

    def _accept(self, note):
        """Accept the value as it stands on the list."""
        self.ensure_one()
        if self.reason in RETRYABLE:
            raise UserError(
                self.env._(
                    "%(reason)s: put that right first, then try again.",
                    reason=dict(self._get_reasons())[self.reason],
                )
            )
        if self.reason.startswith("vee_") and self.severity != "terminate":
            # The reading is in force; the rule was told that this is all right.
            self._resolve("resolved", "accepted", note)
            return
        if not self.value and self.reason.startswith(("bad_", "missing_")):
            raise UserError(self.env._("There is no value to accept. Enter one."))
        origin = self.import_id.channel or "manual"
        self._apply_value(self.value, "accepted", note, origin)

    def _reject(self, note):
        """Do not use the value; a reading in force behind it gives way."""
        landed = self.filtered(lambda e: e.day and e.severity != "terminate")
        self._resolve("resolved", "rejected", note)
        landed._retire_readings(note)

    def _estimate(self, note):
        """The same, with the days estimated from the readings around them."""
        self._resolve("resolved", "estimated", note)
        self.filtered("day")._retire_readings(note)

    def _retire_readings(self, note):
        """Supersede the reading that ends the day; the day is shared out anew."""
        self.check_access("write")
        loader = self.env["onergy.reading.loader"]
        for record in self:
            loader._retire_boundary(
                record.meter_id, record.register, record.day, note, record
            )
        self.env["onergy.consumption.builder"]._rebuild_meters(self.meter_id)

    def _mute(self, date_to, note):
        """Say no more about these meters until ``date_to``."""
        self.env["onergy.vee.mute"].create(
            [
                {
                    "meter_id": record.meter_id.id,
                    "code": record.rule_id.code,
                    "date_from": record.day,
                    "date_to": date_to,
                    "reason": note,
                }
                for record in self
                if record.rule_id and record.meter_id
            ]
        )
        self._resolve("resolved", "muted", note)

    def action_open_resolve(self):
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Resolve"),
            "res_model": "onergy.reading.resolve",
            "view_mode": "form",
            "target": "new",
            "context": {"default_exception_ids": self.ids},
        }

    def action_view_meter(self):
        self.ensure_one()
        return self.meter_id.get_formview_action()
