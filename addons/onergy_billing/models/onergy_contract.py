from collections import defaultdict
from datetime import timedelta

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import format_amount, plaintext2html

from .const import BILLING_GROUPS


class OnergyContract(models.Model):
    _inherit = "onergy.contract"

    set_rent_payer = fields.Selection(
        [("resident", "Payer of this contract"), ("owner", "Owner of the dwelling")],
        "Rent of the delivery set paid by",
        required=True,
        default="resident",
        tracking=True,
        help="The owner gets a bill of his own for the rent, of the same days as the "
        "bill of this contract. Bills that were made stay as they are.",
    )
    settlement_ids = fields.One2many(
        "onergy.settlement", "contract_id", groups=BILLING_GROUPS
    )
    settlement_count = fields.Integer(
        compute="_compute_settlement_count", groups=BILLING_GROUPS
    )

    def _compute_settlement_count(self):
        counts = dict(
            self.env["onergy.settlement"]._read_group(
                [("contract_id", "in", self.ids), ("state", "!=", "cancelled")],
                ["contract_id"],
                ["__count"],
            )
        )
        for record in self:
            record.settlement_count = counts.get(record, 0)

    def action_view_settlements(self):
        action = self.env["ir.actions.actions"]._for_xml_id(
            "onergy_billing.action_onergy_settlement"
        )
        return {**action, "domain": [("contract_id", "in", self.ids)], "context": {}}

    @api.constrains("set_rent_payer", "connection_id")
    def _check_set_rent_payer(self):
        for record in self:
            home = record.connection_id
            if record.set_rent_payer == "owner" and not home._get_vacancy_payer():
                raise ValidationError(
                    self.env._(
                        "The owner of %(home)s is not known. Fill him in on the "
                        "connection or the complex first.",
                        home=home.name,
                    )
                )

    def _get_parts(self):
        """Parts that this contract is billed in, each to one payer.

        :return: list of keys of :data:`~.const.PARTS`
        """
        self.ensure_one()
        # sudo: who pays is settled here; a resident may not read his owner
        contract = self.sudo()
        home = contract.connection_id
        if (
            not home.delivery_set_id
            or contract.set_rent_payer == "resident"
            or contract.complex_id._is_by_costs()  # rent is one of the costs then
        ):
            return ["all"]
        owner = home._get_vacancy_payer()
        if owner.commercial_partner_id == contract.commercial_partner_id:
            return ["all"]
        return ["resident", "owner"]

    def _get_due_date(self, invoice_date):
        """The day on which an invoice is due, or collected at the earliest.

        A direct debit is announced before: SEPA asks for 14 days unless less was
        agreed.
        """
        self.ensure_one()
        company = self.company_id
        if self.payment_method == "direct_debit":
            return invoice_date + timedelta(days=company.onergy_prenotification_days)
        return invoice_date + timedelta(days=company.onergy_due_days)

    # -- advances ------------------------------------------------------------------

    def _get_next_advance_date(self, today=None):
        """First day of the next month that has no advance invoice yet."""
        self.ensure_one()
        today = today or fields.Date.context_today(self)
        # sudo: residents may not read each other's invoices, nor need to
        last = (
            self.env["account.move"]
            .sudo()
            .search(
                [
                    ("onergy_contract_id", "=", self.id),
                    ("onergy_move_kind", "=", "advance"),
                    ("move_type", "=", "out_invoice"),
                    ("state", "!=", "cancel"),
                ],
                order="invoice_date desc, id desc",
                limit=1,
            )
        )
        month = last.onergy_advance_month or last.invoice_date or today
        return max(month, today) + relativedelta(months=1, day=1)

    def _get_advance_change_date(self, today=None):
        """The day from which the resident may choose again; False: he may now.

        A mistake of the same day can be put right at once.
        """
        self.ensure_one()
        today = today or fields.Date.context_today(self)
        days = self.company_id.onergy_advance_change_days
        # sudo: residents may not read who changed what when, only what follows
        chosen = self.sudo().advance_ids.filtered(lambda a: a.origin == "resident")
        if not days or not chosen:
            return False
        last = fields.Datetime.context_timestamp(
            self.with_context(tz="Europe/Amsterdam"), max(chosen.mapped("write_date"))
        ).date()
        again = last + timedelta(days=days)
        return again if last != today and again > today else False

    def _set_advance(self, amount, date_from, origin, note=False):
        """Let another advance hold from a day; one that began that day gives way."""
        self.ensure_one()
        values = {
            "amount": amount,
            "origin": origin,
            "approved_by_id": self.env.uid,
            "note": note,
        }
        same_day = self.advance_ids.filtered(lambda a: a.date_from == date_from)
        if same_day:
            same_day.write(values)
            return same_day
        return self.env["onergy.advance"].create(
            {**values, "contract_id": self.id, "date_from": date_from}
        )

    def _follow_advice(self, settlements):
        """Make the advice on a yearly bill the advance of those who stay."""
        by_contract = defaultdict(float)
        for settlement in settlements:
            by_contract[settlement.contract_id] = settlement.advance_advice
        for contract in self:
            advice = by_contract[contract]
            current = contract.current_advance_amount
            if not advice or contract.date_end or advice == current:
                continue
            contract._set_advance(
                advice, contract._get_next_advance_date(), "settlement"
            )

    def _change_advance_by_resident(self, amount, date_from):
        """Let the advance that a resident chose hold, and confirm it by mail."""
        self.ensure_one()
        advance = self._set_advance(amount, date_from, "resident")
        if self.partner_id.email:
            self.env.ref("onergy_billing.mail_template_advance").send_mail(advance.id)
        return advance

    def _request_advance(self, amount):
        """Turn a wish that is out of bounds into a request for customer service."""
        self.ensure_one()
        text = self.env._(
            "The resident wants to pay %(amount)s a month.",
            amount=format_amount(self.env, amount, self.currency_id),
        )
        return self.env["onergy.request"].create(
            {
                "subject": self.env._("Other monthly advance"),
                "description": plaintext2html(text),
                "category": "advance",
                "channel": "portal",
                "partner_id": self.partner_id.id,
                "contract_id": self.id,
                "company_id": self.company_id.id,
                "date_deadline": self.env["onergy.request"]._get_deadline(
                    self.company_id
                ),
            }
        )
