import json
from concurrent.futures import ThreadPoolExecutor

from odoo import api, models
from odoo.exceptions import UserError

from ..client import (
    PaytAuthError,
    PaytConnectionError,
    PaytError,
    PaytNotFoundError,
    PaytPermissionError,
    PaytRateLimitError,
    PaytServerError,
    PaytUnclearOutcomeError,
    PaytUploadExpiredError,
    file_checksum,
)
from .payt_operation import DONE, KINDS, UNREPEATABLE, Outcome

PDF = "application/pdf"
PARALLEL_UPLOADS = 4
# Give Payt a moment to show what it has received.
LOOK_UP_AFTER_MINUTES = 2


class PaytPush(models.AbstractModel):
    """Empties the outbox: one method per kind of operation.

    Each ``_send_<kind>(connection, client, operations)`` returns a dict operation →
    outcome, or raises a ``PaytError`` that concerns all of them.
    """

    _name = "payt.push"
    _description = "Sending to Payt"

    @api.model
    def _cron_push(self):
        for connection in self.env["payt.connection"].search([]):
            if connection.is_live:
                self._push(connection)

    @api.model
    def _push(self, connection):
        """Send what is due for one connection, batch by batch, commit by commit."""
        cron = self.env["ir.cron"]
        operations = self.env["payt.operation"]
        operations._recover(connection)
        client = connection._get_client()
        self._resolve_unknown(connection, client)
        cron._commit_progress()
        sent = set()
        for kind, _label in KINDS:
            limit = 1 if kind in UNREPEATABLE else connection.batch_size
            while batch := operations._claim(connection, kind, limit):
                # From here on a crash leaves a trace: "sending".
                cron._commit_progress()
                goes_on = self._send_batch(connection, client, kind, batch)
                sent.add(kind)
                left = cron._commit_progress(len(batch))
                if not left:
                    connection._trigger_push()
                    return
                if goes_on == "stop":
                    return
                if goes_on == "next kind":
                    break
        if sent & {"invoice", "debtor"}:
            self._read_back(connection, client, sent)
        connection.last_push = self.env.cr.now()
        cron._commit_progress()

    @api.model
    def _send_batch(self, connection, client, kind, batch):
        """Send a batch and write down the outcome; say whether to go on."""
        try:
            outcomes = getattr(self, f"_send_{kind}")(connection, client, batch)
        except PaytError as error:
            outcomes, goes_on = self._trouble(connection, batch, error)
        else:
            goes_on = "go on"
            connection.last_error = False
        batch._finish(outcomes)
        return goes_on

    @api.model
    def _trouble(self, connection, batch, error):
        """An error that concerns a whole batch: (outcomes, how to go on)."""
        code, state, goes_on = "refused", "failed", "go on"
        if isinstance(error, PaytUnclearOutcomeError):
            code, state = "unclear", "unknown"
        elif isinstance(error, PaytAuthError):
            code, state, goes_on = "auth", "retry", "stop"
        elif isinstance(error, PaytPermissionError):
            code, goes_on = "permission", "next kind"
        elif isinstance(error, PaytNotFoundError):
            code = "not_found"
        elif isinstance(error, PaytRateLimitError):
            code, state, goes_on = "rate_limit", "retry", "stop"
        elif isinstance(error, PaytServerError):
            code, state, goes_on = "server", "retry", "next kind"
        elif isinstance(error, PaytConnectionError | PaytUploadExpiredError):
            code, state, goes_on = "connection", "retry", "stop"
        elif error.status not in (400, 409, 422):
            code, state = "protocol", "retry"
        if goes_on != "go on":
            connection._set_error(error)
        detail = getattr(error, "scope", None) or error.message
        return dict.fromkeys(batch, Outcome(state, code, detail)), goes_on

    @api.model
    def _read_back(self, connection, client, sent):
        """Bulk answers hold no ids: one pass over what changed fetches them."""
        pull = self.env["payt.pull"]
        try:
            if "debtor" in sent:
                pull._pull(connection, client, "debtors")
            if "invoice" in sent:
                pull._pull(connection, client, "invoices")
        except PaytError as error:
            # The regular poll reads the same rows a little later.
            connection._set_error(error)

    # ----------------------------------------------------------------- bulk answers

    @api.model
    def _send_bulk(self, call, payloads, names):
        """Send payloads in one call and say what became of each operation.

        When Payt complains about something that we cannot tie to a record, each record
        goes again by itself: these calls may be repeated.

        :param payloads: dict operation → payload
        :param names: dict operation → texts by which Payt may call the record
        """
        if not payloads:
            return {}
        result = call(list(payloads.values()))
        known = {text: op for op in payloads for text in names[op] if text}
        found = result.attribute(known)
        if result.count is not None:
            silent = len(payloads) - result.count - len(found.errors)
            if silent > 0:
                found.unmapped.append(f"{silent} of {len(payloads)} not processed")
        if found.unmapped and len(payloads) > 1:
            outcomes = {}
            for operation, payload in payloads.items():
                outcomes |= self._send_bulk(call, {operation: payload}, names)
            return outcomes
        if found.unmapped:
            text = "; ".join(found.unmapped)
            return dict.fromkeys(payloads, Outcome("failed", "refused", text))
        outcomes = {}
        for operation in payloads:
            if operation in found.errors:
                outcomes[operation] = self._refusal(found.errors[operation])
            elif operation in found.warnings:
                text = "; ".join(found.warnings[operation])
                outcomes[operation] = Outcome("partial", "warning", text)
            else:
                outcomes[operation] = DONE
        return outcomes

    @api.model
    def _refusal(self, texts):
        if texts == ["not_found"]:
            return Outcome("failed", "not_found", "")
        return Outcome("failed", "refused", "; ".join(texts))

    # ---------------------------------------------------------------------- debtors

    @api.model
    def _send_debtor(self, connection, client, batch):
        outcomes, contacts, debtors, names = {}, {}, {}, {}
        hashes, targets = {}, batch._targets()
        for operation, debtor in targets.items():
            if not debtor:
                outcomes[operation] = Outcome("cancelled")
                continue
            contact, values = debtor._prepare_contact(), debtor._prepare_debtor()
            hashes[operation] = debtor._hash(contact, values)
            if debtor.sent_hash == hashes[operation]:
                outcomes[operation] = DONE
                continue
            contacts[operation], debtors[operation] = contact, values
            names[operation] = (debtor.debtor_number, debtor._payt_identifier())
        found = self._send_bulk(client.upsert_contacts, contacts, names)
        refused = {op: out for op, out in found.items() if out.state == "failed"}
        found = refused | self._send_bulk(
            client.upsert_debtors,
            {op: payload for op, payload in debtors.items() if op not in refused},
            names,
        )
        now = self.env.cr.now()
        arrived = self.env["payt.debtor"]
        for operation, outcome in found.items():
            if outcome.state in ("done", "partial"):
                debtor = targets[operation]
                debtor.write({"sent_hash": hashes[operation], "sent_date": now})
                arrived |= debtor
        self._restart_invoices(connection, arrived)
        return outcomes | found

    @api.model
    def _restart_invoices(self, connection, debtors):
        """Invoices that waited for these payers can go now."""
        self.env["payt.operation"].search(
            [
                ("connection_id", "=", connection.id),
                ("kind", "=", "invoice"),
                ("partner_id", "in", debtors.partner_id.ids),
                ("state", "in", ("failed", "retry")),
                ("error_code", "in", ("debtor", "waiting")),
            ]
        ).write({"state": "pending", "next_try": False})

    # --------------------------------------------------------------------- invoices

    @api.model
    def _send_invoice(self, connection, client, batch):
        targets = batch._targets()
        outcomes = {op: self._not_ready(invoice) for op, invoice in targets.items()}
        outcomes = {op: outcome for op, outcome in outcomes.items() if outcome}
        ready = {op: invoice for op, invoice in targets.items() if op not in outcomes}
        invoices = self.env["payt.invoice"].union(*ready.values())
        known = invoices.filtered("sent_date")
        if known:
            # A full update carries an open amount too: see _send_open_amount.
            self.env["payt.pull"]._refresh_invoices(connection, known, client)
        payloads, names = {}, {}
        for operation, invoice in ready.items():
            try:
                payload = invoice._prepare_invoice()
            except (UserError, ValueError) as error:
                outcomes[operation] = Outcome("failed", "data", str(error))
                continue
            if invoice.sent_hash == invoice._hash(payload):
                outcomes[operation] = DONE
                continue
            payloads[operation] = payload
            names[operation] = (payload["invoice_number"], invoice._payt_identifier())
        documents, missing = self._send_documents(connection, client, ready, payloads)
        sent = {
            operation: {**payload, "document": documents[operation]}
            if operation in documents
            else payload
            for operation, payload in payloads.items()
        }
        found = self._send_bulk(client.upsert_invoices, sent, names)
        for operation, outcome in found.items():
            if outcome.state in ("done", "partial"):
                invoice = ready[operation]
                self._note_sent(invoice, payloads[operation], documents.get(operation))
                invoice.warning = outcome.detail or False
                if operation in missing and outcome is DONE:
                    found[operation] = Outcome("partial", "no_pdf", missing[operation])
        return outcomes | found

    @api.model
    def _not_ready(self, invoice):
        """Return why an invoice cannot go now, or None."""
        if not invoice or invoice.move_id.state != "posted":
            return Outcome("cancelled")
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
    def _note_sent(self, invoice, payload, document):
        values = {
            "sent_date": self.env.cr.now(),
            "sent_hash": invoice._hash(payload),
            "open_amount": float(payload["amount_open"]),
            "total_amount": float(payload["amount_total"]),
        }
        if document:
            values["document_checksum"] = document["checksum"]
        if invoice.status == "waiting":
            values["status"] = "new"
        if invoice.is_disputed and not invoice.sent_date:
            # Disputed before it ever arrived: there was nothing to block until now.
            self.env["payt.operation"]._enqueue("block", invoice)
        invoice.write(values)

    @api.model
    def _send_documents(self, connection, client, ready, payloads):
        """Upload the PDFs of invoices that Payt has none of.

        :return: (dict operation → document, dict operation → why there is none)
        """
        documents, contents, missing = {}, {}, {}
        if not connection.send_pdf:
            return documents, missing
        for operation in payloads:
            invoice = ready[operation]
            if invoice.document_checksum:
                continue
            try:
                filename, content = invoice._get_document()
            except UserError as error:
                missing[operation] = str(error)
                continue
            checksum = file_checksum(content)
            documents[operation] = {"checksum": checksum, "filename": filename}
            contents[checksum] = content
        if contents:
            self._upload(client, contents)
        return documents, missing

    @api.model
    def _upload(self, client, contents):
        """Announce files and put those that Payt asks for.

        :param contents: dict checksum → bytes
        """
        announced = [
            {"checksum": checksum, "byte_size": len(content), "content_type": PDF}
            for checksum, content in contents.items()
        ]
        slots = client.announce_files(announced)

        def put(slot):
            try:
                client.upload(slot, contents[slot.checksum], PDF)
            except PaytUploadExpiredError:
                # The address lives for hours: a queue that stood still needs a new one.
                own = [row for row in announced if row["checksum"] == slot.checksum]
                for fresh in client.announce_files(own):
                    client.upload(fresh, contents[slot.checksum], PDF)

        if slots:
            # No database in these threads: bytes and HTTP only.
            with ThreadPoolExecutor(PARALLEL_UPLOADS) as pool:
                list(pool.map(put, slots))

    # ----------------------------------------------------------------- open amounts

    @api.model
    def _send_open_amount(self, connection, client, batch):
        """Tell Payt what is still open, without undoing a payment we do not know yet.

        Payt takes an open amount as the truth: pushed too early, it reopens an invoice
        that was paid online a minute ago and reminds the debtor.
        """
        outcomes, ready = {}, {}
        for operation, invoice in batch._targets().items():
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
        self.env["payt.pull"]._refresh_invoices(connection, invoices, client)
        payloads, names = {}, {}
        for operation, invoice in ready.items():
            if not self._open_amount_differs(invoice):
                outcomes[operation] = DONE
                continue
            payloads[operation] = invoice._prepare_open_amount()
            names[operation] = (invoice.move_id.name, invoice._payt_identifier())
        found = self._send_bulk(client.patch_invoices, payloads, names)
        for operation, outcome in found.items():
            if outcome.state in ("done", "partial"):
                amount = float(payloads[operation]["amount_open"])
                ready[operation].write({"open_amount": amount, "sent_hash": False})
        return outcomes | found

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
            (block if invoice.is_disputed else resume)[operation] = identifier
        outcomes |= self._send_bulk(client.block_invoices, block, names)
        outcomes |= self._send_bulk(client.resume_invoices, resume, names)
        return outcomes

    # --------------------------------------------------- what must not be sent twice

    @api.model
    def _send_message(self, connection, client, batch):
        message = batch._target()
        if not message:
            return {batch: Outcome("cancelled")}
        if message.invoice_id and message.invoice_id.sent_date:
            target = {"invoice_identifier": message.invoice_id._payt_identifier()}
        else:
            target = {"debtor_identifier": message.debtor_id._payt_identifier()}
        row = client.send_message(
            target, {"subject": message.subject, "body": message.body}
        )
        message._note_sent(row)
        return {batch: DONE}

    @api.model
    def _send_plan(self, connection, client, batch):
        plan = batch._target()
        if not plan or not plan.decision:
            return {batch: Outcome("cancelled")}
        row = client.decide_plan(plan.payt_id, plan.decision)
        if not row:
            # Accepted without a word: look at the plan itself.
            return {batch: Outcome("unknown", "unclear")}
        plan._apply(row)
        plan.decision = False
        return {batch: DONE}

    @api.model
    def _send_mandate(self, connection, client, batch):
        debtor = batch._target()
        contract = debtor and debtor._direct_debit_contract()
        if not contract:
            return {batch: Outcome("cancelled")}
        client.create_mandates([debtor._prepare_mandate(contract)])
        return {batch: DONE}

    @api.model
    def _resolve_unknown(self, connection, client):
        """Look at Payt whether unclear operations have arrived."""
        margin = self.env.cr.now()
        unclear = self.env["payt.operation"].search(
            [("connection_id", "=", connection.id), ("state", "=", "unknown")]
        )
        for operation in unclear.try_lock_for_update():
            waited = margin - operation.claimed_date
            if waited.total_seconds() < self._look_up_after() * 60:
                continue
            target = operation._target()
            if not target:
                operation.state = "cancelled"
                continue
            try:
                arrived = getattr(self, f"_arrived_{operation.kind}")(client, target)
            except PaytError as error:
                connection._set_error(error)
                return
            if arrived:
                operation._finish({operation: DONE})
            else:
                operation._reopen("retry", next_try=False)

    @api.model
    def _look_up_after(self):
        return LOOK_UP_AFTER_MINUTES

    @api.model
    def _arrived_message(self, client, message):
        filters = (
            {"invoice_ids": message.invoice_id.payt_id}
            if message.invoice_id.payt_id
            else {"debtor_ids": message.debtor_id.payt_id}
        )
        fields_ = ["id", "sender_type", "subject", "content", "sent_at", "updated_at"]
        for row in client.iterate("messages", fields=fields_, **filters):
            if message._is_same(row):
                message._note_sent(row)
                return True
        return False

    @api.model
    def _arrived_plan(self, client, plan):
        for row in client.iterate("payment_plans", ids=plan.payt_id):
            plan._apply(row)
        stamp = {"approve": "active", "reject": "rejected", "deactivate": "ended"}
        if plan.state == stamp.get(plan.decision):
            plan.decision = False
            return True
        return False

    @api.model
    def _arrived_mandate(self, client, debtor):
        contract = debtor._direct_debit_contract()
        rows = client.iterate("psp_mandates", debtor_numbers=debtor.debtor_number)
        return any(row.get("mandate_reference") == contract.name for row in rows)

    # ---------------------------------------------------------------------- dry run

    @api.model
    def _preview(self, operation):
        """Return what an operation would send now, as readable JSON."""
        target = operation._target()
        if not target:
            return ""
        try:
            payload = self._preview_payload(operation.kind, target)
        except (UserError, ValueError) as error:
            return str(error)
        return json.dumps(payload, indent=2, ensure_ascii=False, default=str)

    @api.model
    def _preview_payload(self, kind, target):
        if kind == "debtor":
            return {
                "contacts": [target._prepare_contact()],
                "debtors": [target._prepare_debtor()],
            }
        if kind == "invoice":
            return {"invoices": [target._prepare_invoice()]}
        if kind == "open_amount":
            return {"invoices": [target._prepare_open_amount()]}
        if kind == "block":
            action = "block" if target.is_disputed else "resume"
            return {action: [target._payt_identifier()]}
        if kind == "message":
            return {"message": {"subject": target.subject, "body": target.body}}
        if kind == "plan":
            return {target.decision or "": target.payt_id}
        return {"debtor": target.debtor_number}
