from datetime import timedelta

import pytz

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command

from ..const import QUIET


class PaytTransactionBooking(models.Model):
    """How online payments get into the books, and out of them again."""

    _inherit = "payt.transaction"

    # ---------------------------------------------------------------------- booking

    def _book(self):
        """Make a payment per transaction and reconcile it with its invoices."""
        if not self:
            return
        # The entries in one create and the payments in another: half the queries of
        # posting payments that make their own entries, with the same result.
        self._warm_up()
        entries = self.env["account.move"].with_context(is_payment=True, **QUIET)
        moves = entries.create([transaction._prepare_entry() for transaction in self])
        payments = (
            self.env["account.payment"]
            .with_context(**QUIET)
            .create(
                [
                    transaction._prepare_payment(move)
                    for transaction, move in zip(self, moves, strict=True)
                ]
            )
        )
        self._link(moves, payments)
        moves._post(soft=False)
        plan = []
        for transaction, payment in zip(self, payments, strict=True):
            transaction.write(
                {"payment_id": payment.id, "state": "booked", "problem": False}
            )
            plan += transaction._reconciliations(payment)
        self.env["account.move.line"].with_context(**QUIET)._reconcile_plan(plan)
        for transaction in self:
            transaction._check_leftover()

    def _parts(self):
        """Return the rows of the payment: (principal rows, rows of Payt's costs)."""
        received = self.line_ids.filtered(lambda line: line.amount > 0)
        principal = received.filtered(lambda line: line.cost_type == "principal")
        return principal, received - principal

    @api.model
    def _link(self, moves, payments):
        """Tell each entry which payment it belongs to, all in one statement.

        The entries are still drafts, so the checks of ``write`` would find nothing.
        """
        moves.flush_recordset()
        moves._write_multi([{"origin_payment_id": payment.id} for payment in payments])
        moves.invalidate_recordset(["origin_payment_id"], flush=False)
        items = moves.line_ids
        self.env.add_to_compute(items._fields["payment_id"], items)

    def _warm_up(self):
        """Read what the batch needs in a few queries."""
        lines = self.line_ids.invoice_id.move_id.line_ids
        lines.fetch(["account_id", "reconciled", "move_id"])
        lines.account_id.fetch(["account_type", "reconcile"])

    def _prepare_payment(self, move):
        self.ensure_one()
        principal, _costs = self._parts()
        method = self._payment_method_line()
        return {
            "payment_type": "inbound",
            "partner_type": "customer",
            "partner_id": principal.invoice_id.partner_id.id,
            "destination_account_id": self._receivable_account(principal[0]).id,
            "outstanding_account_id": method.payment_account_id.id,
            "payment_method_line_id": method.id,
            "amount": self.amount,
            "currency_id": self.currency_id.id,
            "date": move.date,
            "journal_id": move.journal_id.id,
            "memo": move.ref,
            "state": "in_process",
            "move_id": move.id,
            "payt_transaction_id": self.id,
        }

    def _payment_method_line(self):
        lines = self.connection_id.journal_id.inbound_payment_method_line_ids
        return lines.filtered("payment_account_id")[:1]

    def _prepare_entry(self):
        """The money waits at the provider; each invoice has an item of its own."""
        self.ensure_one()
        principal, costs = self._parts()
        partner = principal.invoice_id.partner_id
        memo = self._memo(principal)
        common = {
            "partner_id": partner.id,
            "currency_id": self.currency_id.id,
            "analytic_distribution": False,
            "tax_ids": False,
        }
        items = [
            {
                **common,
                "name": memo,
                "account_id": self._payment_method_line().payment_account_id.id,
                "amount_currency": self.amount,
                "balance": self.amount,
            }
        ]
        for line in principal:
            items.append(
                {
                    **common,
                    "name": self._part_name(line),
                    "account_id": self._receivable_account(line).id,
                    "amount_currency": -line.amount,
                    "balance": -line.amount,
                }
            )
        for line in costs:
            items.append(
                {
                    **common,
                    "name": self.env._("Payt costs %(id)s", id=line.payt_id),
                    "account_id": self.connection_id.cost_account_id.id,
                    "amount_currency": -line.amount,
                    "balance": -line.amount,
                }
            )
        return {
            "move_type": "entry",
            "ref": memo,
            "date": self._booking_date(),
            "journal_id": self.connection_id.journal_id.id,
            "company_id": self.company_id.id,
            "partner_id": partner.id,
            "currency_id": self.currency_id.id,
            "fiscal_position_id": False,
            "line_ids": [Command.create(item) for item in items],
        }

    def _receivable_account(self, line):
        lines = line.invoice_id.move_id.line_ids
        return lines.filtered(
            lambda item: item.account_id.account_type == "asset_receivable"
        ).account_id[:1]

    def _part_name(self, line):
        return f"Payt {self.payt_id}/{line.payt_id}"

    def _memo(self, principal):
        numbers = ", ".join(principal.invoice_id.move_id.mapped("name"))
        memo = f"Payt {self.payt_id} {numbers}"
        true_date = self._true_date()
        if true_date != self._booking_date():
            memo = f"{memo} ({true_date})"
        return memo

    def _true_date(self):
        self.ensure_one()
        return self._local_date(self.paid_date or fields.Datetime.now())

    def _local_date(self, moment):
        """Return the company's day of a moment, whoever (or whatever job) asks."""
        name = self.company_id.partner_id.tz or self.env.user.tz or "Europe/Amsterdam"
        return pytz.utc.localize(moment).astimezone(pytz.timezone(name)).date()

    def _booking_date(self):
        """The day of payment, or the first day after it that is not locked."""
        return self._open_date(self._true_date())

    def _open_date(self, date):
        locks = self.company_id._get_violated_lock_dates(
            date, False, self.connection_id.journal_id
        )
        return (
            max(lock for lock, _field in locks) + timedelta(days=1) if locks else date
        )

    def _reconciliations(self, payment):
        """Pair each journal item of the payment with the invoice it is meant for."""
        self.ensure_one()
        principal, _costs = self._parts()
        items = {item.name: item for item in payment.move_id.line_ids}
        pairs = []
        for line in principal:
            item = items[self._part_name(line)]
            owed = line.invoice_id.move_id.line_ids.filtered(
                lambda owed, item=item: (
                    owed.account_id == item.account_id and not owed.reconciled
                )
            )
            if owed:
                pairs.append(item | owed)
        return pairs

    def _check_leftover(self):
        """Money that found no invoice to pay needs a person."""
        items = self.payment_id.move_id.line_ids.filtered(
            lambda item: (
                item.account_id.account_type == "asset_receivable"
                and not item.reconciled
            )
        )
        if items:
            self.connection_id._notify(
                self.env._("Paid too much"),
                self.env._(
                    "%(amount)s of this online payment is not needed for the invoice. "
                    "Pay it back or use it for another one.",
                    amount=self.currency_id.format(
                        abs(sum(items.mapped("amount_residual")))
                    ),
                ),
                self,
            )

    # --------------------------------------------------------------------- reversing

    def _reverse_safely(self):
        self.ensure_one()
        if self._is_partly_returned():
            self._ask_about_part()
            return
        try:
            with self.env.cr.savepoint():
                self._reverse()
        except UserError as error:
            self._needs_attention(str(error))

    def _reverse(self):
        """The money went back: reverse the payment, the invoice is open again."""
        self.ensure_one()
        move = self.payment_id.move_id.with_context(**QUIET)
        move.line_ids.filtered(
            lambda item: item.account_id.account_type == "asset_receivable"
        ).remove_move_reconcile()
        today = self._local_date(fields.Datetime.now())
        reversal = move._reverse_moves(
            [
                {
                    "date": self._open_date(max(today, self.payment_id.date)),
                    "ref": self.env._(
                        "Taken back: %(memo)s %(code)s",
                        memo=move.ref or "",
                        code=self.reversal_code or "",
                    ),
                }
            ]
        )
        reversal._post(soft=False)
        items = (move | reversal).line_ids.filtered(
            lambda item: item.account_id.reconcile and not item.reconciled
        )
        self.env["account.move.line"]._reconcile_plan(
            list(items.grouped("account_id").values())
        )
        self.write({"state": "reversed", "reversal_move_id": reversal.id})
        self._tell_reversal()

    def _tell_reversal(self):
        invoices = self._parts()[0].invoice_id
        invoices.write(
            {
                "reversal_code": self.reversal_code or False,
                "reversal_date": fields.Datetime.now(),
            }
        )
        label = dict(self._fields["status"]._description_selection(self.env))
        for invoice in invoices:
            invoice.move_id._message_log(
                body=self.env._(
                    "Online payment of %(amount)s: %(status)s %(code)s. The invoice is "
                    "open again.",
                    amount=self.currency_id.format(self.amount),
                    status=label[self.status],
                    code=self.reversal_code or "",
                )
            )
        self.connection_id._notify(
            label[self.status],
            self.env._("The invoice is open again."),
            self,
        )
