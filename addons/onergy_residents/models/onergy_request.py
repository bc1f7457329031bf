from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import email_normalize

ACTIVITY_ANSWER = "onergy_residents.mail_activity_type_answer_request"
WAITING_STATES = ("new", "open")


class OnergyRequest(models.Model):
    """A question, report or complaint of a resident, with its conversation."""

    _name = "onergy.request"
    _description = "Request"
    _inherit = ["portal.mixin", "mail.thread", "mail.activity.mixin"]
    _check_company_auto = True
    _order = "priority desc, date_deadline, id desc"
    _rec_names_search = ["name", "subject", "partner_id", "email_from"]
    _primary_email = "email_from"

    name = fields.Char(
        "Number",
        required=True,
        readonly=True,
        copy=False,
        default="/",
        index="trigram",
    )
    active = fields.Boolean(default=True)
    subject = fields.Char(required=True, tracking=True)
    description = fields.Html(
        "Question",
        sanitize_overridable=False,
        help="What the resident asked. The resident reads this on the portal.",
    )
    attachment_ids = fields.Many2many(
        "ir.attachment",
        string="Files with the question",
        copy=False,
    )
    category = fields.Selection(
        [
            ("question", "Question"),
            ("fault", "Fault"),
            ("move", "Move"),
            ("advance", "Monthly advance"),
            ("post", "Letters and e-mail"),
            ("data", "Correct my data"),
            ("complaint", "Complaint"),
            ("death", "Somebody has died"),
            ("other", "Other"),
        ],
        required=True,
        default="question",
        tracking=True,
    )
    channel = fields.Selection(
        [
            ("portal", "Portal"),
            ("public", "Public form"),
            ("email", "E-mail"),
            ("phone", "Phone"),
        ],
        "Received by",
        required=True,
        default="phone",
    )
    priority = fields.Selection(
        [("0", "Normal"), ("1", "Urgent")], default="0", tracking=True
    )
    stage_id = fields.Many2one(
        "onergy.request.stage",
        required=True,
        index=True,
        ondelete="restrict",
        copy=False,
        tracking=True,
        group_expand="_read_group_expand_full",
        default=lambda self: self._get_stage("new"),
    )
    state = fields.Selection(
        related="stage_id.state", string="Status", store=True, index=True
    )
    user_id = fields.Many2one(
        "res.users",
        "Responsible",
        index=True,
        tracking=True,
        check_company=True,
        domain="[('share', '=', False)]",
        default=lambda self: self.env.company.onergy_request_user_id,
    )
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    partner_id = fields.Many2one(
        "res.partner",
        "Resident",
        index="btree_not_null",
        check_company=True,
        tracking=True,
        help="The resident who asks. He reads the request on the portal.",
    )
    contact_name = fields.Char(help="The name that a visitor without a login gave.")
    email_from = fields.Char(
        "E-mail", compute="_compute_email_from", store=True, readonly=False
    )
    phone = fields.Char(compute="_compute_phone", store=True, readonly=False)
    contract_id = fields.Many2one(
        "onergy.contract",
        index="btree_not_null",
        check_company=True,
        domain="[('partner_id', 'child_of', commercial_partner_id)]",
    )
    commercial_partner_id = fields.Many2one(
        related="partner_id.commercial_partner_id", string="Debtor"
    )
    connection_id = fields.Many2one(related="contract_id.connection_id", store=True)
    complex_id = fields.Many2one(related="contract_id.complex_id", store=True)
    possible_partner_ids = fields.Many2many(
        "res.partner",
        string="Residents with this e-mail address",
        compute="_compute_possible_partner_ids",
        compute_sudo=False,
        groups="base.group_user",
    )
    date_deadline = fields.Date(
        "Answer before",
        copy=False,
        tracking=True,
        help="The last day for our answer, in working days of the company's calendar.",
    )
    is_overdue = fields.Boolean(
        "Overdue", compute="_compute_is_overdue", search="_search_is_overdue"
    )
    date_answered = fields.Datetime("First answer", readonly=True, copy=False)
    date_closed = fields.Datetime("Closed on", readonly=True, copy=False)
    answer_days = fields.Float(
        "Days until first answer",
        compute="_compute_answer_days",
        store=True,
        aggregator="avg",
        digits=(10, 1),
    )

    source_key = fields.Char(
        copy=False,
        groups="base.group_system",
        help="Keyed hash of the internet address of a visitor, kept for a day to "
        "limit how much one address can send.",
    )

    _name_uniq = models.UniqueIndex(
        "(name, company_id) WHERE name != '/'", "This number is already in use."
    )

    # ------------------------------------------------------------------ computes
    @api.depends("name", "subject")
    def _compute_display_name(self):
        for record in self:
            record.display_name = " – ".join(
                filter(None, [record.name, record.subject])
            )

    @api.depends("partner_id")
    def _compute_email_from(self):
        for record in self:
            if record.partner_id.email:
                record.email_from = record.partner_id.email

    @api.depends("partner_id")
    def _compute_phone(self):
        for record in self:
            if record.partner_id.phone:
                record.phone = record.partner_id.phone

    @api.depends("email_from", "partner_id", "company_id")
    def _compute_possible_partner_ids(self):
        """Who a claimed address may belong to: a hint for staff, never a link.

        Anybody can type an address in the public form, so a person decides.
        """
        self.possible_partner_ids = False
        emails = {
            record: email_normalize(record.email_from)
            for record in self
            if not record.partner_id and email_normalize(record.email_from)
        }
        partners = self.env["res.partner"].search(
            [
                ("email_normalized", "in", list(set(emails.values()))),
                ("is_resident", "=", True),
            ]
        )
        for record, email in emails.items():
            record.possible_partner_ids = partners.filtered(
                lambda partner, email=email, company=record.company_id: (
                    partner.email_normalized == email and partner.company_id <= company
                )
            )

    @api.depends("date_deadline", "state")
    @api.depends_context("tz")
    def _compute_is_overdue(self):
        today = fields.Date.context_today(self)
        for record in self:
            record.is_overdue = bool(
                record.state in WAITING_STATES
                and record.date_deadline
                and record.date_deadline < today
            )

    def _search_is_overdue(self, operator, value):
        if operator != "in":
            return NotImplemented
        overdue = Domain("state", "in", WAITING_STATES) & Domain(
            "date_deadline", "<", fields.Date.context_today(self)
        )
        return overdue if True in value else ~overdue

    @api.depends("date_answered")
    def _compute_answer_days(self):
        for record in self:
            if record.date_answered and record.create_date:
                waited = record.date_answered - record.create_date
                record.answer_days = waited.total_seconds() / 86400
            else:
                record.answer_days = 0.0

    def _compute_access_url(self):
        result = super()._compute_access_url()
        for record in self:
            record.access_url = f"/my/requests/{record.id}"
        return result

    # ------------------------------------------------------------------ helpers
    @api.model
    def _get_stage(self, state):
        """Return the first stage with this meaning."""
        return self.env["onergy.request.stage"].search([("state", "=", state)], limit=1)

    @api.model
    def _get_category_choices(self):
        """Return (value, label, plain explanation) for each category of the form.

        A death has forms of its own.
        """
        explanations = {
            "question": self.env._("You want to know something."),
            "fault": self.env._("Your home stays cold, or there is no hot water."),
            "move": self.env._("You are moving in or moving out."),
            "advance": self.env._("You want to pay more or less every month."),
            "post": self.env._("You want letters by post, or by e-mail instead."),
            "data": self.env._("Your name, address or other data are wrong."),
            "complaint": self.env._("You are not satisfied. Tell us what went wrong."),
            "other": self.env._("Your question is about something else."),
        }
        labels = self._fields["category"]._description_selection(self.env)
        return [
            (value, label, explanations[value])
            for value, label in labels
            if value in explanations
        ]

    def _get_lang(self):
        """Return the language to write to the requester in."""
        self.ensure_one()
        return self.partner_id.lang or self.env.lang or self.company_id.partner_id.lang

    @api.model
    def _get_deadline(self, company, category=None):
        """Return the last day to answer what came in now; faults are more urgent.

        Counts the company's working days, public holidays left out, from the day
        after today.
        """
        is_fault = category == "fault"
        days = company.onergy_fault_days if is_fault else company.onergy_request_days
        return company._onergy_add_working_days(days)

    def _create_attachments(self, files):
        """Store files that came in with the request.

        :param files: list of (name, content as bytes)
        :return: the attachments, readable with their token by who has no login
        """
        self.ensure_one()
        attachments = self.env["ir.attachment"].create(
            [
                {"name": name, "raw": raw, "res_model": self._name, "res_id": self.id}
                for name, raw in files
            ]
        )
        attachments.generate_access_token()
        return attachments

    def _get_conversation(self):
        """Return what the resident may read of the chatter, oldest first."""
        self.ensure_one()
        # sudo: the caller's right to read the request covers its public messages
        messages = self.env["mail.message"].sudo()
        return messages.search(
            [
                ("model", "=", self._name),
                ("res_id", "=", self.id),
                ("message_type", "in", ("comment", "email")),
                ("is_internal", "=", False),
                ("subtype_id", "=", self.env.ref("mail.mt_comment").id),
            ],
            order="date, id",
        )

    # ------------------------------------------------------------------ CRUD
    @api.model_create_multi
    def create(self, vals_list):
        requests = super().create([self._complete_values(vals) for vals in vals_list])
        for record in requests.filtered("partner_id"):
            record.message_subscribe(record.partner_id.ids)
        requests._sync_answer_activity()
        return requests

    @api.model
    def _complete_values(self, vals):
        """Return values with company, number and deadline filled in."""
        contract = self.env["onergy.contract"].browse(vals.get("contract_id") or [])
        company = (
            self.env["res.company"].browse(vals.get("company_id") or [])
            or contract.company_id
            or self.env.company
        )
        vals = {**vals, "company_id": company.id}
        if vals.get("name", "/") == "/":
            sequence = self.env["ir.sequence"].with_company(company)
            vals["name"] = sequence.next_by_code("onergy.request")
        if not vals.get("date_deadline"):
            category = vals.get("category")
            vals["date_deadline"] = self._get_deadline(company, category)
        return vals

    def write(self, vals):
        before = {record: (record.state, record.user_id) for record in self}
        result = super().write(vals)
        if vals.get("partner_id"):
            self.message_subscribe([vals["partner_id"]])
        if "stage_id" in vals:
            self._stamp_stage_dates()
        if {"stage_id", "user_id", "date_deadline"} & vals.keys():
            self.filtered(
                lambda r: (r.state, r.user_id) != before[r] or "date_deadline" in vals
            )._sync_answer_activity()
        return result

    def _stamp_stage_dates(self):
        now = fields.Datetime.now()
        closed = self.filtered(lambda r: r.state == "closed")
        closed.filtered(lambda r: not r.date_closed).date_closed = now
        (self - closed).filtered("date_closed").date_closed = False

    def _sync_answer_activity(self):
        """Keep one activity for the responsible of each request that waits for us."""
        waiting = self.filtered(lambda r: r.state in WAITING_STATES and r.user_id)
        (self - waiting).activity_feedback([ACTIVITY_ANSWER])
        for record in waiting:
            planned = record.activity_search([ACTIVITY_ANSWER])
            if planned:
                record.activity_reschedule(
                    [ACTIVITY_ANSWER],
                    date_deadline=record.date_deadline,
                    new_user_id=record.user_id.id,
                )
            else:
                record.activity_schedule(
                    ACTIVITY_ANSWER,
                    date_deadline=record.date_deadline,
                    user_id=record.user_id.id,
                )

    # ------------------------------------------------------------------ actions
    def action_assign_to_me(self):
        """Take these; what is closed stays with who answered it."""
        taken = self.filtered(lambda record: record.state != "closed")
        taken.user_id = self.env.user
        new = taken.filtered(lambda record: record.state == "new")
        new.stage_id = self._get_stage("open")

    def action_close(self):
        open_ = self.filtered(lambda record: record.state != "closed")
        open_.stage_id = self._get_stage("closed")

    def action_reopen(self):
        """Wait for us again, with a new deadline; also the undo of closing."""
        for record in self.filtered(lambda r: r.state not in WAITING_STATES):
            record.write(
                {
                    "stage_id": self._get_stage("open").id,
                    "date_deadline": self._get_deadline(
                        record.company_id, record.category
                    ),
                }
            )

    def action_link_partner(self):
        """Link the one resident whose e-mail address the visitor gave."""
        self.ensure_one()
        if len(self.possible_partner_ids) != 1:
            raise UserError(
                self.env._(
                    "More than one resident has this e-mail address. Choose the right "
                    "one in the field Resident."
                )
            )
        self.partner_id = self.possible_partner_ids
        running = self.partner_id.onergy_contract_ids.filtered(
            lambda c: c.state == "running"
        )
        if len(running) == 1:
            self.contract_id = running
