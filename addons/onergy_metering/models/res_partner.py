from dateutil.relativedelta import relativedelta

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

    def _onergy_get_kept(self):
        """Days of use go by themselves two years after the last one."""
        kept = super()._onergy_get_kept()
        months = self._onergy_get_company().onergy_keep_daily_months
        until = False
        if self._onergy_has_left():
            # sudo: the rules hold for all that there is, whoever asks
            ends = [c.date_end for c in self.sudo().onergy_contract_ids]
            until = max(ends) + relativedelta(months=months) if ends else False
        return [*kept, (self.env._("Your heat use per day"), until)]
