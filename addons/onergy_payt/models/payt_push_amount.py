from odoo import api, models

from ..client import PaytPermissionError
from .payt_operation import DONE, Outcome


class PaytPushAmount(models.AbstractModel):
    """Small changes of what Payt has already: open amounts, blocks, read marks."""

    _inherit = "payt.push"

    @api.model
    def _send_open_amount(self, connection, client, batch):
        """Tell Payt what is still open, without undoing a payment we do not know yet.

        Payt takes an open amount as the truth: pushed too early, it reopens an invoice
        that was paid online a minute ago and reminds the debtor.
        """
        outcomes, ready = {}, {}
        targets = batch._targets()
        self.env["payt.bank.payment"].search(
            [
                ("invoice_id", "in", [invoice.id for invoice in targets.values()]),
                ("state", "=", "new"),
            ]
        )._note_booked()
        for operation, invoice in targets.items():
            if not invoice:
                outcomes[operation] = Outcome("cancelled")
            elif not invoice.sent_date or not self._open_amount_differs(invoice):
                # Not there yet: the invoice itself will carry it. Or nothing to say.
                outcomes[operation] = DONE
            else:
                ready[operation] = invoice
        if not ready:
            return outcomes
        invoices = self.env["payt.invoice"].union(*ready.values())
        self._read_first(connection, client, invoices)
        payloads, names = {}, {}
        for operation, invoice in ready.items():
            if not self._open_amount_differs(invoice):
                outcomes[operation] = DONE
                continue
            payloads[operation] = invoice._prepare_open_amount()
            names[operation] = (invoice.move_id.name, invoice._payt_identifier())
        found = self._send_bulk(
            client, "patch_invoices", payloads, names, self._worn(batch)
        )
        for operation, outcome in found.items():
            if outcome.state in ("done", "partial"):
                amount = float(payloads[operation]["amount_open"])
                ready[operation].write({"open_amount": amount, "sent_hash": False})
        return outcomes | found

    @api.model
    def _read_first(self, connection, client, invoices):
        """Read what Payt knows of these invoices, before we say what is open of them.

        Of a payment that has just been made the rows may not be there yet, nor any word
        of it on the invoice itself but a lower amount: the payment names its invoices.
        """
        pull = self.env["payt.pull"]
        pull._refresh_invoices(connection, invoices, client)
        if any(invoice._amounts()[1] > invoice.open_amount for invoice in invoices):
            error = pull._pull_safely(connection, client, "psp_transactions")
            if error and not isinstance(error, PaytPermissionError):
                raise error

    @api.model
    def _open_amount_differs(self, invoice):
        _total, residual, _book_total, _book_residual = invoice._amounts()
        if (
            invoice.connection_id.booking_mode == "status"
            and residual > invoice.open_amount
            and invoice._has_online_payment()
        ):
            # Another source books that money: until then Payt knows better.
            return False
        return invoice.currency_id.compare_amounts(residual, invoice.open_amount) != 0

    # ------------------------------------------------------------------------ block

    @api.model
    def _send_block(self, connection, client, batch):
        outcomes, block, resume, names = {}, {}, {}, {}
        for operation, invoice in batch._targets().items():
            if not invoice or not invoice.sent_date:
                # The first sending of the invoice looks at this again.
                outcomes[operation] = Outcome("cancelled")
                continue
            identifier = invoice._payt_identifier()
            names[operation] = (identifier, invoice.move_id.name)
            (block if invoice._is_blocked() else resume)[operation] = identifier
        worn = self._worn(batch)
        outcomes |= self._send_bulk(client, "block_invoices", block, names, worn)
        outcomes |= self._send_bulk(client, "resume_invoices", resume, names, worn)
        return outcomes

    @api.model
    def _send_read(self, connection, client, batch):
        """Payt shows its own users as well what has been read."""
        payloads, names, outcomes = {}, {}, {}
        for operation, message in batch._targets().items():
            if message.payt_id:
                payloads[operation] = message.payt_id
                names[operation] = (message.payt_id,)
            else:
                outcomes[operation] = Outcome("cancelled")
        return outcomes | self._send_bulk(
            client, "mark_messages_read", payloads, names, self._worn(batch)
        )
