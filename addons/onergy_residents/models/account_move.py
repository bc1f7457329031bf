from odoo import fields, models


class AccountMove(models.Model):
    _inherit = "account.move"

    onergy_contract_id = fields.Many2one(
        "onergy.contract",
        "Supply contract",
        index="btree_not_null",
        ondelete="restrict",
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

    def _onergy_sent_elsewhere(self):
        """Those of the bills that another system sends, so that Odoo must not."""
        return self.browse()

    def _onergy_get_debit_problem(self):
        """Return why the direct debit of this bill failed and it still has to be paid.

        For addons that hear from the bank or collector; none here.

        :return: an ``onergy.debit.reason``, empty if nothing is wrong
        """
        self.ensure_one()
        return self.env["onergy.debit.reason"]

    def _onergy_get_portal_status(self):
        """Return in one word how a posted bill stands for the resident.

        ``open``, ``partial``, ``overdue``, ``processing`` (paid, not yet on the bank),
        ``paid``, ``reversed``; for a credit note ``refund_open`` or ``refund_done``.
        """
        self.ensure_one()
        is_settled = self.currency_id.is_zero(self.amount_residual)
        if self.move_type == "out_refund":
            return "refund_done" if is_settled else "refund_open"
        if self.payment_state in ("reversed", "paid"):
            return self.payment_state
        if self.payment_state == "in_payment":
            return "processing"
        if is_settled:
            return "paid"
        if self.invoice_date_due and self.invoice_date_due < fields.Date.context_today(
            self
        ):
            return "overdue"
        return "partial" if self.payment_state == "partial" else "open"
