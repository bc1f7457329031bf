from odoo import fields, models


class OnergySettlementAdvance(models.Model):
    """An advance invoice that a settlement subtracts, paid or not."""

    _name = "onergy.settlement.advance"
    _description = "Advance on a settlement"
    _order = "settlement_id, date, id"
    _log_access = False

    settlement_id = fields.Many2one(
        "onergy.settlement", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="settlement_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="settlement_id.currency_id")
    move_id = fields.Many2one(
        "account.move", "Invoice", required=True, index=True, ondelete="restrict"
    )
    date = fields.Date("Month", required=True)
    amount = fields.Monetary("Amount incl. VAT")
    net = fields.Monetary()
    vat_amount = fields.Monetary("VAT")
    vat_rate = fields.Float("VAT (%)", digits=(5, 2), aggregator=None)
    is_final = fields.Boolean(help="The settlement was posted.")

    # The database itself refuses to subtract an advance twice.
    _final_uniq = models.UniqueIndex(
        "(move_id) WHERE is_final", "This advance was already settled."
    )
