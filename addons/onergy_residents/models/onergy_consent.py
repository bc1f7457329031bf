from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain

CHANNELS = [
    ("portal", "Website"),
    ("phone", "Telephone"),
    ("paper", "On paper"),
    ("email", "E-mail"),
]


class OnergyConsent(models.Model):
    """A resident's consent for one purpose, from the day he gave it.

    Never changed but by its withdrawal: it proves what he agreed to and when (GDPR,
    article 7).
    """

    _name = "onergy.consent"
    _description = "Consent"
    _check_company_auto = True
    _order = "date_given desc, id desc"
    _rec_name = "purpose_id"

    partner_id = fields.Many2one(
        "res.partner", "Resident", required=True, index=True, ondelete="restrict"
    )
    contract_id = fields.Many2one(
        "onergy.contract",
        index="btree_not_null",
        ondelete="restrict",
        check_company=True,
        domain="[('partner_id', 'child_of', partner_id)]",
    )
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    purpose_id = fields.Many2one(
        "onergy.consent.purpose", required=True, index=True, ondelete="restrict"
    )
    is_per_home = fields.Boolean(related="purpose_id.is_per_home")
    text_version = fields.Integer(readonly=True)
    text = fields.Text(
        "Text agreed to",
        readonly=True,
        help="As it stood when consent was given, in the language it was read in.",
    )
    channel = fields.Selection(CHANNELS, required=True, default="phone")
    date_given = fields.Datetime(
        "Given on", required=True, readonly=True, default=fields.Datetime.now
    )
    given_by_id = fields.Many2one(
        "res.users",
        "Recorded by",
        required=True,
        readonly=True,
        default=lambda self: self.env.user,
    )
    date_withdrawn = fields.Datetime("Withdrawn on", readonly=True, copy=False)
    withdrawn_by_id = fields.Many2one(
        "res.users", "Withdrawal recorded by", readonly=True, copy=False
    )
    withdrawn_channel = fields.Selection(CHANNELS, readonly=True, copy=False)
    state = fields.Selection(
        [("given", "Given"), ("withdrawn", "Withdrawn")],
        compute="_compute_state",
        store=True,
    )

    _one_at_a_time = models.UniqueIndex(
        "(partner_id, purpose_id, company_id, COALESCE(contract_id, 0))"
        " WHERE date_withdrawn IS NULL",
        "This consent has already been given.",
    )

    @api.depends("date_withdrawn")
    def _compute_state(self):
        for consent in self:
            consent.state = "withdrawn" if consent.date_withdrawn else "given"

    @api.constrains("purpose_id", "contract_id", "partner_id")
    def _check_contract(self):
        for consent in self:
            if consent.is_per_home != bool(consent.contract_id):
                raise ValidationError(
                    self.env._("Choose the home that this consent is for.")
                    if consent.is_per_home
                    else self.env._("This consent is not for one home.")
                )
            payer = consent.contract_id.partner_id.commercial_partner_id
            if payer and payer != consent.partner_id.commercial_partner_id:
                raise ValidationError(
                    self.env._(
                        "%(contract)s is not a contract of %(resident)s.",
                        contract=consent.contract_id.display_name,
                        resident=consent.partner_id.display_name,
                    )
                )

    @api.model_create_multi
    def create(self, vals_list):
        purposes = self.env["onergy.consent.purpose"]
        complete = []
        for vals in vals_list:
            partner = self.env["res.partner"].browse(vals["partner_id"])
            purpose = purposes.browse(vals["purpose_id"]).with_context(
                lang=partner.lang or self.env.lang
            )
            contract = self.env["onergy.contract"].browse(vals.get("contract_id") or [])
            company = contract.company_id
            complete.append(
                {
                    **({"company_id": company.id} if company else {}),
                    **vals,
                    "text": purpose.text,
                    "text_version": purpose.version,
                    # Neither moment nor person is a matter of opinion.
                    "date_given": fields.Datetime.now(),
                    "given_by_id": self.env.uid,
                }
            )
        consents = super().create(complete)
        for consent in consents:
            consent._log(
                self.env._("Consent given: %(purpose)s", purpose=consent._get_title())
            )
        return consents

    def _get_title(self):
        self.ensure_one()
        home = self.contract_id.connection_id.name
        return f"{self.purpose_id.name} ({home})" if home else self.purpose_id.name

    def _log(self, text):
        # sudo: a resident may not write in the history, his act belongs in it
        self.partner_id.sudo()._message_log(
            body=text, author_id=self.env.user.partner_id.id
        )

    @api.model
    def _get_given(self, partner, purpose, contract=None):
        """Return the consent in force, empty if there is none.

        :param contract: needed for a purpose that is for each home
        """
        domain = Domain("purpose_id", "=", purpose.id) & Domain(
            "date_withdrawn", "=", False
        )
        if purpose.is_per_home:
            domain &= Domain("contract_id", "in", contract.ids)
        else:
            domain &= Domain("partner_id", "=", partner.id)
        return self.search(domain, limit=1)

    @api.model
    def _give(self, partner, purpose, channel, contract=None):
        """Record consent; consent that is there already stays as it is.

        :param contract: the home, for a purpose that is for each home
        """
        given = self._get_given(partner, purpose, contract)
        if given:
            return given
        values = {
            "partner_id": partner.id,
            "purpose_id": purpose.id,
            "channel": channel,
            "company_id": (contract or partner.onergy_contract_ids)[:1].company_id.id
            or self.env.company.id,
        }
        if purpose.is_per_home:
            values.update(
                partner_id=contract.partner_id.id, contract_id=contract[:1].id
            )
        return self.create([values])

    def _withdraw(self, channel):
        """End these consents now; what was done before stays lawful."""
        for consent in self.filtered(lambda c: not c.date_withdrawn):
            consent.write(
                {
                    "date_withdrawn": fields.Datetime.now(),
                    "withdrawn_by_id": self.env.uid,
                    "withdrawn_channel": channel,
                }
            )
            consent._log(
                self.env._(
                    "Consent withdrawn: %(purpose)s", purpose=consent._get_title()
                )
            )

    def action_withdraw(self):
        """The clerk records that the resident takes back his consent."""
        self.check_access("read")
        if not self.env.user.has_group("onergy_residents.group_customer_service"):
            raise UserError(self.env._("Only customer service records a withdrawal."))
        # sudo: a consent is never changed but in this one way
        self.sudo()._withdraw("phone")
