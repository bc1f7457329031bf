from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date


class OnergyCostStatement(models.Model):
    """What the heat of a complex cost in a year, to be shared out by actual cost.

    For complexes outside the Heat Act, which does not cover a landlord who supplies
    his own tenants nor an owners' association that supplies its members (article 1a):
    no maximum tariffs, but the actual costs, part of them fixed and part by meter.
    """

    _name = "onergy.cost.statement"
    _description = "Cost statement"
    _inherit = ["onergy.step.mixin", "mail.thread", "mail.activity.mixin"]
    _check_company_auto = True
    _order = "date_to desc, complex_id, id desc"
    _guarded = frozenset({"state", "prepared_by_id", "confirmed_by_id"})

    complex_id = fields.Many2one(
        "onergy.complex",
        required=True,
        index=True,
        ondelete="restrict",
        check_company=True,
        domain=[("regime", "!=", "warmtewet")],
        tracking=True,
    )
    company_id = fields.Many2one(
        related="complex_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    date_from = fields.Date(
        "From",
        compute="_compute_dates",
        store=True,
        precompute=True,
        readonly=False,
        required=True,
        tracking=True,
    )
    date_to = fields.Date(
        "Until",
        compute="_compute_dates",
        store=True,
        precompute=True,
        readonly=False,
        required=True,
        tracking=True,
    )
    fixed_key = fields.Selection(
        selection=lambda self: (
            self.env["onergy.complex"]
            ._fields["cost_fixed_key"]
            ._description_selection(self.env)
        ),
        string="Fixed part",
        compute="_compute_fixed_key",
        store=True,
        precompute=True,
        readonly=False,
        required=True,
        tracking=True,
        help="How the fixed part of the costs is shared out, for the days that "
        "somebody pays for a dwelling.",
    )
    state = fields.Selection(
        [
            ("draft", "Draft"),
            ("checked", "To be confirmed"),
            ("confirmed", "Confirmed"),
        ],
        required=True,
        readonly=True,
        default="draft",
        index=True,
        tracking=True,
        copy=False,
    )
    prepared_by_id = fields.Many2one(
        "res.users", readonly=True, copy=False, tracking=True
    )
    confirmed_by_id = fields.Many2one(
        "res.users", readonly=True, copy=False, tracking=True
    )
    problem = fields.Text("What is missing", readonly=True, copy=False)
    line_ids = fields.One2many("onergy.cost.line", "statement_id", "Costs", copy=True)
    share_ids = fields.One2many(
        "onergy.cost.share", "statement_id", "Shares", readonly=True, copy=False
    )
    amount_total = fields.Monetary(
        "Costs incl. VAT", compute="_compute_amount_total", store=True
    )
    share_count = fields.Integer(compute="_compute_share_count")

    # int4range with && stands for "the same complex" without an extension.
    _no_overlap = models.Constraint(
        "EXCLUDE USING gist ("
        "int4range(complex_id, complex_id, '[]') WITH &&, "
        "daterange(date_from, date_to, '[]') WITH &&)",
        "The complex already has a cost statement of these days.",
    )
    _dates_order = models.Constraint(
        "CHECK (date_to >= date_from)", "A cost statement cannot end before it starts."
    )

    @api.depends("complex_id", "date_from", "date_to")
    def _compute_display_name(self):
        for record in self:
            record.display_name = self.env._(
                "Costs of %(complex)s, %(start)s to %(end)s",
                complex=record.complex_id.name or "",
                start=format_date(self.env, record.date_from),
                end=format_date(self.env, record.date_to),
            )

    @api.depends("complex_id")
    def _compute_dates(self):
        """The last whole billing year, as far as it is settled here."""
        today = fields.Date.context_today(self)
        for record in self:
            if not record.complex_id or (record.date_from and record.date_to):
                continue
            first, _last = record.complex_id._get_billing_year(today)
            last = fields.Date.subtract(first, days=1)
            first, last = record.complex_id._get_billing_year(last)
            begin = record.complex_id.company_id.onergy_billing_start
            record.date_from = max(first, begin) if begin and begin <= last else first
            record.date_to = last

    @api.depends("complex_id")
    def _compute_fixed_key(self):
        for record in self:
            record.fixed_key = record.complex_id.cost_fixed_key or "area"

    @api.depends("line_ids.amount")
    def _compute_amount_total(self):
        for record in self:
            record.amount_total = sum(record.line_ids.mapped("amount"))

    @api.depends("share_ids")
    def _compute_share_count(self):
        counts = dict(
            self.env["onergy.cost.share"]._read_group(
                [("statement_id", "in", self.ids)], ["statement_id"], ["__count"]
            )
        )
        for record in self:
            record.share_count = counts.get(record, 0)

    def write(self, vals):
        fixed = {"complex_id", "date_from", "date_to", "fixed_key"} & vals.keys()
        if fixed and any(record.state != "draft" for record in self):
            raise UserError(
                self.env._(
                    "The costs were shared out already. Set the cost statement back "
                    "to draft first."
                )
            )
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_confirmed(self):
        if any(record.state != "draft" for record in self):
            raise UserError(self.env._("Set the cost statement back to draft first."))

    # -- steps ---------------------------------------------------------------------

    def action_share_out(self):
        """Share the costs out, or tell what is missing and share nothing out."""
        for record in self:
            if record.state == "confirmed":
                raise UserError(
                    self.env._("This cost statement was confirmed already.")
                )
            problems = record._share_out()
            record._write_step(
                {
                    "problem": "\n".join(problems),
                    "state": "draft" if problems else "checked",
                    "prepared_by_id": self.env.uid,
                    "confirmed_by_id": False,
                }
            )

    def action_confirm(self):
        """A manager confirms; bills can be made."""
        for record in self:
            if record.state != "checked":
                raise UserError(self.env._("Share the costs out first."))
            record.company_id._onergy_check_approver(record.prepared_by_id)
            record._write_step({"state": "confirmed", "confirmed_by_id": self.env.uid})

    def action_draft(self):
        """Back to the costs; bills that were made stand, and can be corrected."""
        confirmed = self.filtered(lambda r: r.state == "confirmed")
        manager = "onergy_residents.group_manager"
        if confirmed and not self.env.user.has_group(manager):
            raise UserError(
                self.env._("Only a manager opens a cost statement that was confirmed.")
            )
        self._write_step({"state": "draft", "confirmed_by_id": False})

    def action_open_shares(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "onergy_billing.action_onergy_cost_share"
        )
        return {**action, "domain": [("statement_id", "=", self.id)]}
