from odoo import api, fields, models
from odoo.tools import SQL


class PaytDifference(models.Model):
    """Where Odoo and Payt disagree: one row per invoice, always up to date.

    A change that is still on its way is no difference.
    """

    _name = "payt.difference"
    _description = "Difference with Payt"
    _auto = False
    _order = "kind, invoice_date desc"
    _rec_name = "move_id"

    connection_id = fields.Many2one("payt.connection", readonly=True)
    company_id = fields.Many2one("res.company", readonly=True)
    currency_id = fields.Many2one("res.currency", readonly=True)
    invoice_id = fields.Many2one("payt.invoice", "At Payt", readonly=True)
    move_id = fields.Many2one("account.move", "Invoice", readonly=True)
    partner_id = fields.Many2one("res.partner", "Payer", readonly=True)
    invoice_date = fields.Date(readonly=True)
    kind = fields.Selection(
        [
            ("missing", "Not at Payt"),
            ("amount", "Open amount differs"),
            ("total", "Total differs"),
            ("cancelled", "Cancelled here, open at Payt"),
            ("deleted", "Deleted at Payt, open here"),
        ],
        "Difference",
        readonly=True,
    )
    odoo_amount = fields.Monetary("Odoo", readonly=True)
    payt_amount = fields.Monetary("Payt", readonly=True)
    difference = fields.Monetary("Odoo minus Payt", readonly=True)
    explanation = fields.Char(compute="_compute_explanation")

    @property
    def _table_query(self):
        return SQL(
            """
            SELECT id, connection_id, company_id, currency_id, invoice_id, move_id,
                   partner_id, invoice_date, kind, odoo_amount, payt_amount,
                   odoo_amount - payt_amount AS difference
              FROM (
                SELECT move.id,
                       connection.id AS connection_id,
                       move.company_id,
                       move.currency_id,
                       invoice.id AS invoice_id,
                       move.id AS move_id,
                       move.commercial_partner_id AS partner_id,
                       move.invoice_date,
                       CASE
                         WHEN move.state != 'posted' THEN 'cancelled'
                         WHEN invoice.sent_date IS NULL THEN 'missing'
                         WHEN invoice.status = 'deleted' THEN 'deleted'
                         WHEN invoice.total_amount != sign * move.amount_total
                              THEN 'total'
                         ELSE 'amount'
                       END AS kind,
                       CASE WHEN move.state != 'posted' THEN 0
                            WHEN invoice.sent_date IS NOT NULL
                                 AND invoice.status != 'deleted'
                                 AND invoice.total_amount != sign * move.amount_total
                            THEN sign * move.amount_total
                            ELSE sign * move.amount_residual
                       END AS odoo_amount,
                       CASE WHEN invoice.sent_date IS NULL
                                 OR invoice.status = 'deleted' THEN 0
                            WHEN move.state = 'posted'
                                 AND invoice.total_amount != sign * move.amount_total
                            THEN invoice.total_amount
                            ELSE COALESCE(invoice.open_amount, 0)
                       END AS payt_amount
                  FROM payt_connection connection
                  JOIN account_move move
                    ON move.company_id = connection.company_id
                   AND move.move_type IN ('out_invoice', 'out_refund')
                   AND move.invoice_date >= connection.start_date
             LEFT JOIN payt_invoice invoice ON invoice.move_id = move.id
            CROSS JOIN LATERAL (
                       SELECT CASE move.move_type WHEN 'out_refund' THEN -1 ELSE 1
                              END AS sign) signed
                 WHERE connection.active
                   AND NOT EXISTS (
                       SELECT 1 FROM payt_operation operation
                        WHERE operation.move_id = move.id
                          AND operation.state IN ('pending', 'sending', 'retry'))
                   AND CASE
                         WHEN move.state != 'posted'
                         THEN invoice.sent_date IS NOT NULL
                              AND invoice.status != 'deleted'
                              AND invoice.open_amount != 0
                         WHEN invoice.sent_date IS NULL THEN TRUE
                         WHEN invoice.status = 'deleted'
                         THEN move.amount_residual != 0
                         ELSE invoice.open_amount != sign * move.amount_residual
                              OR invoice.total_amount != sign * move.amount_total
                       END
              ) rows
            """
        )

    @api.depends("kind", "difference")
    def _compute_explanation(self):
        unbooked = dict(
            self.env["payt.transaction.line"]._read_group(
                [
                    ("invoice_id", "in", self.invoice_id.ids),
                    ("transaction_id.state", "in", ("new", "attention", "shown")),
                    ("transaction_id.status", "=", "paid"),
                ],
                ["invoice_id"],
                ["amount:sum"],
            )
        )
        texts = {
            "missing": self.env._("This invoice has not arrived at Payt."),
            "total": self.env._(
                "Payt does not change a total once it has it. Credit the invoice and "
                "make a new one."
            ),
            "cancelled": self.env._(
                "Payt cannot delete invoices; its open amount is set to zero."
            ),
            "deleted": self.env._("Somebody deleted it at Payt; it can be sent again."),
        }
        for row in self:
            if row.kind != "amount":
                row.explanation = texts.get(row.kind)
            elif unbooked.get(row.invoice_id):
                row.explanation = self.env._(
                    "Paid online, but the payment is not booked in Odoo."
                )
            elif row.difference > 0:
                row.explanation = self.env._("Payt thinks that more has been paid.")
            else:
                row.explanation = self.env._("Payt has missed a payment or a credit.")

    def action_mend(self):
        """Put right what can be put right by rule; each kind in its own way."""
        self.env["payt.operation"]._check_may_act()
        # sudo: staff reads these records, the buttons write them
        rows = self.sudo()
        for kind in ("missing", "deleted"):
            chosen = rows.filtered(lambda row, kind=kind: row.kind == kind)
            chosen.invoice_id.write(
                {"sent_hash": False, "sent_date": False, "status": "waiting"}
            )
            chosen.move_id._payt_queue()
        amounts = rows.filtered(lambda row: row.kind == "amount")
        self._mend_amounts(amounts)
        cancelled = rows.filtered(lambda row: row.kind == "cancelled")
        self.env["payt.operation"]._enqueue("open_amount", cancelled.invoice_id)

    @api.model
    def _mend_amounts(self, rows):
        """Book what was paid online and not booked; push the open amount otherwise."""
        lines = self.env["payt.transaction.line"].search(
            [
                ("invoice_id", "in", rows.invoice_id.ids),
                ("transaction_id.state", "=", "attention"),
            ]
        )
        lines.transaction_id.action_book()
        self.env["payt.operation"]._enqueue("open_amount", rows.invoice_id)

    def action_open_move(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "account.move",
            "res_id": self.move_id.id,
            "view_mode": "form",
        }
