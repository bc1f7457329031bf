"""The REST API: turns calls into changes of the state, and rows into answers."""

import json
import uuid
from collections import Counter
from datetime import datetime
from decimal import Decimal

from . import schema
from .state import ADMINISTRATION, Refusal, money

ADMINISTRATION_ROW = {
    "id": ADMINISTRATION,
    "name": "Simulator",
    "status": "active",
    "email_address": "simulator@example.com",
    "contact_name": "Simulator",
    "commercial_registration_number": "00000000",
    "country_code": "NL",
    "city": "Utrecht",
    "house_number": "1",
    "internal_name": "Simulator",
    "street_name": "Voorbeeldstraat",
    "postal_code": "3500AA",
    "timezone": "Europe/Amsterdam",
    "currency_code": "EUR",
    "administration_url": "https://example.com/simulator",
}
LISTED = {
    "contacts": "contact",
    "debtors": "debtor",
    "invoices": "invoice",
    "payments": "payment",
    "psp_transactions": "psp_transaction",
    "psp_mandates": "mandate",
    "credit_cases": "credit_case",
    "payment_plans": "payment_plan",
    "messages": "message",
    "notes": "note",
}
# Filters of list calls: parameter → the row's key.
FILTERS = {
    "ids": "id",
    "contact_identifiers": "contact_identifier",
    "debtor_identifiers": "debtor_identifier",
    "debtor_numbers": "debtor_number",
    "invoice_numbers": "invoice_number",
    "statuses": "status",
    "invoice_ids": "invoice_id",
    "debtor_ids": "debtor_id",
}


class ApiError(Exception):
    def __init__(self, status, code, message):
        super().__init__(message)
        self.status = status
        self.payload = {"code": code, "message": message}


def encode(value):
    """Write a value as Payt does: money with two decimals, moments in UTC, no nulls."""
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    return value


def numeric_ids(value, key=""):
    """Turn ids into numbers, as in the examples of Payt's documentation."""
    if isinstance(value, dict):
        return {name: numeric_ids(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [numeric_ids(item, key) for item in value]
    id_like = key in ("id", "ids", "cursor") or key.endswith(("_id", "_ids"))
    if id_like and isinstance(value, str) and value.isdigit():
        return int(value)
    return value


class Api:
    def __init__(self, state, address):
        self.state = state
        self.address = address

    def call(self, operation, query, body, faults):
        """Carry out one call; returns (status, payload or None for an empty body)."""
        method, path = operation.split(" ")
        parts = path.removeprefix("/v1/").split("/")
        if parts == ["administrations"]:
            return 200, {"data": [ADMINISTRATION_ROW]}
        given = (query if method in ("GET", "DELETE") else body) or {}
        if str(given.get("administration_id", "")) != ADMINISTRATION:
            raise ApiError(403, "forbidden", "Administration not accessible")
        if method == "GET":
            return self._read(parts, query, faults)
        name = f"_{method.lower()}_{'_'.join(p for p in parts if not p.isdigit())}"
        handler = getattr(self, name, None)
        if handler is None:
            raise ApiError(404, "not_found", "Unknown operation")
        return handler(given, faults, parts)

    # --------------------------------------------------------------- reading

    def _read(self, parts, query, faults):
        table = parts[0]
        if table not in LISTED:
            raise ApiError(404, "not_found", "Unknown resource")
        if len(parts) == 2 and parts[1] == "deleted":
            rows = self._after(
                self.state.deleted[table], "deleted_at", query, "deleted_after"
            )
            return 200, self._page(rows, query, faults)
        rows = list(getattr(self.state, table).values())
        rows = self._after(rows, "updated_at", query, "updated_after")
        for name, key in FILTERS.items():
            if query.get(name):
                wanted = set(query[name].split(","))
                rows = [row for row in rows if str(row.get(key)) in wanted]
        if table == "payments" and query.get("invoice_identifiers"):
            wanted = set(query["invoice_identifiers"].split(","))
            rows = [
                row
                for row in rows
                if self.state.invoices.get(row["invoice_id"], {}).get(
                    "invoice_identifier"
                )
                in wanted
            ]
        elif query.get("invoice_identifiers"):
            wanted = set(query["invoice_identifiers"].split(","))
            rows = [row for row in rows if row.get("invoice_identifier") in wanted]
        if query.get("paid"):
            paid = query["paid"] == "true"
            rows = [row for row in rows if (row["open_amount"] == 0) == paid]
        entity = LISTED[table]
        only = json.loads(query["fields"])["only"] if query.get("fields") else None
        page = self._page(rows, query, faults)
        if table == "debtors":
            self._open_of_debtor = Counter()
            for invoice in self.state.invoices.values():
                self._open_of_debtor[invoice["debtor_id"]] += invoice["open_amount"]
        page["data"] = [self._entity(entity, row, only) for row in page["data"]]
        return 200, page

    @staticmethod
    def _after(rows, key, query, parameter):
        if not query.get(parameter):
            return rows
        moment = datetime.fromisoformat(query[parameter].rstrip("Z"))
        return [row for row in rows if row[key] > moment]

    @staticmethod
    def _page(rows, query, faults):
        size = int(query.get("per_page") or 100)
        rows = sorted(rows, key=lambda row: int(row["id"]))
        if query.get("cursor") and "repeat_cursor" not in faults:
            rows = [row for row in rows if int(row["id"]) > int(query["cursor"])]
        page = {"data": rows[:size]}
        if page["data"]:
            page["pagination"] = {"cursor": page["data"][-1]["id"]}
        return page

    def _entity(self, entity, row, only):
        row = self._view(entity, row)
        if only is None:
            only = schema.default_fields(entity)
        result = {}
        for name in only:
            if isinstance(name, dict):
                for key, nested in name.items():
                    result[key] = self._pick(row.get(key), nested)
            elif name in schema.ENTITIES[entity]:
                result[name] = row.get(name)
        return result

    @staticmethod
    def _pick(value, names):
        """The named parts of a nested object or of each in a list; None stays None."""
        if isinstance(value, list):
            return [{name: item.get(name) for name in names} for item in value]
        return value and {name: value.get(name) for name in names}

    def _view(self, entity, row):
        """Add what Payt derives."""
        state = self.state
        if entity == "invoice":
            return {
                **row,
                "book_total_amount": row["total_amount"],
                "book_open_amount": row["open_amount"],
                "public_url": state.public_url("i", row),
                "deeplink_url": f"{self.address}/beheer/factuur/{row['id']}",
            }
        if entity == "debtor":
            contact = state.find(
                "contacts", contact_identifier=row.get("contact_identifier") or "-"
            )
            return {**row, **self._debtor_view(row, contact or {})}
        if entity == "contact":
            numbers = [
                debtor["debtor_number"]
                for debtor in state.debtors.values()
                if debtor.get("contact_identifier") == row.get("contact_identifier")
            ]
            return {**row, "debtor_numbers": numbers, "validation_errors": {}}
        if entity == "psp_transaction":
            return {**row, "book_amount": row["amount"]}
        if entity == "payment":
            transaction = state.psp_transactions.get(
                row.get("psp_transaction_id") or ""
            )
            return {
                **row,
                "total_book_amount": row["total_amount"],
                "psp_transaction": transaction
                and self._view("psp_transaction", transaction),
            }
        if entity in ("credit_case", "payment_plan"):
            token = row.get("token") or self.state.debtors[row["debtor_id"]]["token"]
            kind = "p" if entity == "payment_plan" else "d"
            return {**row, "public_url": f"{state.public_base}/{kind}/{token}"}
        return row

    def _debtor_view(self, row, contact):
        return {
            "postal_address": {
                "street_1": contact.get("postal_address_street_1"),
                "street_2": contact.get("postal_address_street_2"),
                "postal_code": contact.get("postal_address_postal_code"),
                "city": contact.get("postal_address_city") or "",
                "country_code": contact.get("postal_address_country_code") or "NL",
            },
            "primary_email_address": contact.get("default_email_address"),
            "public_url": self.state.public_url("d", row),
            "deeplink_url": f"{self.address}/beheer/debiteur/{row['id']}",
            "book_open_amount": money(self._open_of_debtor[row["id"]]),
        }

    # --------------------------------------------------------------- writing

    def _bulk(self, rows, key, process, faults):
        """Process each row by itself; refuse those that a fault or the state names."""
        errors, warnings, count = {}, {}, 0
        poison = set(faults.get("poison", {}).get("only", ()))
        if poison & {str(row.get(key)) for row in rows}:
            raise ApiError(500, "internal", "Internal error")
        refused = self._refused(rows, key, faults)
        for row in rows:
            number = str(row.get(key) or "unknown")
            if number in refused:
                errors.update(refused[number])
                continue
            try:
                texts = process(row)
            except Refusal as refusal:
                errors[number] = [str(refusal)]
            except LookupError:
                errors.setdefault("not_found", []).append(number)
            else:
                count += 1
                if texts and isinstance(texts, list):
                    warnings[number] = texts
        if "unmapped_error" in faults:
            errors["internal"] = ["Something went wrong with one of the records"]
        answer = {"success": True, "count": count, "errors": errors}
        return {**answer, "warnings": warnings} if warnings else answer

    @staticmethod
    def _refused(rows, key, faults):
        for kind in ("partial", "partial_not_found"):
            fault = faults.get(kind)
            if not fault:
                continue
            only = fault.get("only") or [str(row.get(key)) for row in rows[:1]]
            if kind == "partial":
                return {
                    number: {number: ["Refused by the simulator"]} for number in only
                }
            return {number: {"not_found": list(only)} for number in only}
        return {}

    def _post_contacts(self, body, faults, _parts):
        self._bulk(
            body["contacts"], "contact_identifier", self.state.upsert_contact, faults
        )
        # Payt documents no body here: what went wrong shows in validation_errors.
        return 201, None

    def _post_debtors(self, body, faults, _parts):
        return 201, self._bulk(
            body["debtors"], "debtor_number", self.state.upsert_debtor, faults
        )

    def _post_files(self, body, _faults, _parts):
        slots = []
        for entry in body["files"]:
            try:
                slot = self.state.announce(entry, self.address)
            except Refusal as refusal:
                raise ApiError(422, "invalid", str(refusal)) from None
            if slot:
                slots.append(slot)
        return 201, slots

    def _post_invoices(self, body, faults, _parts):
        return 201, self._bulk(
            body["invoices"],
            "invoice_number",
            lambda row: self.state.upsert_invoice(row, create=True),
            faults,
        )

    def _patch_invoices(self, body, faults, _parts):
        return 200, self._bulk(
            body["invoices"],
            "invoice_number",
            lambda row: self.state.upsert_invoice(row, create=False),
            faults,
        )

    def _patch_invoices_block(self, body, faults, _parts):
        return self._blocking(body, faults, True)

    def _patch_invoices_resume(self, body, faults, _parts):
        return self._blocking(body, faults, False)

    def _blocking(self, body, faults, blocked):
        rows = [{"identifier": value} for value in body["invoice_identifiers"]]

        def process(row):
            invoice = self.state.find("invoices", invoice_identifier=row["identifier"])
            if not invoice:
                raise LookupError(row["identifier"])
            self.state.block(invoice, blocked)

        return 200, self._bulk(rows, "identifier", process, faults)

    def _post_messages(self, body, _faults, _parts):
        invoice = debtor = None
        if body.get("invoice_identifier"):
            invoice = self.state.find(
                "invoices", invoice_identifier=body["invoice_identifier"]
            )
        elif body.get("debtor_identifier"):
            debtor = self.state.find(
                "debtors", debtor_identifier=body["debtor_identifier"]
            )
        if not invoice and not debtor:
            raise ApiError(404, "not_found", "No such invoice or debtor")
        row = self.state.creditor_message(invoice, debtor, body["message"])
        return 200, self._entity("message", row, None)

    def _patch_messages(self, body, faults, _parts):
        return 200, self._bulk(body["messages"], "id", self.state.mark_read, faults)

    def _post_vat_rates(self, body, faults, _parts):
        return 201, self._bulk(
            body["vat_rates"], "code", self.state.upsert_vat_rate, faults
        )

    def _post_payment_plans(self, body, _faults, _parts):
        invoices = [
            self.state.find("invoices", invoice_identifier=identifier)
            for identifier in body.get("invoice_identifiers") or []
        ]
        if not invoices or None in invoices:
            raise ApiError(422, "invalid", "Unknown invoice")
        terms = [(term["amount"], term["due_date"]) for term in body["terms"]]
        plan = self.state.plan(invoices, terms, proposed=False)
        return 201, self._entity("payment_plan", plan, None)

    def _patch_payment_plans_approve(self, _body, _faults, parts):
        return self._decide(parts)

    def _patch_payment_plans_reject(self, _body, _faults, parts):
        return self._decide(parts)

    def _patch_payment_plans_deactivate(self, _body, _faults, parts):
        return self._decide(parts)

    def _decide(self, parts):
        plan = self.state.payment_plans.get(parts[1])
        if not plan:
            raise ApiError(404, "not_found", "No such payment plan")
        self.state.decide_plan(plan, parts[2])
        return 200, self._entity("payment_plan", plan, None)

    def _post_psp_mandates(self, body, _faults, _parts):
        for entry in body["psp_mandates"]:
            debtor = self.state.find("debtors", debtor_number=entry.get("debtor_code"))
            if not debtor:
                raise ApiError(422, "invalid", "Unknown debtor")
            row = self.state.insert(
                "psp_mandates",
                {
                    "debtor_id": debtor["id"],
                    "debtor_number": debtor["debtor_number"],
                    "bank_account_name": entry["bank_account_name"],
                    "bank_account_number": entry["bank_account_number"],
                    "mandate_identifier": f"mdt_{uuid.uuid4().hex[:10]}",
                    "mandate_reference": entry.get("mandate_reference"),
                    "provider": entry["provider_code"],
                },
            )
            self.state.emit("psp_mandate_created", row, "psp_mandate")
        return 200, self._entity("mandate", row, None)

    def _delete_psp_mandates(self, query, _faults, _parts):
        wanted = set((query.get("mandate_references") or "").split(","))
        found = [
            row
            for row in self.state.psp_mandates.values()
            if row.get("mandate_reference") in wanted
        ]
        for row in found:
            kept = ("debtor_id", "mandate_identifier", "provider")
            self.state.delete("psp_mandates", row, **{name: row[name] for name in kept})
            self.state.emit("psp_mandate_revoked", row, "psp_mandate")
        return 200, {"success": True, "count": len(found), "errors": {}}
