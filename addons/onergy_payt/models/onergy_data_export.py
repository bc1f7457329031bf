from odoo import api, models


class OnergyDataExport(models.AbstractModel):
    _inherit = "onergy.data.export"

    @api.model
    def _get_kinds(self, partner, contracts):
        messages = self.env["payt.message"].search(
            [
                ("partner_id", "child_of", partner.commercial_partner_id.id),
                ("kind", "in", ("in", "out")),
            ],
            order="id",
        )

        def rows():
            for message in messages:
                yield (
                    message.date,
                    message.kind,
                    message.subject or "",
                    message.body or "",
                )

        columns = ("date", "direction", "subject", "text")
        return [
            *super()._get_kinds(partner, contracts),
            ("payment_messages", columns, rows),
        ]
