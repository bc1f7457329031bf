from datetime import timedelta

from odoo import Command, models
from odoo.tools import SQL

from .const import QUIET
from .onergy_settlement_calculator import Period


class OnergySettlement(models.Model):
    """Settlements as invoices in Odoo's books."""

    _inherit = "onergy.settlement"

    def _post_batch(self, invoice_date):
        """Turn settlements that are ready into posted invoices, all or none.

        But for those whose advances are other ones by now: they are set aside.
        """
        # sudo: what is posted is what was approved, by nobody's hand
        settlements = self.sudo().filtered(
            lambda s: s.state == "ready" and not s.move_id
        )
        settlements -= settlements._set_outdated_aside()
        if not settlements:
            return self.env["account.move"]
        Move = self.env["account.move"].with_context(
            **QUIET, onergy_settlement_batch=True
        )
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

    def _set_outdated_aside(self):
        """Block settlements whose advances changed after they were worked out."""
        outdated = self._get_outdated()
        for run, settlements in outdated.grouped("run_id").items():
            run._set_aside(
                settlements,
                self.env._(
                    "An advance of this contract was invoiced, credited or taken back "
                    "after this bill was worked out. Leave it out of the run; its "
                    "period can then be worked out again."
                ),
            )
        return outdated

    def _get_outdated(self):
        """Those that hold other advances than they would if worked out now."""
        originals = self.filtered(lambda s: not s.original_id and s.part != "owner")
        periods = [
            Period(s.contract_id, s.date_from, s.date_to, part=s.part)
            for s in originals
        ]
        # What these took themselves is not among them.
        missing = self.env["onergy.settlement.calculator"]._get_advances(periods)
        return self._get_with_changed_advances().union(
            *(originals[index] for index, rows in missing.items() if rows)
        )

    def _get_with_changed_advances(self):
        """Those with an advance that is no longer what it was, or settled elsewhere."""
        self.env["account.move"].flush_model()
        self.env["onergy.settlement.advance"].flush_model()
        rows = self.env.execute_query(
            SQL(
                """
                SELECT DISTINCT a.settlement_id
                  FROM onergy_settlement_advance a
                  JOIN onergy_settlement s ON s.id = a.settlement_id
                  JOIN account_move m ON m.id = a.move_id
                 WHERE a.settlement_id = ANY(%s)
                   AND (m.state <> 'posted'
                        OR m.onergy_move_kind IS DISTINCT FROM 'advance'
                        OR m.onergy_contract_id IS DISTINCT FROM s.contract_id
                        OR m.amount_untaxed_signed <> a.net
                        OR m.amount_tax_signed <> a.vat_amount
                        OR EXISTS (
                            SELECT 1 FROM onergy_settlement_advance other
                             WHERE other.move_id = a.move_id AND other.is_final))
                """,
                self.ids,
            )
        )
        return self.browse([row[0] for row in rows])

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
