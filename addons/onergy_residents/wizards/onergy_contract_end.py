from odoo import api, fields, models


class OnergyContractEnd(models.TransientModel):
    """End a contract, and say at once who pays from the next day on."""

    _name = "onergy.contract.end"
    _description = "End a contract"

    contract_id = fields.Many2one("onergy.contract", required=True, readonly=True)
    connection_id = fields.Many2one(related="contract_id.connection_id")
    date_end = fields.Date("Last day", required=True, default=fields.Date.context_today)
    successor = fields.Selection(
        [
            ("owner", "The owner pays, until there is a new resident"),
            ("nobody", "I will enter the next contract myself"),
        ],
        "After that",
        required=True,
        default="owner",
    )
    owner_id = fields.Many2one("res.partner", compute="_compute_owner_id")

    @api.model
    def default_get(self, fields_list):
        values = super().default_get(fields_list)
        if self.env.context.get("active_model") == "onergy.contract":
            values.setdefault("contract_id", self.env.context.get("active_id"))
        return values

    @api.depends("contract_id")
    def _compute_owner_id(self):
        for wizard in self:
            wizard.owner_id = wizard.connection_id._get_vacancy_payer()

    def action_end(self):
        self.ensure_one()
        self.contract_id.date_end = self.date_end
        if self.successor == "owner":
            gaps = self.env["onergy.contract.gap"].search(
                [("previous_contract_id", "=", self.contract_id.id)]
            )
            gaps.action_start_vacancy()
        return {"type": "ir.actions.act_window_close"}
