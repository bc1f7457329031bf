from psycopg2.errors import DeadlockDetected, SerializationFailure, UniqueViolation

from odoo import api, models
from odoo.tools import SQL

# Each time somebody else was faster; more often than this it is no coincidence.
MAX_CLASHES = 5
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
    def _write_news(self, record, values):
        """Write what is not there yet: of most records little is new."""
        news = {name: value for name, value in values.items() if record[name] != value}
        if news:
            record.write(news)
