from odoo import Command, api, models

#: For entries that are complete: nothing is left to be added to them.
COMPLETE = {
    "skip_invoice_sync": True,
    "skip_invoice_line_sync": True,
    "skip_analytic_sync": True,
}
#: Key in the cache of the cursor, there while a batch is posted.
SEQUENCE_FORMATS = "onergy_sequence_formats"


class AccountMove(models.Model):
    """Invoices of a run: made and posted together."""

    _inherit = "account.move"

    @api.model
    def _onergy_create_posted(self, vals_list):
        """Make and post invoices that come with all lines of their entry, at once.

        An invoice with only its products gets VAT and the payer's line from Odoo,
        invoice by invoice and line by line: more than half of the time of a run. So the
        entry is completed here, from what was worked out before, as Odoo's Point of
        Sale does; that it balances is still checked. Where a tax is not simply one line
        of VAT, all is left to Odoo.

        :param vals_list: values of invoices in the currency of the company, with in
            ``onergy_lines`` a list of values of product lines, each with ``price_unit``
            (including VAT), ``onergy_vat`` (amount) and ``onergy_tax`` (record, empty
            for none), in the direction of the document
        :return: the posted invoices, in the same order
        """
        lines_list = [vals.pop("onergy_lines") for vals in vals_list]
        taxes = {line["onergy_tax"] for lines in lines_list for line in lines}
        if all(tax._onergy_is_plain() for tax in taxes):
            self._onergy_prefetch(vals_list)
            journal = self.new({"move_type": "out_invoice"})._search_default_journal()
            accounts = {}
            for vals, lines in zip(vals_list, lines_list, strict=True):
                vals["journal_id"] = journal.id
                vals["line_ids"] = self._onergy_complete_lines(
                    vals, lines, journal, accounts
                )
            context = COMPLETE
        else:
            for vals, lines in zip(vals_list, lines_list, strict=True):
                vals["invoice_line_ids"] = [
                    Command.create(self._onergy_strip(line)) for line in lines
                ]
            context = {}
        moves = self.with_context(**context).create(vals_list)
        cache = self.env.cr.cache
        cache[SEQUENCE_FORMATS] = {}
        try:
            moves._post(soft=False)
        finally:
            del cache[SEQUENCE_FORMATS]
        return moves.with_env(self.env)

    def _get_next_sequence_format(self):
        """Look the format up once for all invoices of a batch that share it.

        Odoo searches the last number for each invoice, but once the first one of a
        transaction has its number, and with it the lock on the numbers, the next ones
        are counted on from there (see ``_locked_increment``).
        """
        formats = self.env.cr.cache.get(SEQUENCE_FORMATS)
        if formats is None:
            return super()._get_next_sequence_format()
        key = (self.journal_id, self.date, self.move_type)
        if key not in formats:
            formats[key] = super()._get_next_sequence_format()
        text, values = formats[key]
        return text, dict(values)

    @api.model
    def _onergy_strip(self, line):
        return {k: v for k, v in line.items() if k not in ("onergy_vat", "onergy_tax")}

    @api.model
    def _onergy_prefetch(self, vals_list):
        """Read what Odoo asks of each payer once for all payers."""
        partner_ids = dict.fromkeys(vals["partner_id"] for vals in vals_list)
        partners = self.env["res.partner"].browse(partner_ids)
        partners.mapped("property_account_receivable_id")
        partners.mapped("commercial_partner_id")
        partners.mapped("user_ids")

    @api.model
    def _onergy_complete_lines(self, vals, lines, journal, accounts):
        """Commands for the lines of a balanced entry."""
        is_refund = vals["move_type"] == "out_refund"
        sign = 1 if is_refund else -1
        rounded = self.env.company.currency_id.round
        partner = self.env["res.partner"].browse(vals["partner_id"])
        taxes, commands, total = {}, [], 0.0
        for line in lines:
            tax, vat = line["onergy_tax"], line["onergy_vat"]
            net = rounded(line["price_unit"] - vat)
            commands.append(
                {
                    **self._onergy_strip(line),
                    "display_type": "product",
                    "account_id": self._onergy_get_account(line, journal, accounts),
                    **self._onergy_balance(sign * net),
                }
            )
            total += line["price_unit"]
            if tax:
                base, amount = taxes.get(tax, (0.0, 0.0))
                taxes[tax] = (base + net, amount + vat)
        for tax, (base, amount) in taxes.items():
            if rounded(amount):
                commands.append(
                    {
                        **tax._onergy_prepare_tax_line(is_refund),
                        "tax_base_amount": rounded(sign * base),
                        **self._onergy_balance(rounded(sign * amount)),
                    }
                )
        commands.append(
            {
                "display_type": "payment_term",
                "account_id": partner.property_account_receivable_id.id,
                "date_maturity": vals["invoice_date_due"],
                **self._onergy_balance(rounded(-sign * total)),
            }
        )
        return [
            Command.create({"partner_id": partner.commercial_partner_id.id, **values})
            for values in commands
        ]

    @api.model
    def _onergy_balance(self, amount):
        return {"balance": amount, "amount_currency": amount}

    @api.model
    def _onergy_get_account(self, line, journal, accounts):
        """Account of the income of a product; ``accounts`` remembers them."""
        product_id = line["product_id"]
        if product_id not in accounts:
            template = self.env["product.product"].browse(product_id).product_tmpl_id
            accounts[product_id] = (
                template.get_product_accounts()["income"] or journal.default_account_id
            ).id
        return accounts[product_id]
