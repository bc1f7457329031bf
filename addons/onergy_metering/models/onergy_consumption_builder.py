from odoo import api, models
from odoo.tools import SQL

from .midnights import boundary, boundary_of_local, boundary_start, local, unit_values


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
    def _build_landed(self, origin):
        """Derive the days of the readings just inserted (``onergy_touched``).

        Registers that got newer readings only go on from the midnight they stand at;
        for the others the readings around what came are looked up.
        """
        cr = self.env.cr
        cr.execute("SELECT bool_or(appended), bool_and(appended) FROM onergy_touched")
        appended, only_appended = cr.fetchone()
        self._drop_tables()
        points = []
        if appended:
            points.append(self._get_landed_points(origin))
        if not only_appended:
            points.append(
                self._find_span(
                    SQL("SELECT * FROM onergy_touched WHERE NOT appended"),
                    SQL("first"),
                    SQL("last"),
                )
            )
        self._derive(points, replacing=not only_appended)

    @api.model
    def _rebuild_meters(self, meters):
        """Rebuild all days of some meters (a placement or a reading changed)."""
        if not meters:
            return
        self.env["onergy.reading.loader"]._lock(meters.company_id)
        self.env.flush_all()
        self._build(
            SQL(
                """
                SELECT meter_id, register, NULL::int AS state_id,
                       min(moment) AS first, max(moment) AS last
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
        # sudo: a station's days are those of every company, also of one not entered
        companies = self.env["res.company"].sudo().search([])
        self.env["onergy.reading.loader"]._lock(companies)
        self.env.flush_all()
        self._build(
            SQL(
                """
                SELECT meter_id, register, NULL::int AS state_id,
                       min(day)::timestamp AS first, max(day + 1)::timestamp AS last
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
        self._drop_tables()
        span = self._find_span(touched, boundary(SQL("first")), boundary(SQL("last")))
        self._derive([span], replacing=True)

    def _drop_tables(self):
        self.env.cr.execute(
            "DROP TABLE IF EXISTS onergy_span, onergy_interval, onergy_new_day, "
            "onergy_old_day, onergy_change, onergy_moved"
        )

    def _derive(self, points, replacing):
        """From points (value of a register at a midnight) to days and months.

        :param list points: queries for points
        :param bool replacing: whether there may be days where the new ones come
        """
        cr = self.env.cr
        cr.execute(self._get_interval_query(points))
        cr.execute("ANALYZE onergy_interval")
        cr.execute(self._get_day_query())
        cr.execute("ANALYZE onergy_new_day")
        if replacing:
            cr.execute(self._get_old_query())
            cr.execute("ANALYZE onergy_old_day")
            cr.execute(self._get_change_query())
            cr.execute("ANALYZE onergy_change")
            self._withdraw_days()
        source = SQL.identifier("onergy_change" if replacing else "onergy_new_day")
        self._move_months(source, replacing)
        cr.execute(self._get_insert_query(source, replacing))
        if replacing:
            self._clear_months()

    # -- points ------------------------------------------------------------------

    def _find_span(self, touched, first, last):
        """Query for the points around what was touched, from the readings."""
        self.env.cr.execute(self._get_span_query(touched, first, last))
        self.env.cr.execute("ANALYZE onergy_span")
        return SQL(
            """
            SELECT meter_id, register, day, GREATEST(local - day, day - local) AS away,
                   moment, value * factor AS amount, step, capacity, origin, state_id,
                    NULL::date AS state_day, NULL::numeric AS state_amount,
                   NULL AS state_origin
              FROM (
                SELECT *, %(day)s AS day
                  FROM (
                    SELECT s.meter_id, s.register, s.state_id, %(local)s AS local,
                           r.moment, r.value, unit.factor, r.origin,
                           CASE s.register WHEN 'volume' THEN 0.001
                                ELSE COALESCE(former.step, m.step) * unit.factor
                           END AS step,
                           CASE WHEN s.register = 'volume' THEN NULL
                                WHEN former.id IS NULL
                                THEN NULLIF(m.register_capacity, 0)
                                ELSE NULLIF(former.register_capacity, 0)
                           END * unit.factor AS capacity
                      FROM onergy_span s
                      JOIN onergy_meter m ON m.id = s.meter_id
                      JOIN onergy_reading r
                        ON r.meter_id = s.meter_id AND r.register = s.register
                       AND r.superseded IS NOT TRUE
                       AND r.moment >= %(low)s AND r.moment < %(high)s
                      JOIN (VALUES %(units)s) unit(name, factor)
                        ON unit.name = r.unit
                      -- The register as it was before its unit changed.
                      LEFT JOIN onergy_meter_unit former
                        ON former.meter_id = s.meter_id AND r.moment < former.moment
                       AND r.moment >= COALESCE(former.moment_from, '-infinity')
                    -- Keeps the zone from being worked out for every use of it.
                    OFFSET 0
                  ) taken OFFSET 0
              ) dated
            """,
            day=boundary_of_local(SQL("local")),
            local=local(SQL("r.moment")),
            low=boundary_start(SQL("s.low")),
            high=boundary_start(SQL("s.high + 1")),
            units=unit_values(),
        )

    def _get_landed_points(self, origin):
        """Query for the points of new readings, with the state to go on from."""
        return SQL(
            """
            SELECT meter_id, register, day, away, moment, value * factor AS amount,
                   CASE register WHEN 'volume' THEN 0.001 ELSE step * factor END
                       AS step,
                   capacity * factor AS capacity, %s AS origin, state_id, state_day,
                   state_amount, state_origin
              FROM onergy_judged WHERE verdict IS NULL AND appended
            """,
            origin,
        )

    def _get_span_query(self, touched, first, last):
        """From the reading before the first touched one to the one after the last.

        Never from before the midnight that a meter's days are kept from: what was
        removed there stays in the months.
        """
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_span ON COMMIT DROP AS
            SELECT t.meter_id, t.register, t.state_id,
                   GREATEST(COALESCE(before.day, t.low), m.kept_from) AS low,
                   COALESCE(after.day, t.high) AS high
              FROM (SELECT meter_id, register, state_id,
                           %(first)s AS low, %(last)s AS high
                      FROM (%(touched)s) touched) t
              JOIN onergy_meter m ON m.id = t.meter_id
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
            first=first,
            last=last,
            day=boundary(SQL("r.moment")),
            low=boundary_start(SQL("t.low")),
            high=boundary_start(SQL("t.high + 1")),
        )

    # -- days --------------------------------------------------------------------

    def _get_interval_query(self, points):
        """What was used between consecutive midnights with a value.

        One row per midnight (``next_day``); ``day`` is the one before it, ``NULL``
        for the first of a register, and ``last_day`` the last of the register
        that was read, for estimates may follow it.
        """
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_interval ON COMMIT DROP AS
            WITH midnight AS (
                SELECT DISTINCT ON (meter_id, register, day) *
                  FROM (%(points)s) point
                 ORDER BY meter_id, register, day, away, moment
            ), paired AS (
                SELECT meter_id, register, state_id, step, capacity, day AS next_day,
                       amount AS next_amount, origin AS next_origin,
                       COALESCE(lag(day) OVER run, state_day) AS day,
                       COALESCE(lag(amount) OVER run, state_amount) AS amount,
                       COALESCE(lag(origin) OVER run, state_origin) AS origin,
                       max(day) FILTER (WHERE origin <> 'estimate') OVER (
                           run ROWS BETWEEN UNBOUNDED PRECEDING
                           AND UNBOUNDED FOLLOWING) AS last_day
                  FROM midnight
                WINDOW run AS (PARTITION BY meter_id, register ORDER BY day)
            )
            SELECT meter_id, register, state_id, day, next_day, next_amount,
                   next_origin, last_day, step,
                   CASE WHEN next_amount >= amount THEN next_amount - amount
                        WHEN amount > 0.9 * capacity
                        THEN next_amount - amount + capacity
                   END AS used,
                   CASE WHEN next_day - day > 1
                          OR 'estimate' IN (origin, next_origin) THEN 'estimated'
                        WHEN 'manual' IN (origin, next_origin) THEN 'edited'
                        ELSE 'measured' END AS quality
              FROM paired
            """,
            points=SQL(" UNION ALL ").join(points),
        )

    def _get_day_query(self):
        """Days of the intervals, only where the meter hung at a connection."""
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_new_day ON COMMIT DROP AS
            WITH home AS NOT MATERIALIZED (
                SELECT p.meter_id, p.connection_id, x.weather_station AS station,
                       p.date_from, COALESCE(p.date_to, 'infinity') AS date_to
                  FROM onergy_meter_placement p
                  JOIN onergy_connection c ON c.id = p.connection_id
                  JOIN onergy_complex x ON x.id = c.complex_id
            ), placed AS (
                SELECT i.*, d.day::date AS one_day, h.connection_id, h.station
                  FROM onergy_interval i
                 CROSS JOIN LATERAL generate_series(
                        i.day::timestamp, i.next_day - 1, interval '1 day') d(day)
                  JOIN home h
                    ON h.meter_id = i.meter_id AND h.date_from <= d.day
                   AND h.date_to >= d.day
                 WHERE i.used IS NOT NULL AND i.next_day - i.day > 1
            ), weighed AS (
                SELECT p.*, w.weighted,
                       CASE WHEN p.register = 'energy'
                             AND count(w.weighted) OVER gap = count(*) OVER gap
                             AND sum(w.weighted) OVER gap > 0
                            THEN w.weighted ELSE 1 END AS weight
                  FROM placed p
                  LEFT JOIN onergy_degree_day w
                    ON w.station = p.station AND w.date = p.one_day
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
            SELECT meter_id, register, state_id, last_day, one_day AS day,
                   connection_id, quality,
                   used_until - COALESCE(lag(used_until) OVER (
                       PARTITION BY meter_id, register, stepped.day
                       ORDER BY one_day), 0) AS quantity,
                   COALESCE(weighted, 0) AS cold
              FROM stepped
             UNION ALL
            SELECT i.meter_id, i.register, i.state_id, i.last_day, i.day,
                   h.connection_id, i.quality, i.used, COALESCE(w.weighted, 0)
              FROM onergy_interval i
              JOIN home h
                ON h.meter_id = i.meter_id AND h.date_from <= i.day
               AND h.date_to >= i.day
              LEFT JOIN onergy_degree_day w
                ON w.station = h.station AND w.date = i.day
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

    # -- writing -----------------------------------------------------------------

    def _move_months(self, source, replacing):
        """Move the months by what changed."""
        cr = self.env.cr
        cr.execute(self._get_moved_query(source, replacing))
        moved = cr.rowcount
        cr.execute("ANALYZE onergy_moved")
        cr.execute(
            """
            UPDATE onergy_consumption_month m
               SET quantity = m.quantity + moved.quantity,
                   days = m.days + moved.days,
                   estimated_days = m.estimated_days + moved.estimated_days
              FROM onergy_moved moved
             WHERE m.meter_id = moved.meter_id AND m.register = moved.register
               AND m.month = moved.month AND m.connection_id = moved.connection_id
               -- All months but these are left unread.
               AND m.month >= (SELECT min(month) FROM onergy_moved)
               AND m.month <= (SELECT max(month) FROM onergy_moved)
            """
        )
        if cr.rowcount < moved:
            cr.execute(
                """
                INSERT INTO onergy_consumption_month
                       (meter_id, connection_id, register, month,
                        quantity, days, estimated_days)
                SELECT meter_id, connection_id, register, month,
                       quantity, days, estimated_days
                  FROM onergy_moved moved
                 WHERE NOT EXISTS (
                       SELECT 1 FROM onergy_consumption_month m
                        WHERE m.meter_id = moved.meter_id
                          AND m.register = moved.register
                          AND m.month = moved.month
                          AND m.connection_id = moved.connection_id)
                 ORDER BY meter_id, register, month
                """
            )

    def _get_moved_query(self, source, replacing):
        gone = SQL(
            """
             UNION ALL
            SELECT meter_id, old_connection_id, register, day, -old_quantity, -1,
                   -(old_quality = 'estimated')::int
              FROM %s WHERE old_id IS NOT NULL
            """,
            source,
        )
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_moved ON COMMIT DROP AS
            SELECT meter_id, connection_id, register,
                   date_trunc('month', day)::date AS month,
                   sum(quantity) AS quantity, sum(count) AS days,
                   sum(estimated) AS estimated_days
              FROM (
                SELECT meter_id, connection_id, register, day, quantity,
                       1 AS count, (quality = 'estimated')::int AS estimated
                  FROM %(source)s WHERE quantity IS NOT NULL
                %(gone)s
              ) difference
             GROUP BY meter_id, connection_id, register,
                      date_trunc('month', day)::date
            HAVING (sum(quantity), sum(count), sum(estimated)) <> (0, 0, 0)
            """,
            source=source,
            gone=gone if replacing else SQL(),
        )

    def _get_insert_query(self, source, replacing):
        return SQL(
            """
            INSERT INTO onergy_consumption_day
                   (meter_id, connection_id, register, day, quantity, quality)
            SELECT meter_id, connection_id, register, day, quantity, quality
              FROM %s %s
             ORDER BY meter_id, register, day
            """,
            source,
            SQL("WHERE old_id IS NULL") if replacing else SQL(),
        )

    def _withdraw_days(self):
        """Take away or change the days that are not what they were."""
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

    def _clear_months(self):
        """Months of which no day is left."""
        self.env.cr.execute(
            """
            DELETE FROM onergy_consumption_month
             WHERE days = 0
               AND meter_id IN (SELECT meter_id FROM onergy_change
                                 WHERE old_id IS NOT NULL)
            """
        )
