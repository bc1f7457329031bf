from datetime import date, timedelta

from odoo import fields, models
from odoo.tools import SQL, format_date, formatLang

#: A remote meter that is silent for longer is worth a word to the resident.
OLD_READING_DAYS = 3


class OnergyContract(models.Model):
    _inherit = "onergy.contract"

    meter_ids = fields.Many2many(
        "onergy.meter",
        string="Meters",
        compute="_compute_meter_ids",
        search="_search_meter_ids",
        groups="base.group_user",
    )
    meter_count = fields.Integer(compute="_compute_meter_ids", groups="base.group_user")

    def _compute_meter_ids(self):
        for record in self:
            record.meter_ids = record._get_placements().meter_id
            record.meter_count = len(record.meter_ids)

    def _search_meter_ids(self, operator, value):
        return [
            (
                "connection_id",
                "any",
                [("placement_ids", "any", [("meter_id", operator, value)])],
            )
        ]

    def _get_placements(self):
        """Placements at the connection that overlap this contract."""
        self.ensure_one()
        return self.connection_id.placement_ids.filtered(
            lambda p: (
                (not self.date_end or p.date_from <= self.date_end)
                and (not p.date_to or p.date_to >= self.date_start)
            )
        )

    def action_view_meters(self):
        self.ensure_one()
        return self.connection_id.action_view_meters()

    # -- meters on the resident's page ---------------------------------------------

    def _get_heating_meters(self, placements, today):
        last = self._get_last_readings(placements, today)
        return [
            self._describe_meter(placement, last.get(placement.meter_id.id), today)
            for placement in placements.sorted(
                lambda p: (p.date_to or fields.Date.to_date("9999-12-31"), p.date_from),
                reverse=True,
            )
        ]

    def _get_last_readings(self, placements, today):
        """Last reading of each meter, within contract and placement, that is shown."""
        loader = self.env["onergy.reading.loader"]
        windows = []
        for placement in placements:
            first = max(placement.date_from, self._get_first_visible_day() or date.max)
            ends = [day for day in (placement.date_to, self.date_end) if day]
            if placement.meter_id.read_mode == "remote":
                ends.append(self._get_last_shown_day(today))
            until = min(ends) + timedelta(days=1) if ends else None
            windows.append(
                SQL(
                    "(%s, %s, %s, %s)",
                    placement.meter_id.id,
                    placement.meter_id._get_main_register(),
                    loader._day_start(first),
                    until and loader._day_start(until),
                )
            )
        if not windows:
            return {}
        return {
            meter_id: (moment, value, unit)
            for meter_id, moment, value, unit in self.env.execute_query(
                SQL(
                    """
                    SELECT w.meter_id, r.moment, r.value, r.unit
                      FROM (VALUES %s) w(meter_id, register, first, until)
                     CROSS JOIN LATERAL (
                        SELECT moment, value, unit FROM onergy_reading
                         WHERE meter_id = w.meter_id AND register = w.register
                           AND superseded IS NOT TRUE AND origin <> 'estimate'
                           AND moment >= w.first::timestamp
                           AND moment <= COALESCE(w.until::timestamp, 'infinity')
                         ORDER BY moment DESC LIMIT 1
                     ) r
                    """,
                    SQL(", ").join(windows),
                )
            )
        }

    def _describe_meter(self, placement, last, today):
        meter = placement.meter_id
        values = {
            "serial": meter.serial,
            "medium": dict(meter._fields["medium"]._description_selection(self.env))[
                meter.medium
            ],
            "by_hand": meter.read_mode != "remote"
            and not placement.date_to
            and self.state == "running",
            "date_to": placement.date_to,
            "value": None,
        }
        if last:
            moment, value, unit = last
            # A reading at midnight is told as the reading of that day.
            local = fields.Datetime.context_timestamp(
                self.with_context(tz="Europe/Amsterdam"), moment
            )
            days = (today - local.date()).days
            running = not placement.date_to and not self.date_end
            values.update(
                value=formatLang(self.env, value, digits=3),
                unit={"m3": "m³"}.get(unit, unit),
                date=format_date(self.env, local.date(), date_format="d MMMM y"),
                time=local.strftime("%H:%M") if (local.hour or local.minute) else "",
                age=self._get_age_text(days),
                is_old=running
                and self.daily_readings_allowed
                and meter.read_mode == "remote"
                and days > OLD_READING_DAYS,
            )
            if values["by_hand"]:
                values["limits"] = self._get_entry_limits(meter, last, days)
        return values

    def _get_age_text(self, days):
        """How long ago, in words."""
        if days <= 0:
            return self.env._("today")
        if days == 1:
            return self.env._("yesterday")
        if days < 60:
            return self.env._("%s days ago", days)
        if days < 730:
            return self.env._("%s months ago", days // 30)
        return self.env._("%s years ago", days // 365)
