from collections import Counter

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from .onergy_settlement_calculator import Period

BATCH = 100


class OnergySettlementRun(models.Model):
    """A batch of settlements: worked out, looked at, approved, posted and sent."""

    _name = "onergy.settlement.run"
    _description = "Settlement run"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _check_company_auto = True
    _order = "id desc"

    name = fields.Char(required=True, readonly=True, copy=False, default="/")
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
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
    complex_ids = fields.Many2many(
        "onergy.complex",
        string="Complexes",
        check_company=True,
        help="Empty: every complex.",
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
    invoice_date = fields.Date(
        required=True, default=fields.Date.context_today, tracking=True
    )
    update_advances = fields.Boolean(
        "Change the advances",
        help="The advised advance becomes the advance of those who keep their "
        "contract.",
    )
    state = fields.Selection(
        [
            ("draft", "Draft"),
            ("calculating", "Being worked out"),
            ("checked", "To be approved"),
            ("approved", "Approved"),
            ("posting", "Being posted"),
            ("done", "Done"),
            ("cancelled", "Cancelled"),
        ],
        required=True,
        readonly=True,
        index=True,
        default="draft",
        tracking=True,
        copy=False,
    )
    is_paused = fields.Boolean("Stopped", readonly=True, copy=False, tracking=True)
    problem = fields.Text("Last problem", readonly=True, copy=False)
    prepared_by_id = fields.Many2one(
        "res.users", readonly=True, copy=False, tracking=True
    )
    approved_by_id = fields.Many2one(
        "res.users", readonly=True, copy=False, tracking=True
    )
    settlement_ids = fields.One2many("onergy.settlement", "run_id", copy=False)
    settlement_count = fields.Integer(compute="_compute_counts")
    blocked_count = fields.Integer("Cannot be billed", compute="_compute_counts")
    warning_count = fields.Integer("Worth a look", compute="_compute_counts")
    posted_count = fields.Integer("Posted", compute="_compute_counts")
    progress = fields.Integer(compute="_compute_counts")
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
            billable = run.posted_count + by_state["ready"][0]
            run.progress = 100 * run.posted_count // billable if billable else 0

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
        for run in self:
            if run.state not in ("draft", "checked"):
                raise UserError(self.env._("This run was already approved."))
            if run.kind == "correction" and not run.date_from:
                raise UserError(
                    self.env._("Fill in from which day of supply to correct bills.")
                )
            waiting = run.settlement_ids.filtered(
                lambda s: s.state in ("blocked", "ready")
            )
            waiting.sudo().unlink()  # sudo: clerks replace, they do not delete
            run.write(
                {
                    "state": "calculating",
                    "prepared_by_id": self.env.uid,
                    "is_paused": False,
                    "problem": False,
                }
            )
            if run._calculate_batch():
                self.env.ref("onergy_billing.ir_cron_settlement")._trigger()
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
        )
        if self.complex_ids:
            domain &= Domain("complex_id", "in", self.complex_ids.ids)
        if self.contract_ids:
            domain &= Domain("contract_id", "in", self.contract_ids.ids)
        return domain

    def _calculate_batch(self):
        """Work out the next settlements.

        :return: whether there may be more
        """
        self.ensure_one()
        run = self.with_company(self.company_id)
        Settlement = run.env["onergy.settlement"]
        if run.kind == "correction":
            # Nothing is made where nothing differs, so all are done at once per batch.
            originals = Settlement.search(run._get_correction_domain(), order="id")
            for start in range(0, len(originals), BATCH):
                originals[start : start + BATCH]._create_corrections(
                    run, run.with_readings
                )
            return False
        self.env.flush_all()
        due = run.env["onergy.settlement.due"].search(
            run._get_due_domain(), limit=BATCH
        )
        Settlement._create_for_periods(
            run, [Period(d.contract_id, d.date_from, d.date_to) for d in due]
        )
        self.env.invalidate_all()
        return bool(
            run.env["onergy.settlement.due"].search_count(
                run._get_due_domain(), limit=1
            )
        )

    def _finish_calculation(self):
        self.ensure_one()
        self.state = "checked"

    def action_approve(self):
        """A second person approves; the invoices are then posted in the background."""
        for run in self:
            if run.state != "checked":
                raise UserError(self.env._("Work out the settlements first."))
            if not self.env.user.has_group("onergy_residents.group_manager"):
                raise UserError(self.env._("Only a manager approves a run."))
            if run.prepared_by_id == self.env.user:
                raise UserError(
                    self.env._(
                        "Somebody else has to approve what you prepared: four eyes see "
                        "more than two."
                    )
                )
            if not run.settlement_ids.filtered(lambda s: s.state == "ready"):
                raise UserError(self.env._("There is nothing to post in this run."))
            run.write({"state": "posting", "approved_by_id": self.env.uid})
        self.env.ref("onergy_billing.ir_cron_settlement")._trigger()

    def action_pause(self):
        self.write({"is_paused": True})

    def action_resume(self):
        self.write({"is_paused": False, "problem": False})
        self.env.ref("onergy_billing.ir_cron_settlement")._trigger()

    def action_cancel(self):
        for run in self:
            if run.settlement_ids.filtered(lambda s: s.state == "posted"):
                raise UserError(
                    self.env._("Bills of this run were posted; it cannot be cancelled.")
                )
            run.settlement_ids.action_cancel()
            run.state = "cancelled"

    def _check_not_approved(self):
        if self.filtered(lambda run: run.state not in ("draft", "checked")):
            raise UserError(self.env._("This run was already approved."))

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
    def _cron_process(self):
        """Work out and post what is waiting, a batch and a commit at a time.

        Stops between two batches when the time is up or somebody stops the run; the
        next call goes on where this one ended. What was posted is never posted again:
        its state says so in the same transaction.
        """
        runs = self.search(
            [("state", "in", ("calculating", "posting")), ("is_paused", "=", False)],
            order="id",
        )
        for run in runs:
            while run._process_batch():
                if not self.env["ir.cron"]._commit_progress(BATCH):
                    self.env.ref("onergy_billing.ir_cron_settlement")._trigger()
                    return
                # Somebody may have stopped it in the meantime.
                run.invalidate_recordset(["is_paused", "state"])
                if run.is_paused:
                    break
            self.env["ir.cron"]._commit_progress()

    def _process_batch(self):
        """Do one batch; True when there is more to do."""
        self.ensure_one()
        if not self.try_lock_for_update():
            return False
        run = self.with_company(self.company_id)
        if run.state == "calculating":
            if run._calculate_batch():
                return True
            run._finish_calculation()
            return False
        settlements = run.settlement_ids.search(
            [("run_id", "=", run.id), ("state", "=", "ready")],
            order="contract_id, date_from, id",
            limit=BATCH,
        )
        # One bill of a contract in each batch: they are told apart by the contract.
        firsts = settlements.browse()
        for group in settlements.grouped("contract_id").values():
            firsts += group[0]
        if not firsts:
            run.state = "done"
            return False
        try:
            with self.env.cr.savepoint():
                run._post_settlements(firsts)
        except UserError as error:
            run._post_one_by_one(firsts, error)
        return True

    def _post_settlements(self, settlements):
        settlements._post_batch(self.invoice_date)
        if self.update_advances:
            settlements.filtered(
                lambda s: not s.original_id
            ).contract_id._follow_advice(settlements)

    def _post_one_by_one(self, settlements, error):
        """Post what can be posted and set aside what cannot."""
        for settlement in settlements:
            try:
                with self.env.cr.savepoint():
                    self._post_settlements(settlement)
            except UserError as reason:
                settlement.write({"state": "blocked", "errors": str(reason)})
        self.problem = str(error)
