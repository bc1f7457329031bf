from odoo import fields, models


class OnergyPurgeLog(models.Model):
    _inherit = "onergy.purge.log"

    kind = fields.Selection(
        selection_add=[
            ("daily", "Daily values and readings"),
            ("reading_file", "Files with readings"),
        ],
        ondelete={"daily": "cascade", "reading_file": "cascade"},
    )
