from datetime import timedelta

from dateutil.relativedelta import relativedelta

from odoo import Command, models

INVOICED_MONTHS = 12
VAT_RATE = 21.0


class OnergyDemo(models.AbstractModel):
    """A year of advances, and what residents paid of them."""

    _inherit = "onergy.demo"

    def _load_invoices(self, contracts, today):
        """Invoice the advance of each month and book what residents paid."""
        rng = self._random("payments")
        product = self._load_product()
        late = self._choose_late_payers(contracts, rng)
        for months_ago in reversed(range(INVOICED_MONTHS)):
            month = today.replace(day=1) - relativedelta(months=months_ago)
            due = contracts.filtered(
                lambda c, day=month: (
                    c.date_start <= day and (not c.date_end or c.date_end >= day)
                )
            )
            invoices = self.env["account.move"].create(
                [self._prepare_invoice(contract, month, product) for contract in due]
            )
            invoices._post(soft=False)
            self._load_payments(invoices, months_ago, late, today, rng)
            self._analyze_ledger()

    def _analyze_ledger(self):
        """Tell the planner how the ledger grew.

        No other process can: all is loaded in one transaction. Without it the query
        for the payments of an invoice compares each receipt with each line.
        """
        self.env.flush_all()
        self.env.cr.execute(
            "ANALYZE account_move, account_move_line, account_payment,"
            " account_partial_reconcile"
        )

    def _load_product(self):
        """Return the product of an advance, priced with VAT as residents see it."""
        tax = self._get_tax_included()
        return self.env["product.product"].create(
            {
                "name": "Voorschot warmte",
                "type": "service",
                "default_code": "VOORSCHOT",
                "purchase_ok": False,
                "taxes_id": [Command.set(tax.ids)],
                "supplier_taxes_id": [Command.clear()],
            }
        )

    def _get_tax_included(self):
        """Return the Dutch 21 % tax on sales with the tax in the price.

        The chart has it for prices without tax only. An advance is agreed with tax,
        and its invoice must come to that amount to the cent.
        """
        company = self.env.company
        Tax = self.env["account.tax"]
        domain = [
            *Tax._check_company_domain(company),
            ("type_tax_use", "=", "sale"),
            ("amount_type", "=", "percent"),
            ("amount", "=", VAT_RATE),
            ("country_id", "=", company.account_fiscal_country_id.id),
        ]
        included = Tax.search([*domain, ("price_include", "=", True)], limit=1)
        if included:
            return included
        tax = Tax.search(domain, limit=1) or company.account_sale_tax_id
        return tax.copy(
            {"name": f"{tax.name} incl.", "price_include_override": "tax_included"}
        )

    def _prepare_invoice(self, contract, month, product):
        days = 5 if contract.payment_method == "direct_debit" else 14
        return {
            "move_type": "out_invoice",
            "partner_id": contract.partner_id.id,
            "invoice_date": month,
            "invoice_date_due": month + timedelta(days=days),
            "invoice_payment_term_id": False,
            "onergy_contract_id": contract.id,
            "onergy_move_kind": "advance",
            "invoice_line_ids": [
                Command.create(
                    {
                        "product_id": product.id,
                        "name": f"Voorschot warmte {month:%m-%Y}, "
                        f"{contract.connection_id.name}",
                        "quantity": 1,
                        "price_unit": contract._get_advance(month).amount,
                        "tax_ids": [Command.set(product.taxes_id.ids)],
                    }
                )
            ],
        }

    def _choose_late_payers(self, contracts, rng):
        """Return {contract: how many of its newest invoices are unpaid}.

        The portal's residents are left out: their pages show the normal case, but
        for one open invoice.
        """
        portal = contracts.filtered("partner_id.user_ids")
        candidates = contracts.filtered(lambda c: c.state == "running") - portal
        late = {
            contract: 1 + index % 3
            for index, contract in enumerate(rng.sample(list(candidates), 9))
        }
        late[contracts[0]] = 1
        return late

    def _load_payments(self, invoices, months_ago, late, today, rng):
        """Book the money that came in for one month's invoices, and match it.

        Direct debits arrive as one amount on the bank account, transfers each alone.
        """
        debited, transferred = [], []
        for invoice in invoices:
            contract = invoice.onergy_contract_id
            unpaid = late.get(contract, 0)
            date, amount = invoice.invoice_date_due, invoice.amount_total
            if months_ago == 2 and unpaid == 3:
                # This one paid a part of what he owes.
                transferred.append((invoice, date, 50.0))
            elif months_ago < unpaid:
                continue
            elif contract.payment_method == "direct_debit":
                debited.append((invoice, date, amount))
            else:
                date += timedelta(days=rng.randint(-11, 3))
                transferred.append((invoice, date, amount))
        batches = [[payment] for payment in transferred]
        if debited:
            batches.append(debited)
        self._book_receipts([batch for batch in batches if batch[0][1] <= today])

    def _book_receipts(self, batches):
        """Book each batch of (invoice, date, amount) as one line of the bank."""
        Journal = self.env["account.journal"]
        journal = Journal.search(
            [*Journal._check_company_domain(self.env.company), ("type", "=", "bank")],
            limit=1,
        )
        receipts = self.env["account.bank.statement.line"].create(
            [self._prepare_receipt(journal, batch) for batch in batches]
        )
        plan = []
        for batch, receipt in zip(batches, receipts, strict=True):
            lines = self._receivable_lines(receipt.move_id).sorted("id")
            for (invoice, _date, _amount), line in zip(batch, lines, strict=True):
                plan.append(self._receivable_lines(invoice) | line)
        self.env["account.move.line"]._reconcile_plan(plan)

    def _prepare_receipt(self, journal, batch):
        first, date, _amount = batch[0]
        total = sum(amount for _invoice, _date, amount in batch)
        is_batch = len(batch) > 1
        reference = (
            f"Incasso {date:%m-%Y}"
            if is_batch
            else first.payment_reference or first.name
        )
        return {
            "journal_id": journal.id,
            "date": date,
            "partner_id": False if is_batch else first.partner_id.id,
            "payment_ref": reference,
            "amount": total,
            "line_ids": [
                Command.create(
                    {
                        "name": reference,
                        "account_id": journal.default_account_id.id,
                        "partner_id": False if is_batch else first.partner_id.id,
                        "balance": total,
                    }
                ),
                *(
                    Command.create(
                        {
                            "name": invoice.payment_reference or invoice.name,
                            "account_id": self._receivable_lines(invoice).account_id.id,
                            "partner_id": invoice.partner_id.id,
                            "balance": -amount,
                        }
                    )
                    for invoice, _date, amount in batch
                ),
            ],
        }

    def _receivable_lines(self, move):
        return move.line_ids.filtered(
            lambda line: line.account_type == "asset_receivable"
        )
