from psycopg2 import IntegrityError

from odoo import Command, api, fields, models
from odoo.exceptions import UserError

from ..client import parse_money, parse_utc, text_id
from ..const import QUIET
from ..words import METHODS, known

BATCH = 100
STATUSES = [
    ("pending", "Started"),
    ("processing", "In progress"),
    ("paid", "Paid"),
    ("cancelled", "Cancelled"),
    ("failed", "Failed"),
    ("charged_back", "Charged back"),
    ("refunded", "Refunded"),
]
TAKEN_BACK = ("charged_back", "refunded")
NO_MONEY = ("cancelled", "failed", *TAKEN_BACK)


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
    status = fields.Selection(STATUSES, "Status at Payt", readonly=True, index=True)
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
    method = fields.Char("Paid with, in Payt's word", readonly=True)
    method_kind = fields.Selection(
        METHODS, "Way of paying", compute="_compute_method_kind", store=True
    )
    method_label = fields.Char("Paid with", compute="_compute_method_label")
    paid_date = fields.Datetime("Paid on", readonly=True)
    reversal_code = fields.Char(readonly=True)
    account_holder = fields.Char(readonly=True)
    line_ids = fields.One2many("payt.transaction.line", "transaction_id", readonly=True)
    invoice_ids = fields.Many2many(
        "payt.invoice",
        "payt_transaction_invoice_rel",
        "transaction_id",
        "invoice_id",
        "Paid for",
        readonly=True,
        help="As Payt says of the payment itself; how much for which, its lines tell.",
    )
    move_names = fields.Char("Invoices", compute="_compute_move_names")
    payment_ids = fields.One2many("account.payment", "payt_transaction_id")
    payment_id = fields.Many2one(
        "account.payment", "Booked as", readonly=True, index="btree_not_null"
    )
    reversal_move_id = fields.Many2one("account.move", "Reversal", readonly=True)
    problem = fields.Char("What is wrong", readonly=True)
    payt_updated = fields.Char(readonly=True)

    _payt_uniq = models.UniqueIndex("(connection_id, payt_id)")

    @api.depends("line_ids.move_id.name", "invoice_ids.move_id.name")
    def _compute_move_names(self):
        for transaction in self:
            moves = transaction.line_ids.move_id | transaction.invoice_ids.move_id
            names = moves.mapped("name")
            transaction.move_names = ", ".join(sorted(filter(None, names)))

    @api.depends("method")
    def _compute_method_kind(self):
        for transaction in self:
            transaction.method_kind = known(transaction.method, METHODS)

    @api.depends("method", "method_kind")
    @api.depends_context("lang")
    def _compute_method_label(self):
        labels = dict(self._fields["method_kind"]._description_selection(self.env))
        for transaction in self:
            kind = transaction.method_kind
            transaction.method_label = (
                transaction.method if kind == "other" else labels.get(kind)
            )

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
        invoices = self._invoices_paid(connection, rows)
        new = []
        for payt_id, row in by_id.items():
            values = self._values(connection, row, currencies)
            paid_for = [invoices.get(number) for number in _paid_for(row)]
            values["invoice_ids"] = [Command.set(list(filter(None, paid_for)))]
            known = found.get(payt_id)
            if not known:
                new.append(values)
            elif not self.env["payt.pull"]._is_stale(known, row):
                known.write(values)
        for transaction in self.with_context(**QUIET).create(new):
            found[transaction.payt_id] = transaction
        return found

    @api.model
    def _invoices_paid(self, connection, rows):
        """{Payt's id: our id} of the invoices that these are for, as far as we know."""
        wanted = {number for row in rows for number in _paid_for(row)}
        invoices = self.env["payt.invoice"].search(
            [("connection_id", "=", connection.id), ("payt_id", "in", list(wanted))]
        )
        return {invoice.payt_id: invoice.id for invoice in invoices}

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
        # A status that we do not know yet is no money yet.
        status = row["status"]
        return {
            "connection_id": connection.id,
            "payt_id": text_id(row["id"]),
            "currency_id": currency.id,
            "amount": float(parse_money(row["amount"])),
            "status": status if status in dict(STATUSES) else "processing",
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
                ("status", "in", TAKEN_BACK),
            ]
        )
        # Whoever else is at it (webhook, poll) does these; nobody does them twice.
        todo = todo.try_lock_for_update()
        todo = todo.filtered(lambda t: not t._must_wait())
        new = todo.filtered(lambda t: t.state == "new")
        taken_back = todo - new
        new.filtered(lambda t: t.status in NO_MONEY)._close()
        paid = new.filtered(lambda t: t.status == "paid")
        history = paid.filtered(lambda t: t._is_history())
        history.state = "shown"
        paid -= history
        if connection.booking_mode == "status":
            paid.state = "shown"
        else:
            for start in range(0, len(paid), BATCH):
                paid[start : start + BATCH]._book_safely()
        for transaction in taken_back:
            transaction._reverse_safely()

    def _close(self):
        """Put away what never became money, or went back before we booked it."""
        partly = self.filtered(lambda t: t._is_partly_returned())
        partly._ask_about_part()
        (self - partly).state = "closed"

    def _must_wait(self):
        """Whether rows of this payment may still come.

        Read through one of its invoices it comes without the rows of the others. A
        poll that began after Payt's last word on it has read all that there are.
        """
        self.ensure_one()
        if self.status == "paid":
            rows_missing = bool(
                self.currency_id.compare_amounts(self._received(), self.amount)
            )
        else:
            rows_missing = self._is_partly_returned()
        polled = self.connection_id.last_pull
        return rows_missing and (not polled or polled <= parse_utc(self.payt_updated))

    def _is_history(self):
        """Whether this was paid before we began, for invoices that we never had."""
        self.ensure_one()
        begin = self.connection_id.start_date
        return bool(
            begin and self._true_date() < begin and not self.line_ids.invoice_id
        )

    def _unplaced_amount(self):
        """Return what was paid and neither booked nor told for which invoice."""
        waiting = self.filtered(
            lambda t: t.status == "paid" and t.state in ("new", "attention")
        )
        return sum(max(t.amount - t._received(), 0.0) for t in waiting)

    def _received(self):
        """Return what came in, according to the rows of this payment."""
        received = self.line_ids.filtered(lambda line: line.amount > 0)
        return sum(received.mapped("amount"))

    def _returned(self):
        """Return what went back, according to the rows of this payment."""
        returned = self.line_ids.filtered(lambda line: line.amount < 0)
        return -sum(returned.mapped("amount"))

    def _is_partly_returned(self):
        self.ensure_one()
        returned = self._returned()
        return bool(
            returned and self.currency_id.compare_amounts(returned, self.amount)
        )

    def _ask_about_part(self):
        self._needs_attention(self.env._("Only part of this payment was taken back."))

    def _reconsider(self):
        """Try again: a new row may be what was missing."""
        waiting = self.filtered(lambda t: t.state == "attention")
        unbooked = waiting.filtered(lambda t: not t.payment_id)
        taken_back = (waiting - unbooked).filtered(lambda t: t.status in TAKEN_BACK)
        unbooked.write({"state": "new", "problem": False})
        taken_back.write({"state": "booked", "problem": False})
        (unbooked | taken_back).activity_unlink(["mail.mail_activity_data_todo"])

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
        if not received:
            return self.env._("Payt does not tell which invoices this payment is for.")
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
        if any(line.invoice_id._has_other_payer() for line in principal):
            return self.env._("The invoice has another payer here than at Payt.")
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

    # ----------------------------------------------------------------------- actions

    def action_book(self):
        """Try again what a person has put in order."""
        self.env["payt.operation"]._check_may_act(self)
        # sudo: the accountant reads these records, the buttons write them
        for transaction in self.sudo().filtered(lambda t: t.state == "attention"):
            transaction.state = "booked" if transaction.payment_id else "new"
            transaction.problem = False
            transaction._process(transaction.connection_id)

    def action_settle(self):
        """A person has dealt with it in another way."""
        self.env["payt.operation"]._check_may_act(self)
        # sudo: as above
        settled = self.sudo().filtered(lambda t: t.state == "attention")
        settled.state = "shown"
        settled.activity_unlink(["mail.mail_activity_data_todo"])


def _paid_for(row):
    """Payt's ids of the invoices that a transaction is for."""
    return [text_id(number) for number in row.get("invoice_ids") or []]
