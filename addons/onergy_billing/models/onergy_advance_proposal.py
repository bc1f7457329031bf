from odoo import api, fields, models
from odoo.exceptions import UserError


class OnergyAdvanceProposal(models.Model):
    """What a contract's advance should be by its forecast, to be looked at in bulk."""

    _name = "onergy.advance.proposal"
    _description = "Proposed advance"
    _check_company_auto = True
    _order = "difference desc, id"
    _rec_name = "contract_id"

    contract_id = fields.Many2one(
        "onergy.contract", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="contract_id.company_id", store=True, index=True
    )
    complex_id = fields.Many2one(
        related="contract_id.complex_id", store=True, index=True
    )
    partner_id = fields.Many2one(related="contract_id.partner_id")
    currency_id = fields.Many2one(related="company_id.currency_id")
    use = fields.Float("Expected use (GJ)", digits=(16, 3), readonly=True)
    basis = fields.Selection(
        [
            ("history", "Own use, corrected for the weather"),
            ("costs", "Last bill of actual costs"),
            ("dwelling", "Average of such homes"),
            ("none", "Unknown"),
        ],
        required=True,
        readonly=True,
    )
    cost = fields.Monetary("Expected cost a year", readonly=True)
    current = fields.Monetary("Advance now", readonly=True)
    advice = fields.Monetary("Advised advance", readonly=True)
    difference = fields.Monetary(
        compute="_compute_difference", store=True, help="Advice less the advance now."
    )
    amount = fields.Monetary("New advance", help="What the advance becomes.")
    date_from = fields.Date("From", required=True)
    state = fields.Selection(
        [("open", "To be looked at"), ("done", "Applied"), ("rejected", "Left as is")],
        required=True,
        readonly=True,
        default="open",
        index=True,
    )

    _open_uniq = models.UniqueIndex(
        "(contract_id) WHERE state = 'open'",
        "This contract already has a proposal to look at.",
    )
    _amount_positive = models.Constraint(
        "CHECK (amount >= 0)", "An advance cannot be negative."
    )

    @api.depends("advice", "current")
    def _compute_difference(self):
        for record in self:
            record.difference = record.advice - record.current if record.advice else 0.0

    @api.model
    def _propose(self, contracts, date_from):
        """Make proposals for contracts; those that nobody looked at are replaced.

        :return: the proposals, also those without a forecast, for somebody has to
            agree on an amount there
        """
        self.search(
            [("contract_id", "in", contracts.ids), ("state", "=", "open")]
        ).sudo().unlink()  # sudo: a list is replaced, not deleted
        forecasts = contracts._get_forecasts()
        cooling = contracts._get_cooling_uses()
        by_costs = contracts._get_cost_advices()
        prices, values = {}, []
        for contract in contracts:
            home = contract.connection_id
            key = (
                contract.complex_id,
                home._get_service_set(),
                home.delivery_set_id,
                home.service_cooling,
                contract._get_parts()[0],
            )
            if key not in prices and not contract.complex_id._is_by_costs():
                prices[key] = contract._get_current_prices(date_from)
            vals = {
                "contract_id": contract.id,
                "date_from": date_from,
                "current": contract.current_advance_amount,
                "basis": "none",
                "amount": contract.current_advance_amount,
            }
            advice = by_costs.get(contract)
            has_prices = key in prices and all(prices[key].values())
            if contract in forecasts and has_prices:
                advice = contract._prepare_advice(
                    *forecasts[contract], prices[key], cooling.get(contract.id)
                )
            if advice:
                vals.update(
                    use=float(advice["use"]),
                    basis=advice["basis"],
                    cost=float(advice["cost"]),
                    advice=float(advice["advice"]),
                    amount=float(advice["advice"]),
                )
            values.append(vals)
        return self.create(values)

    def action_apply(self):
        """Make the amounts the advances of the contracts."""
        for record in self:
            if record.state != "open":
                raise UserError(
                    self.env._("%s was looked at already.", record.display_name)
                )
            record.contract_id._set_advance(record.amount, record.date_from, "staff")
        self.state = "done"

    def action_reject(self):
        self.filtered(lambda p: p.state == "open").state = "rejected"
