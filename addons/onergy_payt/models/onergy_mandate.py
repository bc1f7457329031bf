from odoo import api, fields, models

from .payt_mandate import STATES


class OnergyMandate(models.Model):
    _inherit = "onergy.mandate"

    payt_mandate_ids = fields.One2many(
        "payt.mandate",
        "mandate_id",
        "At Payt",
        groups="onergy_residents.group_customer_service,"
        "onergy_residents.group_accountant",
    )
    payt_state = fields.Selection(
        STATES,
        "Mandate at Payt",
        compute="_compute_payt_state",
        groups="onergy_residents.group_customer_service,"
        "onergy_residents.group_accountant",
    )

    @api.depends("payt_mandate_ids.state")
    def _compute_payt_state(self):
        """The state of the newest one at Payt."""
        for mandate in self:
            mandate.payt_state = mandate.payt_mandate_ids.sorted("id")[-1:].state

    def _mandate_changed(self):
        result = super()._mandate_changed()
        self.env["payt.mandate"]._sync(self.contract_id)
        return result
