from datetime import timedelta

from odoo import fields, models


class OnergyMeteringOverviewLine(models.TransientModel):
    """One complex in the overview of operations."""

    _name = "onergy.metering.overview.line"
    _description = "Operations of a complex"

    overview_id = fields.Many2one("onergy.metering.overview", ondelete="cascade")
    complex_id = fields.Many2one("onergy.complex", ondelete="cascade")
    meter_count = fields.Integer("Remote meters")
    read_count = fields.Integer("Read")
    silent_count = fields.Integer("Silent")
    success = fields.Float("Read (%)", digits=(5, 1), compute="_compute_success")

    def _compute_success(self):
        for line in self:
            line.success = (
                100 * line.read_count / line.meter_count if line.meter_count else 100
            )

    def action_map(self):
        """The addresses of the complex with the silence of their meters."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Silent meters"),
            "res_model": "onergy.metering.map",
            "res_id": self.env["onergy.metering.map"]
            .create({"complex_id": self.complex_id.id})
            .id,
            "view_mode": "form",
        }

    def action_silent(self):
        """The silent meters of the complex, by address."""
        self.ensure_one()
        overview = self.overview_id
        today = fields.Date.context_today(self)
        limit = self.env["onergy.reading.loader"]._day_start(
            today - timedelta(days=overview.silent_days)
        )
        action = overview._get_action("onergy_metering.action_onergy_meter")
        action["domain"] = [
            ("connection_id.complex_id", "=", self.complex_id.id),
            ("read_mode", "=", "remote"),
            "|",
            ("last_moment", "=", False),
            ("last_moment", "<", fields.Datetime.to_string(limit)),
        ]
        return action
