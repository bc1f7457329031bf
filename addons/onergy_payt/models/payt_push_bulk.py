from collections import deque

from odoo import api, models

from ..client import PaytServerError
from .payt_operation import DONE, POISON_ATTEMPTS, Outcome

# So many parts of a batch broke and none went through: it is Payt, not a record.
MAX_BROKEN_PARTS = 16


class PaytPushBulk(models.AbstractModel):
    """Bulk calls, and what their answers mean for each record.

    ``payloads`` is a dict operation → payload, ``names`` a dict operation → texts by
    which Payt may call the record. Nothing in here touches the database: it runs in
    threads.
    """

    _inherit = "payt.push"

    @api.model
    def _send_bulk(self, client, method, payloads, names, worn=frozenset()):
        """Send payloads in one call and say what became of each operation.

        :param method: name of a method of the client that takes a list
        :param worn: operations tried so often that a breakdown may be their own fault
        """
        try:
            return self._send_part(client, method, payloads, names)
        except PaytServerError as error:
            return self._isolate(client, method, payloads, names, worn, error)

    @api.model
    def _send_part(self, client, method, payloads, names):
        """Send payloads and read the answer.

        When Payt complains about something that we cannot tie to a record, each record
        goes again by itself: these calls may be repeated.
        """
        if not payloads:
            return {}
        result = getattr(client, method)(list(payloads.values()))
        known = {text: op for op in payloads for text in names[op] if text}
        found = result.attribute(known)
        if result.count is not None:
            silent = len(payloads) - result.count - len(found.errors)
            if silent > 0:
                found.unmapped.append(f"{silent} of {len(payloads)} not processed")
        if found.unmapped and len(payloads) > 1:
            outcomes = {}
            for operation, payload in payloads.items():
                outcomes |= self._send_part(client, method, {operation: payload}, names)
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

    @api.model
    def _isolate(self, client, method, payloads, names, worn, error):
        """Payt broke on these records: find the one that it breaks on.

        The batch is halved until the record stands alone; the others go through. A
        record on which Payt breaks while it takes others, or time after time while it
        answers everything else, fails: it would hold up its batch for ever.

        :raises PaytServerError: Payt itself is out of order; all of it is tried later
        """
        client = client.impatient()
        # One cheap call: when that breaks too, there is nothing to find out.
        client.administrations()
        outcomes, poison, broken = {}, [], 0
        waiting = deque(_halves(payloads))
        if not waiting:
            poison += payloads
        while waiting:
            part = waiting.popleft()
            try:
                outcomes |= self._send_part(client, method, part, names)
            except PaytServerError:
                broken += 1
                if not outcomes and broken >= MAX_BROKEN_PARTS:
                    raise error from None
                waiting += _halves(part)
                if len(part) == 1:
                    poison += part
        if not outcomes and not worn.issuperset(poison):
            # None went through: a fault of this call as a whole, as far as we know.
            raise error
        failed = Outcome("failed", "poison", error.message)
        return outcomes | dict.fromkeys(poison, failed)

    @api.model
    def _worn(self, batch):
        """Return those of a batch that were tried often without any success."""
        return set(batch.filtered(lambda o: o.attempts >= POISON_ATTEMPTS))


def _halves(payloads):
    """Return a dict in two halves; a single entry has none."""
    items = list(payloads.items())
    middle = len(items) // 2
    return [dict(items[:middle]), dict(items[middle:])] if middle else []
