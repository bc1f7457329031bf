from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

from odoo import api, fields, models

from ..client import (
    PaytError,
    derive_status,
    parse_money,
    parse_utc,
    text_id,
    web_address,
)
from ..payt_fields import (
    INVOICE_FIELDS,
    MANDATE_FIELDS,
    MANDATES,
    PAYMENT_FIELDS,
    RESOURCES,
)

# Clocks differ and Payt may show a change late: read a little twice.
OVERLAP = timedelta(minutes=5)
DELETED_EVERY = timedelta(hours=1)
# Payt remembers deletions for 90 days.
DELETED_DAYS = 89
CHUNK = 100


def precise_now():
    """Return this moment (UTC): rounds and changes may follow within a second."""
    return datetime.now(UTC).replace(tzinfo=None)


class PaytPull(models.AbstractModel):
    """Reads what changed at Payt and writes it down here.

    Each ``_apply_<resource>(connection, rows)`` may see the same row twice and rows in
    any order, and returns how many rows belong to no record of ours.
    """

    _name = "payt.pull"
    _inherit = "payt.job"
    _description = "Reading from Payt"

    @api.model
    def _is_recent(self, resource, cursor):
        """Whether a list of deletions was read less than an hour ago."""
        return bool(
            resource.endswith("/deleted")
            and cursor.last_run
            and fields.Datetime.now() - cursor.last_run < DELETED_EVERY
        )

    @api.model
    def _pull_safely(self, connection, client, resource):
        """Read one list; return the error that prevented it, None when it went well."""
        try:
            self._pull(connection, client, resource)
        except PaytError as error:
            self._afresh(partial(self._note_trouble, connection, resource, error))
            return error
        return None

    @api.model
    def _note_trouble(self, connection, resource, error):
        self._cursor(connection, resource).write(
            {"last_error": error.message, "last_try": precise_now()}
        )
        connection._set_error(error)

    @api.model
    def _cursor(self, connection, resource):
        cursor = connection.cursor_ids.filtered(lambda c: c.resource == resource)
        return cursor or self.env["payt.cursor"].create(
            {"connection_id": connection.id, "resource": resource}
        )

    @api.model
    def _pull(self, connection, client, resource):
        """Read one list from its watermark on.

        The rows come in the order of their ids, so the watermark moves only when the
        last page is in; until then a crash makes us read the same rows again.
        """
        cursor = self._cursor(connection, resource)
        if self._is_recent(resource, cursor):
            return
        now = precise_now()
        name, is_deleted = resource.removesuffix("/deleted"), "/deleted" in resource
        if is_deleted:
            stamp = "deleted_at"
            since = cursor.watermark or now - timedelta(days=DELETED_DAYS)
            filters = {"deleted_after": since - OVERLAP}
            apply = getattr(self, f"_delete_{name}")
        else:
            stamp = "updated_at"
            since = cursor.watermark and cursor.watermark - OVERLAP
            names = MANDATE_FIELDS if name == MANDATES else RESOURCES[name]
            filters = {"updated_after": since, "fields": names}
            apply = getattr(self, f"_apply_{name}")
        seen, count, unmatched = [], 0, 0
        for rows in self._ahead(client.pages(resource, **filters)):
            unmatched += self._afresh(partial(apply, connection, rows)) or 0
            count += len(rows)
            seen += [parse_utc(row[stamp]) for row in rows]
        values = {
            "last_run": now.replace(microsecond=0),
            "last_try": precise_now(),
            "last_count": count,
            "unmatched_count": unmatched,
            "last_error": False,
        }
        # A row may have changed after we read its page and before the newest change
        # that we saw: what changes during a run is read again in the next one.
        newest = min(max(seen), now) if seen else None
        self._afresh(partial(self._move_cursor, cursor, newest, values))

    @api.model
    def _ahead(self, pages):
        """Yield pages; while one is written down, the next one is under way."""
        rows = next(pages, None)
        with ThreadPoolExecutor(1) as pool:
            while rows is not None:
                coming = pool.submit(next, pages, None)
                yield rows
                rows = coming.result()

    @api.model
    def _move_cursor(self, cursor, newest, values):
        """Note how far the list was read; a webhook's job may have come further."""
        before = cursor.watermark
        if newest and (not before or newest > before):
            values = {**values, "watermark": newest}
            if before:
                cursor.connection_id._note(last_change_seen=values["last_run"])
        cursor.write(values)

    @api.model
    def _is_stale(self, record, row):
        """Whether we already know something newer (rows may arrive in any order)."""
        return bool(record.payt_updated and record.payt_updated > row["updated_at"])

    @api.model
    def _newest_rows(self, rows, find):
        """Return what is to be written: the newest row of each record.

        :param find: function row → record or nothing
        :return: (dict record → row, how many rows belong to no record of ours)
        """
        newest, unmatched = {}, 0
        for row in rows:
            record = find(row)
            if not record:
                unmatched += 1
            elif not self._is_stale(record, row):
                before = newest.get(record, row)
                if row["updated_at"] >= before["updated_at"]:
                    newest[record] = row
        return newest, unmatched

    # --------------------------------------------------------------------- debtors

    @api.model
    def _apply_debtors(self, connection, rows):
        debtors = self._debtors_by_identifier(connection, rows)
        newest, unmatched = self._newest_rows(
            rows, lambda row: debtors.get(row.get("debtor_identifier"))
        )
        news = {debtor: self._debtor_values(row) for debtor, row in newest.items()}
        addresses = {
            debtor: values["seen_email"]
            for debtor, values in news.items()
            if values["seen_email"] != debtor.seen_email
        }
        self._write_news(news)
        for debtor, address in addresses.items():
            self._propose_email(connection, debtor, address)
        return unmatched

    @api.model
    def _debtor_values(self, row):
        address = (row.get("debtor_provided_email_address") or "").strip()
        return {
            "payt_id": text_id(row["id"]),
            "public_url": web_address(row.get("public_url")),
            "deeplink_url": web_address(row.get("deeplink_url")),
            "open_amount": float(parse_money(row.get("book_open_amount"))),
            "payment_behaviour": row.get("payment_behaviour") or 0,
            "is_paused": bool(row.get("paused_at")),
            "seen_email": address or False,
            "payt_updated": row["updated_at"],
        }

    @api.model
    def _propose_email(self, connection, debtor, address):
        """Propose the address that Payt shows now, when it is another one than ours."""
        known = (debtor.partner_id.email or "").lower()
        is_new = bool(address) and address.lower() != known
        debtor.proposed_email = address if is_new else False
        if is_new:
            connection._notify(
                self.env._("New e-mail address from Payt"),
                self.env._("Accept or refuse: %(address)s", address=address),
                debtor,
            )

    @api.model
    def _debtors_by_identifier(self, connection, rows):
        ids = [
            connection._record_id(row.get("debtor_identifier"), "res.partner")
            for row in rows
        ]
        debtors = self.env["payt.debtor"].search(
            [
                ("connection_id", "=", connection.id),
                ("partner_id", "in", [number for number in ids if number]),
            ]
        )
        return {debtor._payt_identifier(): debtor for debtor in debtors}

    # -------------------------------------------------------------------- invoices

    @api.model
    def _apply_invoices(self, connection, rows):
        numbers = {
            row["id"]: connection._record_id(
                row.get("invoice_identifier"), "account.move"
            )
            for row in rows
        }
        invoices = {
            invoice.move_id.id: invoice
            for invoice in self.env["payt.invoice"].search(
                [
                    ("connection_id", "=", connection.id),
                    ("move_id", "in", [n for n in numbers.values() if n]),
                ]
            )
        }
        newest, unmatched = self._newest_rows(
            rows, lambda row: invoices.get(numbers[row["id"]])
        )
        news = {invoice: self._invoice_values(row) for invoice, row in newest.items()}
        steps = [
            invoice
            for invoice, values in news.items()
            if (values["status"], values["status_number"])
            != (invoice.status, invoice.status_number)
        ]
        self._write_news(news)
        for invoice in news:
            if not invoice.sent_date:
                self._note_arrived(invoice)
        self._log_steps(steps)
        return unmatched

    @api.model
    def _note_arrived(self, invoice):
        """Payt has what we were not told of that it arrived: nothing else says so.

        The line broke or the job was killed. What was taken back here since then had
        nothing to block.
        """
        invoice.sent_date = fields.Datetime.now()
        if invoice._is_blocked():
            self.env["payt.operation"]._enqueue("block", invoice)

    @api.model
    def _invoice_values(self, row):
        status, number, moment = derive_status(row)
        case, plan = row.get("active_credit_case_id"), row.get("active_payment_plan_id")
        return {
            "payt_id": text_id(row["id"]),
            "status": status,
            "status_number": number,
            "status_date": moment,
            "total_amount": float(parse_money(row["total_amount"])),
            "open_amount": float(parse_money(row["open_amount"])),
            "costs_total": float(parse_money(row.get("administration_costs_total"))),
            "costs_open": float(parse_money(row.get("administration_costs_open"))),
            "is_paused": bool(row.get("paused_at") or row.get("paused_by_user")),
            "has_plan": bool(plan),
            "has_case": bool(case),
            "plan_payt_id": text_id(plan) or False,
            "case_payt_id": text_id(case) or False,
            "public_url": web_address(row.get("public_url")),
            "deeplink_url": web_address(row.get("deeplink_url")),
            "payt_updated": row["updated_at"],
        }

    @api.model
    def _log_steps(self, invoices):
        """Write the steps that a person wants to see in the invoice's history."""
        told = {
            invoice.move_id.id: self.env._(
                "Payt: %(status)s", status=invoice.status_label
            )
            for invoice in invoices
            if invoice.status not in ("new", "sent")
        }
        if told:
            self.env["account.move"].browse(told)._message_log_batch(bodies=told)

    @api.model
    def _refresh_invoices(self, connection, invoices, client=None):
        """Read these invoices and their payments again, and book what was paid online.

        The payments come last: money that arrives in between is known then, and lowers
        what we take for open. The other way round it would be open once more.
        """
        client = client or connection._get_client()
        self._read_invoices(connection, invoices, client)
        for chunk in self._identifier_chunks(invoices):
            for rows in client.pages(
                "payments", fields=PAYMENT_FIELDS, invoice_identifiers=chunk
            ):
                self._apply_payments(connection, rows, client)
        self._book(connection)

    @api.model
    def _read_invoices(self, connection, invoices, client=None):
        """Read these invoices again, without their payments."""
        if not invoices:
            return
        client = client or connection._get_client()
        for chunk in self._identifier_chunks(invoices):
            for rows in client.pages(
                "invoices", fields=INVOICE_FIELDS, invoice_identifiers=chunk
            ):
                self._apply_invoices(connection, rows)

    @api.model
    def _identifier_chunks(self, invoices):
        """Return Payt's identifiers of these invoices in lists for one call each."""
        identifiers = [invoice._payt_identifier() for invoice in invoices]
        return [
            identifiers[start : start + CHUNK]
            for start in range(0, len(identifiers), CHUNK)
        ]

    @api.model
    def _invoices_by_payt_id(self, connection, payt_ids):
        """Return our invoices by Payt's id; ones we never saw are looked up there."""
        wanted = {text_id(number) for number in payt_ids if number}

        def known():
            return {
                invoice.payt_id: invoice
                for invoice in self.env["payt.invoice"].search(
                    [
                        ("connection_id", "=", connection.id),
                        ("payt_id", "in", list(wanted)),
                    ]
                )
            }

        found = known()
        unknown = sorted(wanted - set(found))
        if unknown:
            client = connection._get_client()
            for start in range(0, len(unknown), CHUNK):
                for rows in client.pages(
                    "invoices",
                    fields=INVOICE_FIELDS,
                    ids=unknown[start : start + CHUNK],
                ):
                    self._apply_invoices(connection, rows)
            found = known()
        return found

    @api.model
    def _delete_invoices(self, connection, rows):
        invoices = self.env["payt.invoice"].search(
            [
                ("connection_id", "=", connection.id),
                ("payt_id", "in", [text_id(row["id"]) for row in rows]),
                ("status", "!=", "deleted"),
            ]
        )
        invoices.write({"status": "deleted", "sent_hash": False})
        for invoice in invoices.filtered("residual"):
            connection._notify(
                self.env._("Deleted at Payt"),
                self.env._("This invoice is open here but Payt no longer follows it."),
                invoice.move_id,
            )

    # -------------------------------------------------------------------- payments

    @api.model
    def _apply_psp_transactions(self, connection, rows):
        self.env["payt.transaction"]._upsert(connection, rows)

    @api.model
    def _apply_payments(self, connection, rows, client=None):
        """Keep the rows of online payments; the others are echoes of what we sent.

        Each open amount that we push makes Payt invent a payment, without saying so.
        Only a row that carries an online transaction is money that Odoo does not know;
        one with a bank transaction is money that Odoo will find on the same statement.
        """
        self.env["payt.bank.payment"]._upsert(
            connection, [row for row in rows if row.get("bank_transaction")], client
        )
        online = [row for row in rows if row.get("psp_transaction")]
        if not online:
            return
        transactions = self.env["payt.transaction"]._upsert(
            connection, [row["psp_transaction"] for row in online]
        )
        invoices = self._invoices_by_payt_id(
            connection, [row["invoice_id"] for row in online]
        )
        self.env["payt.transaction.line"]._upsert(
            connection, online, transactions, invoices
        )

    @api.model
    def _delete_payments(self, connection, rows):
        lines = self.env["payt.transaction.line"].search(
            [
                ("transaction_id.connection_id", "=", connection.id),
                ("payt_id", "in", [text_id(row["id"]) for row in rows]),
            ]
        )
        booked = lines.transaction_id.filtered(lambda t: t.state == "booked")
        booked._needs_attention(self.env._("Payt has deleted this payment."))
        (lines - booked.line_ids).unlink()
        self.env["payt.bank.payment"]._find(connection, rows).unlink()

    @api.model
    def _book(self, connection):
        self.env["payt.transaction"]._process(connection)

    # ----------------------------------------------------------- cases, plans, texts

    @api.model
    def _apply_credit_cases(self, connection, rows):
        return self.env["payt.case"]._upsert(connection, rows)

    @api.model
    def _delete_credit_cases(self, connection, rows):
        cases = self.env["payt.case"]._find(connection, rows)
        cases.invoice_ids.write({"case_id": False, "has_case": False})
        cases.active = False

    @api.model
    def _apply_payment_plans(self, connection, rows):
        return self.env["payt.plan"]._upsert(connection, rows)

    @api.model
    def _delete_payment_plans(self, connection, rows):
        plans = self.env["payt.plan"]._find(connection, rows)
        plans.write({"state": "ended", "decision": False})
        plans.activity_unlink(["mail.mail_activity_data_todo"])

    @api.model
    def _apply_psp_mandates(self, connection, rows):
        return self.env["payt.mandate"]._upsert(connection, rows)

    @api.model
    def _delete_psp_mandates(self, connection, rows):
        self.env["payt.mandate"]._find(connection, rows)._note_revoked()

    @api.model
    def _apply_messages(self, connection, rows):
        return self.env["payt.message"]._upsert(connection, rows)

    @api.model
    def _apply_notes(self, connection, rows):
        notes = [
            {
                **row,
                "id": f"note-{row['id']}",
                "sender_type": "note",
                "sent_at": row["created_at"],
            }
            for row in rows
        ]
        return self.env["payt.message"]._upsert(connection, notes)

    @api.model
    def _debtors_by_payt_id(self, connection, payt_ids):
        wanted = [text_id(number) for number in payt_ids if number]
        return {
            debtor.payt_id: debtor
            for debtor in self.env["payt.debtor"].search(
                [("connection_id", "=", connection.id), ("payt_id", "in", wanted)]
            )
        }
