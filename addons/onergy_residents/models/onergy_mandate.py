from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain

from odoo.addons.base_iban.models.res_partner_bank import (
    normalize_iban,
    validate_iban,
)

IN_FORCE = ("pending", "active")
# A new address may be a thief's for as long as nobody reads the old one.
RECENT_EMAIL_DAYS = 30
MAX_PER_DAY = 5
BATCH = 100


class OnergyMandate(models.Model):
    """A payer's authorisation to collect his bills (SEPA Core, recurring).

    draft      printed, waits for a signature
    pending    signed; starts on ``valid_from``, the one before it collects until then
    active     the contract pays by direct debit from this account
    replaced   a newer one has taken its place
    revoked    ended by the payer or by staff
    cancelled  never came into force

    A contract pays by direct debit if and only if it has an active mandate for its
    bank account; ``onergy.contract`` sees to that from its side.
    """

    _name = "onergy.mandate"
    _description = "Direct debit mandate"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _check_company_auto = True
    _order = "id desc"
    _rec_names_search = ["name", "partner_id", "contract_id"]
    # Nobody edits a mandate; whoever reads it may add a scan or a note.
    _mail_post_access = "read"

    name = fields.Char("Reference", required=True, readonly=True, copy=False)
    contract_id = fields.Many2one(
        "onergy.contract",
        required=True,
        readonly=True,
        index=True,
        ondelete="restrict",
        check_company=True,
    )
    partner_id = fields.Many2one(related="contract_id.partner_id", store=True)
    company_id = fields.Many2one(
        related="contract_id.company_id", store=True, index=True
    )
    bank_account_id = fields.Many2one(
        "res.partner.bank",
        "Bank account",
        required=True,
        readonly=True,
        ondelete="restrict",
        groups="base.group_user",
    )
    account_digits = fields.Char(
        "Account ends in", compute="_compute_account_digits", compute_sudo=True
    )
    holder_name = fields.Char("Account holder", readonly=True)
    text = fields.Text("Text agreed to", readonly=True)
    signed_date = fields.Date("Signed on", readonly=True, tracking=True)
    signed_by_id = fields.Many2one(
        "res.users", "Recorded by", readonly=True, groups="base.group_user"
    )
    signed_how = fields.Selection(
        [
            ("portal", "On the website"),
            ("paper", "On paper"),
            ("recorded", "Taken over by staff"),
        ],
        "How",
        required=True,
        readonly=True,
    )
    valid_from = fields.Date(readonly=True, tracking=True)
    state = fields.Selection(
        [
            ("draft", "Waiting for signature"),
            ("pending", "Starts later"),
            ("active", "In force"),
            ("replaced", "Replaced"),
            ("revoked", "Revoked"),
            ("cancelled", "Cancelled"),
        ],
        required=True,
        readonly=True,
        default="draft",
        index=True,
        tracking=True,
    )
    date_end = fields.Date("Ended on", readonly=True, tracking=True)
    ended_by_id = fields.Many2one("res.users", readonly=True, groups="base.group_user")
    letter_state = fields.Selection(
        [("todo", "To print"), ("done", "Printed")],
        "Letter",
        readonly=True,
        copy=False,
        groups="base.group_user",
        help="The payer has no e-mail address: the confirmation goes by post.",
    )

    _name_company_uniq = models.UniqueIndex(
        "(name, company_id)", "This reference is already in use."
    )
    _one_active = models.UniqueIndex("(contract_id) WHERE state = 'active'")
    _one_pending = models.UniqueIndex("(contract_id) WHERE state = 'pending'")
    _due = models.Index("(valid_from) WHERE state = 'pending'")

    @api.depends("bank_account_id")
    def _compute_account_digits(self):
        for mandate in self:
            mandate.account_digits = mandate.bank_account_id._onergy_get_last_digits()

    @api.model_create_multi
    def create(self, vals_list):
        contracts = self.env["onergy.contract"].browse(
            [vals["contract_id"] for vals in vals_list]
        )
        for vals, contract in zip(vals_list, contracts, strict=True):
            company = contract.company_id
            vals.setdefault(
                "name",
                self.env["ir.sequence"]
                .with_company(company)
                .next_by_code("onergy.mandate"),
            )
            vals.setdefault("text", self._get_text(company, contract.partner_id.lang))
        return super().create(vals_list)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_signed(self):
        if self.env.su and self.env.context.get("onergy_purge"):
            return  # the books that it belongs to are gone
        if self.filtered(lambda mandate: mandate.state != "draft"):
            raise UserError(
                self.env._("A signed mandate is kept: it is proof. Revoke it instead.")
            )

    # ------------------------------------------------------------------ hooks

    def _mandate_changed(self):
        """Hook: these mandates came into force or are in force no more.

        Called after the state and the contracts have been written. An addon that
        registers mandates elsewhere extends this: ``active`` ones have to be known
        there, all others not any more.
        """

    # ------------------------------------------------------------------ text

    @api.model
    def _get_text(self, company, lang=None):
        """Return what the payer agrees to, in plain words, as the SEPA rules ask."""
        mandates = self.with_context(lang=lang or self.env.lang)
        text = mandates.env._(
            "You give %(company)s permission to send collection orders to your bank, "
            "again and again, to take the amount of your bills for heat from your "
            "account. And you give your bank permission to take these amounts from "
            "your account as %(company)s asks.\n"
            "Do you not agree with an amount that was taken? You can get it back. Ask "
            "your bank within 8 weeks. Ask your bank for the conditions.",
            company=company.name,
        )
        # sudo: who signs has to know who collects
        identifier = company.sudo().onergy_creditor_identifier
        if identifier:
            text += "\n" + mandates.env._(
                "Creditor identifier: %(identifier)s", identifier=identifier
            )
        return text

    # ------------------------------------------------------------------ signing

    @api.model
    def _check_iban(self, iban):
        """Return the account number in capitals without spaces.

        :raise UserError: it is not an IBAN
        """
        number = normalize_iban(iban).upper()
        try:
            validate_iban(number)
        except ValidationError as error:
            raise UserError(
                self.env._(
                    "This is not a valid IBAN. Look at your bank card or at your bank "
                    "statement. It looks like NL12 BANK 0123 4567 89."
                )
            ) from error
        return number

    @api.model
    def _get_account(self, contract, iban, holder):
        """Return the payer's bank account with this number; make it if needed."""
        number = self._check_iban(iban)
        payer = contract.partner_id.commercial_partner_id
        # sudo: a resident gives his account number and may read none
        accounts = self.env["res.partner.bank"].sudo()
        account = accounts.with_context(active_test=False).search(
            [
                ("sanitized_acc_number", "=", number),
                ("partner_id", "child_of", payer.id),
            ],
            limit=1,
        )
        if not account:
            return accounts.create(
                {
                    "acc_number": number,
                    "partner_id": contract.partner_id.id,
                    "acc_holder_name": holder,
                }
            )
        account.write({"active": True, "acc_holder_name": holder})
        return account

    @api.model
    def _check_may_change(self, contract):
        """Raise a ``UserError`` if this contract takes no new mandate."""
        if contract.state == "ended":
            raise UserError(
                self.env._("This contract has ended. Ask us to change the account.")
            )
        today = fields.Datetime.now() - timedelta(days=1)
        made = Domain("contract_id", "=", contract.id) & Domain(
            "create_date", ">", today
        )
        # sudo: counted over all of them, whoever asks
        if self.sudo().search_count(made, limit=MAX_PER_DAY) >= MAX_PER_DAY:
            raise UserError(
                self.env._("You have changed this too often today. Try it tomorrow.")
            )

    @api.model
    def _draft(self, contract, iban, holder):
        """Make a mandate that is to be printed and signed on paper."""
        self._check_may_change(contract)
        account = self._get_account(contract, iban, holder)
        # sudo: mandates are made and changed by these methods only
        return self.sudo().create(
            {
                "contract_id": contract.id,
                "bank_account_id": account.id,
                "holder_name": holder,
                "signed_how": "paper",
            }
        )

    @api.model
    def _sign_new(self, contract, iban, holder, how):
        """Take in the authorisation that a payer gives now.

        :return: the mandate, pending until the prenotification period is over
        :raise UserError: no IBAN, the account in use, or too many tries today
        """
        self._check_may_change(contract)
        number = self._check_iban(iban)
        current = contract._get_mandate("active")
        # sudo: compared with the payer's own account, which he cannot read
        in_use = current.sudo().bank_account_id.sanitized_acc_number
        if number == in_use:
            raise UserError(self.env._("We already use this bank account."))
        mandate = self._draft(contract, number, holder)
        mandate._sign(how)
        return mandate

    def _sign(self, how, date=None):
        """Let the mandate start after the prenotification period."""
        self.ensure_one()
        pending = self.contract_id._get_mandate("pending") - self
        # sudo: mandates are made and changed by these methods only
        pending.sudo()._end("cancelled")
        mandate = self.sudo()
        company = mandate.company_id
        today = company._onergy_add_working_days(0)
        mandate.write(
            {
                "state": "pending",
                "signed_how": how,
                "signed_date": date or today,
                "signed_by_id": self.env.uid,
                "valid_from": company._onergy_add_working_days(
                    company.onergy_mandate_days
                ),
            }
        )
        mandate._tell("mail_template_mandate_new")
        if mandate.valid_from <= today:
            mandate._activate()

    # ------------------------------------------------------------------ states

    def _activate(self):
        """Collect from these accounts from now on."""
        previous = self.contract_id._get_mandate("active") - self
        today = fields.Date.context_today(self)
        previous.write({"state": "replaced", "date_end": today})
        # One active mandate per contract, so the old one has to be stored first.
        previous.flush_recordset(["state"])
        self.write({"state": "active"})
        for mandate in self:
            mandate.contract_id.with_context(onergy_mandate_sync=False).write(
                {
                    "payment_method": "direct_debit",
                    "bank_account_id": mandate.bank_account_id.id,
                }
            )
        (self | previous)._mandate_changed()

    def _end(self, state):
        """Take these out of force now; what was collected before stays collected."""
        ended = self.filtered(lambda mandate: mandate.state in ("draft", *IN_FORCE))
        was_active = ended.filtered(lambda mandate: mandate.state == "active")
        ended.write(
            {
                "state": state,
                "date_end": fields.Date.context_today(self),
                "ended_by_id": self.env.uid,
            }
        )
        ended.flush_recordset(["state"])
        was_active.contract_id.with_context(onergy_mandate_sync=False).write(
            {"payment_method": "bank_transfer"}
        )
        ended._mandate_changed()

    def _end_by_staff(self, still_debited):
        """Staff wrote another account or payment method on the contract itself.

        :param still_debited: contracts that go on with another account
        """
        today = fields.Date.context_today(self)
        replaced = self.filtered(lambda mandate: mandate.contract_id in still_debited)
        replaced.write({"state": "replaced", "date_end": today})
        (self - replaced).write({"state": "revoked", "date_end": today})
        self.write({"ended_by_id": self.env.uid})
        self.flush_recordset(["state"])

    def _revoke(self):
        """The payer wants no more direct debit: he pays each bill himself from now."""
        for contract in self.contract_id:
            mandates = contract._get_mandate(*IN_FORCE)
            active = mandates.filtered(lambda mandate: mandate.state == "active")
            (mandates - active)._end("cancelled")
            active._end("revoked")
            active._tell("mail_template_mandate_ended")

    def _cancel(self):
        """The payer changes his mind before the new mandate starts."""
        pending = self.filtered(lambda mandate: mandate.state in ("draft", "pending"))
        pending._end("cancelled")
        pending.filtered("signed_date")._tell("mail_template_mandate_ended")

    @api.model
    def _cron_activate(self):
        """Let mandates start whose prenotification period is over."""
        # Each is tried once a run: what stays pending must not make it endless.
        due = self.search(
            [
                ("state", "=", "pending"),
                ("valid_from", "<=", fields.Date.context_today(self)),
            ]
        )
        cron = self.env["ir.cron"]
        cron._commit_progress(remaining=len(due))
        for start in range(0, len(due), BATCH):
            batch = due[start : start + BATCH]
            # Another run, or the payer himself, may have had one meanwhile.
            batch.try_lock_for_update().filtered(
                lambda mandate: mandate.state == "pending"
            )._activate()
            if not cron._commit_progress(len(batch)):
                break

    # ------------------------------------------------------------------ telling

    def _get_old_emails(self):
        """Return addresses that the payer changed lately, for a warning there too."""
        self.ensure_one()
        since = fields.Datetime.now() - timedelta(days=RECENT_EMAIL_DAYS)
        # sudo: who changes the account may not read log-ins
        changes = (
            self.env["onergy.email.change"]
            .sudo()
            .search(
                [
                    ("user_id.partner_id", "=", self.partner_id.id),
                    ("state", "=", "done"),
                    ("date_done", ">", since),
                    ("email_old", "!=", False),
                ]
            )
        )
        return sorted(set(changes.mapped("email_old")) - {self.partner_id.email})

    def _tell(self, template):
        """Write to the payer, by letter if he has no e-mail address."""
        # sudo: a resident may not read mail templates
        mail = self.env.ref(f"onergy_residents.{template}").sudo()
        for mandate in self:
            old = mandate._get_old_emails()
            for address in filter(None, [mandate.partner_id.email, *old]):
                mail.send_mail(
                    mandate.id, force_send=True, email_values={"email_to": address}
                )
            if not mandate.partner_id.email:
                mandate.letter_state = "todo"
                mandate._plan_letter()

    def _plan_letter(self):
        user = self.company_id.onergy_request_user_id
        if user:
            self.activity_schedule(
                "mail.mail_activity_data_todo",
                summary=self.env._("Print the letter: this payer has no e-mail"),
                user_id=user.id,
            )

    # ------------------------------------------------------------------ buttons

    def _check_clerk(self):
        if not self.env.user.has_group("onergy_residents.group_customer_service"):
            raise UserError(self.env._("Only customer service changes mandates."))
        self.check_access("read")

    def action_revoke(self):
        self._check_clerk()
        # sudo: mandates are changed by these methods only
        self.sudo()._revoke()

    def action_cancel(self):
        self._check_clerk()
        # sudo: as above
        self.sudo()._cancel()

    def action_sign(self):
        """Open the wizard that takes in the signed form."""
        self.ensure_one()
        action = self.env["ir.actions.actions"]._for_xml_id(
            "onergy_residents.action_onergy_mandate_entry"
        )
        return {
            **action,
            "context": {
                "default_mandate_id": self.id,
                "default_contract_id": self.contract_id.id,
            },
        }

    def action_print_form(self):
        return self.env.ref(
            "onergy_residents.action_report_mandate_form"
        ).report_action(self, config=False)

    def action_print_letters(self):
        self._check_clerk()
        # sudo: as above
        mandates = self.sudo()
        mandates.letter_state = "done"
        mandates.activity_feedback(["mail.mail_activity_data_todo"])
        return self.env.ref(
            "onergy_residents.action_report_mandate_letter"
        ).report_action(self, config=False)
