from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command, Domain
from odoo.tools import email_normalize, escape_psql

#: Days are counted where the homes are, whatever zone who looks has chosen.
DAY_ZONE = "Europe/Amsterdam"
# Enough for a household or a bookkeeper, too few to fill mailboxes of others.
MAX_PER_USER_AND_DAY = 20
MAX_PER_ADDRESS_AND_DAY = 5


class OnergyAccessGrant(models.Model):
    """Somebody else may look at a home of this contract, from one day until another.

    Given by the account holder or a clerk. It shows the home, the contract's period
    and the use of heat from its first day on; never bills, payments or bank data.
    After its last day, or once revoked, nothing is shown any more.
    """

    _name = "onergy.access.grant"
    _description = "Access for somebody else"
    _inherit = ["mail.thread"]
    _check_company_auto = True
    _order = "revoked_on desc, date_from desc, id desc"
    _rec_name = "partner_id"

    contract_id = fields.Many2one(
        "onergy.contract",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
        check_company=True,
    )
    company_id = fields.Many2one(
        related="contract_id.company_id", store=True, index=True
    )
    partner_id = fields.Many2one(
        "res.partner",
        "Who may look",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
    )
    # What the account holder typed; the contact itself is not his to read.
    name = fields.Char(required=True, tracking=True)
    email = fields.Char("E-mail", required=True, readonly=True)
    date_from = fields.Date(
        "From",
        required=True,
        default=lambda self: self._get_today(),
        tracking=True,
        help="First day on which he may look, and first day whose use he sees.",
    )
    date_to = fields.Date(
        "Until", tracking=True, help="Last day; empty: until it is revoked."
    )
    revoked_on = fields.Datetime(readonly=True, copy=False, tracking=True)
    state = fields.Selection(
        [
            ("future", "Future"),
            ("active", "Open"),
            ("expired", "Expired"),
            ("revoked", "Revoked"),
        ],
        compute="_compute_state",
        search="_search_state",
    )

    _dates_order = models.Constraint(
        "CHECK (date_to IS NULL OR date_to >= date_from)",
        "Access cannot end before it starts.",
    )

    @api.model
    def _get_today(self):
        return fields.Date.context_today(self.with_context(tz=DAY_ZONE))

    @api.depends("date_from", "date_to", "revoked_on")
    def _compute_state(self):
        today = self._get_today()
        for grant in self:
            if grant.revoked_on:
                grant.state = "revoked"
            elif grant.date_to and grant.date_to < today:
                grant.state = "expired"
            else:
                grant.state = "future" if grant.date_from > today else "active"

    def _search_state(self, operator, value):
        if operator != "in":
            return NotImplemented
        today = self._get_today()
        valid = Domain("revoked_on", "=", False)
        over = Domain("date_to", "<", today)
        domains = {
            "revoked": ~valid,
            "expired": valid & over,
            "future": valid & ~over & Domain("date_from", ">", today),
            "active": valid & ~over & Domain("date_from", "<=", today),
        }
        return Domain.OR(domains[state] for state in value if state in domains)

    def action_revoke(self):
        """Close this access at once; the history keeps that it was there."""
        self.filtered(
            lambda grant: not grant.revoked_on
        ).revoked_on = fields.Datetime.now()

    @api.model
    def _give(self, contract, name, email, date_from, date_to=False):
        """Give somebody access and mail him how to get in.

        Who has the address already uses his own login; somebody new gets one. The
        answer is the same for all: nobody learns who is a customer, or works here.
        """
        email = email_normalize(email)
        # sudo: account holders and clerks may not read or make users
        users = self.env["res.users"].sudo().with_context(active_test=False)
        user = self._find_viewer(users, email)
        if not user:
            user = self._create_viewer(users, contract, name, email)
        elif user.share and contract.company_id not in user.company_ids:
            user.company_ids = [Command.link(contract.company_id.id)]
        grant = self.create(
            {
                "contract_id": contract.id,
                "partner_id": user.partner_id.id,
                "name": name,
                "email": email,
                "date_from": date_from,
                "date_to": date_to,
            }
        )
        if not user.active:
            grant._message_log(body=self.env._("The login of this address is closed."))
        template = self.env.ref("onergy_residents.mail_template_access_grant")
        # sudo: residents may not read mail templates
        template.sudo().send_mail(grant.id)
        # sudo: triggering a cron is for administrators
        self.env.ref("mail.ir_cron_mail_scheduler_action").sudo()._trigger()
        return grant

    @api.model
    def _check_rate(self, email):
        """Refuse to write to many mailboxes, or much to one. As superuser.

        :raise UserError: too often today
        """
        today = [("create_date", ">", fields.Datetime.now() - timedelta(days=1))]
        by_user = self.search_count([("create_uid", "=", self.env.uid), *today])
        same = [("email", "=", email_normalize(email)), *today]
        if (
            by_user >= MAX_PER_USER_AND_DAY
            or self.search_count(same) >= MAX_PER_ADDRESS_AND_DAY
        ):
            raise UserError(
                self.env._(
                    "You have tried this too often today. Try again tomorrow, or "
                    "contact us."
                )
            )

    @api.model
    def _find_viewer(self, users, email):
        """Return the user whose login or address this is, nobody if it may be several.

        An address counts of employees, residents and those who were made to look at a
        home: they confirm a new one. Others on the portal may write any address on
        Odoo's own page, so of them only the login counts.
        """
        # What somebody typed: "_" and "%" are no patterns here.
        user = users.search([("login", "=ilike", escape_psql(email))], limit=1)
        if user:
            return user
        confirmed = (
            Domain("share", "=", False)
            | Domain("partner_id.is_resident", "=", True)
            | Domain("partner_id.onergy_viewer", "=", True)
        )
        found = users.search(
            Domain("email_normalized", "=", email) & confirmed, limit=2
        )
        return found if len(found) == 1 else users.browse()

    @api.model
    def _create_viewer(self, users, contract, name, email):
        company = contract.company_id
        partner = self.env["res.partner"].sudo()  # sudo: as in _give
        partner = partner.create(
            {
                "name": name,
                "email": email,
                "lang": contract.partner_id.lang,
                "company_id": company.id,
                "onergy_viewer": True,
            }
        )
        return users.with_context(no_reset_password=True)._create_user_from_template(
            {
                "login": email,
                "partner_id": partner.id,
                "company_id": company.id,
                "company_ids": [Command.set(company.ids)],
                "tz": DAY_ZONE,
            }
        )

    def _get_login_url(self):
        """Return where he gets in: to choose a password the first time.

        A link with which to choose a password opens the account, so it only goes to
        the account's own address, and never to an employee's.
        """
        self.ensure_one()
        # sudo: a token for the mail to the address it belongs to
        partner = self.sudo().partner_id
        is_own_address = partner.email_normalized == email_normalize(self.email)
        users = partner.user_ids
        is_new = users and all(user.share and not user.log_ids for user in users)
        if not is_own_address or not is_new:
            return f"{self.get_base_url()}/my"
        partner.signup_prepare()
        return partner._get_signup_url()

    def _forget(self):
        """Remove these, and who had no other business here. As superuser."""
        viewers = self.partner_id
        self.unlink()
        viewers._onergy_forget_viewers()
