from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

from dateutil.relativedelta import relativedelta

from odoo import Command, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_datetime

from ..engine import outage_compensation
from .const import QUIET

#: Months after recovery within which a compensation is paid (Warmteregeling, art. 4).
PAY_MONTHS = 6
#: Type of the activity that reminds of a payment.
REMINDER = "mail.mail_activity_data_todo"
#: Days before the last day of payment from which it is near.
NEAR_DAYS = 30


def to_dutch_day(record, moment):
    """The day on which a moment (in UTC) falls for who lives here."""
    return fields.Datetime.context_timestamp(
        record.with_context(tz="Europe/Amsterdam"), moment
    ).date()


class OnergyOutage(models.Model):
    """An interruption of the heat supply and what the residents are due for it."""

    _name = "onergy.outage"
    _description = "Outage"
    _inherit = ["mail.thread", "mail.activity.mixin"]
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
    unpaid_count = fields.Integer(
        "Not paid yet",
        compute="_compute_unpaid",
        help="Contracts that are due this compensation and have it on no bill.",
    )
    pay_state = fields.Selection(
        [
            ("none", "Nothing due"),
            ("paid", "Paid"),
            ("open", "To be paid"),
            ("near", "Pay soon"),
            ("late", "Too late"),
        ],
        "Payment",
        compute="_compute_unpaid",
    )

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
                record.pay_before = to_dutch_day(
                    record, record.date_end
                ) + relativedelta(months=PAY_MONTHS)
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
                day = to_dutch_day(record, record.date_start)
                announced = (day - record.announced_on).days
            record.amount = float(
                outage_compensation(
                    Decimal(seconds) / 3600,
                    announced_days=announced,
                    own_installation=record.cause == "own_installation",
                    force_majeure=record.cause == "force_majeure",
                    outage_in_last_year=record.outage_in_last_year,
                )
            )

    @api.depends("amount", "pay_before", "payment_ids.settlement_id.state")
    def _compute_unpaid(self):
        today = fields.Date.context_today(self)
        for record in self:
            due = record.amount and record.pay_before
            count = len(record._get_unpaid_contracts()) if due else 0
            record.unpaid_count = count
            if not due:
                record.pay_state = "none"
            elif not count:
                record.pay_state = "paid"
            elif record.pay_before < today:
                record.pay_state = "late"
            elif record.pay_before < today + timedelta(days=NEAR_DAYS):
                record.pay_state = "near"
            else:
                record.pay_state = "open"

    def _get_unpaid_contracts(self):
        """Contracts that were hit and have the compensation on no posted bill yet."""
        self.ensure_one()
        domain = [("complex_id", "=", self.complex_id.id)]
        if self.connection_ids:
            domain = [("connection_id", "in", self.connection_ids.ids)]
        contracts = self.env["onergy.contract"].search(domain)
        paid = self.payment_ids._filter_paid().contract_id
        return contracts.filtered(lambda c: c not in paid and self._hits(c))

    def action_pay_separately(self):
        """Post a credit note for each contract that no bill will pay in time.

        The law asks for payment within six months of recovery, bill or no bill.
        """
        self.ensure_one()
        if not self.env.user.has_group("onergy_residents.group_manager"):
            raise UserError(self.env._("Only a manager pays compensations."))
        contracts = self._get_unpaid_contracts() if self.amount else False
        if not contracts:
            raise UserError(self.env._("Everybody who is due this has it."))
        contracts -= self.payment_ids.contract_id  # these are on a bill that waits
        if not contracts:
            raise UserError(
                self.env._(
                    "Who is still due this has it on a bill that waits to be posted. "
                    "Post that bill, or leave it out of its run first."
                )
            )
        moves = (
            self.env["account.move"]
            .with_company(self.company_id)
            .with_context(**QUIET)
            ._onergy_create_posted([self._prepare_refund(c) for c in contracts])
        )
        # sudo: only this button writes that somebody was paid
        self.env["onergy.outage.payment"].sudo().create(
            [
                {
                    "outage_id": self.id,
                    "contract_id": contract.id,
                    "amount": self.amount,
                    "move_id": move.id,
                }
                for contract, move in zip(contracts, moves, strict=True)
            ]
        )
        if not self._get_unpaid_contracts():
            self.activity_unlink([REMINDER])
        return {
            **self.env["ir.actions.actions"]._for_xml_id(
                "account.action_move_out_refund_type"
            ),
            "domain": [("id", "in", moves.ids)],
        }

    def _prepare_refund(self, contract):
        """Values of a credit note; damages bear no VAT."""
        today = fields.Date.context_today(self)
        lang = contract.partner_id.lang or self.env.lang
        return {
            "move_type": "out_refund",
            "company_id": self.company_id.id,
            "partner_id": contract.partner_id.id,
            "invoice_date": today,
            "invoice_date_due": today,
            "invoice_payment_term_id": False,
            "onergy_contract_id": contract.id,
            "onergy_move_kind": "other",
            "onergy_lines": [
                {
                    "product_id": self.env.ref(
                        "onergy_billing.product_compensation"
                    ).id,
                    "name": self.with_context(lang=lang)._get_text(),
                    "quantity": 1,
                    "price_unit": self.amount,
                    "tax_ids": [Command.clear()],
                    "onergy_tax": self.env["account.tax"],
                    "onergy_vat": 0.0,
                }
            ],
        }

    @api.model
    def _cron_remind(self):
        """Tell somebody of compensations that must be paid soon."""
        limit = fields.Date.context_today(self) + timedelta(days=NEAR_DAYS)
        for outage in self.search([("pay_before", "<", limit)]):
            is_urgent = outage.pay_state in ("near", "late")
            if not is_urgent or outage.activity_search([REMINDER]):
                continue
            outage.activity_schedule(
                REMINDER,
                outage.pay_before,
                summary=self.env._("Pay this compensation, no bill did"),
                user_id=(
                    outage.company_id.onergy_request_user_id or outage.create_uid
                ).id,
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
        day = to_dutch_day(self, self.date_start)
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
            if period.part == "owner":  # who lives there was hit
                continue
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
