from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import SQL, format_amount, plaintext2html

from ..engine import advance_advice, advance_band, year_cost
from ..engine.forecast import MONTHS
from .const import BILLING_GROUPS

#: Days of use that must be known to tell a year from them.
HISTORY_DAYS = 300


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

    # -- prices and forecast -------------------------------------------------------

    def _get_current_prices(self, day):
        """{component: tuple of Price} that hold for this contract on ``day``."""
        self.ensure_one()
        Tariff = self.env["onergy.tariff"]
        timelines = Tariff._get_price_timelines(
            self.connection_id,
            Tariff._get_tariffs(self.complex_id),
            self._get_parts()[0],
        )
        return {name: timeline.at(day, ()) for name, timeline in timelines.items()}

    def _get_forecasts(self, today=None):
        """Use of a year from now, per contract.

        From the contract's own last year, as it would have been in average weather;
        else the average of homes of the same kind; else nothing.

        :return: {contract: (GJ, basis)} with basis ``history`` or ``dwelling``
        """
        today = today or fields.Date.context_today(self)
        history = self._get_history(today)
        averages = self._get_dwelling_averages(today)
        result = {}
        for contract in self:
            average = averages.get(contract.connection_id.dwelling_type)
            if contract.id in history:
                result[contract] = (history[contract.id], "history")
            elif average is not None:
                result[contract] = (average, "dwelling")
        return result

    def _get_history(self, today):
        """{contract id: GJ of a year}, corrected to the average of known years."""
        first = today - relativedelta(years=1)
        self.env.flush_all()
        rows = self.env.execute_query(
            SQL(
                """
                SELECT c.id, x.weather_station, sum(d.quantity)::text,
                       count(DISTINCT d.day), min(d.day), max(d.day)
                  FROM onergy_contract c
                  JOIN onergy_complex x ON x.id = c.complex_id
                  JOIN onergy_meter_placement p ON p.connection_id = c.connection_id
                  JOIN onergy_consumption_day d
                    ON d.meter_id = p.meter_id AND d.register = 'energy'
                   AND d.connection_id = c.connection_id
                   AND d.day >= GREATEST(%(first)s, c.date_start) AND d.day < %(today)s
                 WHERE c.id = ANY(%(ids)s)
                 GROUP BY c.id, x.weather_station
                HAVING count(DISTINCT d.day) >= %(days)s
                """,
                first=first,
                today=today,
                ids=self.ids,
                days=HISTORY_DAYS,
            )
        )
        factors, result = {}, {}
        for contract_id, station, quantity, days, low, high in rows:
            key = (station, low, high)
            if key not in factors:
                factors[key] = self._get_normal_factor(station, low, high)
            factor = factors[key] or Decimal(365) / days
            use = Decimal(quantity) * factor
            result[contract_id] = use.quantize(Decimal("0.001"))
        return result

    def _get_cooling_uses(self, today=None):
        """{contract id: GJ of cooling in a year}, from the last year that is known.

        As it was: cooling does not follow the degree days of heating.
        """
        today = today or fields.Date.context_today(self)
        self.env.flush_all()
        rows = self.env.execute_query(
            SQL(
                """
                SELECT c.id, sum(d.quantity)::text, count(DISTINCT d.day)
                  FROM onergy_contract c
                  JOIN onergy_meter_placement p ON p.connection_id = c.connection_id
                  JOIN onergy_consumption_day d
                    ON d.meter_id = p.meter_id AND d.register = 'cooling'
                   AND d.connection_id = c.connection_id
                   AND d.day >= GREATEST(%(first)s, c.date_start) AND d.day < %(today)s
                 WHERE c.id = ANY(%(ids)s)
                 GROUP BY c.id
                HAVING count(DISTINCT d.day) >= %(days)s
                """,
                first=today - relativedelta(years=1),
                today=today,
                ids=self.ids,
                days=HISTORY_DAYS,
            )
        )
        return {
            contract_id: (Decimal(use) * 365 / days).quantize(Decimal("0.001"))
            for contract_id, use, days in rows
        }

    def _get_normal_factor(self, station, first, last):
        """Degree days of an average year over those of some days; None if unknown."""
        self.env["onergy.degree.day"].flush_model()
        ((actual, normal),) = self.env.execute_query(
            SQL(
                """
                SELECT (SELECT sum(weighted)::text FROM onergy_degree_day
                         WHERE station = %(station)s
                           AND date BETWEEN %(first)s AND %(last)s),
                       (SELECT avg(year)::text FROM (
                            SELECT sum(weighted) AS year FROM onergy_degree_day
                             WHERE station = %(station)s
                             GROUP BY extract(year FROM date)
                            HAVING count(*) >= 365) years)
                """,
                station=station,
                first=first,
                last=last,
            )
        )
        if not actual or not normal or not Decimal(actual):
            return None
        return Decimal(normal) / Decimal(actual)

    def _get_dwelling_averages(self, today):
        """{dwelling type: GJ a year} over homes of the company with a whole year."""
        rows = self.env.execute_query(
            SQL(
                """
                SELECT dwelling_type, avg(use)::text
                  FROM (
                    SELECT c.id, c.dwelling_type, sum(d.quantity) AS use
                      FROM onergy_connection c
                      JOIN onergy_meter_placement p ON p.connection_id = c.id
                      JOIN onergy_consumption_day d
                        ON d.meter_id = p.meter_id AND d.register = 'energy'
                       AND d.connection_id = c.id
                       AND d.day >= %s AND d.day < %s
                     WHERE c.company_id = ANY(%s)
                     GROUP BY c.id HAVING count(DISTINCT d.day) >= 350
                  ) homes
                 GROUP BY dwelling_type HAVING count(*) >= 10
                """,
                today - relativedelta(years=1),
                today,
                self.company_id.ids,
            )
        )
        return {kind: Decimal(use).quantize(Decimal("0.001")) for kind, use in rows}

    def _get_advance_advice(self, today=None):
        """What a resident may know about his advance.

        :return: dict with ``use`` (GJ), ``basis``, ``cost`` (a year), ``advice``,
            ``low`` and ``high`` (a month), all Decimal; empty when there is no forecast
            or no price
        """
        self.ensure_one()
        today = today or fields.Date.context_today(self)
        forecast = self._get_forecasts(today).get(self)
        if self.complex_id._is_by_costs():
            return self._get_cost_advices().get(self, {})
        prices = self._get_current_prices(today)
        if not forecast or not all(prices.values()):
            return {}
        cooling = self._get_cooling_uses(today).get(self.id)
        return self._prepare_advice(*forecast, prices, cooling)

    def _get_cost_advices(self):
        """What a year costs by the last bill of actual costs.

        :return: {contract: dict as of :meth:`_get_advance_advice`} with the basis
            ``costs``; nothing for a contract without such a bill of a whole year
        """
        bills = self.env["onergy.settlement"].search(
            [
                ("contract_id", "in", self.ids),
                ("state", "=", "posted"),
                ("original_id", "=", False),
                ("cost_share_id", "!=", False),
                ("advance_advice", ">", 0),
            ],
            order="date_to, id",
        )
        exact = self.env["onergy.tariff"]._to_decimal
        result = {}
        for bill in bills:  # the last one of a contract stands
            advice = exact(bill.advance_advice, 2)
            low, high = bill._get_advance_band()
            result[bill.contract_id] = {
                "use": exact(bill.use, 3),
                "basis": "costs",
                "cost": advice * MONTHS,
                "advice": advice,
                "low": low,
                "high": high,
            }
        return result

    def _prepare_advice(self, use, basis, prices, cooling=None):
        company = self.company_id
        uses = {"heat": use, "cooling": cooling or Decimal(0)}
        advice = advance_advice(uses, prices)
        low, high = advance_band(
            advice,
            Decimal(company.onergy_advance_below),
            Decimal(company.onergy_advance_above),
        )
        return {
            "use": use,
            "basis": basis,
            "cost": year_cost(uses, prices),
            "advice": advice,
            "low": low,
            "high": high,
        }

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
