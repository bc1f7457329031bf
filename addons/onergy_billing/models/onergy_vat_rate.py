from odoo import Command, api, fields, models
from odoo.exceptions import UserError

from ..engine import Timeline
from .const import COMPONENTS


class OnergyVatRate(models.Model):
    """VAT on what is supplied from a day on; the date of supply decides."""

    _name = "onergy.vat.rate"
    _description = "VAT by date of supply"
    _order = "date_from desc, component, id"
    _rec_name = "date_from"

    date_from = fields.Date("Supplied from", required=True)
    component = fields.Selection(
        COMPONENTS, help="Empty: for every component without a rate of its own."
    )
    rate = fields.Float("VAT (%)", digits=(5, 2), required=True)
    source = fields.Char()

    _rate_range = models.Constraint(
        "CHECK (rate >= 0 AND rate < 100)", "VAT lies between 0 and 100 %."
    )
    _date_component_uniq = models.UniqueIndex(
        "(date_from, COALESCE(component, ''))",
        "There already is a rate from this day on.",
    )

    @api.model
    def _get_timelines(self):
        """{component: Timeline of VAT in percent as Decimal}"""
        steps = {}
        for record in self.search([]):
            rate = self._to_decimal(record.rate)
            steps.setdefault(record.component, []).append((record.date_from, rate))
        general = steps.get(False, [])
        return {
            component: Timeline.of(steps.get(component, general))
            for component, _label in COMPONENTS
        }

    @api.model
    def _to_decimal(self, value, digits=2):
        return self.env["onergy.tariff"]._to_decimal(value, digits)

    @api.model
    def _get_tax(self, company, rate):
        """The sales tax of a rate with the tax in the price, made when missing.

        Charts of accounts have taxes for prices without VAT; residents agree on
        amounts with VAT, and a bill must come to them to the cent.

        :param rate: percent
        :raise UserError: the company has no sales tax of this rate at all
        """
        # sudo: taxes belong to the chart of accounts, whoever bills
        Tax = self.env["account.tax"].sudo().with_company(company)
        domain = [
            *Tax._check_company_domain(company),
            ("type_tax_use", "=", "sale"),
            ("amount_type", "=", "percent"),
            ("amount", "=", float(rate)),
            ("country_id", "=", company.account_fiscal_country_id.id),
        ]
        included = Tax.search(
            [*domain, ("price_include_override", "=", "tax_included")], limit=1
        )
        if included:
            return included
        tax = Tax.search(domain, limit=1)
        if not tax:
            raise UserError(
                self.env._(
                    "%(company)s has no sales tax of %(rate)s %%. Make one in "
                    "Invoicing > Configuration > Taxes.",
                    company=company.name,
                    rate=f"{float(rate):g}",
                )
            )
        return tax.copy(
            {"name": f"{tax.name} incl.", "price_include_override": "tax_included"}
        )

    @api.model
    def _prepare_line_taxes(self, tax, is_refund=False):
        """Values of an invoice line that Odoo would else look up and write per line.

        The tags are those of the tax; Odoo puts them right where they are not. The
        analytic distribution is left to Odoo as soon as somebody made a model for it.
        """
        repartition = (
            tax.refund_repartition_line_ids
            if is_refund
            else tax.invoice_repartition_line_ids
        )
        tags = repartition.filtered(lambda r: r.repartition_type == "base").tag_ids
        values = {
            "tax_ids": [Command.set(tax.ids)],
            "tax_tag_ids": [Command.set(tags.ids)],
        }
        # sudo: whether there are any models is no secret
        models_ = self.env["account.analytic.distribution.model"].sudo()
        if not models_.search_count([], limit=1):
            values["analytic_distribution"] = False
        return values
