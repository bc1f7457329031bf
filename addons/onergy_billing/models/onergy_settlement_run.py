from collections import Counter

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from .onergy_billing_run import BATCH


class OnergySettlementRun(models.Model):
    """A batch of settlements: worked out, looked at, approved, posted and sent."""

    _name = "onergy.settlement.run"
    _description = "Settlement run"
    _inherit = ["onergy.billing.run"]
    _order = "id desc"

    _run_cron = "onergy_billing.ir_cron_settlement"

    name = fields.Char(required=True, readonly=True, copy=False, default="/")
    kind = fields.Selection(
        [
            ("due", "Yearly and final bills that are due"),
            ("final", "Only final bills that are due"),
            ("correction", "Corrections of posted bills"),
        ],
        required=True,
        default="due",
        tracking=True,
    )
    contract_ids = fields.Many2many(
        "onergy.contract",
        string="Only these contracts",
        check_company=True,
        help="Empty: every contract of the complexes.",
    )
    date_until = fields.Date(
        "Periods that ended up to",
        required=True,
        default=fields.Date.context_today,
    )
    date_from = fields.Date(
        "Supply from", help="Corrections: of bills with supply on or after this day."
    )
    with_readings = fields.Boolean(
        "With readings as they are now",
        help="Empty: readings stay as they were billed, only prices are corrected.",
    )
    update_advances = fields.Boolean(
        "Change the advances",
        help="The advised advance becomes the advance of those who keep their "
        "contract.",
    )
    state = fields.Selection(
        selection_add=[
            ("draft",),
            ("calculating", "Being worked out"),
            ("checked",),
            ("posting", "Being posted"),
        ],
        ondelete={"calculating": "set default"},
    )
    last_original_id = fields.Integer(
        readonly=True, copy=False, help="Corrections: the last bill that was looked at."
    )
    settlement_ids = fields.One2many("onergy.settlement", "run_id", copy=False)
    settlement_count = fields.Integer(compute="_compute_counts")
    blocked_count = fields.Integer("Cannot be billed", compute="_compute_counts")
    warning_count = fields.Integer("Worth a look", compute="_compute_counts")
    posted_count = fields.Integer("Posted", compute="_compute_counts")
    amount_total = fields.Monetary("To pay", compute="_compute_counts")
    email_count = fields.Integer("To send by e-mail", compute="_compute_deliveries")
    post_count = fields.Integer("To print for the post", compute="_compute_deliveries")
    no_address_count = fields.Integer(
        "Without an e-mail address", compute="_compute_deliveries"
    )
    elsewhere_count = fields.Integer(
        "Sent by another system", compute="_compute_deliveries"
    )
    to_do_count = fields.Integer("Still to be worked out", compute="_compute_to_do")

    @api.depends("settlement_ids.state", "settlement_ids.amount_total")
    def _compute_counts(self):
        Settlement = self.env["onergy.settlement"]
        counts = {
            (run, state): (count, total)
            for run, state, count, total in Settlement._read_group(
                [("run_id", "in", self.ids), ("state", "!=", "cancelled")],
                ["run_id", "state"],
                ["__count", "amount_total:sum"],
            )
        }
        warned = dict(
            Settlement._read_group(
                [
                    ("run_id", "in", self.ids),
                    ("state", "!=", "cancelled"),
                    ("warnings", "not in", (False, "")),
                ],
                ["run_id"],
                ["__count"],
            )
        )
        for run in self:
            by_state = {
                state: counts.get((run, state), (0, 0.0))
                for state in ("blocked", "ready", "posted")
            }
            run.settlement_count = sum(count for count, _total in by_state.values())
            run.blocked_count = by_state["blocked"][0]
            run.posted_count = by_state["posted"][0]
            run.warning_count = warned.get(run, 0)
            run.amount_total = by_state["ready"][1] + by_state["posted"][1]

    @api.depends("state")
    def _compute_deliveries(self):
        """How many bills still go by e-mail, by post, or nowhere."""
        for run in self:
            moves = self.env["account.move"]
            if run.state == "done":
                moves = run.settlement_ids.move_id.filtered(
                    lambda m: not m.is_move_sent
                )
            counts = Counter(moves._onergy_get_deliveries().values())
            run.email_count = counts["email"]
            run.post_count = counts["post"]
            run.no_address_count = counts["none"]
            run.elsewhere_count = counts["elsewhere"]

    @api.depends("state")
    def _compute_to_do(self):
        for run in self:
            if run.state in ("draft", "calculating") and run.kind != "correction":
                run.to_do_count = self.env["onergy.settlement.due"].search_count(
                    run._get_due_domain()
                )
            else:
                run.to_do_count = 0

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            if vals.get("name", "/") == "/":
                company = vals.get("company_id", self.env.company.id)
                vals["name"] = (
                    self.env["ir.sequence"]
                    .with_company(company)
                    .next_by_code("onergy.settlement.run")
                )
        return super().create(vals_list)

    # -- steps ---------------------------------------------------------------------

    def action_calculate(self):
        """Work out the settlements; a long list goes on in the background."""
        self._check_not_approved()
        for run in self:
            if run.kind == "correction" and not run.date_from:
                raise UserError(
                    self.env._("Fill in from which day of supply to correct bills.")
                )
            waiting = run.settlement_ids.filtered(
                lambda s: s.state in ("blocked", "ready")
            )
            waiting.sudo().unlink()  # sudo: clerks replace, they do not delete
            run._write_step({"prepared_by_id": self.env.uid, "last_original_id": 0})
            run._start_step("calculating", run._count_left())
            if run._calculate_batch():
                run._trigger_cron()
            else:
                run._finish_calculation()

    def _get_due_domain(self):
        """Periods that this run still has to work out."""
        self.ensure_one()
        domain = Domain("company_id", "=", self.company_id.id) & Domain(
            "date_to", "<=", self.date_until
        )
        if self.complex_ids:
            domain &= Domain("complex_id", "in", self.complex_ids.ids)
        if self.contract_ids:
            domain &= Domain("contract_id", "in", self.contract_ids.ids)
        if self.kind == "final":
            domain &= Domain("is_final", "=", True)
        return domain

    def _get_correction_domain(self):
        """Posted settlements that this run has not looked at yet."""
        self.ensure_one()
        domain = (
            Domain("company_id", "=", self.company_id.id)
            & Domain("state", "=", "posted")
            & Domain("original_id", "=", False)
            & Domain("date_to", ">=", self.date_from)
            & Domain("date_from", "<=", self.date_until)
            & Domain("id", ">", self.last_original_id)
        )
        if self.complex_ids:
            domain &= Domain("complex_id", "in", self.complex_ids.ids)
        if self.contract_ids:
            domain &= Domain("contract_id", "in", self.contract_ids.ids)
        return domain

    def _uses_readings_of_now(self):
        """Whether this run works with the readings as they are, not as billed before.

        A bill that is made anew follows the readings like any new bill.
        """
        self.ensure_one()
        return self.with_readings or self.kind != "correction"

    def _count_left(self, limit=None):
        """Periods that are still to be worked out, or bills to be looked at again."""
        self.env.flush_all()
        if self.kind == "correction":
            domain, name = self._get_correction_domain(), "onergy.settlement"
        else:
            domain, name = self._get_due_domain(), "onergy.settlement.due"
        return self.env[name].search_count(domain, limit=limit)

    def _calculate_batch(self):
        """Work out the next settlements.

        :return: whether there may be more
        """
        self.ensure_one()
        # sudo: what is worked out is written by nobody's hand
        run = self.sudo()._in_own_language()
        if run.kind == "correction":
            done = run._correct_next()
        else:
            done = run._settle_next()
        run.step_done += done
        self.env.flush_all()
        self.env.invalidate_all()
        return bool(run._count_left(limit=1))

    def _correct_next(self):
        """Look at the next bills again; nothing is made where nothing differs."""
        originals = self.env["onergy.settlement"].search(
            self._get_correction_domain(), order="id", limit=BATCH
        )
        originals._create_corrections(self, self._uses_readings_of_now())
        if originals:
            self.last_original_id = originals[-1].id
        return len(originals)

    def _settle_next(self):
        self.env.flush_all()
        due = self.env["onergy.settlement.due"].search(
            self._get_due_domain(), limit=BATCH
        )
        Settlement = self.env["onergy.settlement"]
        credited = due.filtered("settlement_id")
        credited.settlement_id._create_corrections(self, self._uses_readings_of_now())
        periods = [(d.contract_id, d.date_from, d.date_to) for d in due - credited]
        Settlement._create_for_periods(self, Settlement._split_periods(periods))
        return len(due)

    def _finish_calculation(self):
        self.ensure_one()
        self._write_step({"state": "checked"})

    def action_cancel(self):
        result = super().action_cancel()
        self.settlement_ids.action_cancel()
        return result

    def action_send(self):
        """Send the bills by e-mail to who wants them so, by Odoo's own job."""
        self.ensure_one()
        return self.settlement_ids.move_id._onergy_send_by_email()

    def action_print_post(self):
        """Print the bills of who wants them on paper to one file."""
        self.ensure_one()
        return self.settlement_ids.move_id.action_onergy_print_post()

    def action_view_settlements(self):
        self.ensure_one()
        action = self.env["ir.actions.actions"]._for_xml_id(
            "onergy_billing.action_onergy_settlement"
        )
        return {
            **action,
            "domain": [("run_id", "=", self.id)],
            "context": self.env.context.get("settlement_filter", {}),
        }

    # -- job -----------------------------------------------------------------------

    @api.model
    def _get_busy_states(self):
        return [*super()._get_busy_states(), "calculating"]

    def _do_batch(self):
        if self.state != "calculating":
            return super()._do_batch()
        if self._calculate_batch():
            return True
        self._finish_calculation()
        return False

    def _get_ready_count(self):
        return self.settlement_ids.search_count(
            [("run_id", "=", self.id), ("state", "=", "ready")]
        )

    def _get_posted_count(self):
        return self.posted_count

    def _get_next_batch(self):
        return self.settlement_ids.search(
            [("run_id", "=", self.id), ("state", "=", "ready")],
            order="contract_id, date_from, id",
            limit=BATCH,
        )

    def _set_aside(self, item, reason):
        item.write({"state": "blocked", "errors": reason})

    def _post_items(self, items):
        items._post_batch(self.invoice_date)
        if self.update_advances:
            originals = items.filtered(
                lambda s: not s.original_id and s.part != "owner"
            )
            originals.contract_id._follow_advice(originals)
