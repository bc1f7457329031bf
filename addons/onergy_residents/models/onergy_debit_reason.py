from odoo import api, fields, models


class OnergyDebitReason(models.Model):
    """Why a bank refused or returned a direct debit, in words for the payer.

    Codes are those of the ISO 20022 external list that SEPA direct debit uses.
    """

    _name = "onergy.debit.reason"
    _description = "Reason of a failed direct debit"
    _order = "code"

    code = fields.Char(required=True, help="As the bank reports it, such as AM04.")
    name = fields.Char(required=True, translate=True)
    text = fields.Text(
        "What happened",
        required=True,
        translate=True,
        help="The resident reads this: plain words, no code.",
    )
    advice = fields.Text("What to do now", required=True, translate=True)
    is_account = fields.Boolean(
        "Asks for another account",
        help="The page offers to give us another bank account.",
    )

    _code_uniq = models.UniqueIndex("(code)", "This code is already explained.")

    @api.model
    def _explain(self, code):
        """Return the reason with this code, else the general one."""
        known = self.search([("code", "=", (code or "").strip().upper())], limit=1)
        return known or self.env.ref("onergy_residents.debit_reason_other")
