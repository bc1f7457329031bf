from odoo import api, fields, models
from odoo.exceptions import ValidationError

KINDS = [
    ("limit", "More than an own limit"),
    ("expected", "More than expected"),
    ("silent", "No reading"),
    ("constant", "Constant use"),
]
#: What a resident begins with: GJ a month, percent, days; ``constant`` has none.
DEFAULTS = {"limit": 5.0, "expected": 30.0, "silent": 3.0, "constant": 0.0}
BOUNDS = {
    "limit": (0.1, 1000.0),
    "expected": (5.0, 500.0),
    "silent": (1.0, 60.0),
    "constant": (0.0, 0.0),
}
#: Tell of use within a month, so only where the resident may see days. The own limit
#: is judged over whole months elsewhere.
DAILY_KINDS = ("expected", "constant")


class OnergyAlertSetting(models.Model):
    """What a resident wants to be warned of."""

    _name = "onergy.alert.setting"
    _description = "Alert setting"
    _order = "contract_id, kind"
    _rec_name = "kind"

    contract_id = fields.Many2one(
        "onergy.contract", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="contract_id.company_id", store=True)
    kind = fields.Selection(KINDS, required=True)
    active = fields.Boolean(default=True)
    threshold = fields.Float(
        digits=(16, 2),
        aggregator=None,
        help="Own limit: GJ in a calendar month. More than expected: percent. No "
        "reading: days.",
    )

    _kind_uniq = models.UniqueIndex(
        "(contract_id, kind)", "This contract already has a setting for this alert."
    )

    @api.constrains("threshold", "kind")
    def _check_threshold(self):
        for record in self:
            low, high = BOUNDS[record.kind]
            if not low <= record.threshold <= high:
                raise ValidationError(
                    self.env._(
                        "%(threshold)s is not between %(low)s and %(high)s.",
                        threshold=record.threshold,
                        low=low,
                        high=high,
                    )
                )

    @api.model
    def _get_for(self, contract):
        """{kind: (is wanted, threshold)} of a contract, with what is not set yet."""
        known = self.with_context(active_test=False).search(
            [("contract_id", "=", contract.id)]
        )
        result = {kind: (False, DEFAULTS[kind]) for kind, _label in KINDS}
        result.update({s.kind: (s.active, s.threshold) for s in known})
        return result

    @api.model
    def _set_for(self, contract, wanted):
        """Keep what a resident wants.

        :param dict wanted: ``{kind: (is wanted, threshold)}``
        :raise ValidationError: a threshold is out of bounds
        """
        known = {
            setting.kind: setting
            for setting in self.with_context(active_test=False).search(
                [("contract_id", "=", contract.id)]
            )
        }
        for kind, (active, threshold) in wanted.items():
            values = {"active": active, "threshold": threshold}
            if kind in known:
                known[kind].write(values)
            elif active:
                self.create({**values, "contract_id": contract.id, "kind": kind})
