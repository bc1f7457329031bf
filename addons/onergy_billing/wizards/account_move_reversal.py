from odoo import models
from odoo.exceptions import UserError


class AccountMoveReversal(models.TransientModel):
    _inherit = "account.move.reversal"

    def reverse_moves(self, is_modify=False):
        if is_modify:
            self._onergy_check_not_worked_out()
        return super().reverse_moves(is_modify=is_modify)

    def _onergy_check_not_worked_out(self):
        """A bill that was worked out is not replaced by one typed by hand.

        :raises UserError: telling what to do instead
        """
        # sudo: bookkeepers may not read settlements, but have to keep off them
        worked_out = self.move_ids.filtered(lambda m: m.sudo().onergy_settlement_ids)
        if worked_out:
            raise UserError(
                self.env._(
                    "%(bill)s was worked out by a settlement. Make a credit note of "
                    "it; the next run then makes the new bill.",
                    bill=worked_out[0].display_name,
                )
            )

    def _modify_default_reverse_values(self, origin_move):
        """What replaces an advance is the advance of that month: it is settled too."""
        values = super()._modify_default_reverse_values(origin_move)
        if origin_move.onergy_contract_id:
            # The database allows one of a month, besides those that were reversed.
            origin_move.flush_recordset(["payment_state"])
            values.update(
                onergy_contract_id=origin_move.onergy_contract_id.id,
                onergy_move_kind=origin_move.onergy_move_kind,
                onergy_advance_month=origin_move.onergy_advance_month,
            )
        return values
