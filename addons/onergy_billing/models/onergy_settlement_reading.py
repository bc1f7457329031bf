from odoo import fields, models
from odoo.tools import formatLang

from odoo.addons.onergy_metering.models.onergy_reading import ORIGINS

from .const import COMPONENTS
from .onergy_settlement_line import BASES


class OnergySettlementReading(models.Model):
    """A register value that a bill was made with, frozen."""

    _name = "onergy.settlement.reading"
    _description = "Reading on a settlement"
    _order = "settlement_id, sequence, id"
    _log_access = False

    settlement_id = fields.Many2one(
        "onergy.settlement", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="settlement_id.company_id", store=True, index=True
    )
    sequence = fields.Integer()
    component = fields.Selection(COMPONENTS, required=True)
    serial = fields.Char("Meter number", required=True)
    day = fields.Date("At 00:00 of", required=True)
    value = fields.Float("Value (GJ)", digits=(16, 3), aggregator=None)
    basis = fields.Selection(BASES, required=True)
    origin = fields.Selection(ORIGINS)

    def _get_value_text(self):
        self.ensure_one()
        return formatLang(self.env, self.value, digits=3)

    def _get_basis_text(self):
        """How the value was found, in plain words for the resident."""
        self.ensure_one()
        if self.basis == "calculated":
            return self.env._("calculated")
        if self.basis == "estimated":
            return self.env._("estimated")
        if self.origin == "portal":
            return self.env._("read by you")
        if self.origin in ("manual", "placement"):
            return self.env._("read by us")
        return self.env._("read remotely")
