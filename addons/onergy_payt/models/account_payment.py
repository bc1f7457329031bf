from odoo import fields, models


class AccountPayment(models.Model):
    _inherit = "account.payment"

    payt_transaction_id = fields.Many2one(
        "payt.transaction", readonly=True, copy=False, index="btree_not_null"
    )

    _payt_transaction_uniq = models.UniqueIndex(
        "(payt_transaction_id) WHERE payt_transaction_id IS NOT NULL",
        "This online payment is already booked.",
    )
