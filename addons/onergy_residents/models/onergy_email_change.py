from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import email_normalize, escape_psql
from odoo.tools.misc import hash_sign, verify_hash_signed

TOKEN_SCOPE = "onergy.email.change"
VALID_HOURS = 24
# Enough for a typing error or two, too few to fill somebody's mailbox.
MAX_PER_USER_AND_DAY = 5
MAX_PER_ADDRESS_AND_DAY = 3
KEEP_DAYS = 90


class OnergyEmailChange(models.Model):
    """A resident's wish for another e-mail address, until he confirms it.

    The link goes to the new address, so that nobody's bills end in a mailbox that is
    not his; a notice goes to the old one, so that a thief does not go unnoticed.
    """

    _name = "onergy.email.change"
    _description = "Change of e-mail address"
    _order = "id desc"
    _rec_name = "email_new"

    user_id = fields.Many2one(
        "res.users", required=True, index=True, readonly=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="user_id.company_id")
    email_old = fields.Char("Old address", readonly=True)
    email_new = fields.Char("New address", required=True, index=True, readonly=True)
    state = fields.Selection(
        [
            ("pending", "Waiting for confirmation"),
            ("done", "Confirmed"),
            ("cancelled", "Replaced"),
        ],
        required=True,
        readonly=True,
        default="pending",
    )
    date_done = fields.Datetime("Confirmed on", readonly=True)

    _one_pending_per_user = models.UniqueIndex("(user_id) WHERE state = 'pending'")

    @api.model
    def _start(self, user, email):
        """Send a confirmation link to the new address and a notice to the old one.

        :param user: the ``res.users`` record of the resident
        :param str email: the new address as he typed it
        :return: the new record, as superuser
        :raise UserError: no address, the present one, or too many tries today
        """
        email_new = email_normalize(email)
        if not email_new:
            raise UserError(
                self.env._(
                    "This is not an e-mail address. Write it as name@example.com."
                )
            )
        if email_new == email_normalize(user.email):
            raise UserError(self.env._("This already is your e-mail address."))
        # sudo: residents have no rights on this model
        changes = self.sudo()
        changes._check_rate(user, email_new)
        replaced = changes.search(
            [("user_id", "=", user.id), ("state", "=", "pending")]
        )
        replaced.state = "cancelled"
        # The index allows one pending change, so this one goes first.
        replaced.flush_recordset(["state"])
        change = changes.create(
            {"user_id": user.id, "email_old": user.email, "email_new": email_new}
        )
        change._send("mail_template_email_change_confirm")
        if change.email_old:
            change._send("mail_template_email_change_notice")
        return change

    def _check_rate(self, user, email_new):
        today = [("create_date", ">", fields.Datetime.now() - timedelta(days=1))]
        by_user = self.search_count([("user_id", "=", user.id), *today])
        to_address = self.search_count([("email_new", "=", email_new), *today])
        if by_user >= MAX_PER_USER_AND_DAY or to_address >= MAX_PER_ADDRESS_AND_DAY:
            raise UserError(
                self.env._(
                    "You have tried this too often today. Try again tomorrow, or "
                    "contact us."
                )
            )

    def _send(self, template):
        # sudo: a resident may not read mail templates
        self.env.ref(f"onergy_residents.{template}").sudo().send_mail(
            self.id, force_send=True
        )

    @api.model
    def _get_pending(self, user):
        """Return the change of this user that he can still confirm, or nothing."""
        since = fields.Datetime.now() - timedelta(hours=VALID_HOURS)
        # sudo: residents have no rights on this model
        return self.sudo().search(
            [
                ("user_id", "=", user.id),
                ("state", "=", "pending"),
                ("create_date", ">", since),
            ],
            limit=1,
        )

    def _get_confirm_url(self):
        """Return the link of the mail; whoever has it can read the new mailbox."""
        self.ensure_one()
        token = hash_sign(
            self.env(su=True),
            TOKEN_SCOPE,
            {"id": self.id, "email": self.email_new},
            expiration_hours=VALID_HOURS,
        )
        return f"{self.get_base_url()}/my/onergy-account/email/confirm?token={token}"

    @api.model
    def _from_token(self, token):
        """Return the pending change that a link belongs to, else an empty record set.

        Forged, expired, used and replaced links all get the same answer.
        """
        # sudo: whoever holds the link may not even be logged in
        changes = self.sudo()
        try:
            values = verify_hash_signed(changes.env, TOKEN_SCOPE, token or "")
        except ValueError:
            values = None
        if not values:
            return changes.browse()
        return changes.search(
            [
                ("id", "=", values["id"]),
                ("email_new", "=", values["email"]),
                ("state", "=", "pending"),
            ]
        )

    def _confirm(self):
        """Make the new address the resident's, once.

        The login name follows when it was the old address, unless another login
        already has that name. Odoo itself tells the old address.

        :raise UserError: it was confirmed or replaced in the meantime
        """
        self.ensure_one()
        change = self.try_lock_for_update()
        change.invalidate_recordset()
        if not change or change.state != "pending":
            raise UserError(self.env._("This link has already been used."))
        # sudo: the link's token shows whose address it is, login or not
        user = change.user_id.with_user(change.user_id).sudo()
        partner = user.partner_id
        old_email = partner.email
        values = {"email": change.email_new}
        if change._takes_login(user, old_email):
            values["login"] = change.email_new
        user.write(values)
        change.write({"state": "done", "date_done": fields.Datetime.now()})
        partner._message_log(
            body=self.env._(
                "The resident changed his e-mail address from %(old)s to %(new)s.",
                old=old_email or self.env._("none"),
                new=change.email_new,
            ),
            author_id=partner.id,
        )
        partner._onergy_contact_changed({"email": old_email})

    def _takes_login(self, user, old_email):
        """Tell whether the login name is the old address and the new one is free."""
        if not old_email or user.login.casefold() != old_email.casefold():
            return False
        # sudo: only whether the name is taken is asked
        users = self.env["res.users"].sudo().with_context(active_test=False)
        same = [("login", "=ilike", escape_psql(self.email_new))]
        return not users.search_count(same, limit=1)

    @api.autovacuum
    def _gc_changes(self):
        """Forget them after a quarter; the partner's log keeps what was changed."""
        limit = fields.Datetime.now() - timedelta(days=KEEP_DAYS)
        self.search([("create_date", "<", limit)]).unlink()
