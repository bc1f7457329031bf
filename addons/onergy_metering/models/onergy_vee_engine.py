from odoo import api, models
from odoo.tools import SQL

#: Days of use before anything is expected of a meter.
LEARNING_DAYS = 14
#: What one more day leaves of the weight of the days before.
DECAY = 0.98
#: A batch teaches by its last days only; older ones no longer describe the home.
TAUGHT_DAYS = 60
#: Hot water and losses, as if a day were this many degree days colder.
BASE_DEGREE_DAYS = 1
#: Slips between units and digits: MJ/kWh, a digit, GJ/kWh, Wh/kWh.
RATIOS = (3.6, 10, 277.8, 1000)
#: A kilowatt for a day, in gigajoule.
GJ_PER_KW_DAY = 0.0864
#: kJ per litre and kelvin of heating water at 60 °C.
HEAT_CAPACITY = 4.1


class OnergyVeeEngine(models.AbstractModel):
    """Judge the days that a load made, by rolling figures of each register.

    What a day is expected to be is ``use per degree day x (degree days + 1)``, kept
    with a decay per register, so that no rule scans history. A rule fires once per
    episode: the days on which something goes on being wrong are one work item.
    """

    _name = "onergy.vee.engine"
    _description = "Validation of consumption"

    @api.model
    def _evaluate_landed(self, company, import_id):
        """Judge the days in ``onergy_new_day``; return the number of new items."""
        cr = self.env.cr
        cr.execute(self._get_days_query())
        cr.execute("ANALYZE onergy_vee_day")
        cr.execute(self._get_state_query())
        cr.execute("ANALYZE onergy_vee_state")
        return self._insert_items(company, self._get_rule_queries(), import_id)

    @api.model
    def _insert_items(self, company, queries, import_id=None):
        """Make a work item of what the rules in ``queries`` fired on; return how many.

        :param queries: SELECTs with the columns of :meth:`_get_rule_queries`
        """
        cr = self.env.cr
        cr.execute(self._get_items_query(company, queries, import_id))
        return cr.rowcount

    @api.model
    def _prepare_rules(self, company):
        """Put the rules of a company into ``onergy_vee_now`` for this load."""
        self.env.cr.execute(self._get_rules_query(company))

    def _get_days_query(self):
        """New days after what the register has learnt of, with the expectation."""
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_vee_day ON COMMIT DROP AS
            SELECT n.meter_id, n.register, n.day, n.quantity, n.quality, n.cold,
                   n.day >= n.last_day - %(taught)s AS taught,
                   st.still_since, st.low_since, st.estimated_since,
                   CASE WHEN st.day_count >= %(learning)s AND st.weight_sum > 0
                        THEN st.use_sum / st.weight_sum * (n.cold + %(base)s)
                   END AS expected
              FROM onergy_new_day n
              LEFT JOIN onergy_meter_register st ON st.id = n.state_id
             WHERE st.stat_day IS NULL OR n.day > st.stat_day
            """,
            learning=LEARNING_DAYS,
            base=BASE_DEGREE_DAYS,
            taught=TAUGHT_DAYS,
        )

    def _get_rules_query(self, company):
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_vee_now ON COMMIT DROP AS
            SELECT r.*, r.threshold::float8 AS coarse_threshold
              FROM onergy_vee_rule r
             WHERE r.active AND (r.company_id = %(company)s OR r.company_id IS NULL
                   AND NOT EXISTS (
                       SELECT 1 FROM onergy_vee_rule own
                        WHERE own.active AND own.code = r.code
                          AND own.company_id = %(company)s))
            """,
            company=company.id,
        )

    def _get_items_query(self, company, queries, import_id):
        """Insert a work item per fired rule and episode, unless muted or known."""
        return SQL(
            """
            WITH fired AS (%(fired)s)
            INSERT INTO onergy_reading_exception (
                company_id, import_id, meter_key, meter_id, register, moment, day,
                value, unit, other_value, reason, severity, rule_id, state, fingerprint,
                create_uid, write_uid, create_date, write_date)
            SELECT DISTINCT ON (fingerprint)
                   %(company)s, %(import)s, m.serial, f.meter_id, f.register,
                   f.day::timestamp, f.day, f.value,
                   CASE f.register WHEN 'volume' THEN 'm3' ELSE 'GJ' END,
                   f.expected, 'vee_' || f.code, r.severity, r.id, 'open', fingerprint,
                   %(uid)s, %(uid)s, %(now)s, %(now)s
              FROM fired f
              JOIN onergy_vee_now r ON r.id = f.rule_id
              JOIN onergy_meter m ON m.id = f.meter_id,
                   md5(concat_ws('|', 'vee', f.code, f.meter_id, f.register, f.since))
                       AS fingerprint
             WHERE NOT EXISTS (
                       SELECT 1 FROM onergy_vee_mute mute
                        WHERE mute.meter_id = f.meter_id AND mute.code = f.code
                          AND f.day BETWEEN mute.date_from AND mute.date_to)
               AND NOT EXISTS (
                       SELECT 1 FROM onergy_reading_exception e
                        WHERE e.fingerprint = fingerprint.fingerprint)
             ORDER BY fingerprint, f.day DESC
            """,
            **{
                "fired": SQL(" UNION ALL ").join(
                    SQL("(%s)", query) for query in queries
                ),
                "company": company.id,
                "import": import_id,
                "uid": self.env.uid,
                "now": self.env.cr.now(),
            },
        )

    def _get_state_query(self):
        """Per register: since when nothing is used, too little, or estimated."""
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_vee_state ON COMMIT DROP AS
            SELECT v.meter_id, v.register, max(v.day) AS day, count(*) AS count,
                   sum(v.expected) AS expected,
                   sum(v.quantity) FILTER (WHERE taught) AS use_sum,
                   sum(v.cold + %(base)s) FILTER (WHERE taught) AS weight_sum,
                   %(still)s AS still_since,
                   %(low)s AS low_since,
                   %(estimated)s AS estimated_since
              FROM onergy_vee_day v
              LEFT JOIN onergy_vee_now low
                ON low.code = 'low' AND v.day >= low.date_from
               AND v.day <= COALESCE(low.date_to, 'infinity')
             GROUP BY v.meter_id, v.register
            """,
            base=BASE_DEGREE_DAYS,
            still=self._get_since(SQL("v.quantity > 0"), SQL("v.still_since")),
            low=self._get_since(
                # A mild day says nothing either way and does not end the episode.
                SQL(
                    "v.expected IS NULL OR (v.cold > low.minimum "
                    "AND v.quantity >= low.threshold * v.expected)"
                ),
                SQL("v.low_since"),
            ),
            estimated=self._get_since(
                SQL("v.quality <> 'estimated'"), SQL("v.estimated_since")
            ),
        )

    def _get_since(self, ended, before):
        """First day of the run that is still going on, ``NULL`` when there is none."""
        return SQL(
            """
            CASE WHEN max(v.day) FILTER (WHERE %(ended)s) IS NULL
                 THEN COALESCE(min(%(before)s), min(v.day))
                 WHEN max(v.day) FILTER (WHERE %(ended)s) < max(v.day)
                 THEN max(v.day) FILTER (WHERE %(ended)s) + 1 END
            """,
            ended=ended,
            before=before,
        )

    def _get_rule_queries(self):
        """One query per rule, all with the columns of ``head``."""
        head = SQL(
            "SELECT r.code, r.id AS rule_id, v.meter_id, v.register, v.day, "
            "v.quantity AS value, v.expected, v.day AS since "
            "FROM onergy_vee_day v JOIN onergy_vee_now r "
            "ON v.day >= r.date_from AND v.day <= COALESCE(r.date_to, 'infinity')"
        )
        heat = SQL("v.register <> 'volume' AND v.quality = 'measured'")
        off_by_units = SQL(
            "EXISTS (SELECT 1 FROM unnest(%s::numeric[]) ratio WHERE "
            "abs(v.quantity / NULLIF(v.expected, 0) / ratio - 1) <= "
            "COALESCE((SELECT threshold FROM onergy_vee_now ratio_rule "
            "WHERE ratio_rule.code = 'ratio' AND v.day >= ratio_rule.date_from "
            "AND v.day <= COALESCE(ratio_rule.date_to, 'infinity')), 0))",
            list(RATIOS),
        )
        return [
            # The loader knows the rule where it sets a reading aside.
            SQL(
                "%s JOIN onergy_meter m ON m.id = v.meter_id "
                "WHERE r.code = 'power' AND r.severity <> 'terminate' AND %s "
                "AND v.quantity > COALESCE(NULLIF(m.power, 0), r.threshold) * %s",
                head,
                heat,
                GJ_PER_KW_DAY,
            ),
            SQL(
                """
                SELECT r.code, r.id, j.meter_id, j.register, max(j.moment)::date,
                       max(j.value), NULL,
                       date_trunc('month', j.moment)::date
                  FROM onergy_judged j
                  JOIN onergy_vee_now r
                    ON r.code = 'status' AND j.moment::date >= r.date_from
                   AND j.moment::date <= COALESCE(r.date_to, 'infinity')
                 WHERE j.verdict IS NULL AND j.status = 'warn'
                 GROUP BY r.code, r.id, j.meter_id, j.register,
                          date_trunc('month', j.moment)
                """
            ),
            SQL(
                "%s WHERE r.code = 'high' AND %s AND v.quantity > r.minimum "
                "AND v.quantity > r.threshold * v.expected AND NOT %s",
                head,
                heat,
                off_by_units,
            ),
            SQL(
                "%s WHERE r.code = 'ratio' AND %s AND v.quantity > r.minimum "
                "AND v.quantity > 3 * v.expected AND %s",
                head,
                heat,
                off_by_units,
            ),
            self._get_episode_query("low", SQL("s.low_since"), SQL("r.days")),
            self._get_episode_query(
                "stuck",
                SQL("s.still_since"),
                self._get_days_limit(),
                SQL(
                    "s.register <> 'volume' AND EXISTS (SELECT 1 "
                    "FROM onergy_vee_state water WHERE water.meter_id = s.meter_id "
                    "AND water.register = 'volume' "
                    "AND (water.still_since IS NULL OR "
                    "water.still_since > s.still_since))"
                ),
            ),
            self._get_episode_query(
                "still",
                SQL("s.still_since"),
                self._get_days_limit(),
                SQL(
                    "s.register <> 'volume' AND s.expected > r.minimum "
                    "AND NOT EXISTS (SELECT 1 FROM onergy_vee_state water "
                    "WHERE water.meter_id = s.meter_id AND water.register = 'volume' "
                    "AND (water.still_since IS NULL OR "
                    "water.still_since > s.still_since))"
                ),
            ),
            self._get_episode_query(
                "estimated", SQL("s.estimated_since"), SQL("r.days")
            ),
            SQL(
                """
                SELECT r.code, r.id, i.meter_id, i.register, i.next_day - 1, i.used,
                       NULL, i.day
                  FROM onergy_interval i
                  JOIN onergy_vee_now r
                    ON r.code = 'gap' AND i.day >= r.date_from
                   AND i.day <= COALESCE(r.date_to, 'infinity')
                  JOIN onergy_meter m ON m.id = i.meter_id AND m.read_mode = 'remote'
                 WHERE i.next_day - i.day > r.days + 1
                """
            ),
            SQL(
                """
                SELECT r.code, r.id, v.meter_id, v.register, v.day, v.quantity,
                       round(v.quantity * 1000 / (water.quantity * %s), 1), v.day
                  FROM onergy_vee_day v
                  JOIN onergy_vee_day water
                    ON water.meter_id = v.meter_id AND water.day = v.day
                   AND water.register = 'volume' AND water.quantity > 0.01
                  JOIN onergy_vee_now r
                    ON r.code = 'delta_t' AND v.day >= r.date_from
                   AND v.day <= COALESCE(r.date_to, 'infinity')
                 WHERE v.register <> 'volume' AND v.quality = 'measured'
                   AND water.quality = 'measured' AND v.quantity > 0
                   AND NOT v.quantity * 1000 / (water.quantity * %s)
                           BETWEEN r.minimum AND r.threshold
                """,
                HEAT_CAPACITY,
                HEAT_CAPACITY,
            ),
            SQL(
                """
                SELECT r.code, r.id, j.meter_id, j.register, j.moment::date, j.value,
                       NULL, j.moment::date
                  FROM onergy_judged j
                  JOIN onergy_vee_now r
                    ON r.code = 'late' AND j.moment::date >= r.date_from
                   AND j.moment::date <= COALESCE(r.date_to, 'infinity')
                  JOIN onergy_meter_register st ON st.id = j.state_id
                 WHERE j.verdict IS NULL AND j.moment > st.last_moment
                   AND j.moment < (now() AT TIME ZONE 'UTC')
                       - r.threshold * interval '1 hour'
                   AND st.day_count >= %s
                """,
                LEARNING_DAYS,
            ),
        ]

    def _get_days_limit(self):
        return SQL(
            "CASE WHEN extract(month FROM s.day) BETWEEN 5 AND 9 "
            "THEN r.days_summer ELSE r.days END"
        )

    def _get_episode_query(self, code, since, limit, condition=None):
        return SQL(
            """
            SELECT r.code, r.id, s.meter_id, s.register, s.day, 0, s.expected,
                   %(since)s
              FROM onergy_vee_state s
              JOIN onergy_vee_now r
                ON r.code = %(code)s AND s.day >= r.date_from
               AND s.day <= COALESCE(r.date_to, 'infinity')
             WHERE s.day - %(since)s + 1 >= %(limit)s AND %(condition)s
            """,
            since=since,
            code=code,
            limit=limit,
            condition=condition or SQL("TRUE"),
        )
