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
            ("reject", "Reject: the value is wrong"),
            ("ignore", "Ignore: this row is not for us"),
        ],
        required=True,
        default="reject",
    )
    value = fields.Float("Right value", digits=(16, 3))
    unit = fields.Char(compute="_compute_count")
    note = fields.Char("Reason", required=True, help="Kept with the exception.")

    @api.depends("exception_ids")
    def _compute_count(self):
        for wizard in self:
            wizard.count = len(wizard.exception_ids)
            first = wizard.exception_ids[:1]
            wizard.unit = (
                first.meter_id._get_register_unit(first.register)
                if first.meter_id
                else first.unit
            )

    def action_apply(self):
        self.ensure_one()
        exceptions = self.exception_ids.filtered(lambda e: e.state == "open")
        if self.decision == "reject":
            exceptions._resolve("resolved", "rejected", self.note)
        elif self.decision == "ignore":
            exceptions._resolve("ignored", "ignored", self.note)
        elif self.decision == "accept":
            for exception in exceptions:
                exception._accept(self.note)
        else:
            if len(exceptions) != 1:
                raise UserError(
                    self.env._("Enter another value for one exception at a time.")
                )
            exceptions._apply_value(self.value, "replaced", self.note, "manual")
        return {"type": "ir.actions.act_window_close"}
