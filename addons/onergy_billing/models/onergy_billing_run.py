import logging

from psycopg2 import IntegrityError, OperationalError

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date

from .const import QUIET

_logger = logging.getLogger(__name__)

#: Fields of the chatter, which anybody who works on a run or a bill may write.
CHATTER = ("message_", "activity_", "my_activity_")
#: Invoices that are made and committed together: larger batches are no faster.
BATCH = 100


class OnergyBillingRun(models.AbstractModel):
    """A list of invoices that is looked at, approved and then made in batches.

    Made in the background with a commit after each batch, so that a run can be
    stopped, or be killed, and goes on where it was. What uses this model says what is
    still to be made (:meth:`_get_next_batch`), makes it (:meth:`_post_items`) and marks
    it as made in the same transaction; that is why nothing is made twice.
    """

    _name = "onergy.billing.run"
    _description = "Run of invoices"
    _inherit = ["onergy.step.mixin", "mail.thread", "mail.activity.mixin"]
    _check_company_auto = True

    _guarded = frozenset({"state", "prepared_by_id", "approved_by_id"})
    #: External id of the job that does the work.
    _run_cron = None

    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    complex_ids = fields.Many2many(
        "onergy.complex",
        string="Complexes",
        check_company=True,
        help="Empty: every complex.",
    )
    invoice_date = fields.Date(
        required=True, default=fields.Date.context_today, tracking=True
    )
    state = fields.Selection(
        [
            ("draft", "Draft"),
            ("checked", "To be approved"),
            ("posting", "Being invoiced"),
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
    step_total = fields.Integer("To do in this step", readonly=True, copy=False)
    step_done = fields.Integer("Done in this step", readonly=True, copy=False)
    progress = fields.Integer("Progress (%)", compute="_compute_progress")

    @api.depends("step_total", "step_done")
    def _compute_progress(self):
        for run in self:
            total = run.step_total
            run.progress = min(100, 100 * run.step_done // total) if total else 0

    def write(self, vals):
        if not self.env.su and any(not name.startswith(CHATTER) for name in vals):
            self._check_not_approved()
        return super().write(vals)

    # -- what a kind of run has to tell --------------------------------------------

    def _get_ready_count(self):
        """How many invoices are ready to be made."""
        raise NotImplementedError

    def _get_posted_count(self):
        """How many invoices were made."""
        raise NotImplementedError

    def _get_next_batch(self):
        """Records that an invoice is to be made for, :data:`BATCH` at most."""
        raise NotImplementedError

    def _post_items(self, items):
        """Make and post the invoices of these records and mark them, all or none."""
        raise NotImplementedError

    def _set_aside(self, item, reason):
        """Take a record out of the run that no invoice can be made for."""
        raise NotImplementedError

    # -- steps ---------------------------------------------------------------------

    def _check_not_approved(self):
        if self.filtered(lambda run: run.state not in ("draft", "checked")):
            raise UserError(self.env._("This run was already approved."))

    def action_approve(self):
        """A manager approves; the invoices are then made in the background."""
        for run in self:
            run._check_may_approve()
            run._start_step("posting", run._get_ready_count())
            run._write_step({"approved_by_id": self.env.uid})
        self._trigger_cron()

    def _check_may_approve(self):
        self.ensure_one()
        if self.state != "checked":
            raise UserError(self.env._("Look at the preview first."))
        self.company_id._onergy_check_approver(self.prepared_by_id)
        if not self._get_ready_count():
            raise UserError(self.env._("There is nothing to invoice in this run."))

    def _start_step(self, state, total):
        self._write_step(
            {
                "state": state,
                "step_total": total,
                "step_done": 0,
                "is_paused": False,
                "problem": False,
            }
        )

    def action_pause(self):
        """Stop after the batch that is being made."""
        self._write_step({"is_paused": True})

    def action_resume(self):
        """Go on where the run was stopped."""
        self._write_step({"is_paused": False, "problem": False})
        self._trigger_cron()

    def action_cancel(self):
        for run in self:
            if run.state not in ("draft", "checked") or run._get_posted_count():
                raise UserError(
                    self.env._(
                        "Invoices of this run were posted; it cannot be cancelled."
                    )
                )
        self._write_step({"state": "cancelled"})

    # -- job -----------------------------------------------------------------------

    def _trigger_cron(self, at=None):
        # sudo: who may run bills need not manage scheduled actions
        self.env.ref(self._run_cron).sudo()._trigger(at)

    @api.model
    def _get_busy_states(self):
        """States in which the job has something to do."""
        return ["posting"]

    @api.model
    def _cron_process(self):
        """Do what is waiting, a batch and a commit at a time.

        Stops between two batches when the time is up or somebody stops the run; the
        next call goes on where this one ended.
        """
        runs = self.search(
            [("state", "in", self._get_busy_states()), ("is_paused", "=", False)],
            order="id",
        )
        for run in runs:
            while run._try_batch():
                if not self.env["ir.cron"]._commit_progress(BATCH):
                    self._trigger_cron()
                    return
                # What was read for one batch is not needed for the next, and somebody
                # may have stopped the run in the meantime.
                self.env.invalidate_all()
                if run.is_paused:
                    break
            self.env["ir.cron"]._commit_progress()

    def _try_batch(self):
        """Do one batch; what goes wrong in it must not stop the runs after this one."""
        self.ensure_one()
        try:
            with self.env.cr.savepoint():
                return self._process_batch()
        except OperationalError:
            raise  # of the database or of two at once: the job is done again
        except Exception:
            _logger.exception("%s stopped", self)
        self.problem = self.env._(
            "Something went wrong. The log of the server tells what."
        )
        return False

    def _process_batch(self):
        """Do one batch; True when there is more to do.

        Nothing is done in a run that waits for approval or is over, whoever asks.
        """
        self.ensure_one()
        if not self.try_lock_for_update() or self.state not in self._get_busy_states():
            return False
        # sudo: bills are made as they were approved, by nobody's hand
        return self.sudo()._in_own_language().with_context(**QUIET)._do_batch()

    def _in_own_language(self):
        """The run as its job works on it: what it writes down is for staff to read.

        A job has no language; who prepared the run has, and the company else.
        """
        user = self.prepared_by_id
        lang = user.lang if user and not user._is_superuser() else False
        return self.with_company(self.company_id).with_context(
            lang=lang or self.company_id.partner_id.lang
        )

    def _do_batch(self):
        """One batch of the step that the run is in; True when there is more to do."""
        items = self._get_next_batch()
        if not items:
            self.state = "done"
            return False
        self._follow_today()
        try:
            with self.env.cr.savepoint():
                self._post_items(items)
        except (UserError, IntegrityError) as error:
            self._post_one_by_one(items, error)
        self.step_done += len(items)
        return True

    def _follow_today(self):
        """Let invoices bear the day on which they are made, not one before.

        A run may wait for approval, or be stopped, for days; a payer has his days to
        pay, and his notice of a direct debit, from when he gets the invoice.
        """
        today = fields.Date.context_today(self.with_context(tz="Europe/Amsterdam"))
        if self.invoice_date < today:
            self._message_log(
                body=self.env._(
                    "The invoices of today bear the date of today, no longer "
                    "%(before)s.",
                    before=format_date(self.env, self.invoice_date),
                )
            )
            self.invoice_date = today

    def _post_one_by_one(self, items, error):
        """Make what can be made and set aside what cannot."""
        for item in items:
            try:
                with self.env.cr.savepoint():
                    self._post_items(item)
            except (UserError, IntegrityError) as reason:
                self._set_aside(item, self._explain(reason))
        self.problem = self._explain(error)

    def _explain(self, error):
        """What a person reads of an error, also of one that the database raised."""
        if isinstance(error, UserError):
            return str(error)
        table = error.diag.table_name
        model = next(
            (name for name, cls in self.env.registry.items() if cls._table == table),
            self._name,
        )
        return self.env[model]._sql_error_to_message(error)
