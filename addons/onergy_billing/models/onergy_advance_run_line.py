from odoo import fields, models


class OnergyAdvanceRunLine(models.Model):
    """What a run invoices to one contract, or why it does not."""

    _name = "onergy.advance.run.line"
    _description = "Advance in a run"
    _order = "state, id"
    _rec_name = "contract_id"
    _log_access = False

    run_id = fields.Many2one(
        "onergy.advance.run", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="run_id.company_id", store=True, index=True)
    currency_id = fields.Many2one(related="company_id.currency_id")
    contract_id = fields.Many2one(
        "onergy.contract", required=True, index=True, ondelete="restrict"
    )
    partner_id = fields.Many2one(related="contract_id.partner_id")
    connection_id = fields.Many2one(related="contract_id.connection_id")
    complex_id = fields.Many2one(
        related="contract_id.complex_id", store=True, index=True
    )
    payment_method = fields.Selection(related="contract_id.payment_method")
    amount = fields.Monetary()
    state = fields.Selection(
        [
            ("exception", "Exception"),
            ("ready", "Ready"),
            ("posted", "Invoiced"),
        ],
        required=True,
        index=True,
    )
    reason = fields.Char("Why not")
    move_id = fields.Many2one("account.move", "Invoice", index="btree_not_null")

    _contract_uniq = models.UniqueIndex(
        "(run_id, contract_id)", "A contract is in a run once."
    )
