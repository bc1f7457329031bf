from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Command, Domain

# In order of precedence; who is in none of them is "none".
PORTAL_STATES = ("active", "invited", "expired")
STAFF_GROUPS = ",".join(
    f"onergy_residents.group_{role}"
    for role in ("customer_service", "metering", "accountant")
)


class ResPartner(models.Model):
    _inherit = "res.partner"

    debtor_number = fields.Char(
        copy=False,
        index="trigram",
        tracking=True,
        help="The number that residents, Payt and the accounts know this payer by. "
        "Given with the first contract.",
    )
    onergy_contract_ids = fields.One2many("onergy.contract", "partner_id", "Contracts")
    onergy_contract_count = fields.Integer(
        compute="_compute_onergy_contract_count", groups=STAFF_GROUPS
    )
    onergy_address = fields.Char(
        "Home",
        compute="_compute_onergy_address",
        groups=STAFF_GROUPS,
        help="The address that he pays for now, else the last one.",
    )
    # For the form of contacts, which colleagues without a role here open as well.
    is_resident = fields.Boolean(
        compute="_compute_is_resident",
        search="_search_is_resident",
        compute_sudo=True,
    )
    onergy_access_code_ids = fields.One2many(
        "onergy.access.code", "partner_id", "Activation codes"
    )
    onergy_portal_state = fields.Selection(
        [
            ("none", "Not invited"),
            ("invited", "Invited"),
            ("expired", "Invitation expired"),
            ("active", "In use"),
        ],
        "Portal access",
        compute="_compute_onergy_portal_state",
        search="_search_onergy_portal_state",
        compute_sudo=True,
        groups="onergy_residents.group_customer_service,"
        "onergy_residents.group_accountant",
        help="In use: the resident has logged in or has set a password.",
    )

    _debtor_number_uniq = models.UniqueIndex(
        "(debtor_number, COALESCE(company_id, 0)) WHERE debtor_number IS NOT NULL",
        "This debtor number is already in use.",
    )

    @api.depends("onergy_contract_ids")
    def _compute_onergy_contract_count(self):
        counts = dict(
            self.env["onergy.contract"]._read_group(
                [("partner_id", "in", self.ids)], ["partner_id"], ["__count"]
            )
        )
        for partner in self:
            partner.onergy_contract_count = counts.get(partner, 0)

    @api.depends("onergy_contract_ids.connection_id.name")
    def _compute_onergy_address(self):
        for partner in self:
            contracts = partner.onergy_contract_ids
            running = contracts.filtered(lambda c: c.state == "running")
            homes = (running or contracts[:1]).connection_id
            more = f" (+{len(homes) - 1})" if len(homes) > 1 else ""
            partner.onergy_address = f"{homes[:1].name or ''}{more}"

    @api.depends("onergy_contract_ids")
    def _compute_is_resident(self):
        for partner in self:
            partner.is_resident = bool(partner.onergy_contract_ids)

    def _search_is_resident(self, operator, value):
        if operator != "in":
            return NotImplemented
        residents = Domain("onergy_contract_ids", "!=", False)
        return residents if True in value else ~residents

    @api.constrains("debtor_number", "company_id")
    def _check_debtor_number(self):
        """A shared contact and a company's own contact cannot carry one number.

        The index refuses a number twice in one company; it cannot see that a contact
        without company belongs to all of them.
        """
        for partner in self.filtered("debtor_number"):
            others = Domain("debtor_number", "=", partner.debtor_number) & Domain(
                "id", "!=", partner.id
            )
            others &= Domain("company_id", "=" if partner.company_id else "!=", False)
            # sudo: the number is taken whether or not this user may see by whom
            if (
                self.sudo()
                .with_context(active_test=False)
                .search_count(others, limit=1)
            ):
                raise ValidationError(
                    self.env._(
                        "Debtor number %(number)s is already in use.",
                        number=partner.debtor_number,
                    )
                )

    @api.depends(
        "user_ids.active", "user_ids.log_ids", "onergy_access_code_ids.used_date"
    )
    def _compute_onergy_portal_state(self):
        partners = self.with_context(active_test=False)
        members = {
            state: partners.search(
                Domain("id", "in", self._origin.ids) & self._onergy_portal_domain(state)
            )
            for state in PORTAL_STATES
        }
        for partner in self:
            partner.onergy_portal_state = next(
                (state for state in PORTAL_STATES if partner._origin in members[state]),
                "none",
            )

    def _search_onergy_portal_state(self, operator, value):
        if operator != "in":
            return NotImplemented
        domains = {state: self._onergy_portal_domain(state) for state in PORTAL_STATES}
        domains["none"] = ~Domain.OR(domains.values())
        return Domain.OR(domains[state] for state in value if state in domains)

    def _onergy_portal_domain(self, state):
        """Return the domain of the contacts whose portal access is in ``state``."""
        # sudo: staff may not read log-ins; the outcome is all that they see
        users = self.env["res.users"].sudo()

        def with_code(code_state):
            # sudo: as above; codes belong to a company, a login does not
            codes = self.env["onergy.access.code"].sudo()
            return Domain(
                "onergy_access_code_ids",
                "in",
                codes._search([("state", "=", code_state)]),
            )

        logged_in = users._search([("share", "=", True), ("log_ids", "!=", False)])
        # The ORM does not read passwords, and whether there is one is all that counts.
        with_password = users._search([("share", "=", True)])
        with_password.add_where("res_users.password IS NOT NULL")
        active = (
            Domain("user_ids", "in", logged_in)
            | Domain("user_ids", "in", with_password)
            | with_code("used")
        )
        invited = ~active & with_code("active")
        return {
            "active": active,
            "invited": invited,
            "expired": ~active & ~invited & with_code("expired"),
        }[state]

    def _onergy_assign_debtor_number(self):
        """Give each payer that has none a debtor number of his company's sequence."""
        for partner in self.filtered(lambda p: not p.debtor_number):
            company = partner.company_id or self.env.company
            partner.debtor_number = (
                self.env["ir.sequence"]
                .with_company(company)
                .next_by_code("onergy.debtor")
            )

    @api.model
    def _search_display_name(self, operator, value):
        """Find a resident by his debtor number wherever a contact is chosen."""
        domain = super()._search_display_name(operator, value)
        if domain is NotImplemented or operator in Domain.NEGATIVE_OPERATORS:
            return domain
        return Domain(domain) | Domain("debtor_number", operator, value)

    @api.model
    def get_import_templates(self):
        return [
            {
                "label": self.env._("Import template for residents"),
                "template": "/onergy_residents/static/import/residents.xlsx",
            },
            *super().get_import_templates(),
        ]

    def action_onergy_contracts(self):
        return {
            "type": "ir.actions.act_window",
            "domain": [("partner_id", "in", self.ids)],
            "name": self.env._("Contracts"),
            "res_model": "onergy.contract",
            "view_mode": "list,kanban,form",
            "context": {"default_partner_id": self.id if len(self) == 1 else False},
        }

    def action_onergy_invite(self):
        """Open the wizard that invites these residents to the portal."""
        action = self.env["ir.actions.actions"]._for_xml_id(
            "onergy_residents.action_onergy_access_invite"
        )
        return {**action, "context": {"default_partner_ids": self.ids}}

    def _onergy_get_company(self):
        """Return the company that supplies this contact, latest contract first."""
        self.ensure_one()
        return (
            self.company_id
            or self.onergy_contract_ids[:1].company_id
            or self.env.company
        )

    def _onergy_check_can_be_invited(self):
        """Raise a ``UserError`` unless all of these may be given a portal login."""
        strangers = self.filtered(lambda p: not p.is_resident)
        if strangers:
            raise UserError(
                self.env._(
                    "Only residents can be invited. These contacts have no contract: "
                    "%(names)s",
                    names=", ".join(strangers.mapped("display_name")),
                )
            )
        # sudo: staff may not read the groups of a user
        staff = self.filtered(
            lambda p: any(u._is_internal() for u in p.sudo().user_ids)
        )
        if staff:
            raise UserError(
                self.env._(
                    "These residents log in as an employee and need no code: %(names)s",
                    names=", ".join(staff.mapped("display_name")),
                )
            )

    def _onergy_get_or_create_portal_user(self):
        """Return the portal login of each resident; make what is missing.

        A new login has the debtor number as its name and no password: it is of no use
        until the resident activates it.

        :return: dict of partner -> ``res.users``
        """
        users = {}
        self._onergy_assign_debtor_number()
        for partner in self:
            user = partner.with_context(active_test=False).user_ids[:1]
            users[partner] = user or partner._onergy_create_portal_user()
            users[partner]._onergy_open_portal()
        return users

    def _onergy_create_portal_user(self):
        self.ensure_one()
        users = self.env["res.users"].with_context(
            no_reset_password=True, active_test=False
        )
        login = self.debtor_number
        if users.search_count([("login", "=", login)], limit=1):
            # Another company numbers its debtors alike; log-ins are shared by all.
            login = f"{login}-{self.id}"
        company = self._onergy_get_company()
        companies = company | self.onergy_contract_ids.company_id
        return users._create_user_from_template(
            {
                "login": login,
                # Today is another day here than in UTC for an hour or two a night.
                "tz": self.tz or self.env.user.tz or "Europe/Amsterdam",
                "partner_id": self.id,
                "company_id": company.id,
                "company_ids": [Command.set(companies.ids)],
            }
        )

    def _onergy_contact_changed(self, old_values):
        """Hook: a resident changed his contact data on the portal.

        :param dict old_values: name of each changed field -> value before the change

        Other addons extend this to pass the change on (Payt).
        """
        self.ensure_one()

    # ------------------------------------------------------------------ portal

    def _onergy_get_balance(self, company):
        """Return what this debtor still owes the company, in its currency.

        Posted bills less payments, also those not yet matched with a bill; negative
        when the company owes him.
        """
        # sudo: the accounts are not a resident's to read, his own balance is
        debtor = self.commercial_partner_id.sudo().with_company(company)
        return company.currency_id.round(debtor.credit)

    def _onergy_get_payments(self, company, limit=24):
        """Return the latest payments of this debtor and those reversed, newest first.

        :return: list of dict with ``date``, ``amount`` (negative: went back to him)
            and ``bills`` (names of the bills it was matched with)
        """
        payments = self._onergy_get_booked_payments(company, limit)
        payments += self._onergy_get_unbooked_payments(company, limit)
        return sorted(payments, key=lambda p: p["date"], reverse=True)[:limit]

    def _onergy_get_booked_payments(self, company, limit):
        """Return payments that are in the journals of the bank."""
        # sudo: portal users read bills only; the domain keeps it to this debtor
        lines = (
            self.env["account.move.line"]
            .sudo()
            .search(
                [
                    ("partner_id", "child_of", self.commercial_partner_id.id),
                    ("company_id", "=", company.id),
                    ("parent_state", "=", "posted"),
                    ("account_type", "=", "asset_receivable"),
                    ("journal_id.type", "in", ("bank", "cash", "credit")),
                ],
                order="date desc, id desc",
                limit=limit,
            )
        )
        return [
            {
                "date": line.date,
                "amount": -line.balance,
                "bills": line._all_reconciled_lines()
                .move_id.filtered(lambda move: move.is_sale_document())
                .mapped("name"),
            }
            for line in lines
        ]

    def _onergy_get_unbooked_payments(self, company, limit):
        """Return payments that Odoo keeps without a journal entry until the bank's."""
        # sudo: as above
        payments = (
            self.env["account.payment"]
            .sudo()
            .search(
                [
                    ("partner_id", "child_of", self.commercial_partner_id.id),
                    ("company_id", "=", company.id),
                    ("partner_type", "=", "customer"),
                    ("state", "in", ("in_process", "paid")),
                    ("move_id", "=", False),
                ],
                order="date desc, id desc",
                limit=limit,
            )
        )
        return [
            {
                "date": payment.date,
                "amount": payment.amount_company_currency_signed,
                "bills": payment.invoice_ids.mapped("name"),
            }
            for payment in payments
        ]
