from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import psycopg2.errors

from odoo import api, fields, models
from odoo.exceptions import ConcurrencyError
from odoo.tools import SQL

from ..parsers import ROW_FIELDS
from .midnights import DAY_ZONE
from .onergy_vee_engine import DECAY
from .staging import CopySource


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
        try:
            return self._load_locked(rows, company, origin, import_id)
        except psycopg2.errors.UniqueViolation as error:
            # Committed by another load after our snapshot was taken: a reading, a day,
            # the state of a register or the same bad row. The next attempt sees it.
            raise ConcurrencyError(
                self.env._("Another import is loading the same readings.")
            ) from error

    def _load_locked(self, rows, company, origin, import_id):
        self._create_stage()
        total = self._copy(rows)
        self.env["onergy.reading.judge"]._judge(company, total)
        replaced = self.env["onergy.reading.estimator"]._find_replaced()
        new = self._insert_readings(origin, import_id)
        counts = self._count_verdicts()
        listed = 0
        if counts["bad"]:
            listed = counts["bad"] - self._insert_exceptions(company, import_id)
        if new:
            self._derive(company, origin, import_id, replaced)
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
    def _set_reading(
        self,
        meter,
        register,
        moment,
        value,
        unit,
        origin,
        reason=None,
        exception=None,
    ):
        """Put a reading in place, superseding the one that is there.

        For values that a person answers for. The caller rebuilds consumption.

        :param value: a ``Decimal``, or a float as a person typed it
        :param exception: the ``onergy.reading.exception`` that this decides
        :return: id of the reading now in force, or ``None`` when nothing changed
        """
        self._lock(meter.company_id)
        cr = self.env.cr
        cr.execute(
            SQL(
                "SELECT id, value = %s::numeric AND unit = %s FROM onergy_reading "
                "WHERE meter_id = %s AND register = %s AND moment = %s "
                "AND superseded IS NOT TRUE",
                str(value),
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
                str(value),
                unit,
                origin,
            )
        )
        [new_id] = cr.fetchone()
        if old_id or exception or reason:
            self.env["onergy.reading.revision"].sudo().create(  # audit trail
                {
                    "meter_id": meter.id,
                    "old_reading_id": old_id,
                    "new_reading_id": new_id,
                    "exception_id": exception and exception.id,
                    "reason": reason or self.env._("Start or end reading changed"),
                }
            )
        self.env["onergy.reading.estimator"]._retire(meter, register, new_id)
        self.env["onergy.meter.register"]._refresh(meter, register)
        self._invalidate()
        return new_id

    @api.model
    def _retire_readings(self, meter, origin, keep):
        """Supersede a meter's readings of ``origin`` at other moments than ``keep``."""
        self._lock(meter.company_id)
        self.env.cr.execute(
            SQL(
                "UPDATE onergy_reading SET superseded = TRUE "
                "WHERE meter_id = %s AND origin = %s AND superseded IS NOT TRUE "
                "AND moment <> ALL(%s::timestamp[]) RETURNING register",
                meter.id,
                origin,
                keep,
            )
        )
        for register in {register for (register,) in self.env.cr.fetchall()}:
            self.env["onergy.meter.register"]._refresh(meter, register)
        self._invalidate()

    @api.model
    def _retire_reading(self, reading, reason):
        """Supersede one reading by nothing; the caller rebuilds consumption."""
        meter, register = reading.meter_id, reading.register
        self._lock(meter.company_id)
        self.env.cr.execute(
            SQL("UPDATE onergy_reading SET superseded = TRUE WHERE id = %s", reading.id)
        )
        self.env["onergy.reading.revision"].sudo().create(  # audit trail
            {"meter_id": meter.id, "old_reading_id": reading.id, "reason": reason}
        )
        self.env["onergy.meter.register"]._refresh(meter, register)
        self._invalidate()

    @api.model
    def _retire_boundary(self, meter, register, day, reason, exception=None):
        """Supersede the readings that count as the end of ``day``."""
        self._lock(meter.company_id)
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
        self.env["onergy.reading.estimator"]._retire(meter, register, reason=reason)
        self.env["onergy.meter.register"]._refresh(meter, register)
        self._invalidate()

    @api.model
    def _day_start(self, day):
        """00:00 of ``day`` where the dwellings are, as naive UTC."""
        local = datetime.combine(day, time.min, ZoneInfo(DAY_ZONE))
        return local.astimezone(UTC).replace(tzinfo=None)

    # -- steps -------------------------------------------------------------------

    def _lock(self, companies):
        """One change of a company's readings at a time, until the transaction ends.

        Loads, corrections and what is derived of them take turns: each goes by what
        the others left. The order keeps two that want several from a deadlock.
        """
        for company in companies.sorted("id"):
            self.env.cr.execute(
                SQL(
                    "SELECT pg_advisory_xact_lock(hashtext(%s), %s)",
                    "onergy.reading.loader",
                    company.id,
                )
            )

    def _derive(self, company, origin, import_id, replaced):
        """What follows from the new readings: days and months, work items, state."""
        registers = self.env["onergy.meter.register"]
        registers._find_touched()
        if replaced:
            self.env["onergy.reading.estimator"]._note_replaced()
        self.env["onergy.consumption.builder"]._build_landed(origin)
        self.env["onergy.vee.engine"]._evaluate_landed(company, import_id)
        registers._advance(DECAY)

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
            "DROP TABLE IF EXISTS onergy_stage, onergy_alias, onergy_matched, "
            "onergy_history, onergy_judged, onergy_replaced, onergy_touched, "
            "onergy_vee_now, onergy_vee_day, onergy_vee_state"
        )

    def _copy(self, rows):
        source = CopySource(rows)
        assert len(ROW_FIELDS) == 10
        self.env.cr.copy_expert("COPY onergy_stage FROM STDIN", source, size=1 << 16)
        if source.error:
            raise source.error
        # A coarse look at the temporary tables is enough to plan what follows.
        self.env.cr.execute(
            "SET LOCAL default_statistics_target = 10; ANALYZE onergy_stage"
        )
        return source.count

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
        self.env.cr.execute(query, log_exceptions=False)
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
                    value, unit, status, column_name, raw, reason, rule_id, other_value,
                    severity, state, fingerprint,
                    create_uid, write_uid, create_date, write_date)
                SELECT %(company)s, %(import)s, line, left(key, 200), meter_id,
                       NULLIF(register, ''), moment, value, NULLIF(unit, ''), status,
                       NULLIF(column_name, ''), NULLIF(raw, ''), verdict,
                       CASE verdict WHEN 'vee_power' THEN power_rule_id END,
                       other_value,
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
