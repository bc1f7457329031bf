from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import float_compare


class OnergyEnergyMixLine(models.Model):
    _name = "onergy.energy.mix.line"
    _description = "Energy source"
    _order = "mix_id, share desc, id"
    _rec_name = "source"

    mix_id = fields.Many2one(
        "onergy.energy.mix", required=True, index=True, ondelete="cascade"
    )
    source = fields.Selection(
        [
            ("residual", "Residual heat of industry"),
            ("waste", "Waste incineration"),
            ("geothermal", "Geothermal heat"),
            ("aquathermal", "Heat from water"),
            ("heat_pump", "Heat pump (electricity)"),
            ("biomass", "Biomass"),
            ("solar", "Solar heat"),
            ("gas", "Natural gas"),
            ("other", "Other"),
        ],
        required=True,
    )
    share = fields.Float("Share (%)", digits=(5, 1), required=True)

    _source_uniq = models.UniqueIndex(
        "(mix_id, source)", "This source is in the mix already."
    )
    _share_positive = models.Constraint(
        "CHECK (share > 0 AND share <= 100)", "A share is between 0 and 100 %."
    )

    @api.constrains("share", "mix_id")
    def _check_sum(self):
        for mix in self.mix_id:
            total = sum(mix.line_ids.mapped("share"))
            if float_compare(total, 100.0, precision_digits=1):
                raise ValidationError(
                    self.env._(
                        "The shares of the sources are %(total)s %% together. They "
                        "have to be 100 %%.",
                        total=round(total, 1),
                    )
                )
