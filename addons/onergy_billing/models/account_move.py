from odoo import Command, fields, models
from odoo.exceptions import UserError


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

    # However often a run is repeated, a month of a contract is invoiced once. What was
    # taken back by a credit note may be replaced by hand.
    _onergy_advance_month_uniq = models.UniqueIndex(
        "(onergy_contract_id, onergy_advance_month) "
        "WHERE onergy_advance_month IS NOT NULL AND move_type = 'out_invoice' "
        "AND state != 'cancel' AND payment_state IS DISTINCT FROM 'reversed'",
        "This contract already has an advance invoice for this month.",
    )

    def _reverse_moves(self, default_values_list=None, cancel=False):
        """A credit note of an advance is an advance too: it is settled with it."""
        default_values_list = default_values_list or [{} for _move in self]
        for move, values in zip(self, default_values_list, strict=True):
            if move.onergy_contract_id:
                values.setdefault("onergy_contract_id", move.onergy_contract_id.id)
                values.setdefault("onergy_advance_month", move.onergy_advance_month)
            if move.onergy_move_kind:  # an owner's bill has no contract
                values.setdefault("onergy_move_kind", move.onergy_move_kind)
        return super()._reverse_moves(default_values_list, cancel=cancel)

    def _get_name_invoice_report(self):
        self.ensure_one()
        if self._onergy_get_settlement():
            return "onergy_billing.report_settlement_document"
        if self.onergy_move_kind == "advance" and self.onergy_contract_id:
            return "onergy_billing.report_advance_document"
        return super()._get_name_invoice_report()

    def _onergy_get_settlement(self):
        """The settlement that this bill is for, empty for any other bill."""
        self.ensure_one()
        # sudo: who may see the bill may see what it was made of
        return self.sudo().onergy_settlement_ids[:1]

    def _onergy_get_mandate(self):
        """The mandate that this bill is collected by, empty where it is not."""
        self.ensure_one()
        # sudo: who may see the bill may know how it is collected
        contract = self.sudo().onergy_contract_id
        if contract.payment_method != "direct_debit":
            return self.env["onergy.mandate"]
        mandates = contract._get_mandate("active", "pending")
        return mandates.filtered(
            lambda m: not m.valid_from or m.valid_from <= self.invoice_date_due
        ).sorted("id")[-1:]

    def _get_mail_template(self):
        """Yearly bills have an e-mail of their own."""
        if self and all(move._onergy_get_settlement() for move in self):
            return self.env.ref("onergy_billing.mail_template_settlement")
        return super()._get_mail_template()

    # -- delivery ------------------------------------------------------------------

    def _onergy_get_deliveries(self):
        """How each bill gets to the resident.

        :return: dict bill → ``elsewhere`` (another system sends it), ``email``,
            ``post``, or ``none``: by e-mail, but there is no address
        """
        elsewhere = self._onergy_sent_elsewhere()
        deliveries = {}
        for move in self:
            if move in elsewhere:
                deliveries[move] = "elsewhere"
            elif move.onergy_contract_id.invoice_delivery == "post":
                deliveries[move] = "post"
            else:
                deliveries[move] = "email" if move.partner_id.email else "none"
        return deliveries

    def _onergy_filter_delivery(self, delivery):
        """Posted bills that still have to be delivered in this way."""
        waiting = self.filtered(lambda m: m.state == "posted" and not m.is_move_sent)
        deliveries = waiting._onergy_get_deliveries()
        return waiting.filtered(lambda move: deliveries[move] == delivery)

    def _onergy_send_by_email(self):
        """Let Odoo's own job send these bills, each once.

        The job takes a few at a time, goes on after a stop, and marks and logs on each
        invoice that it was sent.
        """
        moves = self._onergy_filter_delivery("email").filtered(
            lambda move: not move.sending_data
        )
        if not moves:
            raise UserError(self.env._("There is no bill to send by e-mail."))
        # What Odoo's wizard for many invoices does; that one fails on a single one.
        moves.sending_data = {
            "author_user_id": self.env.uid,
            "author_partner_id": self.env.user.partner_id.id,
        }
        # sudo: who may send bills need not manage scheduled actions
        self.env.ref("account.ir_cron_account_move_send").sudo()._trigger()
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "info",
                "message": self.env._(
                    "%(count)s bills are being sent in the background.",
                    count=len(moves),
                ),
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    def action_onergy_print_post(self):
        """Print bills that go by post to one file, in the background."""
        moves = self._onergy_filter_delivery("post")
        # What lies in a batch that is being printed is not printed once more.
        moves -= self.env["onergy.post.batch"]._get_waiting_moves(moves)
        if not moves:
            raise UserError(self.env._("There is no bill to print for the post."))
        batches = self.env["onergy.post.batch"]
        for company, own in moves.grouped("company_id").items():
            batches += batches.create(
                {"company_id": company.id, "move_ids": [Command.set(own.ids)]}
            )
        batches.action_make()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "onergy_billing.action_onergy_post_batch"
        )
        if len(batches) == 1:
            action |= {
                "res_id": batches.id,
                "view_mode": "form",
                "views": [(False, "form")],
            }
        return action
