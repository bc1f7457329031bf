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
                         WHEN move.payment_state = 'reversed'
                              AND invoice.open_amount = 0
                         -- Another total, and credited for that reason.
                         THEN FALSE
                         ELSE invoice.open_amount != sign * move.amount_residual
                              OR invoice.total_amount != sign * move.amount_total
                       END
              ) rows
            """
        )

    @api.model
    def _get_open_amounts(self, company, day):
        """SQL of what Odoo and Payt had open at the end of a day, per invoice.

        Columns: ``move_id``, ``odoo_amount``, ``payt_amount`` and ``kind``, which tells
        why the two may differ; credit notes are negative, what was settled on both
        sides is left out.

        Payt tells only what is open now. For a day in the past its amount is worked
        out: the total that it has, less the payments that it reported until that day,
        less what Odoo settled by other means, which it was told of.
        """
        is_today = day >= fields.Date.context_today(self)
        return SQL(
            """
            SELECT move_id, odoo_amount, payt_amount, kind
              FROM (
                SELECT move.id AS move_id,
                       items.total - items.settled AS odoo_amount,
                       CASE WHEN invoice.id IS NULL OR invoice.sent_date IS NULL
                                 OR invoice.create_date::date > %(day)s
                                 OR invoice.status = 'deleted' THEN 0
                            WHEN %(is_today)s
                            THEN COALESCE(invoice.open_amount, 0)
                            ELSE COALESCE(invoice.total_amount, items.total)
                                 - COALESCE(online.amount, 0)
                                 - (items.settled - items.settled_online)
                       END AS payt_amount,
                       CASE WHEN invoice.sent_date IS NULL
                                 OR invoice.create_date::date > %(day)s THEN 'missing'
                            WHEN invoice.status = 'deleted' THEN 'deleted'
                            WHEN invoice.total_amount <> items.total THEN 'total'
                            ELSE 'amount' END AS kind
                  FROM payt_connection connection
                  JOIN account_move move
                    ON move.company_id = connection.company_id
                   AND move.move_type IN ('out_invoice', 'out_refund')
                   AND move.state = 'posted' AND move.date <= %(day)s
                   AND move.invoice_date >= connection.start_date
                  LEFT JOIN payt_invoice invoice ON invoice.move_id = move.id
                 CROSS JOIN LATERAL (%(items)s) items
                  LEFT JOIN LATERAL (
                       SELECT sum(line.amount) AS amount
                         FROM payt_transaction_line line
                         JOIN payt_transaction psp ON psp.id = line.transaction_id
                        WHERE line.invoice_id = invoice.id
                          AND line.cost_type = 'principal'
                          AND psp.status IN ('paid', 'charged_back', 'refunded')
                          AND line.payment_date <= %(day)s) online ON TRUE
                 WHERE connection.active AND connection.company_id = %(company)s
              ) rows
             WHERE odoo_amount <> 0 OR payt_amount <> 0
            """,
            day=day,
            is_today=is_today,
            company=company.id,
            items=self._get_settled(day),
        )

    def _get_settled(self, day):
        """SQL of an invoice's total and of what was settled of it until a day.

        ``settled_online`` is the part that came from payments at Payt.
        """
        return SQL(
            """
            SELECT COALESCE(sum(item.balance), 0) AS total,
                   COALESCE(sum(part.amount), 0) AS settled,
                   COALESCE(sum(part.online), 0) AS settled_online
              FROM account_move_line item
              JOIN account_account account ON account.id = item.account_id
              LEFT JOIN LATERAL (
                   SELECT sum(sign * p.amount) AS amount,
                          sum(sign * p.amount) FILTER (
                              WHERE payment.payt_transaction_id IS NOT NULL) AS online
                     FROM (SELECT amount, 1 AS sign, credit_move_id AS other_id
                             FROM account_partial_reconcile
                            WHERE debit_move_id = item.id AND max_date <= %(day)s
                            UNION ALL
                           SELECT amount, -1, debit_move_id
                             FROM account_partial_reconcile
                            WHERE credit_move_id = item.id AND max_date <= %(day)s) p
                     JOIN account_move_line other ON other.id = p.other_id
                     LEFT JOIN account_payment payment
                       ON payment.id = other.payment_id) part ON TRUE
             WHERE item.move_id = move.id
               AND account.account_type = 'asset_receivable'
            """,
            day=day,
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
        at_bank = set(
            self.env["payt.bank.payment"]
            .search(
                [
                    ("invoice_id", "in", self.invoice_id.ids),
                    ("state", "=", "new"),
                ]
            )
            .invoice_id
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
            elif row.difference > 0 and row.invoice_id in at_bank:
                row.explanation = self.env._(
                    "Payt saw a bank payment that is not booked in Odoo yet; see Bank "
                    "payments."
                )
            elif row.difference > 0:
                row.explanation = self.env._("Payt thinks that more has been paid.")
            else:
                row.explanation = self.env._("Payt has missed a payment or a credit.")

    def action_mend(self):
        """Put right what can be put right by rule; each kind in its own way."""
        self.env["payt.operation"]._check_may_act(self)
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

    def action_credit(self):
        """Open Odoo's own window that credits an invoice and makes it anew."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "account.action_view_account_move_reversal"
        )
        action["context"] = {
            "active_model": "account.move",
            "active_ids": self.move_id.ids,
            "active_id": self.move_id.id,
        }
        return action

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
