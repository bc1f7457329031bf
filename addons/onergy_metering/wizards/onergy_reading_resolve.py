from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import UserError


class OnergyReadingResolve(models.TransientModel):
    """Decide about exceptions, one or many at a time."""

    _name = "onergy.reading.resolve"
    _description = "Resolve reading exceptions"

    exception_ids = fields.Many2many("onergy.reading.exception", required=True)
    count = fields.Integer(compute="_compute_count")
    decision = fields.Selection(
        [
            ("accept", "Accept the value as it is"),
            ("replace", "Enter another value"),
            ("estimate", "Estimate the day from the readings around it"),
            ("reject", "Reject: the value is wrong"),
            ("mute", "Mute this rule for a while"),
            ("ignore", "Ignore: this row is not for us"),
        ],
        required=True,
        default="reject",
    )
    value = fields.Float("Right value", digits=(16, 3))
    unit = fields.Char(compute="_compute_count")
    mute_until = fields.Date(
        default=lambda self: fields.Date.context_today(self) + relativedelta(months=1)
    )
    note = fields.Char("Reason", required=True, help="Kept with the exception.")

    @api.depends("exception_ids")
    def _compute_count(self):
        for wizard in self:
            wizard.count = len(wizard.exception_ids)
            first = wizard.exception_ids[:1]
            wizard.unit = first._get_meter_unit() if first.meter_id else first.unit

    def action_apply(self):
        self.ensure_one()
        exceptions = self.exception_ids.filtered(lambda e: e.state == "open")
        getattr(self, f"_apply_{self.decision}")(exceptions)
        return {"type": "ir.actions.act_window_close"}

    def _apply_accept(self, exceptions):
        for exception in exceptions:
            exception._accept(self.note)

    def _apply_replace(self, exceptions):
        if len(exceptions) != 1:
            raise UserError(
                self.env._("Enter another value for one exception at a time.")
            )
        exceptions._apply_value(self.value, "replaced", self.note, "manual")

    def _apply_estimate(self, exceptions):
        exceptions._estimate(self.note)

    def _apply_reject(self, exceptions):
        exceptions._reject(self.note)

    def _apply_mute(self, exceptions):
        if exceptions.filtered(lambda e: not e.rule_id):
            raise UserError(
                self.env._("Only what a rule says can be muted, not a wrong row.")
            )
        exceptions._mute(self.mute_until, self.note)

    def _apply_ignore(self, exceptions):
        exceptions._resolve("ignored", "ignored", self.note)
