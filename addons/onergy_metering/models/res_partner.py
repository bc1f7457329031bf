from odoo import fields, models


class ResPartner(models.Model):
    _inherit = "res.partner"

    onergy_meter_ids = fields.Many2many(
        "onergy.meter",
        string="Meters",
        compute="_compute_onergy_meter_ids",
        search="_search_onergy_meter_ids",
        groups="onergy_residents.group_customer_service,onergy_residents.group_metering",
    )

    def _compute_onergy_meter_ids(self):
        for partner in self:
            partner.onergy_meter_ids = partner.onergy_contract_ids.meter_ids

    def _search_onergy_meter_ids(self, operator, value):
        return [("onergy_contract_ids", "any", [("meter_ids", operator, value)])]
