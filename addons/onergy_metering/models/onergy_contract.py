import re
from calendar import monthrange
from datetime import timedelta
from decimal import Decimal

from dateutil.relativedelta import relativedelta

from odoo import fields, models
from odoo.tools import SQL, format_date, formatLang

from ..parsers.units import gj_to_kwh

#: A remote meter that is silent for longer is worth a word to the resident.
OLD_READING_DAYS = 3

KWH_PER_GJ = 1000 / 3.6

#: Weighted degree days of an average year in De Bilt (1991-2020), per mille a month.
YEAR_WEIGHTS = (173, 154, 125, 68, 41, 19, 9, 10, 29, 78, 128, 165)


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
        last_day = contract._get_last_shown_day(today)
        placements = contract._get_placements()
        use = contract._get_use_by_day(placements.meter_id, last_day)
        season = contract._get_heating_season(use, last_day, unit)
        if not contract.daily_readings_allowed:
            season["days"] = []
        return {
            "unit": unit,
            "daily_allowed": contract.daily_readings_allowed,
            "can_consent": contract.complex_id.daily_basis == "consent",
            "meters": contract._get_heating_meters(placements, today),
            "season": season,
            "months": contract._get_heating_months(use, last_day, unit),
            "corrected": contract._describe_corrected(use, last_day),
            "forecast": contract._get_forecast(use, last_day, unit),
        }

    def _get_last_shown_day(self, today):
        """Until when the resident sees use; whole months only without daily readings.

        A month that runs, seen again each day, would tell of its days.
        """
        if not self.daily_readings_allowed:
            today = today.replace(day=1) - timedelta(days=1)
        return min(today, self.date_end or today)

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

    def _get_heating_days(self):
        """Every day of this contract: ``[{"day", "meter", "gj", "kwh", "estimated"}]``.

        Amounts are ``Decimal``, the kilowatt-hour rounded to the watt-hour. Where the
        resident may not see days each line is a month and ``day`` its first.
        """
        self.ensure_one()
        # sudo: as in _get_heating_values, and limited to the contract in the query
        contract = self.sudo()
        return [
            {
                "day": day,
                "meter": serial,
                "gj": Decimal(quantity),
                "kwh": gj_to_kwh(Decimal(quantity)).quantize(Decimal("0.001")),
                "estimated": estimated,
            }
            for day, serial, quantity, estimated in contract.env.execute_query(
                SQL(
                    """
                    SELECT %(period)s, m.serial, sum(d.quantity)::text,
                           bool_or(d.quality = 'estimated')
                      FROM onergy_consumption_day d
                      JOIN onergy_meter m ON m.id = d.meter_id
                     WHERE d.meter_id = ANY(%(meters)s) AND d.register = 'energy'
                       AND d.connection_id = %(connection)s
                       AND d.day BETWEEN %(first)s AND %(last)s
                     GROUP BY 1, m.id ORDER BY 1, m.serial
                    """,
                    period=SQL("d.day")
                    if contract.daily_readings_allowed
                    else SQL("date_trunc('month', d.day)::date"),
                    meters=contract._get_placements().meter_id.ids,
                    connection=contract.connection_id.id,
                    first=contract.date_start,
                    last=contract._get_last_shown_day(fields.Date.context_today(self)),
                )
            )
        ]

    # -- meters --

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
            first = max(placement.date_from, self.date_start)
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

    def _enter_reading(self, serial, text, confirmed=False, photo=None):
        """Take in what the resident reads on his own meter.

        :param str serial: a meter of this contract that is not read remotely
        :param str text: the number as he types it
        :param bool confirmed: he has looked again at a reading that seems wrong
        :param photo: bytes of a picture, kept with a reading that seems wrong
        :return: ``ok``; ``bad_number``; ``doubtful`` (nothing is kept, ask him to look
            again); ``noted`` (it waits for a member of staff); ``no_meter``
        """
        self.ensure_one()
        # sudo: residents have no access to meters; only their own contract's is used
        contract = self.sudo()
        meter = contract._get_placements().meter_id.filtered(
            lambda m: m.serial == serial and m.read_mode != "remote"
        )
        if not meter or contract.state != "running":
            return "no_meter"
        value = _read_number(text)
        if value is None:
            return "bad_number"
        register = meter._get_main_register()
        loader = contract.env["onergy.reading.loader"]
        row = loader._make_row(
            serial,
            fields.Datetime.now(),
            value,
            meter._get_register_unit(register),
            register,
        )
        with contract.env.cr.savepoint() as savepoint:
            counts = loader._load_rows([row], contract.company_id, "portal")
            if counts["bad"] and not confirmed:
                savepoint.rollback()
                return "doubtful"
        if not counts["bad"]:
            return "ok"
        contract._attach_photo(meter, photo)
        return "noted"

    def _attach_photo(self, meter, photo):
        exception = self.env["onergy.reading.exception"].search(
            [("meter_id", "=", meter.id), ("state", "=", "open")], limit=1
        )
        if exception and photo:
            exception.message_post(
                body=self.env._("Picture sent by the resident"),
                attachments=[(f"{meter.serial}.jpg", photo)],
            )

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

    # -- weather --

    def _describe_corrected(self, use, last_day):
        """The season so far beside the one before, as if both were equally cold.

        What goes with the weather is compared per weighted degree day; hot water,
        taken from the days of June until August, is left out of it. Empty unless both
        seasons and all their temperatures are known.
        """
        start, _end = self._get_season(last_day)
        year = relativedelta(years=1)
        days = [start + timedelta(days=n) for n in range((last_day - start).days + 1)]
        before = [day - year for day in days]
        known = [day for day in days if day in use]
        if not known or len(known) < 14 or not all(day - year in use for day in known):
            return ""
        cold, cold_before = self._get_degree_days(known, [d - year for d in known])
        if not cold or not cold_before or not before:
            return ""
        summer = [use[day][0] for day in use if day.month in (6, 7, 8)]
        base = sum(summer) / len(summer) if summer else 0.0
        now = sum(use[day][0] - base for day in known) / cold
        then = sum(use[day - year][0] - base for day in known) / cold_before
        if now <= 0 or then <= 0:
            return ""
        percent = round(100 * (now / then - 1))
        if percent > 0:
            return self.env._(
                "Corrected for the weather you use %(percent)s%% more.", percent=percent
            )
        if percent < 0:
            return self.env._(
                "Corrected for the weather you use %(percent)s%% less.",
                percent=-percent,
            )
        return self.env._("Corrected for the weather you use as much.")

    def _get_degree_days(self, days, before):
        """Weighted degree days of two lists of days; ``None`` when one is unknown."""
        station = self.complex_id.weather_station
        weighted = dict(
            self.env.execute_query(
                SQL(
                    "SELECT date, weighted::float8 FROM onergy_degree_day "
                    "WHERE station = %s AND date = ANY(%s)",
                    station or "",
                    [*days, *before],
                )
            )
        )
        if not all(day in weighted for day in [*days, *before]):
            return None, None
        return sum(weighted[day] for day in days), sum(weighted[day] for day in before)

    def _get_forecast(self, use, last_day, unit):
        """Use of this calendar year if the rest is an average one, as text.

        The share of the year that has passed is weighed by average degree days. Only
        where this contract covers the year from its first day and sixty days of it.
        """
        first = last_day.replace(month=1, day=1)
        if self.date_start > first or self.date_end:
            return ""
        known = [day for day in use if first <= day <= last_day]
        if len(known) < 60:
            return ""
        share = sum(
            YEAR_WEIGHTS[day.month - 1] / monthrange(day.year, day.month)[1]
            for day in known
        ) / sum(YEAR_WEIGHTS)
        return self._format_use(sum(use[day][0] for day in known) / share, unit)

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


def _read_number(text):
    """The plain decimal literal of a number as people type it, else ``None``."""
    text = "".join((text or "").split())
    if "," in text:
        text = text.replace(".", "").replace(",", ".")
    return text if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", text) else None
