from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ..parsers import FileError
from ..parsers.knmi import read_temperatures

#: The institute delivers the last days again after validation.
PROVISIONAL_DAYS = 6

#: Dutch practice: heat is used more sparingly in summer and more in deep winter at
#: the same outside temperature (weighted degree days, base 18 °C).
BASE_TEMPERATURE = 18.0
MONTH_WEIGHTS = {
    **dict.fromkeys((4, 5, 6, 7, 8, 9), 0.8),
    **dict.fromkeys((3, 10), 1.0),
    **dict.fromkeys((11, 12, 1, 2), 1.1),
}


class OnergyDegreeDay(models.Model):
    """Cold of one day at one weather station."""

    _name = "onergy.degree.day"
    _description = "Degree day"
    _order = "date desc, station"
    _rec_name = "date"

    station = fields.Char(required=True, help="Number of the KNMI station.")
    date = fields.Date(required=True, index=True)
    temperature = fields.Float(
        "Mean temperature (°C)", digits=(5, 1), required=True, aggregator="avg"
    )
    degree_days = fields.Float(
        compute="_compute_degree_days",
        store=True,
        digits=(6, 2),
        help="Degrees by which the day was colder than 18 °C.",
    )
    weighted = fields.Float(
        "Weighted degree days",
        compute="_compute_degree_days",
        store=True,
        digits=(6, 3),
        help="Degree days times 0.8 (April to September), 1.0 (March, October) or "
        "1.1 (November to February).",
    )
    provisional = fields.Boolean(
        help="The institute may still correct this day; the next file replaces it."
    )

    _station_date_uniq = models.UniqueIndex(
        "(station, date)", "This station already has a temperature for that day."
    )

    @api.depends("temperature", "date")
    def _compute_degree_days(self):
        for record in self:
            cold = max(0.0, BASE_TEMPERATURE - record.temperature)
            record.degree_days = cold
            record.weighted = cold * (
                MONTH_WEIGHTS[record.date.month] if record.date else 1.0
            )

    @api.model_create_multi
    def create(self, vals_list):
        days = super().create(vals_list)
        days._share_out_anew()
        return days

    def write(self, vals):
        result = super().write(vals)
        if vals.keys() & {"station", "date", "temperature"}:
            self._share_out_anew()
        return result

    def _share_out_anew(self):
        """Days that were shared out by degree days follow a correction by hand."""
        if self:
            self.env["onergy.consumption.builder"]._rebuild_estimated(
                min(self.mapped("date")), max(self.mapped("date"))
            )

    @api.model
    def _load_file(self, stream, date_from=None):
        """Load a daily file of the KNMI; return the number of days that changed.

        The institute validates on working days and delivers the last days again, so
        these are provisional until the next file. Days that were shared out by degree
        days are shared out anew.

        :param stream: binary stream of the file
        :param date_from: older days are left out
        """
        today = fields.Date.context_today(self)
        provisional = fields.Date.subtract(today, days=PROVISIONAL_DAYS)
        try:
            rows = [
                (station, day, str(temperature), day >= provisional)
                for station, day, temperature in read_temperatures(stream)
                if not date_from or day >= date_from
            ]
        except FileError as error:
            raise UserError(
                self.env._("This is not a daily file of the KNMI: %s", error)
            ) from None
        changed = self._load_temperatures(rows)
        if changed:
            days = [day for _station, day, _temperature, _provisional in rows]
            self.env["onergy.consumption.builder"]._rebuild_estimated(
                min(days), max(days)
            )
        return changed

    @api.model
    def _load_temperatures(self, rows):
        """Insert or correct days, set-based.

        :param rows: iterable of (station, date, temperature in °C as text or number,
            provisional)
        :return: number of days that are new or changed
        """
        rows = list(rows)
        if not rows:
            return 0
        stations, days, temperatures, provisional = zip(*rows, strict=True)
        self.flush_model()
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO onergy_degree_day AS d (
                    station, date, temperature, provisional, degree_days, weighted,
                    create_uid, write_uid, create_date, write_date)
                SELECT DISTINCT ON (station, date)
                       station, date, temperature, provisional, cold,
                       cold * CASE WHEN extract(month FROM date) BETWEEN 4 AND 9
                                   THEN 0.8
                                   WHEN extract(month FROM date) IN (3, 10) THEN 1.0
                                   ELSE 1.1 END,
                       %(uid)s, %(uid)s, %(now)s, %(now)s
                  FROM unnest(%(stations)s::text[], %(days)s::date[],
                              %(temperatures)s::numeric[], %(provisional)s::bool[])
                       AS row(station, date, temperature, provisional),
                       GREATEST(0, %(base)s - temperature) AS cold
                ON CONFLICT (station, date) DO UPDATE
                   SET temperature = excluded.temperature,
                       provisional = excluded.provisional,
                       degree_days = excluded.degree_days,
                       weighted = excluded.weighted,
                       write_uid = excluded.write_uid,
                       write_date = excluded.write_date
                 WHERE (d.temperature, COALESCE(d.provisional, FALSE)) IS DISTINCT FROM
                       (excluded.temperature, excluded.provisional)
                """,
                stations=list(stations),
                days=list(days),
                temperatures=list(temperatures),
                provisional=list(provisional),
                base=BASE_TEMPERATURE,
                uid=self.env.uid,
                now=self.env.cr.now(),
            )
        )
        changed = self.env.cr.rowcount
        self.invalidate_model()
        return changed
