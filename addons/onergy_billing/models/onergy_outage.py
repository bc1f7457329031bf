from collections import defaultdict
from decimal import Decimal

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.tools import format_datetime

from ..engine import outage_compensation

#: Months after recovery within which a compensation is paid (Warmteregeling, art. 4).
PAY_MONTHS = 6


class OnergyOutage(models.Model):
    """An interruption of the heat supply and what the residents are due for it."""

    _name = "onergy.outage"
    _description = "Outage"
    _inherit = ["mail.thread"]
    _check_company_auto = True
    _order = "date_start desc, id desc"

    name = fields.Char("Cause in short", required=True)
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    complex_id = fields.Many2one(
        "onergy.complex", required=True, index=True, check_company=True
    )
    connection_ids = fields.Many2many(
        "onergy.connection",
        string="Only these connections",
        check_company=True,
        domain="[('complex_id', '=', complex_id)]",
        help="Empty: the whole complex.",
    )
    date_start = fields.Datetime(
        "Noticed at",
        required=True,
        tracking=True,
        help="First report or own detection, for everybody who was hit.",
    )
    date_end = fields.Datetime("Recovered at", tracking=True)
    announced_on = fields.Date(help="When residents were told beforehand.")
    cause = fields.Selection(
        [
            ("network", "Network or source"),
            ("own_installation", "Installation of the resident"),
            ("force_majeure", "Force majeure"),
        ],
        required=True,
        default="network",
        tracking=True,
    )
    hours = fields.Float(compute="_compute_hours", store=True, digits=(10, 2))
    outage_in_last_year = fields.Boolean(
        "Another one in the year before", compute="_compute_amount"
    )
    amount = fields.Monetary("Compensation per home", compute="_compute_amount")
    pay_before = fields.Date(compute="_compute_hours", store=True)
    payment_ids = fields.One2many("onergy.outage.payment", "outage_id", "Payments")

    _dates_order = models.Constraint(
        "CHECK (date_end IS NULL OR date_end >= date_start)",
        "An outage cannot end before it starts.",
    )

    @api.depends("date_start", "date_end")
    def _compute_hours(self):
        for record in self:
            if record.date_start and record.date_end:
                seconds = (record.date_end - record.date_start).total_seconds()
                record.hours = seconds / 3600
                record.pay_before = record.date_end.date() + relativedelta(
                    months=PAY_MONTHS
                )
            else:
                record.hours = 0.0
                record.pay_before = False

    @api.depends("hours", "cause", "announced_on", "complex_id", "connection_ids")
    def _compute_amount(self):
        for record in self:
            record.outage_in_last_year = record._has_earlier()
            seconds = 0
            if record.date_start and record.date_end:
                seconds = int((record.date_end - record.date_start).total_seconds())
            announced = None
            if record.announced_on and record.date_start:
                announced = (record.date_start.date() - record.announced_on).days
            record.amount = float(
                outage_compensation(
                    Decimal(seconds) / 3600,
                    announced_days=announced,
                    own_installation=record.cause == "own_installation",
                    force_majeure=record.cause == "force_majeure",
                    outage_in_last_year=record.outage_in_last_year,
                )
            )

    def _has_earlier(self):
        """Whether this part of the network had another outage in the year before."""
        self.ensure_one()
        if not self.date_start or not self.complex_id:
            return False
        earlier = self.search(
            [
                ("id", "not in", self._origin.ids),
                ("complex_id", "=", self.complex_id.id),
                ("cause", "!=", "own_installation"),
                ("date_start", "<", self.date_start),
                ("date_start", ">=", self.date_start - relativedelta(years=1)),
            ]
        )
        return any(
            not other.connection_ids
            or not self.connection_ids
            or other.connection_ids & self.connection_ids
            for other in earlier
        )

    def _hits(self, contract):
        """Whether a contract's home was without heat while it was running."""
        self.ensure_one()
        day = fields.Datetime.context_timestamp(
            self.with_context(tz="Europe/Amsterdam"), self.date_start
        ).date()
        is_running = contract.date_start <= day and (
            not contract.date_end or contract.date_end >= day
        )
        homes = self.connection_ids
        return is_running and (not homes or contract.connection_id in homes)

    @api.model
    def _get_due_payments(self, periods):
        """What is due to each contract and was on no bill yet.

        :return: {index of the period: list of (outage, amount as Decimal)}
        """
        contracts = self.env["onergy.contract"].union(*(p.contract for p in periods))
        outages = self.search(
            [
                ("complex_id", "in", contracts.complex_id.ids),
                ("date_end", "!=", False),
            ]
        ).filtered("amount")
        paid = {
            (payment.outage_id, payment.contract_id)
            for payment in self.env["onergy.outage.payment"].search(
                [
                    ("outage_id", "in", outages.ids),
                    ("contract_id", "in", contracts.ids),
                ]
            )
        }
        result = defaultdict(list)
        exact = self.env["onergy.tariff"]._to_decimal
        for index, period in enumerate(periods):
            for outage in outages.filtered(
                lambda o, p=period: o.complex_id == p.contract.complex_id
            ):
                key = (outage, period.contract)
                if key not in paid and outage._hits(period.contract):
                    paid.add(key)
                    result[index].append((outage, exact(outage.amount, 2)))
        return result

    def _get_text(self):
        """What the resident reads on the bill."""
        self.ensure_one()
        return self.env._(
            "Compensation for the outage of %(start)s",
            start=format_datetime(
                self.env, self.date_start, tz="Europe/Amsterdam", dt_format="short"
            ),
        )
