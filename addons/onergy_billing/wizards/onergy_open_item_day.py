from odoo import fields, models
from odoo.exceptions import ValidationError
from odoo.tools import format_date

from ..report.onergy_open_item import AS_OF


class OnergyOpenItemDay(models.TransientModel):
    _name = "onergy.open.item.day"
    _description = "Open items on a day"

    day = fields.Date(required=True, default=fields.Date.context_today)

    def action_open(self):
        """Show the open items of that day."""
        self.ensure_one()
        if self.day > fields.Date.context_today(self):
            raise ValidationError(
                self.env._("Nobody knows what will be open on a later day.")
            )
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "onergy_billing.action_onergy_open_item"
        )
        name = self.env._("Open items on %(day)s", day=format_date(self.env, self.day))
        return {
            **action,
            # The web client shows the one, exports and favourites use the other.
            "name": name,
            "display_name": name,
            "context": {AS_OF: fields.Date.to_string(self.day)},
        }
