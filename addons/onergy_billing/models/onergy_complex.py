from odoo import fields, models


class OnergyComplex(models.Model):
    _inherit = "onergy.complex"

    billing_cycle = fields.Selection(
        [
            ("year", "One year for the whole complex"),
            ("anniversary", "A year from the start of each contract"),
        ],
        "Yearly bill",
        required=True,
        default="year",
        tracking=True,
    )
    billing_month = fields.Selection(
        [(str(month), str(month)) for month in range(1, 13)],
        "Billing year starts in month",
        required=True,
        default="1",
        help="First month of the year that is billed for the whole complex.",
    )
