from odoo import api, models
from odoo.tools import SQL

from .midnights import DAY_ZONE, boundary, unit_values
from .onergy_vee_engine import BASE_DEGREE_DAYS

#: So many days that were most like it make the estimate of a day.
LIKE_DAYS = 7
#: How far back they may lie.
HISTORY_DAYS = 400


class OnergyReadingEstimator(models.AbstractModel):
    """Estimates of days that no reading has closed yet, by like days.

    A gap between two readings needs no estimate of its total: the consumption builder
    shares that out. Where the later reading is missing, each day is taken to be as the
    days of the same register that were most like it in degree days (Oracle calls it a
    proxy day, Australian utilities a like day), corrected for what is left of the
    difference in cold. Without temperatures the last days before the gap serve.

    The estimates are readings of origin ``estimate`` at each midnight, whole steps of
    the register. The first later reading that comes in supersedes them all; every
    version stays, with a revision that says why.
    """

    _name = "onergy.reading.estimator"
    _description = "Estimation of readings"

    @api.model
    def _estimate(self, meters, until):
        """Estimate the registers of ``meters`` until 00:00 of the date ``until``.

        Starts from the last reading in force, be it an estimate. A register without a
        day of its own history stays as it is: there is nothing to go by.

        :return: ids of the meters that got an estimate
        """
        if not meters:
            return []
        self.env["onergy.reading.loader"]._lock(meters.company_id)
        self.env.flush_all()
        cr = self.env.cr
        cr.execute("DROP TABLE IF EXISTS onergy_gap, onergy_like")
        cr.execute(self._get_gap_query(meters, until))
        cr.execute("ANALYZE onergy_gap")
        cr.execute(self._get_like_query())
        cr.execute(self._get_insert_query())
        cr.execute("SELECT DISTINCT meter_id FROM onergy_like")
        ids = [meter_id for (meter_id,) in cr.fetchall()]
        if ids:
            self.env["onergy.consumption.builder"]._build(
                SQL(
                    "SELECT meter_id, register, NULL::int AS state_id, "
                    "min(moment) AS first, max(moment) AS last "
                    "FROM onergy_like GROUP BY meter_id, register"
                )
            )
            self.env["onergy.reading.loader"]._invalidate()
            self.env["onergy.reading.revision"].invalidate_model()
        return ids

    def _get_gap_query(self, meters, until):
        """Registers that end before ``until``, with their last value in force."""
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_gap ON COMMIT DROP AS
            SELECT st.meter_id, st.register, r.value, r.unit, unit.factor,
                   CASE st.register WHEN 'volume' THEN 0.001 ELSE m.step END AS step,
                   CASE WHEN st.register <> 'volume'
                        THEN NULLIF(m.register_capacity, 0) END AS capacity,
                   %(last)s AS day, x.weather_station,
                   LEAST(%(until)s::date, p.date_to + 1) AS until
              FROM onergy_meter_register st
              JOIN onergy_meter m ON m.id = st.meter_id
             CROSS JOIN LATERAL (
                  SELECT value, unit, moment FROM onergy_reading r
                   WHERE r.meter_id = st.meter_id AND r.register = st.register
                     AND r.superseded IS NOT TRUE
                   ORDER BY r.moment DESC LIMIT 1
             ) r
              JOIN (VALUES %(units)s) unit(name, factor) ON unit.name = r.unit
              JOIN onergy_meter_placement p
                ON p.meter_id = st.meter_id AND p.date_from <= %(last)s
               AND (p.date_to IS NULL OR p.date_to >= %(last)s)
              JOIN onergy_connection c ON c.id = p.connection_id
              JOIN onergy_complex x ON x.id = c.complex_id
             WHERE st.meter_id = ANY(%(ids)s)
            """,
            last=boundary(SQL("r.moment")),
            until=until,
            units=unit_values(),
            ids=meters.ids,
        )

    def _get_like_query(self):
        """The days of the gaps, each with the register's value at its end."""
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_like ON COMMIT DROP AS
            WITH likened AS (
                SELECT g.*, d.day::date AS one_day, l.quantity, l.count
                  FROM onergy_gap g
                 CROSS JOIN LATERAL generate_series(
                       g.day::timestamp, g.until - 1, interval '1 day') d(day)
                  LEFT JOIN onergy_degree_day w
                    ON w.station = g.weather_station AND w.date = d.day
                 CROSS JOIN LATERAL (
                      SELECT count(*) AS count,
                             CASE WHEN g.register = 'energy'
                                   AND count(cold) = count(*)
                                  THEN sum(quantity) / sum(cold + %(base)s)
                                       * (w.weighted + %(base)s)
                                  ELSE avg(quantity) END AS quantity
                        FROM (
                          SELECT u.quantity,
                                 CASE WHEN w.weighted IS NOT NULL
                                      THEN h.weighted END AS cold
                            FROM onergy_consumption_day u
                            LEFT JOIN onergy_degree_day h
                              ON h.station = g.weather_station AND h.date = u.day
                           WHERE u.meter_id = g.meter_id AND u.register = g.register
                             AND u.quality <> 'estimated'
                             AND u.day BETWEEN g.day - %(history)s AND g.day - 1
                           ORDER BY abs(h.weighted - w.weighted) NULLS LAST,
                                    u.day DESC
                           LIMIT %(count)s
                        ) alike
                 ) l
                 WHERE g.day < g.until
            ), summed AS (
                SELECT *, value + step * round(
                       sum(quantity) OVER (PARTITION BY meter_id, register
                                           ORDER BY one_day) / (factor * step)) AS total
                  FROM likened WHERE count > 0
            )
            SELECT meter_id, register, unit, count, %(moment)s AS moment,
                   CASE WHEN total >= capacity THEN total - capacity
                        ELSE total END AS value
              FROM summed
            """,
            base=BASE_DEGREE_DAYS,
            history=HISTORY_DAYS,
            count=LIKE_DAYS,
            moment=SQL(
                "(one_day + 1)::timestamp AT TIME ZONE %s AT TIME ZONE 'UTC'", DAY_ZONE
            ),
        )

    def _get_insert_query(self):
        """Readings of the estimates, with a revision of each that says why."""
        return SQL(
            """
            WITH landed AS (
                INSERT INTO onergy_reading (meter_id, register, moment, value, unit,
                                            origin, status)
                SELECT meter_id, register, moment, value, unit, 'estimate', 'ok'
                  FROM onergy_like ORDER BY meter_id, register, moment
                RETURNING id, meter_id, register, moment
            )
            INSERT INTO onergy_reading_revision (
                meter_id, new_reading_id, reason,
                create_uid, write_uid, create_date, write_date)
            SELECT landed.meter_id, landed.id,
                   replace(%(reason)s, '#', onergy_like.count::text),
                   %(uid)s, %(uid)s, %(now)s, %(now)s
              FROM landed JOIN onergy_like USING (meter_id, register, moment)
            """,
            reason=self.env._("Estimated from # days most like it; no reading came in"),
            uid=self.env.uid,
            now=self.env.cr.now(),
        )

    # -- giving way ----------------------------------------------------------------

    @api.model
    def _find_replaced(self):
        """Take estimates out of force that the good rows of a load put an end to.

        Estimates only ever follow the last reading of a register, so any later one
        (``onergy_judged``) replaces all of them. They are left in ``onergy_replaced``.

        :return: whether there were estimates to look at
        """
        cr = self.env.cr
        cr.execute(
            "SELECT EXISTS (SELECT 1 FROM onergy_reading "
            "WHERE origin = 'estimate' AND superseded IS NOT TRUE)"
        )
        [waiting] = cr.fetchone()
        if not waiting:
            return False
        cr.execute(
            """
            CREATE TEMPORARY TABLE onergy_replaced ON COMMIT DROP AS
            SELECT e.id, e.meter_id, e.register, e.moment
              FROM onergy_reading e
              JOIN onergy_meter_register st
                ON st.meter_id = e.meter_id AND st.register = e.register
             WHERE e.origin = 'estimate' AND e.superseded IS NOT TRUE
               AND EXISTS (SELECT 1 FROM onergy_judged j
                            WHERE j.meter_id = e.meter_id AND j.register = e.register
                              AND j.verdict IS NULL AND j.moment > st.last_moment)
            """
        )
        cr.execute(
            "UPDATE onergy_reading SET superseded = TRUE "
            "WHERE id IN (SELECT id FROM onergy_replaced)"
        )
        # Their days are there already: the register does not just go on.
        cr.execute(
            "UPDATE onergy_judged j SET appended = FALSE FROM onergy_replaced r "
            "WHERE r.meter_id = j.meter_id AND r.register = j.register"
        )
        return True

    @api.model
    def _note_replaced(self):
        """Tell what took the place of the estimates, now that it is in.

        Their days are among what was touched (``onergy_touched``).
        """
        self.env.cr.execute(
            SQL(
                """
                UPDATE onergy_touched t SET last = GREATEST(t.last, r.last)
                  FROM (SELECT meter_id, register, max(%s) AS last
                          FROM onergy_replaced GROUP BY meter_id, register) r
                 WHERE r.meter_id = t.meter_id AND r.register = t.register
                """,
                boundary(SQL("moment")),
            )
        )
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO onergy_reading_revision (
                    meter_id, old_reading_id, new_reading_id, reason,
                    create_uid, write_uid, create_date, write_date)
                SELECT e.meter_id, e.id, r.id, %(reason)s,
                       %(uid)s, %(uid)s, %(now)s, %(now)s
                  FROM onergy_replaced e
                  LEFT JOIN LATERAL (
                      SELECT id FROM onergy_reading r
                       WHERE r.meter_id = e.meter_id AND r.register = e.register
                         AND r.moment >= e.moment AND r.superseded IS NOT TRUE
                       ORDER BY r.moment LIMIT 1
                  ) r ON TRUE
                """,
                reason=self.env._("A real reading came in"),
                uid=self.env.uid,
                now=self.env.cr.now(),
            )
        )

    @api.model
    def _retire(self, meter, register, new_id=None, reason=None):
        """Take the estimates of one register out of force; a person changed it.

        The caller rebuilds consumption.
        """
        self.env.cr.execute(
            SQL(
                "UPDATE onergy_reading SET superseded = TRUE "
                "WHERE meter_id = %s AND register = %s AND origin = 'estimate' "
                "AND superseded IS NOT TRUE RETURNING id",
                meter.id,
                register,
            )
        )
        self.env["onergy.reading.revision"].sudo().create(  # audit trail
            [
                {
                    "meter_id": meter.id,
                    "old_reading_id": old_id,
                    "new_reading_id": new_id,
                    "reason": reason or self.env._("A real reading came in"),
                }
                for (old_id,) in self.env.cr.fetchall()
            ]
        )
