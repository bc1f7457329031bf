import os
import tempfile
from base64 import b64encode

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import format_date

from ..report.workbook_writer import Workbook


class OnergyWorkbook(models.Model):
    """A file for the accountant: a workbook or an audit file of a period.

    The workbook has twelve sheets with totals that tie to the ledger, the audit file
    is what the tax office and auditors read into their programs.
    """

    _name = "onergy.workbook"
    _description = "Accountant's workbook"
    _inherit = ["mail.thread", "onergy.background.mixin"]
    _order = "id desc"
    _background_cron = "onergy_billing.ir_cron_workbook"

    name = fields.Char(compute="_compute_name", store=True)
    kind = fields.Selection(
        [
            ("workbook", "Workbook (Excel)"),
            ("xaf", "Audit file (XAF 4.0)"),
        ],
        required=True,
        default="workbook",
    )
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
    broken_ties = fields.Integer("Ties that do not match", readonly=True, copy=False)
    file = fields.Binary(readonly=True, attachment=True, copy=False)
    filename = fields.Char(compute="_compute_name", store=True)

    _dates_order = models.Constraint(
        "CHECK (date_to >= date_from)", "The period cannot end before it starts."
    )

    @api.depends("date_from", "date_to", "as_of", "kind")
    def _compute_name(self):
        for record in self:
            period = [record.date_from, record.date_to]
            if all(period):
                first, last = (format_date(self.env, day) for day in period)
                record.name = f"{first} – {last}"
                extension = "xaf" if record.kind == "xaf" else "xlsx"
                record.filename = f"accountant-{period[0]}-{period[1]}.{extension}"
            else:
                record.name = record.filename = False

    @api.constrains("as_of")
    def _check_as_of(self):
        today = fields.Date.context_today(self)
        if any(record.as_of > today for record in self):
            raise ValidationError(
                self.env._("The workbook cannot tell how things stand on a later day.")
            )

    def _prepare_queue(self):
        return {**super()._prepare_queue(), "file": False, "broken_ties": 0}

    def _build(self):
        record = self.with_company(self.company_id).with_context(
            lang=self.user_id.lang or self.env.lang, tz="Europe/Amsterdam"
        )
        broken = 0
        # On disk, not in memory: the lists may be long.
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "file")
            if self.kind == "xaf":
                record.env["onergy.audit.file"]._write(
                    self.company_id, self.date_from, self.date_to, path, self._tell
                )
            else:
                with Workbook(path, folder, record._tell_sheet).closing() as book:
                    broken = record.env["onergy.workbook.builder"]._fill(record, book)
            with open(path, "rb") as stream:
                content = stream.read()
        return {"broken_ties": broken, "file": b64encode(content)}

    def _tell_sheet(self, percent, sheet, rows):
        """How far it is: sheets that are ready, and rows of the one at hand."""
        text = self.env._("Sheet %(sheet)s: %(rows)s rows", sheet=sheet, rows=rows)
        self._tell(percent, text)
