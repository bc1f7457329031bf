from psycopg2.errors import DeadlockDetected, SerializationFailure, UniqueViolation

from odoo import api, models
from odoo.tools import SQL

# Each time somebody else was faster; more often than this it is no coincidence.
MAX_CLASHES = 5
LOG_FIELDS = ("write_uid", "write_date")
CLASHES = (SerializationFailure, UniqueViolation, DeadlockDetected)


class PaytJob(models.AbstractModel):
    """What the jobs share: they work on the same rows as each other and as people.

    A transaction cannot write to a row that somebody else has changed since it began,
    and talking with Payt takes long. So what was learned is written in a transaction
    that begins after the talk, and written again when that clashes.
    """

    _name = "payt.job"
    _description = "Work for Payt in the background"

    @api.model
    def _afresh(self, work):
        """Commit, and do ``work`` on the data as they are now; again after a clash.

        :param work: function without arguments that may be repeated
        """
        for attempt in range(1, MAX_CLASHES + 1):
            self.env["ir.cron"]._commit_progress()
            try:
                result = work()
                self.env.flush_all()
                return result
            except CLASHES:
                self.env.cr.rollback()
                if attempt == MAX_CLASHES:
                    raise

    @api.model
    def _take_hold(self, records):
        """Commit, look at these records afresh and keep others off until the commit."""

        def lock():
            self.env.cr.execute(
                SQL(
                    "SELECT id FROM %s WHERE id IN %s ORDER BY id FOR NO KEY UPDATE",
                    SQL.identifier(records._table),
                    tuple(records.ids),
                ),
                log_exceptions=False,
            )

        if records:
            self._afresh(lock)

    @api.model
    def _write_news(self, news):
        """Write values of many records in one statement, where they are not there yet.

        Of most records little is new, and PostgreSQL compares faster than we read. It
        goes past ``write`` and its rights: only for jobs, for stored fields that are
        not tracked, with values of our own making.

        :param news: dict record → dict field name → value; records of one model, each
            with the same fields, texts and moments that are empty as False
        :return: the records that changed; None when there is no news
        """
        if not news:
            return None
        records = next(iter(news)).union(*news)
        names = sorted(next(iter(news.values())))
        records.flush_recordset(names)
        changed = records.browse(
            number
            for (number,) in self.env.execute_query(self._update_of(records, news))
        )
        changed.invalidate_recordset([*names, *LOG_FIELDS], flush=False)
        changed.modified(names)
        return changed

    @api.model
    def _update_of(self, records, news):
        """Return the statement that writes ``news`` and answers with what changed."""
        model, names = records.browse(), sorted(next(iter(news.values())))
        types = [SQL(model._fields[name].column_type[1]) for name in names]
        columns = [SQL.identifier(name) for name in names]
        pairs = list(zip(columns, types, strict=True))
        rows = [
            (
                record.id,
                *(
                    model._fields[name].convert_to_column(values[name], model)
                    for name in names
                ),
            )
            for record, values in news.items()
        ]
        return SQL(
            """
            UPDATE %(table)s AS known
               SET (%(columns)s, write_uid, write_date) =
                   (%(new)s, %(user)s, %(now)s)
              FROM (SELECT id, %(typed)s
                      FROM (VALUES %(rows)s) AS raw (id, %(columns)s)) AS news
             WHERE known.id = news.id
               AND (%(old)s) IS DISTINCT FROM (%(new)s)
         RETURNING known.id
            """,
            table=SQL.identifier(model._table),
            columns=SQL(", ").join(columns),
            # An empty column of constants has no type of its own.
            typed=SQL(", ").join(SQL("raw.%s::%s AS %s", c, t, c) for c, t in pairs),
            old=SQL(", ").join(SQL("known.%s", column) for column in columns),
            new=SQL(", ").join(SQL("news.%s", column) for column in columns),
            rows=SQL(", ").join(map(_constant, rows)),
            user=self.env.uid,
            now=self.env.cr.now(),
        )


def _constant(row):
    return SQL("(%s)", SQL(", ").join(SQL("%s", value) for value in row))
