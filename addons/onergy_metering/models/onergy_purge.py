from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.tools import SQL

from .midnights import boundary, boundary_start

METERS_PER_BATCH = 500
FILES_PER_BATCH = 200


class OnergyPurge(models.AbstractModel):
    """Daily values go after two years; months, and a reading for each, stay.

    What was removed cannot be derived again, so a meter remembers from which midnight
    on its days are kept (``onergy.meter.kept_from``): the consumption builder leaves
    everything before it, months included, as it is.
    """

    _inherit = "onergy.purge"

    @api.model
    def _get_kinds(self, company):
        before = fields.Date.context_today(self) - relativedelta(
            months=company.onergy_keep_daily_months
        )
        return {
            **super()._get_kinds(company),
            "daily": before,
            "reading_file": before,
        }

    # ------------------------------------------------------------------ daily values

    @api.model
    def _get_needed_query(self, company):
        """Hook: query for ``(connection_id, day)``, days needed from ``day`` on.

        Without bills no day is needed.
        """
        return SQL("SELECT NULL::integer AS connection_id, NULL::date AS day LIMIT 0")

    @api.model
    def _get_floor_query(self, company, before):
        """Query for ``(meter_id, day)`` of the meters with something to remove.

        ``day`` is a midnight with a reading of each register, so that what is kept can
        still be derived; nothing at or after ``before`` or needed elsewhere lies
        before it.
        """
        return SQL(
            """
            WITH needed AS MATERIALIZED (%(needed)s), wanted AS (
                SELECT m.id AS meter_id, m.kept_from,
                       LEAST(%(before)s, min(CASE WHEN n.day IS NOT NULL
                           THEN GREATEST(n.day, p.date_from) END)) AS day
                  FROM onergy_meter m
                  LEFT JOIN onergy_meter_placement p ON p.meter_id = m.id
                  LEFT JOIN needed n
                    ON n.connection_id = p.connection_id
                   AND (p.date_to IS NULL OR p.date_to >= n.day)
                 WHERE m.company_id = %(company)s
                 GROUP BY m.id
            )
            SELECT w.meter_id, min(last.day) AS day
              FROM wanted w
              JOIN onergy_meter_register st ON st.meter_id = w.meter_id
             CROSS JOIN LATERAL (
                SELECT %(day)s AS day FROM onergy_reading r
                 WHERE r.meter_id = w.meter_id AND r.register = st.register
                   AND r.superseded IS NOT TRUE AND r.moment < %(end)s
                 ORDER BY r.moment DESC LIMIT 1
             ) last
             GROUP BY w.meter_id, w.kept_from
            HAVING min(last.day) > COALESCE(w.kept_from, '-infinity')
            """,
            needed=self._get_needed_query(company),
            before=before,
            company=company.id,
            day=boundary(SQL("r.moment")),
            end=boundary_start(SQL("w.day + 1")),
        )

    def _get_old_readings(self, floors):
        """Query for the readings before the floors, but for those that tell a month.

        What a person read or entered stays as well: it is not a daily value.
        """
        return SQL(
            """
            SELECT r.id FROM (%(floors)s) f
              JOIN onergy_reading r
                ON r.meter_id = f.meter_id AND r.moment < %(start)s
             WHERE extract(day FROM %(day)s) <> 1
               AND r.origin NOT IN ('placement', 'manual', 'portal')
               AND NOT EXISTS (
                    SELECT 1 FROM onergy_reading_revision v
                     WHERE r.id IN (v.old_reading_id, v.new_reading_id))
            """,
            floors=floors,
            start=boundary_start(SQL("f.day")),
            day=boundary(SQL("r.moment")),
        )

    def _get_old_days(self, floors):
        return SQL(
            """
            SELECT d.id FROM (%s) f
              JOIN onergy_consumption_day d
                ON d.meter_id = f.meter_id AND d.day < f.day
            """,
            floors,
        )

    @api.model
    def _count_daily(self, company, before):
        self.env.flush_all()
        floors = self._get_floor_query(company, before)
        return self._count(self._get_old_days(floors)) + self._count(
            self._get_old_readings(floors)
        )

    @api.model
    def _purge_daily(self, company, before):
        self.env["onergy.reading.loader"]._lock(company)
        self.env.flush_all()
        cr = self.env.cr
        cr.execute("DROP TABLE IF EXISTS onergy_floor")
        cr.execute(
            SQL(
                "CREATE TEMPORARY TABLE onergy_floor ON COMMIT DROP AS %s LIMIT %s",
                self._get_floor_query(company, before),
                METERS_PER_BATCH,
            )
        )
        if not cr.rowcount:
            return None
        floors = SQL("SELECT * FROM onergy_floor")
        count = 0
        for table, query in (
            ("onergy_consumption_day", self._get_old_days(floors)),
            ("onergy_reading", self._get_old_readings(floors)),
        ):
            cr.execute(
                SQL("DELETE FROM %s WHERE id IN (%s)", SQL.identifier(table), query)
            )
            count += cr.rowcount
        cr.execute(
            "UPDATE onergy_meter m SET kept_from = f.day FROM onergy_floor f "
            "WHERE m.id = f.meter_id"
        )
        for name in ("onergy.meter", "onergy.reading", "onergy.consumption.day"):
            self.env[name].invalidate_model()
        return count

    # ------------------------------------------------------------------ files

    @api.model
    def _get_file_domain(self, company, before):
        imports = self.env["onergy.reading.import"]._search(
            [("company_id", "=", company.id), ("create_date", "<", before)]
        )
        return [("res_model", "=", "onergy.reading.import"), ("res_id", "in", imports)]

    @api.model
    def _count_reading_file(self, company, before):
        domain = self._get_file_domain(company, before)
        return self.env["ir.attachment"].search_count(domain)

    @api.model
    def _purge_reading_file(self, company, before):
        files = self.env["ir.attachment"].search(
            self._get_file_domain(company, before), limit=FILES_PER_BATCH
        )
        if not files:
            return None
        count = len(files)
        files.unlink()
        return count
