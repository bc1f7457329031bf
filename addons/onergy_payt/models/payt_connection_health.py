import contextlib

from psycopg2.errors import SerializationFailure

from odoo import api, fields, models

from ..troubles import detail_of, trouble_of

SILENT_HOURS = 24
ACTIVITY = "mail.mail_activity_data_todo"


class PaytConnectionHealth(models.Model):
    """How a connection is doing, and who is told when it needs a person."""

    _inherit = "payt.connection"

    last_push = fields.Datetime(readonly=True, copy=False)
    last_pull = fields.Datetime(
        readonly=True,
        copy=False,
        help="When the last round through all lists began that came to its end.",
    )
    pull_started = fields.Datetime(
        readonly=True, copy=False, help="When the round began that is under way."
    )
    last_change_seen = fields.Datetime(readonly=True, copy=False)
    last_webhook = fields.Datetime(compute="_compute_last_webhook")
    last_error = fields.Char("Technical details", readonly=True, copy=False)
    last_error_code = fields.Char(readonly=True, copy=False)
    last_error_detail = fields.Char(readonly=True, copy=False)
    trouble = fields.Char(compute="_compute_trouble")
    webhooks_silent = fields.Boolean(compute="_compute_webhooks_silent")
    cursor_ids = fields.One2many("payt.cursor", "connection_id")
    pending_count = fields.Integer(compute="_compute_counts")
    failed_count = fields.Integer(compute="_compute_counts")
    attention_count = fields.Integer(compute="_compute_counts")
    unread_count = fields.Integer(compute="_compute_counts")
    bank_count = fields.Integer(compute="_compute_counts")
    plan_count = fields.Integer(compute="_compute_counts")
    difference_count = fields.Integer(compute="_compute_counts")

    def _compute_last_webhook(self):
        """Read from the events: the webhook itself writes to no shared row."""
        latest = dict(
            self.env["payt.event"]
            # sudo: customer service may not read events; a moment leaves here
            .sudo()
            ._read_group(
                [("connection_id", "in", self.ids)],
                ["connection_id"],
                ["create_date:max"],
            )
        )
        for connection in self:
            connection.last_webhook = latest.get(connection)

    @api.depends("last_webhook", "last_change_seen", "webhook_secret")
    def _compute_webhooks_silent(self):
        """Polling sees changes, but no webhook told us: Payt may have given up."""
        margin = fields.Datetime.subtract(fields.Datetime.now(), hours=SILENT_HOURS)
        for connection in self:
            changed = connection.last_change_seen
            heard = connection.last_webhook
            connection.webhooks_silent = bool(
                connection.live_enabled
                and changed
                and changed > margin
                and (not heard or heard < margin)
            )

    def _compute_counts(self):
        def counts(model, domain):
            return dict(
                self.env[model]._read_group(
                    [("connection_id", "in", self.ids), *domain],
                    ["connection_id"],
                    ["__count"],
                )
            )

        pending = counts(
            "payt.operation", [("state", "in", ("pending", "sending", "retry"))]
        )
        failed = counts("payt.operation", [("state", "in", ("failed", "unknown"))])
        attention = counts("payt.transaction", [("state", "=", "attention")])
        unread = counts("payt.message", [("is_unread", "=", True)])
        differences = counts("payt.difference", [])
        plans = counts("payt.plan", [("state", "=", "proposed")])
        bank = counts("payt.bank.payment", [("state", "=", "new")])
        for connection in self:
            connection.pending_count = pending.get(connection, 0)
            connection.failed_count = failed.get(connection, 0)
            connection.attention_count = attention.get(connection, 0)
            connection.unread_count = unread.get(connection, 0)
            connection.bank_count = bank.get(connection, 0)
            connection.plan_count = plans.get(connection, 0)
            connection.difference_count = differences.get(connection, 0)

    @api.depends("last_error_code", "last_error_detail")
    @api.depends_context("lang")
    def _compute_trouble(self):
        operations = self.env["payt.operation"]
        for connection in self:
            connection.trouble = connection.last_error_code and (
                operations._explain_code(
                    connection.last_error_code, connection.last_error_detail or ""
                )
            )

    @api.model
    def _get_live(self):
        """Yield the connections to work for.

        What a job writes down is for the person who looks after the connection, so it
        speaks his language; a job by itself has none.
        """
        for connection in self.search([]):
            if connection.is_live:
                reader = connection.user_id or connection.company_id.partner_id
                yield connection.with_context(lang=reader.lang)

    def _set_error(self, error):
        """Remember what went wrong; a refused log-in needs a person."""
        self.ensure_one()
        if self.last_error == error.message:
            return
        code, detail = trouble_of(error).code, detail_of(error)
        self._note(
            last_error=error.message, last_error_code=code, last_error_detail=detail
        )
        if not error.transient:
            self._notify(
                self.env._("Payt does not let us in"),
                self.env["payt.operation"]._explain_code(code, detail),
            )

    def _clear_error(self, *but):
        """All is well again; but an error with one of these codes is left."""
        if self.last_error_code not in but:
            self._note(last_error=False, last_error_code=False, last_error_detail=False)

    def _note(self, **values):
        """Write down how it goes, when that is news.

        All jobs and the people who change settings share this row. Rather than failing
        because of one of them, a job leaves it: its next run knows better anyway.
        """
        self.ensure_one()
        news = {name: value for name, value in values.items() if self[name] != value}
        if not news:
            return
        with contextlib.suppress(SerializationFailure), self.env.cr.savepoint():
            if self.try_lock_for_update(allow_referencing=True):
                self.write(news)

    def _notify(self, summary, note, record=None):
        """Give the responsible user an activity, once per record and subject."""
        record = record or self
        user = self.user_id or self.env.ref("base.user_admin")
        same = record.activity_ids.filtered(
            lambda activity: activity.summary == summary
        )
        if not same:
            record.activity_schedule(
                ACTIVITY, summary=summary, note=note, user_id=user.id
            )
