from odoo import fields, models


class OnergyAccrualLine(models.Model):
    """A contract that was delivered to and not yet settled on a day."""

    _name = "onergy.accrual.line"
    _description = "Contract not yet settled"
    _order = "accrual_id, contract_id"
    _rec_name = "contract_id"
    _log_access = False

    accrual_id = fields.Many2one(
        "onergy.accrual", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="accrual_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="accrual_id.currency_id")
    day = fields.Date(related="accrual_id.day", store=True)
    contract_id = fields.Many2one(
        "onergy.contract", required=True, readonly=True, ondelete="cascade"
    )
    connection_id = fields.Many2one(related="contract_id.connection_id", store=True)
    complex_id = fields.Many2one(related="contract_id.complex_id", store=True)
    partner_id = fields.Many2one(
        related="contract_id.partner_id", string="Payer", store=True
    )
    date_from = fields.Date("From", readonly=True)
    date_to = fields.Date("Until", readonly=True)
    use = fields.Float("Use (GJ)", digits=(16, 3), readonly=True)
    delivered = fields.Monetary("Delivered without VAT", readonly=True)
    advances = fields.Monetary("Advances invoiced without VAT", readonly=True)
    received = fields.Monetary("Advances received incl. VAT", readonly=True)
    balance = fields.Monetary(
        "To be received", readonly=True, help="Negative: invoiced ahead."
    )
    is_known = fields.Boolean(
        "Worked out", readonly=True, help="No: a reading or a price is missing."
    )
    remark = fields.Char(readonly=True)

    # Days of a bill that was credited are a line of their own.
    _contract_uniq = models.UniqueIndex(
        "(accrual_id, contract_id, COALESCE(date_from, '-infinity'::date))",
        "These days of this contract are on this list already.",
    )
