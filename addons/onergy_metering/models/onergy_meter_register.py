from odoo import api, fields, models
from odoo.tools import SQL

from .midnights import boundary_of_local, local, unit_values
from .onergy_meter import REGISTERS


class OnergyMeterRegister(models.Model):
    """What is known of a register without looking at its readings.

    One row per meter and register, moved along by every load, so that neither a page
    nor a rule scans history, and a file of newer readings is judged and derived
    without the older ones. Whoever changes a reading in force in another way calls
    :meth:`_refresh`.
    """

    _name = "onergy.meter.register"
    _description = "Meter register"
    _log_access = False
    _order = "meter_id, register"

    meter_id = fields.Many2one(
        "onergy.meter", required=True, ondelete="cascade", readonly=True
    )
    register = fields.Selection(REGISTERS, required=True, readonly=True)
    unit = fields.Char(required=True, readonly=True)
    first_moment = fields.Datetime("First reading", readonly=True)
    last_moment = fields.Datetime("Last reading", readonly=True)
    last_value = fields.Float(digits=(16, 3), readonly=True)

    # The last midnight with a value (GJ or m³), where the next day of use begins.
    midnight_day = fields.Date("Used until", readonly=True)
    midnight_value = fields.Float(
        digits=(16, 3), readonly=True, export_string_translation=False
    )
    midnight_origin = fields.Char(readonly=True, export_string_translation=False)

    # What the rules know of it; see onergy.vee.engine.
    stat_day = fields.Date("Judged until", readonly=True)
    day_count = fields.Integer("Days learnt", readonly=True)
    use_sum = fields.Float(readonly=True, export_string_translation=False)
    weight_sum = fields.Float(readonly=True, export_string_translation=False)
    still_since = fields.Date("No use since", readonly=True)
    low_since = fields.Date("Little use since", readonly=True)
    estimated_since = fields.Date(readonly=True)

    _meter_register_uniq = models.UniqueIndex("(meter_id, register)")

    def init(self):
        result = super().init()
        # A day file updates every row: with room for a second version of each in its
        # page no index is touched (HOT).
        self.env.cr.execute("ALTER TABLE onergy_meter_register SET (fillfactor = 45)")
        return result

    # -- after a load -------------------------------------------------------------

    @api.model
    def _find_touched(self):
        """One row per register with new readings (``onergy_judged``).

        ``first`` and ``last`` are the midnights that readings came for.
        """
        self.env.cr.execute(
            """
            CREATE TEMPORARY TABLE onergy_touched ON COMMIT DROP AS
            SELECT meter_id, register, state_id, appended, first, day AS last,
                   first_moment, moment AS last_moment, value AS last_value, unit
              FROM (
                SELECT *, first_value(day) OVER run AS first,
                       first_value(moment) OVER run AS first_moment,
                       lead(moment) OVER run IS NULL AS newest
                  FROM onergy_judged WHERE verdict IS NULL
                WINDOW run AS (PARTITION BY meter_id, register ORDER BY moment)
              ) reading
             WHERE newest
            """
        )
        self.env.cr.execute("ANALYZE onergy_touched")

    @api.model
    def _advance(self, decay):
        """Take over what a load brought (``onergy_touched``, ``onergy_interval``) and
        what the rules learnt of it (``onergy_vee_state``).

        :param decay: what one more day leaves of the weight of the days before
        """
        landed = SQL(
            """
            SELECT t.meter_id, t.register, t.unit, t.state_id, t.first_moment,
                   t.last_moment, t.last_value, i.next_day,
                   i.next_amount AS next_value, i.next_origin,
                   s.day, COALESCE(s.count, 0) AS count, s.use_sum, s.weight_sum,
                   s.still_since, s.low_since, s.estimated_since
              FROM onergy_touched t
              LEFT JOIN onergy_interval i
                ON i.meter_id = t.meter_id AND i.register = t.register
               AND i.next_day = i.last_day
              LEFT JOIN onergy_vee_state s
                ON s.meter_id = t.meter_id AND s.register = t.register
            """
        )
        cr = self.env.cr
        cr.execute(
            SQL(
                """
                UPDATE onergy_meter_register st
                   SET first_moment = LEAST(st.first_moment, n.first_moment),
                       unit = CASE WHEN n.last_moment < st.last_moment
                           THEN st.unit ELSE n.unit END,
                       last_moment = GREATEST(st.last_moment, n.last_moment),
                       last_value = CASE WHEN n.last_moment < st.last_moment
                           THEN st.last_value ELSE n.last_value END,
                       midnight_day = %(midnight_day)s,
                       midnight_value = %(midnight_value)s,
                       midnight_origin = %(midnight_origin)s,
                       stat_day = COALESCE(n.day, st.stat_day),
                       day_count = COALESCE(st.day_count, 0) + n.count,
                       use_sum = COALESCE(st.use_sum, 0)
                           * power(%(decay)s, n.count)
                           + COALESCE(n.use_sum, 0),
                       weight_sum = COALESCE(st.weight_sum, 0)
                           * power(%(decay)s, n.count)
                           + COALESCE(n.weight_sum, 0),
                       still_since = CASE WHEN n.day IS NULL THEN st.still_since
                           ELSE n.still_since END,
                       low_since = CASE WHEN n.day IS NULL THEN st.low_since
                           ELSE n.low_since END,
                       estimated_since = CASE WHEN n.day IS NULL
                           THEN st.estimated_since ELSE n.estimated_since END
                  FROM (%(landed)s) n
                 WHERE st.id = n.state_id
                """,
                landed=landed,
                decay=decay,
                **{
                    f"midnight_{name}": SQL(
                        "CASE WHEN n.next_day < st.midnight_day OR n.next_day IS NULL "
                        "THEN st.%s ELSE n.%s END",
                        SQL.identifier(f"midnight_{name}"),
                        SQL.identifier(f"next_{name}"),
                    )
                    for name in ("day", "value", "origin")
                },
            )
        )
        cr.execute(
            SQL(
                """
                INSERT INTO onergy_meter_register
                       (meter_id, register, unit, first_moment, last_moment,
                        last_value, midnight_day, midnight_value, midnight_origin,
                        stat_day, day_count, use_sum, weight_sum,
                        still_since, low_since, estimated_since)
                SELECT meter_id, register, unit, first_moment, last_moment,
                       last_value, next_day, next_value, next_origin,
                       day, count, COALESCE(use_sum, 0),
                       COALESCE(weight_sum, 0), still_since, low_since,
                       estimated_since
                  FROM (%s) n
                 WHERE state_id IS NULL
                 ORDER BY meter_id, register
                """,
                landed,
            )
        )

    # -- after a correction -------------------------------------------------------

    @api.model
    def _refresh(self, meter, register):
        """Recompute what the readings in force say; what was learnt stays."""
        self.env.cr.execute(
            SQL(
                """
                WITH unit(name, factor) AS (VALUES %(units)s), reading AS (
                    SELECT *, %(local)s AS local FROM onergy_reading
                     WHERE meter_id = %(meter)s AND register = %(register)s
                       AND superseded IS NOT TRUE AND origin <> 'estimate'
                ), dated AS (
                    SELECT *, %(day)s AS day FROM reading
                ), newest AS (
                    SELECT moment, value, unit FROM dated
                     ORDER BY moment DESC LIMIT 1
                ), midnight AS (
                    SELECT day, value * factor AS value, origin
                      FROM dated JOIN unit ON unit.name = dated.unit
                     ORDER BY day DESC, GREATEST(local - day, day - local), moment
                     LIMIT 1
                ), known AS (
                    SELECT (SELECT min(moment) FROM dated) AS first_moment,
                           newest.moment AS last_moment, newest.value AS last_value,
                           newest.unit, midnight.day AS midnight_day,
                           midnight.value AS midnight_value,
                           midnight.origin AS midnight_origin
                      FROM (VALUES (TRUE)) one
                      LEFT JOIN newest ON TRUE
                      LEFT JOIN midnight ON TRUE
                ), updated AS (
                    UPDATE onergy_meter_register st
                       SET first_moment = known.first_moment,
                           last_moment = known.last_moment,
                           last_value = known.last_value,
                           unit = COALESCE(known.unit, st.unit),
                           midnight_day = known.midnight_day,
                           midnight_value = known.midnight_value,
                           midnight_origin = known.midnight_origin
                      FROM known
                     WHERE st.meter_id = %(meter)s AND st.register = %(register)s
                    RETURNING st.id
                )
                INSERT INTO onergy_meter_register
                       (meter_id, register, unit, first_moment, last_moment,
                        last_value, midnight_day, midnight_value, midnight_origin)
                SELECT %(meter)s, %(register)s, unit, first_moment, last_moment,
                       last_value, midnight_day, midnight_value, midnight_origin
                  FROM known
                 WHERE unit IS NOT NULL AND NOT EXISTS (SELECT 1 FROM updated)
                """,
                meter=meter.id,
                register=register,
                units=unit_values(),
                local=local(SQL("moment")),
                day=boundary_of_local(SQL("local")),
            )
        )
