from odoo import api, fields, models
from odoo.exceptions import UserError

from ..models.onergy_meter import REGISTERS


class OnergyReadingEntry(models.TransientModel):
    """A reading taken by a person."""

    _name = "onergy.reading.entry"
    _description = "Enter a reading"

    meter_id = fields.Many2one("onergy.meter", required=True)
    register = fields.Selection(
        REGISTERS,
        compute="_compute_register",
        store=True,
        readonly=False,
        precompute=True,
        required=True,
    )
    unit = fields.Char(compute="_compute_unit")
    moment = fields.Datetime("Read on", required=True, default=fields.Datetime.now)
    value = fields.Float(digits=(16, 3), required=True)
    last_value = fields.Float(related="meter_id.last_value")
    last_moment = fields.Datetime(related="meter_id.last_moment")
    note = fields.Char(
        "Reason", help="Needed when the reading replaces or contradicts another."
    )

    @api.depends("meter_id")
    def _compute_register(self):
        for wizard in self:
            wizard.register = (
                wizard.meter_id and wizard.meter_id._get_main_register() or "energy"
            )

    @api.depends("meter_id", "register", "moment")
    def _compute_unit(self):
        for wizard in self:
            wizard.unit = (
                wizard.meter_id._get_register_unit(wizard.register, wizard.moment)
                if wizard.meter_id
                else ""
            )

    def action_save(self):
        """Judge the reading like any other; a doubtful one needs a reason."""
        self.ensure_one()
        loader = self.env["onergy.reading.loader"]
        key = self.meter_id.serial
        row = loader._make_row(
            key, self.moment, repr(self.value), self.unit, self.register
        )
        with self.env.cr.savepoint() as savepoint:
            counts = loader._load_rows([row], self.meter_id.company_id, "manual")
            if counts["bad"]:
                savepoint.rollback()
        if counts["bad"]:
            self._enforce()
        return {"type": "ir.actions.act_window_close"}

    def _enforce(self):
        if not self.note:
            raise UserError(
                self.env._(
                    "This reading does not agree with the ones around it, or the meter "
                    "hung nowhere at that moment. Check it; if it is right, give a "
                    "reason and save again."
                )
            )
        self.env["onergy.reading.loader"]._set_reading(
            self.meter_id,
            self.register,
            self.moment,
            self.value,
            self.unit,
            "manual",
            reason=self.note,
        )
        self.env["onergy.consumption.builder"]._rebuild_meters(self.meter_id)
