from odoo import api, fields, models


class OnergyMove(models.Model):
    _inherit = "onergy.move"

    final_deadline = fields.Date(
        "Final bill before",
        compute="_compute_final_deadline",
        store=True,
        help="Six weeks after the last day (Warmtewet, articles 2 and 8b); of actual "
        "costs six months after the year.",
    )
    final_settlement_id = fields.Many2one(
        "onergy.settlement",
        "Final settlement",
        compute="_compute_final_settlement_id",
        groups="onergy_residents.group_customer_service,"
        "onergy_residents.group_accountant",
    )

    @api.depends("contract_id", "date_end")
    def _compute_final_deadline(self):
        for move in self:
            move.final_deadline = (
                move.contract_id
                and move.date_end
                and move.contract_id.complex_id._get_bill_deadline(move.date_end)
            )

    @api.depends("contract_id", "date_end")
    def _compute_final_settlement_id(self):
        for move in self:
            move.final_settlement_id = move._get_final_settlements()[:1]

    def _get_final_settlements(self):
        """Return the settlements of the period that ends with the last day."""
        self.ensure_one()
        # sudo: whether there is a bill counts, also for who may not read bills
        return (
            self.env["onergy.settlement"]
            .sudo()
            .search(
                [
                    ("contract_id", "=", self.contract_id.id),
                    ("date_to", "=", self.date_end),
                    ("is_final", "=", True),
                    ("original_id", "=", False),
                    ("part", "!=", "owner"),
                    ("state", "!=", "cancelled"),
                ]
            )
            if self.contract_id and self.date_end
            else self.env["onergy.settlement"]
        )

    def _takes_closing_reading(self):
        """Nor once the final bill is out: it would not change any more."""
        billed = "posted" in self._get_final_settlements().mapped("state")
        return not billed and super()._takes_closing_reading()

    def _get_consequences(self):
        lines = super()._get_consequences()
        if self.final_deadline and self.contract_id.complex_id._is_by_costs():
            lines.append(
                self.env._(
                    "The final bill of %(payer)s is made when the costs of the year "
                    "are known, and has to go out before %(day)s.",
                    payer=self.contract_id.partner_id.name,
                    day=self._get_day(self.final_deadline),
                )
            )
        elif self.final_deadline:
            lines.append(
                self.env._(
                    "The final bill of %(payer)s is worked out by itself a week after "
                    "the last day and has to go out before %(day)s.",
                    payer=self.contract_id.partner_id.name,
                    day=self._get_day(self.final_deadline),
                )
            )
        return lines

    def _get_final_text(self):
        if not self.final_deadline:
            return super()._get_final_text()
        return self.with_context(lang=self._get_lang()).env._(
            "You get your last bill before %s. It has your use until your last day and "
            "the advances that we charged.",
            self._format_day(self.final_deadline),
        )

    def _get_undo_problems(self):
        return super()._get_undo_problems() + [
            self.env._("The final bill %s was posted.", settlement.display_name)
            for settlement in self._get_final_settlements()
            if settlement.state == "posted"
        ]

    def _before_undo(self):
        result = super()._before_undo()
        # sudo: customer service may not write settlements; this period is not over
        self._get_final_settlements().sudo().action_cancel()
        return result
