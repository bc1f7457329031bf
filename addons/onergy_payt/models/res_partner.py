from odoo import api, fields, models

# What Payt hears of a payer; the rest is none of its business.
SENT_FIELDS = {
    "name",
    "email",
    "phone",
    "street",
    "street2",
    "zip",
    "city",
    "country_id",
    "vat",
    "lang",
    "is_company",
}


class ResPartner(models.Model):
    _inherit = "res.partner"

    payt_debtor_ids = fields.One2many("payt.debtor", "partner_id")
    payt_debtor_id = fields.Many2one(
        "payt.debtor",
        "Payt debtor",
        compute="_compute_payt_debtor_id",
        search="_search_payt_debtor_id",
        groups="onergy_residents.group_customer_service,"
        "onergy_residents.group_accountant",
    )
    payt_proposed_email = fields.Char(
        related="payt_debtor_id.proposed_email",
        string="E-mail given at Payt",
        groups="onergy_residents.group_customer_service,"
        "onergy_residents.group_accountant",
    )
    payt_invoice_count = fields.Integer(
        compute="_compute_payt_invoice_count",
        groups="onergy_residents.group_customer_service,"
        "onergy_residents.group_accountant",
    )

    @api.depends("payt_debtor_ids")
    @api.depends_context("company")
    def _compute_payt_debtor_id(self):
        for partner in self:
            partner.payt_debtor_id = (
                partner.commercial_partner_id.payt_debtor_ids.filtered(
                    lambda debtor: debtor.company_id == self.env.company
                )[:1]
            )

    def _search_payt_debtor_id(self, operator, value):
        return [("payt_debtor_ids", operator, value)]

    def _compute_payt_invoice_count(self):
        counts = dict(
            self.env["payt.invoice"]._read_group(
                [
                    ("partner_id", "in", self.commercial_partner_id.ids),
                    ("status", "not in", ("paid", "deleted")),
                ],
                ["partner_id"],
                ["__count"],
            )
        )
        for partner in self:
            partner.payt_invoice_count = counts.get(partner.commercial_partner_id, 0)

    def write(self, vals):
        result = super().write(vals)
        if SENT_FIELDS & set(vals):
            self._payt_queue()
        return result

    def _payt_queue(self):
        """Note that these payers' data have changed."""
        # sudo: a resident changes his own data and knows nothing of Payt
        debtors = (self | self.commercial_partner_id).sudo().payt_debtor_ids
        self.env["payt.operation"]._enqueue("debtor", debtors)

    def action_payt_accept_email(self):
        self.payt_debtor_id.action_accept_email()

    def action_payt_refuse_email(self):
        self.payt_debtor_id.action_refuse_email()

    def action_payt_invoices(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "onergy_payt.payt_invoice_action"
        )
        action["domain"] = [("partner_id", "=", self.commercial_partner_id.id)]
        action["context"] = {}
        return action
