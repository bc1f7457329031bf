import hashlib
import secrets
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import SQL

from ..tools import DatabaseTokenStore

HOSTS = {
    "demo": ("https://demo-api.paytsoftware.com", "https://demo.paytsoftware.com"),
    "production": ("https://api.paytsoftware.com", "https://app.paytsoftware.com"),
}
# Payt documents ten requests per second and token.
MAX_RATE = 10
JOURNAL_CODE = "PAYT"
# What we log in with; it is sent to the address of the API.
SECRETS = ("api_token", "client_id", "client_secret", "oauth_state")


class PaytConnection(models.Model):
    """One company's administration at Payt: how to get in, and what to do there."""

    _name = "payt.connection"
    _description = "Payt connection"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _check_company_auto = True

    name = fields.Char(required=True, default="Payt")
    active = fields.Boolean(default=True)
    company_id = fields.Many2one(
        "res.company", required=True, default=lambda self: self.env.company
    )
    environment = fields.Selection(
        [("demo", "Demo"), ("production", "Production"), ("custom", "Other address")],
        required=True,
        default="demo",
        tracking=True,
    )
    api_base_url = fields.Char(
        "API address",
        compute="_compute_urls",
        store=True,
        readonly=False,
        required=True,
        tracking=True,
    )
    app_base_url = fields.Char(
        "Application address",
        compute="_compute_urls",
        store=True,
        readonly=False,
        required=True,
    )
    administration_id = fields.Char(tracking=True)
    auth_mode = fields.Selection(
        [
            ("static", "API token"),
            ("client_credentials", "Client credentials"),
            ("authorization_code", "Consent of a Payt user"),
        ],
        "Log in with",
        required=True,
        default="static",
    )
    api_token = fields.Char("Token", copy=False, groups="base.group_system")
    client_id = fields.Char("Client ID", copy=False, groups="base.group_system")
    client_secret = fields.Char(copy=False, groups="base.group_system")
    oauth_state = fields.Char(copy=False, groups="base.group_system")
    is_connected = fields.Boolean(compute="_compute_is_connected", compute_sudo=True)

    live_enabled = fields.Boolean(
        "Live",
        copy=False,
        tracking=True,
        readonly=True,
        help="Off: nothing is sent or fetched; the queue shows what would be sent.",
    )
    fingerprint = fields.Char(
        copy=False,
        groups="base.group_system",
        help="The database in which the connection went live. A copy of it is another "
        "database and does not send.",
    )
    is_live = fields.Boolean(compute="_compute_is_live", compute_sudo=True)
    start_date = fields.Date(
        copy=False,
        tracking=True,
        help="Invoices dated before this day stay out of Payt.",
    )
    send_mode = fields.Selection(
        [
            ("odoo", "We send invoices; Payt only follows up"),
            ("payt", "Payt sends the invoices to our customers"),
        ],
        "Who sends the invoice",
        required=True,
        default="odoo",
        tracking=True,
    )
    send_pdf = fields.Boolean("Send the PDF along", default=True)
    send_lines = fields.Boolean(
        "Send the lines along",
        help="Payt shows the lines of an invoice to the payer; the VAT rates that they "
        "need are made at Payt.",
    )
    vat_codes = fields.Char(
        readonly=True, copy=False, help="The VAT rates that Payt has been told of."
    )
    push_mandates = fields.Boolean(
        "Register direct debit mandates",
        help="Register a mandate at Payt for each contract that pays by direct debit; "
        "revoke it when the contract is paid in another way or from another account.",
    )
    mandate_provider = fields.Selection(
        [("mollie", "Mollie"), ("twikey", "Twikey")], default="twikey"
    )
    booking_mode = fields.Selection(
        [
            ("book", "Book online payments in Odoo"),
            ("status", "Only show them; another source books them"),
        ],
        "Online payments",
        required=True,
        default="book",
        tracking=True,
    )
    journal_id = fields.Many2one(
        "account.journal",
        "Clearing journal",
        check_company=True,
        domain="[('type', 'in', ('bank', 'cash'))]",
        help="Online payments are booked here until the provider pays them out.",
    )
    cost_account_id = fields.Many2one(
        "account.account",
        "Account for Payt's costs",
        check_company=True,
        help="Reminder and collection costs that debtors pay are no part of the "
        "invoice; they are booked here.",
    )
    user_id = fields.Many2one(
        "res.users",
        "Responsible",
        default=lambda self: self.env.user,
        domain="[('share', '=', False)]",
        help="Gets the activities that need a person.",
    )
    requests_per_second = fields.Float(default=8.0)
    page_size = fields.Integer(default=500)
    batch_size = fields.Integer(default=100)
    block_as_json = fields.Boolean(
        "Block with JSON", help="Payt declares only form bodies for these calls."
    )
    identifier_prefix = fields.Char(
        required=True,
        readonly=True,
        copy=False,
        default=lambda self: secrets.token_hex(4),
        help="Makes our identifiers unique at Payt, whatever database they come from.",
    )
    webhook_key = fields.Char(
        copy=False,
        required=True,
        groups="base.group_system",
        default=lambda self: secrets.token_urlsafe(24),
    )
    webhook_secret = fields.Char(copy=False, groups="base.group_system")
    webhook_secret_previous = fields.Char(
        copy=False,
        groups="base.group_system",
        help="Payt may sign with the old secret for a while after a change.",
    )
    webhook_url = fields.Char(
        "Webhook address", compute="_compute_webhook_url", groups="base.group_system"
    )
    plan_max_terms = fields.Integer(
        "Most terms of a payment plan",
        default=6,
        help="Residents may ask for a plan of at most so many monthly terms. 0 = they "
        "cannot ask for one on our portal.",
    )
    paper_fee = fields.Monetary(
        "Fee for paper invoices",
        default=0.0,
        help="Shown to residents who ask for paper invoices. 0 = free of charge.",
    )
    currency_id = fields.Many2one(related="company_id.currency_id")

    _company_uniq = models.UniqueIndex(
        "(company_id) WHERE active", "This company already has a Payt connection."
    )
    _webhook_key_uniq = models.UniqueIndex("(webhook_key)")
    _rate_range = models.Constraint(
        "CHECK (requests_per_second > 0 AND requests_per_second <= 10)",
        "Payt allows at most ten requests per second.",
    )
    _page_range = models.Constraint(
        "CHECK (page_size BETWEEN 1 AND 500 AND batch_size BETWEEN 1 AND 1000)",
        "Pages hold 1 to 500 rows, batches 1 to 1000.",
    )
    _plan_range = models.Constraint(
        "CHECK (plan_max_terms BETWEEN 0 AND 24)",
        "A payment plan has at most 24 terms.",
    )

    # -------------------------------------------------------------------- computes

    @api.depends("environment")
    def _compute_urls(self):
        for connection in self:
            if connection.environment in HOSTS:
                connection.api_base_url, connection.app_base_url = HOSTS[
                    connection.environment
                ]
            else:
                connection.api_base_url = connection.api_base_url or HOSTS["demo"][0]
                connection.app_base_url = connection.app_base_url or HOSTS["demo"][1]

    @api.depends("live_enabled", "fingerprint", "active")
    def _compute_is_live(self):
        here = self._database_fingerprint()
        for connection in self:
            connection.is_live = (
                connection.active
                and connection.live_enabled
                and connection.fingerprint == here
            )

    @api.depends("webhook_key")
    def _compute_webhook_url(self):
        for connection in self:
            base = connection.get_base_url()
            connection.webhook_url = f"{base}/payt/webhook/{connection.webhook_key}"

    @api.constrains("requests_per_second", "environment")
    def _check_rate(self):
        for connection in self:
            if connection.requests_per_second > MAX_RATE:
                raise ValidationError(
                    self.env._("Payt allows at most ten requests per second.")
                )

    # ------------------------------------------------------------------------ CRUD

    @api.model_create_multi
    def create(self, vals_list):
        connections = super().create(vals_list)
        # sudo: nobody may touch the table with the tokens
        self.env["payt.token"].sudo().create(
            [{"connection_id": connection.id} for connection in connections]
        )
        return connections

    def write(self, vals):
        # Another host or administration is another world: prove it works again.
        moved = self.filtered(
            lambda connection: any(
                field in vals and vals[field] != connection[field]
                for field in ("api_base_url", "administration_id", "environment")
            )
        )
        origins = {connection: connection._origin_of_api() for connection in self}
        result = super().write(vals)
        for connection, origin in origins.items():
            if connection._origin_of_api() != origin:
                connection._forget_secrets(vals)
        if vals.get("push_mandates"):
            contracts = self.env["onergy.contract"].search(
                [
                    ("company_id", "in", self.company_id.ids),
                    ("payment_method", "=", "direct_debit"),
                    ("state", "!=", "ended"),
                ]
            )
            self.env["payt.mandate"]._sync(contracts)
        moved.filtered("live_enabled").live_enabled = False
        moved.filtered("vat_codes").vat_codes = False
        return result

    # --------------------------------------------------------------------- helpers

    def _origin_of_api(self):
        """Return (scheme, host and port) that our secrets are sent to."""
        self.ensure_one()
        return urlsplit(self.api_base_url or "")[:2]

    def _forget_secrets(self, vals):
        """Never show another host what was meant for the one before.

        :param vals: what is being written; secrets in there are for the new host
        """
        self.ensure_one()
        # sudo: managers may change the address, but not see or touch secrets
        connection = self.sudo()
        connection.write(
            {name: False for name in SECRETS if connection[name] and name not in vals}
        )
        DatabaseTokenStore(self.env.registry, self.id).forget()
        self.env["payt.token"].invalidate_model()
        self._message_log(
            body=self.env._(
                "The address of the API has changed. What was filled in to log in with "
                "has been removed: fill it in again for the new address."
            )
        )

    @api.model
    def _database_fingerprint(self):
        """Return what tells this database from every copy of it.

        A restored dump has the same uuid but another name or another object id.
        """
        # sudo: the parameter is for administrators only
        uuid = self.env["ir.config_parameter"].sudo().get_param("database.uuid")
        rows = self.env.execute_query(
            SQL(
                "SELECT datname || '/' || oid FROM pg_database "
                "WHERE datname = current_database()"
            )
        )
        return hashlib.sha256(f"{uuid}/{rows[0][0]}".encode()).hexdigest()

    @api.model
    def _by_company(self, companies):
        """Return the connection of each of the companies as a dict."""
        # sudo: whoever posts an invoice need not know the connection
        connections = self.sudo().search([("company_id", "in", companies.ids)])
        return {connection.company_id: connection for connection in connections}

    def _identifier(self, record):
        """Return the identifier by which Payt knows a record of ours."""
        self.ensure_one()
        return f"{self.identifier_prefix}-{record._name}-{record.id}"

    def _record_id(self, identifier, model):
        """Return the database id behind an identifier of ours, or None."""
        self.ensure_one()
        start = f"{self.identifier_prefix}-{model}-"
        text = str(identifier or "")
        number = text.removeprefix(start)
        return int(number) if text.startswith(start) and number.isdigit() else None

    # --------------------------------------------------------------------- actions

    def action_go_live(self):
        self.ensure_one()
        self.check_access("write")
        if not self.start_date:
            raise UserError(self.env._("Fill in the start date first."))
        if self.booking_mode == "book" and not self.journal_id:
            raise UserError(self.env._("Choose the clearing journal first."))
        rows = self._ask_administrations()
        if str(self.administration_id) not in [str(row["id"]) for row in rows]:
            raise UserError(
                self.env._("We have no access to this administration of Payt.")
            )
        # sudo: the fingerprint is for administrators only
        self.sudo().write(
            {"live_enabled": True, "fingerprint": self._database_fingerprint()}
        )
        self._trigger_push()

    def action_pause(self):
        self.live_enabled = False

    def action_sync_now(self):
        self.check_access("write")
        self._require_live()
        for name in ("push", "pull"):
            # sudo: scheduled actions are for administrators only
            self.env.ref(f"onergy_payt.ir_cron_payt_{name}").sudo()._trigger()

    def action_create_clearing_journal(self):
        """Make the journal and the account that hold online payments."""
        self.check_access("write")
        for connection in self.filtered(lambda c: not c.journal_id):
            company = connection.company_id
            known = self.env["account.journal"].search(
                [("company_id", "=", company.id), ("code", "=", JOURNAL_CODE)]
            )
            if known:
                # Of an earlier connection.
                connection.journal_id = known
                continue
            account = self.env["account.account"].create(
                {
                    "name": self.env._("Payt clearing"),
                    "code": self.env["account.account"]
                    .with_company(company)
                    ._search_new_account_code("129000"),
                    "account_type": "asset_current",
                    "reconcile": True,
                    "company_ids": [(6, 0, company.ids)],
                }
            )
            journal = self.env["account.journal"].create(
                {
                    "name": self.env._("Payt online payments"),
                    "code": JOURNAL_CODE,
                    "type": "bank",
                    "company_id": company.id,
                }
            )
            lines = journal.inbound_payment_method_line_ids
            lines.payment_account_id = account
            connection.journal_id = journal

    def _require_live(self):
        for connection in self:
            if not connection.is_live:
                raise UserError(
                    self.env._(
                        "The connection is not live in this database. Nothing is "
                        "sent to Payt."
                    )
                )

    def _trigger_push(self):
        if any(connection.is_live for connection in self):
            # sudo: whoever posts an invoice has no rights on scheduled actions
            self.env.ref("onergy_payt.ir_cron_payt_push").sudo()._trigger()

    def action_check_differences(self):
        return self.env["ir.actions.act_window"]._for_xml_id(
            "onergy_payt.payt_difference_action"
        )

    def action_send_existing(self):
        """Queue the posted invoices from the start date on that are not queued yet."""
        self.check_access("write")
        for connection in self:
            if not connection.start_date:
                raise UserError(self.env._("Fill in the start date first."))
            moves = self.env["account.move"].search(
                [
                    ("company_id", "=", connection.company_id.id),
                    ("move_type", "in", ("out_invoice", "out_refund")),
                    ("state", "=", "posted"),
                    ("invoice_date", ">=", connection.start_date),
                    ("payt_invoice_ids", "=", False),
                ]
            )
            moves._payt_queue()
