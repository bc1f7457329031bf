from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

import babel.dates
from dateutil.relativedelta import relativedelta

from odoo import fields, models
from odoo.tools import SQL, formatLang, get_lang
from odoo.tools.misc import babel_locale_parse

from ..parsers.units import gj_to_kwh

VIEWS = ("day", "month", "season", "year")
UNITS = ("GJ", "kWh", "EUR")
DIGITS = {"GJ": 2, "kWh": 0, "EUR": 2}
STEPS = {unit: Decimal(1).scaleb(-digits) for unit, digits in DIGITS.items()}
#: Years beside each other.
YEARS = 5
ONE_DAY = timedelta(days=1)
ONE_YEAR = relativedelta(years=1)


@lru_cache(maxsize=4096)
def _get_day_text(language, day, date_format):
    """A date in words; pages of all residents name the same few hundred days."""
    return babel.dates.format_date(day, date_format, babel_locale_parse(language))


def get_days(first, last):
    """All days from the first to the last."""
    return [
        date.fromordinal(number)
        for number in range(first.toordinal(), last.toordinal() + 1)
    ]


@lru_cache(maxsize=4096)
def get_year_before(day):
    """The same day of the year before; the 29th of February has its 28th."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


class OnergyContract(models.Model):
    """The resident's page on heating."""

    _inherit = "onergy.contract"

    def _get_heating_values(self, view="season", unit="GJ", period=None):
        """All that the page on heating shows; nothing from outside this contract.

        The caller has checked that the user may read the contract. Neither the
        number of queries nor their cost depends on the number of readings.

        :param str view: ``day`` (the days of a month), ``month`` (of a year),
            ``season`` (its course) or ``year`` (years beside each other)
        :param str unit: ``GJ``, ``kWh`` or ``EUR``, for the charts and their tables;
            euros only where prices are known
        :param date period: a day of the period to show, today's by default
        :return: dict for ``onergy_metering.portal_my_heating``
        """
        self.ensure_one()
        # sudo: residents have no access to meters and readings as such; what is
        # shown is limited to the days of this contract below.
        contract = self.sudo()
        contract._fetch_heating()
        today = fields.Date.context_today(self)
        last_day = contract._get_last_shown_day(today)
        views = contract._get_views()
        view = view if view in views else "season"
        start, end = contract._get_period(view, contract._clamp(period, last_day))
        first, until = contract._get_span(view, start, end, last_day)
        placements = contract._get_placements()
        use = contract._get_use_by_day(placements.meter_id, first, until)
        prices = contract._get_heat_prices(first, until).get(contract.id, [])
        units = UNITS if prices else UNITS[:2]
        unit = unit if unit in units else units[0]
        amounts = contract._get_amounts(use, unit, prices)
        charts = contract._get_charts(view, start, end, last_day, use, amounts, unit)
        navigation = contract._get_navigation(view, start, end, last_day)
        return {
            "view": view,
            "views": views,
            "unit": unit,
            "units": units,
            "daily_allowed": contract.daily_readings_allowed,
            "can_consent": contract.complex_id.daily_basis == "consent",
            "meters": contract._get_heating_meters(placements, today),
            "charts": charts,
            "has_use": bool(use),
            "peers": contract._get_peers(charts, use, last_day, unit),
            "navigation": navigation,
            "summary": contract._get_summary(
                view, start, min(end, last_day), use, amounts, unit
            ),
            "forecast": not navigation["next"]
            and contract._describe_forecast(use, last_day, unit),
        }

    def _fetch_heating(self):
        """Read of the home what the page shows; whole records take twice as long."""
        self.complex_id.fetch(
            ["daily_basis", "regime", "season_start", "season_end", "weather_station"]
        )
        home = self.connection_id
        home.fetch(["company_id", "complex_id", "dwelling_type", "floor_area"])
        home.placement_ids.fetch(["meter_id", "date_from", "date_to"])
        home.placement_ids.meter_id.fetch(["serial", "medium", "read_mode"])

    # -- what may be seen ----------------------------------------------------------

    def _get_views(self):
        return VIEWS if self.daily_readings_allowed else VIEWS[1:]

    def _get_last_shown_day(self, today):
        """Until when the resident sees use; whole months only without daily readings.

        A month that runs, seen again each day, would tell of its days.
        """
        if not self.daily_readings_allowed:
            today = today.replace(day=1) - ONE_DAY
        return min(today, self.date_end or today)

    def _get_use_by_day(self, meters, first, last):
        """Heat per day in GJ: ``{day: (Decimal, is estimated)}``, in order of time.

        Answered from the index alone, and limited to the days of this contract.
        """
        if not meters:
            return {}
        return {
            day: (Decimal(quantity), estimated)
            for day, quantity, estimated in self.env.execute_query(
                SQL(
                    """
                    SELECT day, sum(quantity)::text, bool_or(quality = 'estimated')
                      FROM onergy_consumption_day
                     WHERE meter_id = ANY(%s) AND register = 'energy'
                       AND day BETWEEN %s AND %s AND connection_id = %s
                     GROUP BY day ORDER BY day
                    """,
                    meters.ids,
                    max(first, self._get_first_visible_day() or date.max),
                    min(last, self.date_end or last),
                    self.connection_id.id,
                )
            )
        }

    def _get_heating_days(self):
        """Use of this contract: ``[{"day", "meter", "gj", "kwh", "estimated"}]``.

        One row per day and meter; where days may not be shown one per month, with
        its first day. Amounts are ``Decimal``, the kilowatt-hour rounded to the
        watt-hour.
        """
        self.ensure_one()
        # sudo: as in _get_heating_values, and limited to the contract in the query
        contract = self.sudo()
        step = "day" if contract.daily_readings_allowed else "month"
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
                    SELECT date_trunc(%s, d.day)::date AS period, m.serial,
                           sum(d.quantity)::text, bool_or(d.quality = 'estimated')
                      FROM onergy_consumption_day d
                      JOIN onergy_meter m ON m.id = d.meter_id
                     WHERE d.meter_id = ANY(%s) AND d.register = 'energy'
                       AND d.connection_id = %s AND d.day >= %s AND d.day <= %s
                     GROUP BY period, m.serial
                     ORDER BY period, m.serial
                    """,
                    step,
                    contract._get_placements().meter_id.ids,
                    contract.connection_id.id,
                    contract._get_first_visible_day() or date.max,
                    contract._get_last_shown_day(fields.Date.context_today(self)),
                )
            )
        ]

    # -- periods -------------------------------------------------------------------

    def _clamp(self, day, last_day):
        """A day that this contract has, the last one by default."""
        first = self._get_first_visible_day() or self.date_start
        return max(first, min(day or last_day, last_day))

    def _get_period(self, view, day):
        """First and last day of what a view shows around ``day``."""
        if view == "day":
            return day.replace(day=1), day + relativedelta(day=31)
        if view == "month":
            return day.replace(month=1, day=1), day.replace(month=12, day=31)
        if view == "year":
            first = max(day.year - YEARS + 1, self.date_start.year)
            return day.replace(year=first, month=1, day=1), day.replace(
                month=12, day=31
            )
        return self._get_season(day)

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

    def _get_span(self, view, start, end, last_day):
        """Days to read: the period, a year before it, and whole calendar years.

        Prices may depend on the use since the first of January, the comparison on
        that of the summer.
        """
        if view == "year":
            return start, min(end, last_day)
        if view == "season" and start + ONE_YEAR > last_day:
            # The months of this year stand below it.
            start, end = min(start, last_day.replace(month=1, day=1)), last_day
        return (start - ONE_YEAR).replace(month=1, day=1), min(end, last_day)

    def _get_navigation(self, view, start, end, last_day):
        """What is shown, and a day of the period before and after it, if any."""
        before, after = start - ONE_DAY, end + ONE_DAY
        if view == "season":
            after = start + ONE_YEAR
        return {
            "title": self._get_period_title(view, start, end),
            "start": start,
            "previous": before
            if before >= (self._get_first_visible_day() or self.date_start)
            else None,
            "next": after if after <= last_day else None,
        }

    def _get_period_title(self, view, start, end):
        language = get_lang(self.env).code
        if view == "day":
            return _get_day_text(language, start, "MMMM y")
        if view == "season":
            return self.env._(
                "Heating season %(start)s until %(end)s",
                start=_get_day_text(language, start, "d MMMM y"),
                end=_get_day_text(language, end, "d MMMM y"),
            )
        if view == "month":
            return self.env._("Use per month in %(year)s", year=start.year)
        return self.env._("Use per year")

    # -- amounts -------------------------------------------------------------------

    def _get_amounts(self, use, unit, prices):
        """Use per day in the wanted unit: ``{day: Decimal}``."""
        quantities = {day: quantity for day, (quantity, _estimated) in use.items()}
        if unit == "EUR":
            return self._price_days(quantities, prices)
        if unit == "kWh":
            return {day: gj_to_kwh(gj) for day, gj in quantities.items()}
        return quantities

    def _format_use(self, amount, unit):
        if amount is None:
            return ""
        if unit == "EUR":
            return self._format_cost(amount)
        rounded = amount.quantize(STEPS[unit], ROUND_HALF_UP)
        return f"{formatLang(self.env, float(rounded), digits=DIGITS[unit])} {unit}"

    def _get_use_writer(self, unit):
        """The same as :meth:`_format_use` for hundreds of amounts: a function of one.

        Below a thousand an amount looks like zero with other digits.
        """
        step, point = STEPS[unit], get_lang(self.env).decimal_point
        zero = f"{0 * step:f}".replace(".", point)
        before, is_plain, after = self._format_use(Decimal(0), unit).partition(zero)

        def write(amount):
            if amount is None:
                return ""
            # The sum with zero has no minus zero.
            rounded = amount.quantize(step, ROUND_HALF_UP) + 0
            if is_plain and 0 <= rounded < 1000:
                return before + str(rounded).replace(".", point) + after
            return self._format_use(amount, unit)

        return write

    def _sum_known(self, amounts, days):
        """Sum over the days that are known, ``None`` when none is."""
        known = [amounts[day] for day in days if day in amounts]
        return sum(known) if known else None

    # -- charts --------------------------------------------------------------------

    def _get_charts(self, view, start, end, last_day, use, amounts, unit):
        estimated = {
            day for day, (_quantity, is_estimated) in use.items() if is_estimated
        }
        charts = [self._get_chart(view, start, end, estimated, amounts, unit)]
        is_now = view == "season" and start + ONE_YEAR > last_day
        if is_now and self.daily_readings_allowed:
            year = self._get_period("month", last_day)
            charts.append(self._get_chart("month", *year, estimated, amounts, unit))
        return charts

    def _get_chart(self, view, start, end, estimated, amounts, unit):
        """One chart: its rows and what they are called.

        :param set estimated: the days of ``amounts`` that are estimated
        :return: dict with ``view``, ``kind`` (``line`` or ``bar``), ``label``,
            ``label_before``, ``rows`` (see :meth:`_describe_use`), ``known_rows`` for
            the table, ``has_before``, ``has_peers``, ``has_estimated``
        """
        steps, date_format = self._get_steps(view, start, end)
        rows = [
            self._describe_use(days, amounts, estimated, view != "year")
            for days in steps
        ]
        self._add_words(rows, date_format, unit)
        label, label_before = self._get_chart_labels(view, start)
        return {
            "view": view,
            "kind": "line"
            if view == "season" and self.daily_readings_allowed
            else "bar",
            "title": self._get_period_title(view, start, end),
            "label": label,
            "label_before": label_before,
            "rows": rows,
            "known_rows": [row for row in rows if row["text"] or row["text_before"]],
            "has_before": any(row["before"] is not None for row in rows),
            "has_peers": False,
            "has_estimated": any(row["estimated"] for row in rows),
        }

    def _get_chart_labels(self, view, start):
        """Names of what is shown and of what stands beside it."""
        if view == "season":
            return (
                self._get_season_label(start),
                self._get_season_label(start - ONE_YEAR),
            )
        if view == "year":
            return self.env._("Use"), ""
        return str(start.year), str(start.year - 1)

    def _get_season_label(self, start):
        return f"{start.year}–{start.year + 1}"

    def _get_steps(self, view, start, end):
        """(lists of days, one per point of the chart; how the first is written)"""
        days = get_days(start, end)
        if view == "day" or view == "season" and self.daily_readings_allowed:
            return [[day] for day in days], "d MMM"
        steps, date_format = {}, "y" if view == "year" else "MMMM"
        for day in days:
            key = (day.year,) if view == "year" else (day.year, day.month)
            steps.setdefault(key, []).append(day)
        return list(steps.values()), date_format

    def _describe_use(self, days, amounts, estimated, with_before=True):
        """One point of a chart; its words come from :meth:`_add_words`."""
        first, before = days[0], None
        if len(days) == 1:
            # The course of a season has hundreds of these.
            amount = amounts.get(first)
            if with_before:
                before = amounts.get(get_year_before(first))
        else:
            amount = self._sum_known(amounts, days)
            if with_before:
                before_days = dict.fromkeys(map(get_year_before, days))
                before = self._sum_known(amounts, before_days)
        return {
            "day": first,
            "amount": amount,
            "value": None if amount is None else round(float(amount), 4),
            "amount_before": before,
            "before": None if before is None else round(float(before), 4),
            "estimated": not estimated.isdisjoint(days),
        }

    def _add_words(self, rows, date_format, unit):
        """Name the days and write the amounts, in the reader's language."""
        language = get_lang(self.env).code
        short_format = date_format.replace("MMMM", "MMM")
        write = self._get_use_writer(unit)
        for row in rows:
            day = row["day"]
            label = row["label"] = _get_day_text(language, day, date_format)
            row["short"] = (
                label
                if short_format == date_format
                else _get_day_text(language, day, short_format)
            )
            row["text"] = write(row["amount"])
            row["text_before"] = write(row["amount_before"])

    # -- words ---------------------------------------------------------------------

    def _get_summary(self, view, start, last_day, use, amounts, unit):
        """The period in a sentence: ``total``, ``difference`` and ``corrected``.

        Compared are the days that are known in both years. Of years beside each
        other the last one is told.
        """
        if view == "year":
            start = max(start, last_day.replace(month=1, day=1))
        days = get_days(start, last_day)
        both = [
            day for day in days if day in amounts and get_year_before(day) in amounts
        ]
        return {
            "total": self._format_use(self._sum_known(amounts, days), unit),
            "difference": self._describe_difference(
                self._sum_known(amounts, both),
                self._sum_known(amounts, map(get_year_before, both)),
            ),
            "corrected": self._describe_corrected(use, start, last_day),
        }

    def _describe_difference(self, total, before):
        if not before:
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

    def _describe_forecast(self, use, last_day, unit):
        """The forecast as text; in GJ as well where the page is in euros."""
        forecast = self._get_forecast(use, last_day)
        if forecast is None:
            return ""
        amount = Decimal(forecast)
        if unit == "kWh":
            return self._format_use(gj_to_kwh(amount), unit)
        return self._format_use(amount, "GJ")
