import hashlib
import hmac
import json
from functools import partial

from odoo import api, fields, models
from odoo.tools import SQL

from ..client import PaytPermissionError, text_id
from ..payt_fields import MANDATES
from ..payt_fields import RESOURCES as LISTS
from ..words import EVENTS, known

KEEP_DAYS = 90
BATCH = 500
# What an event tells us to read again, by the start of its name.
RESOURCES = (
    ("invoice_new_comment", ("messages",)),
    ("debtor_new_comment", ("messages",)),
    ("case_new_comment", ("messages",)),
    ("invoice_", ("invoices", "psp_transactions", "payments")),
    ("bundled_reminder_", ("invoices",)),
    ("psp_transaction_", ("invoices", "psp_transactions", "payments")),
    ("payment_plan_", ("payment_plans", "invoices")),
    ("case_", ("invoices", "credit_cases")),
    ("debtor_", ("debtors",)),
    ("email_", ("debtors",)),
    ("psp_mandate_", (MANDATES,)),
)


class PaytEvent(models.Model):
    """A webhook as it came in. It is only a hint: what counts is read again."""

    _name = "payt.event"
    _description = "Webhook of Payt"
    _order = "id desc"

    connection_id = fields.Many2one(
        "payt.connection", required=True, index=True, ondelete="cascade", readonly=True
    )
    company_id = fields.Many2one(
        related="connection_id.company_id", store=True, index=True
    )
    uid = fields.Char("Event ID", required=True, readonly=True)
    name = fields.Char("Event, in Payt's word", readonly=True, index=True)
    kind = fields.Selection(
        EVENTS, "Kind of event", compute="_compute_kind", store=True, index=True
    )
    label = fields.Char("Event", compute="_compute_label")
    invoice_id = fields.Many2one("payt.invoice", "About", compute="_compute_invoice_id")
    body = fields.Text("As received", readonly=True, groups="base.group_system")
    resource_type = fields.Char(readonly=True)
    resource_payt_id = fields.Char("Payt ID", readonly=True)
    state = fields.Selection(
        [
            ("pending", "Received"),
            ("done", "Done"),
            ("ignored", "Nothing to do"),
        ],
        default="pending",
        required=True,
        readonly=True,
        index=True,
    )
    done_date = fields.Datetime(readonly=True)

    _event_uniq = models.UniqueIndex("(connection_id, uid)")

    @api.depends("name")
    def _compute_kind(self):
        for event in self:
            event.kind = known(event.name, EVENTS)

    @api.depends("name", "kind")
    @api.depends_context("lang")
    def _compute_label(self):
        labels = dict(self._fields["kind"]._description_selection(self.env))
        for event in self:
            unknown = event.kind == "other"
            event.label = event.name if unknown else labels.get(event.kind)

    @api.depends("resource_type", "resource_payt_id", "connection_id")
    def _compute_invoice_id(self):
        about = self.filtered(lambda event: event.resource_type == "invoice")
        invoices = self.env["payt.invoice"].search(
            [
                ("connection_id", "in", about.connection_id.ids),
                ("payt_id", "in", about.mapped("resource_payt_id")),
            ]
        )
        by_key = {(i.connection_id, i.payt_id): i for i in invoices}
        for event in self:
            key = (event.connection_id, event.resource_payt_id)
            event.invoice_id = event in about and by_key.get(key)

    @api.model
    def _is_signed(self, connection, raw, signature):
        """Whether the signature over the raw body is right.

        Payt may use the old secret for a while after a change. Without any secret
        nothing is accepted.
        """
        given = (signature or "").strip().lower().encode()
        right = False
        for secret in (connection.webhook_secret, connection.webhook_secret_previous):
            if secret:
                expected = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
                right |= hmac.compare_digest(expected.encode(), given)
        return right

    @api.model
    def _receive(self, connection, raw):
        """Store a webhook, once, and have it handled soon.

        :param raw: the body as bytes; its signature has been checked
        :raises ValueError: the body is not what Payt sends
        """
        payload = json.loads(raw)
        event = payload["event"]
        context = event.get("context") or {}
        if not isinstance(context, dict):
            raise ValueError("context")
        uid = text_id(event.get("id") or event.get("event_id"))
        # Payt's delivery header differs per attempt: it cannot tell doubles apart.
        uid = uid or hashlib.sha256(raw).hexdigest()
        name = str(event["event_name"])[:100]
        inserted = self.env.execute_query(
            SQL(
                """
                INSERT INTO payt_event (
                    connection_id, company_id, uid, name, kind, body, resource_type,
                    resource_payt_id, state, create_date, write_date)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s,
                        now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC')
                ON CONFLICT (connection_id, uid) DO NOTHING
                RETURNING id
                """,
                connection.id,
                connection.company_id.id,
                uid,
                name,
                known(name, EVENTS),
                raw.decode(),
                str(context.get("resource_type") or "")[:50],
                text_id(context.get("id")),
                "pending" if self._resources_of(name) else "ignored",
            )
        )
        self.invalidate_model()
        if inserted:
            self.env.ref("onergy_payt.ir_cron_payt_event")._trigger()
        return bool(inserted)

    @api.model
    def _resources_of(self, name):
        for start, resources in RESOURCES:
            if name.startswith(start):
                return resources
        return ()

    @api.model
    def _cron_handle(self):
        """Read again what the waiting webhooks are about, each list once."""
        cron = self.env["ir.cron"]
        for connection in self.env["payt.connection"]._get_live():
            waiting = self.with_env(connection.env).search(
                [("connection_id", "=", connection.id), ("state", "=", "pending")],
                order="id",
                limit=BATCH,
            )
            if waiting:
                waiting._handle(connection)
                cron._commit_progress(len(waiting))

    def _handle(self, connection):
        wanted = {
            resource
            for name in self.mapped("name")
            for resource in self._resources_of(name)
        }
        pull = self.env["payt.pull"]
        client = connection._get_client()
        ordered = [name for name in LISTS if name in wanted]
        if connection.push_mandates:
            ordered += [
                name for name in (MANDATES, f"{MANDATES}/deleted") if name in wanted
            ]
        for resource in ordered:
            error = pull._pull_safely(connection, client, resource)
            if error and not isinstance(error, PaytPermissionError):
                # They stay pending; the next run tries again. (What we may not read
                # we will not be able to read a minute later either.)
                return
        pull._afresh(partial(pull._book, connection))
        self.write({"state": "done", "done_date": fields.Datetime.now()})

    @api.autovacuum
    def _gc_old(self):
        margin = fields.Datetime.subtract(fields.Datetime.now(), days=KEEP_DAYS)
        self.search(
            [("state", "!=", "pending"), ("create_date", "<", margin)], limit=10000
        ).unlink()
