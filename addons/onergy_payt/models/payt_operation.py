import random
from typing import NamedTuple

from psycopg2.errors import SerializationFailure

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.tools import SQL

# The order in which Payt wants to hear of things.
KINDS = [
    ("debtor", "Payer"),
    ("mandate", "Direct debit mandate"),
    ("invoice", "Invoice"),
    ("block", "Pause or resume reminders"),
    ("open_amount", "Open amount"),
    ("message", "Message"),
    ("read", "Message read"),
    ("plan", "Answer to a payment plan"),
]
# Not sent twice when the outcome is unclear: a person would notice.
UNREPEATABLE = ("message", "plan", "mandate")
OPEN_STATES = ("pending", "retry", "failed")
# Longer than any batch takes: who is "sending" for longer has crashed.
CRASHED_AFTER_MINUTES = 15
MAX_RETRY_MINUTES = 360
# After a quarter of an hour of breakdowns a single record itself is to blame.
POISON_ATTEMPTS = 5
KEEP_DAYS = 90


class Outcome(NamedTuple):
    """What became of one operation; ``wait``: seconds that Payt wants to be left."""

    state: str
    code: str = ""
    detail: str = ""
    wait: float = 0


DONE = Outcome("done")


class PaytOperation(models.Model):
    """The outbox: one row for each thing that Payt has to be told.

    A row is written in the transaction of the change itself; what is sent is made up
    at the moment of sending, from the data as they are then. States:

    * pending → sending → done, or partial: done, with a remark of Payt
    * sending → retry → sending: trouble that passes, tried again later
    * sending → failed → pending: refused; a change of the data or a person restarts it
    * sending → unknown → done or retry: nobody knows whether it arrived; looked up
      at Payt first (only for what must not be sent twice)
    * any but done → cancelled: no longer needed
    """

    _name = "payt.operation"
    _description = "Payt operation"
    _order = "id desc"

    connection_id = fields.Many2one(
        "payt.connection", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="connection_id.company_id", store=True, index=True
    )
    kind = fields.Selection(KINDS, required=True, readonly=True)
    res_model = fields.Char("Record's model", required=True, readonly=True)
    res_id = fields.Many2oneReference(
        "Record", model_field="res_model", required=True, readonly=True
    )
    move_id = fields.Many2one(
        "account.move", "Invoice", readonly=True, index="btree_not_null"
    )
    partner_id = fields.Many2one(
        "res.partner", "Payer", readonly=True, index="btree_not_null"
    )
    state = fields.Selection(
        [
            ("pending", "Waiting"),
            ("sending", "Being sent"),
            ("retry", "Tried again later"),
            ("unknown", "Outcome unclear"),
            ("failed", "Failed"),
            ("partial", "Sent, with a remark"),
            ("done", "Sent"),
            ("cancelled", "Cancelled"),
        ],
        required=True,
        default="pending",
        readonly=True,
        index=True,
    )
    attempts = fields.Integer(readonly=True, default=0)
    claimed_date = fields.Datetime("Last attempt", readonly=True)
    next_try = fields.Datetime(readonly=True)
    done_date = fields.Datetime("Sent on", readonly=True)
    error_code = fields.Char(readonly=True)
    error_detail = fields.Char("Payt's words", readonly=True)
    reason = fields.Char(compute="_compute_reason")
    preview = fields.Text("What is sent", compute="_compute_preview")

    _one_open = models.UniqueIndex(
        "(connection_id, kind, res_model, res_id) "
        "WHERE state IN ('pending', 'retry', 'failed')"
    )
    _due = models.Index(
        "(connection_id, kind, id) WHERE state IN ('pending', 'retry', 'sending')"
    )

    # -------------------------------------------------------------------- computes

    @api.depends("kind", "move_id", "partner_id")
    @api.depends_context("lang")
    def _compute_display_name(self):
        labels = dict(self._fields["kind"]._description_selection(self.env))
        for operation in self:
            about = operation.move_id.name or operation.partner_id.name or ""
            operation.display_name = f"{labels.get(operation.kind, '')} {about}".strip()

    @api.depends("error_code", "error_detail")
    @api.depends_context("lang")
    def _compute_reason(self):
        for operation in self:
            operation.reason = self._explain_code(
                operation.error_code, operation.error_detail or ""
            )

    @api.model
    def _explain_code(self, code, detail):
        """Say in plain words what is wrong and what can be done.

        :param code: of an :class:`Outcome` or a ``Trouble``
        :param detail: what the explanation mentions; all of it when the code is unknown
        """
        texts = {
            "connection": self.env._(
                "Payt could not be reached. We try again automatically."
            ),
            "server": self.env._("Payt has a fault. We try again automatically."),
            "poison": self.env._(
                "Payt breaks down on this record, while it answers other calls. Check "
                "its data, or ask Payt what is wrong with it."
            ),
            "rate_limit": self.env._(
                "Payt asked us to slow down. We try again automatically."
            ),
            "auth": self.env._(
                "Payt does not accept our login. Check the connection's settings."
            ),
            "consent": self.env._(
                "Payt no longer accepts the consent that was given to us. Open the "
                "Payt connection, press ‘Set up and test’ and log in at Payt again; "
                "what waits then goes by itself."
            ),
            "permission": self.env._(
                "Payt does not allow this. In Payt, give our application the "
                "permission: %(scope)s",
                scope=detail,
            ),
            "refused": self.env._("Payt refuses this: %(text)s", text=detail),
            "not_found": self.env._("Payt does not know this record (any more)."),
            "debtor": self.env._(
                "Payt has not accepted the payer yet. Solve that first; the invoice "
                "follows by itself."
            ),
            "payer": self.env._(
                "Payt has this invoice under %(payer)s and cannot change its payer. "
                "Delete it in Payt and send it again, or credit it and make a new one.",
                payer=detail,
            ),
            "clash": self.env._(
                "Somebody changed this at the same moment. We try again automatically."
            ),
            "waiting": self.env._("Waits for the payer to be sent first."),
            "data": self.env._("Our own data are not complete: %(text)s", text=detail),
            "no_pdf": self.env._(
                "The invoice was sent without its PDF: %(text)s", text=detail
            ),
            "warning": self.env._("Remark of Payt: %(text)s", text=detail),
            "unclear": self.env._(
                "The connection broke while sending. We first look at Payt whether "
                "it has arrived, so that nothing is sent twice."
            ),
            "protocol": self.env._(
                "Payt gave an answer that we do not understand: %(text)s", text=detail
            ),
        }
        return texts.get(code, detail)

    def _compute_preview(self):
        """Show what would be sent now: the dry run."""
        for operation in self:
            operation.preview = self.env["payt.push"]._preview(operation)

    # --------------------------------------------------------------------- writing

    @api.model
    def _enqueue(self, kind, records):
        """Note that Payt has to be told about these records.

        A waiting row for the same record is used again: it will send the newest data.
        Doing that *updates* the row, so a worker that is taking it at this moment and
        this transaction notice each other.

        :param records: records with a ``connection_id``
        """
        if not records:
            return
        # sudo: whoever changes an invoice or an address need not know the outbox
        rows = [self._queue_row(kind, record) for record in records.sudo()]
        uid = self.env.uid
        self.env["payt.operation"].flush_model()
        records.flush_recordset()
        self.env.execute_query(
            SQL(
                """
                INSERT INTO payt_operation (
                    connection_id, company_id, kind, res_model, res_id, move_id,
                    partner_id, state, attempts,
                    create_uid, write_uid, create_date, write_date)
                VALUES %s
                ON CONFLICT (connection_id, kind, res_model, res_id)
                      WHERE state IN ('pending', 'retry', 'failed')
                  DO UPDATE SET state = 'pending', next_try = NULL, error_code = NULL,
                                error_detail = NULL,
                                write_date = now() AT TIME ZONE 'UTC'
                RETURNING id
                """,
                SQL(", ").join(
                    SQL(
                        "(%s, 'pending', 0, %s, %s, now() AT TIME ZONE 'UTC', "
                        "now() AT TIME ZONE 'UTC')",
                        SQL(", ").join(SQL("%s", value) for value in row),
                        uid,
                        uid,
                    )
                    for row in rows
                ),
            )
        )
        self.invalidate_model()
        # sudo: who posts a bill may not read the connection
        records.sudo().connection_id._trigger_push()

    @api.model
    def _queue_row(self, kind, record):
        move = (
            record.move_id if "move_id" in record._fields else self.env["account.move"]
        )
        connection = record.connection_id
        return (
            connection.id,
            connection.company_id.id,
            kind,
            record._name,
            record.id,
            move.id or None,
            record.partner_id.commercial_partner_id.id or None,
        )

    @api.model
    def _cancel_pending(self, records):
        """Drop what was not sent yet."""
        if records:
            # sudo: as in _enqueue
            self.sudo().search(
                [
                    ("res_model", "=", records._name),
                    ("res_id", "in", records.ids),
                    ("state", "in", OPEN_STATES),
                ]
            ).state = "cancelled"

    # ------------------------------------------------------------------- the queue

    @api.model
    def _claim(self, connection, kind, limit):
        """Take operations that are due; nobody else sends them from now on.

        The caller commits, so that a crash cannot put them back silently.
        """
        now = fields.Datetime.now()
        due = self.search(
            [
                ("connection_id", "=", connection.id),
                ("kind", "=", kind),
                ("state", "in", ("pending", "retry")),
                "|",
                ("next_try", "=", False),
                ("next_try", "<=", now),
            ],
            order="id",
            limit=limit,
        )
        try:
            claimed = due.try_lock_for_update()
        except SerializationFailure:
            # Another worker took some of them after we looked: look again.
            self.env.cr.rollback()
            return self._claim(connection, kind, limit)
        for attempts, same in claimed.grouped("attempts").items():
            same.write(
                {"state": "sending", "claimed_date": now, "attempts": attempts + 1}
            )
        return claimed

    @api.model
    def _recover(self, connection):
        """Put back what a crashed worker left behind."""
        margin = fields.Datetime.subtract(
            fields.Datetime.now(), minutes=CRASHED_AFTER_MINUTES
        )
        crashed = self.search(
            [
                ("connection_id", "=", connection.id),
                ("state", "=", "sending"),
                ("claimed_date", "<", margin),
            ]
        ).try_lock_for_update()
        unclear = crashed.filtered(lambda o: o.kind in UNREPEATABLE)
        unclear.write({"state": "unknown", "error_code": "unclear"})
        for operation in crashed - unclear:
            operation._reopen("pending")

    def _reopen(self, state, **values):
        """Make an operation due again, unless a newer one already says the same."""
        self.ensure_one()
        newer = self.search_count(
            [
                ("connection_id", "=", self.connection_id.id),
                ("kind", "=", self.kind),
                ("res_model", "=", self.res_model),
                ("res_id", "=", self.res_id),
                ("state", "in", OPEN_STATES),
                ("id", "!=", self.id),
            ],
            limit=1,
        )
        self.write({"state": "cancelled" if newer else state, **values})

    def _finish(self, outcomes):
        """Write down what became of these operations.

        :param outcomes: dict operation → :class:`Outcome`
        """
        now = fields.Datetime.now()
        silence = Outcome("retry", "protocol", "No answer")
        for outcome, same in self.grouped(lambda o: outcomes.get(o, silence)).items():
            values = {
                "error_code": outcome.code or False,
                "error_detail": outcome.detail[:500] or False,
            }
            if outcome.state in ("done", "partial"):
                same.write({"state": outcome.state, "done_date": now, **values})
            elif outcome.state == "retry":
                for operation in same:
                    moment = operation._next_try(outcome.wait)
                    operation._reopen("retry", next_try=moment, **values)
            elif outcome.state in OPEN_STATES:
                for operation in same:
                    operation._reopen(outcome.state, **values)
            else:
                same.write({"state": outcome.state, **values})

    def _next_try(self, at_least=0):
        """One minute, two, four, … at most six hours, and a little at random."""
        minutes = min(2 ** min(self.attempts - 1, 10), MAX_RETRY_MINUTES)
        seconds = max(minutes * 60 * random.uniform(0.8, 1.2), at_least)
        return fields.Datetime.add(fields.Datetime.now(), seconds=int(seconds))

    def _target(self):
        """Return the record this is about (empty when it is gone)."""
        return self._targets()[self]

    def _targets(self):
        """Return the records these are about: dict operation → record or empty.

        All of one model, so that what is read of one is read of all.
        """
        records = self._records()
        by_id = {record.id: record for record in records}
        nothing = records.browse()
        return {operation: by_id.get(operation.res_id, nothing) for operation in self}

    def _records(self):
        model = self.env[self[:1].res_model]
        return model.browse(self.mapped("res_id")).exists()

    # --------------------------------------------------------------------- actions

    @api.model
    def _check_may_act(self, records):
        """Accountants may not write, but sending again changes nothing of theirs.

        The buttons write as superuser, so what a user may not see is refused here.

        :param records: what the button is about to change
        :raises AccessError: not somebody of staff, or a record of another company
        """
        user = self.env.user
        if not self.env.su and not (
            user.has_group("onergy_residents.group_accountant")
            or user.has_group("onergy_residents.group_customer_service")
        ):
            raise AccessError(self.env._("You may not do this."))
        records.check_access("read")

    def action_retry(self):
        self._check_may_act(self)
        # sudo: the accountant reads these records, the buttons write them
        for operation in self.sudo():
            if operation.state in ("failed", "retry"):
                operation.write({"state": "pending", "next_try": False})
        self.sudo().connection_id._trigger_push()

    def action_cancel(self):
        self._check_may_act(self)
        # sudo: as above
        self.sudo().filtered(
            lambda o: o.state in (*OPEN_STATES, "unknown")
        ).state = "cancelled"

    def action_open_record(self):
        self.ensure_one()
        record = self.move_id or self.partner_id
        return {
            "type": "ir.actions.act_window",
            "res_model": record._name,
            "res_id": record.id,
            "view_mode": "form",
        }

    @api.autovacuum
    def _gc_done(self):
        margin = fields.Datetime.subtract(fields.Datetime.now(), days=KEEP_DAYS)
        self.search(
            [
                ("state", "in", ("done", "partial", "cancelled")),
                ("write_date", "<", margin),
            ],
            limit=10000,
        ).unlink()
