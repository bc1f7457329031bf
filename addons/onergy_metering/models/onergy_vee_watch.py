from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL

from .midnights import boundary, boundary_start

#: Placements that changed longer ago than this are not looked at again.
EXCHANGE_DAYS = 90
#: Months back that the sum of a building is compared; dwellings may come in late.
SUM_MONTHS = 3
#: Meters per transaction of the estimation.
_BATCH = 500


class OnergyVeeWatch(models.AbstractModel):
    """What no load can notice: readings that stay away, and sums over meters.

    Runs once a day. Looks at the state of the registers, never at their history. An
    episode has the same fingerprint as in ``onergy.vee.engine``, so that a gap which
    is told while it lasts is not told again when it closes.
    """

    _name = "onergy.vee.watch"
    _description = "Daily validation"

    @api.model
    def _cron_watch(self):
        """Each company once a day; the one that waits longest goes first.

        The day is noted before its rules are applied: a company that fails, or takes
        all the time there is, does so after the others the next time.
        """
        today = fields.Date.context_today(self)
        waiting = self.env["res.company"].search(
            [
                "|",
                ("onergy_watched_on", "=", False),
                ("onergy_watched_on", "<", today),
            ],
            order="onergy_watched_on NULLS FIRST, id",
        )
        commit = self.env["ir.cron"]._commit_progress
        commit(remaining=len(waiting))
        for company in waiting:
            company.onergy_watched_on = today
            commit()
            self._watch(company)
            left = commit(1)
            self._estimate_silent(company)
            if not left:
                break

    @api.model
    def _watch(self, company):
        """Make work items of gaps, missing end readings and sums; return how many."""
        self.env.flush_all()
        engine = self.env["onergy.vee.engine"]
        engine._prepare_rules(company)
        today = fields.Date.context_today(self)
        count = engine._insert_items(company, self._get_watch_queries(company, today))
        self.env.cr.execute("DROP TABLE onergy_vee_now")
        self.env["onergy.reading.exception"].invalidate_model()
        return count

    @api.model
    def _estimate_silent(self, company):
        """Estimate the days of silent meters, for as long as the company allows.

        The reading of today's midnight may still come in today, so the day before
        yesterday is the last one.
        """
        limit = company.onergy_estimate_days
        if not limit:
            return
        until = fields.Date.context_today(self) - timedelta(days=1)
        silent = self._get_silent_meters(company, until, limit)
        estimator = self.env["onergy.reading.estimator"]
        for start in range(0, len(silent), _BATCH):
            estimator._estimate(silent[start : start + _BATCH], until)
            if not self.env["ir.cron"]._commit_progress():
                return

    @api.model
    def _get_silent_meters(self, company, until, limit):
        """Remote meters whose last reading is before ``until``, not too long ago."""
        start = self.env["onergy.reading.loader"]._day_start
        return self.env["onergy.meter"].search(
            [
                ("company_id", "=", company.id),
                ("read_mode", "=", "remote"),
                ("connection_id", "!=", False),
                ("last_moment", "<", start(until) - timedelta(hours=12)),
                ("last_moment", ">=", start(until - timedelta(days=limit))),
            ],
            order="id",
        )

    # -- rules ---------------------------------------------------------------------

    def _get_watch_queries(self, company, today):
        """What fires today; other addons add what only they know.

        :return: list of SELECTs as ``onergy.vee.engine._get_rule_queries`` has them
        """
        return [
            self._get_gap_query(company, today),
            self._get_estimated_query(company, today),
            self._get_exchange_query(company, today),
            self._get_sum_query(company, today),
        ]

    def _get_silent_query(self, company, code, today):
        """Remote meters of which nothing has come in for the days of a rule."""
        return SQL(
            """
            SELECT r.code, r.id AS rule_id, st.meter_id, st.register,
                   %(yesterday)s::date AS day, NULL::numeric AS value,
                   NULL::numeric AS expected, %(last)s AS since
              FROM onergy_meter_register st
              JOIN onergy_meter m ON m.id = st.meter_id
              JOIN onergy_meter_placement p
                ON p.meter_id = m.id AND p.date_from <= %(today)s
               AND (p.date_to IS NULL OR p.date_to >= %(today)s)
              JOIN onergy_vee_now r
                ON r.code = %(code)s AND %(yesterday)s >= r.date_from
               AND %(yesterday)s <= COALESCE(r.date_to, 'infinity')
             WHERE m.company_id = %(company)s AND m.active AND m.read_mode = 'remote'
               AND (st.register <> 'volume' OR m.medium = 'water')
               AND %(today)s - %(last)s > r.days + 1
            """,
            code=code,
            company=company.id,
            today=today,
            yesterday=today - timedelta(days=1),
            last=boundary(SQL("st.last_moment")),
        )

    def _get_gap_query(self, company, today):
        return self._get_silent_query(company, "gap", today)

    def _get_estimated_query(self, company, today):
        return self._get_silent_query(company, "estimated", today)

    def _get_exchange_query(self, company, today):
        """Placements that began or ended without a reading of that midnight."""
        return SQL(
            """
            SELECT r.code, r.id, p.meter_id, main.register, edge.day,
                   NULL::numeric, NULL::numeric, edge.day
              FROM onergy_meter_placement p
              JOIN onergy_meter m ON m.id = p.meter_id
             CROSS JOIN LATERAL (VALUES (p.date_from), (p.date_to + 1)) edge(day)
             CROSS JOIN LATERAL (
                  SELECT CASE m.medium WHEN 'cooling' THEN 'cooling'
                                       WHEN 'water' THEN 'volume'
                                       ELSE 'energy' END AS register) main
              JOIN onergy_vee_now r
                ON r.code = 'exchange' AND edge.day >= r.date_from
               AND edge.day <= COALESCE(r.date_to, 'infinity')
             WHERE m.company_id = %(company)s
               AND edge.day > %(today)s - %(period)s
               AND edge.day <= %(today)s - r.days
               AND NOT EXISTS (
                   SELECT 1 FROM onergy_reading x
                    WHERE x.meter_id = p.meter_id AND x.register = main.register
                      AND x.superseded IS NOT TRUE AND x.origin <> 'estimate'
                      AND x.moment >= %(first)s AND x.moment < %(until)s)
            """,
            company=company.id,
            today=today,
            period=EXCHANGE_DAYS,
            first=boundary_start(SQL("edge.day")),
            until=boundary_start(SQL("(edge.day + 1)")),
        )

    def _get_sum_query(self, company, today):
        """Months in which a building's meter and its dwellings differ too much."""
        return SQL(
            """
            WITH month AS (
                SELECT date_trunc('month', %(today)s::date
                                  - number * interval '1 month')::date AS first
                  FROM generate_series(1, %(months)s) number
            ), placed AS (
                SELECT c.complex_id, m.id AS meter_id, m.scope, month.first,
                       COALESCE(use.quantity, 0) AS quantity,
                       COALESCE(use.days, 0) AS days,
                       LEAST(COALESCE(p.date_to, 'infinity'::date),
                             (month.first + interval '1 month')::date - 1)
                       - GREATEST(p.date_from, month.first) + 1 AS needed
                  FROM month
                  JOIN onergy_meter_placement p
                    ON p.date_from < month.first + interval '1 month'
                   AND COALESCE(p.date_to, 'infinity') >= month.first
                  JOIN onergy_meter m
                    ON m.id = p.meter_id AND m.company_id = %(company)s
                   AND m.medium IN ('heat', 'heat_cooling')
                  JOIN onergy_connection c ON c.id = p.connection_id
                  LEFT JOIN onergy_consumption_month use
                    ON use.meter_id = m.id AND use.register = 'energy'
                   AND use.month = month.first AND use.connection_id = c.id
            ), total AS (
                SELECT complex_id, first, bool_and(days >= needed) AS complete,
                       min(meter_id) FILTER (WHERE scope = 'building') AS meter_id,
                       sum(quantity) FILTER (WHERE scope = 'building') AS building,
                       sum(quantity) FILTER (WHERE scope <> 'building') AS dwellings
                  FROM placed GROUP BY complex_id, first
            )
            SELECT r.code, r.id, t.meter_id, 'energy',
                   (t.first + interval '1 month')::date - 1,
                   t.building, t.dwellings, t.first
              FROM total t
              JOIN onergy_vee_now r
                ON r.code = 'sum' AND t.first >= r.date_from
               AND t.first <= COALESCE(r.date_to, 'infinity')
             WHERE t.complete AND t.dwellings IS NOT NULL
               AND GREATEST(t.building, t.dwellings) > r.minimum
               AND abs(t.building - t.dwellings) > r.threshold * t.building
            """,
            company=company.id,
            today=today,
            months=SUM_MONTHS,
        )
