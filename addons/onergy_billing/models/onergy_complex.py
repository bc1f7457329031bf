from datetime import date, timedelta

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..report.onergy_settlement_due import COST_DEADLINE_MONTHS, DEADLINE_DAYS
from .const import BILLING_GROUPS


class OnergyComplex(models.Model):
    _inherit = "onergy.complex"

    billing_cycle = fields.Selection(
        [
            ("year", "One year for the whole complex"),
            ("anniversary", "A year from the start of each contract"),
        ],
        "Yearly bill",
        required=True,
        default="year",
        tracking=True,
    )
    billing_month = fields.Selection(
        [(str(month), str(month)) for month in range(1, 13)],
        "Billing year starts in month",
        required=True,
        default="1",
        help="First month of the year that is billed for the whole complex.",
    )
    cost_fixed_key = fields.Selection(
        [("area", "By floor area"), ("equal", "Each dwelling the same")],
        "Fixed part of the costs",
        required=True,
        default="area",
        tracking=True,
        help="How the fixed part of the actual costs is shared out, for the days that "
        "somebody pays for a dwelling. The Heat Act knows no such costs.",
    )
    cost_statement_ids = fields.One2many(
        "onergy.cost.statement", "complex_id", groups=BILLING_GROUPS
    )
    cost_statement_count = fields.Integer(
        compute="_compute_cost_statement_count", groups=BILLING_GROUPS
    )

    @api.depends("cost_statement_ids")
    def _compute_cost_statement_count(self):
        for record in self:
            record.cost_statement_count = len(record.cost_statement_ids)

    @api.constrains("regime", "billing_cycle")
    def _check_billing_cycle(self):
        for record in self:
            if record._is_by_costs() and record.billing_cycle != "year":
                raise ValidationError(
                    self.env._(
                        "The costs of %(complex)s are those of a year of the whole "
                        "complex: its bills cannot follow the start of each contract.",
                        complex=record.display_name,
                    )
                )

    def _is_by_costs(self):
        """Whether bills follow the actual costs instead of a tariff.

        So they do where the Heat Act does not hold: a landlord who supplies his own
        tenants, an owners' association that supplies its members (article 1a).
        """
        self.ensure_one()
        return self.regime != "warmtewet"

    def _get_dispute_body(self):
        """Who decides when a payer and the supplier do not agree."""
        self.ensure_one()
        if self.dispute_body:
            return self.dispute_body
        bodies = {
            "warmtewet": self.company_id.onergy_dispute_body,
            "servicekosten": self.env._("Huurcommissie, www.huurcommissie.nl"),
            "vve": self.env._(
                "the meeting of your owners' association, and after it the "
                "subdistrict court"
            ),
        }
        return bodies[self.regime]

    def _get_billing_year(self, day):
        """(first, last day) of the year of the whole complex that ``day`` is in."""
        self.ensure_one()
        month = int(self.billing_month)
        first = date(day.year - (day.month < month), month, 1)
        return first, first + relativedelta(years=1, days=-1)

    def _get_bill_deadline(self, last_day):
        """Until when a bill of a period has to be there.

        Six weeks after the period (Warmtewet, articles 2 and 8b); for service costs
        six months after the year that the period is in.
        """
        self.ensure_one()
        if not self._is_by_costs():
            return last_day + timedelta(days=DEADLINE_DAYS)
        _first, last = self._get_billing_year(last_day)
        months = relativedelta(months=COST_DEADLINE_MONTHS)
        return last + timedelta(days=1) + months - timedelta(days=1)

    def action_open_cost_statements(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "onergy_billing.action_onergy_cost_statement"
        )
        return {
            **action,
            "domain": [("complex_id", "=", self.id)],
            "context": {"default_complex_id": self.id},
        }
