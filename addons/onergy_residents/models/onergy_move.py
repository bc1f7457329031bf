from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from .onergy_connection import normalise_postcode

ACTIVITY_MOVE = "onergy_residents.mail_activity_type_move"
ACTIVITY_SUCCESSOR = "onergy_residents.mail_activity_type_successor"
#: States in which the resident can still change or withdraw what he reported.
OPEN_STATES = ("draft", "reported", "checked")
#: A report that was not sent is thrown away after these days.
DRAFT_DAYS = 7

KINDS = [
    ("move_out", "Moving out"),
    ("move_in", "Moving in"),
    ("sale", "Sale of the dwelling"),
    ("death", "Death of the account holder"),
    ("landlord", "Landlord starts or stops"),
]


class OnergyMove(models.Model):
    """One change of payer: who leaves, from which day, who comes next.

    A resident reports it on the portal or a clerk enters it (draft -> reported); the
    clerk looks at what will happen (checked) and carries it out (done). Until then
    the resident can change or withdraw it. What was carried out can be undone as
    long as nothing was billed on it: see ``onergy_move_execution``.
    """

    _name = "onergy.move"
    _description = "Move"
    _inherit = ["portal.mixin", "mail.thread", "mail.activity.mixin"]
    _check_company_auto = True
    _order = "date_end desc, id desc"
    _rec_names_search = ["name", "partner_id", "connection_id"]

    name = fields.Char("Number", required=True, readonly=True, copy=False, default="/")
    kind = fields.Selection(KINDS, required=True, default="move_out", tracking=True)
    channel = fields.Selection(
        [
            ("portal", "Portal"),
            ("phone", "Phone or letter"),
            ("sheet", "Spreadsheet"),
        ],
        "Received by",
        required=True,
        default="phone",
        readonly=True,
    )
    state = fields.Selection(
        [
            ("draft", "Not sent yet"),
            ("reported", "Reported"),
            ("checked", "Checked"),
            ("done", "Carried out"),
            ("cancelled", "Cancelled"),
        ],
        required=True,
        readonly=True,
        default="reported",
        index=True,
        copy=False,
        tracking=True,
    )
    contract_id = fields.Many2one(
        "onergy.contract",
        "Contract that ends",
        index=True,
        check_company=True,
        ondelete="restrict",
        compute="_compute_contract_id",
        store=True,
        readonly=False,
        precompute=True,
        domain="[('connection_id', '=?', connection_id)]",
        tracking=True,
    )
    connection_id = fields.Many2one(
        "onergy.connection",
        required=True,
        index=True,
        check_company=True,
        ondelete="restrict",
        compute="_compute_connection_id",
        store=True,
        readonly=False,
        precompute=True,
        tracking=True,
    )
    complex_id = fields.Many2one(related="connection_id.complex_id", store=True)
    company_id = fields.Many2one(
        related="connection_id.company_id", store=True, index=True
    )
    partner_id = fields.Many2one(
        "res.partner",
        "Reported for",
        index=True,
        check_company=True,
        compute="_compute_partner_id",
        store=True,
        readonly=False,
        precompute=True,
        help="The payer who leaves. He follows this move on the portal.",
    )
    user_id = fields.Many2one(
        "res.users",
        "Responsible",
        check_company=True,
        domain="[('share', '=', False)]",
        tracking=True,
        groups="base.group_user",
        compute="_compute_user_id",
        store=True,
        readonly=False,
    )
    date_end = fields.Date(
        "Last day",
        compute="_compute_date_end",
        store=True,
        readonly=False,
        precompute=True,
        tracking=True,
        help="The last day that the old contract pays for. With a death it may stay "
        "empty: the contract goes on in the name of the estate.",
    )
    note = fields.Text("Remark")
    request_id = fields.Many2one(
        "onergy.request",
        "Made of request",
        readonly=True,
        copy=False,
        check_company=True,
        index="btree_not_null",
        ondelete="set null",
        groups="base.group_user",
    )

    # -- where he goes
    new_street = fields.Char("New street and number", tracking=True)
    new_zip = fields.Char("New postcode", tracking=True)
    new_city = fields.Char("New town", tracking=True)
    new_country_id = fields.Many2one("res.country", "New country")
    address_applied = fields.Boolean(readonly=True, copy=False)

    # -- who comes next
    next_kind = fields.Selection(
        [
            ("resident", "A new resident"),
            ("owner", "The owner: the dwelling stands empty"),
            ("unknown", "Not known yet"),
            ("later", "I enter the next contract myself"),
        ],
        "Who comes next",
        default="unknown",
        required=True,
        tracking=True,
    )
    next_date = fields.Date(
        "First day of the next", help="Empty: the day after the last day."
    )
    # Whoever leaves may not read who comes, unless he told us: _get_next_text.
    next_name = fields.Char("Name of the next", groups="base.group_user")
    next_email = fields.Char("E-mail of the next", groups="base.group_user")
    next_phone = fields.Char("Phone of the next", groups="base.group_user")
    next_role = fields.Selection(
        [
            ("tenant", "Tenant"),
            ("owner_occupier", "Owner-occupier"),
            ("vacancy", "Owner during vacancy"),
        ],
        "Role of the next",
        compute="_compute_next_role",
        store=True,
        readonly=False,
        precompute=True,
        groups="base.group_user",
    )
    next_partner_id = fields.Many2one(
        "res.partner",
        "Next payer",
        check_company=True,
        groups="base.group_user",
        help="Empty: a new contact is made of name, e-mail and phone.",
    )

    # -- death
    date_death = fields.Date("Day of death")
    contact_name = fields.Char("Contact of the heirs")
    contact_email = fields.Char("E-mail of the contact")
    contact_phone = fields.Char("Phone of the contact")

    # -- what came of it
    next_contract_id = fields.Many2one(
        "onergy.contract",
        "Next contract",
        readonly=True,
        copy=False,
        index="btree_not_null",
        groups="base.group_user",
    )
    vacancy_contract_id = fields.Many2one(
        "onergy.contract",
        "Vacancy contract",
        readonly=True,
        copy=False,
        index="btree_not_null",
        groups="base.group_user",
    )
    undo_values = fields.Json(
        readonly=True,
        copy=False,
        groups="base.group_system",
        export_string_translation=False,
    )
    date_done = fields.Datetime("Carried out on", readonly=True, copy=False)
    preview = fields.Html(
        "What will happen", compute="_compute_preview", groups="base.group_user"
    )
    has_problems = fields.Boolean(compute="_compute_preview", groups="base.group_user")

    _name_uniq = models.UniqueIndex(
        "(name, company_id) WHERE name != '/'", "This number is already in use."
    )
    # Who sends a form twice, or uploads a sheet twice, reports the same thing once.
    _one_open_per_contract = models.UniqueIndex(
        "(contract_id) WHERE state IN ('reported', 'checked') AND kind != 'death'",
        "A move of this contract was already reported. Change that one, or cancel it.",
    )

    # ------------------------------------------------------------------ computes
    @api.depends("connection_id", "kind")
    def _compute_contract_id(self):
        """A new resident takes the place of whoever pays for the dwelling now."""
        for move in self:
            if move.contract_id.connection_id != move.connection_id:
                # sudo: who moves in may not read the contract that he replaces
                move.contract_id = move.sudo().connection_id.current_contract_id

    @api.depends("contract_id")
    def _compute_connection_id(self):
        for move in self:
            if move.contract_id:
                move.connection_id = move.contract_id.connection_id

    @api.depends("contract_id")
    def _compute_partner_id(self):
        for move in self:
            if move.contract_id and not move.partner_id:
                move.partner_id = move.contract_id.partner_id

    @api.depends("kind", "next_date")
    def _compute_date_end(self):
        for move in self:
            if move.kind == "move_in" and move.next_date:
                move.date_end = move.next_date - timedelta(days=1)

    @api.onchange("kind")
    def _onchange_kind(self):
        if self.kind == "move_in":
            self.next_kind = "resident"

    @api.depends("company_id")
    def _compute_user_id(self):
        for move in self:
            move.user_id = move.user_id or move.company_id.onergy_request_user_id

    @api.depends("kind", "contract_id")
    def _compute_next_role(self):
        for move in self:
            if move.kind == "sale":
                move.next_role = "owner_occupier"
            elif move.contract_id.role in ("tenant", "owner_occupier"):
                move.next_role = move.contract_id.role
            else:
                move.next_role = "tenant"

    @api.depends("name", "partner_id.name", "connection_id.name")
    def _compute_display_name(self):
        for move in self:
            move.display_name = " – ".join(
                filter(None, [move.name, move.connection_id.name])
            )

    def _compute_access_url(self):
        result = super()._compute_access_url()
        for move in self:
            move.access_url = f"/my/move/{move.id}"
        return result

    # ------------------------------------------------------------------ CRUD
    @api.model_create_multi
    def create(self, vals_list):
        # The database judges each row as it comes: a cancelled move first.
        self.flush_model(["state", "contract_id", "kind"])
        moves = super().create([normalise_new_address(vals) for vals in vals_list])
        for move in moves.filtered(lambda m: m.name == "/"):
            move.name = (
                self.env["ir.sequence"]
                .with_company(move.company_id)
                .next_by_code("onergy.move")
            )
        moves._sync_activity()
        moves._tell_request()
        return moves

    def _tell_request(self):
        """Let a move and the request that it was made of point at each other."""
        # sudo: residents who report a move may not read this link; theirs is empty
        for move in self.sudo().filtered("request_id"):
            move.message_post_with_source(
                "mail.message_origin_link",
                render_values={"self": move, "origin": move.request_id},
                subtype_xmlid="mail.mt_note",
            )
            move.request_id._message_log(
                body=self.env._("Move made: %s", move._get_html_link())
            )

    def write(self, vals):
        result = super().write(normalise_new_address(vals))
        if {"state", "user_id", "date_end"} & vals.keys():
            self._sync_activity()
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_except_done(self):
        if self.filtered(lambda move: move.state == "done"):
            raise UserError(
                self.env._("A move that was carried out stays in the history.")
            )

    @api.autovacuum
    def _gc_drafts(self):
        """Throw away what residents began and never sent."""
        before = fields.Datetime.now() - timedelta(days=DRAFT_DAYS)
        self.search([("state", "=", "draft"), ("write_date", "<", before)]).unlink()

    # ------------------------------------------------------------------ activities
    def _sync_activity(self):
        """Keep one activity for the responsible of each move that waits for us."""
        waiting = self.filtered(
            lambda m: m.state in ("reported", "checked") and m.user_id
        )
        (self - waiting).activity_feedback([ACTIVITY_MOVE])
        today = fields.Date.context_today(self)
        for move in waiting:
            # By the last day: the reading of that day has to be asked for.
            deadline = max(move.date_end or today, today)
            if move.activity_search([ACTIVITY_MOVE]):
                move.activity_reschedule(
                    [ACTIVITY_MOVE],
                    date_deadline=deadline,
                    new_user_id=move.user_id.id,
                )
            else:
                move.activity_schedule(
                    ACTIVITY_MOVE, date_deadline=deadline, user_id=move.user_id.id
                )

    # ------------------------------------------------------------------ steps
    def _send_report(self):
        """The resident sends his report, or sends it again after a change."""
        self.state = "reported"
        self._send_mail("mail_template_move_received")

    def _changed_by_resident(self):
        """What was sent before has changed: a clerk has to look at it again."""
        for move in self:
            move._message_log(
                body=self.env._("The resident changed this report on the portal."),
                author_id=move.partner_id.id,
            )
            if move.state in OPEN_STATES:
                move._send_report()

    def action_check(self):
        """Note that a person has looked at the report."""
        self.filtered(lambda move: move.state == "reported").state = "checked"

    def action_cancel(self):
        self._check_not_done()
        self.state = "cancelled"

    def action_reopen(self):
        self.filtered(lambda move: move.state == "cancelled").state = "reported"

    def _cancel_by_resident(self):
        """Withdraw a report; one that was never sent leaves no trace."""
        self.ensure_one()
        if self.state == "draft":
            self.unlink()
            return
        self.action_cancel()
        self._message_log(
            body=self.env._("The resident withdrew this report on the portal."),
            author_id=self.partner_id.id,
        )
        self._send_mail("mail_template_move_cancelled")

    def _check_not_done(self):
        if self.filtered(lambda move: move.state == "done"):
            raise UserError(
                self.env._("This move was already carried out. Undo it first.")
            )

    # ------------------------------------------------------------------ openers
    def action_open_request(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "onergy.request",
            "res_id": self.request_id.id,
            "view_mode": "form",
        }

    def action_open_contract(self):
        self.ensure_one()
        contracts = self.contract_id | self.vacancy_contract_id | self.next_contract_id
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Contracts"),
            "res_model": "onergy.contract",
            "domain": [("id", "in", contracts.ids)],
            "view_mode": "list,form",
        }

    @api.model
    def _get_open_domain(self, partner):
        """Return the domain of the moves that a debtor may see."""
        return Domain("partner_id", "child_of", partner.commercial_partner_id.id)


def normalise_new_address(vals):
    """Return ``vals`` with a Dutch new postcode as 1234 AB."""
    if not vals.get("new_zip"):
        return vals
    return {**vals, "new_zip": normalise_postcode({"zip": vals["new_zip"]})["zip"]}
