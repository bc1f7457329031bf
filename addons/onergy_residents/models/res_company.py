import re
from datetime import datetime, time, timedelta

import pytz

from odoo import api, fields, models
from odoo.exceptions import ValidationError

#: A move can be undone, and its final bill disputed, for about this long.
MOVE_MONTHS_AT_LEAST = 12


class ResCompany(models.Model):
    _inherit = "res.company"

    onergy_request_days = fields.Integer(
        "Working days to answer a request",
        default=5,
        help="Counted in the working days of the company's calendar.",
    )
    onergy_fault_days = fields.Integer(
        "Working days to answer a fault",
        default=1,
        help="Counted in the working days of the company's calendar.",
    )
    onergy_fault_phone = fields.Char(
        "Telephone for faults",
        help="The number residents call day and night when the heat fails. Empty: the "
        "company's own number.",
    )
    onergy_contact_form = fields.Boolean(
        "Contact form without login",
        default=True,
        help="Visitors who have no login can send a question.",
    )
    onergy_request_user_id = fields.Many2one(
        "res.users",
        "Responsible for new requests",
        domain="[('share', '=', False)]",
        help="Empty: new requests wait until a colleague takes them.",
    )
    onergy_request_alias_id = fields.Many2one(
        "mail.alias",
        "Inbox of requests",
        copy=False,
        ondelete="restrict",
        domain="[('alias_model_id.model', '=', 'onergy.request')]",
        help="Mail to this address becomes a request; replies to our answers go to it.",
    )

    onergy_mandate_days = fields.Integer(
        "Working days before a new mandate starts",
        default=5,
        help="The prenotification period: until then the old account is used and the "
        "payer can change his mind.",
    )
    onergy_creditor_identifier = fields.Char(
        "Creditor identifier",
        help="The number that collects by direct debit, given by your bank, for "
        "example NL00ZZZ123456780000. It stands in each mandate.",
    )

    onergy_keep_billing_years = fields.Integer(
        "Years to keep bills",
        default=7,
        help="Past residents are made anonymous after this, counted from their last "
        "contract or bill. Tax law asks for seven years (AWR, article 52).",
    )
    onergy_keep_request_months = fields.Integer(
        "Months to keep closed requests",
        default=24,
        help="As long we keep what was told about moves (a year at least), landlords' "
        "spreadsheets, access given to others and reasons of deletion requests.",
    )
    onergy_keep_access_log_months = fields.Integer(
        "Months to keep the log of views", default=24
    )

    _onergy_keep_enough = models.Constraint(
        "CHECK (onergy_keep_billing_years >= 7 AND onergy_keep_request_months >= 1"
        " AND onergy_keep_access_log_months >= 6)",
        "Keep bills for at least 7 years, requests for a month and the log of views "
        "for half a year.",
    )
    _onergy_mandate_days_positive = models.Constraint(
        "CHECK (onergy_mandate_days >= 0)",
        "The number of working days cannot be negative.",
    )
    _onergy_request_days_positive = models.Constraint(
        "CHECK (onergy_request_days >= 0 AND onergy_fault_days >= 0)",
        "The number of working days to answer cannot be negative.",
    )

    def _onergy_get_fault_phone(self):
        """Return the number to call when the heat fails."""
        self.ensure_one()
        return self.onergy_fault_phone or self.phone

    @api.model_create_multi
    def create(self, vals_list):
        companies = super().create(vals_list)
        companies._onergy_sync_request_alias()
        return companies

    def write(self, vals):
        result = super().write(vals)
        if "onergy_request_alias_id" in vals:
            self._onergy_sync_request_alias()
        return result

    def _onergy_add_working_days(self, days):
        """Return the date that is this many working days of the company from today.

        Public holidays left out, counted from tomorrow on; without a calendar each
        day counts.
        """
        self.ensure_one()
        # sudo: residents have no access to calendars
        calendar = self.sudo().resource_calendar_id
        timezone = pytz.timezone(calendar.tz or self.env.user.tz or "Europe/Amsterdam")
        today = datetime.now(timezone).date()
        tomorrow = timezone.localize(
            datetime.combine(today + timedelta(days=1), time.min)
        )
        planned = (
            calendar.plan_days(days, tomorrow, compute_leaves=True)
            if calendar and days
            else None
        )
        return planned.date() if planned else today + timedelta(days=days)

    def _onergy_get_move_months(self):
        """Return for how many months is kept what was told about a move."""
        return max(self.onergy_keep_request_months, MOVE_MONTHS_AT_LEAST)

    def _onergy_get_retention(self):
        """Hook: return how long data are kept, as list of (what, how long) texts."""
        self.ensure_one()
        return [
            (
                self.env._("Your bills and contracts"),
                self.env._("%(years)s years", years=self.onergy_keep_billing_years),
            ),
            (
                self.env._("Questions that have been answered"),
                self.env._("%(count)s months", count=self.onergy_keep_request_months),
            ),
            (
                self.env._("What you told us about a move"),
                self.env._(
                    "%(count)s months",
                    count=self._onergy_get_move_months(),
                ),
            ),
            (
                self.env._("Who could look at your home, after the last day"),
                self.env._("%(count)s months", count=self.onergy_keep_request_months),
            ),
            (
                self.env._("Which member of our staff looked at your data"),
                self.env._(
                    "%(count)s months", count=self.onergy_keep_access_log_months
                ),
            ),
        ]

    @api.constrains("onergy_creditor_identifier")
    def _check_onergy_creditor_identifier(self):
        """Check digits of a creditor identifier: ISO 7064, the business code left out.

        Country, check digits, three characters of one's own choice, national number.
        """
        for company in self.filtered("onergy_creditor_identifier"):
            text = company.onergy_creditor_identifier.replace(" ", "").upper()
            right = re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{3}[A-Z0-9]{1,28}", text)
            if not right or _mod97(text[7:] + text[:4]) != 1:
                raise ValidationError(
                    self.env._(
                        "%(identifier)s is not a right creditor identifier.",
                        identifier=company.onergy_creditor_identifier,
                    )
                )

    def _onergy_sync_request_alias(self):
        """Let mail to a company's inbox become a request of that company."""
        for company in self.filtered("onergy_request_alias_id"):
            # sudo: aliases are for administrators
            company.sudo().onergy_request_alias_id.alias_defaults = repr(
                {"company_id": company.id}
            )


def _mod97(text):
    return int("".join(str(int(char, 36)) for char in text)) % 97
