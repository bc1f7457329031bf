from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL

from .midnights import boundary_of_local, local, unit_values

#: kW that no dwelling draws, where neither its meter nor a rule knows better.
POWER_LIMIT = 100

#: A clock may run ahead this far before its readings are refused.
CLOCK_TOLERANCE_MINUTES = 15


class OnergyReadingJudge(models.AbstractModel):
    """Give every staged row its meter and its verdict, before anything lands.

    What came after the last reading of its register, as a day file does, is judged by
    ``onergy.meter.register`` alone, in one pass over the file. Only registers that
    bring older rows have the readings of that span looked up, and only rows that fall
    between two of them probe for their neighbours.
    """

    _name = "onergy.reading.judge"
    _description = "Judge of staged readings"

    @api.model
    def _judge(self, company, total):
        """Turn ``onergy_stage`` of ``total`` rows into ``onergy_judged``.

        A row's ``verdict`` is ``NULL`` when it is good, ``same`` when it is known
        already, else the reason why it is set aside. ``day`` is the midnight it
        counts for and ``away`` its distance from it; ``appended`` tells that nothing
        is known of the register at or after the first of its rows, ``state_...``
        what it stands at.
        """
        # Pending ORM writes (a new meter, a placement) must be seen by the SQL below.
        self.env.flush_all()
        cr = self.env.cr
        large = self._is_large(total)
        self._prepare_planner(large)
        self.env["onergy.vee.engine"]._prepare_rules(company)
        aliased, changed = self._find_aliases(company)
        matched = self._get_matched_query(company, aliased, changed)
        if large and not self._has_older_rows():
            judged = self._get_judge_query(matched, SQL())
        else:
            cr.execute(
                SQL(
                    "CREATE TEMPORARY TABLE onergy_matched ON COMMIT DROP AS %s",
                    matched,
                )
            )
            cr.execute("ANALYZE onergy_matched")
            cr.execute(self._get_history_query())
            cr.execute("ANALYZE onergy_history")
            judged = SQL(
                "(%s) UNION ALL (%s)",
                self._get_judge_query(self._get_open_query(), self._get_probes()),
                self._get_decided_query(),
            )
        cr.execute(
            SQL("CREATE TEMPORARY TABLE onergy_judged ON COMMIT DROP AS %s", judged)
        )
        cr.execute("ANALYZE onergy_judged")

    def _prepare_planner(self, large):
        """Settings for the rest of the transaction.

        Compiling these statements takes longer than running them. A large load is
        joined by reading the tables of meters once: what the planner knows of them
        dates from before this load, and probing per row by mistake costs minutes.
        """
        cr = self.env.cr
        cr.execute("SET LOCAL jit = off; SET LOCAL work_mem = '128MB'")
        cr.execute("SET LOCAL enable_nestloop = %s", ["off" if large else "on"])

    def _is_large(self, total):
        """Whether so many rows are a good part of all meters."""
        self.env.cr.execute(
            "SELECT %s >= GREATEST(1000, reltuples / 20) FROM pg_class "
            "WHERE oid = 'onergy_meter'::regclass",
            [total],
        )
        return self.env.cr.fetchone()[0]

    def _has_older_rows(self):
        """Whether a row may be older than the last reading of its register."""
        self.env.cr.execute(
            "SELECT (SELECT min(moment) FROM onergy_stage) "
            "< (SELECT max(last_moment) FROM onergy_meter_register)"
        )
        return self.env.cr.fetchone()[0]

    def _find_aliases(self, company):
        """Look up keys as M-Bus id and DevEUI too, where meters have these.

        :return: whether ``onergy_alias`` holds the meters of all keys; one that fits
            two meters is ``ambiguous``. Otherwise a key is a meter number. And whether
            any meter has changed its unit.
        """
        cr = self.env.cr
        cr.execute(
            """
            SELECT EXISTS (SELECT 1 FROM onergy_meter WHERE mbus_id IS NOT NULL)
                OR EXISTS (SELECT 1 FROM onergy_meter WHERE dev_eui IS NOT NULL),
                   EXISTS (SELECT 1 FROM onergy_meter_unit)
            """
        )
        aliased, changed = cr.fetchone()
        if aliased:
            cr.execute(
                """
                CREATE TEMPORARY TABLE onergy_alias ON COMMIT DROP AS
                WITH keys AS MATERIALIZED (
                    SELECT DISTINCT key FROM onergy_stage WHERE key <> ''
                )
                SELECT key, min(id) AS meter_id, count(*) > 1 AS ambiguous
                  FROM (
                    SELECT key, m.id FROM keys
                      JOIN onergy_meter m ON serial = key AND company_id = %(company)s
                     UNION
                    SELECT key, m.id FROM keys
                      JOIN onergy_meter m ON mbus_id = key AND company_id = %(company)s
                     UNION
                    SELECT key, m.id FROM keys
                      JOIN onergy_meter m ON dev_eui = key AND company_id = %(company)s
                  ) found
                 GROUP BY key
                """,
                {"company": company.id},
            )
            cr.execute("ANALYZE onergy_alias")
        return aliased, changed

    def _get_matched_query(self, company, aliased, changed):
        """Rows with their meter, its placement and the state of the register."""
        return SQL(
            """
            SELECT s.line, s.key, s.register, s.moment, s.value, s.unit, s.status,
                   s.column_name, s.raw, s.local, %(day)s AS day, m.id AS meter_id,
                   CASE s.register WHEN 'volume' THEN 0.001 ELSE m.step END AS step,
                   CASE s.register WHEN 'volume' THEN NULL
                        ELSE NULLIF(m.register_capacity, 0) END AS capacity,
                   NULLIF(m.power, 0) AS power, unit.factor, unit.coarse_factor,
                   st.id AS state_id,
                   st.last_moment, st.last_value, st.midnight_day,
                   st.midnight_value, st.midnight_origin,
                   CASE
                     WHEN s.reason <> '' THEN s.reason
                     WHEN m.id IS NULL THEN 'unknown_meter'
                     WHEN %(ambiguous)s THEN 'ambiguous_meter'
                     WHEN s.status = 'error' THEN 'status_error'
                     WHEN s.status = 'invalid' THEN 'status_invalid'
                     WHEN s.moment > %(latest)s THEN 'future'
                     WHEN %(before)s THEN 'old_unit'
                     WHEN s.unit <> CASE s.register
                         WHEN 'volume' THEN m.volume_unit ELSE m.unit END
                     THEN 'unit_mismatch'
                     WHEN s.value < 0 THEN 'negative'
                     WHEN NOT m.active THEN 'inactive_meter'
                     -- Where it hangs now first; the others are looked up if need be.
                     -- The end reading belongs to the morning after the last day.
                     WHEN NOT COALESCE(s.local >= p.date_from, FALSE)
                      AND NOT EXISTS (
                          SELECT 1 FROM onergy_meter_placement old
                           WHERE old.meter_id = m.id AND s.local >= old.date_from
                             AND s.local < COALESCE(old.date_to + 2, 'infinity'))
                     THEN 'not_installed'
                     WHEN s.moment = st.last_moment AND s.value = st.last_value
                     THEN 'same'
                   END AS verdict
              FROM (SELECT *, %(local)s AS local FROM onergy_stage OFFSET 0) s
              %(meters)s
              LEFT JOIN onergy_meter_placement p
                ON p.meter_id = m.id AND p.date_to IS NULL
              LEFT JOIN onergy_meter_register st
                ON st.meter_id = m.id AND st.register = s.register
              LEFT JOIN (
                  -- With a hundredth of room for what is lost in rounding.
                  SELECT name, factor, (factor * 1010000)::float8 AS coarse_factor
                    FROM (VALUES %(units)s) known(name, factor) OFFSET 0
              ) unit ON unit.name = s.unit
              %(former)s
            """,
            before=SQL("s.moment < former.moment") if changed else SQL("FALSE"),
            former=SQL(
                "LEFT JOIN (SELECT meter_id, max(moment) AS moment "
                "FROM onergy_meter_unit GROUP BY meter_id) former "
                "ON former.meter_id = m.id AND s.register <> 'volume'"
            )
            if changed
            else SQL(),
            local=local(SQL("moment")),
            day=boundary_of_local(SQL("s.local")),
            ambiguous=SQL("a.ambiguous") if aliased else SQL("FALSE"),
            meters=SQL(
                "LEFT JOIN onergy_alias a ON a.key = s.key "
                "LEFT JOIN onergy_meter m ON m.id = a.meter_id"
            )
            if aliased
            else SQL(
                "LEFT JOIN onergy_meter m ON m.serial = s.key AND m.company_id = %s",
                company.id,
            ),
            latest=fields.Datetime.now() + timedelta(minutes=CLOCK_TOLERANCE_MINUTES),
            units=unit_values(),
        )

    def _get_history_query(self):
        """Readings in the spans of registers that bring older rows."""
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_history ON COMMIT DROP AS
            SELECT k.meter_id, k.register, r.moment, r.value
              FROM (
                SELECT meter_id, register, min(moment) AS first, max(moment) AS last
                  FROM onergy_matched
                 WHERE COALESCE(verdict, 'old_unit') = 'old_unit'
                   AND moment < last_moment
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

    def _get_open_query(self):
        """Rows still to be judged, with what is stored at their very moment."""
        return SQL(
            """
            SELECT m.*, h.value AS stored_value
              FROM onergy_matched m
              LEFT JOIN onergy_history h
                ON h.meter_id = m.meter_id AND h.register = m.register
               AND h.moment = m.moment
             WHERE m.verdict IS NULL AND h.value IS DISTINCT FROM m.value
            """
        )

    def _get_decided_query(self):
        """The other rows, with the columns of :meth:`_get_judge_query`."""
        return SQL(
            """
            SELECT m.line, m.key, m.register, m.moment, m.value, m.unit, m.status,
                   m.column_name, m.raw, m.meter_id, m.day, m.factor, m.step,
                   m.capacity, NULL, m.state_id, NULL, NULL, NULL, FALSE,
                   CASE WHEN m.verdict = 'old_unit' AND h.value = m.value THEN 'same'
                        ELSE COALESCE(m.verdict, 'same') END, NULL, NULL
              FROM onergy_matched m
              LEFT JOIN onergy_history h
                ON h.meter_id = m.meter_id AND h.register = m.register
               AND h.moment = m.moment
             WHERE m.verdict IS NOT NULL OR h.value = m.value
            """
        )

    def _get_probes(self):
        """The stored readings just before and after a row that needs them."""
        return SQL(
            """
              -- The limits keep these as index probes.
              LEFT JOIN LATERAL (
                  SELECT r.value, r.moment FROM onergy_reading r
                   WHERE q.moment < q.last_moment AND q.verdict IS NULL
                     AND q.known_value IS NULL
                     AND r.meter_id = q.meter_id AND r.register = q.register
                     AND r.moment < q.moment AND r.superseded IS NOT TRUE
                   ORDER BY r.moment DESC LIMIT 1
              ) prior ON TRUE
              LEFT JOIN LATERAL (
                  SELECT r.value FROM onergy_reading r
                   WHERE q.moment < q.last_moment AND q.verdict IS NULL
                     AND q.known_value IS NULL
                     AND r.meter_id = q.meter_id AND r.register = q.register
                     AND r.moment > q.moment AND r.superseded IS NOT TRUE
                   ORDER BY r.moment LIMIT 1
              ) after ON TRUE
            """
        )

    def _get_judge_query(self, matched, probes):
        """Rows of ``matched`` with their verdict.

        :param probes: joins of the stored readings ``prior`` and ``after`` a row, and
            ``matched`` has a ``stored_value``; empty when no row is older than the
            last reading of its register
        """
        nothing = SQL(
            "CROSS JOIN (SELECT NULL::numeric AS value, NULL::timestamp AS moment) "
            "prior CROSS JOIN (SELECT NULL::numeric AS value) after"
        )
        return SQL(
            """
            WITH sequenced AS (
                -- This sort is the order of the index too.
                SELECT m.*,
                       CASE WHEN moment = last_moment THEN last_value
                            ELSE %(stored)s END AS known_value,
                       CASE WHEN moment > last_moment THEN last_value END
                           AS state_value,
                       CASE WHEN moment > last_moment THEN last_moment END
                           AS state_moment,
                       lag(value) OVER run AS file_value,
                       lag(value, 2) OVER run AS file_value_2,
                       lag(moment) OVER run AS file_moment,
                       first_value(day) OVER run AS first_day
                  FROM (%(matched)s) m
                -- First what is an integer and tells most rows apart.
                WINDOW run AS (PARTITION BY meter_id, register, verdict
                               ORDER BY moment, line)
            )
            SELECT q.line, q.key, q.register, q.moment, q.value, q.unit, q.status,
                   q.column_name, q.raw, q.meter_id, q.day, q.factor, q.step,
                   q.capacity, GREATEST(q.local - q.day, q.day - q.local) AS away,
                   q.state_id, q.midnight_day AS state_day,
                   q.midnight_value AS state_amount,
                   q.midnight_origin AS state_origin,
                   COALESCE(q.first_day > q.midnight_day, TRUE) AS appended,
                   CASE
                     WHEN q.verdict = 'old_unit' AND q.known_value = q.value
                     THEN 'same'
                     WHEN q.verdict IS NOT NULL THEN q.verdict
                     WHEN q.known_value = q.value THEN 'same'
                     WHEN q.known_value IS NOT NULL THEN 'conflict'
                     WHEN q.file_moment = q.moment AND q.file_value = q.value
                     THEN 'same'
                     WHEN q.file_moment = q.moment THEN 'conflict'
                     WHEN q.value < before.value AND before.value - q.value > q.step
                          AND NOT COALESCE(
                              before.value > 0.9 * q.capacity
                              AND q.value < 0.1 * q.capacity
                              -- What a new round implies must be plausible too.
                              AND (q.value + q.capacity - before.value - 2 * q.step)
                                  * q.factor
                                  <= COALESCE(q.power, rule.threshold, %(power)s)
                                     / 1e6
                                     * extract(epoch FROM q.moment - before.moment),
                              FALSE)
                     THEN 'decrease'
                     WHEN after.value < q.value - q.step
                          AND NOT COALESCE(q.value > 0.9 * q.capacity
                                           AND after.value < 0.1 * q.capacity, FALSE)
                     THEN 'above_next'
                     -- kW x s to GJ, with one step of the register to either side.
                     -- The way back up from a row that fell is no use of heat.
                     -- Numbers of any length cost a third of this statement; a coarse
                     -- look tells most rows apart.
                     WHEN q.register <> 'volume'
                      AND (q.value - before.value)::float8
                          > COALESCE(q.power::float8, rule.coarse_threshold)
                            * date_part('epoch', q.moment - before.moment)
                            / q.coarse_factor
                      AND (q.value - GREATEST(before.value, q.file_value_2,
                                              prior.value, q.state_value)
                           - 2 * q.step) * q.factor * 1000000
                          > COALESCE(q.power, rule.threshold)
                            * extract(epoch FROM q.moment - before.moment)
                      AND rule.severity = 'terminate'
                      AND NOT EXISTS (
                          SELECT 1 FROM onergy_vee_mute mute
                           WHERE mute.meter_id = q.meter_id AND mute.code = 'power'
                             AND q.moment::date
                                 BETWEEN mute.date_from AND mute.date_to)
                     THEN 'vee_power'
                   END AS verdict,
                   rule.id AS power_rule_id,
                   COALESCE(q.known_value, before.value) AS other_value
              FROM sequenced q
              %(probes)s
             CROSS JOIN LATERAL (
                  SELECT CASE WHEN in_file THEN q.file_value
                              ELSE COALESCE(prior.value, q.state_value) END AS value,
                         CASE WHEN in_file THEN q.file_moment
                              ELSE COALESCE(prior.moment, q.state_moment) END AS moment
                    FROM (SELECT q.file_moment >= COALESCE(
                        prior.moment, q.state_moment, '-infinity') AS in_file) nearer
              ) before
              LEFT JOIN onergy_vee_now rule
                ON rule.code = 'power' AND q.moment >= rule.date_from
               AND q.moment < COALESCE(rule.date_to + 1, 'infinity')
            """,
            matched=matched,
            stored=SQL("stored_value" if probes else "NULL::numeric"),
            probes=probes or nothing,
            power=POWER_LIMIT,
        )
