from odoo import api, fields, models

DAILY_READINGS = "daily_readings"


class OnergyConsentPurpose(models.Model):
    """What a resident may give consent for, in the words that he agrees to."""

    _name = "onergy.consent.purpose"
    _description = "Purpose of consent"
    _order = "sequence, id"

    name = fields.Char(required=True, translate=True)
    code = fields.Char(required=True, readonly=True, copy=False)
    active = fields.Boolean(default=True)
    sequence = fields.Integer(default=10)
    text = fields.Text(
        required=True,
        translate=True,
        help="What the resident reads and agrees to, in plain words: what we do with "
        "which data, and what changes without consent.",
    )
    version = fields.Integer(
        readonly=True,
        copy=False,
        default=1,
        help="Goes up when the text changes. A consent keeps the text it was given to.",
    )
    is_per_home = fields.Boolean(
        "For each home", help="Given for one contract instead of for the resident."
    )

    _code_uniq = models.UniqueIndex("(code)", "This purpose already exists.")

    @api.model_create_multi
    def create(self, vals_list):
        """A purpose that a supplier adds himself needs a code like any other."""
        for vals in vals_list:
            vals.setdefault("code", self.env["ir.sequence"].next_by_code(self._name))
        return super().create(vals_list)

    def write(self, vals):
        changed = self.browse()
        if "text" in vals:
            changed = self.filtered(lambda purpose: purpose.text != vals["text"])
        result = super().write(vals)
        for purpose in changed:
            purpose.version += 1
        return result
