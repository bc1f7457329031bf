from odoo import models
from odoo.exceptions import UserError


class AccountMove(models.Model):
    """Bills, and advances that are on a bill, stay what they are."""

    _inherit = "account.move"

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
