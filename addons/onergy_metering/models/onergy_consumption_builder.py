from odoo import api, models
from odoo.tools import SQL

from ..parsers.units import UNITS
from .onergy_reading_loader import DAY_ZONE


def _local(moment):
    return SQL("(%s AT TIME ZONE 'UTC' AT TIME ZONE %s)", moment, DAY_ZONE)


def _boundary(moment):
    """The midnight a moment is nearest to, as the day that begins there."""
    return SQL("(%s + interval '12 hours')::date", _local(moment))


def _boundary_start(day):
    """The first moment (UTC) whose boundary is ``day``: noon of the day before."""
    return SQL(
        "((%s)::timestamp - interval '12 hours') AT TIME ZONE %s AT TIME ZONE 'UTC'",
        day,
        DAY_ZONE,
    )


class OnergyConsumptionBuilder(models.AbstractModel):
    """Derive consumption from readings, for the touched span only.

    For every local midnight the nearest reading within twelve hours is the register's
    value. Two midnights next to each other make a measured day. Days between midnights
    further apart share the difference: by weighted degree days where the station's
    days are known, else evenly, each rounded to the register's resolution so that
    they sum to the difference exactly. The result depends on the readings only, not
    on the order in which they came.
    """

    _name = "onergy.consumption.builder"
    _description = "Consumption builder"

    @api.model
    def _build_landed(self):
        """Rebuild around the readings just inserted (``onergy_judged``)."""
        self._build(
            SQL(
                "SELECT meter_id, register, min(moment) AS first, max(moment) AS last "
                "FROM onergy_judged WHERE verdict IS NULL GROUP BY meter_id, register"
            )
        )

    @api.model
    def _rebuild_meters(self, meters):
        """Rebuild all days of some meters (a placement or a reading changed)."""
        if not meters:
            return
        self.env.flush_all()
        self._build(
            SQL(
                """
                SELECT meter_id, register, min(moment) AS first, max(moment) AS last
                  FROM (
                    SELECT meter_id, register, moment FROM onergy_reading
                     WHERE meter_id IN %(ids)s AND superseded IS NOT TRUE
                     UNION ALL
                    -- A day ends at the next midnight.
                    SELECT meter_id, register, unnest(ARRAY[day, day + 1])
                      FROM onergy_consumption_day
                     WHERE meter_id IN %(ids)s
                  ) touched
                 GROUP BY meter_id, register
                """,
                ids=tuple(meters.ids),
            )
        )
        for name in ("onergy.consumption.day", "onergy.consumption.month"):
            self.env[name].invalidate_model()

    @api.model
    def _rebuild_estimated(self, first, last):
        """Share out anew what was estimated from ``first`` to ``last`` (dates)."""
        self.env.flush_all()
        self._build(
            SQL(
                """
                SELECT meter_id, register, min(day)::timestamp AS first,
                       max(day + 1)::timestamp AS last
                  FROM onergy_consumption_day
                 WHERE quality = 'estimated' AND day BETWEEN %s AND %s
                 GROUP BY meter_id, register
                """,
                first,
                last,
            )
        )
        for name in ("onergy.consumption.day", "onergy.consumption.month"):
            self.env[name].invalidate_model()

    def _build(self, touched):
        cr = self.env.cr
        cr.execute(
            "DROP TABLE IF EXISTS onergy_span, onergy_interval, onergy_new_day, "
            "onergy_old_day, onergy_change"
        )
        cr.execute(self._get_span_query(touched))
        cr.execute("ANALYZE onergy_span")
        cr.execute(self._get_interval_query())
        cr.execute("ANALYZE onergy_interval")
        cr.execute(self._get_day_query())
        cr.execute("ANALYZE onergy_new_day")
        cr.execute(self._get_old_query())
        cr.execute("ANALYZE onergy_old_day")
        cr.execute(self._get_change_query())
        cr.execute("ANALYZE onergy_change")
        cr.execute(self._get_month_query())
        self._write_changes()
        cr.execute("DELETE FROM onergy_consumption_month WHERE days = 0")

    def _get_span_query(self, touched):
        """From the reading before the first touched one to the one after the last."""
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_span ON COMMIT DROP AS
            SELECT t.meter_id, t.register,
                   COALESCE(before.day, t.low) AS low,
                   COALESCE(after.day, t.high) AS high
              FROM (SELECT meter_id, register, %(first)s AS low, %(last)s AS high
                      FROM (%(touched)s) touched) t
              LEFT JOIN LATERAL (
                  SELECT %(day)s AS day FROM onergy_reading r
                   WHERE r.meter_id = t.meter_id AND r.register = t.register
                     AND r.superseded IS NOT TRUE AND r.moment < %(low)s
                   ORDER BY r.moment DESC LIMIT 1
              ) before ON TRUE
              LEFT JOIN LATERAL (
                  SELECT %(day)s AS day FROM onergy_reading r
                   WHERE r.meter_id = t.meter_id AND r.register = t.register
                     AND r.superseded IS NOT TRUE AND r.moment >= %(high)s
                   ORDER BY r.moment LIMIT 1
              ) after ON TRUE
            """,
            touched=touched,
            first=_boundary(SQL("first")),
            last=_boundary(SQL("last")),
            day=_boundary(SQL("r.moment")),
            low=_boundary_start(SQL("t.low")),
            high=_boundary_start(SQL("t.high + 1")),
        )

    def _get_interval_query(self):
        """Consecutive midnights with a value, and what was used between them."""
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_interval ON COMMIT DROP AS
            WITH unit(name, factor) AS (VALUES %(units)s), taken AS (
                SELECT s.meter_id, s.register, %(local)s AS local,
                       r.value * unit.factor AS value, unit.factor, r.origin, r.moment
                  FROM onergy_span s
                  JOIN onergy_reading r
                    ON r.meter_id = s.meter_id AND r.register = s.register
                   AND r.superseded IS NOT TRUE
                   AND r.moment >= %(low)s AND r.moment < %(high)s
                  JOIN unit ON unit.name = r.unit
                -- Keeps the zone from being worked out again for every use of it.
                OFFSET 0
            ), midnight AS (
                SELECT DISTINCT ON (meter_id, register, day)
                       meter_id, register, day, value, factor, origin
                  FROM (SELECT *, (local + interval '12 hours')::date AS day
                          FROM taken OFFSET 0) dated
                 ORDER BY meter_id, register, day,
                          abs(extract(epoch FROM local - day)), moment
            ), paired AS (
                SELECT *,
                       lead(day) OVER w AS next_day,
                       lead(value) OVER w AS next_value,
                       lead(origin) OVER w AS next_origin
                  FROM midnight
                WINDOW w AS (PARTITION BY meter_id, register ORDER BY day)
            )
            SELECT p.meter_id, p.register, p.day, p.next_day,
                   CASE WHEN next_value >= value THEN next_value - value
                        WHEN p.register <> 'volume' AND m.register_capacity > 0
                         AND value > 0.9 * m.register_capacity * factor
                        THEN next_value - value + m.register_capacity * factor
                   END AS used,
                   CASE p.register WHEN 'volume' THEN 0.001
                        ELSE m.step * factor END AS step,
                   CASE WHEN next_day - p.day > 1
                          OR 'estimate' IN (origin, next_origin) THEN 'estimated'
                        WHEN 'manual' IN (origin, next_origin) THEN 'edited'
                        ELSE 'measured' END AS quality
              FROM paired p JOIN onergy_meter m ON m.id = p.meter_id
             WHERE next_day IS NOT NULL
            """,
            units=SQL(", ").join(
                SQL("(%s, %s::numeric)", name, str(factor))
                for name, (_kind, factor) in UNITS.items()
            ),
            local=_local(SQL("r.moment")),
            low=_boundary_start(SQL("s.low")),
            high=_boundary_start(SQL("s.high + 1")),
        )

    def _get_day_query(self):
        """Days of the intervals, only where the meter hung at a connection."""
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_new_day ON COMMIT DROP AS
            WITH placed AS (
                SELECT i.*, d.day::date AS one_day, p.connection_id, x.weather_station
                  FROM onergy_interval i
                 CROSS JOIN LATERAL generate_series(
                        i.day::timestamp, i.next_day - 1, interval '1 day') d(day)
                  JOIN onergy_meter_placement p
                    ON p.meter_id = i.meter_id AND p.date_from <= d.day
                   AND (p.date_to IS NULL OR p.date_to >= d.day)
                  JOIN onergy_connection c ON c.id = p.connection_id
                  JOIN onergy_complex x ON x.id = c.complex_id
                 WHERE i.used IS NOT NULL AND i.next_day - i.day > 1
            ), weighed AS (
                SELECT p.*,
                       CASE WHEN count(w.weighted) OVER gap = count(*) OVER gap
                             AND sum(w.weighted) OVER gap > 0
                            THEN w.weighted ELSE 1 END AS weight
                  FROM placed p
                  LEFT JOIN onergy_degree_day w
                    ON w.station = p.weather_station AND w.date = p.one_day
                   AND p.register = 'energy'
                WINDOW gap AS (PARTITION BY p.meter_id, p.register, p.day)
            ), cumulated AS (
                SELECT *,
                       sum(weight) OVER gap AS total,
                       sum(weight) OVER (gap ORDER BY one_day) AS until
                  FROM weighed
                WINDOW gap AS (PARTITION BY meter_id, register, day)
            ), stepped AS (
                SELECT *,
                       CASE WHEN until = total THEN used
                            ELSE round(used * until / total / step) * step
                       END AS used_until
                  FROM cumulated
            )
            SELECT meter_id, register, one_day AS day, connection_id, quality,
                   used_until - COALESCE(lag(used_until) OVER (
                       PARTITION BY meter_id, register, stepped.day
                       ORDER BY one_day), 0) AS quantity
              FROM stepped
             UNION ALL
            SELECT i.meter_id, i.register, i.day, p.connection_id, i.quality, i.used
              FROM onergy_interval i
              JOIN onergy_meter_placement p
                ON p.meter_id = i.meter_id AND p.date_from <= i.day
               AND (p.date_to IS NULL OR p.date_to >= i.day)
             WHERE i.used IS NOT NULL AND i.next_day - i.day = 1
            """
        )

    def _get_old_query(self):
        """The days of the span as they are now."""
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_old_day ON COMMIT DROP AS
            SELECT d.* FROM onergy_span s
             -- The offset keeps this an index probe per span.
             CROSS JOIN LATERAL (
                SELECT * FROM onergy_consumption_day d
                 WHERE d.meter_id = s.meter_id AND d.register = s.register
                   AND d.day >= s.low AND d.day < s.high OFFSET 0
             ) d
            """
        )

    def _get_change_query(self):
        """What differs between old days and new; days that stay are left alone."""
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_change ON COMMIT DROP AS
            SELECT o.id AS old_id, o.connection_id AS old_connection_id,
                   o.quantity AS old_quantity, o.quality AS old_quality,
                   COALESCE(n.meter_id, o.meter_id) AS meter_id,
                   COALESCE(n.register, o.register) AS register,
                   COALESCE(n.day, o.day) AS day,
                   n.connection_id, n.quantity, n.quality
              FROM onergy_new_day n
              FULL JOIN onergy_old_day o
                ON o.meter_id = n.meter_id AND o.register = n.register
               AND o.day = n.day
             WHERE (n.quantity, n.quality, n.connection_id) IS DISTINCT FROM
                   (o.quantity, o.quality, o.connection_id)
            """
        )

    def _get_month_query(self):
        """Move the months by what changed."""
        return SQL(
            """
            INSERT INTO onergy_consumption_month AS m
                   (meter_id, connection_id, register, month,
                    quantity, days, estimated_days)
            SELECT meter_id, connection_id, register, date_trunc('month', day)::date,
                   sum(quantity), sum(count), sum(estimated)
              FROM (
                SELECT meter_id, connection_id, register, day, quantity, 1 AS count,
                       (quality = 'estimated')::int AS estimated
                  FROM onergy_change WHERE quantity IS NOT NULL
                 UNION ALL
                SELECT meter_id, old_connection_id, register, day, -old_quantity, -1,
                       -(old_quality = 'estimated')::int
                  FROM onergy_change WHERE old_id IS NOT NULL
              ) difference
             GROUP BY meter_id, connection_id, register, date_trunc('month', day)::date
            HAVING (sum(quantity), sum(count), sum(estimated)) <> (0, 0, 0)
            ON CONFLICT (meter_id, register, month, connection_id) DO UPDATE
               SET quantity = m.quantity + excluded.quantity,
                   days = m.days + excluded.days,
                   estimated_days = m.estimated_days + excluded.estimated_days
            """
        )

    def _write_changes(self):
        cr = self.env.cr
        cr.execute(
            "SELECT count(old_id) FILTER (WHERE quantity IS NULL), "
            "count(old_id) FILTER (WHERE quantity IS NOT NULL) FROM onergy_change"
        )
        gone, changed = cr.fetchone()
        if gone:
            cr.execute(
                """
                DELETE FROM onergy_consumption_day d
                 USING onergy_change c
                 WHERE d.id = c.old_id AND c.quantity IS NULL
                """
            )
        if changed:
            cr.execute(
                """
                UPDATE onergy_consumption_day d
                   SET quantity = c.quantity, quality = c.quality,
                       connection_id = c.connection_id
                  FROM onergy_change c
                 WHERE d.id = c.old_id AND c.quantity IS NOT NULL
                """
            )
        cr.execute(
            """
            INSERT INTO onergy_consumption_day
                   (meter_id, connection_id, register, day, quantity, quality)
            SELECT meter_id, connection_id, register, day, quantity, quality
              FROM onergy_change WHERE old_id IS NULL
             ORDER BY meter_id, register, day
            """
        )
