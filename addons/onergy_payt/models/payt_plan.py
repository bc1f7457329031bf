from odoo import api, fields, models
from odoo.exceptions import UserError

from ..client import parse_money, parse_utc, text_id, web_address
from ..const import QUIET


class PaytPlan(models.Model):
    """A payment plan: proposed by a debtor, decided by us, watched by Payt."""

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
    payt_id = fields.Char("Payt ID", required=True, readonly=True)
    debtor_id = fields.Many2one(
        "payt.debtor", required=True, index=True, ondelete="cascade", readonly=True
    )
    partner_id = fields.Many2one(
        related="debtor_id.partner_id", string="Payer", store=True, index=True
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
        [("approve", "Approve"), ("reject", "Reject"), ("deactivate", "End")],
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
                ("plan_payt_id", "in", self.mapped("payt_id")),
            ]
        )
        for plan in self:
            plan.invoice_ids = invoices.filtered(
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
            plan = plan or self.with_context(**QUIET).create(
                {
                    "connection_id": connection.id,
                    "payt_id": text_id(row["id"]),
                    "debtor_id": debtor.id,
                }
            )
            if not self.env["payt.pull"]._is_stale(plan, row):
                plan._apply(row)
        return unmatched

    def _apply(self, row):
        """Take over what Payt says of this plan."""
        self.ensure_one()
        before = self.state
        self.write(
            {
                "state": self._state_of(row),
                "reason": row.get("reason"),
                "proposed_date": parse_utc(row.get("proposed_at")),
                "public_url": web_address(row.get("public_url")) or self.public_url,
                "payt_updated": row["updated_at"],
            }
        )
        self._apply_terms(row.get("payment_terms") or [])
        if self.state == "proposed" and before != "proposed":
            self.connection_id._notify(
                self.env._("Payment plan proposed"), row.get("reason") or "", self
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

    def action_approve(self):
        self._decide("approve", "proposed")

    def action_reject(self):
        self._decide("reject", "proposed")

    def action_deactivate(self):
        self._decide("deactivate", "active")

    def _decide(self, decision, from_state):
        self.env["payt.operation"]._check_may_act()
        if any(plan.state != from_state or plan.decision for plan in self):
            raise UserError(self.env._("This plan has been decided already."))
        # sudo: staff reads these records, the buttons write them
        self.sudo().decision = decision
        self.env["payt.operation"]._enqueue("plan", self)
