from odoo import api, models
from odoo.tools import SQL

from ..parsers.units import ENERGY
from .midnights import boundary_of_local, local, unit_values

#: A clock may run ahead this far before its readings are refused.
CLOCK_TOLERANCE_MINUTES = 15


class OnergyReadingJudge(models.AbstractModel):
    """Give every staged row its meter and its verdict, before anything lands.

    What came after the last reading of its register, as a day file does, is judged by
    ``onergy.meter.register`` alone. Only registers that bring older rows have the
    readings of that span looked up, and only rows that fall between two of them
    probe for their neighbours.
    """

    _name = "onergy.reading.judge"
    _description = "Judge of staged readings"

    @api.model
    def _judge(self, company, total):
        """Turn ``onergy_stage`` of ``total`` rows into ``onergy_judged``.

        A row's ``verdict`` is ``NULL`` when it is good, ``same`` when it is known
        already, else the reason why it is set aside. ``day`` is the midnight it
        counts for and ``away`` its distance from it.
        """
        # Pending ORM writes (a new meter, a placement) must be seen by the SQL below.
        self.env.flush_all()
        cr = self.env.cr
        self._prepare_planner(total)
        self.env["onergy.vee.engine"]._prepare_rules(company)
        cr.execute(self._get_known_query(company))
        cr.execute("ANALYZE onergy_known")
        cr.execute(
            "SELECT EXISTS (SELECT 1 FROM onergy_known WHERE first < last_moment)"
        )
        [backwards] = cr.fetchone()
        if backwards:
            cr.execute(self._get_history_query())
            cr.execute("ANALYZE onergy_history")
        cr.execute(self._get_judge_query(backwards))
        cr.execute("ANALYZE onergy_judged")

    def _prepare_planner(self, total):
        """Settings for the rest of the transaction.

        Compiling these statements takes longer than running them, and a coarse look
        at the temporary tables is enough to plan them. A file that names a good part
        of all meters is joined by reading those tables once: what the planner knows
        of them dates from before this load, and probing per row by mistake costs
        minutes.
        """
        cr = self.env.cr
        cr.execute(
            "SET LOCAL jit = off; SET LOCAL work_mem = '128MB'; "
            "SET LOCAL default_statistics_target = 10"
        )
        cr.execute(
            "SELECT GREATEST(1000, reltuples / 20) FROM pg_class "
            "WHERE oid = 'onergy_meter'::regclass"
        )
        [many] = cr.fetchone()
        cr.execute("SET LOCAL enable_nestloop = %s", ["off" if total >= many else "on"])

    def _get_known_query(self, company):
        """Registers named in the stage, each with all that judging needs of it.

        A key is looked up as meter number, M-Bus id and DevEUI; one that fits two
        meters is ``ambiguous``.
        """
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_known ON COMMIT DROP AS
            WITH named AS MATERIALIZED (
                SELECT key, register, min(moment) AS first, max(moment) AS last
                  FROM onergy_stage WHERE key <> '' GROUP BY key, register
            ), keys AS MATERIALIZED (
                SELECT DISTINCT key FROM named
            ), found AS (
                SELECT key, m.id FROM keys
                  JOIN onergy_meter m ON serial = key AND company_id = %(company)s
                 UNION
                SELECT key, m.id FROM keys
                  JOIN onergy_meter m ON mbus_id = key AND company_id = %(company)s
                 UNION
                SELECT key, m.id FROM keys
                  JOIN onergy_meter m ON dev_eui = key AND company_id = %(company)s
            ), one AS (
                SELECT key, min(id) AS meter_id, count(*) > 1 AS ambiguous
                  FROM found GROUP BY key
            ), placed AS (
                SELECT p.meter_id, min(p.date_from) AS placed_from,
                       max(COALESCE(p.date_to, 'infinity')) AS placed_to,
                       count(*) > 1 AS moved
                  FROM onergy_meter_placement p
                 WHERE p.meter_id IN (SELECT meter_id FROM one)
                 GROUP BY p.meter_id
            )
            SELECT named.*, one.meter_id, one.ambiguous, m.active,
                   CASE named.register WHEN 'volume' THEN m.volume_unit ELSE m.unit END
                       AS unit,
                   CASE named.register WHEN 'volume' THEN 0.001 ELSE m.step END AS step,
                   CASE named.register WHEN 'volume' THEN NULL
                        ELSE NULLIF(m.register_capacity, 0) END AS capacity,
                   NULLIF(m.power, 0) AS power, unit.factor,
                   placed.placed_from, placed.placed_to, placed.moved,
                   st.id AS state_id, st.last_moment, st.last_value
              FROM named
              JOIN one USING (key)
              JOIN onergy_meter m ON m.id = one.meter_id
              LEFT JOIN (VALUES %(units)s) unit(name, factor)
                ON named.register <> 'volume' AND unit.name = m.unit
              LEFT JOIN placed ON placed.meter_id = one.meter_id
              LEFT JOIN onergy_meter_register st
                ON st.meter_id = one.meter_id AND st.register = named.register
            """,
            company=company.id,
            units=unit_values(ENERGY),
        )

    def _get_history_query(self):
        """Readings in the spans of registers that bring older rows."""
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_history ON COMMIT DROP AS
            SELECT k.meter_id, k.register, r.moment, r.value
              FROM (
                SELECT meter_id, register, min(first) AS first, max(last) AS last
                  FROM onergy_known WHERE first < last_moment
                 GROUP BY meter_id, register
              ) k
             -- The offset keeps this one probe per register.
             CROSS JOIN LATERAL (
                SELECT moment, value FROM onergy_reading r
                 WHERE r.meter_id = k.meter_id AND r.register = k.register
                   AND r.superseded IS NOT TRUE
                   AND r.moment >= k.first AND r.moment <= k.last OFFSET 0
             ) r
            """
        )

    def _get_judge_query(self, backwards):
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_judged ON COMMIT DROP AS
            WITH dated AS (
                SELECT *, %(local)s AS local FROM onergy_stage OFFSET 0
            ), matched AS (
                SELECT s.line, s.key, s.register, s.moment, s.value, s.unit, s.status,
                       s.column_name, s.raw, k.meter_id, k.state_id, k.last_moment,
                       k.step, k.capacity, k.power, k.factor,
                       %(day)s AS day, s.local,
                       CASE WHEN s.moment > k.last_moment THEN k.last_value END
                           AS state_value,
                       %(stored)s AS stored_value,
                       CASE
                         WHEN s.reason <> '' THEN s.reason
                         WHEN k.meter_id IS NULL THEN 'unknown_meter'
                         WHEN k.ambiguous THEN 'ambiguous_meter'
                         WHEN s.status = 'error' THEN 'status_error'
                         WHEN s.status = 'invalid' THEN 'status_invalid'
                         WHEN s.moment > %(latest)s THEN 'future'
                         WHEN s.unit <> k.unit THEN 'unit_mismatch'
                         WHEN s.value < 0 THEN 'negative'
                         WHEN NOT k.active THEN 'inactive_meter'
                         -- The end reading belongs to the morning after the last day.
                         WHEN k.placed_from IS NULL
                           OR s.local < k.placed_from OR s.local >= k.placed_to + 2
                           OR k.moved AND NOT EXISTS (
                              SELECT 1 FROM onergy_meter_placement p
                               WHERE p.meter_id = k.meter_id AND s.local >= p.date_from
                                 AND s.local < COALESCE(p.date_to + 2, 'infinity'))
                         THEN 'not_installed'
                       END AS verdict
                  FROM dated s
                  LEFT JOIN onergy_known k
                    ON k.key = s.key AND k.register = s.register
                  %(history)s
            ), sequenced AS (
                -- This sort is the order of the index too.
                SELECT m.*,
                       lag(value) OVER run AS file_value,
                       lag(value, 2) OVER run AS file_value_2,
                       lag(moment) OVER run AS file_moment
                  FROM matched m
                WINDOW run AS (PARTITION BY verdict, meter_id, register
                               ORDER BY moment, line)
            )
            SELECT q.line, q.key, q.register, q.moment, q.value, q.unit, q.status,
                   q.column_name, q.raw, q.meter_id, q.state_id, q.day,
                   GREATEST(q.local - q.day, q.day - q.local) AS away,
                   CASE
                     WHEN q.verdict IS NOT NULL THEN q.verdict
                     WHEN q.stored_value = q.value THEN 'same'
                     WHEN q.stored_value IS NOT NULL THEN 'conflict'
                     WHEN q.file_moment = q.moment AND q.file_value = q.value
                     THEN 'same'
                     WHEN q.file_moment = q.moment THEN 'conflict'
                     WHEN before.value - q.value > q.step
                          AND NOT COALESCE(before.value > 0.9 * q.capacity
                                           AND q.value < 0.1 * q.capacity, FALSE)
                     THEN 'decrease'
                     WHEN after.value < q.value - q.step
                          AND NOT COALESCE(q.value > 0.9 * q.capacity
                                           AND after.value < 0.1 * q.capacity, FALSE)
                     THEN 'above_next'
                     -- kW x s to GJ, with one step of the register to either side.
                     -- The way back up from a row that fell is no use of heat.
                     WHEN (q.value - GREATEST(before.value, q.file_value_2)
                           - 2 * q.step) * q.factor
                          > COALESCE(q.power, rule.threshold) / 1e6
                            * extract(epoch FROM q.moment - before.moment)
                     THEN 'vee_power'
                   END AS verdict,
                   COALESCE(q.stored_value, before.value) AS other_value
              FROM sequenced q
              -- The limits keep these as index probes of the rows that need them.
              LEFT JOIN LATERAL (
                  SELECT r.value, r.moment FROM onergy_reading r
                   WHERE q.moment < q.last_moment AND q.verdict IS NULL
                     AND q.stored_value IS NULL
                     AND r.meter_id = q.meter_id AND r.register = q.register
                     AND r.moment < q.moment AND r.superseded IS NOT TRUE
                   ORDER BY r.moment DESC LIMIT 1
              ) prior ON TRUE
              LEFT JOIN LATERAL (
                  SELECT r.value FROM onergy_reading r
                   WHERE q.moment < q.last_moment AND q.verdict IS NULL
                     AND q.stored_value IS NULL
                     AND r.meter_id = q.meter_id AND r.register = q.register
                     AND r.moment > q.moment AND r.superseded IS NOT TRUE
                   ORDER BY r.moment LIMIT 1
              ) after ON TRUE
             CROSS JOIN LATERAL (
                  SELECT CASE WHEN in_file THEN q.file_value
                              ELSE COALESCE(prior.value, q.state_value) END AS value,
                         CASE WHEN in_file THEN q.file_moment
                              ELSE COALESCE(prior.moment, state_moment) END AS moment
                    FROM (SELECT state_moment, q.file_moment >= COALESCE(
                              prior.moment, state_moment, '-infinity') AS in_file
                            FROM (SELECT CASE WHEN q.moment > q.last_moment
                                      THEN q.last_moment END AS state_moment) state
                         ) nearer
              ) before
              LEFT JOIN onergy_vee_now rule
                ON rule.code = 'power' AND q.moment >= rule.date_from
               AND q.moment < COALESCE(rule.date_to + 1, 'infinity')
            """,
            local=local(SQL("moment")),
            day=boundary_of_local(SQL("s.local")),
            latest=SQL(
                "((now() AT TIME ZONE 'UTC') + %s * interval '1 minute')",
                CLOCK_TOLERANCE_MINUTES,
            ),
            stored=SQL(
                "COALESCE(CASE WHEN s.moment = k.last_moment THEN k.last_value END%s)",
                SQL(", h.value") if backwards else SQL(),
            ),
            history=SQL(
                "LEFT JOIN onergy_history h ON h.meter_id = k.meter_id "
                "AND h.register = k.register AND h.moment = s.moment"
            )
            if backwards
            else SQL(),
        )
