from odoo import api, fields, models
from odoo.exceptions import UserError

SENT_TYPES = ("out_invoice", "out_refund")


class AccountMove(models.Model):
    _inherit = "account.move"

    payt_invoice_ids = fields.One2many("payt.invoice", "move_id")
    payt_invoice_id = fields.Many2one(
        "payt.invoice",
        "At Payt",
        compute="_compute_payt_invoice_id",
        search="_search_payt_invoice_id",
    )
    payt_status = fields.Selection(
        related="payt_invoice_id.status", string="Payt status"
    )
    payt_status_label = fields.Char(related="payt_invoice_id.status_label")

    @api.depends("payt_invoice_ids")
    def _compute_payt_invoice_id(self):
        for move in self:
            move.payt_invoice_id = move.payt_invoice_ids[:1]

    def _search_payt_invoice_id(self, operator, value):
        return [("payt_invoice_ids", operator, value)]

    def _onergy_get_debit_problem(self):
        """What the bank said when Payt last collected this bill, until it is paid."""
        problem = super()._onergy_get_debit_problem()
        notice = self.payt_invoice_ids.filtered("reversal_date")[:1]
        if problem or not notice or self.payment_state not in ("not_paid", "partial"):
            return problem
        return problem._explain(notice.reversal_code)

    def _payt_get_payment_url(self):
        """Return the address of Payt's page where this bill can be paid, or False."""
        self.ensure_one()
        # sudo: whoever may see a bill may see where to pay it
        notice = self.sudo().payt_invoice_id
        payable = (
            self.move_type == "out_invoice"
            and self.state == "posted"
            and self.amount_residual
            and notice.status != "deleted"
        )
        return payable and notice.public_url

    def _has_to_be_paid(self):
        """Whoever can pay at Payt pays there: two places to pay make two payments."""
        return super()._has_to_be_paid() and not self._payt_get_payment_url()

    def _post(self, soft=True):
        posted = super()._post(soft)
        posted._payt_queue()
        return posted

    def button_draft(self):
        result = super().button_draft()
        self._payt_stop()
        return result

    def button_cancel(self):
        result = super().button_cancel()
        self._payt_stop()
        return result

    def _payt_is_sent(self, connection):
        """Whether this invoice belongs at Payt."""
        self.ensure_one()
        return (
            self.move_type in SENT_TYPES
            and self.state == "posted"
            and connection.start_date
            and self.invoice_date >= connection.start_date
            and self.name != "/"
        )

    def _onergy_sent_elsewhere(self):
        """Where Payt sends the invoices Odoo keeps quiet: nobody gets a bill twice."""
        connections = self.env["payt.connection"]._by_company(self.company_id)
        sending = {
            company: connection
            for company, connection in connections.items()
            if connection.send_mode == "payt"
        }
        return super()._onergy_sent_elsewhere() | self.filtered(
            lambda move: (
                move.company_id in sending
                and move._payt_is_sent(sending[move.company_id])
            )
        )

    def _payt_queue(self):
        """Note, in this transaction, that these invoices have to go to Payt.

        Nothing is sent here: a slow or dead Payt never delays the books.
        """
        moves = self.filtered(lambda move: move.move_type in SENT_TYPES)
        connections = moves and self.env["payt.connection"]._by_company(
            moves.company_id
        )
        for company, connection in (connections or {}).items():
            chosen = moves.filtered(
                lambda move, company=company, connection=connection: (
                    move.company_id == company and move._payt_is_sent(connection)
                )
            )
            chosen._payt_queue_at(connection)

    def _payt_queue_at(self, connection):
        # sudo: whoever posts an invoice need not know Payt's records
        moves = self.sudo()
        known = moves.payt_invoice_ids
        new = moves - known.move_id
        debtors = self.env["payt.debtor"]._for_partners(
            connection, new.commercial_partner_id
        )
        # sudo: who posts a bill may not write the mirror of Payt
        created = (
            self.env["payt.invoice"]
            .sudo()
            .create(
                [
                    {
                        "connection_id": connection.id,
                        "move_id": move.id,
                        "debtor_id": debtors[move.commercial_partner_id].id,
                    }
                    for move in new
                ]
            )
        )
        known._set_debtors()
        operations = self.env["payt.operation"]
        # At Payt nothing is owed by a payer who is not the payer any more.
        operations._enqueue(
            "open_amount", known.filtered(lambda i: i._has_other_payer())
        )
        resumed = known.filtered(lambda i: i.is_taken_back and not i._has_other_payer())
        resumed.is_taken_back = False
        operations._enqueue("invoice", known | created)
        operations._enqueue(
            "block", resumed.filtered(lambda i: i.sent_date and not i.is_disputed)
        )

    def _payt_stop(self):
        """An invoice was taken back: Payt cannot delete it, but it can keep quiet."""
        # sudo: as above
        invoices = self.sudo().payt_invoice_ids
        never_sent = invoices.filtered(lambda i: not i.sent_date and not i.payt_id)
        self.env["payt.operation"]._cancel_pending(never_sent)
        # Written on those as well that were never sent: the job that is sending one at
        # this moment notices, and blocks it.
        stopped = invoices.filtered(lambda i: not i.is_taken_back)
        stopped.is_taken_back = True
        self.env["payt.operation"]._enqueue("block", stopped - never_sent)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_at_payt(self):
        """What Payt has, or is getting, leaves a trace here.

        :raises UserError: the invoice is at Payt, or on its way
        """
        # sudo: as above
        invoices = self.sudo().payt_invoice_ids
        operations = self.env["payt.operation"].sudo()
        operations._cancel_pending(invoices)
        sending = operations.search_count(
            [
                ("res_model", "=", invoices._name),
                ("res_id", "in", invoices.ids),
                ("kind", "=", "invoice"),
                ("state", "=", "sending"),
            ],
            limit=1,
        )
        if sending or any(invoice._is_at_payt() for invoice in invoices):
            raise UserError(
                self.env._(
                    "Payt has this invoice, or is getting it at this moment. Cancel it "
                    "instead of deleting it: Payt then sends no reminders."
                )
            )

    def _payt_queue_open_amount(self):
        """Note that the open amount of these invoices has changed."""
        # sudo: as above
        invoices = self.sudo().payt_invoice_ids
        self.env["payt.operation"]._enqueue("open_amount", invoices)

    def action_open_payt_invoice(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("At Payt"),
            "res_model": "payt.invoice",
            "res_id": self.payt_invoice_id.id,
            "view_mode": "form",
        }
