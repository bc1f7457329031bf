from odoo import models
from odoo.exceptions import UserError


class AccountMove(models.Model):
    """Bills, and advances that are on a bill, stay what they are."""

    _inherit = "account.move"

    def _post(self, soft=True):
        """A credit note that takes a whole bill back takes its settlement back too."""
        posted = super()._post(soft=soft)
        if not self.env.context.get("onergy_settlement_batch"):
            posted._onergy_take_back_settlements()
        return posted

    def _onergy_take_back_settlements(self):
        for credit in self.filtered("reversed_entry_id"):
            bill = credit.reversed_entry_id
            # sudo: who credits a bill need not have rights on settlements
            settlement = bill._onergy_get_settlement()
            if settlement.state == "posted" and credit._onergy_is_opposite_of(bill):
                settlement._take_back(credit)

    def _onergy_is_opposite_of(self, move):
        """Whether this leaves nothing of what the payer owes for another entry."""
        lines = (self | move).line_ids.filtered(
            lambda line: line.account_id.account_type == "asset_receivable"
        )
        return self.company_currency_id.is_zero(sum(lines.mapped("balance")))

    def button_draft(self):
        self._onergy_check_not_settled()
        return super().button_draft()

    def button_cancel(self):
        self._onergy_check_not_settled()
        return super().button_cancel()

    def _onergy_check_not_settled(self):
        """Refuse to change what a posted settlement was made of.

        :raises UserError: telling what to do instead
        """
        # sudo: bookkeepers may not read settlements, but have to keep off them
        billed = self.filtered(lambda move: move.sudo().onergy_settlement_ids)[:1]
        if billed:
            raise UserError(
                self.env._(
                    "%(bill)s belongs to a settlement and stays as it is. Make a "
                    "credit note of the whole bill if it has to be made again.",
                    bill=billed.display_name,
                )
            )
        Advance = self.env["onergy.settlement.advance"].sudo()
        settled = Advance.search(
            [("move_id", "in", self.ids), ("is_final", "=", True)], limit=1
        )
        if settled:
            raise UserError(
                self.env._(
                    "%(advance)s was settled on %(bill)s and stays as it is. Make a "
                    "credit note instead: the next bill of this contract settles it.",
                    advance=settled.move_id.display_name,
                    bill=settled.settlement_id.move_id.display_name,
                )
            )
