from odoo import api, fields, models


class IrFilters(models.Model):
    """Saved filters that come with an addon have a name in each language.

    Odoo keeps one name for everybody: what a colleague saves he names himself.
    """

    _inherit = "ir.filters"

    onergy_name = fields.Char(
        "Name in each language",
        translate=True,
        help="Shown instead of the name. Empty for what somebody saved himself.",
    )

    @api.model
    def get_filters(
        self,
        model,
        action_id=None,
        embedded_action_id=None,
        embedded_parent_res_id=None,
    ):
        filters = super().get_filters(
            model, action_id, embedded_action_id, embedded_parent_res_id
        )
        ours = self.with_context(**self.env["res.users"].context_get()).browse(
            [found["id"] for found in filters]
        )
        names = {record.id: record.onergy_name for record in ours}
        return [
            {**found, "name": names[found["id"]] or found["name"]} for found in filters
        ]

    def write(self, vals):
        """What is renamed keeps the name that it was given."""
        if "name" in vals:
            vals = {"onergy_name": False, **vals}
        return super().write(vals)
