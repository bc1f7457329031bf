"""What the simulated Payt knows, and what happens to it.

Plain dicts per table, in the words of Payt's read entities; amounts are Decimals.
Every method runs under the server's lock.
"""

import itertools
import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal

CENT = Decimal("0.01")
ADMINISTRATION = "7001"

# Phases a collector walks through, with the timestamps that each one sets.
PHASES = {
    "sent": ("sent_at",),
    "pre_reminder": ("pre_reminder_at",),
    "reminder_1": ("first_reminder_at", "reminder_1_at", "latest_reminder_at"),
    "reminder_2": ("reminder_2_at", "latest_reminder_at"),
    "reminder_3": ("reminder_3_at", "latest_reminder_at"),
    "reminder_4": ("reminder_4_at", "latest_reminder_at"),
    "final_reminder": ("final_reminder_at",),
    "collectable": ("collectable_at",),
    "debt_collection": ("debt_collection_at",),
    "pre_summons": ("pre_summons_at",),
    "summons_1": ("first_summons_at", "summons_1_at", "latest_summons_at"),
    "summons_2": ("summons_2_at", "latest_summons_at"),
    "summons_3": ("summons_3_at", "latest_summons_at"),
    "summons_4": ("summons_4_at", "latest_summons_at"),
    "notice_of_default": ("notice_of_default_at",),
    "pre_judicial": ("pre_judicial_at",),
    "bailiff": ("bailiff_at",),
}
IMMUTABLE = ("invoice_date", "due_date", "total_amount", "currency_code", "debtor_id")
TABLES = (
    "contacts",
    "debtors",
    "invoices",
    "payments",
    "psp_transactions",
    "psp_mandates",
    "credit_cases",
    "payment_plans",
    "messages",
    "notes",
)


# Looked up so often that a search through the table would be what is measured.
INDEXED = {
    "contacts": ("contact_identifier",),
    "debtors": ("debtor_identifier", "debtor_number", "contact_identifier", "token"),
    "invoices": ("invoice_identifier", "invoice_number", "token"),
    "payment_plans": ("token",),
}


class Refusal(Exception):
    """One record of a bulk call cannot be processed."""


def money(value):
    return Decimal(str(value)).quantize(CENT)


class PaytState:
    """One administration, in memory."""

    def __init__(self, public_base):
        self.public_base = public_base
        self.reset()

    def reset(self):
        self._ids = itertools.count(100001)
        self.latest = datetime(2000, 1, 1)
        for table in TABLES:
            setattr(self, table, {})
        self._index = {table: {} for table in TABLES}
        self.deleted = {table: [] for table in TABLES}
        self.files = {}
        self.attachments = {}
        self.vat_rates = {}
        self.uploads = {}
        self.events = []
        self.mailbox = []
        self.upload_lifetime = timedelta(hours=4)

    # --------------------------------------------------------------- plumbing

    def now(self):
        """Now to the millisecond, and later than every earlier answer."""
        moment = datetime.now(UTC).replace(tzinfo=None)
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        self.latest = max(moment, self.latest + timedelta(milliseconds=1))
        return self.latest

    def new_id(self):
        return str(next(self._ids))

    def touch(self, row):
        row["updated_at"] = self.now()
        return row

    def insert(self, table, row):
        row = {"id": self.new_id(), "administration_id": ADMINISTRATION, **row}
        getattr(self, table)[row["id"]] = self.touch(row)
        self.remember(table, row)
        return row

    def remember(self, table, row):
        """Note under which values a row can be found."""
        for key in INDEXED.get(table, ()):
            if row.get(key):
                self._index[table][key, row[key]] = row["id"]

    def find(self, table, **match):
        if len(match) == 1 and next(iter(match)) in INDEXED.get(table, ()):
            ((key, value),) = match.items()
            row = getattr(self, table).get(self._index[table].get((key, value)))
            return row if row and row.get(key) == value else None
        for row in getattr(self, table).values():
            if all(row.get(key) == value for key, value in match.items()):
                return row
        return None

    def delete(self, table, row, **extra):
        getattr(self, table).pop(row["id"])
        self.deleted[table].append(
            {
                "id": row["id"],
                "administration_id": ADMINISTRATION,
                "deleted_at": self.now(),
                **extra,
            }
        )

    def emit(self, name, row, kind):
        """Queue a webhook about a record."""
        self.events.append(
            {
                "id": secrets.token_hex(8),
                "event_name": name,
                "event_time": self.now(),
                "context": {"resource_type": kind, **self.context(row, kind)},
            }
        )

    def context(self, row, kind):
        context = {"id": row["id"], "administration": {"id": ADMINISTRATION}}
        debtor = self.debtors.get(row.get("debtor_id") or "")
        if debtor:
            context["debtor"] = {
                "id": debtor["id"],
                "debtor_number": debtor["debtor_number"],
            }
        if kind == "invoice":
            context.update(
                invoice_number=row["invoice_number"],
                invoice_date=row["invoice_date"],
                due_date=row["due_date"],
                amount_total=row["total_amount"],
                amount_open=row["open_amount"],
                currency_code=row["currency_code"],
            )
        return context

    # ------------------------------------------------------------- what is sent

    def upsert_contact(self, values):
        identifier = values.get("contact_identifier")
        if not identifier and not values.get("id"):
            raise Refusal("contact_identifier is missing")
        row = self.contacts.get(values.get("id") or "") or self.find(
            "contacts", contact_identifier=identifier
        )
        if row:
            row.update(values)
            self.touch(row)
            self.remember("contacts", row)
        else:
            row = self.insert("contacts", dict(values))
        debtor = self.find("debtors", contact_identifier=identifier)
        if debtor:
            self.touch(debtor)
        return row

    def upsert_debtor(self, values):
        row = self.find("debtors", debtor_identifier=values["debtor_identifier"])
        other = self.find("debtors", debtor_number=values["debtor_number"])
        if other and other is not row:
            raise Refusal("debtor_number is already taken")
        contact = values.get("contact_identifier")
        if contact and not self.find("contacts", contact_identifier=contact):
            raise Refusal("contact_identifier is unknown")
        if row:
            row.update(values)
            self.remember("debtors", row)
            return self.touch(row)
        return self.insert("debtors", {"token": secrets.token_urlsafe(12), **values})

    def announce(self, entry, address):
        """Return an upload slot, or None when the file is already here."""
        if len(entry["checksum"]) != 88:
            raise Refusal("checksum has the wrong length")
        if entry["checksum"] in self.files:
            return None
        token = secrets.token_urlsafe(24)
        expires = self.now() + self.upload_lifetime
        self.uploads[token] = {**entry, "expires_at": expires}
        return {
            "checksum": entry["checksum"],
            "url": f"{address}/uploads/{token}",
            "expires_at": expires,
        }

    def invoice_debtor(self, values):
        if values.get("debtor_identifier"):
            debtor = self.find("debtors", debtor_identifier=values["debtor_identifier"])
        else:
            debtor = self.find("debtors", debtor_number=values.get("debtor_number"))
        if not debtor:
            raise Refusal("Debtor not found")
        return debtor

    def check_lines(self, values):
        """Return the lines of an invoice; each refers to a rate that exists."""
        lines = values.get("invoice_lines") or []
        for line in lines:
            if line["vat_rate_code"] not in self.vat_rates:
                raise Refusal(f"vat_rate_code {line['vat_rate_code']} is unknown")
        return lines

    def upsert_vat_rate(self, values):
        self.vat_rates[values["code"]] = values

    def mark_read(self, values):
        message = self.messages[values["id"]]
        message["read_at"] = self.now() if values["read"] else None
        self.touch(message)

    def upsert_invoice(self, values, create):
        """Create or change an invoice; returns warnings."""
        row = self.find("invoices", invoice_number=values["invoice_number"])
        identifier = values.get("invoice_identifier")
        if identifier and not row:
            row = self.find("invoices", invoice_identifier=identifier)
        if not row and not create:
            raise LookupError(values["invoice_number"])
        document = values.get("document")
        if document and document.get("checksum") not in self.files:
            raise Refusal("Document has not been uploaded")
        if row:
            return self._change_invoice(row, values)
        debtor = self.invoice_debtor(values)
        row = self.insert(
            "invoices",
            {
                "token": secrets.token_urlsafe(12),
                "invoice_number": values["invoice_number"],
                "invoice_identifier": identifier,
                "debtor_id": debtor["id"],
                "debtor_number": debtor["debtor_number"],
                "invoice_date": values["invoice_date"],
                "due_date": values["due_date"],
                "currency_code": values["currency_code"],
                "payment_method": values.get("payment_method") or "unknown",
                "description": values.get("description"),
                "category": values.get("category"),
                "total_amount": money(values["amount_total"]),
                "open_amount": money(values["amount_total"]),
                "administration_costs_total": money(0),
                "administration_costs_open": money(0),
                "sent_at": values.get("sent_at"),
                "checksum": (document or {}).get("checksum"),
                "labels": values.get("labels") or [],
                "invoice_lines": self.check_lines(values),
                "paused_by_user": False,
            },
        )
        self.emit("invoice_created", row, "invoice")
        self._balance(row, money(values["amount_open"]))
        return []

    def _change_invoice(self, row, values):
        warnings = []
        wanted = dict(values)
        if "amount_total" in wanted:
            wanted["total_amount"] = money(wanted["amount_total"])
        if wanted.get("debtor_identifier") or wanted.get("debtor_number"):
            wanted["debtor_id"] = self.invoice_debtor(wanted)["id"]
        warnings += [
            f"{field} cannot be changed"
            for field in IMMUTABLE
            if field in wanted and wanted[field] != row[field]
        ]
        for field in ("description", "category", "payment_method", "labels"):
            if wanted.get(field) is not None:
                row[field] = wanted[field]
        if wanted.get("invoice_identifier"):
            row["invoice_identifier"] = wanted["invoice_identifier"]
            self.remember("invoices", row)
        if wanted.get("sent_at") and not row.get("sent_at"):
            row["sent_at"] = wanted["sent_at"]
        if wanted.get("document"):
            row["checksum"] = wanted["document"]["checksum"]
        self.touch(row)
        if wanted.get("amount_open") is not None:
            self._balance(row, money(wanted["amount_open"]))
        return warnings

    def _balance(self, row, open_amount):
        """An open amount without payments: Payt makes one up that explains it."""
        difference = row["open_amount"] - open_amount
        if difference:
            self.insert(
                "payments",
                {
                    "invoice_id": row["id"],
                    "total_amount": difference,
                    "payment_date": self.now().date().isoformat(),
                    "cost_type": "principal",
                    "transaction_type": "payment" if difference > 0 else "reversal",
                    "payment_method": "unknown",
                },
            )
            self.set_open(row, open_amount)

    def set_open(self, row, open_amount):
        was_open = row["open_amount"] != 0
        row["open_amount"] = open_amount
        row["payment_date"] = None if open_amount else self.now().date().isoformat()
        self.touch(row)
        if was_open and not open_amount:
            self.emit("invoice_paid", row, "invoice")
        if not was_open and open_amount:
            self.emit("invoice_reopened", row, "invoice")

    # -------------------------------------------------------- what debtors do

    def start_payment(self, invoices, method="ideal", amounts=None):
        """A debtor starts to pay; returns the PSP transaction, still pending."""
        amounts = amounts or [invoice["open_amount"] for invoice in invoices]
        return self.insert(
            "psp_transactions",
            {
                "debtor_id": invoices[0]["debtor_id"],
                "invoice_ids": [invoice["id"] for invoice in invoices],
                "parts": [money(amount) for amount in amounts],
                "amount": sum((money(amount) for amount in amounts), money(0)),
                "currency_code": invoices[0]["currency_code"],
                "payment_method": method,
                "status": "pending",
                "bank_account_name": "Simulator",
                "bank_account_number": "NL02ABNA0123456789",
            },
        )

    def finish_payment(self, transaction, status):
        """The bank answers: ``paid``, ``cancelled`` or ``failed``."""
        if transaction["status"] not in ("pending", "processing"):
            return
        transaction["status"] = status
        if status == "paid":
            transaction["paid_at"] = self.now()
            self._book_parts(transaction, 1, "payment")
            self.emit("psp_transaction_successful", transaction, "psp_transaction")
        self.touch(transaction)

    def take_back(self, transaction, status, reversal_code=None):
        """``charged_back`` or ``refunded``: the money goes back, invoices reopen."""
        if transaction["status"] != "paid":
            return
        transaction.update(status=status, reversal_code=reversal_code)
        self.touch(transaction)
        self._book_parts(transaction, -1, "reversal")
        self.emit(f"psp_transaction_{status}", transaction, "psp_transaction")

    def _book_parts(self, transaction, sign, kind):
        for invoice_id, part in zip(
            transaction["invoice_ids"], transaction["parts"], strict=True
        ):
            invoice = self.invoices.get(invoice_id)
            self.insert(
                "payments",
                {
                    "invoice_id": invoice_id,
                    "total_amount": sign * part,
                    "payment_date": self.now().date().isoformat(),
                    "cost_type": "principal",
                    "transaction_type": kind,
                    "payment_method": transaction["payment_method"],
                    "reversal_code": transaction.get("reversal_code"),
                    "psp_transaction_id": transaction["id"],
                },
            )
            if invoice:
                self.set_open(invoice, invoice["open_amount"] - sign * part)
                if sign > 0:
                    self.emit("invoice_payment_created", invoice, "invoice")

    def match_bank(self, invoice, amount):
        """Payt finds a payment of this invoice on a bank statement that it reads."""
        row = self.insert(
            "payments",
            {
                "invoice_id": invoice["id"],
                "total_amount": money(amount),
                "payment_date": self.now().date().isoformat(),
                "cost_type": "principal",
                "transaction_type": "payment",
                "payment_method": "bank_transfer",
                "bank_transaction": {
                    "id": self.new_id(),
                    "bank_account_name": "Simulator",
                    "description": f"Betaling {invoice['invoice_number']}",
                    "currency_code": invoice["currency_code"],
                    "exchange_rate": "1.0",
                    "amount": money(amount),
                    "book_amount": money(amount),
                    "book_date": self.now().date().isoformat(),
                },
            },
        )
        self.set_open(invoice, invoice["open_amount"] - money(amount))
        self.emit("invoice_payment_created", invoice, "invoice")
        return row

    def comment(self, invoice, text, subject="Vraag over uw factuur"):
        message = self.insert(
            "messages",
            {
                "sender_type": "debtor",
                "subject": subject,
                "content": text,
                "invoice_id": invoice["id"],
                "debtor_id": invoice["debtor_id"],
                "received_at": self.now(),
            },
        )
        self.emit("invoice_new_comment", invoice, "invoice")
        return message

    def creditor_message(self, invoice, debtor, values):
        debtor_id = invoice["debtor_id"] if invoice else debtor["id"]
        return self.insert(
            "messages",
            {
                "sender_type": "creditor",
                "subject": values.get("subject"),
                "content": values.get("body"),
                "attachments": values.get("attachments") or [],
                "invoice_id": invoice["id"] if invoice else None,
                "debtor_id": debtor_id,
                "sent_at": self.now(),
            },
        )

    def plan(self, invoices, terms, reason=None, proposed=True):
        """A payment plan over invoices; terms as (amount, due date) pairs."""
        row = self.insert(
            "payment_plans",
            {
                "token": secrets.token_urlsafe(12),
                "debtor_id": invoices[0]["debtor_id"],
                "invoice_ids": [invoice["id"] for invoice in invoices],
                "payment_terms": [
                    {
                        "id": self.new_id(),
                        "total_amount": money(amount),
                        "amount_due": money(amount),
                        "due_date": due_date,
                        "payment_date": "",
                    }
                    for amount, due_date in terms
                ],
                "reason": reason,
                "active": not proposed,
                "auto_activated": False,
                "proposed_at": self.now() if proposed else None,
                "approved_at": None if proposed else self.now(),
                "created_at": self.now(),
            },
        )
        if not proposed:
            self._link_plan(row, row["id"])
        self.emit("payment_plan_created", row, "payment_plan")
        return row

    def decide_plan(self, plan, decision):
        stamp = {
            "approve": "approved_at",
            "reject": "rejected_at",
            "deactivate": "deactivated_at",
        }[decision]
        plan[stamp] = self.now()
        plan["active"] = decision == "approve"
        self._link_plan(plan, plan["id"] if plan["active"] else None)
        self.touch(plan)
        name = "deactivated" if decision == "deactivate" else "updated"
        self.emit(f"payment_plan_{name}", plan, "payment_plan")

    def _link_plan(self, plan, value):
        for invoice_id in plan["invoice_ids"]:
            invoice = self.invoices.get(invoice_id)
            if invoice:
                invoice["active_payment_plan_id"] = value
                invoice["paused_at"] = self.now() if value else None
                self.touch(invoice)

    def change_email(self, debtor, address):
        debtor["debtor_provided_email_address"] = address or None
        self.touch(debtor)
        name = "provided" if address else "removed"
        self.emit(f"debtor_email_address_{name}", debtor, "debtor")

    # ---------------------------------------------------- what the collector does

    def advance(self, invoice, phase, costs=None):
        """Put an invoice in a phase, e.g. ``reminder_1``; costs are Payt's own."""
        moment = self.now()
        for field in PHASES[phase]:
            invoice[field] = moment
        if costs:
            invoice["administration_costs_total"] += money(costs)
            invoice["administration_costs_open"] += money(costs)
        if phase == "debt_collection" and not invoice.get("active_credit_case_id"):
            self.open_case(invoice)
        self.touch(invoice)
        self.emit("invoice_step_performed", invoice, "invoice")

    def open_case(self, invoice, interest="1.25", collection="40.00"):
        number = str(len(self.credit_cases) + 1)
        costs = money(interest) + money(collection)
        case = self.insert(
            "credit_cases",
            {
                "case_number": number,
                "credit_case_number": f"D{number.zfill(6)}",
                "currency_code": invoice["currency_code"],
                "debt_collection_costs": money(collection),
                "interest_costs": money(interest),
                "total_amount": invoice["open_amount"] + costs,
                "open_amount": invoice["open_amount"] + costs,
                "debtor_id": invoice["debtor_id"],
                "started_at": self.now(),
            },
        )
        invoice["active_credit_case_id"] = case["id"]
        self.touch(invoice)
        self.emit("case_created", case, "credit_case")
        return case

    def block(self, invoice, blocked):
        invoice["blocked"] = blocked
        invoice["paused_at"] = self.now() if blocked else None
        self.touch(invoice)
        self.emit(
            "invoice_blocked" if blocked else "invoice_resumed", invoice, "invoice"
        )

    def send_unsent(self):
        """Mail the invoices that nobody has sent yet: what 'Payt sends' means."""
        for invoice in self.invoices.values():
            if invoice.get("sent_at"):
                continue
            self.advance(invoice, "sent")
            debtor = self.debtors[invoice["debtor_id"]]
            contact = self.find(
                "contacts", contact_identifier=debtor.get("contact_identifier")
            )
            contact = contact or {}
            self.mailbox.append(
                {
                    "to": contact.get("invoice_email_address")
                    or contact.get("default_email_address")
                    or "",
                    "subject": f"Factuur {invoice['invoice_number']}",
                    "url": self.public_url("i", invoice),
                }
            )

    def public_url(self, kind, row):
        return f"{self.public_base}/{kind}/{row['token']}"
