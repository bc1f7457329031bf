import hashlib
import json

from odoo import api, fields, models

from ..client import format_money, format_utc

STATUSES = [
    ("waiting", "Not sent yet"),
    ("new", "New"),
    ("sent", "Sent"),
    ("pre_reminder", "Announcement"),
    ("reminder", "Reminder"),
    ("final_reminder", "Final reminder"),
    ("collectable", "Ready for collection"),
    ("paused", "Paused"),
    ("plan", "Payment plan"),
    ("debt_collection", "Debt collection"),
    ("summons", "Summons"),
    ("notice_of_default", "Notice of default"),
    ("pre_judicial", "Last notice before court"),
    ("bailiff", "Bailiff"),
    ("paid", "Paid"),
    ("deleted", "Deleted at Payt"),
]
# Who may read what was paid: residents see their invoice only.
STAFF = "onergy_residents.group_accountant,onergy_residents.group_customer_service"


class PaytInvoice(models.Model):
    """An invoice as Payt knows it: what we sent and what Payt says of it.

    A table of its own, so that polling Payt never locks or rewrites the books.
    """

    _name = "payt.invoice"
    _description = "Invoice at Payt"
    _order = "invoice_date desc, id desc"
    _rec_name = "move_id"
    _rec_names_search = ["move_id", "partner_id"]

    connection_id = fields.Many2one(
        "payt.connection", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="connection_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="move_id.currency_id")
    move_id = fields.Many2one(
        "account.move", "Invoice", required=True, ondelete="cascade"
    )
    partner_id = fields.Many2one(
        related="debtor_id.partner_id",
        string="Payer",
        store=True,
        index=True,
        help="The payer that Payt has it under.",
    )
    debtor_id = fields.Many2one("payt.debtor", index=True, ondelete="restrict")
    invoice_date = fields.Date(related="move_id.invoice_date", store=True)
    due_date = fields.Date(related="move_id.invoice_date_due", string="Due on")
    residual = fields.Monetary(
        "Open in Odoo",
        compute="_compute_residual",
        help="Of a credit note negative, as at Payt.",
    )
    payt_id = fields.Char("Payt ID", readonly=True, index="btree_not_null")
    status = fields.Selection(
        STATUSES, default="waiting", required=True, readonly=True, index=True
    )
    status_number = fields.Integer(readonly=True)
    status_date = fields.Datetime(readonly=True)
    status_label = fields.Char("Status at Payt", compute="_compute_status_label")
    total_amount = fields.Monetary("Total at Payt", readonly=True)
    open_amount = fields.Monetary("Open at Payt", readonly=True)
    costs_total = fields.Monetary("Payt's costs", readonly=True)
    costs_open = fields.Monetary("Payt's costs, open", readonly=True)
    is_paused = fields.Boolean("Paused", readonly=True)
    has_plan = fields.Boolean("In a payment plan", readonly=True)
    has_case = fields.Boolean("In a collection case", readonly=True)
    is_disputed = fields.Boolean(
        "Disputed",
        readonly=True,
        help="Blocked by us: Payt sends no reminders while this is on.",
    )
    is_taken_back = fields.Boolean(
        "Taken back",
        readonly=True,
        help="Blocked by us: the invoice was reset to draft or cancelled here.",
    )
    plan_payt_id = fields.Char("Plan at Payt", readonly=True)
    case_payt_id = fields.Char("Case at Payt", readonly=True)
    case_id = fields.Many2one(
        "payt.case", "Collection case", readonly=True, index="btree_not_null"
    )
    public_url = fields.Char("Payment page", readonly=True)
    deeplink_url = fields.Char("Open in Payt", readonly=True)
    transaction_line_ids = fields.One2many(
        "payt.transaction.line",
        "invoice_id",
        "Online payments",
        groups=STAFF,
    )
    transaction_ids = fields.Many2many(
        "payt.transaction",
        "payt_transaction_invoice_rel",
        "invoice_id",
        "transaction_id",
        "Payments that name it",
        groups=STAFF,
    )
    bank_payment_ids = fields.One2many(
        "payt.bank.payment", "invoice_id", "Bank payments", groups=STAFF
    )
    sent_date = fields.Datetime("Sent to Payt", readonly=True)
    sent_hash = fields.Char(readonly=True)
    document_checksum = fields.Char(readonly=True)
    warning = fields.Char("Remark of Payt", readonly=True)
    reversal_code = fields.Char(
        readonly=True, help="Why the last direct debit came back, as the bank codes it."
    )
    reversal_date = fields.Datetime(readonly=True)
    payt_updated = fields.Char(readonly=True)

    _move_uniq = models.UniqueIndex("(move_id)")

    @api.depends("move_id.amount_residual", "move_id.move_type")
    def _compute_residual(self):
        for invoice in self:
            move = invoice.move_id
            sign = -1 if move.move_type == "out_refund" else 1
            invoice.residual = sign * move.amount_residual

    @api.depends("status", "status_number")
    def _compute_status_label(self):
        labels = dict(self._fields["status"]._description_selection(self.env))
        for invoice in self:
            label = labels.get(invoice.status, "")
            if invoice.status in ("reminder", "summons") and invoice.status_number:
                label = f"{label} {invoice.status_number}"
            invoice.status_label = label

    def _payt_identifier(self):
        self.ensure_one()
        return self.connection_id._identifier(self.move_id)

    def _is_at_payt(self):
        """Whether Payt has this invoice, and so its payer too: that cannot change."""
        self.ensure_one()
        return self.status not in ("waiting", "deleted")

    def _has_other_payer(self):
        """Whether the invoice got another payer here after Payt had it."""
        self.ensure_one()
        return (
            self._is_at_payt() and self.partner_id != self.move_id.commercial_partner_id
        )

    def _set_debtors(self):
        """Take over the payer of the invoice, where Payt does not have another yet."""
        moved = self.filtered(
            lambda invoice: (
                invoice.partner_id != invoice.move_id.commercial_partner_id
                and not invoice._is_at_payt()
            )
        )
        for connection, invoices in moved.grouped("connection_id").items():
            debtors = self.env["payt.debtor"]._for_partners(
                connection, invoices.move_id.commercial_partner_id
            )
            for invoice in invoices:
                # What was deleted at Payt goes out as a new one.
                invoice.write(
                    {
                        "debtor_id": debtors[invoice.move_id.commercial_partner_id].id,
                        "status": "waiting",
                        "sent_date": False,
                        "sent_hash": False,
                        "is_taken_back": invoice.move_id.state != "posted",
                    }
                )

    def _is_blocked(self):
        """Whether Payt has to keep quiet about this invoice."""
        self.ensure_one()
        return self.is_disputed or self.is_taken_back

    # ------------------------------------------------------------------ what we send

    def _amounts(self):
        """Return (total, open, book total, book open) as Payt counts: credit negative.

        The open amount leaves out what was paid online and is not booked yet.
        """
        self.ensure_one()
        move = self.move_id
        sign = -1 if move.move_type == "out_refund" else 1
        total = sign * move.amount_total
        residual = sign * move.amount_residual
        book_total = move.amount_total_signed
        book_residual = move.amount_residual_signed
        if move.state != "posted" or self._has_other_payer():
            # Taken back here: nothing is owed, whatever the document still says.
            residual = book_residual = 0.0
        pending = self._unbooked_amount()
        pending += self._unplaced_amount(residual - pending)
        pending += self._bank_amount(residual - pending)
        if pending:
            residual -= pending
            book_residual -= pending
        return total, residual, book_total, book_residual

    def _bank_amount(self, residual):
        """Money that Payt found on a bank statement and that Odoo has not booked.

        As soon as it is booked, our open amount is no longer higher than Payt's, and
        nothing is left of it here.
        """
        self.ensure_one()
        if not self.payt_id or residual <= self.open_amount:
            return 0.0
        seen = self.bank_payment_ids.filtered(lambda payment: payment.state == "new")
        return min(sum(seen.mapped("amount")), residual - self.open_amount)

    def _unplaced_amount(self, residual):
        """Money of an online payment of which Payt does not say how much is for this.

        Payt has subtracted it from what is open there: that is what we go by.
        """
        self.ensure_one()
        if not self.payt_id or residual <= self.open_amount:
            return 0.0
        unplaced = self.transaction_ids._unplaced_amount()
        return min(unplaced, residual - self.open_amount)

    def _unbooked_amount(self):
        """Money that Payt has received for this invoice and Odoo has not booked."""
        self.ensure_one()
        if not self.payt_id:
            # Nobody can have paid what Payt has never shown.
            return 0.0
        lines = self.transaction_line_ids.filtered(
            lambda line: (
                line.cost_type == "principal"
                and line.transaction_id.status == "paid"
                and line.transaction_id.state in ("new", "attention")
            )
        )
        return sum(lines.mapped("amount"))

    def _has_online_payment(self):
        """Whether a debtor has paid some of this invoice online."""
        self.ensure_one()
        return "paid" in self.transaction_line_ids.transaction_id.mapped("status")

    def _prepare_invoice(self):
        """Return the invoice as Payt wants it, without its document."""
        self.ensure_one()
        move = self.move_id
        total, residual, book_total, book_residual = self._amounts()
        contract = move.onergy_contract_id
        by_debit = contract.payment_method == "direct_debit"
        values = {
            "invoice_number": move.name,
            "invoice_identifier": self._payt_identifier(),
            "debtor_identifier": self.debtor_id._payt_identifier(),
            "invoice_date": str(move.invoice_date),
            "due_date": str(move.invoice_date_due or move.invoice_date),
            "currency_code": move.currency_id.name,
            "amount_total": format_money(total),
            "amount_open": format_money(residual),
            "book_amount_total": format_money(book_total),
            "book_amount_open": format_money(book_residual),
            "payment_method": "direct_debit" if by_debit else "bank_transfer",
            "description": move.payment_reference or move.ref or move.name,
            "category": move.onergy_move_kind or "other",
        }
        if self.connection_id.send_lines:
            values["invoice_lines"] = self._prepare_lines()
        if self.connection_id.send_mode == "odoo":
            values["sent_at"] = format_utc(move.create_date)
        return values

    def _product_lines(self):
        return self.move_id.invoice_line_ids.filtered(
            lambda line: line.display_type == "product"
        )

    def _prepare_lines(self):
        """Return all lines: Payt wants every one of an invoice, or none."""
        self.ensure_one()
        sign = -1 if self.move_id.move_type == "out_refund" else 1
        lines = []
        for number, line in enumerate(self._product_lines(), start=1):
            rate = line._payt_vat_rate()
            lines.append(
                {
                    "description": line.name or line.product_id.display_name or "-",
                    "vat_rate_code": rate["code"],
                    "vat_percentage": rate["rate"],
                    "product_quantity": f"{line.quantity:g}",
                    "product_price": f"{sign * line.price_unit:.10g}",
                    "total_excl_tax_amount": format_money(sign * line.price_subtotal),
                    "vat_amount": format_money(
                        sign * (line.price_total - line.price_subtotal)
                    ),
                    "total_incl_tax_amount": format_money(sign * line.price_total),
                    "line_order": number,
                }
            )
        return lines

    def _prepare_open_amount(self):
        self.ensure_one()
        _total, residual, _book_total, book_residual = self._amounts()
        return {
            "invoice_number": self.move_id.name,
            "amount_open": format_money(residual),
            "book_amount_open": format_money(book_residual),
        }

    @api.model
    def _hash(self, payload):
        text = json.dumps(payload, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _get_document(self):
        """Return (file name, PDF) of the invoice.

        :raises UserError: no engine to make a PDF with
        """
        self.ensure_one()
        document = self.move_id._get_invoice_legal_documents("pdf", allow_fallback=True)
        return document["filename"], document["content"]

    # ----------------------------------------------------------------------- actions

    def action_dispute(self):
        """Stop reminders while a complaint is looked at."""
        self._set_dispute(True)

    def action_end_dispute(self):
        self._set_dispute(False)

    def _set_dispute(self, disputed):
        self.env["payt.operation"]._check_may_act(self)
        # sudo: staff reads these records, the buttons write them
        changed = self.sudo().filtered(lambda i: i.is_disputed != disputed)
        changed.is_disputed = disputed
        self.env["payt.operation"]._enqueue("block", changed)
        for invoice in changed:
            invoice.move_id._message_log(
                body=self.env._("Disputed: Payt pauses its reminders.")
                if disputed
                else self.env._("Dispute settled: Payt goes on.")
            )

    def action_send(self):
        """Send the invoice again; Payt updates what may still change."""
        self.env["payt.operation"]._check_may_act(self)
        # sudo: as above
        self.sudo().sent_hash = False
        self.env["payt.operation"]._enqueue("invoice", self)

    def action_send_open_amount(self):
        self.env["payt.operation"]._check_may_act(self)
        self.env["payt.operation"]._enqueue("open_amount", self)

    def action_fetch(self):
        """Read these invoices again from Payt."""
        self.env["payt.operation"]._check_may_act(self)
        for connection, invoices in self.grouped("connection_id").items():
            connection._require_live()
            # sudo: as above
            self.env["payt.pull"].sudo()._refresh_invoices(connection.sudo(), invoices)

    def action_open_payt(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_url",
            "url": self.deeplink_url or self.public_url,
            "target": "new",
        }
