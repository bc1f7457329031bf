from datetime import timedelta

from odoo import Command, models

from .const import QUIET


class OnergySettlement(models.Model):
    """Settlements as invoices in Odoo's books."""

    _inherit = "onergy.settlement"

    def _post_batch(self, invoice_date):
        """Turn settlements that are ready into posted invoices, all or none."""
        settlements = self.filtered(lambda s: s.state == "ready" and not s.move_id)
        if not settlements:
            return self.env["account.move"]
        Move = self.env["account.move"].with_context(**QUIET)
        taxes, products = settlements._get_taxes(), settlements._get_products()
        values, billed = [], []
        for lang, group in settlements.grouped(lambda s: s.partner_id.lang).items():
            values += [
                s._prepare_move(invoice_date, taxes, products)
                for s in group.with_context(lang=lang or self.env.lang)
            ]
            billed += group
        moves = Move._onergy_create_posted(values)
        for settlement, move in zip(billed, moves, strict=True):
            settlement.with_context(**QUIET).move_id = move
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
            if not rate:  # costs that are passed on without VAT
                no_tax = (self.env["account.tax"], {"tax_ids": [Command.clear()]})
                result[rate, False] = result[rate, True] = no_tax
                continue
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

    def _get_payer_contract(self):
        """The contract of who pays this; an owner has none for a home he lets.

        His bill is not one of the resident's contract: it is not collected from the
        resident's account, nor is it his to see.
        """
        self.ensure_one()
        return self.contract_id if self.part != "owner" else self.contract_id.browse()

    def _get_due_date(self, invoice_date):
        self.ensure_one()
        contract = self._get_payer_contract()
        if contract:
            return contract._get_due_date(invoice_date)
        return invoice_date + timedelta(days=self.company_id.onergy_due_days)

    def _prepare_move(self, invoice_date, taxes, products):
        self.ensure_one()
        is_refund = self.amount_total < 0
        sign = -1 if is_refund else 1
        return {
            "move_type": "out_refund" if is_refund else "out_invoice",
            "company_id": self.company_id.id,
            "partner_id": self.partner_id.id,
            "invoice_date": invoice_date,
            "invoice_date_due": self._get_due_date(invoice_date),
            "invoice_payment_term_id": False,
            "onergy_contract_id": self._get_payer_contract().id,
            "onergy_move_kind": "settlement",
            "reversed_entry_id": self.original_id.move_id.id if is_refund else False,
            "onergy_lines": [
                *self._prepare_supply_lines(taxes, products, sign),
                *self._prepare_advance_lines(taxes, products, sign),
                *self._prepare_compensation_lines(products, sign),
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
                "onergy_tax": self.env["account.tax"],
                "onergy_vat": 0.0,
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
            "onergy_tax": tax,
            "onergy_vat": vat,
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
                }
                if tax
                else {},
            },
        }
