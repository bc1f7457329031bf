from odoo import fields, models


class AccountMove(models.Model):
    _inherit = "account.move"

    onergy_contract_id = fields.Many2one(
        "onergy.contract",
        "Supply contract",
        index="btree_not_null",
        check_company=True,
        copy=False,
    )
    onergy_move_kind = fields.Selection(
        [
            ("advance", "Advance"),
            ("settlement", "Settlement"),
            ("other", "Other"),
        ],
        "Kind of bill",
        copy=False,
    )
