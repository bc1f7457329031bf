from collections import defaultdict
from datetime import date
from decimal import Decimal
from itertools import zip_longest

from odoo import api, fields, models
from odoo.tools import format_date

from ..engine import Timeline
from ..engine.timeline import ONE_DAY


class OnergyTariff(models.Model):
    """A set of prices, as it was decided on one day.

    A tariff is never changed after it was used: a correction with retroactive effect
    is another one with the same first day and a later date of decision. For a day,
    the tariff with the latest first day holds, and of those the one decided last.
    """

    _name = "onergy.tariff"
    _description = "Tariff"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _check_company_auto = True
    _order = "valid_from desc, decided_on desc, id desc"

    name = fields.Char(required=True, tracking=True)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    valid_from = fields.Date(
        required=True,
        tracking=True,
        help="First day on which these prices hold. They hold until a tariff with a "
        "later first day.",
    )
    decided_on = fields.Date(
        required=True,
        default=fields.Date.context_today,
        tracking=True,
        help="Day of the decision. Of two tariffs with the same first day the one "
        "that was decided later holds.",
    )
    complex_ids = fields.Many2many(
        "onergy.complex",
        string="Complexes",
        check_company=True,
        help="Empty: for every complex without a tariff of its own.",
    )
    line_ids = fields.One2many("onergy.tariff.line", "tariff_id", "Prices", copy=True)
    line_count = fields.Integer("Number of prices", compute="_compute_line_counts")
    above_cap_count = fields.Integer(
        "Prices above the maximum", compute="_compute_line_counts"
    )
    note = fields.Text()

    _decided_uniq = models.UniqueIndex(
        "(company_id, name)", "Another tariff has this name."
    )

    @api.depends("line_ids.is_above_cap")
    def _compute_line_counts(self):
        counts = defaultdict(lambda: [0, 0])
        for tariff, above, count in self.env["onergy.tariff.line"]._read_group(
            [("tariff_id", "in", self.ids)], ["tariff_id", "is_above_cap"], ["__count"]
        ):
            counts[tariff][0] += count
            counts[tariff][1] += count if above else 0
        for record in self:
            record.line_count, record.above_cap_count = counts[record]

    @api.constrains("valid_from", "decided_on", "complex_ids")
    def _check_caps(self):
        self.line_ids._check_cap()

    @api.model_create_multi
    def create(self, vals_list):
        tariffs = super().create(vals_list)
        tariffs._recheck_all()
        return tariffs

    def write(self, vals):
        result = super().write(vals)
        if vals.keys() & {"valid_from", "decided_on", "complex_ids", "active"}:
            self._recheck_all()
        return result

    def unlink(self):
        companies = self.company_id
        result = super().unlink()
        self._recheck_all(companies)
        return result

    def _recheck_all(self, companies=None):
        """Look at every price again: where one tariff begins another one ends."""
        companies = companies or self.company_id
        lines = self.env["onergy.tariff.line"].search(
            [("company_id", "in", companies.ids)]
        )
        (lines | self.exists().line_ids)._recheck_caps()

    def _log_above_cap(self, day, lines):
        self.ensure_one()
        self._message_log(
            body=self.env._(
                "Above the maximum tariff that holds from %(day)s, as it is known now: "
                "%(lines)s. Decide on a new tariff from that day and correct the bills "
                "that have these prices.",
                day=format_date(self.env, day),
                lines=", ".join(lines.mapped("display_name")),
            )
        )

    def copy_data(self, default=None):
        data = super().copy_data(default)
        if "name" not in (default or {}):
            for record, vals in zip(self, data, strict=True):
                vals["name"] = self.env._("%(name)s (copy)", name=record.name)
        return data

    def action_view_above_cap(self):
        action = self.env["ir.actions.actions"]._for_xml_id(
            "onergy_billing.action_onergy_tariff_line_above_cap"
        )
        return {**action, "domain": [("tariff_id", "in", self.ids)]}

    # -- for the calculation -------------------------------------------------------

    @api.model
    def _to_decimal(self, value, digits):
        """A number field, as the exact decimal that the database holds."""
        return Decimal(f"{value:.{digits}f}")

    def _is_capped(self):
        """The maximum tariffs hold, unless all is outside the Heat Act."""
        self.ensure_one()
        regimes = set(self.complex_ids.mapped("regime"))
        return not regimes or "warmtewet" in regimes

    def _get_last_days(self):
        """{tariff: last day on which it holds for some complex}"""
        others = self.search([("company_id", "in", self.company_id.ids)])
        result = {}
        for record in self:
            later = others.filtered(
                lambda t, r=record: (
                    t.company_id == r.company_id and t.valid_from > r.valid_from
                )
            )
            last_days = []
            for site in record.complex_ids or [record.complex_ids]:
                next_days = later.filtered(
                    lambda t, s=site: s in t.complex_ids if s else not t.complex_ids
                ).mapped("valid_from")
                last_days.append(min(next_days) - ONE_DAY if next_days else date.max)
            result[record] = max(last_days)
        return result

    def _get_days_above(self):
        """When the prices of these tariffs are above the maximum.

        :param self: as of :meth:`_get_tariffs`
        :return: list of (tariff, first day, last day)
        """
        caps = self.env["onergy.tariff.cap"].search([])
        result = []
        for tariff, following in zip_longest(self, self[1:]):
            last = following.valid_from - ONE_DAY if following else date.max
            for line in tariff.line_ids:
                result += [
                    (tariff, first, end)
                    for first, end, _cap in line._get_days_above(caps, last)
                ]
        return result

    @api.model
    def _get_tariffs(self, complex_, known_on=None):
        """Tariffs of a complex, those of its own if it has any.

        :param known_on: leave out what was decided after this day
        :return: the tariffs that hold at some time, in order of their first day
        """
        domain = [("company_id", "=", complex_.company_id.id)]
        if known_on:
            domain.append(("decided_on", "<=", known_on))
        candidates = self.search([*domain, ("complex_ids", "in", complex_.ids)])
        candidates = candidates or self.search([*domain, ("complex_ids", "=", False)])
        in_force = {}
        for tariff in candidates.sorted(lambda t: (t.valid_from, t.decided_on, t.id)):
            in_force[tariff.valid_from] = tariff
        return self.union(*in_force.values())

    @api.model
    def _get_tariffs_of(self, complexes):
        """{complex: its tariffs}, as of :meth:`_get_tariffs`"""
        return {complex_: self._get_tariffs(complex_) for complex_ in complexes}

    @api.model
    def _get_price_timelines(self, connection, tariffs, part="all"):
        """{component: Timeline of tuples of Price} for what a connection gets.

        :param tariffs: as of :meth:`_get_tariffs`
        :param part: a key of :data:`~.const.PARTS`
        """
        steps = defaultdict(list)
        wanted = connection._get_billed_components(part)
        for tariff in tariffs:
            groups = tariff._get_prices(connection)
            for component in wanted:
                steps[component].append((tariff.valid_from, groups.get(component, ())))
        return {component: Timeline.of(steps[component]) for component in wanted}

    def _get_prices(self, connection):
        """{component: tuple of Price} that hold for a connection."""
        self.ensure_one()
        service_set = connection._get_service_set()
        delivery_set = connection.delivery_set_id
        groups = defaultdict(dict)
        # What is meant for this very connection goes before what is for all.
        for line in self.line_ids.sorted(
            lambda ln: (bool(ln.service_set), bool(ln.delivery_set_id))
        ):
            if line.unit == "once" or not line._matches(service_set, delivery_set):
                continue
            rank = (bool(line.service_set), bool(line.delivery_set_id))
            group = groups[line.component, line.unit]
            if group and max(group) < rank:
                group.clear()
            group.setdefault(rank, []).append(line._to_price())
        result = defaultdict(tuple)
        for (component, _unit), group in groups.items():
            result[component] += tuple(group[max(group)])
        return dict(result)

    @api.constrains("line_ids")
    def _check_lines(self):
        for record in self:
            record.line_ids._check_tiers()
