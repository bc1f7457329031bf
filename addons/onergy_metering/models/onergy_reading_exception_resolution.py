from odoo import fields, models
from odoo.exceptions import UserError

from .onergy_reading_exception_reason import RETRYABLE


class OnergyReadingException(models.Model):
    """Decisions about exceptions, and taking them back."""

    _inherit = "onergy.reading.exception"

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
        """Put a value in force in spite of what the rules said.

        :param value: a number in the unit that the meter counted in at that moment
        """
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
            # What came before a change of unit stays in the unit of that time.
            self._get_meter_unit(),
            origin,
            reason=note,
            exception=self,
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
        value = self._get_exact_values().get(self.id)
        if value is None:
            raise UserError(self.env._("There is no value to accept. Enter one."))
        self._check_unit()
        origin = self.import_id.channel or "manual"
        self._apply_value(value, "accepted", note, origin)

    def _check_unit(self):
        """A value in another unit than the meter's would be read as another amount."""
        unit = self._get_meter_unit()
        if self.unit and unit and self.unit != unit:
            raise UserError(
                self.env._(
                    "The value is in %(unit)s, but the meter counted in %(meter_unit)s "
                    "then. Correct the unit of the meter, or enter another value.",
                    unit=self.unit,
                    meter_unit=unit,
                )
            )

    def _get_meter_unit(self):
        """What the register counted in at the moment of this row."""
        return self.meter_id and self.meter_id._get_register_unit(
            self.register, self.moment
        )

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
                    "date_from": record.day or record.moment.date(),
                    "date_to": date_to,
                    "reason": note,
                    "exception_id": record.id,
                }
                for record in self
                if record.rule_id and record.meter_id
            ]
        )
        self._resolve("resolved", "muted", note)

    # -- one click ---------------------------------------------------------------

    def action_accept(self):
        """The value is right as it is."""
        note = self.env._("Accepted as it is")
        for record in self._get_open():
            record._accept(note)

    def action_reject(self):
        """The value is wrong; use nothing in its place."""
        self._get_open()._reject(self.env._("Rejected"))

    def action_estimate(self):
        """The value is wrong; share the days out by the readings around them."""
        self._get_open()._estimate(self.env._("Estimated from the readings around it"))

    def action_replace(self):
        return self.action_open_resolve("replace")

    def action_mute(self):
        return self.action_open_resolve("mute")

    def action_open_resolve(self, decision=None):
        context = {"default_exception_ids": self.ids}
        if decision:
            context["default_decision"] = decision
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Resolve"),
            "res_model": "onergy.reading.resolve",
            "view_mode": "form",
            "target": "new",
            "context": context,
        }

    def _get_open(self):
        self.check_access("write")
        return self.filtered(lambda record: record.state == "open")

    def action_reopen(self):
        """Undo a decision: what it put out of force is in force again."""
        self.check_access("write")
        done = self.filtered(lambda record: record.state != "open")
        if done.filtered(lambda record: record.resolution == "exchanged"):
            raise UserError(
                self.env._(
                    "The meter was exchanged for this. Correct the placements instead."
                )
            )
        # sudo: clerks may read the audit trail, and only add to it this way
        revisions = (
            self.env["onergy.reading.revision"]
            .sudo()
            .search([("exception_id", "in", done.ids), ("undone", "=", False)])
        )
        revisions._undo(self.env._("Decision undone"))
        self.env["onergy.vee.mute"].search([("exception_id", "in", done.ids)]).unlink()
        done.write(
            {
                "state": "open",
                "resolution": False,
                "resolution_note": False,
                "resolved_uid": False,
                "resolved_date": False,
                "resolved_import_id": False,
            }
        )

    def action_view_meter(self):
        self.ensure_one()
        return self.meter_id.get_formview_action()
