from odoo import fields, models


class ResCompany(models.Model):
    _inherit = "res.company"

    # On the server's disk: whoever sets it decides what the server reads.
    onergy_reading_folder = fields.Char("Watched folder", groups="base.group_system")
    onergy_reading_settle = fields.Integer(
        "Seconds a file must be unchanged", default=30, groups="base.group_system"
    )
