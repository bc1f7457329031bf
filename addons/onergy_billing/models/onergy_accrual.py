from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

from odoo import Command, api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import SQL, format_date

from ..engine import Bill
from .onergy_settlement_calculator import Period, Result

#: Contracts that are worked out at a time.
BATCH = 100


class OnergyAccrual(models.Model):
    """What was delivered and not yet settled on a day, and the entry for it.

    Advances are turnover when they are invoiced. On the last day of a book year each
    contract has therefore been invoiced too little or too much for what it was
    delivered; the yearly bill puts that right later. Until then an entry does, which
    is taken back on the next day.
    """

    _name = "onergy.accrual"
    _description = "Delivered and not yet settled"
    _inherit = ["mail.thread", "onergy.background.mixin"]
    _check_company_auto = True
    _order = "day desc, id desc"
    _rec_name = "day"
    _background_cron = "onergy_billing.ir_cron_accrual"

    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    day = fields.Date(
        "As of",
        required=True,
        tracking=True,
        default=lambda self: (
            fields.Date.context_today(self).replace(month=1, day=1) - timedelta(days=1)
        ),
    )
    line_ids = fields.One2many("onergy.accrual.line", "accrual_id", readonly=True)
    unknown_count = fields.Integer(compute="_compute_amounts")
    amount_delivered = fields.Monetary(
        "Delivered without VAT", compute="_compute_amounts"
    )
    amount_advances = fields.Monetary(
        "Advances invoiced without VAT", compute="_compute_amounts"
    )
    amount_to_receive = fields.Monetary("To be received", compute="_compute_amounts")
    amount_to_return = fields.Monetary(
        "Invoiced ahead", compute="_compute_amounts", help="More than was delivered."
    )
    journal_id = fields.Many2one(
        "account.journal",
        check_company=True,
        domain=[("type", "=", "general")],
        default=lambda self: self._get_last("journal_id"),
    )
    income_account_id = fields.Many2one(
        "account.account",
        "Account of the turnover",
        check_company=True,
        domain=[("account_type", "=like", "income%")],
        default=lambda self: self._get_last("income_account_id"),
    )
    asset_account_id = fields.Many2one(
        "account.account",
        "Account of what is to be settled",
        check_company=True,
        domain=[("account_type", "=", "asset_current")],
        default=lambda self: self._get_last("asset_account_id"),
        help="For contracts that were invoiced less than they were delivered.",
    )
    liability_account_id = fields.Many2one(
        "account.account",
        "Account of what was invoiced ahead",
        check_company=True,
        domain=[("account_type", "=", "liability_current")],
        default=lambda self: self._get_last("liability_account_id"),
        help="For contracts that were invoiced more than they were delivered.",
    )
    move_id = fields.Many2one(
        "account.move", "Entry", readonly=True, copy=False, check_company=True
    )
    reversal_id = fields.Many2one(
        "account.move", "Taken back by", readonly=True, copy=False, check_company=True
    )

    def _get_last(self, name):
        """The choice that was made the time before."""
        last = self.search(
            [("company_id", "=", self.env.company.id), (name, "!=", False)], limit=1
        )
        return last[name]

    @api.depends("day")
    def _compute_display_name(self):
        for record in self:
            record.display_name = self.env._(
                "Not yet settled on %(day)s",
                day=format_date(self.env, record.day) if record.day else "",
            )

    @api.depends("line_ids")
    def _compute_amounts(self):
        Line = self.env["onergy.accrual.line"]
        for record in self:
            own = [("accrual_id", "in", record.ids)]
            ((delivered, advances),) = Line._read_group(
                own, aggregates=["delivered:sum", "advances:sum"]
            )
            ((more,),) = Line._read_group(
                [*own, ("balance", ">", 0)], aggregates=["balance:sum"]
            )
            ((less,),) = Line._read_group(
                [*own, ("balance", "<", 0)], aggregates=["balance:sum"]
            )
            record.amount_delivered = delivered or 0.0
            record.amount_advances = advances or 0.0
            record.amount_to_receive = more or 0.0
            record.amount_to_return = -(less or 0.0)
            record.unknown_count = Line.search_count([*own, ("is_known", "=", False)])

    @api.constrains("day")
    def _check_day(self):
        if any(record.day > fields.Date.context_today(self) for record in self):
            raise ValidationError(
                self.env._("Nobody knows what will be delivered until a later day.")
            )

    def _prepare_queue(self):
        if any(record.move_id.state == "posted" for record in self):
            raise UserError(
                self.env._("The entry of this was posted. Make a new one instead.")
            )
        # sudo: accountants make these lists anew, they do not delete lines
        self.sudo().line_ids.unlink()
        return {**super()._prepare_queue(), "move_id": False, "reversal_id": False}

    # -- working out ---------------------------------------------------------------

    def _build(self):
        record = self.with_company(self.company_id).with_context(
            lang=self.user_id.lang or self.env.lang
        )
        # sudo: lines are made anew: a server that stopped may have left some behind
        self.sudo().line_ids.unlink()
        Line = record.env["onergy.accrual.line"]
        groups = record._get_periods(self.company_id, self.day)
        for start in range(0, len(groups), BATCH):
            batch = groups[start : start + BATCH]
            Line.create(
                [
                    self._prepare_line(values)
                    for values in record._work_out(sum(batch, []), self.day)
                ]
            )
            done = start + len(batch)
            record._tell(
                100 * done // len(groups),
                self.env._(
                    "%(done)s of %(total)s contracts", done=done, total=len(groups)
                ),
            )
        return {}

    def _prepare_line(self, values):
        """Values of a record: what is not a field, or not known, is left out."""
        fields_known = self.env["onergy.accrual.line"]._fields
        return {
            "accrual_id": self.id,
            **{
                name: value
                for name, value in values.items()
                if name in fields_known and value is not None
            },
        }

    @api.model
    def _get_periods(self, company, day):
        """What each contract was supplied with and not billed for on a day.

        These are the days after the last bill, and those of a bill that was credited as
        a whole and not made again by then. A period that ends before it begins is that
        of a contract to which nothing was delivered, but that was invoiced an advance:
        ahead of its start, say.

        :return: a list of :class:`~.onergy_settlement_calculator.Period` for each
            contract: advances are shared out among all periods of one
        """
        is_open = self.env["onergy.settlement.calculator"]._get_open_condition(day)
        rows = self.env.execute_query(
            SQL(
                """
                SELECT c.id, period.first, period.last, period.part
                  FROM onergy_contract c
                  JOIN res_company co ON co.id = c.company_id
                 CROSS JOIN LATERAL (
                    SELECT GREATEST(c.date_start, co.onergy_billing_start, (
                        SELECT max(s.date_to) + 1 FROM onergy_settlement s
                          JOIN account_move m ON m.id = s.move_id
                         WHERE s.contract_id = c.id AND s.state = 'posted'
                           AND s.part <> 'owner'
                           AND s.original_id IS NULL AND m.date <= %(day)s)) AS first,
                        LEAST(c.date_end, %(day)s) AS last, 'all' AS part
                     UNION ALL
                    SELECT s.date_from, s.date_to, s.part FROM onergy_settlement s
                     WHERE s.contract_id = c.id AND s.part <> 'owner'
                       AND %(is_unbilled)s
                 ) period
                 WHERE c.active AND c.company_id = %(company)s
                   AND (period.first <= period.last OR EXISTS (
                        SELECT 1 FROM account_move m
                         WHERE m.onergy_contract_id = c.id AND %(is_open)s))
                 ORDER BY c.id, period.first
                """,
                day=day,
                is_open=is_open,
                is_unbilled=self.env["onergy.settlement"]._get_unbilled_condition(day),
                company=company.id,
            )
        )
        contracts = self.env["onergy.contract"].browse([row[0] for row in rows])
        groups = defaultdict(list)
        for contract, (_id, start, end, part) in zip(contracts, rows, strict=True):
            groups[contract].append(Period(contract, start, end, part=part))
        for contract, group in groups.items():
            delivered = [period for period in group if period.start <= period.end]
            groups[contract] = delivered or group
        return list(groups.values())

    @api.model
    def _work_out(self, periods, day):
        """Values of the lines of some periods, without VAT, in Decimals.

        What was delivered is worked out like a bill, at the prices that are known
        now. Where that cannot be done it is ``None``: unknown is not zero.
        """
        results = self._get_results(periods, day)
        move_ids = [move for r in results for move, *_rest in r.advances]
        received = self._get_received(move_ids, day)
        lines = []
        for result in results:
            period, bill = result.period, result.bill
            is_delivered = period.start <= period.end
            advances = sum((net for *_rest, net, _vat in result.advances), Decimal(0))
            use = net = None
            if bill:
                net = sum((part.net for part in bill.supply), Decimal(0))
                use = self._get_use(result)
            lines.append(
                {
                    "contract_id": period.contract.id,
                    "date_from": period.start if is_delivered else None,
                    "date_to": period.end if is_delivered else None,
                    "use": use,
                    "delivered": net,
                    "advances": advances,
                    "received": sum(
                        (received[move] for move, *_rest in result.advances),
                        Decimal(0),
                    ),
                    "balance": None if net is None else net - advances,
                    "is_known": bool(bill),
                    "remark": "; ".join(result.errors),
                    "move_ids": [move for move, *_rest in result.advances],
                }
            )
        return lines

    def _get_use(self, result):
        """GJ that were delivered, by meter or as costs were shared out by."""
        if result.share:
            exact = self.env["onergy.tariff"]._to_decimal
            share = result.share
            return exact(share.use_heat, 3) + exact(share.use_cooling, 3)
        return sum(
            (line.quantity for line in result.bill.lines if line.unit == "gj"),
            Decimal(0),
        )

    def _get_results(self, periods, day):
        """Results of periods; where nothing was delivered, only with the advances."""
        calculator = self.env["onergy.settlement.calculator"]
        delivered = [p for p in periods if p.start <= p.end]
        idle = [p for p in periods if p.start > p.end]
        advances = calculator._get_advances(idle, day)
        return calculator._calculate(delivered, as_of=day) + [
            Result(period, bill=Bill(()), advances=advances[index])
            for index, period in enumerate(idle)
        ]

    def _get_received(self, move_ids, day):
        """{advance invoice: what was paid of it until a day, including VAT}"""
        rows = self.env.execute_query(
            SQL(
                "SELECT move_id, sum(balance - residual)::text FROM (%s AND "
                "l.move_id = ANY(%s)) items GROUP BY move_id",
                self.env["onergy.open.item"]._get_items(day),
                move_ids,
            )
        )
        received = dict.fromkeys(move_ids, Decimal(0))
        received.update((move_id, Decimal(amount)) for move_id, amount in rows)
        return received

    # -- entry ---------------------------------------------------------------------

    def action_post(self):
        """Post the entry on the day and the one that takes it back the day after."""
        for record in self:
            record._check_can_post()
            move = (
                self.env["account.move"]
                .with_company(record.company_id)
                .create(record._prepare_move())
            )
            move._post(soft=False)
            back = move._reverse_moves(
                [
                    {
                        "date": record.day + timedelta(days=1),
                        "ref": self.env._("Back: %(what)s", what=move.ref),
                    }
                ]
            )
            back._post(soft=False)
            record.write({"move_id": move.id, "reversal_id": back.id})
            record.message_post(body=self.env._("The entry was posted."))

    def _check_can_post(self):
        self.ensure_one()
        if self.state != "done":
            raise UserError(self.env._("Work it out first."))
        if self.move_id.state == "posted":
            raise UserError(self.env._("The entry was posted already."))
        needed = (
            "journal_id",
            "income_account_id",
            "asset_account_id",
            "liability_account_id",
        )
        missing = [
            self._fields[name]._description_string(self.env)
            for name in needed
            if not self[name]
        ]
        if missing:
            raise UserError(
                self.env._("Fill in first: %(fields)s.", fields=", ".join(missing))
            )
        if not self.amount_to_receive and not self.amount_to_return:
            raise UserError(self.env._("There is nothing to post."))

    def _prepare_move(self):
        self.ensure_one()
        lines = []
        for amount, account in (
            (self.amount_to_receive, self.asset_account_id),
            (-self.amount_to_return, self.liability_account_id),
        ):
            if not self.currency_id.is_zero(amount):
                lines += [(account, amount), (self.income_account_id, -amount)]
        return {
            "move_type": "entry",
            "date": self.day,
            "journal_id": self.journal_id.id,
            "ref": self.display_name,
            "line_ids": [
                Command.create(
                    {
                        "account_id": account.id,
                        "name": self.display_name,
                        "debit": max(amount, 0.0),
                        "credit": max(-amount, 0.0),
                    }
                )
                for account, amount in lines
            ],
        }

    def action_open_lines(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "onergy_billing.action_onergy_accrual_line"
        )
        return {**action, "domain": [("accrual_id", "=", self.id)]}

    def action_open_moves(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.display_name,
            "res_model": "account.move",
            "view_mode": "list,form",
            "domain": [("id", "in", (self.move_id | self.reversal_id).ids)],
        }
