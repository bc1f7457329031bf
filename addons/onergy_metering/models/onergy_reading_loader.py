import logging
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import psycopg2.errors

from odoo import api, fields, models
from odoo.exceptions import ConcurrencyError
from odoo.tools import SQL

from ..parsers import ROW_FIELDS
from ..parsers.units import ENERGY, UNITS
from .onergy_vee_engine import DECAY
from .staging import CopySource

_logger = logging.getLogger(__name__)

#: Days are counted where the supplier's dwellings are.
DAY_ZONE = "Europe/Amsterdam"

#: A clock may run ahead this far before its readings are refused.
CLOCK_TOLERANCE_MINUTES = 15


def _midnight(day):
    """00:00 of a date in SQL where the dwellings are, as UTC."""
    return SQL("%s::timestamp AT TIME ZONE %s AT TIME ZONE 'UTC'", day, DAY_ZONE)


class OnergyReadingLoader(models.AbstractModel):
    """The one way in for readings: stage, judge, insert, derive; all set-based.

    Rows of :data:`~..parsers.ROW_FIELDS` are copied into a temporary table, judged
    there by one statement, and the good ones inserted in the order of the index. The
    number of statements does not depend on the number of rows.
    """

    _name = "onergy.reading.loader"
    _description = "Reading loader"

    # -- entry points ----------------------------------------------------------

    @api.model
    def _load_rows(self, rows, company, origin, import_id=None):
        """Load rows into the readings of ``company`` and derive consumption.

        :param rows: iterable of tuples of ``ROW_FIELDS``: line, key (meter number,
            M-Bus id or DevEUI), register (energy | cooling | volume), moment (UTC
            text ``YYYY-MM-DD HH:MM:SS``), value (decimal text), unit, status (ok |
            warn | error | invalid), column, raw, reason (empty in a good row).
            See :meth:`_make_row` for a short way to write one.
        :param company: ``res.company`` that owns the meters
        :param str origin: one of ``onergy.reading.ORIGINS``
        :param import_id: id of the ``onergy.reading.import`` that is the audit trail
        :return: dict with the counts ``total``, ``new``, ``same``, ``bad`` and
            ``listed`` (bad rows that were on the list of exceptions already)

        Nothing is committed. Two loads of one company at a time exclude each other;
        one of them may end in a :class:`~odoo.exceptions.ConcurrencyError` or a
        serialization failure, which Odoo's request handling retries and the crons
        leave to their next run.
        """
        self._lock(company)
        self._create_stage()
        total = self._copy(rows)
        self._judge(company)
        new = self._insert_readings(origin, import_id)
        counts = self._count_verdicts()
        listed = 0
        if counts["bad"]:
            listed = counts["bad"] - self._insert_exceptions(company, import_id)
        if new:
            self.env["onergy.consumption.builder"]._build_landed()
            self.env["onergy.vee.engine"]._evaluate_landed(company, import_id)
            self._update_registers()
        if counts["same"] or new:
            self._resolve_exceptions(company, import_id)
        self._drop_stage()
        self._invalidate()
        return {"total": total, "new": new, "listed": listed, **counts}

    @api.model
    def _make_row(self, key, moment, value, unit, register="energy", line=0):
        """A good row for :meth:`_load_rows`; ``moment`` is naive UTC or its text."""
        if not isinstance(moment, str):
            moment = fields.Datetime.to_string(moment)
        return (line, key, register, moment, str(value), unit, "ok", "", "", "")

    @api.model
    def _set_reading(self, meter, register, moment, value, unit, origin, reason=None):
        """Put a reading in place, superseding the one that is there.

        For values that a person answers for. The caller rebuilds consumption.

        :return: id of the reading now in force, or ``None`` when nothing changed
        """
        cr = self.env.cr
        cr.execute(
            SQL(
                "SELECT id, value = %s::numeric AND unit = %s FROM onergy_reading "
                "WHERE meter_id = %s AND register = %s AND moment = %s "
                "AND superseded IS NOT TRUE",
                repr(value),
                unit,
                meter.id,
                register,
                moment,
            )
        )
        old_id, unchanged = cr.fetchone() or (None, False)
        if unchanged:
            return None
        if old_id:
            cr.execute(
                SQL("UPDATE onergy_reading SET superseded = TRUE WHERE id = %s", old_id)
            )
        cr.execute(
            SQL(
                "INSERT INTO onergy_reading "
                "(meter_id, register, moment, value, unit, origin, status) "
                "VALUES (%s, %s, %s, %s, %s, %s, 'ok') RETURNING id",
                meter.id,
                register,
                moment,
                repr(value),
                unit,
                origin,
            )
        )
        [new_id] = cr.fetchone()
        if old_id:
            self.env["onergy.reading.revision"].sudo().create(  # audit trail
                {
                    "meter_id": meter.id,
                    "old_reading_id": old_id,
                    "new_reading_id": new_id,
                    "reason": reason or self.env._("Start or end reading changed"),
                }
            )
        self._refresh_register(meter, register)
        self._invalidate()
        return new_id

    @api.model
    def _retire_readings(self, meter, origin, keep):
        """Supersede a meter's readings of ``origin`` at other moments than ``keep``."""
        self.env.cr.execute(
            SQL(
                "UPDATE onergy_reading SET superseded = TRUE "
                "WHERE meter_id = %s AND origin = %s AND superseded IS NOT TRUE "
                "AND moment <> ALL(%s::timestamp[])",
                meter.id,
                origin,
                keep,
            )
        )
        self._invalidate()

    @api.model
    def _retire_boundary(self, meter, register, day, reason, exception=None):
        """Supersede the readings that count as the end of ``day``."""
        self.env.cr.execute(
            SQL(
                """
                UPDATE onergy_reading SET superseded = TRUE
                 WHERE meter_id = %s AND register = %s AND superseded IS NOT TRUE
                   AND moment >= %s AND moment < %s
                RETURNING id
                """,
                meter.id,
                register,
                self._day_start(day) + timedelta(hours=12),
                self._day_start(day) + timedelta(hours=36),
            )
        )
        self.env["onergy.reading.revision"].sudo().create(  # audit trail
            [
                {
                    "meter_id": meter.id,
                    "old_reading_id": old_id,
                    "exception_id": exception and exception.id,
                    "reason": reason,
                }
                for (old_id,) in self.env.cr.fetchall()
            ]
        )
        self._refresh_register(meter, register)
        self._invalidate()

    @api.model
    def _day_start(self, day):
        """00:00 of ``day`` where the dwellings are, as naive UTC."""
        local = datetime.combine(day, time.min, ZoneInfo(DAY_ZONE))
        return local.astimezone(UTC).replace(tzinfo=None)

    # -- steps -------------------------------------------------------------------

    def _lock(self, company):
        """One load per company at a time; released at the end of the transaction."""
        self.env.cr.execute(
            SQL(
                "SELECT pg_advisory_xact_lock(hashtext(%s), %s)",
                self._name,
                company.id,
            )
        )

    def _create_stage(self):
        self._drop_stage()
        self.env.cr.execute(
            """
            CREATE TEMPORARY TABLE onergy_stage (
                line int, key text, register text, moment timestamp, value numeric,
                unit text, status text, column_name text, raw text, reason text
            ) ON COMMIT DROP
            """
        )

    def _drop_stage(self):
        self.env.cr.execute(
            "DROP TABLE IF EXISTS onergy_stage, onergy_known, onergy_judged, "
            "onergy_vee_now, onergy_vee_day, onergy_vee_state"
        )

    def _copy(self, rows):
        source = CopySource(rows)
        assert len(ROW_FIELDS) == 10
        self.env.cr.copy_expert("COPY onergy_stage FROM STDIN", source, size=1 << 16)
        if source.error:
            raise source.error
        self.env.cr.execute("ANALYZE onergy_stage")
        return source.count

    def _judge(self, company):
        """Give every staged row its meter and its verdict (``NULL`` is good)."""
        # Pending ORM writes (a new meter, a placement) must be seen by the SQL below.
        self.env.flush_all()
        cr = self.env.cr
        # Compiling these statements takes longer than running them, and a coarse
        # look at the temporary tables is enough to plan them.
        cr.execute(
            "SET LOCAL jit = off; SET LOCAL work_mem = '64MB'; "
            "SET LOCAL default_statistics_target = 10"
        )
        self.env["onergy.vee.engine"]._prepare_rules(company)
        cr.execute(self._get_known_query(company))
        cr.execute("ANALYZE onergy_known")
        cr.execute(self._get_judge_query())
        cr.execute("ANALYZE onergy_judged")

    def _get_known_query(self, company):
        """Registers named in the stage, each with all that judging needs of it.

        A key is looked up as meter number, M-Bus id and DevEUI; one that fits two
        meters is ``ambiguous``.
        """
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_known ON COMMIT DROP AS
            WITH keys AS (
                SELECT DISTINCT key FROM onergy_stage WHERE key <> ''
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
            ), installed AS (
                -- The end reading belongs to the morning after the last day.
                SELECT p.meter_id,
                       range_agg(tsrange(%(first)s, %(until)s)) AS moments
                  FROM onergy_meter_placement p
                  JOIN one ON one.meter_id = p.meter_id
                 GROUP BY p.meter_id
            )
            SELECT one.key, reg.register, one.meter_id, one.ambiguous, m.active,
                   CASE reg.register WHEN 'volume' THEN m.volume_unit ELSE m.unit END
                       AS unit,
                   CASE reg.register WHEN 'volume' THEN 0.001 ELSE m.step END AS step,
                   CASE reg.register WHEN 'volume' THEN NULL
                        ELSE NULLIF(m.register_capacity, 0) END AS capacity,
                   NULLIF(m.power, 0) AS power, unit.factor,
                   installed.moments, st.last_moment, st.last_value
              FROM one
              JOIN onergy_meter m ON m.id = one.meter_id
             CROSS JOIN (SELECT DISTINCT register FROM onergy_stage) reg
              LEFT JOIN (VALUES %(units)s) unit(name, factor)
                ON reg.register <> 'volume' AND unit.name = m.unit
              LEFT JOIN installed ON installed.meter_id = one.meter_id
              LEFT JOIN onergy_meter_register st
                ON st.meter_id = one.meter_id AND st.register = reg.register
            """,
            company=company.id,
            first=_midnight(SQL("p.date_from")),
            until=_midnight(SQL("(p.date_to + 2)")),
            units=SQL(", ").join(
                SQL("(%s, %s::numeric)", name, str(factor))
                for name, (kind, factor) in UNITS.items()
                if kind == ENERGY
            ),
        )

    def _get_judge_query(self):
        return SQL(
            """
            CREATE TEMPORARY TABLE onergy_judged ON COMMIT DROP AS
            WITH matched AS (
                SELECT s.*, k.meter_id, k.last_moment, k.step, k.capacity,
                       k.power, k.factor,
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
                         WHEN k.moments IS NULL OR NOT k.moments @> s.moment
                         THEN 'not_installed'
                       END AS verdict,
                       CASE WHEN s.moment > k.last_moment THEN k.last_value END
                           AS state_value,
                       CASE WHEN s.moment > k.last_moment THEN k.last_moment END
                           AS state_moment
                  FROM onergy_stage s
                  LEFT JOIN onergy_known k
                    ON k.key = s.key AND k.register = s.register
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
                   q.column_name, q.raw, q.meter_id,
                   CASE
                     WHEN q.verdict IS NOT NULL THEN q.verdict
                     WHEN stored.moment = q.moment AND stored.value = q.value
                     THEN 'same'
                     WHEN stored.moment = q.moment THEN 'conflict'
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
                   CASE WHEN stored.moment = q.moment THEN stored.value
                        ELSE before.value END AS other_value
              FROM sequenced q
              -- The limits keep these as index probes of the rows that need them.
              LEFT JOIN LATERAL (
                  SELECT r.value, r.moment FROM onergy_reading r
                   WHERE q.moment <= q.last_moment AND q.verdict IS NULL
                     AND r.meter_id = q.meter_id AND r.register = q.register
                     AND r.moment <= q.moment AND r.superseded IS NOT TRUE
                   ORDER BY r.moment DESC LIMIT 1
              ) stored ON TRUE
              LEFT JOIN LATERAL (
                  SELECT r.value FROM onergy_reading r
                   WHERE q.moment < q.last_moment AND q.verdict IS NULL
                     AND stored.moment IS DISTINCT FROM q.moment
                     AND r.meter_id = q.meter_id AND r.register = q.register
                     AND r.moment > q.moment AND r.superseded IS NOT TRUE
                   ORDER BY r.moment LIMIT 1
              ) after ON TRUE
             CROSS JOIN LATERAL (
                  SELECT CASE WHEN in_file THEN q.file_value
                              ELSE COALESCE(stored.value, q.state_value) END AS value,
                         CASE WHEN in_file THEN q.file_moment
                              ELSE COALESCE(stored.moment, q.state_moment) END AS moment
                    FROM (SELECT q.file_moment >= COALESCE(
                        stored.moment, q.state_moment, '-infinity') AS in_file) nearer
              ) before
              LEFT JOIN onergy_vee_now rule
                ON rule.code = 'power' AND q.moment >= rule.date_from
               AND q.moment < COALESCE(rule.date_to + 1, 'infinity')
            """,
            latest=SQL(
                "((now() AT TIME ZONE 'UTC') + %s * interval '1 minute')",
                CLOCK_TOLERANCE_MINUTES,
            ),
        )

    def _insert_readings(self, origin, import_id):
        """Insert the good rows; a row of a concurrent load raises, never vanishes."""
        query = SQL(
            """
            INSERT INTO onergy_reading (meter_id, register, moment, value, unit,
                                        origin, status, import_id, line)
            SELECT meter_id, register, moment, value, unit, %s, status, %s, line
              FROM onergy_judged WHERE verdict IS NULL
            """,
            origin,
            import_id,
        )
        try:
            self.env.cr.execute(query, log_exceptions=False)
        except psycopg2.errors.UniqueViolation as error:
            # Committed by another load after our snapshot was taken.
            raise ConcurrencyError(
                self.env._("Another import is loading the same readings.")
            ) from error
        return self.env.cr.rowcount

    def _count_verdicts(self):
        self.env.cr.execute(
            """
            SELECT count(*) FILTER (WHERE verdict = 'same'),
                   count(*) FILTER (WHERE verdict <> 'same')
              FROM onergy_judged WHERE verdict IS NOT NULL
            """
        )
        same, bad = self.env.cr.fetchone()
        return {"same": same, "bad": bad}

    def _insert_exceptions(self, company, import_id):
        """List the bad rows, each once: the same row of a later file adds nothing."""
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO onergy_reading_exception (
                    company_id, import_id, line, meter_key, meter_id, register, moment,
                    value, unit, status, column_name, raw, reason, other_value,
                    severity, state, fingerprint,
                    create_uid, write_uid, create_date, write_date)
                SELECT %(company)s, %(import)s, line, key, meter_id,
                       NULLIF(register, ''), moment, value, NULLIF(unit, ''), status,
                       NULLIF(column_name, ''), NULLIF(raw, ''), verdict, other_value,
                       'terminate', 'open', fingerprint,
                       %(uid)s, %(uid)s, %(now)s, %(now)s
                  FROM (
                    SELECT DISTINCT ON (fingerprint) j.*, fingerprint
                      FROM onergy_judged j,
                           md5(concat_ws('|', %(company)s::text, key, register, moment,
                               value, unit, status, column_name, raw, verdict))
                               AS fingerprint
                     WHERE verdict <> 'same'
                       AND NOT EXISTS (
                           SELECT 1 FROM onergy_reading_exception e
                            WHERE e.fingerprint = fingerprint.fingerprint)
                     ORDER BY fingerprint, line
                  ) bad
                 ORDER BY line
                """,
                **{
                    "company": company.id,
                    "import": import_id,
                    "uid": self.env.uid,
                    "now": self.env.cr.now(),
                },
            )
        )
        return self.env.cr.rowcount

    def _update_registers(self):
        self.env.cr.execute(
            """
            INSERT INTO onergy_meter_register AS st
                   (meter_id, register, unit, first_moment, last_moment, last_value,
                    stat_day, day_count, use_sum, weight_sum,
                    still_since, low_since, estimated_since)
            SELECT j.*, s.day, COALESCE(s.count, 0), s.use_sum, s.weight_sum,
                   s.still_since, s.low_since, s.estimated_since
              FROM (
                SELECT meter_id, register, (array_agg(unit))[1], min(moment),
                       max(moment), (array_agg(value ORDER BY moment DESC))[1]
                  FROM onergy_judged WHERE verdict IS NULL
                 GROUP BY meter_id, register
              ) j
              LEFT JOIN onergy_vee_state s USING (meter_id, register)
            ON CONFLICT (meter_id, register) DO UPDATE
               SET first_moment = LEAST(st.first_moment, excluded.first_moment),
                   last_moment = GREATEST(st.last_moment, excluded.last_moment),
                   last_value = CASE WHEN excluded.last_moment >= st.last_moment
                                     THEN excluded.last_value ELSE st.last_value END,
                   stat_day = COALESCE(excluded.stat_day, st.stat_day),
                   day_count = COALESCE(st.day_count, 0) + excluded.day_count,
                   use_sum = COALESCE(st.use_sum, 0) * power(%(decay)s,
                       excluded.day_count) + COALESCE(excluded.use_sum, 0),
                   weight_sum = COALESCE(st.weight_sum, 0) * power(%(decay)s,
                       excluded.day_count) + COALESCE(excluded.weight_sum, 0),
                   still_since = CASE WHEN excluded.stat_day IS NULL
                       THEN st.still_since ELSE excluded.still_since END,
                   low_since = CASE WHEN excluded.stat_day IS NULL
                       THEN st.low_since ELSE excluded.low_since END,
                   estimated_since = CASE WHEN excluded.stat_day IS NULL
                       THEN st.estimated_since ELSE excluded.estimated_since END
            """,
            {"decay": DECAY},
        )

    def _refresh_register(self, meter, register):
        """Recompute one register's state from its readings."""
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO onergy_meter_register
                       (meter_id, register, unit, first_moment, last_moment, last_value)
                SELECT meter_id, register, (array_agg(unit ORDER BY moment DESC))[1],
                       min(moment), max(moment),
                       (array_agg(value ORDER BY moment DESC))[1]
                  FROM onergy_reading
                 WHERE meter_id = %s AND register = %s AND superseded IS NOT TRUE
                 GROUP BY meter_id, register
                ON CONFLICT (meter_id, register) DO UPDATE
                   SET first_moment = excluded.first_moment,
                       last_moment = excluded.last_moment,
                       last_value = excluded.last_value
                """,
                meter.id,
                register,
            )
        )

    def _resolve_exceptions(self, company, import_id):
        """Close exceptions whose reading has come in after all."""
        self.env.cr.execute(
            SQL(
                """
                UPDATE onergy_reading_exception e
                   SET state = 'resolved', resolution = 'arrived',
                       resolved_date = %(now)s, resolved_uid = %(uid)s,
                       resolved_import_id = %(import)s,
                       write_date = %(now)s, write_uid = %(uid)s
                  FROM onergy_judged j
                 WHERE e.state = 'open' AND e.company_id = %(company)s
                   AND e.reason NOT IN ('conflict', 'same')
                   AND e.meter_key = j.key AND e.register = j.register
                   AND e.moment = j.moment
                   AND (j.verdict IS NULL OR j.verdict = 'same')
                """,
                **{
                    "company": company.id,
                    "import": import_id,
                    "uid": self.env.uid,
                    "now": self.env.cr.now(),
                },
            )
        )

    def _invalidate(self):
        """Forget what the ORM cached of the tables written here."""
        for name in (
            "onergy.reading",
            "onergy.reading.exception",
            "onergy.meter.register",
            "onergy.consumption.day",
            "onergy.consumption.month",
        ):
            self.env[name].invalidate_model()
        self.env["onergy.meter"].invalidate_model(
            ["last_moment", "last_value", "silent_days", "exception_count"]
        )
