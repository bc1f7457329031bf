from odoo import api, fields, models

from ..client import parse_money, text_id


class PaytTransactionLine(models.Model):
    """What an online payment pays: one of Payt's payment rows."""

    _name = "payt.transaction.line"
    _description = "Part of an online payment"
    _order = "id"

    transaction_id = fields.Many2one(
        "payt.transaction", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="transaction_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="transaction_id.currency_id")
    payt_id = fields.Char("Payt ID", required=True, readonly=True)
    invoice_id = fields.Many2one(
        "payt.invoice",
        "Invoice at Payt",
        readonly=True,
        index="btree_not_null",
        ondelete="restrict",
    )
    move_id = fields.Many2one(related="invoice_id.move_id")
    amount = fields.Monetary(readonly=True, help="Negative: taken back.")
    cost_type = fields.Selection(
        [
            ("principal", "Invoice"),
            ("administration_costs", "Administration costs"),
            ("interest_costs", "Interest"),
            ("debt_collection_costs", "Collection costs"),
        ],
        default="principal",
        required=True,
        readonly=True,
    )
    payment_date = fields.Date(readonly=True)

    _payt_uniq = models.UniqueIndex("(transaction_id, payt_id)")

    @api.model
    def _upsert(self, connection, rows, transactions, invoices):
        """Keep payment rows.

        :param transactions: dict Payt's id → ``payt.transaction``
        :param invoices: dict Payt's id → ``payt.invoice``
        """
        by_id = {text_id(row["id"]): row for row in rows}
        found = {
            line.payt_id: line
            for line in self.search(
                [
                    ("transaction_id.connection_id", "=", connection.id),
                    ("payt_id", "in", list(by_id)),
                ]
            )
        }
        new = []
        for payt_id, row in by_id.items():
            transaction = transactions[text_id(row["psp_transaction"]["id"])]
            values = {
                "transaction_id": transaction.id,
                "payt_id": payt_id,
                "invoice_id": invoices.get(text_id(row["invoice_id"])),
                "amount": float(parse_money(row["total_amount"])),
                "cost_type": row.get("cost_type") or "principal",
                "payment_date": row["payment_date"],
            }
            values["invoice_id"] = values["invoice_id"] and values["invoice_id"].id
            if payt_id in found:
                # A booked row is history; before that a late invoice may turn up.
                if transaction.state == "new":
                    found[payt_id].write(values)
            else:
                new.append(values)
        lines = self.create(new)
        lines.transaction_id._reconsider()
        return lines
