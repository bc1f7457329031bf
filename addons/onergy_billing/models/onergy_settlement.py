from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

from dateutil.relativedelta import relativedelta

from odoo import Command, api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import formatLang

from ..engine import Bill, advance_advice, advance_band, difference
from ..report.onergy_settlement_due import DEADLINE_DAYS
from .onergy_settlement_calculator import Period

#: Days before the deadline from which it is near.
NEAR_DAYS = 14
#: Deviation from the corrected use of a year before that is worth a look, percent.
USE_DEVIATION = 50
#: Part of the use that was not measured and is worth a look, percent.
CALCULATED_SHARE = 25
#: Homes that an average is taken over at least, so that it tells of nobody.
MIN_HOMES = 10

#: What the batch jobs leave out: nobody follows a bill, its history is its lines.
QUIET = {
    "tracking_disable": True,
    "mail_create_nolog": True,
    "mail_create_nosubscribe": True,
    "mail_notrack": True,
    "mail_activity_automation_skip": True,
}


class OnergySettlement(models.Model):
    """What a contract owes for a period, frozen with all that it was made of.

    A correction is a settlement of its own that holds the difference only and refers
    to the original one.
    """

    _name = "onergy.settlement"
    _description = "Settlement"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _check_company_auto = True
    _order = "date_to desc, contract_id, id desc"
    _rec_names_search = ["contract_id", "partner_id"]

    run_id = fields.Many2one(
        "onergy.settlement.run", index=True, ondelete="restrict", check_company=True
    )
    contract_id = fields.Many2one(
        "onergy.contract",
        required=True,
        readonly=True,
        index=True,
        ondelete="restrict",
        check_company=True,
    )
    connection_id = fields.Many2one(
        related="contract_id.connection_id", store=True, index=True
    )
    complex_id = fields.Many2one(
        related="contract_id.complex_id", store=True, index=True
    )
    company_id = fields.Many2one(
        related="contract_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    partner_id = fields.Many2one(
        "res.partner", "Payer", required=True, readonly=True, index=True
    )
    date_from = fields.Date("From", required=True, readonly=True)
    date_to = fields.Date("Until", required=True, readonly=True)
    is_final = fields.Boolean(
        "Final bill", readonly=True, help="The contract ended with this period."
    )
    state = fields.Selection(
        [
            ("blocked", "Cannot be billed"),
            ("ready", "Ready"),
            ("posted", "Posted"),
            ("cancelled", "Cancelled"),
        ],
        required=True,
        readonly=True,
        index=True,
        default="blocked",
        tracking=True,
    )
    errors = fields.Text("What is missing", readonly=True)
    warnings = fields.Text("Worth a look", readonly=True)
    original_id = fields.Many2one(
        "onergy.settlement",
        "Corrects",
        readonly=True,
        index="btree_not_null",
        ondelete="restrict",
    )
    correction_ids = fields.One2many(
        "onergy.settlement", "original_id", "Corrections", readonly=True
    )
    line_ids = fields.One2many(
        "onergy.settlement.line", "settlement_id", "Lines", readonly=True
    )
    reading_ids = fields.One2many(
        "onergy.settlement.reading", "settlement_id", "Readings", readonly=True
    )
    advance_ids = fields.One2many(
        "onergy.settlement.advance", "settlement_id", "Advances", readonly=True
    )
    outage_payment_ids = fields.One2many(
        "onergy.outage.payment", "settlement_id", "Outages", readonly=True
    )
    snapshot = fields.Json(readonly=True, export_string_translation=False)
    amount_supply = fields.Monetary("Supply incl. VAT", readonly=True)
    amount_advances = fields.Monetary("Advances invoiced", readonly=True)
    amount_compensation = fields.Monetary("Compensation", readonly=True)
    amount_total = fields.Monetary("To pay", readonly=True)
    amount_net = fields.Monetary("To pay without VAT", readonly=True)
    amount_vat = fields.Monetary("VAT", readonly=True)
    vat_supply = fields.Monetary("VAT on the supply", readonly=True)
    vat_advances = fields.Monetary("VAT on the advances", readonly=True)
    use = fields.Float("Use (GJ)", digits=(16, 3), readonly=True)
    use_before = fields.Float(
        "Use a year before (GJ)",
        digits=(16, 3),
        readonly=True,
        help="Of the same days a year before, as if the weather had been the same.",
    )
    use_average = fields.Float(
        "Average use (GJ)",
        digits=(16, 3),
        readonly=True,
        help="Of homes of the same kind in the complex.",
    )
    use_change = fields.Float("Change (%)", digits=(8, 1), readonly=True)
    calculated_share = fields.Float(
        "Not measured (%)", digits=(5, 1), readonly=True, aggregator="avg"
    )
    advance_advice = fields.Monetary("Advised advance", readonly=True)
    move_id = fields.Many2one(
        "account.move", "Invoice", readonly=True, index="btree_not_null", copy=False
    )
    deadline = fields.Date(
        "Bill before", compute="_compute_deadline", store=True, index=True
    )
    deadline_state = fields.Selection(
        [("done", "Done"), ("ok", "In time"), ("near", "Near"), ("late", "Late")],
        "Deadline",
        compute="_compute_deadline_state",
        search="_search_deadline_state",
    )

    # int4range with && stands for "the same contract" without an extension.
    _no_overlap = models.Constraint(
        "EXCLUDE USING gist ("
        "int4range(contract_id, contract_id, '[]') WITH &&, "
        "daterange(date_from, date_to, '[]') WITH &&) "
        "WHERE (original_id IS NULL AND state <> 'cancelled')",
        "These days of this contract were settled already.",
    )
    _one_open_correction = models.UniqueIndex(
        "(original_id) WHERE state IN ('ready', 'blocked')",
        "A correction of this settlement is waiting to be posted.",
    )

    # -- computes ------------------------------------------------------------------

    @api.depends("contract_id.name", "date_from", "date_to")
    def _compute_display_name(self):
        for record in self:
            record.display_name = (
                f"{record.contract_id.name} {record.date_from} – {record.date_to}"
            )

    @api.depends("date_to")
    def _compute_deadline(self):
        for record in self:
            record.deadline = record.date_to and record.date_to + timedelta(
                days=DEADLINE_DAYS
            )

    @api.depends("deadline", "state")
    def _compute_deadline_state(self):
        today = fields.Date.context_today(self)
        for record in self:
            if record.state in ("posted", "cancelled") or record.original_id:
                record.deadline_state = "done"
            elif record.deadline < today:
                record.deadline_state = "late"
            elif record.deadline < today + timedelta(days=NEAR_DAYS):
                record.deadline_state = "near"
            else:
                record.deadline_state = "ok"

    def _search_deadline_state(self, operator, value):
        if operator != "in":
            return NotImplemented
        today = fields.Date.context_today(self)
        near = today + timedelta(days=NEAR_DAYS)
        waiting = Domain("state", "in", ("blocked", "ready")) & Domain(
            "original_id", "=", False
        )
        domains = {
            "done": ~waiting,
            "late": waiting & Domain("deadline", "<", today),
            "near": waiting
            & Domain("deadline", ">=", today)
            & Domain("deadline", "<", near),
            "ok": waiting & Domain("deadline", ">=", near),
        }
        return Domain.OR(domains[state] for state in value if state in domains)

    # -- calculation ---------------------------------------------------------------

    @api.model
    def _create_for_periods(self, run, periods):
        """Work out and keep the settlements of some periods.

        :param periods: list of :class:`~.onergy_settlement_calculator.Period`
        """
        calculator = self.env["onergy.settlement.calculator"]
        results = calculator._calculate(periods)
        before = calculator._get_comparisons(periods)
        average = self._get_averages(periods)
        outages = self.env["onergy.outage"]._get_due_payments(periods)
        records = self.with_context(**QUIET).create(
            [
                self._prepare_settlement(
                    run, result, before.get(i), average.get(i), outages.get(i, [])
                )
                for i, result in enumerate(results)
            ]
        )
        return records

    def _prepare_settlement(self, run, result, before, average, outages):
        period, contract = result.period, result.period.contract
        values = {
            "run_id": run.id,
            "contract_id": contract.id,
            "partner_id": contract.partner_id.id,
            "date_from": period.start,
            "date_to": period.end,
            "is_final": contract.date_end == period.end,
            "snapshot": result.snapshot,
            "state": "blocked" if result.errors else "ready",
            "errors": "\n".join(result.errors),
        }
        if result.errors:
            return values
        bill = Bill(
            result.bill.lines,
            result.bill.advances,
            sum((amount for _outage, amount in outages), Decimal(0)),
        )
        values.update(self._prepare_amounts(bill))
        values.update(self._prepare_use(bill, before, average))
        values.update(
            line_ids=self._prepare_lines(bill),
            reading_ids=[
                Command.create(
                    {
                        "sequence": sequence,
                        "component": component,
                        "serial": mark.serial,
                        "day": mark.day,
                        "value": float(mark.value),
                        "basis": mark.basis,
                        "origin": mark.origin or False,
                    }
                )
                for sequence, (component, mark) in enumerate(result.marks)
            ],
            advance_ids=[
                Command.create(
                    {
                        "move_id": move_id,
                        "date": day,
                        "amount": float(net + tax),
                        "net": float(net),
                        "vat_amount": float(tax),
                        "vat_rate": float(rate),
                    }
                )
                for move_id, rate, day, net, tax in result.advances
            ],
            outage_payment_ids=[
                Command.create(
                    {
                        "outage_id": outage.id,
                        "contract_id": contract.id,
                        "amount": float(amount),
                    }
                )
                for outage, amount in outages
            ],
            advance_advice=float(self._get_advice(contract, period, bill)),
        )
        values["warnings"] = "\n".join(self._get_warnings(values))
        return values

    @api.model
    def _prepare_amounts(self, bill):
        return {
            "amount_supply": float(bill.supply_total),
            "amount_advances": float(bill.advance_total),
            "amount_compensation": float(bill.compensation),
            "amount_total": float(bill.total),
            "amount_net": float(bill.net),
            "amount_vat": float(bill.vat),
            "vat_supply": float(sum(part.vat for part in bill.supply)),
            "vat_advances": float(sum(part.vat for part in bill.invoiced)),
        }

    @api.model
    def _prepare_lines(self, bill):
        Line = self.env["onergy.settlement.line"]
        return [
            Command.create(Line._prepare_values(line, vat, sequence))
            for sequence, (line, vat) in enumerate(
                zip(bill.lines, bill.line_vat(), strict=True)
            )
        ]

    @api.model
    def _prepare_use(self, bill, before, average):
        heat = [
            line for line in bill.lines if (line.component, line.unit) == ("heat", "gj")
        ]
        use = sum((line.quantity for line in heat), Decimal(0))
        loose = sum(line.quantity for line in heat if line.basis != "measured")
        return {
            "use": float(use),
            "use_before": float(before or 0),
            "use_average": float(average or 0),
            "use_change": float(100 * (use - before) / before) if before else 0.0,
            "calculated_share": float(100 * loose / use) if use else 0.0,
        }

    def _get_warnings(self, values):
        """What a person should look at before this is posted."""
        warnings = []
        if values["use_before"] and abs(values["use_change"]) > USE_DEVIATION:
            warnings.append(
                self.env._(
                    "Use is %(change)s %% off that of a year before.",
                    change=round(values["use_change"]),
                )
            )
        if values["calculated_share"] > CALCULATED_SHARE:
            warnings.append(
                self.env._(
                    "%(share)s %% of the use lies in periods with a worked out "
                    "reading.",
                    share=round(values["calculated_share"]),
                )
            )
        if values["use"] < 0:
            warnings.append(self.env._("Use is negative."))
        if values["amount_total"] < 0:
            warnings.append(self.env._("The resident gets money back."))
        return warnings

    def _get_averages(self, periods):
        """Average use of homes of the same kind in the complex, per period.

        :return: {index: GJ}; nothing where fewer than ten homes are known
        """
        self.env["onergy.consumption.day"].flush_model()
        cache = {}
        result = {}
        for index, period in enumerate(periods):
            contract = period.contract
            key = (contract.complex_id.id, period.start, period.end)
            if key not in cache:
                cache[key] = self._query_averages(*key)
            result[index] = cache[key].get(contract.connection_id.dwelling_type)
        return result

    def _query_averages(self, complex_id, start, end):
        """{dwelling type: GJ} of the homes with a value for each day."""
        self.env.cr.execute(
            """
            SELECT dwelling_type, avg(use)::text
              FROM (
                SELECT c.id, c.dwelling_type, sum(d.quantity) AS use
                  FROM onergy_connection c
                  JOIN onergy_meter_placement p ON p.connection_id = c.id
                  JOIN onergy_consumption_day d
                    ON d.meter_id = p.meter_id AND d.register = 'energy'
                   AND d.connection_id = c.id AND d.day BETWEEN %s AND %s
                 WHERE c.complex_id = %s
                 GROUP BY c.id
                HAVING count(DISTINCT d.day) = %s
              ) homes
             GROUP BY dwelling_type HAVING count(*) >= %s
            """,
            (start, end, complex_id, (end - start).days + 1, MIN_HOMES),
        )
        return {kind: Decimal(use) for kind, use in self.env.cr.fetchall()}

    def _get_advice(self, contract, period, bill):
        """Advance that a year like this one takes, at the prices that hold now."""
        days = (period.end - period.start).days + 1
        use = defaultdict(Decimal)
        for line in bill.lines:
            if line.unit == "gj":
                use[line.component] += line.quantity
        if contract.date_end or days < 300:
            # Too short to tell a year; the forecast of the contract is better.
            return Decimal(0)
        end = period.end + timedelta(days=1)
        year_days = (end - (end - relativedelta(years=1))).days
        use = {name: value * year_days / days for name, value in use.items()}
        return advance_advice(use, contract._get_current_prices(period.end))

    # -- correction ----------------------------------------------------------------

    def _get_billed_lines(self):
        """Lines of the original and of all corrections that were posted."""
        self.ensure_one()
        posted = self | self.correction_ids.filtered(lambda s: s.state == "posted")
        return posted.line_ids._to_engine()

    def _create_corrections(self, run, with_readings):
        """Make the difference between what was billed and what should be.

        Nothing is made where nothing differs, so that doing it twice does it once.

        :param with_readings: use the readings as they are now, not as they were
        """
        originals = self.filtered(
            lambda s: (
                s.state == "posted"
                and not s.original_id
                and not s.correction_ids.filtered(
                    lambda c: c.state in ("ready", "blocked")
                )
            )
        )
        periods = [
            Period(
                s.contract_id,
                s.date_from,
                s.date_to,
                None if with_readings else s.snapshot,
            )
            for s in originals
        ]
        results = self.env["onergy.settlement.calculator"]._calculate(
            periods, with_advances=False
        )
        values = []
        for original, result in zip(originals, results, strict=True):
            vals = self._prepare_correction(run, original, result)
            if vals:
                values.append(vals)
        return self.with_context(**QUIET).create(values)

    def _prepare_correction(self, run, original, result):
        vals = {
            "run_id": run.id,
            "original_id": original.id,
            "contract_id": original.contract_id.id,
            "partner_id": original.partner_id.id,
            "date_from": original.date_from,
            "date_to": original.date_to,
            "is_final": original.is_final,
            "snapshot": result.snapshot,
        }
        if result.errors:
            return {**vals, "state": "blocked", "errors": "\n".join(result.errors)}
        lines = difference(result.bill.lines, original._get_billed_lines())
        if not lines:
            return None
        bill = Bill(tuple(lines))
        return {
            **vals,
            "state": "ready",
            "use": float(sum(line.quantity for line in lines if line.unit == "gj")),
            **self._prepare_amounts(bill),
            "line_ids": self._prepare_lines(bill),
        }

    # -- posting -------------------------------------------------------------------

    def _post_batch(self, invoice_date):
        """Turn settlements that are ready into posted invoices, all or none."""
        settlements = self.filtered(lambda s: s.state == "ready" and not s.move_id)
        if not settlements:
            return self.env["account.move"]
        Move = self.env["account.move"].with_context(**QUIET)
        taxes, products = settlements._get_taxes(), settlements._get_products()
        values = []
        for lang, group in settlements.grouped(lambda s: s.partner_id.lang).items():
            values += [
                s._prepare_move(invoice_date, taxes, products)
                for s in group.with_context(lang=lang or self.env.lang)
            ]
        moves = Move.create(values)
        moves._post(soft=False)
        by_contract = {move.onergy_contract_id: move for move in moves}
        if len(by_contract) < len(moves):
            raise UserError(self.env._("A contract has two settlements in one batch."))
        for settlement in settlements:
            settlement.with_context(**QUIET).move_id = by_contract[
                settlement.contract_id
            ]
        settlements.with_context(**QUIET).write({"state": "posted"})
        settlements.advance_ids.write({"is_final": True})
        return moves

    def _get_taxes(self):
        """{(VAT in percent, is a refund): (tax, values of a line)} for all rates."""
        Rate = self.env["onergy.vat.rate"]
        rates = set(self.line_ids.mapped("vat_rate"))
        rates |= set(self.advance_ids.mapped("vat_rate"))
        result = {}
        for rate in rates:
            tax = Rate._get_tax(self.company_id, rate)
            for is_refund in (False, True):
                values = Rate._prepare_line_taxes(tax, is_refund)
                result[rate, is_refund] = (tax, values)
        return result

    def _get_products(self):
        """{component, ``advance`` or ``compensation``: product id}"""
        names = {*self.line_ids.mapped("component"), "advance", "compensation"}
        return {
            name: self.env.ref(f"onergy_billing.product_{name}").id for name in names
        }

    def _prepare_move(self, invoice_date, taxes, products):
        self.ensure_one()
        contract = self.contract_id
        is_refund = self.amount_total < 0
        sign = -1 if is_refund else 1
        return {
            "move_type": "out_refund" if is_refund else "out_invoice",
            "company_id": self.company_id.id,
            "partner_id": self.partner_id.id,
            "invoice_date": invoice_date,
            "invoice_date_due": contract._get_due_date(invoice_date),
            "invoice_payment_term_id": False,
            "onergy_contract_id": contract.id,
            "onergy_move_kind": "settlement",
            "reversed_entry_id": self.original_id.move_id.id if is_refund else False,
            "invoice_line_ids": [
                Command.create(vals)
                for vals in (
                    *self._prepare_supply_lines(taxes, products, sign),
                    *self._prepare_advance_lines(taxes, products, sign),
                    *self._prepare_compensation_lines(products, sign),
                )
            ],
        }

    def _prepare_supply_lines(self, taxes, products, sign):
        for line in self.line_ids:
            yield {
                "product_id": products[line.component],
                "name": line._get_text(),
                **self._prepare_price(
                    sign * line.amount,
                    sign * line.vat_amount,
                    *taxes[line.vat_rate, sign < 0],
                ),
            }

    def _prepare_advance_lines(self, taxes, products, sign):
        for rate, advances in self.advance_ids.grouped("vat_rate").items():
            yield {
                "product_id": products["advance"],
                "name": self.env._(
                    "Advances that you were billed for: %(count)s", count=len(advances)
                ),
                **self._prepare_price(
                    -sign * self.currency_id.round(sum(advances.mapped("amount"))),
                    -sign * self.currency_id.round(sum(advances.mapped("vat_amount"))),
                    *taxes[rate, sign < 0],
                ),
            }

    def _prepare_compensation_lines(self, products, sign):
        for payment in self.outage_payment_ids:
            yield {
                "product_id": products["compensation"],
                "name": payment.outage_id._get_text(),
                "quantity": 1,
                "price_unit": -sign * payment.amount,
                "tax_ids": [Command.clear()],
            }

    def _prepare_price(self, amount, vat, tax, taxes):
        """Price of an invoice line with the VAT that was worked out for it.

        Odoo would take VAT of what is left to pay; the law takes that of the supply
        less that of the advances, which may differ by cents. ``extra_tax_data`` is
        Odoo's own way to give the tax of a line.
        """
        net = self.currency_id.round(amount - vat)
        return {
            "quantity": 1,
            "price_unit": amount,
            **taxes,
            "extra_tax_data": {
                "currency_id": self.currency_id.id,
                "price_unit": amount,
                "quantity": 1,
                "discount": 0,
                "rate": 1.0,
                "manual_total_excluded_currency": net,
                "manual_total_excluded": net,
                "manual_tax_amounts": {
                    str(tax.id): {
                        "base_amount_currency": net,
                        "base_amount": net,
                        "tax_amount_currency": vat,
                        "tax_amount": vat,
                    }
                },
            },
        }

    # -- actions -------------------------------------------------------------------

    def action_recalculate(self):
        """Throw away what was worked out and do it again."""
        if set(self.mapped("state")) & {"posted", "cancelled"}:
            raise UserError(
                self.env._(
                    "A posted settlement stays as it is. Make a correction instead."
                )
            )
        for run, settlements in self.grouped("run_id").items():
            run._check_not_approved()
            originals = settlements.original_id
            periods = [
                Period(s.contract_id, s.date_from, s.date_to)
                for s in settlements
                if not s.original_id
            ]
            settlements.sudo().unlink()  # sudo: clerks replace, they do not delete
            self._create_for_periods(run, periods)
            originals._create_corrections(run, run.with_readings)
        return {"type": "ir.actions.client", "tag": "soft_reload"}

    def action_cancel(self):
        """Leave these out of the run; their period becomes due again."""
        if "posted" in self.mapped("state"):
            raise UserError(
                self.env._(
                    "A posted settlement stays as it is. Make a correction instead."
                )
            )
        self.outage_payment_ids.unlink()
        self.write({"state": "cancelled"})

    def action_open_move(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "account.move",
            "res_id": self.move_id.id,
            "view_mode": "form",
        }

    @api.ondelete(at_uninstall=False)
    def _unlink_except_posted(self):
        if "posted" in self.mapped("state"):
            raise UserError(self.env._("A posted settlement cannot be deleted."))

    # -- the bill ------------------------------------------------------------------

    def _get_years(self):
        """Lines per calendar year: list of (year, lines)."""
        self.ensure_one()
        return sorted(self.line_ids.grouped(lambda ln: ln.date_from.year).items())

    def _get_vat_parts(self):
        """VAT of the bill by rate: list of dicts with rate, total, net and vat."""
        self.ensure_one()
        parts = defaultdict(lambda: [0.0, 0.0])
        for line in self.line_ids:
            parts[line.vat_rate][0] += line.amount
            parts[line.vat_rate][1] += line.vat_amount
        for advance in self.advance_ids:
            parts[advance.vat_rate][0] -= advance.amount
            parts[advance.vat_rate][1] -= advance.vat_amount
        rounded = self.currency_id.round
        return [
            {
                "rate": rate,
                "total": rounded(total),
                "net": rounded(total - vat),
                "vat": rounded(vat),
            }
            for rate, (total, vat) in sorted(parts.items())
        ]

    def _get_advance_groups(self):
        """Advances of the same amount together: list of (count, amount, total)."""
        self.ensure_one()
        groups = self.advance_ids.grouped("amount")
        return [
            (len(group), amount, self.currency_id.round(len(group) * amount))
            for amount, group in groups.items()
        ]

    def _get_advance_band(self):
        """(lowest, highest) advance that may be chosen on the portal."""
        self.ensure_one()
        exact = self.env["onergy.tariff"]._to_decimal
        return advance_band(
            exact(self.advance_advice, 2),
            Decimal(self.company_id.onergy_advance_below),
            Decimal(self.company_id.onergy_advance_above),
        )

    def _get_use_text(self, name):
        self.ensure_one()
        return formatLang(self.env, self[name], digits=3 if name == "use" else 1)

    def _has_exchange(self):
        """Whether more than one meter of a kind counted in this period."""
        self.ensure_one()
        return any(
            len(set(group.mapped("serial"))) > 1
            for group in self.reading_ids.grouped("component").values()
        )

    def _get_next_advance(self):
        """The advance that this settlement brought, empty if it brought none."""
        self.ensure_one()
        if not self.move_id.invoice_date:
            return self.env["onergy.advance"]
        return self.contract_id.advance_ids.filtered(
            lambda a: (
                a.origin == "settlement" and a.date_from > self.move_id.invoice_date
            )
        ).sorted("date_from")[:1]
