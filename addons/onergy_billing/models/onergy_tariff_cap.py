from odoo import api, fields, models

from .const import COMPONENTS, PRICE_DIGITS, SERVICE_SETS, TIER_DIGITS, UNITS


class OnergyTariffCap(models.Model):
    """A maximum tariff as set by the regulator (ACM), including VAT.

    A correction of a maximum is another record with a later date of decision; the
    old one stays, for it tells what was allowed when a price was decided.
    """

    _name = "onergy.tariff.cap"
    _description = "Maximum tariff"
    _order = "valid_from desc, component, service_set, tier_from, decided_on desc"

    component = fields.Selection(COMPONENTS, required=True)
    service_set = fields.Selection(
        SERVICE_SETS, "Supplied", help="Empty: whatever is supplied."
    )
    unit = fields.Selection(UNITS, required=True)
    tier_from = fields.Float("From (GJ a year)", digits=TIER_DIGITS, default=0.0)
    tier_to = fields.Float("Up to (GJ a year)", digits=TIER_DIGITS, default=0.0)
    amount = fields.Float(
        "Maximum incl. VAT", digits=PRICE_DIGITS, required=True, aggregator=None
    )
    valid_from = fields.Date(required=True)
    valid_to = fields.Date(required=True, help="Last day; maxima hold for a year.")
    decided_on = fields.Date(
        help="Day of the decision. Empty: before the year began, the day is not known."
    )
    source = fields.Char(required=True, help="Where this maximum was published.")

    _amount_positive = models.Constraint(
        "CHECK (amount > 0)", "A maximum is more than zero."
    )
    _dates_order = models.Constraint(
        "CHECK (valid_to >= valid_from)", "A maximum cannot end before it starts."
    )
    _cap_uniq = models.UniqueIndex(
        "(component, unit, COALESCE(service_set, ''), tier_from, valid_from, "
        "COALESCE(decided_on, '-infinity'))",
        "There already is a maximum of this decision.",
    )

    @api.depends("component", "valid_from", "amount")
    def _compute_display_name(self):
        labels = dict(self._fields["component"]._description_selection(self.env))
        for record in self:
            label = labels.get(record.component, "")
            year = record.valid_from.year if record.valid_from else ""
            record.display_name = f"{label} {year}: {record.amount:.2f}"

    @api.model_create_multi
    def create(self, vals_list):
        caps = super().create(vals_list)
        self._recheck_tariffs()
        return caps

    def write(self, vals):
        result = super().write(vals)
        self._recheck_tariffs()
        return result

    def unlink(self):
        result = super().unlink()
        self._recheck_tariffs()
        return result

    @api.model
    def _recheck_tariffs(self):
        """Look at every price again: a maximum may have changed afterwards."""
        self.env["onergy.tariff.line"].search([])._recheck_caps()

    @api.model
    def _get_in_force(self, line, day, known_on=None):
        """The lowest maximum for a price on a day.

        :param line: ``onergy.tariff.line``
        :param known_on: leave out what was decided after this day
        """
        candidates = self.search(
            [
                ("component", "=", line.component),
                ("unit", "=", line.unit),
                ("valid_from", "<=", day),
                ("valid_to", ">=", day),
            ]
        )
        return candidates._get_lowest(line, day, known_on)

    def _get_lowest(self, line, day, known_on=None):
        """The lowest of these maxima that holds for a price on a day."""
        in_force = {}
        for cap in self.filtered(
            lambda c: (
                (c.component, c.unit) == (line.component, line.unit)
                and c.valid_from <= day <= c.valid_to
                and c._concerns(line, known_on)
            )
        ).sorted(lambda c: (c.valid_from, fields.Date.to_string(c.decided_on) or "")):
            in_force[cap.service_set, cap.tier_from] = cap
        return min(in_force.values(), key=lambda cap: cap.amount, default=self.browse())

    def _concerns(self, line, known_on):
        self.ensure_one()
        if known_on and self.decided_on and self.decided_on > known_on:
            return False
        if self.service_set and line.service_set not in (False, self.service_set):
            return False
        overlaps_below = not line.tier_to or line.tier_to > self.tier_from
        return overlaps_below and (not self.tier_to or self.tier_to > line.tier_from)
