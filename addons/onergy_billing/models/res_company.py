from odoo import fields, models
from odoo.exceptions import UserError


class ResCompany(models.Model):
    _inherit = "res.company"

    onergy_billing_start = fields.Date(
        "Settled here from",
        help="Days before this one were settled elsewhere.",
    )
    onergy_second_approver = fields.Boolean(
        "A second person approves runs",
        default=True,
        help="Who prepared a run of advances or settlements cannot approve it.",
    )
    onergy_plan_final_bills = fields.Boolean(
        "Final bills by themselves",
        default=True,
        help="Work the final bill out a week after a contract has ended; somebody "
        "still has to approve it.",
    )
    onergy_tier_proration = fields.Selection(
        [
            ("days", "In proportion to the days"),
            ("none", "Not: each part of a year has the whole tier"),
        ],
        "Tiers of a part of a year",
        required=True,
        default="days",
    )
    onergy_hot_water_share = fields.Integer(
        "Use for hot water (%)",
        default=0,
        help="Part of the use between two readings that is spread evenly over the "
        "days, for it does not follow the weather.",
    )
    onergy_advance_below = fields.Integer("Advance below the advice (%)", default=10)
    onergy_advance_above = fields.Integer("Advance above the advice (%)", default=100)
    onergy_advance_change_days = fields.Integer(
        "Days between changes by the resident",
        default=30,
        help="0: a resident may change his advance as often as he likes.",
    )
    onergy_prenotification_days = fields.Integer(
        "Days between invoice and direct debit",
        default=14,
        help="SEPA rules ask for 14 days unless less was agreed.",
    )
    onergy_due_days = fields.Integer("Days to pay by transfer", default=14)
    onergy_complaint_text = fields.Html(
        "Complaints",
        translate=True,
        help="Printed on each yearly bill: where a resident can complain.",
    )

    _onergy_hot_water_share_range = models.Constraint(
        "CHECK (onergy_hot_water_share BETWEEN 0 AND 100)",
        "The share of hot water lies between 0 and 100 %.",
    )
    _onergy_advance_band_range = models.Constraint(
        "CHECK (onergy_advance_below BETWEEN 0 AND 100 AND onergy_advance_above >= 0)",
        "The band of the advance is a percentage below and above the advice.",
    )
    _onergy_advance_change_days_range = models.Constraint(
        "CHECK (onergy_advance_change_days >= 0)",
        "The days between two changes of an advance cannot be negative.",
    )

    def _onergy_check_approver(self, prepared_by):
        """Refuse unless this user is a manager, and another than who prepared it.

        :raise UserError: with the reason
        """
        self.ensure_one()
        if not self.env.user.has_group("onergy_residents.group_manager"):
            raise UserError(self.env._("Only a manager approves this."))
        if prepared_by == self.env.user and self.onergy_second_approver:
            raise UserError(
                self.env._(
                    "Somebody else has to approve what you prepared: four eyes see "
                    "more than two."
                )
            )
