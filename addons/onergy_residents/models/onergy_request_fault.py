from odoo import api, fields, models
from odoo.exceptions import UserError


class OnergyRequest(models.Model):
    """Faults that residents report, and the notice that answers many at once."""

    _inherit = "onergy.request"

    fault_kind = fields.Selection(
        [
            ("heating", "No heating"),
            ("hot_water", "No hot water"),
            ("both", "No heating and no hot water"),
            ("leak", "Leak"),
            ("other", "Something else"),
        ],
        "What is wrong",
        tracking=True,
    )
    notice_id = fields.Many2one(
        "onergy.notice",
        "Part of outage",
        index="btree_not_null",
        check_company=True,
        tracking=True,
        copy=False,
        help="When the notice is over, this report is answered.",
    )

    @api.model
    def _complete_values(self, vals):
        """A fault cannot wait as long as a question."""
        vals = super()._complete_values(vals)
        if vals.get("category") == "fault":
            vals.setdefault("priority", "1")
        return vals

    def action_make_notice(self):
        """Draft a notice to the residents of the complexes these reports come from."""
        if not self.complex_id:
            raise UserError(
                self.env._(
                    "These reports do not say which home they are about. Fill in the "
                    "contract first."
                )
            )
        notice = self.env["onergy.notice"].create(self._prepare_notice_values())
        self.notice_id = notice
        return {
            "type": "ir.actions.act_window",
            "res_model": "onergy.notice",
            "res_id": notice.id,
            "view_mode": "form",
        }

    def _prepare_notice_values(self):
        kinds = set(self.mapped("fault_kind"))
        return {
            "name": self.env._("Outage: %s", ", ".join(self.complex_id.mapped("name"))),
            "kind": "outage",
            "company_id": self.company_id[:1].id,
            "complex_ids": self.complex_id.ids,
            "date_start": min(self.mapped("create_date")),
            "service_heating": bool(kinds & {"heating", "both"}),
            "service_hot_water": bool(kinds & {"hot_water", "both"}),
        }
