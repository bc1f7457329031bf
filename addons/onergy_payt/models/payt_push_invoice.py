from concurrent.futures import ThreadPoolExecutor
from functools import partial

from odoo import api, models
from odoo.exceptions import UserError

from ..client import PaytServerError, PaytUploadExpiredError, file_checksum
from .payt_operation import DONE, Outcome

PDF = "application/pdf"
PARALLEL_UPLOADS = 5
MOVE_FIELDS = (
    "name",
    "state",
    "move_type",
    "commercial_partner_id",
    "currency_id",
    "company_id",
    "invoice_date",
    "invoice_date_due",
    "payment_reference",
    "ref",
    "amount_total",
    "amount_residual",
    "amount_total_signed",
    "amount_residual_signed",
    "onergy_contract_id",
    "onergy_move_kind",
    "create_date",
)


class PaytPushInvoice(models.AbstractModel):
    """Invoices and credit notes: their PDF first, then the invoice itself."""

    _inherit = "payt.push"

    @api.model
    def _steps_invoice(self, connection, client, batch):
        ready, outcomes = self._ready_invoices(batch)
        known = self.env["payt.invoice"].union(*ready.values()).filtered("sent_date")
        if known:
            # A full update carries an open amount too: see _send_open_amount.
            self._read_first(connection, client, known)
        payloads, unsent = self._invoice_payloads(ready)
        outcomes |= unsent
        names = {
            operation: (payload["invoice_number"], payload["invoice_identifier"])
            for operation, payload in payloads.items()
        }
        files, missing = self._get_files(connection, ready, payloads)
        self._send_vat_rates(connection, client, [ready[op] for op in payloads])
        found, late = yield partial(
            self._talk_invoices, client, payloads, files, names, self._worn(batch)
        )
        for operation in late:
            files.pop(operation)
        self._note_invoices(ready, payloads, files, found)
        for operation, reason in (missing | late).items():
            if found.get(operation) is DONE:
                found[operation] = Outcome("partial", "no_pdf", reason)
        return outcomes | found

    @api.model
    def _ready_invoices(self, batch):
        """Return (dict operation → invoice, dict operation → why it cannot go now)."""
        targets = batch._targets()
        invoices = self.env["payt.invoice"].union(*targets.values())
        # All of it at once, and not the hundred columns of a move that are not sent.
        invoices.move_id.fetch(MOVE_FIELDS)
        # After Payt has forgotten an invoice it may go out under another payer.
        invoices.filtered(lambda i: i.move_id.state == "posted")._set_debtors()
        outcomes = {op: self._not_ready(invoice) for op, invoice in targets.items()}
        outcomes = {op: outcome for op, outcome in outcomes.items() if outcome}
        ready = {op: invoice for op, invoice in targets.items() if op not in outcomes}
        return ready, outcomes

    @api.model
    def _invoice_payloads(self, ready):
        """Return what is to be sent of invoices, and what becomes of the others.

        :param ready: dict operation → invoice
        :return: (dict operation → payload, dict operation → outcome)
        """
        payloads, outcomes = {}, {}
        for operation, invoice in ready.items():
            try:
                payload = invoice._prepare_invoice()
            except (UserError, ValueError) as error:
                outcomes[operation] = Outcome("failed", "data", str(error))
                continue
            if invoice.sent_hash == invoice._hash(payload):
                outcomes[operation] = DONE
            else:
                payloads[operation] = payload
        return payloads, outcomes

    @api.model
    def _talk_invoices(self, client, payloads, files, names, worn):
        """Send PDFs and invoices; runs in a thread, without the database.

        :param files: dict operation → (checksum, file name, content)
        :return: (dict operation → outcome, dict operation → why its PDF is not there)
        """
        outcomes, late = {}, {}
        refused = self._upload(client, files)
        sent = {}
        for operation, payload in payloads.items():
            checksum, filename, _content = files.get(operation, (None, None, None))
            if checksum in refused and operation not in worn:
                outcomes[operation] = Outcome("retry", "server", refused[checksum])
            elif checksum in refused:
                late[operation] = refused[checksum]
                sent[operation] = payload
            elif checksum:
                document = {"checksum": checksum, "filename": filename}
                sent[operation] = {**payload, "document": document}
            else:
                sent[operation] = payload
        found = self._send_bulk(client, "upsert_invoices", sent, names, worn)
        return outcomes | found, late

    @api.model
    def _send_vat_rates(self, connection, client, invoices):
        """Make the rates known that the lines refer to: once, it is a short list."""
        if not connection.send_lines:
            return
        known = set((connection.vat_codes or "").split())
        rates = {
            rate["code"]: rate
            for invoice in invoices
            for rate in (line._payt_vat_rate() for line in invoice._product_lines())
        }
        new = sorted(set(rates) - known)
        if new:
            client.upsert_vat_rates([rates[code] for code in new])
            connection._note(vat_codes=" ".join(sorted(known | set(new))))

    @api.model
    def _not_ready(self, invoice):
        """Return why an invoice cannot go now, or None."""
        if not invoice or invoice.move_id.state != "posted":
            return Outcome("cancelled")
        if invoice._has_other_payer():
            return Outcome("failed", "payer", invoice.partner_id.name or "")
        debtor = invoice.debtor_id
        if debtor.sent_date:
            return None
        waiting = self.env["payt.operation"].search(
            [
                ("res_model", "=", debtor._name),
                ("res_id", "=", debtor.id),
                ("kind", "=", "debtor"),
                ("state", "in", ("pending", "sending", "retry", "failed")),
            ],
            limit=1,
        )
        if not waiting:
            self.env["payt.operation"]._enqueue("debtor", debtor)
        if waiting.state == "failed":
            return Outcome("failed", "debtor", "")
        return Outcome("retry", "waiting", "")

    @api.model
    def _note_invoices(self, ready, payloads, files, found):
        """Write down which invoices Payt has taken.

        :param files: dict operation → (checksum, file name, content) of those that
            went along
        :param found: dict operation → outcome
        """
        sent = [op for op, out in found.items() if out.state in ("done", "partial")]
        news = {
            ready[operation]: self._sent_values(
                ready[operation],
                payloads[operation],
                files.get(operation),
                found[operation].detail,
            )
            for operation in sent
        }
        first = [op for op in sent if not ready[op].sent_date]
        self._write_news(news)
        for operation in first:
            self._catch_up(ready[operation], payloads[operation])

    @api.model
    def _sent_values(self, invoice, payload, file, warning):
        """Return what we know of an invoice that Payt has just taken."""
        return {
            "warning": warning or False,
            "sent_date": self.env.cr.now(),
            "sent_hash": invoice._hash(payload),
            "open_amount": float(payload["amount_open"]),
            "total_amount": float(payload["amount_total"]),
            "document_checksum": file[0] if file else invoice.document_checksum,
            "status": invoice.status if invoice._is_at_payt() else "new",
        }

    @api.model
    def _catch_up(self, invoice, payload):
        """Tell Payt what changed here before it had the invoice.

        Until now there was nothing to block. The payer too may have changed, while the
        invoice was on its way under the one before.
        """
        connection, operations = invoice.connection_id, self.env["payt.operation"]
        number = connection._record_id(payload["debtor_identifier"], "res.partner")
        if number != invoice.partner_id.id:
            invoice.debtor_id = self.env["payt.debtor"].search(
                [
                    ("connection_id", "=", connection.id),
                    ("partner_id", "=", number),
                ]
            )
            invoice.is_taken_back = True
            operations._enqueue("open_amount", invoice)
        if invoice._is_blocked():
            operations._enqueue("block", invoice)

    # ------------------------------------------------------------------------- files

    @api.model
    def _get_files(self, connection, ready, payloads):
        """Return the PDFs of invoices that Payt has none of.

        :return: (dict operation → (checksum, file name, content),
            dict operation → why there is none)
        """
        files, missing = {}, {}
        if not connection.send_pdf:
            return files, missing
        for operation in payloads:
            invoice = ready[operation]
            if invoice.document_checksum:
                continue
            try:
                filename, content = invoice._get_document()
            except UserError as error:
                missing[operation] = str(error)
                continue
            files[operation] = (file_checksum(content), filename, content)
        return files, missing

    @api.model
    def _upload(self, client, files):
        """Announce files and put those that Payt asks for, several at a time.

        :return: dict checksum → why it could not be put; trouble that concerns more
            than one file is raised
        """
        contents = {checksum: content for checksum, _name, content in files.values()}
        if not contents:
            return {}
        slots = client.announce_files([_announced(*item) for item in contents.items()])
        refused = {}

        def put(slot):
            content = contents[slot.checksum]
            try:
                client.upload(slot, content, PDF)
            except PaytUploadExpiredError:
                # The address lives for hours: a queue that stood still needs a new one.
                for fresh in client.announce_files(
                    [_announced(slot.checksum, content)]
                ):
                    client.upload(fresh, content, PDF)
            except PaytServerError as error:
                refused[slot.checksum] = error.message

        with ThreadPoolExecutor(self._parallel_uploads()) as pool:
            list(pool.map(put, slots))
        return refused

    @api.model
    def _parallel_uploads(self):
        return PARALLEL_UPLOADS


def _announced(checksum, content):
    return {"checksum": checksum, "byte_size": len(content), "content_type": PDF}
