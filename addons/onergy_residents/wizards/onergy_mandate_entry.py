import binascii
from base64 import b64decode

from odoo import api, fields, models
from odoo.exceptions import UserError

from odoo.addons.base_iban.models.res_partner_bank import pretty_iban


class OnergyMandateEntry(models.TransientModel):
    """Print a mandate for signature, or take in one that was signed on paper."""

    _name = "onergy.mandate.entry"
    _description = "Enter a direct debit mandate"

    contract_id = fields.Many2one("onergy.contract", required=True)
    mandate_id = fields.Many2one("onergy.mandate", readonly=True)
    iban = fields.Char(
        "IBAN",
        required=True,
        compute="_compute_account",
        store=True,
        readonly=False,
        precompute=True,
    )
    holder_name = fields.Char(
        "Account holder",
        required=True,
        compute="_compute_account",
        store=True,
        readonly=False,
        precompute=True,
    )
    signed_date = fields.Date("Signed on", default=fields.Date.context_today)
    scan = fields.Binary("Scan of the signed form")
    scan_name = fields.Char()
    valid_from = fields.Date("Starts on", compute="_compute_valid_from")

    @api.model
    def default_get(self, fields_list):
        values = super().default_get(fields_list)
        if self.env.context.get("active_model") == "onergy.contract":
            values.setdefault("contract_id", self.env.context.get("active_id"))
        return values

    @api.depends("contract_id", "mandate_id")
    def _compute_account(self):
        for wizard in self:
            mandate = wizard.mandate_id
            wizard.iban = mandate and pretty_iban(mandate.bank_account_id.acc_number)
            wizard.holder_name = (
                mandate.holder_name or wizard.contract_id.partner_id.name
            )

    @api.depends("contract_id")
    def _compute_valid_from(self):
        for wizard in self:
            company = wizard.contract_id.company_id or self.env.company
            wizard.valid_from = company._onergy_add_working_days(
                company.onergy_mandate_days
            )

    def _check_clerk(self):
        self.ensure_one()
        self.env["onergy.mandate"]._check_clerk()

    def action_print(self):
        """Make the mandate and print it; it waits for the signature."""
        self._check_clerk()
        mandate = self.env["onergy.mandate"]._draft(
            self.contract_id, self.iban, self.holder_name
        )
        return mandate.action_print_form()

    def action_sign(self):
        """Take in the signature; the scan goes with the mandate."""
        self._check_clerk()
        if not self.signed_date or self.signed_date > fields.Date.context_today(self):
            raise UserError(self.env._("Fill in the day on which it was signed."))
        mandate = self.mandate_id or self.env["onergy.mandate"]._draft(
            self.contract_id, self.iban, self.holder_name
        )
        if mandate.state != "draft":
            raise UserError(self.env._("This mandate has been signed already."))
        self._attach_scan(mandate)
        mandate._sign("paper", self.signed_date)
        return {
            "type": "ir.actions.act_window",
            "res_model": "onergy.mandate",
            "res_id": mandate.id,
            "view_mode": "form",
        }

    def _attach_scan(self, mandate):
        if not self.scan:
            return
        try:
            content = b64decode(self.scan, validate=True)
        except binascii.Error as error:
            raise UserError(self.env._("The scan cannot be read.")) from error
        # sudo: a mandate is written by nobody; the clerk adds its proof
        mandate.sudo().message_post(
            body=self.env._("Signed form"),
            attachments=[(self.scan_name or f"{mandate.name}.pdf", content)],
            author_id=self.env.user.partner_id.id,
        )
