from odoo import api, fields, models


class OnergyEnergyMix(models.Model):
    """Where the heat of a complex comes from, and what it emits, from a day on.

    Residents are told so every month (Energy Efficiency Directive, annex VIIa).
    """

    _name = "onergy.energy.mix"
    _description = "Energy mix"
    _order = "complex_id, date_from desc"
    _rec_name = "date_from"

    complex_id = fields.Many2one(
        "onergy.complex", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="complex_id.company_id", store=True, index=True
    )
    date_from = fields.Date("From", required=True, help="Until the next one begins.")
    emission = fields.Float(
        "CO₂ (kg per GJ)",
        digits=(16, 3),
        aggregator=None,
        help="Emission of the heat that a home receives, losses of the network "
        "included.",
    )
    line_ids = fields.One2many("onergy.energy.mix.line", "mix_id", "Sources", copy=True)
    note = fields.Char(
        "Origin", help="For example the yearly report it was taken from."
    )

    _from_uniq = models.UniqueIndex(
        "(complex_id, date_from)", "This complex has another mix from that day on."
    )
    _emission_positive = models.Constraint(
        "CHECK (emission >= 0)", "An emission cannot be negative."
    )

    @api.constrains("line_ids")
    def _check_shares(self):
        self.line_ids._check_sum()

    @api.model
    def _get_in_force(self, complexes, day):
        """{complex: the mix that holds on a day}"""
        result = {}
        for mix in self.search(
            [("complex_id", "in", complexes.ids), ("date_from", "<=", day)],
            order="date_from",
        ):
            result[mix.complex_id] = mix
        return result
