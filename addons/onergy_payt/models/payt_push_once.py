from odoo import api, fields, models

from ..client import PaytError, text_id
from .payt_operation import DONE, Outcome

# Give Payt a moment to show what it has received.
LOOK_UP_AFTER_MINUTES = 2


class PaytPushOnce(models.AbstractModel):
    """What must not be sent twice: messages, decisions on plans, mandates."""

    _inherit = "payt.push"

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
            target,
            {"subject": message.subject, "body": message.body},
            [
                (attachment.name, attachment.raw, attachment.mimetype)
                for attachment in message.attachment_ids
            ],
        )
        message._note_sent(row)
        return {batch: DONE}

    @api.model
    def _send_plan(self, connection, client, batch):
        plan = batch._target()
        if not plan or not plan.decision:
            return {batch: Outcome("cancelled")}
        if plan.decision == "create":
            row = client.create_plan(
                [
                    {"amount": term.amount, "due_date": str(term.due_date)}
                    for term in plan.term_ids
                ],
                [invoice._payt_identifier() for invoice in plan.asked_invoice_ids],
            )
        else:
            row = client.decide_plan(plan.payt_id, plan.decision)
        if not row:
            # Accepted without a word: look at the plan itself.
            return {batch: Outcome("unknown", "unclear")}
        plan._apply(row)
        plan.decision = False
        return {batch: DONE}

    @api.model
    def _send_mandate(self, connection, client, batch):
        mandate = batch._target()
        if not mandate or mandate.is_wanted == (mandate.state == "registered"):
            return {batch: Outcome("cancelled")}
        if mandate.is_wanted and mandate.bank_account_id:
            client.create_mandates([mandate._prepare_mandate()])
            mandate.state = "registered"
        elif mandate.state == "registered":
            client.delete_mandates([mandate.reference])
            mandate.state = "revoked"
        else:
            # Changed again before Payt ever heard of it.
            mandate.state = "revoked"
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
        if plan.decision == "create" and not plan.payt_id:
            # The list has no filter by debtor; what is new since then is a short list.
            since = fields.Datetime.subtract(plan.write_date, hours=1)
            for row in client.iterate("payment_plans", updated_after=since):
                if text_id(row["debtor_id"]) == plan.debtor_id.payt_id:
                    own = plan._find_own(plan.debtor_id, row)
                    if own == plan:
                        plan._apply(row)
                        return True
            return False
        for row in client.iterate("payment_plans", ids=plan.payt_id):
            plan._apply(row)
        stamp = {
            "create": "active",
            "approve": "active",
            "reject": "rejected",
            "deactivate": "ended",
        }
        if plan.state == stamp.get(plan.decision):
            plan.decision = False
            return True
        return False

    @api.model
    def _arrived_mandate(self, client, mandate):
        numbers = mandate.debtor_id.debtor_number
        there = any(
            row.get("mandate_reference") == mandate.reference
            and not row.get("deactivated_at")
            for row in client.iterate("psp_mandates", debtor_numbers=numbers)
        )
        if there:
            mandate.state = "registered"
        elif mandate.state == "registered":
            mandate.state = "revoked"
        return there == mandate.is_wanted
