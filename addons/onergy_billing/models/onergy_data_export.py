from odoo import api, models


class OnergyDataExport(models.AbstractModel):
    _inherit = "onergy.data.export"

    @api.model
    def _get_kinds(self, partner, contracts):
        settlements = self.env["onergy.settlement"].search(
            [
                ("contract_id", "in", contracts.ids),
                ("part", "!=", "owner"),  # not the resident's
                ("state", "=", "posted"),
            ],
            order="date_from",
        )
        return [
            *super()._get_kinds(partner, contracts),
            self._from_records(
                "yearly_bills",
                settlements,
                {
                    "bill": "move_id.name",
                    "contract": "contract_id.name",
                    "from": "date_from",
                    "until": "date_to",
                    "use_gj": "use",
                    "supply": "amount_supply",
                    "advances": "amount_advances",
                    "compensation": "amount_compensation",
                    "to_pay": "amount_total",
                },
            ),
            self._from_records(
                "yearly_bill_readings",
                settlements.reading_ids,
                {
                    "bill": "settlement_id.move_id.name",
                    "meter": "serial",
                    "day": "day",
                    "value_gj": "value",
                    "basis": "basis",
                },
            ),
        ]
