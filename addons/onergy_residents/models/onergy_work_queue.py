from ast import literal_eval

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools.safe_eval import safe_eval


class OnergyWorkQueue(models.Model):
    """A list of records that need a person, counted on the page "Today".

    Each addon adds its own as data: which records, which list opens, who sees it.
    """

    _name = "onergy.work.queue"
    _description = "Work that waits"
    _order = "sequence, id"

    name = fields.Char(required=True, translate=True)
    help_text = fields.Char(
        "What to do", translate=True, help="One sentence for who is new here."
    )
    active = fields.Boolean(default=True)
    sequence = fields.Integer(default=10)
    icon = fields.Char(default="fa-list", help="Name in Font Awesome.")
    is_urgent = fields.Boolean("Urgent", help="Shown in red when something waits.")
    action_id = fields.Many2one(
        "ir.actions.act_window", "List", required=True, ondelete="cascade"
    )
    domain = fields.Char(
        "Which records",
        required=True,
        default="[]",
        help="Domain on the model of the list; uid may be used, and dates such as "
        "'today -3d'.",
    )
    group_ids = fields.Many2many(
        "res.groups", string="Who", help="Empty: everybody who works here."
    )
    waiting_count = fields.Integer("Waiting", compute="_compute_waiting_count")

    @api.depends_context("uid", "allowed_company_ids", "tz")
    def _compute_waiting_count(self):
        for queue in self:
            # sudo: users may not read actions
            model = self.env[queue.sudo().action_id.res_model]
            if model.has_access("read"):
                queue.waiting_count = model.search_count(queue._get_domain())
            else:
                queue.waiting_count = 0

    def _get_domain(self):
        self.ensure_one()
        return Domain(safe_eval(self.domain, {"uid": self.env.uid}))

    def action_open(self):
        """Open the list that the number counts."""
        self.ensure_one()
        # sudo: users may not read actions
        action = self.env["ir.actions.act_window"]._for_xml_id(
            self.sudo().action_id.get_external_id()[self.sudo().action_id.id]
        )
        context = literal_eval(action.get("context") or "{}")
        return {
            **action,
            "name": self.name,
            "domain": list(self._get_domain()),
            # The number counts without the filters that the list opens with.
            "context": {
                key: value
                for key, value in context.items()
                if not key.startswith("search_default_")
            },
        }
