from odoo import fields, models


class OnergyComplex(models.Model):
    _inherit = "onergy.complex"

    energy_mix_ids = fields.One2many("onergy.energy.mix", "complex_id", "Energy mix")
    dispute_body = fields.Text(
        "Dispute body",
        help="Who decides when a resident and the supplier do not agree. Empty: the "
        "one of the company. For service costs of tenants that is the Huurcommissie.",
    )
