from datetime import timedelta

import pytz
from psycopg2 import IntegrityError

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command

from ..client import parse_money, parse_utc, text_id
from ..const import QUIET

BATCH = 100


class PaytTransaction(models.Model):
    """An online payment by a debtor (iDEAL, card, direct debit) and its booking.

    States: new → booked → reversed; new → closed (never became money); attention: a
    person has to look; shown: another source books the money.
    """

    _name = "payt.transaction"
    _description = "Online payment at Payt"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "paid_date desc, id desc"
    _rec_name = "payt_id"

    connection_id = fields.Many2one(
        "payt.connection", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="connection_id.company_id", store=True, index=True
    )
    payt_id = fields.Char("Payt ID", required=True, readonly=True)
    currency_id = fields.Many2one("res.currency", required=True, readonly=True)
    amount = fields.Monetary(readonly=True)
    status = fields.Selection(
        [
            ("pending", "Started"),
            ("processing", "In progress"),
            ("paid", "Paid"),
            ("cancelled", "Cancelled"),
            ("failed", "Failed"),
            ("charged_back", "Charged back"),
            ("refunded", "Refunded"),
        ],
        "Status at Payt",
        readonly=True,
        index=True,
    )
    state = fields.Selection(
        [
            ("new", "To book"),
            ("booked", "Booked"),
            ("reversed", "Reversed"),
            ("closed", "No money"),
            ("shown", "Not booked here"),
            ("attention", "Needs a person"),
        ],
        "In Odoo",
        default="new",
        required=True,
        readonly=True,
        index=True,
    )
    method = fields.Char("Paid with", readonly=True)
    paid_date = fields.Datetime("Paid on", readonly=True)
    reversal_code = fields.Char(readonly=True)
    account_holder = fields.Char(readonly=True)
    line_ids = fields.One2many("payt.transaction.line", "transaction_id", readonly=True)
    payment_ids = fields.One2many("account.payment", "payt_transaction_id")
    payment_id = fields.Many2one(
        "account.payment", "Booked as", readonly=True, index="btree_not_null"
    )
    reversal_move_id = fields.Many2one("account.move", "Reversal", readonly=True)
    problem = fields.Char("What is wrong", readonly=True)
    payt_updated = fields.Char(readonly=True)

    _payt_uniq = models.UniqueIndex("(connection_id, payt_id)")

    # --------------------------------------------------------------------- reading

    @api.model
    def _upsert(self, connection, rows):
        """Keep what Payt says of its transactions.

        :return: dict Payt's id → transaction
        """
        by_id = {text_id(row["id"]): row for row in self._newest(rows)}
        found = {
            transaction.payt_id: transaction
            for transaction in self.search(
                [("connection_id", "=", connection.id), ("payt_id", "in", list(by_id))]
            )
        }
        currencies = self._currencies(rows)
        new = []
        for payt_id, row in by_id.items():
            values = self._values(connection, row, currencies)
            known = found.get(payt_id)
            if not known:
                new.append(values)
            elif not self.env["payt.pull"]._is_stale(known, row):
                known.write(values)
        for transaction in self.with_context(**QUIET).create(new):
            found[transaction.payt_id] = transaction
        return found

    @api.model
    def _newest(self, rows):
        """The same transaction may come several times: the newest row counts last."""
        return sorted(rows, key=lambda row: row["updated_at"])

    @api.model
    def _currencies(self, rows):
        found = self.env["res.currency"].with_context(active_test=False)
        codes = {row["currency_code"] for row in rows}
        found = found.search([("name", "in", sorted(codes))])
        return {currency.name: currency for currency in found}

    @api.model
    def _values(self, connection, row, currencies):
        currency = currencies[row["currency_code"]]
        return {
            "connection_id": connection.id,
            "payt_id": text_id(row["id"]),
            "currency_id": currency.id,
            "amount": float(parse_money(row["amount"])),
            "status": row["status"],
            "method": row.get("payment_method"),
            "paid_date": parse_utc(row.get("paid_at")),
            "reversal_code": row.get("reversal_code"),
            "account_holder": row.get("bank_account_name"),
            "payt_updated": row["updated_at"],
        }

    # ------------------------------------------------------------------- processing

    @api.model
    def _process(self, connection):
        """Bring the books in line with the transactions; safe to call at any time."""
        todo = self.search(
            [
                ("connection_id", "=", connection.id),
                ("state", "in", ("new", "booked")),
                "|",
                ("state", "=", "new"),
                ("status", "in", ("charged_back", "refunded")),
            ]
        )
        # Whoever else is at it (webhook, poll) does these; nobody does them twice.
        todo = todo.try_lock_for_update()
        new = todo.filtered(lambda t: t.state == "new")
        taken_back = todo - new
        new.filtered(
            lambda t: t.status in ("cancelled", "failed", "charged_back", "refunded")
        ).state = "closed"
        paid = new.filtered(lambda t: t.status == "paid" and t.line_ids)
        if connection.booking_mode == "status":
            paid.state = "shown"
        else:
            for start in range(0, len(paid), BATCH):
                paid[start : start + BATCH]._book_safely()
        for transaction in taken_back:
            transaction._reverse_safely()

    def _book_safely(self):
        """Book a batch; when one of it cannot be booked, the others still are."""
        bookable = self.filtered(lambda t: not t._refuse())
        try:
            with self.env.cr.savepoint():
                bookable._book()
        except (UserError, IntegrityError) as error:
            if len(bookable) == 1:
                bookable._needs_attention(str(error))
            else:
                for transaction in bookable:
                    transaction._book_safely()

    def _refuse(self):
        """Hand over to a person what cannot be booked by rule; return True then."""
        self.ensure_one()
        problem = self._find_problem()
        if problem:
            self._needs_attention(problem)
        return bool(problem)

    def _find_problem(self):
        self.ensure_one()
        company = self.company_id
        received = self.line_ids.filtered(lambda line: line.amount > 0)
        principal = received.filtered(lambda line: line.cost_type == "principal")
        if self.currency_id != company.currency_id:
            return self.env._("Paid in another currency than the books.")
        if self.currency_id.compare_amounts(
            sum(received.mapped("amount")), self.amount
        ):
            return self.env._("The parts do not add up to the amount paid.")
        if not all(line.invoice_id for line in principal):
            return self.env._("Payt links this payment to an invoice we do not have.")
        if any(
            line.invoice_id.move_id.state != "posted"
            or line.invoice_id.currency_id != self.currency_id
            for line in principal
        ):
            return self.env._("The invoice is not posted, or in another currency.")
        if len(principal.invoice_id.partner_id) != 1:
            return self.env._("The payment covers invoices of several payers.")
        if not self._payment_method_line():
            return self.env._("The clearing journal has no outstanding account.")
        if received - principal and not self.connection_id.cost_account_id:
            return self.env._(
                "Part of it is Payt's costs; choose an account for these first."
            )
        return None

    def _needs_attention(self, problem):
        for transaction in self:
            transaction.write({"state": "attention", "problem": problem})
            transaction.connection_id._notify(
                self.env._("Online payment needs you"), problem, transaction
            )

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
        zone = pytz.timezone(self.env.user.tz or "Europe/Amsterdam")
        moment = self.paid_date or fields.Datetime.now()
        return pytz.utc.localize(moment).astimezone(zone).date()

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
        returned = -sum(
            self.line_ids.filtered(lambda line: line.amount < 0).mapped("amount")
        )
        if returned and self.currency_id.compare_amounts(returned, self.amount):
            self._needs_attention(
                self.env._("Only part of this payment was taken back.")
            )
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
        reversal = move._reverse_moves(
            [
                {
                    "date": self._open_date(fields.Date.context_today(self)),
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

    # ----------------------------------------------------------------------- actions

    def action_book(self):
        """Try again what a person has put in order."""
        self.env["payt.operation"]._check_may_act()
        # sudo: the accountant reads these records, the buttons write them
        for transaction in self.sudo().filtered(lambda t: t.state == "attention"):
            transaction.state = "booked" if transaction.payment_id else "new"
            transaction.problem = False
            transaction._process(transaction.connection_id)

    def action_settle(self):
        """A person has dealt with it in another way."""
        self.env["payt.operation"]._check_may_act()
        # sudo: as above
        settled = self.sudo().filtered(lambda t: t.state == "attention")
        settled.state = "shown"
        settled.activity_unlink(["mail.mail_activity_data_todo"])
