from datetime import timedelta
from functools import partial

from odoo import api, models

from ..client import PaytAuthError, PaytConnectionError, PaytRateLimitError
from ..payt_fields import DELETED, MANDATES, RESOURCES
from .payt_pull import precise_now

# A round of reading that is older than this was broken off.
ROUND_LASTS = timedelta(hours=1)
# After one of these the other lists would fail in the same way.
HOPELESS = (PaytAuthError, PaytConnectionError, PaytRateLimitError)


class PaytPullRound(models.AbstractModel):
    """The poll: all lists of all connections, in rounds, however little time it has."""

    _inherit = "payt.pull"

    @api.model
    def _cron_pull(self):
        """Read the lists of all live connections, in a round.

        When the scheduler's time is up, what is left is reported as remaining: it calls
        again at once, and the round goes on with the lists that it did not come to.
        """
        cron = self.env["ir.cron"]
        live = list(self.env["payt.connection"]._get_live())
        under_way = [
            connection for connection in live if self._is_under_way(connection)
        ]
        if not under_way:
            for connection in live:
                connection._note(pull_started=precise_now())
            cron._commit_progress()
        left = 0
        for connection in under_way or live:
            pull = self.with_env(connection.env)
            # Each call gets on by one list at least, however little time there is.
            left += len(pull._due(connection)) if left else pull._pull_all(connection)
        cron._commit_progress(remaining=left)

    @api.model
    def _is_under_way(self, connection):
        """Whether a round of this connection is not finished (nor broken off)."""
        started = connection.pull_started
        return bool(started and started > precise_now() - ROUND_LASTS)

    @api.model
    def _due(self, connection):
        """Return the lists of a connection that this round has not come to yet."""
        mandates = (MANDATES,) if connection.push_mandates else ()
        deleted = [f"{name}/deleted" for name in (*DELETED, *mandates)]
        cursors = {cursor.resource: cursor for cursor in connection.cursor_ids}
        started, due = connection.pull_started, []
        for resource in (*RESOURCES, *mandates, *deleted):
            cursor = cursors.get(resource, self.env["payt.cursor"])
            tried = cursor.last_try and started and cursor.last_try > started
            if not tried and not self._is_recent(resource, cursor):
                due.append(resource)
        return due

    @api.model
    def _pull_all(self, connection):
        """Read the lists of one connection; a refused one does not stop others.

        What was read is booked, however far it went.

        :return: number of lists left when time was up
        """
        cron, client = self.env["ir.cron"], connection._get_client()
        started, left = connection.pull_started or precise_now(), self._due(connection)
        hopeless, in_time = False, True
        while left and in_time and not hopeless:
            error = self._pull_safely(connection, client, left.pop(0))
            hopeless = isinstance(error, HOPELESS)
            in_time = bool(cron._commit_progress(1))
        self._afresh(partial(self._book, connection))
        if hopeless:
            # The next round begins at the beginning.
            connection._note(pull_started=False)
            left = []
        elif not left:
            if not self._has_failed(connection, started):
                connection._clear_error()
            connection._note(last_pull=started, pull_started=False)
        cron._commit_progress()
        return len(left)

    @api.model
    def _has_failed(self, connection, started):
        """Whether a list was refused in the round that began then."""
        return any(
            cursor.last_error and cursor.last_try and cursor.last_try > started
            for cursor in connection.cursor_ids
        )
