from odoo import fields, models


class OnergyContract(models.Model):
    """Whether a resident wants the monthly overview by mail."""

    _inherit = "onergy.contract"

    overview_wanted = fields.Boolean(
        "Monthly overview by e-mail", default=True, tracking=True, readonly=True
    )
    overview_changed_on = fields.Datetime("Overview: chosen on", readonly=True)
    overview_changed_by_id = fields.Many2one(
        "res.users", "Overview: chosen by", readonly=True
    )

    def _set_overview_wanted(self, wanted):
        """Keep the choice with its moment and who made it."""
        self.filtered(lambda c: c.overview_wanted != wanted).write(
            {
                "overview_wanted": wanted,
                "overview_changed_on": fields.Datetime.now(),
                "overview_changed_by_id": self.env.uid,
            }
        )

    def action_overview_on(self):
        self._set_overview_wanted(True)

    def action_overview_off(self):
        self._set_overview_wanted(False)
