from odoo import api, fields, models
from odoo.fields import Domain


class ResPartner(models.Model):
    _inherit = "res.partner"

    debtor_number = fields.Char(
        copy=False,
        index="trigram",
        help="The number that residents, Payt and the accounts know this payer by. "
        "Given with the first contract.",
    )
    onergy_contract_ids = fields.One2many("onergy.contract", "partner_id", "Contracts")
    onergy_contract_count = fields.Integer(compute="_compute_onergy_contract_count")
    is_resident = fields.Boolean(
        compute="_compute_is_resident", search="_search_is_resident"
    )

    _debtor_number_uniq = models.UniqueIndex(
        "(debtor_number, COALESCE(company_id, 0)) WHERE debtor_number IS NOT NULL",
        "This debtor number is already in use.",
    )

    @api.depends("onergy_contract_ids")
    def _compute_onergy_contract_count(self):
        counts = dict(
            self.env["onergy.contract"]._read_group(
                [("partner_id", "in", self.ids)], ["partner_id"], ["__count"]
            )
        )
        for partner in self:
            partner.onergy_contract_count = counts.get(partner, 0)

    @api.depends("onergy_contract_ids")
    def _compute_is_resident(self):
        for partner in self:
            partner.is_resident = bool(partner.onergy_contract_ids)

    def _search_is_resident(self, operator, value):
        if operator != "in":
            return NotImplemented
        residents = Domain("onergy_contract_ids", "!=", False)
        return residents if True in value else ~residents

    def _onergy_assign_debtor_number(self):
        """Give each payer that has none a debtor number of his company's sequence."""
        for partner in self.filtered(lambda p: not p.debtor_number):
            company = partner.company_id or self.env.company
            partner.debtor_number = (
                self.env["ir.sequence"]
                .with_company(company)
                .next_by_code("onergy.debtor")
            )

    def _onergy_contact_changed(self, old_values):
        """Hook: a resident changed his contact data on the portal.

        :param dict old_values: name of each changed field -> value before the change

        Other addons extend this to pass the change on (Payt).
        """
        self.ensure_one()
