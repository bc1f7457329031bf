from odoo import api, fields, models
from odoo.exceptions import AccessError


class OnergyPurgeLog(models.Model):
    """How much of what was removed, and until when: never what it said."""

    _name = "onergy.purge.log"
    _description = "Removal of old data"
    _order = "id desc"
    _rec_name = "kind"

    company_id = fields.Many2one(
        "res.company", required=True, readonly=True, index=True
    )
    kind = fields.Selection(
        [
            ("access_log", "Views by staff"),
            ("request", "Closed requests"),
            ("move", "Moves: who and where to"),
            ("move_sheet", "Landlords' spreadsheets"),
            ("access_grant", "Access for others"),
            ("erasure", "Deletion requests: what was said"),
            ("resident", "Past residents, made anonymous"),
        ],
        required=True,
        readonly=True,
    )
    before = fields.Date("Older than", required=True, readonly=True)
    count = fields.Integer("How many", required=True, readonly=True)
    is_preview = fields.Boolean(
        "Counted only", readonly=True, help="What would go; nothing was removed."
    )
    create_date = fields.Datetime("When", readonly=True)
    create_uid = fields.Many2one("res.users", "By", readonly=True)

    @api.model
    def action_preview(self):
        """Count what the next night would remove."""
        if not self.env.user.has_group("onergy_residents.group_manager"):
            raise AccessError(self.env._("Only a manager counts what would go."))
        # sudo: nobody writes the log but the purge itself
        lines = self.env["onergy.purge"].sudo()._preview(self.env.company)
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("What would go now"),
            "res_model": self._name,
            "view_mode": "list",
            "domain": [("id", "in", lines.ids)],
        }

    @api.autovacuum
    def _gc_previews(self):
        limit = fields.Datetime.subtract(fields.Datetime.now(), days=7)
        self.search([("is_preview", "=", True), ("create_date", "<", limit)]).unlink()
