"""Where the client's tokens and its rate limit live when Odoo runs it."""

import logging
import time
from contextlib import contextmanager, suppress
from dataclasses import replace

from psycopg2 import InterfaceError, OperationalError
from psycopg2.errors import SerializationFailure

from .client import NoLimit, TokenState

_logger = logging.getLogger(__name__)

# Two workers that take a slot at the same instant: one of them tries again.
MAX_CONFLICTS = 50
# A PostgreSQL server that starts again is back within a minute.
DATABASE_PAUSES = (0, 1, 2, 4, 8, 16, 32)


def _in_own_transaction(registry, work):
    """Run ``work(cr)`` in a transaction of its own and return its result.

    Tokens and slots must outlive a rollback of the caller: Payt has handed them out.
    """
    for attempt in range(MAX_CONFLICTS):
        try:
            with registry.cursor() as cr:
                return work(cr)
        except SerializationFailure:
            if attempt == MAX_CONFLICTS - 1:
                raise
    return None


class DatabaseLimiter(NoLimit):
    """Evenly spaced slots that all workers of a database share.

    :param rate: requests per second for the whole connection
    """

    def __init__(self, registry, connection_id, rate):
        self._registry = registry
        self._connection_id = connection_id
        self._gap = 1.0 / rate

    def reserve(self):
        def take(cr):
            cr.execute(
                """
                UPDATE payt_token
                   SET next_slot =
                       GREATEST(next_slot, EXTRACT(epoch FROM clock_timestamp()))
                       + %(gap)s
                 WHERE connection_id = %(connection)s
             RETURNING next_slot - %(gap)s - EXTRACT(epoch FROM clock_timestamp())
                """,
                {"gap": self._gap, "connection": self._connection_id},
                log_exceptions=False,
            )
            row = cr.fetchone()
            # A connection that is being made: nobody else can be using it yet.
            return max(0.0, float(row[0])) if row else 0.0

        return _in_own_transaction(self._registry, take)

    def hold(self, seconds):
        def push_back(cr):
            cr.execute(
                """
                UPDATE payt_token
                   SET next_slot = GREATEST(
                       next_slot, EXTRACT(epoch FROM clock_timestamp()) + %s)
                 WHERE connection_id = %s
                """,
                (seconds, self._connection_id),
                log_exceptions=False,
            )

        _in_own_transaction(self._registry, push_back)


class DatabaseTokenStore:
    """Keeps tokens in ``payt.token``; a row lock serialises refreshes."""

    _COLUMNS = "COALESCE(access_token, ''), COALESCE(refresh_token, ''), expires_at"

    def __init__(self, registry, connection_id):
        self._registry = registry
        self._connection_id = connection_id
        # Of a connection that is being made in a transaction we cannot see.
        self._rowless = TokenState()

    def peek(self):
        def read(cr):
            return self._read(cr, "")

        return _in_own_transaction(self._registry, read)

    @contextmanager
    def locked(self):
        """Give the tokens under the lock; what changed is committed when it ends.

        The transaction is our own: what Payt has handed out must survive whatever
        becomes of the caller's.
        """
        cr, state = self._lock()
        before = replace(state)
        try:
            yield state
            if state != before:
                self._keep(cr, before, state)
        finally:
            # A connection that broke is closed already.
            with suppress(InterfaceError):
                cr.close()

    def forget(self):
        """Throw the tokens away, whatever becomes of the caller's transaction.

        Before that ends it may talk with another host, which must not get them.
        """

        def clear(cr):
            cr.execute(
                """
                UPDATE payt_token
                   SET access_token = NULL, refresh_token = NULL, expires_at = 0
                 WHERE connection_id = %s
                """,
                (self._connection_id,),
                log_exceptions=False,
            )

        _in_own_transaction(self._registry, clear)

    def _keep(self, cr, before, state):
        """Commit tokens at once; also when the connection to the database broke.

        Payt has put the old refresh token out of use, so only memory holds one that
        works. Without its lock a worker has to see that nobody got a newer one.
        """
        try:
            self._write(cr, before, state)
            cr.commit()  # pylint: disable=invalid-commit
        except (OperationalError, InterfaceError):
            _logger.warning("The Payt token could not be kept; trying again")
            for pause in DATABASE_PAUSES:
                time.sleep(pause)
                with suppress(OperationalError, InterfaceError):
                    _in_own_transaction(
                        self._registry, lambda cr: self._write(cr, before, state)
                    )
                    return
            raise

    def _write(self, cr, before, state):
        cr.execute(
            """
            UPDATE payt_token
               SET access_token = %s, refresh_token = %s, expires_at = %s
             WHERE connection_id = %s AND COALESCE(refresh_token, '') IN ('', %s)
            """,
            (
                state.access_token,
                state.refresh_token,
                state.expires_at or 0.0,
                self._connection_id,
                before.refresh_token,
            ),
        )

    def _lock(self):
        for _attempt in range(MAX_CONFLICTS):
            cr = self._registry.cursor()
            try:
                return cr, self._read(cr, "FOR UPDATE")
            except SerializationFailure:
                # Somebody else has just refreshed: read what he got.
                cr.close()
                time.sleep(0.05)
        raise SerializationFailure("The Payt token is too busy")

    def _read(self, cr, lock):
        cr.execute(
            f"SELECT {self._COLUMNS} FROM payt_token WHERE connection_id = %s {lock}",
            (self._connection_id,),
            log_exceptions=False,
        )
        row = cr.fetchone()
        if not row:
            return self._rowless
        access, refresh, expires = row
        return TokenState(access, refresh, expires or None)
