import json

from odoo import api, models
from odoo.exceptions import UserError


class PaytPushPreview(models.AbstractModel):
    """The dry run: what would be sent now."""

    _inherit = "payt.push"

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
            action = "block" if target._is_blocked() else "resume"
            return {action: [target._payt_identifier()]}
        if kind == "message":
            return {"message": {"subject": target.subject, "body": target.body}}
        if kind == "read":
            return {"messages": [{"id": target.payt_id, "read": True}]}
        if kind == "plan":
            return {target.decision or "": target.payt_id}
        action = "create" if target.is_wanted else "delete"
        return {action: target.reference, "debtor": target.debtor_id.debtor_number}
