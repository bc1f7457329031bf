from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import format_amount, format_date

from ..engine import Price
from ..engine.timeline import ONE_DAY, split
from .const import (
    COMPONENT_UNITS,
    COMPONENTS,
    PRICE_DIGITS,
    SERVICE_SETS,
    TIER_DIGITS,
    UNITS,
)


class OnergyTariffLine(models.Model):
    """One price of a tariff, including VAT."""

    _name = "onergy.tariff.line"
    _description = "Price"
    _order = "tariff_id, component, service_set, delivery_set_id, tier_from, id"

    tariff_id = fields.Many2one(
        "onergy.tariff", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="tariff_id.company_id", store=True, index=True)
    currency_id = fields.Many2one(related="company_id.currency_id")
    valid_from = fields.Date(related="tariff_id.valid_from", store=True, index=True)
    component = fields.Selection(COMPONENTS, required=True)
    service_set = fields.Selection(
        SERVICE_SETS, "Supplied", help="Empty: whatever is supplied."
    )
    delivery_set_id = fields.Many2one(
        "onergy.delivery.set", "Delivery set", help="Empty: every type."
    )
    unit = fields.Selection(
        UNITS,
        required=True,
        compute="_compute_unit",
        store=True,
        readonly=False,
        precompute=True,
    )
    tier_from = fields.Float(
        "From (GJ a year)",
        digits=TIER_DIGITS,
        default=0.0,
        help="Use from which this price holds.",
    )
    tier_to = fields.Float(
        "Up to (GJ a year)",
        digits=TIER_DIGITS,
        default=0.0,
        help="Use up to which this price holds; zero: without end.",
    )
    price = fields.Float(
        "Price incl. VAT", digits=PRICE_DIGITS, required=True, aggregator=None
    )
    cap_id = fields.Many2one(
        "onergy.tariff.cap", "Maximum tariff", readonly=True, ondelete="set null"
    )
    cap_amount = fields.Float(
        related="cap_id.amount", string="Maximum", aggregator=None
    )
    is_above_cap = fields.Boolean("Above the maximum", readonly=True, index=True)

    _price_positive = models.Constraint(
        "CHECK (price >= 0)", "A price cannot be negative."
    )
    _tier_order = models.Constraint(
        "CHECK (tier_from >= 0 AND (tier_to = 0 OR tier_to > tier_from))",
        "A tier ends above where it starts.",
    )
    _line_uniq = models.UniqueIndex(
        "(tariff_id, component, unit, COALESCE(service_set, ''), "
        "COALESCE(delivery_set_id, 0), tier_from)",
        "This tariff has two prices for the same thing.",
    )

    @api.depends("component")
    def _compute_unit(self):
        for record in self:
            allowed = COMPONENT_UNITS.get(record.component, ("once",))
            if record.component and record.unit not in allowed:
                record.unit = allowed[0]

    @api.depends("component", "tariff_id.name")
    def _compute_display_name(self):
        labels = dict(self._fields["component"]._description_selection(self.env))
        for record in self:
            record.display_name = " – ".join(
                filter(None, [record.tariff_id.name, labels.get(record.component)])
            )

    @api.model_create_multi
    def create(self, vals_list):
        lines = super().create(vals_list)
        lines._recheck_caps()
        return lines

    def write(self, vals):
        result = super().write(vals)
        if not vals.keys() <= {"cap_id", "is_above_cap"}:
            self._recheck_caps()
        return result

    @api.constrains("component", "unit")
    def _check_unit(self):
        for record in self:
            if record.unit not in COMPONENT_UNITS.get(record.component, ("once",)):
                raise ValidationError(
                    self.env._(
                        "%(line)s cannot be charged that way: heat goes per GJ, "
                        "standing charge, metering and rent per year, and one-off fees "
                        "once.",
                        line=record.display_name,
                    )
                )

    @api.constrains("tier_from", "tier_to", "component", "service_set", "unit")
    def _check_tiers(self):
        """Tiers start at zero and leave no gap: all use has one price."""
        groups = self.tariff_id.line_ids.filtered(lambda ln: ln.unit == "gj").grouped(
            lambda ln: (
                ln.tariff_id,
                ln.component,
                ln.service_set,
                ln.delivery_set_id,
            )
        )
        for lines in groups.values():
            expected = 0.0
            lines = lines.sorted("tier_from")
            for index, line in enumerate(lines):
                is_last = index == len(lines) - 1
                if line.tier_from != expected or bool(line.tier_to) == is_last:
                    raise ValidationError(
                        self.env._(
                            "The tiers of %(line)s do not cover all use: the first "
                            "starts at 0, each next one where the last one ends, and "
                            "the last has no end.",
                            line=line.display_name,
                        )
                    )
                expected = line.tier_to

    @api.constrains("price", "component", "service_set", "tier_from", "tier_to")
    def _check_cap(self):
        """Refuse a price above the maximum that was known when it was decided.

        A price above the maximum is replaced by it by law, so it is a mistake.
        """
        for record in self:
            cap = record._get_cap(record.tariff_id.decided_on)
            if cap and record._exceeds(cap):
                raise ValidationError(
                    self.env._(
                        "%(line)s: %(price)s %(unit)s is more than the maximum of "
                        "%(cap)s from %(date)s (%(published)s).",
                        line=record.display_name,
                        price=format_amount(self.env, record.price, record.currency_id),
                        unit=dict(
                            self._fields["unit"]._description_selection(self.env)
                        )[record.unit],
                        cap=format_amount(self.env, cap.amount, record.currency_id),
                        date=format_date(self.env, cap.valid_from),
                        published=cap.source,
                    )
                )

    def _exceeds(self, cap):
        self.ensure_one()
        digits = PRICE_DIGITS[1]
        to_decimal = self.env["onergy.tariff"]._to_decimal
        return to_decimal(self.price, digits) > to_decimal(cap.amount, digits)

    def _get_cap(self, known_on=None):
        """The lowest maximum that holds for this price on its first day.

        :param known_on: leave out maxima that were decided after this day
        """
        self.ensure_one()
        Cap = self.env["onergy.tariff.cap"]
        if not self.tariff_id._is_capped():
            return Cap
        return Cap._get_in_force(self, self.tariff_id.valid_from, known_on)

    def _get_days_above(self, caps, last):
        """Days on which this price is more than is allowed.

        A tariff that is followed by no other holds on, also under the lower maximum of
        a next year.

        :param caps: every ``onergy.tariff.cap``
        :param last: last day on which the price holds
        :return: list of (first day, last day, maximum)
        """
        self.ensure_one()
        first = self.tariff_id.valid_from
        if first > last or not self.tariff_id._is_capped():
            return []
        own = caps.filtered(
            lambda c: (c.component, c.unit) == (self.component, self.unit)
        )
        cuts = own.mapped("valid_from")
        cuts += [cap.valid_to + ONE_DAY for cap in own if cap.valid_to < last]
        days = [
            (start, end, own._get_lowest(self, start))
            for start, end in split(first, last, cuts)
        ]
        return [row for row in days if row[2] and self._exceeds(row[2])]

    def _recheck_caps(self):
        """Mark the prices that are above a maximum as it is known today.

        The maxima of all days until the next tariff count.
        """
        caps = self.env["onergy.tariff.cap"].search([])
        last_days = self.tariff_id._get_last_days()
        found = {}
        for record in self:
            above = record._get_days_above(caps, last_days[record.tariff_id])
            cap = above[0][2] if above else record._get_cap()
            if (record.cap_id, record.is_above_cap) != (cap, bool(above)):
                key = (cap, above[0][0] if above else False)
                found[key] = found.get(key, self.browse()) | record
        newly_above = {}
        for (cap, day), lines in found.items():
            if day:
                fresh = lines.filtered(lambda ln: not ln.is_above_cap)
                newly_above[day] = newly_above.get(day, self.browse()) | fresh
            lines.write({"cap_id": cap.id, "is_above_cap": bool(day)})
        for day, above in newly_above.items():
            for tariff, lines in above.grouped("tariff_id").items():
                tariff._log_above_cap(day, lines)

    def action_open_tariff(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "onergy.tariff",
            "res_id": self.tariff_id.id,
            "view_mode": "form",
        }

    # -- for the calculation -------------------------------------------------------

    def _matches(self, service_set, delivery_set):
        self.ensure_one()
        return (not self.service_set or self.service_set == service_set) and (
            not self.delivery_set_id or self.delivery_set_id == delivery_set
        )

    def _to_price(self):
        self.ensure_one()
        to_decimal = self.env["onergy.tariff"]._to_decimal
        return Price(
            self.component,
            self.unit,
            to_decimal(self.price, PRICE_DIGITS[1]),
            to_decimal(self.tier_from, TIER_DIGITS[1]),
            to_decimal(self.tier_to, TIER_DIGITS[1]) if self.tier_to else None,
        )
