from odoo import fields, models


class OnergyOutagePayment(models.Model):
    """Compensation for an outage on a contract's bill."""

    _name = "onergy.outage.payment"
    _description = "Compensation for an outage"
    _order = "id"

    outage_id = fields.Many2one(
        "onergy.outage", required=True, index=True, ondelete="restrict"
    )
    contract_id = fields.Many2one(
        "onergy.contract", required=True, index=True, ondelete="restrict"
    )
    company_id = fields.Many2one(related="outage_id.company_id", store=True, index=True)
    currency_id = fields.Many2one(related="company_id.currency_id")
    settlement_id = fields.Many2one(
        "onergy.settlement", required=True, index=True, ondelete="cascade"
    )
    amount = fields.Monetary(required=True)

    _contract_uniq = models.UniqueIndex(
        "(outage_id, contract_id)", "This contract already has this compensation."
    )
