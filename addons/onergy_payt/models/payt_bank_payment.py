from odoo import api, fields, models

from ..client import parse_money, text_id


class PaytBankPayment(models.Model):
    """A payment that Payt found on a bank statement it reads itself: a suggestion.

    Odoo gets the same statement, so nothing is booked from this. Until accounting has
    booked it, our own, higher open amount does not overwrite Payt's.
    """

    _name = "payt.bank.payment"
    _description = "Bank payment seen by Payt"
    _order = "date desc, id desc"
    _rec_name = "move_id"

    connection_id = fields.Many2one(
        "payt.connection", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="connection_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="invoice_id.currency_id")
    payt_id = fields.Char("Payt ID", required=True, readonly=True)
    invoice_id = fields.Many2one(
        "payt.invoice",
        "Invoice at Payt",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
    )
    move_id = fields.Many2one(
        related="invoice_id.move_id", string="Invoice", store=True, index=True
    )
    partner_id = fields.Many2one(related="invoice_id.partner_id", store=True)
    residual = fields.Monetary("Open in Odoo", related="move_id.amount_residual")
    amount = fields.Monetary(readonly=True)
    date = fields.Date(readonly=True)
    account_holder = fields.Char(readonly=True)
    description = fields.Char(readonly=True)
    state = fields.Selection(
        [
            ("new", "To book"),
            ("booked", "In the books"),
            ("ignored", "Not right"),
        ],
        "Assessment",
        default="new",
        required=True,
        readonly=True,
    )

    _payt_uniq = models.UniqueIndex("(connection_id, payt_id)")

    @api.model
    def _find(self, connection, rows):
        return self.search(
            [
                ("connection_id", "=", connection.id),
                ("payt_id", "in", [text_id(row["id"]) for row in rows]),
            ]
        )

    @api.model
    def _upsert(self, connection, rows, client=None):
        """Keep payment rows that carry a bank transaction.

        :param client: a client of the connection, if there is one already
        """
        if not rows:
            return
        found = {payment.payt_id: payment for payment in self._find(connection, rows)}
        invoices = self.env["payt.pull"]._invoices_by_payt_id(
            connection, [row["invoice_id"] for row in rows]
        )
        new, outdated = [], self.env["payt.invoice"]
        for row in rows:
            invoice = invoices.get(text_id(row["invoice_id"]))
            if not invoice or (row.get("cost_type") or "principal") != "principal":
                continue
            bank = row["bank_transaction"]
            values = {
                "connection_id": connection.id,
                "payt_id": text_id(row["id"]),
                "invoice_id": invoice.id,
                "amount": float(parse_money(row["total_amount"])),
                "date": bank.get("book_date") or row["payment_date"],
                "account_holder": bank.get("bank_account_name"),
                "description": bank.get("description"),
            }
            known = found.get(values["payt_id"])
            if known:
                known.write(values)
            else:
                new.append(values)
                if (invoice.payt_updated or "") < row["updated_at"]:
                    outdated |= invoice
        # What is open without this payment says nothing about our books.
        self.env["payt.pull"]._read_invoices(connection, outdated, client)
        created = self.create(new)
        created._note_booked()
        for payment in created:
            payment._tell()

    def _note_booked(self):
        """Our open amount is as low as Payt's: the books have this money by now."""
        self.filtered(
            lambda payment: (
                payment.state == "new"
                and payment.residual <= payment.invoice_id.open_amount
            )
        ).state = "booked"

    def _tell(self):
        """Ask accounting to look, if the books do not have this money yet."""
        if self.state == "new":
            self.connection_id._notify(
                self.env._("Paid by bank, says Payt"),
                self.env._(
                    "Payt found %(amount)s for this invoice on a bank statement. Book "
                    "it from your own statement.",
                    amount=self.currency_id.format(self.amount),
                ),
                self.move_id,
            )

    # ----------------------------------------------------------------------- actions

    def action_register(self):
        """Open the payment wizard with what Payt saw; a person decides."""
        self.ensure_one()
        action = self.move_id.action_register_payment()
        action["context"] = {
            **action["context"],
            "default_amount": min(self.amount, self.residual),
            "default_payment_date": self.date,
            "default_communication": self.description or self.move_id.name,
        }
        return action

    def action_ignore(self):
        """This was no payment of the invoice: tell Payt what is open."""
        self.env["payt.operation"]._check_may_act(self)
        # sudo: staff reads these records, the buttons write them
        self.sudo().state = "ignored"
        self.env["payt.operation"]._enqueue("open_amount", self.invoice_id)
