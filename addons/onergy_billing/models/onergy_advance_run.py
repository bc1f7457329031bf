from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL, format_date

from ..engine import net_of
from .onergy_billing_run import BATCH


class OnergyAdvanceRun(models.Model):
    """The advances of one month: looked at, approved and invoiced in batches."""

    _name = "onergy.advance.run"
    _description = "Advance run"
    _inherit = ["onergy.billing.run"]
    _order = "month desc, id desc"

    _run_cron = "onergy_billing.ir_cron_advance"

    name = fields.Char(compute="_compute_name", store=True)
    month = fields.Date(
        required=True,
        default=lambda self: self._default_month(),
        tracking=True,
        help="The month that the advance is for.",
    )
    date_transfer = fields.Date("Transfers due on", compute="_compute_dates")
    date_debit = fields.Date(
        "Collected from",
        compute="_compute_dates",
        help="A direct debit is announced with the invoice; this is the first day on "
        "which the bank may collect.",
    )
    line_ids = fields.One2many("onergy.advance.run.line", "run_id", copy=False)
    line_count = fields.Integer("Contracts", compute="_compute_counts")
    exception_count = fields.Integer("Exceptions", compute="_compute_counts")
    posted_count = fields.Integer("Invoiced", compute="_compute_counts")
    amount_total = fields.Monetary("Total", compute="_compute_counts")

    def _default_month(self):
        return fields.Date.context_today(self) + relativedelta(months=1, day=1)

    @api.depends("month")
    def _compute_name(self):
        for run in self:
            run.name = run.month and format_date(
                self.env, run.month, date_format="MMMM y"
            )

    @api.depends("invoice_date", "company_id")
    def _compute_dates(self):
        day = relativedelta(days=1)
        for run in self:
            company = run.company_id
            start = run.invoice_date
            run.date_transfer = start and start + company.onergy_due_days * day
            run.date_debit = start and start + company.onergy_prenotification_days * day

    @api.depends("line_ids.state", "line_ids.amount")
    def _compute_counts(self):
        groups = self.env["onergy.advance.run.line"]._read_group(
            [("run_id", "in", self.ids)],
            ["run_id", "state"],
            ["__count", "amount:sum"],
        )
        counts = {(run, state): (n, total) for run, state, n, total in groups}
        for run in self:
            ready, skipped, posted = (
                counts.get((run, state), (0, 0.0))
                for state in ("ready", "exception", "posted")
            )
            run.line_count = ready[0] + skipped[0] + posted[0]
            run.exception_count = skipped[0]
            run.posted_count = posted[0]
            run.amount_total = ready[1] + posted[1]

    @api.constrains("month")
    def _check_month(self):
        for run in self:
            if run.month.day != 1:
                raise UserError(self.env._("Choose the first day of a month."))

    @api.onchange("month")
    def _onchange_month(self):
        if self.month:
            self.month = self.month.replace(day=1)

    # -- steps ---------------------------------------------------------------------

    def action_preview(self):
        """List what would be invoiced, and why not."""
        self._check_not_approved()
        for run in self:
            run._write_step({"state": "checked", "prepared_by_id": self.env.uid})
            lines = run.line_ids.sudo()  # sudo: nobody writes these by hand
            lines.unlink()
            lines.create(run._prepare_lines())

    def _prepare_lines(self):
        self.ensure_one()
        domain = (
            Domain("company_id", "=", self.company_id.id)
            & Domain("date_start", "<", self.month + relativedelta(months=1))
            & (Domain("date_end", "=", False) | Domain("date_end", ">=", self.month))
        )
        if self.complex_ids:
            domain &= Domain("complex_id", "in", self.complex_ids.ids)
        contracts = self.env["onergy.contract"].search(domain)
        invoiced = self._get_invoiced(contracts)
        amounts = self._get_amounts(contracts)
        settled = self._get_settled(contracts)
        values = []
        for contract in contracts:
            if contract.id in invoiced:
                continue
            amount = amounts.get(contract.id)
            reason = self._get_exception(contract, amount, settled)
            values.append(
                {
                    "run_id": self.id,
                    "contract_id": contract.id,
                    "amount": amount or 0.0,
                    "state": "exception" if reason else "ready",
                    "reason": reason,
                }
            )
        return values

    def _get_exception(self, contract, amount, settled):
        """Why a contract gets no invoice, or nothing."""
        if contract.id in settled:
            return self._get_settled_reason()
        if contract.date_start > self.month:
            return self.env._(
                "Starts during this month; the first advance is that of the next one."
            )
        if amount is None:
            return self.env._("There is no advance yet. Agree on one first.")
        if not amount:
            return self.env._("The advance is zero.")
        if contract.payment_method == "direct_debit" and not contract.bank_account_id:
            return self.env._("Pays by direct debit, but has no bank account.")
        return False

    def _get_amounts(self, contracts):
        """{contract id: advance that holds in this month}"""
        self.env["onergy.advance"].flush_model()
        return dict(
            self.env.execute_query(
                SQL(
                    "SELECT DISTINCT ON (contract_id) contract_id, amount "
                    "FROM onergy_advance "
                    "WHERE contract_id = ANY(%s) AND date_from <= %s "
                    "ORDER BY contract_id, date_from DESC",
                    contracts.ids,
                    self.month,
                )
            )
        )

    def _get_settled(self, contracts):
        """Ids of contracts of which this month is on a yearly or final bill."""
        self.env["onergy.settlement"].flush_model()
        return {
            contract_id
            for (contract_id,) in self.env.execute_query(
                SQL(
                    """
                    SELECT DISTINCT contract_id FROM onergy_settlement
                     WHERE contract_id = ANY(%(ids)s) AND original_id IS NULL
                       AND state IN ('ready', 'posted') AND part <> 'owner'
                       AND %(month)s BETWEEN date_from AND date_to
                    """,
                    ids=contracts.ids,
                    month=self.month,
                )
            )
        }

    def _get_settled_reason(self):
        return self.env._("The bill of this month was made already.")

    def _get_invoiced(self, contracts):
        """Ids of contracts with an advance invoice for this month, draft or posted."""
        self.env["account.move"].flush_model()
        return {
            contract_id
            for (contract_id,) in self.env.execute_query(
                SQL(
                    """
                    SELECT DISTINCT onergy_contract_id FROM account_move
                     WHERE onergy_contract_id = ANY(%(ids)s)
                       AND onergy_move_kind = 'advance'
                       AND move_type = 'out_invoice' AND state <> 'cancel'
                       AND date_trunc('month', COALESCE(
                           onergy_advance_month, invoice_date)) = %(month)s
                    """,
                    ids=contracts.ids,
                    month=self.month,
                )
            )
        }

    def action_view_lines(self):
        self.ensure_one()
        action = self.env["ir.actions.actions"]._for_xml_id(
            "onergy_billing.action_onergy_advance_run_line"
        )
        return {
            **action,
            "domain": [("run_id", "=", self.id)],
            "context": self.env.context.get("line_filter", {}),
        }

    def action_view_invoices(self):
        self.ensure_one()
        action = self.env["ir.actions.actions"]._for_xml_id(
            "account.action_move_out_invoice_type"
        )
        return {**action, "domain": [("id", "in", self.line_ids.move_id.ids)]}

    # -- job -----------------------------------------------------------------------

    def _get_ready_count(self):
        return self.line_ids.search_count(
            [("run_id", "=", self.id), ("state", "=", "ready")]
        )

    def _get_posted_count(self):
        return self.posted_count

    def _get_next_batch(self):
        return self.line_ids.search(
            [("run_id", "=", self.id), ("state", "=", "ready")], order="id", limit=BATCH
        )

    def _set_aside(self, item, reason):
        item.write({"state": "exception", "reason": reason})

    def _post_items(self, items):
        """Invoice lines, but for those that were billed in the meantime."""
        invoiced = self._get_invoiced(items.contract_id)
        doubles = items.filtered(lambda line: line.contract_id.id in invoiced)
        self._set_aside(doubles, self.env._("Was invoiced in the meantime."))
        items -= doubles
        settled = self._get_settled(items.contract_id)
        late = items.filtered(lambda line: line.contract_id.id in settled)
        self._set_aside(late, self._get_settled_reason())
        items -= late
        self._post_lines(items - self._set_changed_aside(items))

    def _set_changed_aside(self, items):
        """Take out what would be invoiced at an advance that holds no longer."""
        amounts = self._get_amounts(items.contract_id)
        changed = items.filtered(
            lambda line: self.currency_id.compare_amounts(
                line.amount, amounts.get(line.contract_id.id) or 0.0
            )
        )
        self._set_aside(
            changed,
            self.env._(
                "The advance was changed after this list was made. Make a new list of "
                "this month."
            ),
        )
        return changed

    def _post_lines(self, lines):
        if not lines:
            return
        vat = self.env["onergy.vat.rate"]._get_timelines()["heat"].at(self.month)
        tax = self.env["onergy.vat.rate"]._get_tax(self.company_id, vat)
        product = self.env.ref("onergy_billing.product_advance")
        month = {}
        for lang in {line.contract_id.partner_id.lang for line in lines}:
            env = self.with_context(lang=lang or self.env.lang).env
            month[lang] = env._(
                "Advance for heat, %(month)s",
                month=format_date(env, self.month, date_format="MMMM y"),
            )
        taxes = self.env["onergy.vat.rate"]._prepare_line_taxes(tax)
        values = [
            self._prepare_move(line, product, tax, taxes, month[line.partner_id.lang])
            for line in lines
        ]
        moves = self.env["account.move"]._onergy_create_posted(values)
        for line, move in zip(lines, moves, strict=True):
            line.move_id = move
        lines.state = "posted"

    def _prepare_move(self, line, product, tax, taxes, text):
        contract = line.contract_id
        exact = self.env["onergy.tariff"]._to_decimal(line.amount, 2)
        rate = self.env["onergy.tariff"]._to_decimal(tax.amount, 2)
        return {
            "move_type": "out_invoice",
            "company_id": self.company_id.id,
            "partner_id": contract.partner_id.id,
            "invoice_date": self.invoice_date,
            "invoice_date_due": contract._get_due_date(self.invoice_date),
            "invoice_payment_term_id": False,
            "onergy_contract_id": contract.id,
            "onergy_move_kind": "advance",
            "onergy_advance_month": self.month,
            "onergy_lines": [
                {
                    "product_id": product.id,
                    "name": f"{text}\n{contract.connection_id.name}",
                    "quantity": 1,
                    "price_unit": line.amount,
                    "onergy_tax": tax,
                    "onergy_vat": float(exact - net_of(exact, rate)),
                    **taxes,
                }
            ],
        }
