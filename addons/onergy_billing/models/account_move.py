from odoo import fields, models


class AccountMove(models.Model):
    _inherit = "account.move"

    onergy_advance_month = fields.Date(
        "Month of the advance",
        copy=False,
        help="First day of the month that this advance is for.",
    )
    onergy_settlement_ids = fields.One2many(
        "onergy.settlement", "move_id", "Settlement", copy=False
    )

    # However often a run is repeated, a month of a contract is invoiced once.
    _onergy_advance_month_uniq = models.UniqueIndex(
        "(onergy_contract_id, onergy_advance_month) "
        "WHERE onergy_advance_month IS NOT NULL AND move_type = 'out_invoice' "
        "AND state != 'cancel'",
        "This contract already has an advance invoice for this month.",
    )

    def _reverse_moves(self, default_values_list=None, cancel=False):
        """A credit note of an advance is an advance too: it is settled with it."""
        default_values_list = default_values_list or [{} for _move in self]
        for move, values in zip(self, default_values_list, strict=True):
            if move.onergy_contract_id:
                values.setdefault("onergy_contract_id", move.onergy_contract_id.id)
                values.setdefault("onergy_move_kind", move.onergy_move_kind)
                values.setdefault("onergy_advance_month", move.onergy_advance_month)
        return super()._reverse_moves(default_values_list, cancel=cancel)

    def _get_name_invoice_report(self):
        self.ensure_one()
        if self._onergy_get_settlement():
            return "onergy_billing.report_settlement_document"
        return super()._get_name_invoice_report()

    def _onergy_get_settlement(self):
        """The settlement that this bill is for, empty for any other bill."""
        self.ensure_one()
        # sudo: who may see the bill may see what it was made of
        return self.sudo().onergy_settlement_ids[:1]
