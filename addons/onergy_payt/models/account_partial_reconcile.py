from odoo import api, models


class AccountPartialReconcile(models.Model):
    _inherit = "account.partial.reconcile"

    @api.model_create_multi
    def create(self, vals_list):
        partials = super().create(vals_list)
        partials._payt_moves()._payt_queue_open_amount()
        return partials

    def unlink(self):
        moves = self._payt_moves()
        result = super().unlink()
        moves.exists()._payt_queue_open_amount()
        return result

    def _payt_moves(self):
        """Return the invoices whose open amount these reconciliations change."""
        lines = self.debit_move_id | self.credit_move_id
        return lines.move_id.filtered(lambda move: move.is_sale_document())
