from odoo import fields, models


class OnergyMandate(models.Model):
    _inherit = "onergy.mandate"

    payt_mandate_ids = fields.One2many(
        "payt.mandate",
        "mandate_id",
        "At Payt",
        groups="onergy_residents.group_customer_service,"
        "onergy_residents.group_accountant",
    )

    def _mandate_changed(self):
        result = super()._mandate_changed()
        self.env["payt.mandate"]._sync(self.contract_id)
        return result
