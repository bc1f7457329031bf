from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

from odoo import api, models

from ..client import PaytError
from ..troubles import detail_of, trouble_of
from .payt_job import CLASHES
from .payt_operation import KINDS, UNREPEATABLE, Outcome

# While Payt works on one batch, the next one is prepared and the last one written down.
BATCHES_AT_ONCE = 4


@dataclass
class Flight:
    """A batch under way: its steps, and the talk with Payt that goes on in a thread."""

    batch: Any
    steps: Any
    talk: Any = None


class PaytPush(models.AbstractModel):
    """Empties the outbox.

    Each kind of operation has one of

    * ``_send_<kind>(connection, client, operations)``, which returns a dict operation →
      outcome, or raises a ``PaytError`` that concerns all of them;
    * ``_steps_<kind>``, the same as a generator: it reads the database, yields a
      function that only talks with Payt (it runs in a thread), gets its result, writes
      that down and returns the outcomes. Several batches are under way at once, so
      that Payt's rate limit, not our own work in between, decides how fast it goes.
    """

    _name = "payt.push"
    _inherit = "payt.job"
    _description = "Sending to Payt"

    @api.model
    def _cron_push(self):
        for connection in self.env["payt.connection"]._get_live():
            self.with_env(connection.env)._push(connection)

    @api.model
    def _push(self, connection):
        """Send what is due for one connection, batch by batch, commit by commit."""
        cron = self.env["ir.cron"]
        client = connection._get_client()
        self._afresh(partial(self.env["payt.operation"]._recover, connection))
        self._afresh(partial(self._resolve_unknown, connection, client))
        cron._commit_progress()
        sent = set()
        with ThreadPoolExecutor(BATCHES_AT_ONCE) as pool:
            for kind, _label in KINDS:
                goes_on = self._push_kind(connection, client, kind, pool, sent)
                if goes_on == "later":
                    connection._trigger_push()
                if goes_on in ("later", "stop"):
                    return
        if sent & {"invoice", "debtor"}:
            self._read_back(connection, client, sent)
        connection._note(last_push=self.env.cr.now())
        cron._commit_progress()

    @api.model
    def _push_kind(self, connection, client, kind, pool, sent):
        """Send all that is due of one kind.

        :return: how to go on: "go on", "next kind", "later" (no time left) or "stop"
        """
        cron = self.env["ir.cron"]
        limit = 1 if kind in UNREPEATABLE else connection.batch_size
        flights, goes_on = [], "go on"
        while True:
            while goes_on == "go on" and len(flights) < BATCHES_AT_ONCE:
                batch = self.env["payt.operation"]._claim(connection, kind, limit)
                if not batch:
                    break
                # From here on a crash leaves a trace: "sending".
                cron._commit_progress()
                sent.add(kind)
                flights.append(self._take_off(connection, client, kind, batch))
                if not hasattr(self, f"_steps_{kind}"):
                    break
            if not flights:
                return goes_on
            for flight in self._landed(flights):
                verdict = self._advance(connection, flight, pool)
                if verdict is None:
                    cron._commit_progress()
                    continue
                flights.remove(flight)
                if goes_on == "go on":
                    goes_on = verdict
                if not cron._commit_progress(len(flight.batch)) and goes_on == "go on":
                    goes_on = "later"

    @api.model
    def _take_off(self, connection, client, kind, batch):
        steps = getattr(self, f"_steps_{kind}", None)
        steps = steps or partial(self._single_step, kind)
        return Flight(batch, steps(connection, client, batch))

    @api.model
    def _single_step(self, kind, connection, client, batch):
        """A kind that is sent without a thread, as a generator that never yields."""
        return getattr(self, f"_send_{kind}")(connection, client, batch)
        yield

    @api.model
    def _landed(self, flights):
        """Return the batches that have something to do here; wait when none has."""
        ready = [flight for flight in flights if not flight.talk or flight.talk.done()]
        if not ready:
            wait([flight.talk for flight in flights], return_when=FIRST_COMPLETED)
            ready = [flight for flight in flights if flight.talk.done()]
        return ready

    @api.model
    def _advance(self, connection, flight, pool):
        """Carry a batch to its next talk with Payt, or to its end.

        :return: None while it is under way, else how to go on
        """
        try:
            outcomes, goes_on = self._step(connection, flight, pool)
            if outcomes is None:
                return None
            flight.batch._finish(outcomes)
            self.env.flush_all()
        except CLASHES:
            # A webhook, the poll or a person has changed the same records.
            self.env.cr.rollback()
            flight.batch._finish(self._clashed(flight.batch))
            goes_on = "go on"
        return goes_on

    @api.model
    def _step(self, connection, flight, pool):
        """Return (outcomes, how to go on) of a batch; None while it is under way."""
        try:
            result = flight.talk.result() if flight.talk else None
            if flight.talk:
                self._take_hold(flight.batch._records())
            talk = flight.steps.send(result)
        except StopIteration as end:
            connection._clear_error("permission")
            return end.value, "go on"
        except PaytError as error:
            return self._trouble(connection, flight.batch, error)
        # Nothing is sent before it is sure that what was prepared can be kept.
        self.env.flush_all()
        flight.talk = pool.submit(talk)
        return None, None

    @api.model
    def _clashed(self, batch):
        """What becomes of a batch whose result could not be written down."""
        outcomes = {}
        for operation in batch:
            once = operation.kind in UNREPEATABLE
            outcomes[operation] = (
                Outcome("unknown", "unclear") if once else Outcome("retry", "clash")
            )
        return outcomes

    @api.model
    def _trouble(self, connection, batch, error):
        """An error that concerns a whole batch: (outcomes, how to go on)."""
        trouble = trouble_of(error)
        if trouble.goes_on != "go on":
            connection._set_error(error)
        wait = getattr(error, "retry_after", None) or 0
        outcome = Outcome(trouble.state, trouble.code, detail_of(error), wait)
        return dict.fromkeys(batch, outcome), trouble.goes_on

    @api.model
    def _read_back(self, connection, client, sent):
        """Bulk answers hold no ids: one pass over what changed fetches them."""
        pull = self.env["payt.pull"]
        try:
            if "debtor" in sent:
                pull._pull(connection, client, "debtors")
            if "invoice" in sent:
                pull._pull(connection, client, "invoices")
        except PaytError as error:
            # The regular poll reads the same rows a little later.
            connection._set_error(error)
