from datetime import timedelta

from dateutil.relativedelta import relativedelta

from odoo import fields, models
from odoo.tools import SQL, format_date, formatLang

#: A remote meter that is silent for longer is worth a word to the resident.
OLD_READING_DAYS = 3

KWH_PER_GJ = 1000 / 3.6


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

    # -- the resident's page -----------------------------------------------------

    def _get_heating_values(self, unit="GJ"):
        """All that the page on heating shows; nothing from outside this contract.

        The caller has checked that the user may read the contract. Neither the
        number of queries nor their cost depends on the number of readings.

        :param str unit: ``GJ`` or ``kWh``, for the charts and their tables
        :return: dict with ``meters``, ``season``, ``months`` and ``unit``
        """
        self.ensure_one()
        # sudo: residents have no access to meters and readings as such; what is
        # shown is limited to the days of this contract below.
        contract = self.sudo()
        today = fields.Date.context_today(self)
        last_day = min(today, contract.date_end or today)
        placements = contract._get_placements()
        use = contract._get_use_by_day(placements.meter_id, last_day)
        return {
            "unit": unit,
            "meters": contract._get_heating_meters(placements, today),
            "season": contract._get_heating_season(use, last_day, unit),
            "months": contract._get_heating_months(use, last_day, unit),
        }

    def _get_use_by_day(self, meters, last_day):
        """Heat per day in GJ: ``{day: (quantity, is estimated)}``, 25 months at most.

        Answered from the index alone.
        """
        if not meters:
            return {}
        first_day = max(
            self.date_start,
            (last_day - relativedelta(months=24)).replace(month=1, day=1),
        )
        return {
            day: (float(quantity), estimated)
            for day, quantity, estimated in self.env.execute_query(
                SQL(
                    """
                    SELECT day, sum(quantity), bool_or(quality = 'estimated')
                      FROM onergy_consumption_day
                     WHERE meter_id = ANY(%s) AND register = 'energy'
                       AND day BETWEEN %s AND %s AND connection_id = %s
                     GROUP BY day
                    """,
                    meters.ids,
                    first_day,
                    last_day,
                    self.connection_id.id,
                )
            )
        }

    # -- meters --

    def _get_heating_meters(self, placements, today):
        last = self._get_last_readings(placements)
        return [
            self._describe_meter(placement, last.get(placement.meter_id.id), today)
            for placement in placements.sorted(
                lambda p: (p.date_to or fields.Date.to_date("9999-12-31"), p.date_from),
                reverse=True,
            )
        ]

    def _get_last_readings(self, placements):
        """Last reading of each meter within contract and placement."""
        loader = self.env["onergy.reading.loader"]
        windows = []
        for placement in placements:
            first = max(placement.date_from, self.date_start)
            ends = [day for day in (placement.date_to, self.date_end) if day]
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
                           AND superseded IS NOT TRUE
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
            "read_mode": meter.read_mode,
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
                and meter.read_mode == "remote"
                and days > OLD_READING_DAYS,
            )
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

    # -- charts --

    def _get_heating_season(self, use, last_day, unit):
        """Use per day of the heating season, with the season before beside it."""
        start, end = self._get_season(last_day)
        year = relativedelta(years=1)
        days, total, total_before, any_before = [], 0.0, 0.0, False
        day = start
        while day <= end:
            quantity, estimated = use.get(day, (None, False))
            before = use.get(day - year, (None, False))[0]
            if day <= last_day:
                total += quantity or 0.0
                total_before += before or 0.0
            any_before = any_before or before is not None
            days.append(
                self._describe_use(day, "d MMM", quantity, before, estimated, unit)
            )
            day += timedelta(days=1)
        return {
            "start": format_date(self.env, start, date_format="d MMMM y"),
            "end": format_date(self.env, end, date_format="d MMMM y"),
            "days": days,
            "has_data": any(day["value"] is not None for day in days),
            "has_before": any_before,
            "total": self._format_use(total, unit),
            "total_before": self._format_use(total_before, unit) if any_before else "",
            "difference": self._describe_difference(total, total_before, any_before),
        }

    def _get_season(self, day):
        """First and last day of the heating season that ``day`` is in or after."""
        complex_ = self.complex_id
        month, number = map(int, (complex_.season_start or "10-01").split("-"))
        start = day + relativedelta(month=month, day=number)
        if start > day:
            start -= relativedelta(years=1)
        month, number = map(int, (complex_.season_end or "04-30").split("-"))
        end = start + relativedelta(month=month, day=number)
        if end <= start:
            end += relativedelta(years=1)
        return start, end

    def _describe_difference(self, total, before, any_before):
        if not any_before or not before:
            return ""
        percent = round(100 * (total - before) / before)
        if percent > 0:
            return self.env._(
                "%(percent)s%% more than in the same days a year ago", percent=percent
            )
        if percent < 0:
            return self.env._(
                "%(percent)s%% less than in the same days a year ago", percent=-percent
            )
        return self.env._("as much as in the same days a year ago")

    def _get_heating_months(self, use, last_day, unit):
        """Use per calendar month of this year, last year's beside it."""
        sums, estimated = {}, set()
        for day, (quantity, is_estimated) in use.items():
            month = day.replace(day=1)
            sums[month] = sums.get(month, 0.0) + quantity
            if is_estimated:
                estimated.add(month)
        first = last_day.replace(month=1, day=1)
        year = relativedelta(years=1)
        months = [first + relativedelta(months=number) for number in range(12)]
        rows = [
            self._describe_use(
                month,
                "MMMM",
                sums.get(month),
                sums.get(month - year),
                month in estimated,
                unit,
            )
            for month in months
        ]
        return {
            "year": first.year,
            "rows": rows,
            "has_data": bool(sums),
            "has_before": any(row["before"] is not None for row in rows),
        }

    def _describe_use(self, day, date_format, quantity, before, estimated, unit):
        factor = KWH_PER_GJ if unit == "kWh" else 1.0
        return {
            "label": format_date(self.env, day, date_format=date_format),
            "short": format_date(
                self.env, day, date_format=date_format.replace("MMMM", "MMM")
            ),
            "value": None if quantity is None else round(quantity * factor, 4),
            "before": None if before is None else round(before * factor, 4),
            "text": self._format_use(quantity, unit),
            "text_before": self._format_use(before, unit),
            "estimated": estimated,
        }

    def _format_use(self, quantity, unit):
        if quantity is None:
            return ""
        if unit == "kWh":
            return f"{formatLang(self.env, quantity * KWH_PER_GJ, digits=0)} kWh"
        return f"{formatLang(self.env, quantity, digits=2)} GJ"
