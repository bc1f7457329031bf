from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import formatLang

#: A resident is asked for the reading of his last day until this many days after it,
#: and may give it until so many days after that.
ASK_DAYS = 14


class OnergyMove(models.Model):
    _inherit = "onergy.move"

    closing_reading_ids = fields.One2many(
        "onergy.move.reading",
        "move_id",
        "Closing readings",
        groups="base.group_user",
    )
    reading_asked_on = fields.Date(readonly=True, copy=False, groups="base.group_user")

    # -- meters ------------------------------------------------------------------

    def _get_closing_meters(self):
        """Return the meters at the connection on the last day."""
        self.ensure_one()
        day = self.date_end or fields.Date.context_today(self)
        return self.connection_id.placement_ids.filtered(
            lambda p: p.date_from <= day and (not p.date_to or p.date_to >= day)
        ).meter_id

    def _get_meters_by_hand(self):
        """Return those that only a person can read."""
        return self._get_closing_meters().filtered(lambda m: m.read_mode != "remote")

    def _get_closing_moment(self):
        """Return the end of the last day in UTC; until then the present moment.

        Nothing when the last day is still to come: no reading can be of that day.
        """
        self.ensure_one()
        today = fields.Date.context_today(self.with_context(tz="Europe/Amsterdam"))
        if not self.date_end or self.date_end > today:
            return None
        return self.env["onergy.reading.loader"]._day_start(
            self.date_end + timedelta(days=1)
        )

    def _get_closing_unit(self, meter):
        """What the meter counted in on the last day; it may have changed since."""
        return meter._get_register_unit(
            meter._get_main_register(), self._get_closing_moment()
        )

    def _takes_closing_reading(self):
        """Whether a reading may still be given of a move that was carried out.

        Not for ever: who lives there next goes by the same meter.
        """
        self.ensure_one()
        if self.state != "done" or any(self.closing_reading_ids.mapped("is_stored")):
            return False
        today = fields.Date.context_today(self.with_context(tz="Europe/Amsterdam"))
        asked = max(filter(None, (self.date_end, self.reading_asked_on)), default=today)
        return today <= asked + timedelta(days=ASK_DAYS)

    def _judge_reading(self, meter, value):
        """Tell whether a closing reading fits the readings around it.

        Judged by the rules for every reading; nothing is kept.

        :param str value: a decimal literal
        :return: ``ok`` or ``doubtful``
        """
        self.ensure_one()
        # sudo: who reads the meter may not load readings; all is rolled back
        loader = self.env["onergy.reading.loader"].sudo()
        register = meter._get_main_register()
        row = loader._make_row(
            meter.serial,
            min(self._get_closing_moment(), fields.Datetime.now()),
            value,
            self._get_closing_unit(meter),
            register,
        )
        with self.env.cr.savepoint() as savepoint:
            counts = loader._load_rows([row], self.company_id, "manual")
            savepoint.rollback()
        return "doubtful" if counts["bad"] else "ok"

    # -- what the clerk sees -----------------------------------------------------

    def _get_consequences(self):
        lines = super()._get_consequences()
        if not self.date_end or not self.contract_id:
            return lines
        for reading in self.closing_reading_ids:
            lines.append(
                self.env._(
                    "%(value)s %(unit)s on meter %(meter)s is kept as the reading of "
                    "the end of %(day)s.",
                    value=formatLang(self.env, reading.value, digits=3),
                    unit=reading.unit,
                    meter=reading.meter_id.serial,
                    day=self._get_day(self.date_end),
                )
            )
        return lines

    def _get_warnings(self):
        warnings = super()._get_warnings()
        if not self.date_end or not self.contract_id:
            return warnings
        without = self._get_meters_by_hand() - self.closing_reading_ids.meter_id
        if without:
            warnings.append(
                self.env._(
                    "No closing reading of %s: the use until the last day will be "
                    "estimated.",
                    ", ".join(without.mapped("serial")),
                )
            )
        for reading in self.closing_reading_ids.filtered(
            lambda r: r.verdict == "doubtful"
        ):
            warnings.append(
                self.env._(
                    "The reading of %s does not fit the ones before. It will wait for "
                    "the metering department.",
                    reading.meter_id.serial,
                )
            )
        return warnings

    @api.depends(
        "closing_reading_ids.value",
        "closing_reading_ids.meter_id",
    )
    def _compute_preview(self):
        return super()._compute_preview()

    # -- carry out ---------------------------------------------------------------

    def _after_carry_out(self):
        result = super()._after_carry_out()
        # sudo: a clerk may not load readings; these are of the move he carries out
        self.sudo().closing_reading_ids._store()
        return result

    def _changed_by_resident(self):
        result = super()._changed_by_resident()
        done = self.filtered(lambda move: move.state == "done")
        # sudo: a resident may not load readings; these are of his own move
        done.sudo().closing_reading_ids._store()
        return result

    @api.model
    def _cron_after_last_day(self):
        result = super()._cron_after_last_day()
        today = fields.Date.context_today(self)
        self.env["onergy.move.reading"].search(
            [
                ("move_id.state", "=", "done"),
                ("move_id.date_end", "<", today),
                ("is_stored", "=", False),
            ]
        )._store()
        self._ask_readings(today)
        return result

    def _ask_readings(self, today):
        """Ask once for the reading of the last day where nobody gave it."""
        moves = self.search(
            [
                ("kind", "in", ("move_out", "sale")),
                ("channel", "=", "portal"),
                ("state", "in", ("reported", "checked", "done")),
                ("date_end", "<", today),
                ("date_end", ">=", today - timedelta(days=ASK_DAYS)),
                ("reading_asked_on", "=", False),
                ("closing_reading_ids", "=", False),
            ]
        ).filtered(lambda move: move._get_meters_by_hand())
        for move in moves:
            # sudo: as in the other mails of a move
            self.env.ref("onergy_metering.mail_template_move_reading").sudo().send_mail(
                move.id
            )
        moves.reading_asked_on = today

    # -- the resident's page -----------------------------------------------------

    def _get_report_lines(self):
        lines = super()._get_report_lines()
        # sudo: residents have no access to meters; these are readings of his own
        return lines + [
            (
                self.env._("Reading of meter %s", reading.meter_id.serial),
                f"{formatLang(self.env, reading.value, digits=3)} {reading.unit}",
            )
            for reading in self.sudo().closing_reading_ids
        ]

    def _set_closing_reading(self, meter, value, photo=None):
        """Keep what the resident read on his last day, in place of an earlier one.

        :param str value: a decimal literal
        :param photo: base64 of a picture
        """
        self.ensure_one()
        values = {"value": float(value)}
        if photo:
            values["photo"] = photo
        reading = self.closing_reading_ids.filtered(lambda r: r.meter_id == meter)
        if reading:
            reading.write(values)
        else:
            self.env["onergy.move.reading"].create(
                {"move_id": self.id, "meter_id": meter.id, **values}
            )
