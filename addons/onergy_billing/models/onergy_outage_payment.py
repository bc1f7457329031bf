from odoo import fields, models


class OnergyOutagePayment(models.Model):
    """Compensation for an outage, on a bill or on a credit note of its own."""

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
        "onergy.settlement", "On the bill", index=True, ondelete="cascade"
    )
    move_id = fields.Many2one(
        "account.move",
        "Credit note",
        index="btree_not_null",
        ondelete="restrict",
        help="When no bill came in time.",
    )
    amount = fields.Monetary(required=True)

    _paid_somehow = models.Constraint(
        "CHECK (settlement_id IS NOT NULL OR move_id IS NOT NULL)",
        "A compensation is on a bill or on a credit note.",
    )
    _contract_uniq = models.UniqueIndex(
        "(outage_id, contract_id)", "This contract already has this compensation."
    )

    def _filter_paid(self):
        """Those that the resident has; a bill that waits may still be left out."""
        return self.filtered(lambda p: p.move_id or p.settlement_id.state == "posted")
