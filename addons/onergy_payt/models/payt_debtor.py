import hashlib
import json

from odoo import api, fields, models

from ..const import QUIET


class PaytDebtor(models.Model):
    """A payer as Payt knows him: one per administration and commercial partner."""

    _name = "payt.debtor"
    _description = "Payt debtor"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _rec_name = "partner_id"
    _rec_names_search = ["partner_id", "debtor_number"]

    connection_id = fields.Many2one(
        "payt.connection", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(
        related="connection_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    partner_id = fields.Many2one(
        "res.partner", "Payer", required=True, index=True, ondelete="cascade"
    )
    debtor_number = fields.Char(
        readonly=True,
        help="As sent to Payt: it stays the same even if the payer's number changes.",
    )
    payt_id = fields.Char("Payt ID", readonly=True, index="btree_not_null")
    sent_date = fields.Datetime(readonly=True)
    sent_hash = fields.Char(readonly=True)
    public_url = fields.Char("Debtor page", readonly=True)
    deeplink_url = fields.Char("Open in Payt", readonly=True)
    open_amount = fields.Monetary("Open at Payt", readonly=True)
    payment_behaviour = fields.Integer(readonly=True)
    is_paused = fields.Boolean("Paused", readonly=True)
    proposed_email = fields.Char(
        readonly=True, help="The address that the payer gave on Payt's page."
    )
    seen_email = fields.Char(
        readonly=True,
        help="The address that Payt showed last: it is proposed once, whatever the "
        "answer was.",
    )
    payt_updated = fields.Char(readonly=True)
    mandate_ids = fields.One2many("payt.mandate", "debtor_id")

    _partner_uniq = models.UniqueIndex("(connection_id, partner_id)")

    def _payt_identifier(self):
        self.ensure_one()
        return self.connection_id._identifier(self.partner_id)

    @api.model
    def _for_partners(self, connection, partners):
        """Return the debtor of each commercial partner; make what is missing.

        :return: dict partner → debtor
        """
        # sudo: whoever posts an invoice need not know Payt's records
        debtors = self.sudo()
        partners = partners.commercial_partner_id
        found = {
            debtor.partner_id: debtor
            for debtor in debtors.search(
                [
                    ("connection_id", "=", connection.id),
                    ("partner_id", "in", partners.ids),
                ]
            )
        }
        missing = partners.filtered(lambda partner: partner not in found)
        # sudo: a number is given whoever posts the bill
        missing.sudo()._onergy_assign_debtor_number()
        created = debtors.with_context(**QUIET).create(
            [
                {
                    "connection_id": connection.id,
                    "partner_id": partner.id,
                    "debtor_number": partner.debtor_number,
                }
                for partner in missing
            ]
        )
        self.env["payt.operation"]._enqueue("debtor", created)
        found.update({debtor.partner_id: debtor for debtor in created})
        return found

    def _prepare_contact(self):
        """Return the contact as Payt wants it: e-mail, phone and address live there."""
        self.ensure_one()
        partner = self.partner_id
        invoice_to = self.env["res.partner"].browse(
            partner.address_get(["invoice"])["invoice"]
        )
        address = invoice_to if invoice_to.street else partner
        values = {
            "contact_identifier": self._payt_identifier(),
            "lastname": partner.name,
            "default_email_address": partner.email_normalized,
            "invoice_email_address": invoice_to.email_normalized,
            "call_phone_number": partner.phone,
            "postal_address_street_1": address.street,
            "postal_address_street_2": address.street2,
            "postal_address_postal_code": address.zip,
            "postal_address_city": address.city,
            "postal_address_country_code": address.country_id.code,
        }
        # An emptied field has to be emptied at Payt too.
        return {key: value or "" for key, value in values.items()}

    def _prepare_debtor(self):
        self.ensure_one()
        partner = self.partner_id
        identifier = self._payt_identifier()
        return {
            "debtor_number": self.debtor_number,
            "debtor_identifier": identifier,
            "contact_identifier": identifier,
            "name": partner.name,
            "is_company": partner.is_company,
            "vat_number": partner.vat or "",
            "country_code": partner.country_id.code or "NL",
            "language_code": (partner.lang or self.env.company.partner_id.lang or "nl")[
                :2
            ],
        }

    @api.model
    def _hash(self, contact, debtor):
        text = json.dumps([contact, debtor], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def action_accept_email(self):
        """Take over the address that the payer gave at Payt."""
        self.env["payt.operation"]._check_may_act(self)
        for debtor in self.filtered("proposed_email"):
            partner = debtor.partner_id
            old = {"email": partner.email}
            partner.email = debtor.proposed_email
            partner._message_log(
                body=self.env._(
                    "E-mail address taken over from Payt: %(address)s",
                    address=debtor.proposed_email,
                )
            )
            partner._onergy_contact_changed(old)
        self._close_proposal()

    def action_refuse_email(self):
        self._close_proposal()

    def _close_proposal(self):
        self.env["payt.operation"]._check_may_act(self)
        # sudo: the accountant reads these records, the buttons write them
        debtors = self.sudo()
        debtors.proposed_email = False
        debtors.activity_unlink(["mail.mail_activity_data_todo"])
