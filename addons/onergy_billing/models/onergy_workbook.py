import io
import os
import tempfile
from base64 import b64encode

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import format_date

from ..report.workbook_writer import Workbook


class OnergyWorkbook(models.Model):
    """The accountant's workbook: twelve lists with totals that tie to the ledger."""

    _name = "onergy.workbook"
    _description = "Accountant's workbook"
    _inherit = ["mail.thread"]
    _order = "id desc"

    name = fields.Char(compute="_compute_name", store=True)
    company_id = fields.Many2one(
        "res.company", required=True, default=lambda self: self.env.company
    )
    date_from = fields.Date(
        "Period from",
        required=True,
        default=lambda self: (
            fields.Date.context_today(self) - relativedelta(years=1, month=1, day=1)
        ),
    )
    date_to = fields.Date(
        "Period until",
        required=True,
        default=lambda self: (
            fields.Date.context_today(self) - relativedelta(years=1, month=12, day=31)
        ),
    )
    as_of = fields.Date(
        "As of",
        required=True,
        default=lambda self: (
            fields.Date.context_today(self) - relativedelta(years=1, month=12, day=31)
        ),
        help="The day on which open items and what is still to be settled are counted.",
    )
    state = fields.Selection(
        [
            ("draft", "Draft"),
            ("queued", "Waiting"),
            ("running", "Being made"),
            ("done", "Ready"),
            ("failed", "Failed"),
        ],
        required=True,
        readonly=True,
        default="draft",
        copy=False,
    )
    progress = fields.Integer(readonly=True, copy=False)
    problem = fields.Text(readonly=True, copy=False)
    broken_ties = fields.Integer("Ties that do not match", readonly=True, copy=False)
    file = fields.Binary("Workbook", readonly=True, attachment=True, copy=False)
    filename = fields.Char(compute="_compute_name", store=True)
    user_id = fields.Many2one(
        "res.users", "Made by", readonly=True, default=lambda self: self.env.user
    )

    _dates_order = models.Constraint(
        "CHECK (date_to >= date_from)", "The period cannot end before it starts."
    )

    @api.depends("date_from", "date_to", "as_of")
    def _compute_name(self):
        for record in self:
            period = [record.date_from, record.date_to]
            if all(period):
                first, last = (format_date(self.env, day) for day in period)
                record.name = f"{first} – {last}"
                record.filename = f"accountant-{period[0]}-{period[1]}.xlsx"
            else:
                record.name = record.filename = False

    @api.constrains("as_of")
    def _check_as_of(self):
        today = fields.Date.context_today(self)
        if any(record.as_of > today for record in self):
            raise ValidationError(
                self.env._("The workbook cannot tell how things stand on a later day.")
            )

    def action_make(self):
        """Queue the workbook; it is made in the background."""
        for record in self:
            if record.state in ("queued", "running"):
                raise UserError(self.env._("This workbook is being made already."))
        self.write({"state": "queued", "progress": 0, "problem": False, "file": False})
        # sudo: who may make workbooks need not manage scheduled actions
        self.env.ref("onergy_billing.ir_cron_workbook").sudo()._trigger()

    @api.model
    def _cron_process(self):
        """Make the workbooks that wait, one after the other."""
        for record in self.search([("state", "in", ("queued", "running"))], order="id"):
            if not record.try_lock_for_update():
                continue
            record._make()
            self.env["ir.cron"]._commit_progress(1)

    def _make(self):
        self.ensure_one()
        record = self.with_company(self.company_id).with_context(
            lang=self.user_id.lang or self.env.lang, tz="Europe/Amsterdam"
        )
        record.state = "running"
        try:
            with self.env.cr.savepoint():
                content, broken = record._build()
        except UserError as error:
            record.write({"state": "failed", "problem": str(error)})
            return
        record.write(
            {
                "state": "done",
                "progress": 100,
                "broken_ties": broken,
                "file": b64encode(content),
            }
        )

    def _build(self):
        """(content of the file, number of ties that do not match)"""
        builder = self.env["onergy.workbook.builder"]
        # On disk, not in memory: the lists may be long.
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "workbook.xlsx")
            with Workbook(path, folder).closing() as book:
                broken = builder._fill(self, book)
            with io.FileIO(path) as stream:
                return stream.readall(), broken
