from functools import partial

from odoo import api, models

from .payt_operation import DONE, Outcome
from .res_partner import SENT_FIELDS

# And what tells which of his contacts gets the bills.
PARTNER_FIELDS = (*sorted(SENT_FIELDS), "email_normalized", "parent_id", "type")


class PaytPushDebtor(models.AbstractModel):
    """Payers: the contact first, then the debtor that refers to it."""

    _inherit = "payt.push"

    @api.model
    def _steps_debtor(self, connection, client, batch):
        outcomes, contacts, debtors, names = {}, {}, {}, {}
        hashes, targets = {}, batch._targets()
        # All of it at once, and not the dozens of columns that are not sent.
        payers = self.env["payt.debtor"].union(*targets.values()).partner_id
        payers.fetch(PARTNER_FIELDS)
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
        found = yield partial(
            self._talk_debtors, client, contacts, debtors, names, self._worn(batch)
        )
        now = self.env.cr.now()
        arrived = {
            targets[operation]: {"sent_hash": hashes[operation], "sent_date": now}
            for operation, outcome in found.items()
            if outcome.state in ("done", "partial")
        }
        self._write_news(arrived)
        self._restart_invoices(connection, self.env["payt.debtor"].union(*arrived))
        return outcomes | found

    @api.model
    def _talk_debtors(self, client, contacts, debtors, names, worn):
        """Send contacts and debtors; runs in a thread, without the database."""
        found = self._send_bulk(client, "upsert_contacts", contacts, names, worn)
        refused = {op: out for op, out in found.items() if out.state == "failed"}
        rest = {op: payload for op, payload in debtors.items() if op not in refused}
        return refused | self._send_bulk(client, "upsert_debtors", rest, names, worn)

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
