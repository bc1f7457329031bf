from odoo import api, fields, models


class OnergyConnection(models.Model):
    _inherit = "onergy.connection"

    placement_ids = fields.One2many("onergy.meter.placement", "connection_id")
    meter_ids = fields.Many2many(
        "onergy.meter",
        string="Meters",
        compute="_compute_meter_ids",
        search="_search_meter_ids",
    )
    meter_count = fields.Integer(compute="_compute_meter_ids")

    @api.depends("placement_ids.meter_id")
    def _compute_meter_ids(self):
        for record in self:
            record.meter_ids = record.placement_ids.meter_id
            record.meter_count = len(record.meter_ids)

    def _search_meter_ids(self, operator, value):
        return [("placement_ids", "any", [("meter_id", operator, value)])]

    def action_view_meters(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "onergy_metering.action_onergy_meter"
        )
        action["domain"] = [("placement_ids.connection_id", "=", self.id)]
        action["context"] = {"active_test": False}
        return action
