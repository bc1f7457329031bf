from decimal import ROUND_DOWN, Decimal

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command

from ..client import format_money, parse_money, parse_utc, text_id, web_address
from ..const import QUIET


class PaytPlan(models.Model):
    """A payment plan: proposed by a debtor, decided by us, watched by Payt.

    A debtor proposes on Payt's page or on our portal. Payt's API takes approved plans
    only, so a proposal of our portal stays here until somebody approves it; then the
    plan is made at Payt.
    """

    _name = "payt.plan"
    _description = "Payment plan"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "id desc"
    _rec_name = "partner_id"

    connection_id = fields.Many2one(
        "payt.connection", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="connection_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    payt_id = fields.Char("Payt ID", readonly=True)
    debtor_id = fields.Many2one(
        "payt.debtor", required=True, index=True, ondelete="cascade", readonly=True
    )
    partner_id = fields.Many2one(
        related="debtor_id.partner_id", string="Payer", store=True, index=True
    )
    is_ours = fields.Boolean(
        "Asked on our portal", readonly=True, help="Payt knows of it once approved."
    )
    asked_invoice_ids = fields.Many2many(
        "payt.invoice", "payt_plan_asked_invoice_rel", string="Asked for", readonly=True
    )
    invoice_ids = fields.Many2many("payt.invoice", compute="_compute_invoice_ids")
    term_ids = fields.One2many("payt.plan.term", "plan_id", readonly=True)
    amount = fields.Monetary(compute="_compute_amount", store=True)
    amount_due = fields.Monetary("Still due", compute="_compute_amount", store=True)
    state = fields.Selection(
        [
            ("proposed", "Proposed"),
            ("active", "Active"),
            ("finished", "Paid"),
            ("rejected", "Rejected"),
            ("ended", "Ended"),
        ],
        readonly=True,
        index=True,
    )
    reason = fields.Char("Reason of the payer", readonly=True)
    proposed_date = fields.Datetime(readonly=True)
    decision = fields.Selection(
        [
            ("create", "Make it at Payt"),
            ("approve", "Approve"),
            ("reject", "Reject"),
            ("deactivate", "End"),
        ],
        readonly=True,
        help="Decided here, not yet carried out at Payt.",
    )
    public_url = fields.Char("Page of the plan", readonly=True)
    payt_updated = fields.Char(readonly=True)

    _payt_uniq = models.UniqueIndex("(connection_id, payt_id)")

    @api.depends("term_ids.amount", "term_ids.amount_due")
    def _compute_amount(self):
        for plan in self:
            plan.amount = sum(plan.term_ids.mapped("amount"))
            plan.amount_due = sum(plan.term_ids.mapped("amount_due"))

    def _compute_invoice_ids(self):
        invoices = self.env["payt.invoice"].search(
            [
                ("connection_id", "in", self.connection_id.ids),
                ("plan_payt_id", "in", list(filter(None, self.mapped("payt_id")))),
            ]
        )
        for plan in self:
            plan.invoice_ids = plan.asked_invoice_ids | invoices.filtered(
                lambda invoice, plan=plan: (
                    invoice.plan_payt_id == plan.payt_id
                    and invoice.connection_id == plan.connection_id
                )
            )

    @api.model
    def _find(self, connection, rows):
        return self.search(
            [
                ("connection_id", "=", connection.id),
                ("payt_id", "in", [text_id(row["id"]) for row in rows]),
            ]
        )

    @api.model
    def _upsert(self, connection, rows):
        debtors = self.env["payt.pull"]._debtors_by_payt_id(
            connection, [row["debtor_id"] for row in rows]
        )
        found = {plan.payt_id: plan for plan in self._find(connection, rows)}
        unmatched = 0
        for row in rows:
            debtor = debtors.get(text_id(row["debtor_id"]))
            plan = found.get(text_id(row["id"]))
            if not plan and not debtor:
                unmatched += 1
                continue
            plan = (
                plan
                or self._find_own(debtor, row)
                or self.with_context(**QUIET).create(
                    {
                        "connection_id": connection.id,
                        "payt_id": text_id(row["id"]),
                        "debtor_id": debtor.id,
                    }
                )
            )
            if not self.env["payt.pull"]._is_stale(plan, row):
                plan._apply(row)
        return unmatched

    @api.model
    def _find_own(self, debtor, row):
        """Return the plan of ours that was made at Payt while we did not hear of it."""
        waiting = self.search(
            [
                ("debtor_id", "=", debtor.id),
                ("decision", "=", "create"),
                ("payt_id", "=", False),
            ],
            order="id",
        )
        return waiting.filtered(lambda plan: plan._is_same(row))[:1]

    def _is_same(self, row):
        """Whether a row of Payt is this plan (nobody else claims that row)."""
        self.ensure_one()
        ours = sorted((str(t.due_date), format_money(t.amount)) for t in self.term_ids)
        theirs = sorted(
            (term["due_date"], format_money(parse_money(term["total_amount"])))
            for term in row.get("payment_terms") or []
        )
        made = parse_utc(row.get("created_at") or row["updated_at"])
        margin = fields.Datetime.subtract(
            self.create_date.replace(microsecond=0), minutes=5
        )
        known = self._find(self.connection_id, [row])
        return ours == theirs and made >= margin and not known

    def _apply(self, row):
        """Take over what Payt says of this plan."""
        self.ensure_one()
        before = self.state
        if not self.payt_id:
            self.write({"payt_id": text_id(row["id"]), "decision": False})
        self.write(
            {
                "state": self._state_of(row),
                "reason": row.get("reason") or self.reason,
                "proposed_date": parse_utc(row.get("proposed_at")),
                "public_url": web_address(row.get("public_url")) or self.public_url,
                "payt_updated": row["updated_at"],
            }
        )
        self._apply_terms(row.get("payment_terms") or [])
        if self.state == "proposed" and before != "proposed":
            self.connection_id._notify(
                self.env._("Payment plan proposed"), self.reason or "", self
            )
        elif before == "proposed":
            self.activity_unlink(["mail.mail_activity_data_todo"])

    @api.model
    def _state_of(self, row):
        terms = row.get("payment_terms") or []
        paid = terms and not any(parse_money(term["amount_due"]) for term in terms)
        if row.get("active"):
            return "finished" if paid else "active"
        # A decision may be taken back: the latest one counts.
        decided = {
            "approved_at": "active",
            "rejected_at": "rejected",
            "deactivated_at": "finished" if paid else "ended",
        }
        latest = max(decided, key=lambda stamp: row.get(stamp) or "")
        return decided[latest] if row.get(latest) else "proposed"

    def _apply_terms(self, terms):
        self.ensure_one()
        known = {term.payt_id: term for term in self.term_ids}
        new = []
        for term in terms:
            values = {
                "plan_id": self.id,
                "payt_id": text_id(term["id"]),
                "amount": float(parse_money(term["total_amount"])),
                "amount_due": float(parse_money(term["amount_due"])),
                "due_date": term["due_date"],
                "payment_date": term.get("payment_date") or False,
            }
            if values["payt_id"] in known:
                known.pop(values["payt_id"]).write(values)
            else:
                new.append(values)
        self.env["payt.plan.term"].create(new)
        self.env["payt.plan.term"].union(*known.values()).unlink()

    # ---------------------------------------------------------------------- proposing

    @api.model
    def _propose(self, invoices, count, reason):
        """Keep what a resident asks for on our portal, and tell staff.

        :param invoices: open ``payt.invoice`` of one debtor
        :param count: number of monthly terms, the first one a month from now
        """
        connection = invoices.connection_id
        plan = self.with_context(**QUIET).create(
            {
                "connection_id": connection.id,
                "debtor_id": invoices.debtor_id.id,
                "is_ours": True,
                "asked_invoice_ids": [Command.set(invoices.ids)],
                "state": "proposed",
                "reason": reason,
                "proposed_date": fields.Datetime.now(),
                "term_ids": [
                    Command.create({"amount": amount, "amount_due": amount, **date})
                    for amount, date in self._make_terms(invoices, count)
                ],
            }
        )
        connection._notify(self.env._("Payment plan proposed"), reason or "", plan)
        return plan

    @api.model
    def _make_terms(self, invoices, count):
        """Split what is open in equal terms; the first one takes the odd cents.

        :return: list of (amount, dict with ``due_date``)
        """
        total = Decimal(0)
        for invoice in invoices:
            total += Decimal(format_money(invoice.move_id.amount_residual))
        part = (total / count).quantize(Decimal("0.01"), rounding=ROUND_DOWN)
        today = fields.Date.context_today(self)
        return [
            (
                float(part if number else total - part * (count - 1)),
                {"due_date": today + relativedelta(months=number + 1)},
            )
            for number in range(count)
        ]

    # ------------------------------------------------------------------------ deciding

    def action_approve(self):
        ours = self.filtered(lambda plan: not plan.payt_id)
        ours._check_still_right()
        ours._decide("create", "proposed")
        (self - ours)._decide("approve", "proposed")

    def action_reject(self):
        ours = self.filtered(lambda plan: not plan.payt_id)
        ours._reject_ours()
        (self - ours)._decide("reject", "proposed")

    def action_deactivate(self):
        self._decide("deactivate", "active")

    def _check_still_right(self):
        """A proposal is about what was open when it was made."""
        for plan in self:
            still_open = sum(plan.asked_invoice_ids.move_id.mapped("amount_residual"))
            if plan.currency_id.compare_amounts(still_open, plan.amount):
                raise UserError(
                    self.env._(
                        "The open amount has changed since this plan was asked for. "
                        "Reject it and ask the payer for a new proposal."
                    )
                )

    def _check_undecided(self, from_state):
        self.env["payt.operation"]._check_may_act(self)
        if any(plan.state != from_state or plan.decision for plan in self):
            raise UserError(self.env._("This plan has been decided already."))

    def _reject_ours(self):
        """Payt does not know of these: the payer hears it in a message."""
        self._check_undecided("proposed")
        # sudo: staff reads these records, the buttons write them
        for plan in self.sudo():
            plan.state = "rejected"
            plan.activity_unlink(["mail.mail_activity_data_todo"])
            text = plan.with_context(lang=plan.partner_id.lang)._rejection()
            self.env["payt.message"]._send(
                plan.debtor_id, *text, invoice=plan.asked_invoice_ids[:1]
            )

    def _rejection(self):
        """Return (subject, body) in the payer's language."""
        self.ensure_one()
        return (
            self.env._("Your payment plan"),
            self.env._(
                "You asked to pay %(amount)s in parts. We cannot agree to this plan. "
                "Please call us: together we look for another way.",
                amount=self.currency_id.format(self.amount),
            ),
        )

    def _decide(self, decision, from_state):
        self._check_undecided(from_state)
        # sudo: staff reads these records, the buttons write them
        self.sudo().decision = decision
        self.env["payt.operation"]._enqueue("plan", self)
