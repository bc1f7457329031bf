from markupsafe import Markup

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Command, Domain

from .onergy_consent_purpose import DAILY_READINGS

# Who may read advances; metering staff works with contracts without them.
ADVANCE_GROUPS = (
    "base.group_portal,"
    "onergy_residents.group_customer_service,onergy_residents.group_accountant"
)


class OnergyContract(models.Model):
    """Who pays for a connection, from one day until another (both included)."""

    _name = "onergy.contract"
    _description = "Supply contract"
    _inherit = [
        "portal.mixin",
        "mail.thread",
        "mail.activity.mixin",
        "onergy.logged.mixin",
    ]
    _logged_fields = ("partner_id",)
    _check_company_auto = True
    _order = "date_start desc, id desc"
    _rec_names_search = ["name", "partner_id", "connection_id"]

    name = fields.Char(
        "Contract number", required=True, readonly=True, copy=False, default="/"
    )
    active = fields.Boolean(default=True)
    connection_id = fields.Many2one(
        "onergy.connection",
        required=True,
        index=True,
        ondelete="restrict",
        check_company=True,
        tracking=True,
    )
    complex_id = fields.Many2one(
        related="connection_id.complex_id", store=True, index=True
    )
    company_id = fields.Many2one(
        related="connection_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    partner_id = fields.Many2one(
        "res.partner",
        "Payer",
        required=True,
        index=True,
        ondelete="restrict",
        check_company=True,
        tracking=True,
    )
    role = fields.Selection(
        [
            ("tenant", "Tenant"),
            ("owner_occupier", "Owner-occupier"),
            ("vacancy", "Owner during vacancy"),
        ],
        required=True,
        default="tenant",
        tracking=True,
    )
    date_start = fields.Date(
        "From", required=True, default=fields.Date.context_today, tracking=True
    )
    date_end = fields.Date(
        "Until", tracking=True, help="The last day that is paid; empty while it runs."
    )
    state = fields.Selection(
        [("future", "Future"), ("running", "Running"), ("ended", "Ended")],
        compute="_compute_state",
        search="_search_state",
    )
    payment_method = fields.Selection(
        [("direct_debit", "Direct debit"), ("bank_transfer", "Bank transfer")],
        required=True,
        default="bank_transfer",
        tracking=True,
    )
    invoice_delivery = fields.Selection(
        [("email", "E-mail"), ("post", "Post")],
        required=True,
        default="email",
        tracking=True,
    )
    bank_account_id = fields.Many2one(
        "res.partner.bank",
        domain="[('partner_id', 'child_of', commercial_partner_id)]",
        check_company=True,
        tracking=True,
        groups="base.group_user",
    )
    commercial_partner_id = fields.Many2one(
        related="partner_id.commercial_partner_id", string="Debtor"
    )
    # Staff only: who may look along at a home does not learn how to reach its payer.
    debtor_number = fields.Char(
        related="partner_id.debtor_number", groups="base.group_user"
    )
    advance_ids = fields.One2many(
        "onergy.advance", "contract_id", groups=ADVANCE_GROUPS
    )
    grant_ids = fields.One2many(
        "onergy.access.grant", "contract_id", "Access for others"
    )
    current_advance_amount = fields.Monetary(
        "Monthly advance",
        compute="_compute_current_advance_amount",
        groups=ADVANCE_GROUPS,
    )
    mandate_ids = fields.One2many(
        "onergy.mandate", "contract_id", "Mandates", groups=ADVANCE_GROUPS
    )
    consent_ids = fields.One2many("onergy.consent", "contract_id", "Consents")
    daily_readings_allowed = fields.Boolean(
        "Daily readings shown",
        compute="_compute_daily_readings_allowed",
        search="_search_daily_readings_allowed",
        compute_sudo=True,
        help="Whether the resident may see use per day: by the legal basis recorded "
        "for the complex, or by his own consent where that is the basis.",
    )
    note = fields.Html("Internal note", groups="base.group_user")
    invoice_count = fields.Integer(
        compute="_compute_invoice_count",
        groups="account.group_account_readonly,account.group_account_invoice",
    )
    move_count = fields.Integer(
        compute="_compute_move_count",
        groups="onergy_residents.group_customer_service,"
        "onergy_residents.group_accountant",
    )
    portal_state = fields.Selection(
        related="partner_id.onergy_portal_state", string="Portal access"
    )
    email = fields.Char(
        related="partner_id.email", string="E-mail", groups="base.group_user"
    )
    phone = fields.Char(related="partner_id.phone", groups="base.group_user")

    # int4range with && stands for "the same connection" without an extension.
    _no_overlap = models.Constraint(
        "EXCLUDE USING gist ("
        "int4range(connection_id, connection_id, '[]') WITH &&, "
        "daterange(date_start, date_end, '[]') WITH &&) WHERE (active)",
        "Another contract of this connection covers the same days. End that one first.",
    )
    _dates_order = models.Constraint(
        "CHECK (date_end IS NULL OR date_end >= date_start)",
        "A contract cannot end before it starts.",
    )

    def _get_today(self):
        return fields.Date.context_today(self)

    @api.depends("date_start", "date_end")
    @api.depends_context("tz")
    def _compute_state(self):
        today = self._get_today()
        for record in self:
            if record.date_start and record.date_start > today:
                record.state = "future"
            elif record.date_end and record.date_end < today:
                record.state = "ended"
            else:
                record.state = "running"

    def _search_state(self, operator, value):
        if operator != "in":
            return NotImplemented
        today = self._get_today()
        domains = {
            "future": Domain("date_start", ">", today),
            "running": Domain("date_start", "<=", today)
            & (Domain("date_end", "=", False) | Domain("date_end", ">=", today)),
            "ended": Domain("date_end", "<", today),
        }
        return Domain.OR(domains[state] for state in value if state in domains)

    @api.depends("advance_ids.amount", "advance_ids.date_from")
    def _compute_current_advance_amount(self):
        today = self._get_today()
        for record in self:
            record.current_advance_amount = record._get_advance(today).amount

    @api.depends("complex_id.daily_basis", "consent_ids.date_withdrawn")
    def _compute_daily_readings_allowed(self):
        allowed = self.filtered_domain(self._get_daily_domain())
        for record in self:
            record.daily_readings_allowed = record in allowed

    def _search_daily_readings_allowed(self, operator, value):
        if operator != "in":
            return NotImplemented
        allowed = self._get_daily_domain()
        return allowed if True in value else ~allowed

    @api.model
    def _get_daily_domain(self):
        """Return the domain of contracts whose resident may see single days."""
        consent = Domain("purpose_id.code", "=", DAILY_READINGS) & Domain(
            "date_withdrawn", "=", False
        )
        return Domain("complex_id.daily_basis", "=", "contract") | (
            Domain("complex_id.daily_basis", "=", "consent")
            & Domain("consent_ids", "any", consent)
        )

    def _compute_invoice_count(self):
        counts = dict(
            self.env["account.move"]._read_group(
                [("onergy_contract_id", "in", self.ids)],
                ["onergy_contract_id"],
                ["__count"],
            )
        )
        for record in self:
            record.invoice_count = counts.get(record, 0)

    def _compute_move_count(self):
        counts = dict(
            self.env["onergy.move"]._read_group(
                [("contract_id", "in", self.ids)], ["contract_id"], ["__count"]
            )
        )
        for record in self:
            record.move_count = counts.get(record, 0)

    @api.depends("name", "connection_id.name")
    def _compute_display_name(self):
        for record in self:
            record.display_name = " – ".join(
                filter(None, [record.name, record.connection_id.name])
            )

    def _compute_access_url(self):
        result = super()._compute_access_url()
        for record in self:
            record.access_url = f"/my/data?contract_id={record.id}"
        return result

    @api.constrains("bank_account_id", "partner_id")
    def _check_bank_account(self):
        for record in self:
            holder = record.bank_account_id.partner_id.commercial_partner_id
            if holder and holder != record.partner_id.commercial_partner_id:
                raise ValidationError(
                    self.env._(
                        "The bank account %(account)s belongs to %(holder)s, not to "
                        "the payer of this contract.",
                        account=record.bank_account_id.acc_number,
                        holder=holder.display_name,
                    )
                )

    @api.constrains("active")
    def _check_archive(self):
        """Archiving lets go of the connection's days, so it is for mistakes only."""
        archived = self.filtered(lambda c: not c.active)
        if billed := archived._get_billed():
            raise ValidationError(
                self.env._(
                    "%(contract)s has invoices and has to stay on the books. Give it "
                    "an end date instead of archiving it.",
                    contract=billed[0].display_name,
                )
            )
        running = archived.filtered(lambda c: c.state == "running")[:1]
        if running:
            raise ValidationError(
                self.env._(
                    "%(contract)s is running. End it before you archive it.",
                    contract=running.display_name,
                )
            )

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            if vals.get("name", "/") == "/":
                connection = self.env["onergy.connection"].browse(vals["connection_id"])
                vals["name"] = (
                    self.env["ir.sequence"]
                    .with_company(connection.company_id)
                    .next_by_code("onergy.contract")
                )
        # The database judges each row as it comes: the end of the old contract first.
        self.flush_model(["active", "connection_id", "date_start", "date_end"])
        contracts = super().create(vals_list)
        contracts._welcome_payer()
        contracts._sync_mandates()
        return contracts

    def write(self, vals):
        if {"partner_id", "connection_id"} & vals.keys():
            self._check_payer_change(vals)
        result = super().write(vals)
        if "partner_id" in vals:
            self._welcome_payer()
        if {"payment_method", "bank_account_id"} & vals.keys():
            self._sync_mandates()
        return result

    def _get_mandate(self, *states):
        """Return the mandates of these contracts that are in one of these states."""
        return self.env["onergy.mandate"].search(
            [("contract_id", "in", self.ids), ("state", "in", states)]
        )

    def _sync_mandates(self):
        """Let the mandates follow a payment method or account that staff filled in.

        Imports and clerks say how a payer pays; a mandate signed elsewhere goes with
        that and is recorded as taken over.
        """
        if not self.env.context.get("onergy_mandate_sync", True):
            return
        # sudo: mandates are made and changed by their own methods only
        contracts = self.sudo()
        debited = contracts.filtered(
            lambda c: c.payment_method == "direct_debit" and c.bank_account_id
        )
        active = {
            mandate.contract_id: mandate for mandate in contracts._get_mandate("active")
        }
        wrong = self.env["onergy.mandate"].union(
            *(
                mandate
                for contract, mandate in active.items()
                if contract not in debited
                or mandate.bank_account_id != contract.bank_account_id
            )
        )
        today = fields.Date.context_today(self)
        wrong.sudo().with_context(onergy_mandate_sync=False)._end_by_staff(debited)
        without = debited.filtered(lambda c: c not in active or active[c] in wrong)
        # sudo: as above
        made = (
            self.env["onergy.mandate"]
            .sudo()
            .create(
                [
                    {
                        "contract_id": contract.id,
                        "bank_account_id": contract.bank_account_id.id,
                        "holder_name": contract.bank_account_id.acc_holder_name
                        or contract.partner_id.name,
                        "signed_how": "recorded",
                        "signed_by_id": self.env.uid,
                        "signed_date": min(contract.date_start, today),
                        "valid_from": min(contract.date_start, today),
                        "state": "active",
                    }
                    for contract in without
                ]
            )
        )
        (wrong | made)._mandate_changed()

    def _check_payer_change(self, vals):
        """Refuse to hand over a billed contract: it would show the past to another."""
        changed = self.filtered(
            lambda contract: any(
                contract[name].id != vals[name]
                for name in ("partner_id", "connection_id")
                if name in vals
            )
        )
        if billed := changed._get_billed():
            raise ValidationError(
                self.env._(
                    "%(contract)s has invoices, so its payer and connection stay. End "
                    "it and enter a new contract.",
                    contract=billed[0].display_name,
                )
            )

    def _get_billed(self):
        """Return which of these contracts have a posted invoice."""
        # sudo: bills bind the contract, also for who may not read bills
        moves = self.env["account.move"].sudo()
        billed = moves._read_group(
            [("onergy_contract_id", "in", self.ids), ("state", "=", "posted")],
            ["onergy_contract_id"],
        )
        return self.browse([contract.id for [contract] in billed])

    def _welcome_payer(self):
        """Give payers what they need: a number, and access to this company's data."""
        self.partner_id._onergy_assign_debtor_number()
        for contract in self:
            # sudo: a clerk may not write users; a login gains no more than the company
            users = contract.partner_id.sudo().user_ids.filtered("share")
            for user in users.filtered(
                lambda user, company=contract.company_id: (
                    company not in user.company_ids
                )
            ):
                user.company_ids = [Command.link(contract.company_id.id)]

    @api.model
    def get_import_templates(self):
        return [
            {
                "label": self.env._("Import template for contracts"),
                "template": "/onergy_residents/static/import/contracts.xlsx",
            }
        ]

    def action_open_invoices(self):
        action = self.env["ir.actions.actions"]._for_xml_id(
            "account.action_move_out_invoice_type"
        )
        return {
            **action,
            "domain": [("onergy_contract_id", "in", self.ids)],
            "context": {"create": False},
        }

    def _get_first_visible_day(self):
        """Return the first day of this contract that the user may see.

        Its first day for the payer and for staff. Somebody who may look along sees no
        use from before his access began; False when he may not look at all.
        """
        self.ensure_one()
        user = self.env.user
        # sudo: whose contract it is decides what is shown of it
        contract = self.sudo()
        payer = contract.partner_id.commercial_partner_id
        if not user.share or payer == user.commercial_partner_id:
            return contract.date_start
        grants = contract.grant_ids.filtered(
            lambda g: g.partner_id == user.partner_id and g.state == "active"
        )
        if not grants:
            return False
        return max(contract.date_start, min(grants.mapped("date_from")))

    def action_report_move(self):
        """Open the move that was reported for this contract, else a new one."""
        self.ensure_one()
        move = self.env["onergy.move"].search(
            [
                ("contract_id", "=", self.id),
                ("state", "in", ("draft", "reported", "checked")),
            ],
            limit=1,
        )
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Move"),
            "res_model": "onergy.move",
            "res_id": move.id,
            "view_mode": "form",
            "context": {"default_contract_id": self.id},
        }

    def action_open_moves(self):
        action = self.env["ir.actions.actions"]._for_xml_id(
            "onergy_residents.action_onergy_move"
        )
        return {**action, "domain": [("contract_id", "in", self.ids)], "context": {}}

    def action_open_connection(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "onergy.connection",
            "res_id": self.connection_id.id,
            "view_mode": "form",
        }

    def action_onergy_invite(self):
        """Open the wizard that invites the payers of these contracts to the portal."""
        return self.partner_id.action_onergy_invite()

    def _log_advances(self, title, advances):
        """Leave a note in the history: what the payer owes each month is a promise."""
        self.ensure_one()
        self._message_log(
            body=Markup("<p>%s</p><ul>%s</ul>")
            % (
                title,
                Markup().join(
                    Markup("<li>%s</li>") % a.display_name
                    for a in advances.sorted("date_from")
                ),
            )
        )

    def _get_advance(self, date):
        """Return the advance that is in force on ``date`` (empty if none is)."""
        self.ensure_one()
        return self.advance_ids.filtered(lambda a: a.date_from <= date).sorted(
            "date_from"
        )[-1:]
